//! What the Rust tests share.
//!
//! ```text
//! dice     all randomness of a test, from one seed
//! honest   a log, and what its writer would answer
//! host     one engine with one feed, and its streams
//! stores   storages that fail, and that remember what was written
//! ```

#![allow(dead_code, reason = "no test uses all of it")]
#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::as_conversions)]

pub mod dice;
pub mod honest;
pub mod host;
pub mod stores;

use bytes::Bytes;
use hypercore::feed::OpenOptions;
use hypercore::math::crypto::KeyPair;

/// The writer of every test.
pub fn writer_pair() -> KeyPair {
    KeyPair::from_seed(&[7; 32])
}

/// A feed of the test's writer; with its secret key if it is to write.
pub fn open_options(writes: bool) -> OpenOptions {
    let pair = writer_pair();
    OpenOptions {
        key: Some(pair.public_key()),
        secret_key: writes.then(|| pair.secret_key()),
        create_if_missing: true,
        overwrite: false,
        force: false,
        store_secret_key: writes,
        live: true,
        hooks: None,
        indexing: false,
        must_be_writable: false,
        seed: [9; 32],
    }
}

/// A block that tells its place: no two blocks of a test are the same, unless they are empty.
pub fn block(index: u64, size: usize) -> Bytes {
    let stamp = (index + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
    stamp.iter().copied().cycle().take(size).collect()
}
