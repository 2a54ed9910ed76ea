//! Waits: everything that somebody waits for, and how it is found by its id, its blocks and its
//! length.
//!
//! ```text
//! id -> get (block) | update (length) | seek | selection: a span or a list          what of it is asked of anybody:
//! block -> gets, lists, spans, seeks        length -> updates, spans, seeks         gets' and lists' offers, open seeks, ...
//! ```
//! Invariant: what has an id is in `ids` as long as it waits. A get's block is held by the asks or
//! offered.

use rustc_hash::FxHashMap;

use super::gets::Gets;
use super::lists::Lists;
use super::offers::{Glance, Offers, Verdict};
use super::peer::Peer;
use super::seeks::{SeekGlance, Seeks};
use super::spans::{Progress, Span, Spans};
use super::types::{Ask, Local, Looks, Pick, Range, SeekWait, UpdateWait, WaitId};
use super::updates::Updates;
use super::view::View;
use super::windows::{self, WINDOW, Windows};
use crate::log::haves::Haves;
use crate::math::flat::BlockIndex;

/// What an id stands for, and where it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Get { block: u64, order: u64 },
    Update { min_len: u64, order: u64 },
    Seek,
    Selection(u64),
}

/// See the file's head.
pub(super) struct Waits {
    pub ids: FxHashMap<WaitId, Place>,
    pub gets: Gets,
    pub updates: Updates,
    pub seeks: Seeks,
    pub spans: Spans,
    pub lists: Lists,
    /// Blocks of gets that nobody was asked for.
    pub wanted: Offers,
    /// Blocks of lists, and of spans that a peer failed to deliver.
    pub listed: Offers,
    pub windows: Windows,
    /// Blocks that the program cleared, and nobody has asked for since. Far out, and in many
    /// pieces, they are forgotten.
    pub cleared: Haves,
    /// The number of the next span or list.
    pub next: u64,
}

impl Default for Waits {
    fn default() -> Self {
        let mut windows = Windows::default();
        // Always: it is what most logs have.
        windows.insert(0);
        Self {
            ids: FxHashMap::default(),
            gets: Gets::default(),
            updates: Updates::default(),
            seeks: Seeks::default(),
            spans: Spans::default(),
            lists: Lists::default(),
            wanted: Offers::default(),
            listed: Offers::default(),
            windows,
            cleared: Haves::default(),
            next: 0,
        }
    }
}

impl Waits {
    /// A get. True if it is the first for its block.
    pub fn get(&mut self, id: WaitId, block: u64) -> bool {
        let (order, is_first) = self.gets.insert(id, block);
        self.ids.insert(id, Place::Get { block, order });
        if is_first {
            self.windows.insert(block / WINDOW);
        }
        is_first
    }

    /// An update.
    pub fn update(&mut self, id: WaitId, wait: UpdateWait) {
        let order = self.updates.insert(id, wait);
        self.ids.insert(id, Place::Update { min_len: wait.min_len, order });
        self.windows.insert(wait.min_len.saturating_sub(1) / WINDOW);
    }

    /// A seek. True if it is one of many windows.
    pub fn seek(&mut self, id: WaitId, wait: SeekWait) -> bool {
        self.remove_seek(id);
        self.ids.insert(id, Place::Seek);
        let windows = windows::short(wait.start, wait.end.unwrap_or(u64::MAX));
        let is_long = windows.is_none();
        self.seeks.insert(id, wait, is_long);
        windows.into_iter().flatten().for_each(|window| self.windows.insert(window));
        is_long
    }

    /// A download. True if it is one of many windows.
    pub fn select(&mut self, id: Option<WaitId>, range: Range) -> bool {
        let number = self.next;
        self.next += 1;
        if let Some(id) = id {
            self.ids.insert(id, Place::Selection(number));
        }
        match range {
            Range::Blocks(blocks) => {
                blocks.iter().for_each(|block| self.cleared.remove(*block));
                let windows = self.lists.insert(number, id, blocks);
                windows.into_iter().for_each(|window| self.windows.insert(window));
                false
            }
            Range::Span { start, end, linear, hash } => {
                let end = end.unwrap_or(u64::MAX);
                self.cleared.remove_range(start, end);
                self.insert_span(number, Span { id, start, end, linear, hash, floor: start }, false)
            }
        }
    }

    /// The ranges of many windows, as blocks.
    pub fn long(&self) -> impl Iterator<Item = (u64, u64)> {
        self.spans.long().chain(self.seeks.long())
    }

    /// Everything, unless it is being downloaded already. True if it was not.
    pub fn select_everything(&mut self) -> bool {
        if self.spans.has_automatic() {
            return false;
        }
        let (start, end) = (0, u64::MAX);
        self.next += 1;
        self.insert_span(self.next - 1, Span { id: None, start, end, linear: false, hash: false, floor: 0 }, true)
    }

    fn insert_span(&mut self, number: u64, span: Span, is_automatic: bool) -> bool {
        let windows = windows::short(span.start, span.end);
        let is_long = windows.is_none();
        windows.into_iter().flatten().for_each(|window| self.windows.insert(window));
        self.spans.insert(number, span, is_automatic, is_long);
        is_long
    }

    /// Takes out what an id stands for. A get's block is given if nobody else waits for it.
    pub fn remove(&mut self, id: WaitId, looks: &Looks) -> Option<(Place, Option<u64>)> {
        let place = self.ids.remove(&id)?;
        let mut forgotten = None;
        match place {
            Place::Get { block, order } => {
                if self.gets.remove(block, order) {
                    self.windows.remove(block / WINDOW);
                    forgotten = Some(block);
                }
            }
            Place::Update { min_len, order } => {
                self.updates.remove(min_len, order);
                self.windows.remove(min_len.saturating_sub(1) / WINDOW);
            }
            Place::Seek => self.remove_seek(id),
            Place::Selection(number) => drop(self.remove_selection(number, looks)),
        }
        Some((place, forgotten))
    }

    /// Takes out a seek.
    pub fn remove_seek(&mut self, id: WaitId) {
        let Some(wait) = self.seeks.wait(id) else { return };
        self.ids.remove(&id);
        self.seeks.remove(id);
        let windows = windows::short(wait.start, wait.end.unwrap_or(u64::MAX));
        windows.into_iter().flatten().for_each(|window| self.windows.remove(window));
    }

    /// Takes out a span or a list; gives its id.
    pub fn remove_selection(&mut self, number: u64, looks: &Looks) -> Option<WaitId> {
        let id = if let Some(span) = self.spans.remove(number) {
            let windows = windows::short(span.start, span.end);
            windows.into_iter().flatten().for_each(|window| self.windows.remove(window));
            span.id
        } else {
            let list = self.lists.remove(number)?;
            list.windows.iter().for_each(|window| self.windows.remove(*window));
            if !self.listed.is_empty() {
                self.forget_offers(&list.blocks, looks);
            }
            list.id
        };
        if let Some(id) = id {
            self.ids.remove(&id);
        }
        id
    }

    fn forget_offers(&mut self, blocks: &[u64], looks: &Looks) {
        for ask in blocks.iter().map(|block| Ask::block(*block)) {
            if !self.selects(ask, looks) {
                self.listed.remove(ask);
            }
        }
    }

    /// Takes out the gets of `start..end`: block and id, in the order in which they were asked for
    /// each block.
    pub fn take_gets(&mut self, start: u64, end: u64) -> Vec<(u64, WaitId)> {
        let taken = self.gets.take(start, end);
        for (_, id) in &taken {
            self.ids.remove(id);
        }
        for blocks in taken.chunk_by(|a, b| a.0 == b.0) {
            if let Some((block, _)) = blocks.first() {
                self.windows.remove(block / WINDOW);
                self.wanted.remove(Ask::block(*block));
            }
        }
        taken
    }

    /// What the program has cleared may come back.
    pub fn forget_cleared(&mut self) {
        let cleared = std::mem::take(&mut self.cleared);
        if let (Some(first), Some(last)) = (cleared.next(0), cleared.last()) {
            self.spans.lost(first, last + 1);
        }
    }

    /// True if a download asks for this.
    pub fn selects(&self, ask: Ask, looks: &Looks) -> bool {
        selects(&self.lists, &self.spans, &self.cleared, ask, looks)
    }

    /// The next block of a list, or of a span that somebody failed to deliver, for a peer.
    pub fn pick_listed(&mut self, glance: &mut Glance, view: &View<'_>) -> Option<Ask> {
        let Self { listed, lists, spans, cleared, .. } = self;
        let bitfield = view.local.bitfield;
        let is_held = |ask: Ask| match ask.hash {
            true => bitfield.has_node(BlockIndex(ask.index).leaf()),
            false => bitfield.get(ask.index),
        };
        listed.pick(glance, view.haves, view.looks, |ask| match view.verdict(ask) {
            Verdict::Take if is_held(ask) || !selects(lists, spans, cleared, ask, view.looks) => Verdict::Drop,
            verdict => verdict,
        })
    }

    /// The next block that somebody waits for.
    pub fn pick_wanted(&mut self, glance: &mut Glance, view: &View<'_>) -> Option<Ask> {
        self.wanted.pick(glance, view.haves, view.looks, |ask| view.verdict(ask))
    }

    /// The next length, told by the last block if the peer has it: its proof tells the whole
    /// length.
    pub fn pick_update(&mut self, view: &View<'_>) -> Option<Ask> {
        let (len, hash) = self.updates.open()?;
        let first = len.saturating_sub(1);
        let last = view.remote_len.checked_sub(1).filter(|last| *last >= first && view.haves.get(*last));
        let index = last.or_else(|| view.haves.next(first))?;
        let ask = Ask { index, hash };
        matches!(view.verdict(ask), Verdict::Take).then(|| self.updates.ask(ask))?;
        Some(ask)
    }

    /// The next seek.
    pub fn pick_seek(&mut self, glance: &mut SeekGlance, view: &View<'_>) -> Option<Pick> {
        self.seeks.pick(glance, view)
    }

    /// The next block of a span.
    pub fn pick_span(&mut self, progress: &mut Progress, view: &View<'_>) -> Option<Ask> {
        self.spans.pick(progress, view, &self.cleared)
    }

    /// A peer that has nothing has seen everything: what it is going to tell is new.
    pub fn skip_if_empty(&self, peer: &mut Peer) {
        if !peer.remote.haves.is_empty() {
            return;
        }
        let seen = &mut peer.seen;
        (seen.gets.seen, seen.listed.seen) = (self.wanted.next(), self.listed.next());
        (seen.seeks.seen, seen.spans.number) = (self.seeks.next(), self.next);
    }

    /// True if a download has somebody who waits for its end.
    pub fn has_downloads(&self) -> bool {
        self.spans.is_waited_for() || self.lists.is_waited_for()
    }

    /// True if anything is being downloaded.
    pub fn has_selections(&self) -> bool {
        !self.spans.is_empty() || !self.lists.is_empty()
    }

    /// Takes out the updates and downloads that the log as it is now satisfies, in their order.
    pub fn take_met(&mut self, local: Local<'_>, looks: &Looks) -> Vec<WaitId> {
        let updates = self.updates.take_met(local.len);
        for (min_len, id) in &updates {
            self.ids.remove(id);
            self.windows.remove(min_len.saturating_sub(1) / WINDOW);
        }
        let missing = self.lists.begin(local.bitfield, looks);
        missing.into_iter().for_each(|block| self.listed.insert(Ask::block(block)));
        let mut numbers = self.spans.advance(local, &self.cleared, looks);
        numbers.extend(self.lists.take_met());
        numbers.sort_unstable();
        let mut met: Vec<WaitId> = updates.into_iter().map(|(_, id)| id).collect();
        met.extend(numbers.into_iter().filter_map(|number| self.remove_selection(number, looks)));
        met
    }
}

/// True if a list or a span asks for this.
fn selects(lists: &Lists, spans: &Spans, cleared: &Haves, ask: Ask, looks: &Looks) -> bool {
    if ask.hash {
        return spans.wants(ask, looks);
    }
    lists.wants(ask.index, looks) || !cleared.get(ask.index) && spans.wants(ask, looks)
}
