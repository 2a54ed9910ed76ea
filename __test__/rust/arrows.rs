//! Arrows: the house rules that a reader of `src/` relies on, checked on every run.
//!
//! ```text
//! 5  node               may name napi
//! 4  engine             may name threads, the clock, the dice
//! 3  feed  replicate    2  store  wire    1  log    0  math
//! ```
//! A room may name the rooms on storeys below its own; never one above, never one beside it. The
//! pure rooms (`replicate`, `wire`, `log`, `math`) also touch no file and await nothing. Tests,
//! comments and strings are left out of all of this.
//!
//! Invariant: whatever is not blanked keeps its line number, so every fault names the line to look
//! at.

#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "arrows/cycles.rs"]
mod cycles;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

const ROOMS: [(&str, u8); 8] =
    [("math", 0), ("log", 1), ("store", 2), ("wire", 2), ("feed", 3), ("replicate", 3), ("engine", 4), ("node", 5)];
const PURE: [&str; 4] = ["replicate", "wire", "log", "math"];
const DOOR: [&str; 2] = ["napi", "napi_derive"];
const HANDS: [&str; 6] = ["Instant::now", "SystemTime", "thread_rng", "getrandom", "tokio", "std::thread"];
const IMPURE: [&str; 3] = [".await", "async fn", "std::fs"];
const FILE_LINES: usize = 400;
const FUNCTION_LINES: usize = 50;

#[test]
fn the_house_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut faults = Vec::new();
    let mut seen = 0;
    for path in rust_files(&root) {
        let inside = path.strip_prefix(&root).unwrap().to_path_buf();
        faults.extend(faults_in(&inside, &fs::read_to_string(&path).unwrap()));
        seen += 1;
    }
    assert!(seen > 3, "src/ was not found");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// No file of a room needs another that needs it.
#[test]
fn no_room_goes_in_circles() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files: Vec<(String, String)> = rust_files(&root)
        .iter()
        .map(|path| {
            (path.strip_prefix(&root).unwrap().display().to_string(), code_of(&fs::read_to_string(path).unwrap()))
        })
        .collect();
    let modules = cycles::Modules::new(files.iter().map(|(path, code)| (path.as_str(), code.clone())));
    assert_eq!(modules.cycles(), Vec::<String>::new());
}

fn code_of(text: &str) -> String {
    let mut code = without_words(text);
    blank_tests(&mut code);
    code
}

fn crate_rooms() -> Vec<&'static str> {
    ROOMS.iter().map(|(room, _)| *room).collect()
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") && path.file_stem().is_some_and(|s| s != "tests") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// All faults of one file; `inside` is its path below `src/`.
fn faults_in(inside: &Path, text: &str) -> Vec<String> {
    let parts: Vec<&str> = inside.iter().map(|part| part.to_str().unwrap()).collect();
    let [room, rest @ ..] = parts.as_slice() else { return Vec::new() };
    let mut code = without_words(text);
    let tests = blank_tests(&mut code);
    let mut faults = size_faults(text.lines().count() - tests, &code);
    if *room != "lib.rs" {
        match storey(room) {
            Some(_) => {
                faults.extend(arrow_faults(room, module_depth(rest), &code));
                faults.extend(word_faults(room, &code));
            }
            None => faults.push((1, format!("no storey has a room `{room}`"))),
        }
    }
    faults.into_iter().map(|(line, what)| format!("src/{}:{line}: {what}", inside.display())).collect()
}

fn storey(room: &str) -> Option<u8> {
    ROOMS.iter().find(|(name, _)| *name == room).map(|(_, storey)| *storey)
}

/// How many `super::` lead from a file of this room to the crate: `mod.rs` 1, `frame.rs` 2.
fn module_depth(rest: &[&str]) -> usize {
    match rest.last() {
        Some(&"mod.rs") => rest.len(),
        _ => rest.len() + 1,
    }
}

type Fault = (usize, String);

fn arrow_faults(room: &str, depth: usize, code: &str) -> Vec<Fault> {
    let from = storey(room).unwrap();
    let mut faults = Vec::new();
    for (at, name) in crate_names(code, depth) {
        let Some(to) = storey(&name) else { continue };
        if name == room || to < from {
            continue;
        }
        let arrow = if to == from { "sideways" } else { "rising" };
        faults.push((line_of(code, at), format!("{arrow} arrow: `{room}` names `{name}`")));
    }
    faults
}

fn word_faults(room: &str, code: &str) -> Vec<Fault> {
    let mut forbidden: Vec<&str> = Vec::new();
    if room != "node" {
        forbidden.extend(DOOR);
    }
    if storey(room).unwrap() < storey("engine").unwrap() {
        forbidden.extend(HANDS);
    }
    if PURE.contains(&room) {
        forbidden.extend(IMPURE);
    }
    let found = |word: &'static str| words(code, word).map(move |at| (at, word));
    let mut hits: Vec<_> = forbidden.into_iter().flat_map(found).collect();
    hits.sort();
    hits.into_iter().map(|(at, word)| (line_of(code, at), format!("`{room}` may not say `{word}`"))).collect()
}

fn size_faults(lines: usize, code: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    if lines > FILE_LINES {
        faults.push((1, format!("{lines} lines without tests, more than {FILE_LINES}")));
    }
    for (at, name, lines) in functions(code) {
        if lines > FUNCTION_LINES {
            faults.push((line_of(code, at), format!("fn {name} has {lines} lines, more than {FUNCTION_LINES}")));
        }
    }
    faults
}

/// `(offset, name, lines)` of every function with a body.
fn functions(code: &str) -> Vec<(usize, String, usize)> {
    words(code, "fn")
        .filter_map(|at| {
            let name = leading_word(code[at + 2..].trim_start());
            let open = at + code[at..].find(['{', ';'])?;
            let close = closing_brace(code, open)?;
            (!name.is_empty()).then(|| (at, name, code[at..close].matches('\n').count() + 1))
        })
        .collect()
}

/// The names that come right after `crate::`, or after enough `super::` to mean the crate, groups
/// included.
fn crate_names(code: &str, depth: usize) -> Vec<(usize, String)> {
    let roots = ["crate::".to_string(), "super::".repeat(depth)];
    let mut names = Vec::new();
    for root in roots {
        for at in words(code, &root) {
            let rest = at + root.len();
            match code[rest..].strip_prefix('{') {
                Some(_) => names.extend(group(code, rest)),
                None => names.push((rest, leading_word(&code[rest..]))),
            }
        }
    }
    names
}

/// First names of `{a::b, c::{d, e}}`: a and c.
fn group(code: &str, open: usize) -> Vec<(usize, String)> {
    let Some(close) = closing_brace(code, open) else { return Vec::new() };
    let (mut level, mut fresh, mut names) = (0, false, Vec::new());
    for (i, c) in code[open..close].char_indices() {
        match c {
            '{' => level += 1,
            '}' => level -= 1,
            _ if level == 1 && fresh && !c.is_whitespace() => names.push((open + i, leading_word(&code[open + i..]))),
            _ => {}
        }
        fresh = level == 1 && (c == '{' || c == ',' || (fresh && c.is_whitespace()));
    }
    names
}

fn leading_word(text: &str) -> String {
    text.chars().take_while(|c| is_word(*c)).collect()
}

/// Offsets at which `word` stands by itself.
fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    code.match_indices(word).map(|(at, _)| at).filter(move |&at| {
        let before = code[..at].chars().next_back().is_some_and(is_word);
        let after = code[at + word.len()..].chars().next().is_some_and(is_word);
        let open_start = word.starts_with(|c| !is_word(c));
        let open_end = word.ends_with(|c| !is_word(c));
        (open_start || !before) && (open_end || !after)
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn line_of(code: &str, at: usize) -> usize {
    code[..at].matches('\n').count() + 1
}

/// The offset of the `}` that closes the `{` at `open`; none when there is a `;` instead.
fn closing_brace(code: &str, open: usize) -> Option<usize> {
    let mut level = 0;
    for (i, c) in code[open..].char_indices() {
        match c {
            '{' => level += 1,
            '}' => level -= 1,
            _ => {}
        }
        if level == 0 {
            return (c == '}').then_some(open + i);
        }
    }
    None
}

/// Empties every item marked `#[cfg(test)]`, keeping the line ends; says how many lines that were.
fn blank_tests(code: &mut String) -> usize {
    let mut lines = 0;
    while let Some(item) = test_item(code) {
        let blank: String = code[item.clone()].chars().filter(|c| *c == '\n').collect();
        lines += blank.len() + 1;
        code.replace_range(item, &blank);
    }
    lines
}

fn test_item(code: &str) -> Option<Range<usize>> {
    let start = code.find("#[cfg(test)]")?;
    let open = start + code[start..].find(['{', ';'])?;
    let end = closing_brace(code, open).unwrap_or(open);
    Some(start..end + 1)
}

/// Empties comments, strings and characters, keeping the line ends.
fn without_words(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while i < chars.len() {
        let end = skip(&chars, i);
        if end == i {
            out.push(chars[i]);
            i += 1;
        } else {
            out.push(' ');
            out.extend(chars[i..end].iter().filter(|c| **c == '\n'));
            i = end;
        }
    }
    out
}

/// Where the comment, string or character that starts at `i` ends; `i` when none does.
fn skip(chars: &[char], i: usize) -> usize {
    let at = |n: usize| chars.get(i + n).copied().unwrap_or('\0');
    let in_word = i > 0 && is_word(chars[i - 1]);
    match (at(0), at(1)) {
        ('/', '/') => chars[i..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| i + n),
        ('/', '*') => find(chars, i + 2, &['*', '/']),
        ('r', '"' | '#') if !in_word => raw_string(chars, i),
        ('"', _) => quoted(chars, i, '"'),
        ('\'', '\\') => quoted(chars, i, '\''),
        ('\'', _) if at(2) == '\'' => i + 3,
        _ => i,
    }
}

fn quoted(chars: &[char], start: usize, quote: char) -> usize {
    let mut i = start + 1;
    while i < chars.len() && chars[i] != quote {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn raw_string(chars: &[char], start: usize) -> usize {
    let hashes = chars[start + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(start + 1 + hashes) != Some(&'"') {
        return start;
    }
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    find(chars, start + 2 + hashes, &end)
}

fn find(chars: &[char], from: usize, what: &[char]) -> usize {
    (from..chars.len()).find(|&i| chars[i..].starts_with(what)).map_or(chars.len(), |i| i + what.len())
}

fn check(file: &str, text: &str) -> Vec<String> {
    faults_in(Path::new(file), text)
}

#[test]
fn falling_arrows_are_fine() {
    assert!(
        check("wire/frame.rs", "use crate::math::varint;\nuse crate::{log, math::{flat, crypto}};\nuse super::noise;")
            .is_empty()
    );
    assert!(check("engine/pump.rs", "use tokio::runtime; use crate::{feed::Feed, replicate, wire};").is_empty());
    assert!(check("lib.rs", "pub mod math; pub mod node;").is_empty());
}

#[test]
fn rising_and_sideways_arrows_are_found() {
    assert!(check("log/proof.rs", "\n\nuse crate::feed::Feed;")[0].contains(":3: rising arrow: `log` names `feed`"));
    assert!(
        check("wire/frame.rs", "use crate::{\n  math,\n  store::{disk, memory},\n};")[0].contains(":3: sideways arrow")
    );
    assert!(check("feed/get.rs", "use super::super::replicate::Peer;")[0].contains("sideways"));
    assert!(check("feed/mod.rs", "fn f() { super::engine::run() }")[0].contains("rising"));
    assert!(check("attic/mod.rs", "")[0].contains("no storey"));
}

#[test]
fn forbidden_words_are_found_in_code_only() {
    assert!(
        check("math/a.rs", "// tokio, \"std::fs\"\nconst S: &str = r#\"getrandom \" x\"#; /* .await */").is_empty()
    );
    assert!(check("math/a.rs", "#[cfg(test)]\nmod tests { use std::fs; fn f() { std::thread::sleep(x) } }").is_empty());
    assert!(check("store/disk.rs", "use std::fs::File;").is_empty());
    for (file, code) in [
        ("wire/a.rs", "let x = f().await;"),
        ("replicate/a.rs", "let now = std::time::Instant::now();"),
        ("store/a.rs", "std::thread::spawn(f);"),
        ("feed/a.rs", "let t = SystemTime::now();"),
        ("log/a.rs", "use std::fs;"),
        ("engine/a.rs", "use napi::bindgen_prelude::*;"),
    ] {
        assert_eq!(check(file, code).len(), 1, "{file}: {code}");
    }
}

#[test]
fn long_files_and_functions_are_found() {
    let body = "    x();\n".repeat(49);
    assert!(check("math/a.rs", &format!("fn f() {{\n{}}}\n", &body[9..])).is_empty());
    assert!(check("math/a.rs", &format!("fn f() {{\n{body}}}\n"))[0].contains("fn f has 51 lines"));
    assert!(check("math/a.rs", &"const A: char = '\"';\n".repeat(401))[0].contains("401 lines"));
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    // x\n".repeat(500));
    assert!(check("math/a.rs", &("const A: u8 = 1;\n".repeat(400) + &tests)).is_empty());
}

#[test]
fn circles_are_found() {
    let cycles = |files: &[(&'static str, &str)]| {
        cycles::Modules::new(files.iter().map(|(path, code)| (*path, (*code).to_owned()))).cycles()
    };
    let list = ("feed/mod.rs", "mod a; mod b; pub use a::A; pub use b::{B, C as D};");
    assert_eq!(cycles(&[list, ("feed/a.rs", "use super::B;"), ("feed/b.rs", "struct B;")]), Vec::<String>::new());
    assert_eq!(
        cycles(&[list, ("feed/a.rs", "use super::B;"), ("feed/b.rs", "use super::a::A;")]),
        ["feed/a <-> feed/b"]
    );
    assert_eq!(
        cycles(&[list, ("feed/a.rs", "fn f() { super::b::f() }"), ("feed/b.rs", "use crate::feed::A;")]).len(),
        1
    );
    let own = ("feed/mod.rs", "mod a; use a::A; struct Own(A);");
    assert_eq!(cycles(&[own, ("feed/a.rs", "use super::Own;")]), ["feed <-> feed/a"]);
    assert_eq!(
        cycles(&[("feed/mod.rs", "mod a; pub use a::A; struct Own;"), ("feed/a.rs", "use super::Own;")]).len(),
        0
    );
    assert_eq!(cycles(&[list, ("feed/a.rs", "use super::D;"), ("feed/b.rs", "use crate::{log, feed::{A}};")]).len(), 1);
}
