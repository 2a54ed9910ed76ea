//! Settle: the next requests, to those peers that may be given something.
//!
//! ```text
//! dirty peers                    blocks that somebody waits for, lengths, seeks, then lists, then ranges
//! something new is wanted   ->   peers with room, one after the other, until it is asked for
//! new windows               ->   all peers that may be asked: each has to be told
//! ```
//! Requests are decided on here only, so that what a round of messages and calls has brought is
//! seen together.
//!
//! Invariant: after it no peer with room lacks a request that it could be sent; and a block is
//! asked of one peer at a time, unless its answer is overdue (see `patience`).
//! Source: hypercore@9.12.0 lib/replicate.js `_update`.

use std::ops::Bound;

use super::peer::Peer;
use super::replicator::Replicator;
use super::types::{Local, Output, PeerId, Pick};
use super::view::View;
use crate::log::tree;
use crate::math::flat::BlockIndex;
use crate::wire::Message;

impl Replicator {
    /// Looks at what has changed: answers who can be answered, asks whom there is to ask, ends what
    /// is over. Called once a round, after the round's answers were kept. `now` is in milliseconds.
    pub fn settle(&mut self, now: u64, local: Local<'_>) {
        self.resolve(local);
        while let Some(id) = self.index.dirty.pop_first() {
            self.look_at(now, local, id);
        }
        self.ask_about_windows();
        self.look_for_lengths(now, local);
        self.look_for_others(now, local);
        self.end_if_complete(local);
    }

    fn resolve(&mut self, local: Local<'_>) {
        if local.len > self.settled.len {
            self.waits.spans.grew(local.len);
            self.settled.len = local.len;
        }
        let met = self.waits.take_met(local, &self.looks);
        self.outputs.extend(met.into_iter().map(Output::Resolved));
    }

    fn look_at(&mut self, now: u64, local: Local<'_>, id: PeerId) {
        self.looks.count();
        while let Some(pick) = self.pick(local, id) {
            self.request(now, local, id, pick);
        }
        self.send_wants(id);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.requests.note_time(now);
        }
        self.refile(id);
    }

    /// There is something new to hear about: every peer is asked for it.
    fn ask_about_windows(&mut self) {
        let next = self.waits.windows.next();
        if next == self.settled.windows && !self.settled.has_long {
            return;
        }
        let ids: Vec<PeerId> = self.index.askable.iter().copied().collect();
        for id in ids {
            self.looks.count();
            if let Some(peer) = self.peers.get_mut(&id).filter(|_| self.settled.has_long) {
                peer.wants.look_again();
            }
            self.send_wants(id);
            self.refile(id);
        }
        (self.settled.windows, self.settled.has_long) = (next, false);
    }

    /// The longest peers come first.
    fn look_for_lengths(&mut self, now: u64, local: Local<'_>) {
        if !self.waits.updates.take_new() {
            return;
        }
        let mut before = (u64::MAX, PeerId(u64::MAX));
        while let Some((len, _)) = self.waits.updates.open() {
            let Some(peer) = self.index.longest(len, before) else { return };
            self.look_at(now, local, peer.1);
            before = peer;
        }
    }

    /// What is new is offered to the peers with room until it is taken, or all have seen it.
    fn look_for_others(&mut self, now: u64, local: Local<'_>) {
        let mut last = Bound::Unbounded;
        while self.has_new(local)
            && let Some(place) = self.index.room.range((last, Bound::Unbounded)).next().copied()
        {
            self.look_at(now, local, place.1);
            last = Bound::Excluded(place);
        }
        self.settled.wanted = self.waits.wanted.next();
        self.settled.listed = self.waits.listed.next();
        self.settled.seeks = self.waits.seeks.next();
        self.settled.spans = self.waits.next;
    }

    fn has_new(&self, local: Local<'_>) -> bool {
        let (waits, settled) = (&self.waits, &self.settled);
        let is_free = |start, end| {
            self.looks.count();
            self.is_free(local, start, end)
        };
        waits.wanted.has_since(settled.wanted)
            || waits.listed.has_since(settled.listed)
            || waits.seeks.has_since(settled.seeks)
            || waits.spans.has_since(settled.spans, self.remote_len(), is_free)
    }

    /// True if a block of `start..end` is missing and nobody was asked for it; None if that takes
    /// too long to say.
    fn is_free(&self, local: Local<'_>, start: u64, end: u64) -> Option<bool> {
        let mut at = start;
        for _ in 0..super::spans::PATIENCE {
            let Some(missing) = local.bitfield.next_unset(at, end) else { return Some(false) };
            let cleared = &self.waits.cleared;
            if cleared.get(missing) {
                at = cleared.next_absent(missing);
            } else if let Some(free) = self.asks.end_of_run(missing) {
                at = free;
            } else {
                return Some(true);
            }
        }
        None
    }

    fn pick(&mut self, local: Local<'_>, id: PeerId) -> Option<Pick> {
        let is_shared = self.peers.len() > 1;
        let Self { peers, waits, asks, looks, .. } = self;
        let peer = peers.get_mut(&id).filter(|peer| peer.can_ask())?;
        let Peer { remote, requests, seen, options, .. } = peer;
        let (haves, remote_len, seed) = (&remote.haves, remote.len, options.seed);
        let view = View { local, haves, remote_len, seed, requests, asks, looks, is_shared };
        let whole = |ask| Pick { ask, bytes: 0, is_urgent: true };
        if !requests.has_room(true) {
            return None;
        }
        let urgent = waits.pick_wanted(&mut seen.gets, &view).or_else(|| waits.pick_update(&view)).map(whole);
        let urgent = urgent.or_else(|| waits.pick_seek(&mut seen.seeks, &view));
        if urgent.is_some() || !requests.has_room(false) {
            return urgent;
        }
        let listed = waits.pick_listed(&mut seen.listed, &view);
        let bulk = listed.or_else(|| waits.pick_span(&mut seen.spans, &view))?;
        Some(Pick { ask: bulk, bytes: 0, is_urgent: false })
    }

    fn request(&mut self, now: u64, local: Local<'_>, id: PeerId, pick: Pick) {
        let Pick { ask, bytes, .. } = pick;
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.requests.expect(self.expected);
        peer.requests.push(pick, now);
        self.asks.insert(ask, id);
        let nodes = if self.is_cautious { 0 } else { tree::digest(local.bitfield, BlockIndex(ask.index)) };
        let request = Message::Request { index: ask.index, bytes, hash: ask.hash, nodes };
        self.outputs.push_back(Output::Send(id, request));
    }
}
