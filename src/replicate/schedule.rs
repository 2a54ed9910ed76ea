//! Schedule: the next request to a peer, or none.
//!
//! In this order: blocks that somebody waits for, lengths, seeks, then ranges, where each goes on from where it left
//! off. When several peers share a range each begins at a place of its own, so that they do not meet at once.

use super::peer::{Cursor, Inflight, Peer};
use super::waiting::{Range, Selection, place};
use super::{Ask, GIVEN_UP_AFTER, LATE_AFTER, Local, Output, PeerId, Replicator};
use crate::log::tree;
use crate::math::flat::BlockIndex;
use crate::wire::Message;

/// Blocks that are neighbours enough to share most of a proof.
const FAMILY: u64 = 8;
/// How far scouts may be ahead, in blocks.
const STRETCH: u64 = 512;

/// A request about to be made.
#[derive(Clone, Copy, Debug)]
struct Pick {
    ask: Ask,
    bytes: u64,
}

impl Replicator {
    /// Looks at everything once more: answers who can be answered, asks whom there is to ask, ends what is over.
    /// Called once a round, after the round's answers were kept. `now` is in milliseconds.
    pub fn settle(&mut self, now: u64, local: Local<'_>) {
        self.resolve(local);
        let ids: Vec<PeerId> = self.peers.keys().copied().collect();
        for id in ids {
            self.refill(now, local, id);
            self.send_wants(id);
            self.end_if_complete(id, local);
        }
    }

    /// Requests that were not answered in time may be made to others; the peer keeps its turn, but not for ever.
    pub fn tick(&mut self, now: u64) {
        let mut late = Vec::new();
        for (id, peer) in &mut self.peers {
            peer.pardon(now);
            if peer.is_too_silent(now) {
                self.outputs.push_back(Output::TimedOut(*id));
            }
            for inflight in peer.inflight.iter_mut().filter(|inflight| !inflight.is_late) {
                if now.saturating_sub(inflight.sent) >= LATE_AFTER {
                    inflight.is_late = true;
                    late.push(inflight.ask);
                }
            }
            let asked = &mut peer.asked;
            peer.inflight.retain(|inflight| {
                let is_given_up = now.saturating_sub(inflight.sent) >= GIVEN_UP_AFTER;
                if is_given_up {
                    asked.remove(&inflight.ask);
                }
                !is_given_up
            });
        }
        late.into_iter().for_each(|ask| self.release(ask));
    }

    fn refill(&mut self, now: u64, local: Local<'_>, id: PeerId) {
        let Some(mut peer) = self.peers.remove(&id) else { return };
        while peer.can_ask() {
            let pick = if peer.has_room(true) { self.pick_urgent(id, &peer, local) } else { None };
            let pick = match pick {
                None if peer.has_room(false) => self.pick_selected(&mut peer, local),
                pick => pick,
            };
            let Some(pick) = pick else { break };
            self.request(now, local, id, &mut peer, pick);
        }
        self.peers.insert(id, peer);
    }

    fn request(&mut self, now: u64, local: Local<'_>, id: PeerId, peer: &mut Peer, pick: Pick) {
        let Pick { ask, bytes } = pick;
        self.reserved.insert(ask, id);
        peer.asked.insert(ask);
        peer.inflight.push_back(Inflight { ask, bytes, sent: now, is_late: false });
        let nodes = if self.is_cautious { 0 } else { tree::digest(local.bitfield, BlockIndex(ask.index)) };
        let request = Message::Request { index: ask.index, bytes, hash: ask.hash, nodes };
        self.outputs.push_back(Output::Send(id, request));
    }

    fn pick_urgent(&mut self, id: PeerId, peer: &Peer, local: Local<'_>) -> Option<Pick> {
        self.pick_get(peer).or_else(|| self.pick_update(id, peer)).or_else(|| self.pick_seek(id, peer, local))
    }

    /// The first block that somebody waits for, nobody was asked for, and this peer has.
    fn pick_get(&mut self, peer: &Peer) -> Option<Pick> {
        let mut from = 0;
        loop {
            let wanted = *self.waiting.unassigned.range(from..).next()?;
            let had = peer.haves.next(wanted)?;
            let ask = Ask { index: wanted, hash: false };
            if had == wanted && !peer.asked.contains(&ask) && !self.reserved.contains_key(&ask) {
                self.waiting.unassigned.remove(&wanted);
                return Some(Pick { ask, bytes: 0 });
            }
            from = had.max(wanted + 1);
        }
    }

    fn pick_update(&mut self, id: PeerId, peer: &Peer) -> Option<Pick> {
        let asked = self.waiting.updates.iter().filter_map(|update| update.asked).map(|(_, index)| index).max();
        let update = self.waiting.updates.iter_mut().find(|update| {
            update.asked.is_none() && asked.is_none_or(|index| index < update.wait.min_len.saturating_sub(1))
        })?;
        let first = update.wait.min_len.saturating_sub(1);
        // The last block's proof tells the whole length.
        let last = peer.remote_len.checked_sub(1).filter(|last| *last >= first && peer.haves.get(*last));
        let index = last.or_else(|| peer.haves.next(first))?;
        let ask = Ask { index, hash: update.wait.hash };
        if peer.asked.contains(&ask) || self.reserved.contains_key(&ask) {
            return None;
        }
        update.asked = Some((id, index));
        Some(Pick { ask, bytes: 0 })
    }

    fn pick_seek(&mut self, id: PeerId, peer: &Peer, local: Local<'_>) -> Option<Pick> {
        let reserved = &self.reserved;
        let is_tried = |bytes| peer.inflight.iter().any(|inflight| inflight.is_late && inflight.bytes == bytes);
        let mut seeks = self.waiting.seeks.iter_mut();
        seeks.find_map(|seek| {
            if seek.asked.is_some() || is_tried(seek.wait.bytes) {
                return None;
            }
            let end = seek.wait.end.unwrap_or(u64::MAX);
            let is_free = |ask: &Ask| !reserved.contains_key(ask) && !peer.asked.contains(ask);
            let index = next_candidate(peer, local, seek.wait.start, end, seek.wait.hash, is_free)?;
            seek.asked = Some((id, index));
            Some(Pick { ask: Ask { index, hash: seek.wait.hash }, bytes: seek.wait.bytes })
        })
    }

    fn pick_selected(&mut self, peer: &mut Peer, local: Local<'_>) -> Option<Pick> {
        let is_shared = !self.peers.is_empty();
        let reserved = &self.reserved;
        self.waiting.selections.iter_mut().find_map(|selection| {
            let is_reserved = |ask: &Ask| reserved.contains_key(ask);
            let ask = match &selection.range {
                Range::Blocks(blocks) => selection.next_in_list(blocks, peer, local, is_reserved),
                Range::Span { .. } => selection.next_in_span(peer, local, is_shared, is_reserved),
            };
            ask.map(|ask| Pick { ask, bytes: 0 })
        })
    }
}

impl Selection {
    /// From this peer's place in the span to the end, then once more from the start.
    fn next_in_span(
        &mut self,
        peer: &mut Peer,
        local: Local<'_>,
        is_shared: bool,
        is_reserved: impl Fn(&Ask) -> bool,
    ) -> Option<Ask> {
        let Range::Span { end, linear, hash, .. } = self.range else { return None };
        let end = end.unwrap_or(u64::MAX);
        if !hash {
            self.floor = local.bitfield.next_unset(self.floor, end)?;
        }
        let first = if is_shared && !linear { self.place_for(peer) } else { self.floor };
        let mut cursor = peer.cursors.get(&self.number).copied().unwrap_or(Cursor { scout: first, next: first });
        let is_free = |ask: &Ask| !is_reserved(ask) && !peer.asked.contains(ask);
        let mut index = None;
        if !linear && !hash {
            index = next_scout(peer, local, &mut cursor, end, is_free);
        }
        if index.is_none() {
            let next = cursor.next.max(self.floor);
            index = next_candidate(peer, local, next, end, hash, is_free)
                .or_else(|| next_candidate(peer, local, self.floor, next, hash, is_free));
            cursor.next = index? + 1;
        }
        peer.cursors.insert(self.number, cursor);
        index.map(|index| Ask { index, hash })
    }

    /// From this peer's place in the list to its end, then once more from the first that is missing.
    fn next_in_list(
        &self,
        blocks: &[u64],
        peer: &mut Peer,
        local: Local<'_>,
        is_reserved: impl Fn(&Ask) -> bool,
    ) -> Option<Ask> {
        let next = peer.cursors.get(&self.number).map_or(self.floor, |cursor| cursor.next).max(self.floor);
        let is_free = |index: u64| {
            let ask = Ask { index, hash: false };
            let is_wanted = peer.haves.get(index) && !local.bitfield.get(index);
            is_wanted && !is_reserved(&ask) && !peer.asked.contains(&ask)
        };
        let find = |from, to| {
            let part = blocks.get(place(from)..place(to).min(blocks.len())).unwrap_or_default();
            (from..).zip(part).find(|(_, index)| is_free(**index))
        };
        let (at, index) = find(next, u64::MAX).or_else(|| find(self.floor, next))?;
        let ask = Ask { index: *index, hash: false };
        peer.cursors.insert(self.number, Cursor { scout: 0, next: at + 1 });
        Some(ask)
    }

    /// A place between the first missing block and the remote's end, thrown once for each peer.
    fn place_for(&self, peer: &Peer) -> u64 {
        let room = peer.remote_len.saturating_sub(self.floor);
        self.floor + peer.options.seed.checked_rem(room).unwrap_or(0)
    }
}

/// One block of every eight goes ahead, by up to a stretch. Its proof brings the nodes that the other seven share, so
/// that they, asked for when it is here, need about one node each; blocks in plain order, many at a time, would each
/// bring the whole way to the root.
fn next_scout(
    peer: &Peer,
    local: Local<'_>,
    cursor: &mut Cursor,
    end: u64,
    is_free: impl Fn(&Ask) -> bool + Copy,
) -> Option<u64> {
    let limit = ((cursor.next / STRETCH + 2) * STRETCH).min(end);
    let mut at = cursor.scout.max(cursor.next).next_multiple_of(FAMILY);
    while at < limit {
        at = next_candidate(peer, local, at, limit, false, is_free).unwrap_or(limit);
        cursor.scout = at + 1;
        if at.is_multiple_of(FAMILY) && at < limit {
            return Some(at);
        }
        at = at.next_multiple_of(FAMILY);
    }
    None
}

/// The first block in `from..end` that the peer has, we lack, and `is_free` allows.
pub(super) fn next_candidate(
    peer: &Peer,
    local: Local<'_>,
    from: u64,
    end: u64,
    hash: bool,
    is_free: impl Fn(&Ask) -> bool,
) -> Option<u64> {
    let mut at = from;
    loop {
        at = peer.haves.next(at).filter(|block| *block < end)?;
        if hash && local.bitfield.has_node(BlockIndex(at).leaf()) {
            at += 1;
        } else if !hash && local.bitfield.get(at) {
            at = local.bitfield.next_unset(at, end)?;
        } else if is_free(&Ask { index: at, hash }) {
            return Some(at);
        } else {
            at += 1;
        }
    }
}
