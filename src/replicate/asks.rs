//! Asks: who was asked for what, over all peers.
//!
//! ```text
//! ask (block, or its hash)  ->  holder: whose answer is awaited, or being stored     askers: all who were asked
//! taken blocks                  3..19   24..25        asked for or come, so that a search jumps over them
//! ```
//! A peer that is late is no holder any more, so that another can be asked, but stays an asker: its
//! answer is welcome, and whoever is not first is told that nobody needs the block any more.
//!
//! Invariant: an entry has a holder or an asker. A block that is taken has a holder, or is held;
//! far out, and in many pieces, taken blocks may be forgotten.

use rustc_hash::FxHashMap;

use super::types::{Ask, PeerId};
use crate::log::haves::Haves;

/// See the file's head.
#[derive(Default)]
pub(super) struct Asks {
    entries: FxHashMap<Ask, Entry>,
    held: usize,
    taken: Haves,
}

#[derive(Default)]
struct Entry {
    holder: Option<PeerId>,
    askers: Vec<PeerId>,
}

impl Asks {
    /// True if no answer is awaited, and none is being stored.
    pub fn is_quiet(&self) -> bool {
        self.held == 0
    }

    /// The peer whose answer is awaited.
    pub fn holder(&self, ask: Ask) -> Option<PeerId> {
        self.entries.get(&ask)?.holder
    }

    /// One past the last of the blocks from `block` on that are taken; None if `block` is not.
    pub fn end_of_run(&self, block: u64) -> Option<u64> {
        self.taken.get(block).then(|| self.taken.next_absent(block))
    }

    /// A request is sent to a peer.
    pub fn insert(&mut self, ask: Ask, peer: PeerId) {
        self.entries.entry(ask).or_default().askers.push(peer);
        self.hold(ask, peer);
    }

    fn hold(&mut self, ask: Ask, peer: PeerId) {
        if self.entries.entry(ask).or_default().holder.replace(peer).is_none() {
            self.held += 1;
            if !ask.hash {
                self.taken.insert(ask.index);
            }
        }
    }

    /// A peer has answered, or will not any more. It holds the ask until that is released.
    pub fn remove_asker(&mut self, ask: Ask, peer: PeerId) {
        if let Some(entry) = self.entries.get_mut(&ask) {
            entry.askers.retain(|asker| *asker != peer);
        }
        self.forget_if_empty(ask);
    }

    /// A peer has answered: it holds the ask until that is kept, or refused. Gives the others who
    /// were asked, in their order.
    pub fn answer(&mut self, ask: Ask, peer: PeerId) -> Vec<PeerId> {
        let mut others = self.take_askers(ask);
        others.retain(|other| *other != peer);
        self.hold(ask, peer);
        others
    }

    /// Takes out all who were asked, and gives them in their order.
    pub fn take_askers(&mut self, ask: Ask) -> Vec<PeerId> {
        let mut askers = self.entries.get_mut(&ask).map(|entry| std::mem::take(&mut entry.askers)).unwrap_or_default();
        self.forget_if_empty(ask);
        askers.sort_unstable();
        askers
    }

    /// Another peer may be asked.
    pub fn release(&mut self, ask: Ask) {
        if !ask.hash {
            self.taken.remove(ask.index);
        }
        self.finish(ask);
    }

    /// It is here; nobody needs to be asked.
    pub fn finish(&mut self, ask: Ask) {
        let Some(entry) = self.entries.get_mut(&ask) else { return };
        self.held -= usize::from(entry.holder.take().is_some());
        self.forget_if_empty(ask);
    }

    /// The blocks `start..end` are held no more.
    pub fn lose(&mut self, start: u64, end: u64) {
        self.taken.remove_range(start, end);
    }

    fn forget_if_empty(&mut self, ask: Ask) {
        if self.entries.get(&ask).is_some_and(|entry| entry.holder.is_none() && entry.askers.is_empty()) {
            self.entries.remove(&ask);
        }
    }
}
