//! Lists: single blocks that are being downloaded.
//!
//! ```text
//! list 3   9 2 5 0         left: 2       by place   0: list 3, missing    2: list 3, held    5: list 3, list 4 ...
//! list 4   5 7             left: 2
//! ```
//! A block that arrives finds its lists by its place, in whatever order it comes; what a list lacks
//! is offered to all peers in the list's order (see `offers`). A block that the program clears has
//! been downloaded all the same.
//!
//! Invariant: `left` is the number of a list's places that are missing.

use std::collections::{BTreeMap, BTreeSet};

use super::types::{Looks, WaitId};
use super::windows::WINDOW;
use crate::log::bitfield::Bitfield;

/// See the file's head.
#[derive(Default)]
pub(super) struct Lists {
    all: BTreeMap<u64, List>,
    /// Block and list; true if it is missing.
    places: BTreeMap<(u64, u64), bool>,
    /// Those that were not compared with the log yet.
    new: BTreeSet<u64>,
    met: Vec<u64>,
    waited_for: usize,
}

/// One list.
pub(super) struct List {
    pub id: Option<WaitId>,
    pub blocks: Vec<u64>,
    pub windows: BTreeSet<u64>,
    left: usize,
}

impl Lists {
    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// True if somebody waits for one.
    pub fn is_waited_for(&self) -> bool {
        self.waited_for > 0
    }

    /// Adds a list; gives its windows.
    pub fn insert(&mut self, number: u64, id: Option<WaitId>, blocks: Vec<u64>) -> Vec<u64> {
        let windows: BTreeSet<u64> = blocks.iter().map(|block| block / WINDOW).collect();
        let interest = windows.iter().copied().collect();
        self.waited_for += usize::from(id.is_some());
        self.new.insert(number);
        self.all.insert(number, List { id, blocks, windows, left: 0 });
        interest
    }

    /// Removes a list.
    pub fn remove(&mut self, number: u64) -> Option<List> {
        let list = self.all.remove(&number)?;
        self.new.remove(&number);
        self.waited_for -= usize::from(list.id.is_some());
        if self.all.is_empty() {
            self.places.clear();
        } else {
            for block in &list.blocks {
                self.places.remove(&(*block, number));
            }
        }
        Some(list)
    }

    /// The numbers of those that nobody waits for.
    pub fn nobodys(&self) -> Vec<u64> {
        self.all.iter().filter(|(_, list)| list.id.is_none()).map(|(number, _)| *number).collect()
    }

    /// Compares new lists with the log; gives what they lack, in their order.
    pub fn begin(&mut self, bitfield: &Bitfield, looks: &Looks) -> Vec<u64> {
        let mut missing = Vec::new();
        while let Some(number) = self.new.pop_first() {
            let Some(list) = self.all.get_mut(&number) else { continue };
            for block in &list.blocks {
                looks.count();
                let is_missing = !bitfield.get(*block);
                if self.places.insert((*block, number), is_missing).is_none() && is_missing {
                    list.left += 1;
                    missing.push(*block);
                }
            }
            if list.left == 0 {
                self.met.push(number);
            }
        }
        missing
    }

    /// True if some list lacks a block.
    pub fn wants(&self, block: u64, looks: &Looks) -> bool {
        self.places.range((block, 0)..=(block, u64::MAX)).any(|(_, is_missing)| {
            looks.count();
            *is_missing
        })
    }

    /// Blocks came.
    pub fn arrived(&mut self, start: u64, end: u64, looks: &Looks) {
        for ((_, number), is_missing) in self.places.range_mut((start, 0)..(end, 0)) {
            looks.count();
            let Some(list) = self.all.get_mut(number).filter(|_| *is_missing) else { continue };
            *is_missing = false;
            list.left -= 1;
            if list.left == 0 {
                self.met.push(*number);
            }
        }
    }

    /// Blocks were lost; gives those that lists lack now.
    pub fn lost(&mut self, start: u64, end: u64, looks: &Looks) -> Vec<u64> {
        let mut missing = Vec::new();
        for ((block, number), is_missing) in self.places.range_mut((start, 0)..(end, 0)) {
            looks.count();
            let Some(list) = self.all.get_mut(number).filter(|_| !*is_missing) else { continue };
            *is_missing = true;
            list.left += 1;
            missing.push(*block);
        }
        missing.dedup();
        missing
    }

    /// The lists that are over.
    pub fn take_met(&mut self) -> Vec<u64> {
        let mut met = std::mem::take(&mut self.met);
        met.retain(|number| self.all.get(number).is_some_and(|list| list.left == 0));
        met
    }
}
