//! Cycles: files of one room that need each other to be understood.
//!
//! ```text
//! feed/get.rs: use super::nodes::Node;      get -> nodes
//! feed/get.rs: use super::Feed;             get -> whichever file mod.rs has Feed from
//! ```
//! A `mod.rs` that only declares and re-exports has no arrows of its own; what it defines it is
//! asked for, and what it uses in private it asks for.

use std::collections::{BTreeMap, BTreeSet};

use super::{crate_rooms, leading_word, words};

/// A file by the names of its module, from the room on: `engine/feed/mod.rs` is `[engine, feed]`.
type Module = Vec<String>;

/// All sources of `src/`, without comments, strings and tests.
pub struct Modules {
    code: BTreeMap<Module, String>,
}

impl Modules {
    /// From paths below `src/`, like `feed/get.rs`, and their code.
    pub fn new<'a>(files: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        Self { code: files.into_iter().map(|(path, code)| (module_of(path), code)).collect() }
    }

    /// Every cycle, as the files that it goes through.
    pub fn cycles(&self) -> Vec<String> {
        let arrows: BTreeMap<&Module, BTreeSet<Module>> =
            self.code.iter().map(|(module, code)| (module, self.arrows(module, code))).collect();
        let mut cycles = BTreeSet::new();
        for start in self.code.keys() {
            if let Some(mut cycle) = way(&arrows, start, start, &mut BTreeSet::new()) {
                cycle.sort();
                cycles.insert(cycle.join(" <-> "));
            }
        }
        cycles.into_iter().collect()
    }

    /// The files of the same room that a file needs.
    fn arrows(&self, module: &Module, code: &str) -> BTreeSet<Module> {
        let paths = paths_in(code);
        let is_list = self.is_parent(module);
        let needed = paths
            .into_iter()
            .filter(|path| !(is_list && path.is_public))
            .map(|path| absolute(module, is_list, path.names));
        needed
            .filter_map(|path| self.resolve(&path, 0))
            .filter(|other| other != module && other.first() == module.first() && !other.is_empty())
            .collect()
    }

    /// True for a module that has others inside, which name it with `super`.
    fn is_parent(&self, module: &Module) -> bool {
        self.code.keys().any(|other| other.len() > module.len() && other.starts_with(module))
    }

    /// The file in which what a path names is defined.
    fn resolve(&self, path: &[String], depth: usize) -> Option<Module> {
        let module =
            (1..=path.len()).rev().map(|len| path[..len].to_vec()).find(|part| self.code.contains_key(part))?;
        let Some(name) = path.get(module.len()).filter(|_| depth < 8) else { return Some(module) };
        let code = &self.code[&module];
        let given = paths_in(code).into_iter().find(|path| path.names.last() == Some(name) && path.names.len() > 1);
        match given {
            Some(given) => self.resolve(&absolute(&module, self.is_parent(&module), given.names), depth + 1),
            None => Some(module),
        }
    }
}

fn module_of(path: &str) -> Module {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// A path as it is written, and whether `pub use` says it.
struct Written {
    names: Vec<String>,
    is_public: bool,
}

/// All paths that begin with `super`, `self`, `crate`, or, in a `use`, with the name of a child.
fn paths_in(code: &str) -> Vec<Written> {
    let mut paths = Vec::new();
    for at in words(code, "use") {
        let end = code[at..].find(';').map_or(code.len(), |len| at + len);
        let before = code[..at].trim_end();
        let is_public = before.ends_with("pub") || before.ends_with(')') && before.contains("pub(");
        for names in expand(code[at + 3..end].trim()) {
            paths.push(Written { names, is_public });
        }
    }
    let in_uses = code.lines().filter(|line| !line.trim_start().starts_with("use ")).collect::<Vec<_>>().join("\n");
    for root in ["super::", "crate::"] {
        for at in words(&in_uses, root) {
            let names = names_from(&in_uses[at..]);
            paths.push(Written { names, is_public: false });
        }
    }
    paths
}

fn names_from(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    loop {
        let name = leading_word(rest);
        rest = &rest[name.len()..];
        names.push(name);
        match rest.strip_prefix("::") {
            Some(more) if !more.starts_with('{') => rest = more,
            _ => return names,
        }
    }
}

/// `a::{b, c::{d as e, self}}` as `a::b`, `a::c::e`, `a::c`.
fn expand(tree: &str) -> Vec<Vec<String>> {
    let Some(open) = tree.find('{') else {
        let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias)));
        let mut names: Vec<String> = path.split("::").map(|name| name.trim().to_owned()).collect();
        if names.last().is_some_and(|last| last == "self") && names.len() > 1 {
            names.pop();
        }
        if let (Some(alias), Some(last)) = (alias, names.last_mut()) {
            *last = alias.trim().to_owned();
        }
        return vec![names];
    };
    let head = tree[..open].trim_end_matches("::");
    let inner = &tree[open + 1..tree.rfind('}').unwrap_or(tree.len())];
    let (mut level, mut from, mut parts) = (0, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match c {
            '{' => level += 1,
            '}' => level -= 1,
            ',' if level == 0 => {
                parts.push(&inner[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&inner[from..]);
    let whole = |part: &str| expand(&format!("{head}::{}", part.trim()));
    parts.into_iter().filter(|part| !part.trim().is_empty()).flat_map(whole).collect()
}

/// The same path from `src/` on.
fn absolute(module: &Module, is_parent: bool, names: Vec<String>) -> Vec<String> {
    let mut base = module.clone();
    let mut rest = names.into_iter().peekable();
    match rest.peek().map(String::as_str) {
        Some("crate") => {
            base.clear();
            rest.next();
        }
        Some("self") => drop(rest.next()),
        Some("super") => {
            while rest.peek().is_some_and(|name| name == "super") {
                base.pop();
                rest.next();
            }
        }
        // A child, if there is one of that name; else another crate, which nobody here defines.
        Some(name) if !is_parent || crate_rooms().contains(&name) => base = vec!["another crate".to_owned()],
        _ => {}
    }
    base.into_iter().chain(rest).collect()
}

/// The names of the files on a way from `at` back to `start`.
fn way(
    arrows: &BTreeMap<&Module, BTreeSet<Module>>,
    start: &Module,
    at: &Module,
    seen: &mut BTreeSet<Module>,
) -> Option<Vec<String>> {
    for next in arrows.get(at).into_iter().flatten() {
        if next == start {
            return Some(vec![at.join("/")]);
        }
        if seen.insert(next.clone())
            && let Some(mut rest) = way(arrows, start, next, seen)
        {
            rest.push(at.join("/"));
            return Some(rest);
        }
    }
    None
}
