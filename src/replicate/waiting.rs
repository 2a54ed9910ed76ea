//! Waiting: what the feed's owner asks for, gives up, and has.
//!
//! ```text
//! wait_block, wait_update, wait_seek, select -> waits -> cancel, cancel_range
//!                          arrived, cleared, lost -> waits -> the gets that are answered
//! ```
//! Invariant: the cost of each is that of what it is about: a get's does not depend on other gets,
//! a block's not on those who do not wait for it.

use super::peer::Peer;
use super::replicator::Replicator;
use super::types::{Ask, Local, Output, PeerId, Range, SeekWait, UpdateWait, WaitId};
use super::view::can_help;
use super::waits::Place;
use crate::wire::Message;

impl Replicator {
    /// Waits for a block that is not held.
    pub fn wait_block(&mut self, id: WaitId, block: u64) {
        self.looks.count();
        let ask = Ask::block(block);
        if self.waits.get(id, block) && self.asks.holder(ask).is_none() {
            self.waits.wanted.insert(ask);
        }
    }

    /// Waits for a length.
    pub fn wait_update(&mut self, id: WaitId, wait: UpdateWait) {
        self.looks.count();
        self.waits.update(id, wait);
    }

    /// Waits for the block that holds a byte.
    pub fn wait_seek(&mut self, id: WaitId, wait: SeekWait) {
        self.looks.count();
        self.settled.has_long |= self.waits.seek(id, wait);
    }

    /// Downloads a range; without an id nobody waits for its end. What was cleared in it comes
    /// back.
    pub fn select(&mut self, id: Option<WaitId>, range: Range) {
        self.looks.count();
        self.settled.has_long |= self.waits.select(id, range);
    }

    /// True if some peer can help a seek along, or if nothing is known of it any more.
    pub fn is_seek_available(&self, local: Local<'_>, id: WaitId) -> bool {
        self.waits.seeks.wait(id).is_none_or(|wait| self.can_help(local, wait))
    }

    /// True if some peer has blocks that can help a seek along, or was asked for them.
    pub fn can_help(&self, local: Local<'_>, wait: SeekWait) -> bool {
        let range = wait.start..wait.end.unwrap_or(u64::MAX);
        self.peers
            .values()
            .any(|peer| peer.requests.has_bytes(wait.bytes) || can_help(&peer.remote.haves, local, range.clone()))
    }

    /// Downloads no longer everything, nor anything else that nobody waits for.
    pub fn stop(&mut self) {
        let numbers = self.waits.spans.nobodys().into_iter().chain(self.waits.lists.nobodys());
        for number in numbers {
            self.waits.remove_selection(number, &self.looks);
        }
    }

    /// Gives up one that waits. True if it was here.
    pub fn cancel(&mut self, id: WaitId) -> bool {
        self.looks.count();
        let removed = self.waits.remove(id, &self.looks);
        if let Some((Place::Get { .. }, Some(block))) = removed {
            self.forget_block(block);
        }
        removed.is_some()
    }

    /// Nobody waits for a block any more: unless a download wants it, the peers that were asked are
    /// told.
    fn forget_block(&mut self, block: u64) {
        let ask = Ask::block(block);
        self.waits.wanted.remove(ask);
        if self.waits.selects(ask, &self.looks) {
            if self.asks.holder(ask).is_none() {
                self.waits.listed.renew(ask);
            }
            return;
        }
        let askers = self.asks.take_askers(ask);
        askers.into_iter().for_each(|id| self.take_back(id, ask));
    }

    /// Nobody needs this answer of a peer any more.
    pub(super) fn take_back(&mut self, id: PeerId, ask: Ask) {
        self.looks.count();
        let is_taken = |peer: &mut Peer| !peer.requests.is_probe(ask) && peer.requests.take_back(ask);
        if self.peers.get_mut(&id).is_some_and(is_taken) {
            let cancel = Message::Cancel { index: ask.index, bytes: 0, hash: ask.hash };
            self.outputs.push_back(Output::Send(id, cancel));
            self.give_up(id, ask);
            self.mark(id);
        }
    }

    /// Gives up all gets, and all seeks, inside `start..end`; says which they were.
    pub fn cancel_range(&mut self, start: u64, end: u64) -> Vec<WaitId> {
        let gets = self.waits.take_gets(start, end);
        for blocks in gets.chunk_by(|a, b| a.0 == b.0) {
            blocks.first().into_iter().for_each(|(block, _)| self.forget_block(*block));
        }
        let mut cancelled: Vec<WaitId> = gets.into_iter().map(|(_, id)| id).collect();
        for id in self.waits.seeks.within(start, end) {
            self.waits.remove_seek(id);
            cancelled.push(id);
        }
        cancelled
    }

    /// Everything that waits, to be told that the feed is closed; nothing is downloaded any more.
    pub fn cancel_all(&mut self) -> Vec<WaitId> {
        self.stop();
        let mut ids: Vec<WaitId> = self.waits.ids.keys().copied().collect();
        ids.sort_unstable();
        for id in &ids {
            self.waits.remove(*id, &self.looks);
        }
        self.waits.wanted.remove_range(0, u64::MAX);
        ids
    }

    /// A block is held now; gives the gets that waited for it, in the order in which they were
    /// asked.
    pub fn arrived(&mut self, block: u64) -> Vec<WaitId> {
        self.arrived_range(block, block.saturating_add(1)).into_iter().map(|(_, id)| id).collect()
    }

    /// The blocks `start..end` are held now; gives the gets that waited for them, block by block.
    /// Costs as much as there are waits for them, however many blocks there are.
    pub fn arrived_range(&mut self, start: u64, end: u64) -> Vec<(u64, WaitId)> {
        self.looks.count();
        self.waits.lists.arrived(start, end, &self.looks);
        self.waits.spans.arrived(start, end, false);
        self.waits.spans.arrived(start, end, true);
        self.waits.listed.remove_range(start, end);
        self.waits.cleared.remove_range(start, end);
        let seeks = self.waits.seeks.meeting(start, end);
        self.seek_again(seeks);
        self.waits.take_gets(start, end)
    }

    /// The program has cleared `start..end`, where it held the runs `held`: start and one past the
    /// end of each. Peers are told, and what was held does not come back by itself.
    pub fn cleared(&mut self, start: u64, end: u64, held: &[(u64, u64)]) {
        for (start, end) in held {
            self.asks.lose(*start, *end);
            if !self.waits.spans.is_empty() {
                self.waits.cleared.insert_range(*start, *end);
            }
        }
        self.unannounce(start, end.saturating_sub(start));
    }

    /// The blocks `start..end` are broken, or gone: peers are told, and what was to be downloaded
    /// is fetched again.
    pub fn lost(&mut self, start: u64, end: u64) {
        self.unannounce(start, end.saturating_sub(start));
        self.waits.cleared.remove_range(start, end);
        self.asks.lose(start, end);
        let missing = self.waits.lists.lost(start, end, &self.looks);
        missing.into_iter().for_each(|block| self.waits.listed.insert(Ask::block(block)));
        if self.waits.spans.is_empty() {
            return;
        }
        self.waits.spans.lost(start, end);
        let ids: Vec<PeerId> = self.index.askable.iter().copied().collect();
        for id in ids {
            self.looks.count();
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.seen.spans.refresh(start, end);
                self.mark(id);
            }
        }
    }

    /// The log was made shorter: from `old` to `len` blocks.
    pub fn truncated(&mut self, len: u64, old: u64) {
        self.settled.len = self.settled.len.min(len);
        self.lost(len, old);
        // What is sought may be beyond the end now.
        let all = self.waits.seeks.meeting(0, u64::MAX);
        self.seek_again(all);
    }

    /// The log is `byte_len` bytes long now: seeks that looked beyond its end look again.
    pub fn grew(&mut self, byte_len: u64) {
        let reached = self.waits.seeks.reached(byte_len);
        self.seek_again(reached);
    }

    /// Nodes around a block are here that nobody was asked for: seeks that they can help look
    /// again.
    pub fn tree_grew(&mut self, block: u64) {
        let sibling = block ^ 1;
        for leaf in [block, sibling] {
            self.waits.spans.arrived(leaf, leaf.saturating_add(1), true);
        }
        let seeks = self.waits.seeks.meeting(block, block.saturating_add(1));
        self.seek_again(seeks);
    }

    pub(super) fn seek_again(&mut self, seeks: Vec<WaitId>) {
        for id in seeks {
            self.looks.count();
            self.waits.remove_seek(id);
            self.outputs.push_back(Output::SeekAgain(id));
        }
    }
}
