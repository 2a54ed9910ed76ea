//! Lists: single blocks that are being downloaded.
//!
//! ```text
//! list 3   9 2 5 0         left: 2       lists of    0: 3    2: 3    5: 3, 4    7: 4    9: 3
//! list 4   5 7             left: 2       missing     0 5 7
//! ```
//! A block that arrives finds its lists, in whatever order it comes; what a list lacks is offered to
//! all peers in the list's order (see `offers`). A block that the program clears has been downloaded
//! all the same.
//!
//! Invariant: every block of a list that has begun is either missing or held, and `left` is the
//! number of a list's blocks that are missing.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use rustc_hash::FxHashMap;

use super::blocks::Blocks;
use super::types::{Looks, WaitId};
use super::windows::WINDOW;
use crate::log::bitfield::Bitfield;

/// See the file's head.
#[derive(Default)]
pub(super) struct Lists {
    all: BTreeMap<u64, List>,
    members: Members,
    missing: Blocks,
    held: Blocks,
    /// Those that were not compared with the log yet.
    new: BTreeSet<u64>,
    met: Vec<u64>,
    waited_for: usize,
}

/// The lists of each block.
#[derive(Default)]
struct Members {
    /// One of each.
    first: FxHashMap<u64, u64>,
    /// Block and list, where there are several.
    others: BTreeSet<(u64, u64)>,
}

impl Members {
    /// False if the block is in this list already.
    fn insert(&mut self, block: u64, list: u64) -> bool {
        match self.first.entry(block) {
            Entry::Vacant(first) => {
                first.insert(list);
                true
            }
            Entry::Occupied(first) => *first.get() != list && self.others.insert((block, list)),
        }
    }

    /// True if the block is in no list any more.
    fn remove(&mut self, block: u64, list: u64) -> bool {
        if self.others.remove(&(block, list)) || self.first.get(&block) != Some(&list) {
            return false;
        }
        let next = self.others_of(block).next();
        match next {
            Some(next) => {
                self.others.remove(&(block, next));
                self.first.insert(block, next);
            }
            None => drop(self.first.remove(&block)),
        }
        next.is_none()
    }

    /// The block is in no other list any more.
    fn keep_only(&mut self, block: u64, list: u64) {
        let others: Vec<u64> = self.of(block).filter(|other| *other != list).collect();
        others.into_iter().for_each(|other| _ = self.remove(block, other));
    }

    fn of(&self, block: u64) -> impl Iterator<Item = u64> {
        self.first.get(&block).copied().into_iter().chain(self.others_of(block))
    }

    fn others_of(&self, block: u64) -> impl Iterator<Item = u64> {
        self.others.range((block, 0)..=(block, u64::MAX)).map(|(_, list)| *list)
    }
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
            (self.members, self.missing, self.held) = Default::default();
            return Some(list);
        }
        for block in &list.blocks {
            if self.members.remove(*block, number) && !self.missing.remove(*block) {
                self.held.remove(*block);
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
                if !self.members.insert(*block, number) {
                    continue;
                }
                if !self.missing.contains(*block) && bitfield.get(*block) {
                    self.held.insert(*block);
                    continue;
                }
                if self.held.remove(*block) {
                    // The program has cleared it: those who have had it do not wait for it again.
                    self.members.keep_only(*block, number);
                }
                self.missing.insert(*block);
                list.left += 1;
                missing.push(*block);
            }
            if list.left == 0 {
                self.met.push(number);
            }
        }
        missing
    }

    /// True if some list lacks a block.
    pub fn wants(&self, block: u64, looks: &Looks) -> bool {
        looks.count();
        self.missing.contains(block)
    }

    /// Blocks came.
    pub fn arrived(&mut self, start: u64, end: u64, looks: &Looks) {
        while let Some(block) = self.missing.next(start).filter(|block| *block < end) {
            self.missing.remove(block);
            self.held.insert(block);
            for number in self.members.of(block) {
                looks.count();
                let Some(list) = self.all.get_mut(&number) else { continue };
                list.left -= 1;
                if list.left == 0 {
                    self.met.push(number);
                }
            }
        }
    }

    /// Blocks were lost; gives those that lists lack now.
    pub fn lost(&mut self, start: u64, end: u64, looks: &Looks) -> Vec<u64> {
        let mut missing = Vec::new();
        while let Some(block) = self.held.next(start).filter(|block| *block < end) {
            self.held.remove(block);
            self.missing.insert(block);
            missing.push(block);
            for number in self.members.of(block) {
                looks.count();
                if let Some(list) = self.all.get_mut(&number) {
                    list.left += 1;
                }
            }
        }
        missing
    }

    /// The lists that are over.
    pub fn take_met(&mut self) -> Vec<u64> {
        let mut met = std::mem::take(&mut self.met);
        met.retain(|number| self.all.get(number).is_some_and(|list| list.left == 0));
        met
    }
}
