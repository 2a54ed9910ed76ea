//! Waiting: gets, updates, seeks and downloads that need a peer.

use std::collections::{BTreeMap, BTreeSet};

use super::schedule::next_candidate;
use super::wants::WINDOW;
use super::{Ask, Local, Output, PeerId, Replicator, WaitId};
use crate::math::flat::BlockIndex;
use crate::wire::Message;

/// A wait for the log to reach a length.
#[derive(Clone, Copy, Debug)]
pub struct UpdateWait {
    /// The length to reach, in blocks.
    pub min_len: u64,
    /// Ask for a hash, not for a block.
    pub hash: bool,
}

/// A wait for the block that holds a byte.
#[derive(Clone, Copy, Debug)]
pub struct SeekWait {
    /// The byte, from the start of the log.
    pub bytes: u64,
    /// First block that can hold it.
    pub start: u64,
    /// One past the last; None if it is open.
    pub end: Option<u64>,
    /// Ask for hashes, not for blocks.
    pub hash: bool,
}

/// Blocks to download.
#[derive(Clone, Debug)]
pub enum Range {
    /// From `start` to `end`, or for ever.
    Span {
        /// First block.
        start: u64,
        /// One past the last; None for ever.
        end: Option<u64>,
        /// In order, from the start.
        linear: bool,
        /// Only their hashes.
        hash: bool,
    },
    /// These.
    Blocks(Vec<u64>),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Update {
    pub id: WaitId,
    pub wait: UpdateWait,
    pub asked: Option<(PeerId, u64)>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Seek {
    pub id: WaitId,
    pub wait: SeekWait,
    pub asked: Option<(PeerId, u64)>,
}

#[derive(Clone, Debug)]
pub(super) struct Selection {
    /// None for the one that a feed that is not sparse makes by itself.
    pub id: Option<WaitId>,
    /// Unique among the selections of this feed.
    pub number: u64,
    pub range: Range,
    /// All before this is held: a block, or a place in the list.
    pub floor: u64,
    /// The windows of wants that the blocks of a list lie in.
    windows: BTreeSet<u64>,
}

/// Everything that waits; see the file's head.
#[derive(Default)]
pub(super) struct Waiting {
    pub gets: BTreeMap<u64, Vec<WaitId>>,
    /// The blocks of `gets` that no peer was asked for.
    pub unassigned: BTreeSet<u64>,
    pub updates: Vec<Update>,
    pub seeks: Vec<Seek>,
    pub selections: Vec<Selection>,
    next_number: u64,
}

impl Waiting {
    pub fn download_everything(&mut self) {
        if self.selections.iter().all(|selection| selection.id.is_some()) {
            self.select(None, Range::Span { start: 0, end: None, linear: false, hash: false });
        }
    }

    fn select(&mut self, id: Option<WaitId>, range: Range) {
        let (floor, windows) = match &range {
            Range::Span { start, .. } => (*start, BTreeSet::new()),
            Range::Blocks(blocks) => (0, blocks.iter().map(|block| block / WINDOW).collect()),
        };
        self.selections.push(Selection { id, number: self.next_number, range, floor, windows });
        self.next_number += 1;
    }

    /// A block may be asked for again.
    pub fn unassign(&mut self, block: u64) {
        if self.gets.contains_key(&block) {
            self.unassigned.insert(block);
        }
    }

    /// Nobody is asked for `block` any more: updates and seeks that waited for it may ask again.
    pub fn ask_again(&mut self, block: u64) {
        for asked in self.asks().filter(|asked| asked.is_some_and(|(_, index)| index == block)) {
            *asked = None;
        }
    }

    pub fn forget_peer(&mut self, peer: PeerId) {
        for asked in self.asks().filter(|asked| asked.is_some_and(|(holder, _)| holder == peer)) {
            *asked = None;
        }
    }

    fn asks(&mut self) -> impl Iterator<Item = &mut Option<(PeerId, u64)>> {
        let updates = self.updates.iter_mut().map(|update| &mut update.asked);
        updates.chain(self.seeks.iter_mut().map(|seek| &mut seek.asked))
    }

    /// Blocks were cleared: ranges that were satisfied may not be any more.
    pub fn reopen(&mut self) {
        for selection in &mut self.selections {
            selection.floor = match selection.range {
                Range::Span { start, .. } => start,
                Range::Blocks(_) => 0,
            };
        }
    }

    /// The windows that somebody waits for, as far as the remote's length goes.
    pub fn windows(&self, remote_len: u64) -> impl Iterator<Item = u64> {
        let mut next = 0;
        let gets = std::iter::from_fn(move || {
            let window = self.gets.range(next..).next()?.0 / WINDOW;
            next = (window + 1).saturating_mul(WINDOW);
            Some(window)
        });
        let updates = self.updates.iter().map(|update| update.wait.min_len.saturating_sub(1) / WINDOW);
        let spans = self.seeks.iter().map(|seek| (seek.wait.start, seek.wait.end)).chain(
            self.selections.iter().filter_map(|selection| match selection.range {
                Range::Span { end, .. } => Some((selection.floor, end)),
                Range::Blocks(_) => None,
            }),
        );
        let spans = spans.flat_map(|(start, end)| {
            let end = end.unwrap_or(remote_len).min(remote_len);
            (start / WINDOW..end.div_ceil(WINDOW)).take(32)
        });
        let lists = self.selections.iter().flat_map(|selection| selection.windows.iter().copied());
        let windows: BTreeSet<u64> = gets.chain(updates).chain(spans).chain(lists).collect();
        windows.into_iter()
    }
}

impl Replicator {
    /// Waits for a block that is not held.
    pub fn wait_block(&mut self, id: WaitId, block: u64) {
        let waiting = self.waiting.gets.entry(block).or_default();
        waiting.push(id);
        let is_asked = self.reserved.contains_key(&Ask { index: block, hash: false });
        if !is_asked {
            self.waiting.unassigned.insert(block);
        }
    }

    /// Waits for a length.
    pub fn wait_update(&mut self, id: WaitId, wait: UpdateWait) {
        self.waiting.updates.push(Update { id, wait, asked: None });
    }

    /// Waits for the block that holds a byte.
    pub fn wait_seek(&mut self, id: WaitId, wait: SeekWait) {
        self.waiting.seeks.push(Seek { id, wait, asked: None });
    }

    /// Downloads a range; without an id nobody waits for its end.
    pub fn select(&mut self, id: Option<WaitId>, range: Range) {
        self.waiting.select(id, range);
    }

    /// True if some peer can help a seek along, or if nothing is known of it any more.
    pub fn is_seek_available(&self, local: Local<'_>, id: WaitId) -> bool {
        let seek = self.waiting.seeks.iter().find(|seek| seek.id == id);
        seek.is_none_or(|seek| self.can_help(local, seek.wait))
    }

    /// True if some peer has blocks that can help a seek along, or was asked for them.
    pub fn can_help(&self, local: Local<'_>, wait: SeekWait) -> bool {
        let end = wait.end.unwrap_or(u64::MAX);
        self.peers.values().any(|peer| {
            peer.inflight.iter().any(|inflight| inflight.bytes == wait.bytes)
                || next_candidate(peer, local, wait.start, end, true, |_| true).is_some()
        })
    }

    /// Downloads no longer everything.
    pub fn stop(&mut self) {
        let selections = &mut self.waiting.selections;
        let ended: Vec<u64> =
            selections.extract_if(.., |selection| selection.id.is_none()).map(|ended| ended.number).collect();
        self.forget_cursors(&ended);
    }

    /// Gives up one that waits. True if it was here.
    pub fn cancel(&mut self, id: WaitId) -> bool {
        let waiting = &mut self.waiting;
        let before = waiting.updates.len() + waiting.seeks.len() + waiting.selections.len();
        waiting.updates.retain(|update| update.id != id);
        waiting.seeks.retain(|seek| seek.id != id);
        let ended: Vec<u64> =
            waiting.selections.extract_if(.., |selection| selection.id == Some(id)).map(|ended| ended.number).collect();
        let after = waiting.updates.len() + waiting.seeks.len() + waiting.selections.len();
        self.forget_cursors(&ended);
        before != after || self.cancel_get(id)
    }

    fn cancel_get(&mut self, id: WaitId) -> bool {
        let waiting = &mut self.waiting;
        let block = waiting.gets.iter().find(|(_, ids)| ids.contains(&id)).map(|(block, _)| *block);
        let Some(block) = block else { return false };
        let is_last = waiting.gets.get_mut(&block).is_some_and(|ids| {
            ids.retain(|other| *other != id);
            ids.is_empty()
        });
        if is_last {
            waiting.gets.remove(&block);
            self.forget_block(block);
        }
        true
    }

    /// Nobody waits for a block any more: unless a selection wants it, the peer that was asked is told.
    fn forget_block(&mut self, block: u64) {
        self.waiting.unassigned.remove(&block);
        let ask = Ask { index: block, hash: false };
        if self.waiting.selections.iter().any(|selection| selection.wants(block)) {
            return;
        }
        let asked: Vec<PeerId> =
            self.peers.iter_mut().filter_map(|(id, peer)| peer.unask(ask).then_some(*id)).collect();
        for id in asked {
            self.release(ask);
            let cancel = Message::Cancel { index: block, bytes: 0, hash: false };
            self.outputs.push_back(Output::Send(id, cancel));
        }
    }

    /// Gives up all gets, and all seeks, inside `start..end`; says which they were.
    pub fn cancel_range(&mut self, start: u64, end: u64) -> Vec<WaitId> {
        let mut cancelled = Vec::new();
        let blocks: Vec<u64> = self.waiting.gets.range(start..end).map(|(block, _)| *block).collect();
        for block in blocks {
            cancelled.extend(self.waiting.gets.remove(&block).into_iter().flatten());
            self.forget_block(block);
        }
        self.waiting.seeks.retain(|seek| {
            let inside = start <= seek.wait.start && seek.wait.end.is_some_and(|last| last <= end);
            if inside {
                cancelled.push(seek.id);
            }
            !inside
        });
        cancelled
    }

    /// Everything that waits, to be told that the feed is closed.
    pub fn cancel_all(&mut self) -> Vec<WaitId> {
        let waiting = std::mem::take(&mut self.waiting);
        let mut ids: Vec<WaitId> = waiting.gets.into_values().flatten().collect();
        ids.extend(waiting.updates.iter().map(|update| update.id));
        ids.extend(waiting.seeks.iter().map(|seek| seek.id));
        ids.extend(waiting.selections.iter().filter_map(|selection| selection.id));
        ids.sort_unstable();
        ids
    }

    /// A block is held now.
    pub fn arrived(&mut self, block: u64) {
        self.waiting.unassigned.remove(&block);
        for id in self.waiting.gets.remove(&block).into_iter().flatten() {
            self.outputs.push_back(Output::Resolved(id));
        }
    }

    /// Answers what the log as it is now satisfies.
    pub(super) fn resolve(&mut self, local: Local<'_>) {
        let outputs = &mut self.outputs;
        self.waiting.updates.retain(|update| {
            let is_met = local.len >= update.wait.min_len;
            if is_met {
                outputs.push_back(Output::Resolved(update.id));
            }
            !is_met
        });
        let mut ended = Vec::new();
        self.waiting.selections.retain_mut(|selection| {
            let Some(id) = selection.id else { return true };
            let is_met = selection.is_met(local);
            if is_met {
                outputs.push_back(Output::Resolved(id));
                ended.push(selection.number);
            }
            !is_met
        });
        self.forget_cursors(&ended);
    }

    /// Selections are over: peers need not remember where they were.
    fn forget_cursors(&mut self, selections: &[u64]) {
        for number in selections {
            for peer in self.peers.values_mut() {
                peer.cursors.remove(number);
            }
        }
    }

    /// The tree has grown: every seek looks again.
    pub fn tree_grew(&mut self) {
        for seek in self.waiting.seeks.drain(..) {
            self.outputs.push_back(Output::SeekAgain(seek.id));
        }
    }
}

impl Selection {
    fn wants(&self, block: u64) -> bool {
        match &self.range {
            Range::Blocks(blocks) => blocks.contains(&block),
            Range::Span { start, end, hash, .. } => !hash && *start <= block && end.is_none_or(|end| block < end),
        }
    }

    fn is_met(&mut self, local: Local<'_>) -> bool {
        match &self.range {
            Range::Blocks(blocks) => {
                let rest = blocks.get(place(self.floor)..).unwrap_or_default();
                let missing = (self.floor..).zip(rest).find(|(_, block)| !local.bitfield.get(**block));
                self.floor = missing.map_or(u64::MAX, |(place, _)| place);
                missing.is_none()
            }
            Range::Span { end: None, .. } => false,
            Range::Span { start, end: Some(end), hash: true, .. } => {
                local.len >= *end && (*start..*end).all(|block| local.bitfield.has_node(BlockIndex(block).leaf()))
            }
            Range::Span { end: Some(end), .. } => {
                self.floor = local.bitfield.next_unset(self.floor, *end).unwrap_or(*end);
                self.floor >= *end && local.len >= *end
            }
        }
    }
}

/// A place in a list.
pub(super) fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
