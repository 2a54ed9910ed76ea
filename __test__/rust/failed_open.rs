//! Failed opens: names and bytes in the directory are the same before and after, in every way in
//! which an open can fail.
//!
//! ```text
//! nowhere/yet   a fresh place, two directories deep       log   a writer's       clone   a reader's       other   a file of somebody else
//! ```
//! Only what the open made itself may go away again.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::as_conversions)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use common::{open_options, writer_pair};
use hypercore::feed::{self, Feed, FeedError, OpenOptions};
use hypercore::math::crypto::KeyPair;
use hypercore::store::Io;
use hypercore::store::disk::Disk;
use hypercore::store::io::now;

fn open(dir: &Path, options: OpenOptions) -> Result<Feed, FeedError> {
    now(feed::open(Io::native(Arc::new(Disk::new(dir))), options, |_| ())).unwrap()
}

/// All paths below a directory; files with their bytes.
fn snapshot(dir: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.insert(path.clone(), None);
            all.extend(snapshot(&path));
        } else {
            let bytes = fs::read(&path).unwrap();
            all.insert(path, Some(bytes));
        }
    }
    all
}

fn other_key() -> [u8; 32] {
    KeyPair::from_seed(&[42; 32]).public_key()
}

fn stranger() -> OpenOptions {
    OpenOptions { key: Some(other_key()), secret_key: None, ..open_options(false) }
}

/// Fails with this code, and nothing is other than before.
fn refused(dir: &Path, root: &Path, options: OpenOptions, code: &str) {
    let before = snapshot(root);
    let error = open(dir, options).map(drop).unwrap_err();
    assert_eq!(error.code(), Some(code));
    assert_eq!(snapshot(root), before, "{code}");
}

/// The options that fail on a place where no log is.
fn refusals() -> Vec<(OpenOptions, &'static str)> {
    let halves = Some(writer_pair().secret_key());
    vec![
        (OpenOptions { must_be_writable: true, ..stranger() }, "ENOTWRITABLE"),
        (OpenOptions { must_be_writable: true, overwrite: true, ..stranger() }, "ENOTWRITABLE"),
        (OpenOptions { create_if_missing: false, key: None, ..stranger() }, "ENOTSTORED"),
        (OpenOptions { secret_key: halves, ..stranger() }, "EKEYMISMATCH"),
    ]
}

#[test]
fn a_fresh_place_stays_fresh() {
    for (options, code) in refusals() {
        let root = tempfile::tempdir().unwrap();
        refused(&root.path().join("nowhere/yet"), root.path(), options.clone(), code);
        fs::write(root.path().join("other"), "x").unwrap();
        refused(root.path(), root.path(), options.clone(), code);
        fs::create_dir(root.path().join("nowhere")).unwrap();
        refused(&root.path().join("nowhere/yet"), root.path(), options, code);
    }
}

#[test]
fn what_stands_in_the_way_stays() {
    for name in ["key", "secret_key", "tree", "signatures", "bitfield"] {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join(name)).unwrap();
        refused(root.path(), root.path(), open_options(true), "EISDIR");
    }
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("file"), "x").unwrap();
    refused(&root.path().join("file/log"), root.path(), open_options(true), "ENOTDIR");
}

/// A log with some blocks, or an empty clone of it.
fn existing(writes: bool) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let feed = open(root.path(), open_options(writes)).unwrap();
    if writes {
        now(feed.append(vec![Bytes::from_static(b"a"), Bytes::from_static(b"bc")])).unwrap().unwrap();
    }
    now(feed.close()).unwrap().unwrap();
    root
}

#[test]
fn a_log_stays_as_it_was() {
    let halves = Some(KeyPair::from_seed(&[42; 32]).secret_key());
    for (options, code) in [
        (stranger(), "EOTHERKEY"),
        (OpenOptions { secret_key: halves, ..open_options(false) }, "EKEYMISMATCH"),
        (OpenOptions { must_be_writable: true, overwrite: true, ..stranger() }, "ENOTWRITABLE"),
        (OpenOptions { must_be_writable: true, force: true, ..stranger() }, "ENOTWRITABLE"),
    ] {
        let root = existing(true);
        refused(root.path(), root.path(), options, code);
    }
    let clone = existing(false);
    refused(clone.path(), clone.path(), OpenOptions { must_be_writable: true, ..open_options(false) }, "ENOTWRITABLE");
    let root = existing(true);
    let held = open(root.path(), open_options(true)).unwrap();
    refused(root.path(), root.path(), open_options(true), "ELOCKED");
    drop(held);
}

#[test]
fn a_damaged_log_stays_as_it_was() {
    for name in ["tree", "signatures", "bitfield"] {
        for overwrite in [false, true] {
            let root = existing(true);
            let path = root.path().join(name);
            let mut bytes = fs::read(&path).unwrap();
            bytes[4] = 9;
            fs::write(&path, bytes).unwrap();
            let options = OpenOptions { overwrite, ..open_options(true) };
            refused(root.path(), root.path(), options.clone(), "EBADHEADER");
            if name != "bitfield" {
                // A lock file is made, and goes away again.
                fs::remove_file(root.path().join("bitfield")).unwrap();
                refused(root.path(), root.path(), options, "EBADHEADER");
            }
        }
    }
    let root = existing(true);
    fs::write(root.path().join("key"), "short").unwrap();
    fs::remove_file(root.path().join("secret_key")).unwrap();
    let nobody = OpenOptions { key: None, secret_key: None, ..open_options(true) };
    refused(root.path(), root.path(), nobody, "EKEYMISSING");
    let root = existing(true);
    fs::write(root.path().join("secret_key"), [7; 64]).unwrap();
    refused(root.path(), root.path(), OpenOptions { secret_key: None, ..open_options(false) }, "EKEYMISMATCH");
}
