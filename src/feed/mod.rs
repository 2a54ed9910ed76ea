//! Feed: one log on its storage. One verb a file.
//!
//! ```text
//! append put truncate clear      change the log, by way of commit: write first, publish last
//! repair audit                   find blocks that are damaged, and give them up
//! get batch seek serve report    read it
//! open recover                   from six files to a log
//!   opened  Feed ── Io           the six files, wherever they are
//!                └─ state (lock) what is committed, nothing else
//! nodes records cache            the tree and the signatures, as stored and as remembered
//! ```
//! Verbs are futures: on a native storage they are over at the first poll, on any other they wait
//! for answers. The lock is held for pure steps only, never over I/O. A failed write leaves the
//! feed as it was.
//!
//! A reading verb that was asked with an `Io` that must not wait answers `WouldBlock` rather than
//! take longer than some 300 microseconds; the same call with the feed's own `Io`, on a worker,
//! then does it.
//!
//! Invariant: at most one changing verb (append, put, clear, truncate, finalize, repair, give_up)
//! runs at a time on a feed: the engine queues them. Reading verbs run beside it and change nothing
//! but what is remembered; what they publish after a read is compared with the version that they
//! began with ([`Version`]).
//! Source: hypercore@9.12.0 index.js, lib/storage.js.

mod append;
mod audit;
mod batch;
mod cache;
mod clear;
mod commit;
mod error;
mod get;
mod hooks;
mod nodes;
mod open;
mod opened;
mod put;
mod records;
mod recover;
mod repair;
mod report;
mod seek;
mod serve;
mod state;
mod subtrees;
#[cfg(test)]
mod tests;
mod truncate;

pub use append::Appended;
pub use audit::Slice;
pub use batch::Batch;
pub use error::FeedError;
pub use get::{BlockRead, MAX_BLOCK_SIZE};
pub use hooks::{HookAnswer, Hooks, Question, Reply};
pub use open::{OpenOptions, open};
pub use opened::Feed;
pub use put::{Arrival, Put, PutReport};
pub use repair::Repaired;
pub use seek::Sought;
pub use serve::{Served, Wanted};
pub use state::Version;
