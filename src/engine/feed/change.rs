//! Changes of a log: one at a time, in the order in which they were asked for.
//!
//! ```text
//! append, answers of remotes, clear, repair, ..., close -> waiting -> here or on a worker -> outcome -> the next
//! ```
//! Whatever changes the log or its bitfield is here, and only what is at the head of the queue
//! runs: it holds the feed's one token.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::engine::event::Failure;
use crate::engine::ids::OpId;
use crate::feed::Put;
use crate::replicate::Answer;

/// Writes of more bytes than this are done on a worker: hashing them would hold the thread too
/// long.
const BIG: usize = 256 * 1024;
/// The same for what remotes sent, where the blocks are large: the thread has their next bytes to
/// read.
const BIG_ANSWERS: usize = 60 * 1024;
/// What a large block is, in bytes. Many small ones cost more to hand over than to hash.
const LARGE: usize = 16 * 1024;
/// A change that holds the thread for longer than this, in microseconds, shows a slow device.
const SLOW: u64 = 4_000;
/// Then changes go to a worker for so many milliseconds; twice as long each time that it was slow
/// again soon after, up to the second number. One hiccup of the system must not cost a second of
/// thread hops.
const SLOW_FOR: (u64, u64) = (50, 1_600);
/// What soon is, in milliseconds.
const SOON: u64 = 2_000;

/// A change that waits for its turn.
pub enum Change {
    /// Append blocks.
    Append(OpId, Vec<Bytes>),
    /// Keep what remotes answered.
    Store(Vec<Answer>),
    /// Give up the blocks `start..end`.
    Clear {
        /// For this operation.
        op: OpId,
        /// The first.
        start: u64,
        /// One past the last.
        end: u64,
        /// Leave the bytes.
        keep_bytes: bool,
        /// It is known to take long.
        is_long: bool,
    },
    /// Keep what the caller gave.
    Put(OpId, Box<Put>),
    /// Give up what a read found rotten; then fail the operations that read it.
    Repair(Vec<u64>, Vec<(OpId, Failure)>),
    /// Give up what an audit found rotten; then answer it with the number of valid blocks, and
    /// these.
    GiveUp(OpId, u64, Vec<u64>),
    /// Make the log shorter.
    Truncate {
        /// For this operation.
        op: OpId,
        /// The new length.
        len: u64,
        /// It is known to take long.
        is_long: bool,
    },
    /// Give a static feed its key.
    Finalize(OpId),
    /// Give up the files.
    Close(OpId),
}

impl Change {
    /// The operations that wait for it.
    pub fn ops(&self) -> Vec<OpId> {
        match self {
            Self::Store(_) => Vec::new(),
            Self::Repair(_, failed) => failed.iter().map(|(op, _)| *op).collect(),
            Self::Append(op, _)
            | Self::Clear { op, .. }
            | Self::Put(op, _)
            | Self::GiveUp(op, ..)
            | Self::Truncate { op, .. }
            | Self::Finalize(op)
            | Self::Close(op) => vec![*op],
        }
    }
}

/// The queue.
#[derive(Default)]
pub struct Changes {
    waiting: VecDeque<Change>,
    is_changing: bool,
    device: Device,
}

impl Changes {
    /// Asks for a change. Answers of remotes that follow one another become one.
    pub fn push(&mut self, change: Change) {
        match (self.waiting.back_mut(), change) {
            (Some(Change::Store(answers)), Change::Store(mut more)) => answers.append(&mut more),
            (_, change) => self.waiting.push_back(change),
        }
    }

    /// A change that was tried and takes long: it is the next again.
    pub fn push_first(&mut self, change: Change) {
        self.waiting.push_front(change);
    }

    /// The next change, which is under way from now on; None while another is.
    pub fn begin(&mut self) -> Option<Change> {
        if self.is_changing {
            return None;
        }
        let change = self.waiting.pop_front()?;
        self.is_changing = true;
        Some(change)
    }

    /// The change under way is over; it held the thread for so many microseconds.
    pub fn end(&mut self, now: u64, held: u64) {
        self.is_changing = false;
        self.device.note(now, held);
    }

    /// True while a change is under way: there is nothing new to see yet.
    pub const fn is_changing(&self) -> bool {
        self.is_changing
    }

    /// Whether a write of `size` bytes is done on a worker.
    pub fn is_for_worker(&self, now: u64, size: usize) -> bool {
        size > BIG || self.device.is_slow(now)
    }

    /// The same for answers of remotes.
    pub fn are_for_worker(&self, now: u64, answers: &[Answer]) -> bool {
        let size: usize = answers.iter().filter_map(|answer| answer.value.as_ref()).map(Bytes::len).sum();
        let are_large = size >= BIG_ANSWERS && size / answers.len().max(1) >= LARGE;
        are_large || self.is_for_worker(now, size)
    }
}

/// How long a device has lately held the thread.
#[derive(Default)]
struct Device {
    slow_until: u64,
    slow_for: u64,
}

impl Device {
    fn note(&mut self, now: u64, held: u64) {
        if held <= SLOW {
            return;
        }
        let is_again = self.slow_for > 0 && now < self.slow_until + SOON;
        self.slow_for = if is_again { (2 * self.slow_for).min(SLOW_FOR.1) } else { SLOW_FOR.0 };
        self.slow_until = now + self.slow_for;
    }

    const fn is_slow(&self, now: u64) -> bool {
        now < self.slow_until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_change_at_a_time() {
        let mut changes = Changes::default();
        changes.push(Change::Finalize(OpId(1)));
        changes.push(Change::Close(OpId(2)));
        assert!(matches!(changes.begin(), Some(Change::Finalize(OpId(1)))));
        assert!(changes.begin().is_none() && changes.is_changing());
        changes.end(0, 0);
        assert!(matches!(changes.begin(), Some(Change::Close(OpId(2)))));
    }

    #[test]
    fn a_slow_device_is_left_to_workers_for_a_while() {
        let mut changes = Changes::default();
        assert!(!changes.is_for_worker(0, BIG) && changes.is_for_worker(0, BIG + 1));
        changes.end(0, SLOW + 1);
        assert!(changes.is_for_worker(49, 1) && !changes.is_for_worker(50, 1));
        changes.end(60, SLOW + 1);
        assert!(changes.is_for_worker(159, 1) && !changes.is_for_worker(160, 1));
        changes.end(10_000, SLOW + 1);
        assert!(!changes.is_for_worker(10_050, 1));
    }
}
