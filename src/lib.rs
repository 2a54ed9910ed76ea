//! Hypercore 9: a secure, append-only log that is shared between peers.
//!
//! Six storeys. A module may name those below it, never one above or beside it.
//!
//! ```text
//! 5  node                     the door: what JavaScript can call
//! 4  engine                   the hands: threads, the clock, the dice
//! 3  feed       replicate     a log on disk; a log among peers
//! 2  store      wire          bytes at rest; bytes in flight
//! 1  log                      the idea: tree, bitfield, proof
//! 0  math                     the ground: integers, bits, hashes
//! ```

pub mod math;

pub mod log;

pub mod store;
pub mod wire;

pub mod feed;
pub mod replicate;

pub mod engine;

#[cfg(feature = "node")]
pub mod node;
