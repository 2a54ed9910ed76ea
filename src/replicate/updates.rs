//! Updates: who waits for which length.
//!
//! ```text
//! by length   6: update 1, update 4     9: update 2          asked for: block 6   ->  open: 9, the least beyond it
//! ```
//! The proof of a block tells a length beyond it, so that one request serves all who wait for no
//! more than that.
//!
//! Invariant: what is asked for has a holder among the asks.

use std::collections::{BTreeMap, BTreeSet};

use super::types::{Ask, UpdateWait, WaitId};

/// See the file's head.
#[derive(Default)]
pub(super) struct Updates {
    /// By length and by the order in which they were asked.
    all: BTreeMap<(u64, u64), (WaitId, bool)>,
    asked: BTreeSet<Ask>,
    next: u64,
    is_new: bool,
}

impl Updates {
    /// One more waits; gives its order.
    pub fn insert(&mut self, id: WaitId, wait: UpdateWait) -> u64 {
        self.all.insert((wait.min_len, self.next), (id, wait.hash));
        self.next += 1;
        self.is_new = true;
        self.next - 1
    }

    /// One does not wait any more. True if it did.
    pub fn remove(&mut self, min_len: u64, order: u64) -> bool {
        self.all.remove(&(min_len, order)).is_some()
    }

    /// The least length that somebody waits for and nobody was asked for, in blocks, and whether a
    /// hash will do.
    pub fn open(&self) -> Option<(u64, bool)> {
        // A block tells a length of one more than its index at least.
        let from = self.asked.last().map_or(0, |ask| ask.index + 2);
        self.all.range((from, 0)..).next().map(|((min_len, _), (_, hash))| (*min_len, *hash))
    }

    /// A peer is asked.
    pub fn ask(&mut self, ask: Ask) {
        self.asked.insert(ask);
    }

    /// Nobody is asked any more.
    pub fn release(&mut self, ask: Ask) {
        self.asked.remove(&ask);
        self.is_new |= self.open().is_some_and(|(len, _)| len <= ask.index.saturating_add(1));
    }

    /// True if somebody has to be looked for; it is said once.
    pub fn take_new(&mut self) -> bool {
        std::mem::take(&mut self.is_new)
    }

    /// Those whose length is reached, in the order in which they were asked: length and id.
    pub fn take_met(&mut self, len: u64) -> Vec<(u64, WaitId)> {
        let mut met = Vec::new();
        while let Some(first) = self.all.first_entry().filter(|first| first.key().0 <= len) {
            let ((min_len, order), (id, _)) = first.remove_entry();
            met.push((order, min_len, id));
        }
        met.sort_unstable();
        met.into_iter().map(|(_, min_len, id)| (min_len, id)).collect()
    }
}
