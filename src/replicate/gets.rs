//! Gets: who waits for which block.
//!
//! ```text
//! block 3: get 7, get 9      block 8: get 8        in the order in which they were asked, block by block
//! ```
//! Invariant: a block is in here as long as somebody waits for it.

use std::collections::BTreeMap;

use super::types::WaitId;

/// See the file's head.
#[derive(Default)]
pub(super) struct Gets {
    /// By block and by the order in which they were asked.
    all: BTreeMap<(u64, u64), WaitId>,
    next: u64,
}

impl Gets {
    /// True if somebody waits for a block.
    pub fn contains(&self, block: u64) -> bool {
        self.all.range((block, 0)..=(block, u64::MAX)).next().is_some()
    }

    /// One more waits for a block; gives its order. True if it is the first.
    pub fn insert(&mut self, id: WaitId, block: u64) -> (u64, bool) {
        let is_first = !self.contains(block);
        self.all.insert((block, self.next), id);
        self.next += 1;
        (self.next - 1, is_first)
    }

    /// One does not wait any more. True if it was the last.
    pub fn remove(&mut self, block: u64, order: u64) -> bool {
        self.all.remove(&(block, order)).is_some() && !self.contains(block)
    }

    /// All who wait for blocks of `start..end`.
    pub fn take(&mut self, start: u64, end: u64) -> Vec<(u64, WaitId)> {
        let mut taken = Vec::new();
        while let Some((&(block, order), &id)) = self.all.range((start, 0)..(end, 0)).next() {
            self.all.remove(&(block, order));
            taken.push((block, id));
        }
        taken
    }
}
