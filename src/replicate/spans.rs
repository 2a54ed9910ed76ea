//! Spans: ranges that are being downloaded, and where each peer is in them.
//!
//! ```text
//! start ---- floor ------------------------------ end (or none)
//!   all held   first that is missing
//!                  ^ peer A: next   ^ scout       ^ peer B, begun elsewhere so that the two do not meet at once
//! ```
//! A peer goes through the spans one after the other, in each from its place to the end and then
//! once more from the floor. When it finds nothing in one it is through with it, and looks there
//! again only at blocks that it tells anew, or that were lost here; blocks that another peer failed
//! to deliver are offered (see `offers`). What the program cleared is not missing, until somebody
//! asks for it.
//!
//! Invariant: a span is found by its number, by the blocks that it covers, and by its floor or,
//! when that is the end, by the length that it waits for.
//! Source: hypercore@9.12.0 lib/replicate.js `_downloadRange`; the scouts and places are ours.

use std::collections::{BTreeMap, BTreeSet};

use super::intervals::Intervals;
use super::types::{Ask, Local, Looks, WaitId};
use super::view::View;
use crate::log::haves::Haves;
use crate::math::flat::BlockIndex;

/// Blocks that are neighbours enough to share most of a proof.
const FAMILY: u64 = 8;
/// How far scouts may be ahead, in blocks.
const STRETCH: u64 = 512;
/// New blocks that are looked at one by one; for more of them the peer begins the span again.
const FEW: u64 = 64;
/// Steps after which a span counts as one that still has something for everybody.
pub(super) const PATIENCE: usize = 16;

/// One range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    /// None for the one that a feed that is not sparse makes by itself.
    pub id: Option<WaitId>,
    /// First block.
    pub start: u64,
    /// One past the last; `u64::MAX` for ever.
    pub end: u64,
    /// In order.
    pub linear: bool,
    /// Only their hashes.
    pub hash: bool,
    /// All before this is held, or cleared.
    pub floor: u64,
}

/// See the file's head.
#[derive(Default)]
pub(super) struct Spans {
    all: BTreeMap<u64, Span>,
    places: Intervals,
    /// By what is asked for, floor, number: of a span that waits for a length, floor and end are
    /// the same.
    floors: BTreeSet<(bool, u64, u64)>,
    /// By the length that they wait for, and number.
    short: BTreeSet<(u64, u64)>,
    /// Those whose floor may have moved.
    touched: BTreeSet<u64>,
    /// Those that have more than a few windows.
    long: BTreeSet<u64>,
    automatic: Option<u64>,
    waited_for: usize,
}

/// A peer's two places in a span: scouts go ahead, the others follow.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    scout: u64,
    next: u64,
}

/// Where a peer is in the spans.
#[derive(Default)]
pub(super) struct Progress {
    /// It is through with those before this one.
    pub number: u64,
    cursor: Option<Cursor>,
    /// Blocks to look at again in those.
    fresh: Option<(u64, u64)>,
}

impl Progress {
    /// Looks again at `start..end`.
    pub fn refresh(&mut self, start: u64, end: u64) {
        self.fresh = Some(self.fresh.map_or((start, end), |(first, last)| (first.min(start), last.max(end))));
    }
}

impl Spans {
    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// True if somebody waits for one.
    pub fn is_waited_for(&self) -> bool {
        self.waited_for > 0
    }

    /// The automatic one's floor; 0 if there is none.
    pub fn automatic_floor(&self) -> u64 {
        self.automatic.and_then(|number| self.all.get(&number)).map_or(0, |span| span.floor)
    }

    /// True if there is an automatic one.
    pub fn has_automatic(&self) -> bool {
        self.automatic.is_some()
    }

    /// Adds a span; one without an id and an end is the automatic one.
    pub fn insert(&mut self, number: u64, span: Span, is_automatic: bool, is_long: bool) {
        self.places.insert(span.start, span.end, number);
        self.floors.insert((span.hash, span.floor, number));
        self.touched.insert(number);
        self.waited_for += usize::from(span.id.is_some());
        if is_automatic {
            self.automatic = Some(number);
        }
        if is_long {
            self.long.insert(number);
        }
        self.all.insert(number, span);
    }

    /// Removes a span.
    pub fn remove(&mut self, number: u64) -> Option<Span> {
        let span = self.all.remove(&number)?;
        self.places.remove(span.start, span.end, number);
        self.floors.remove(&(span.hash, span.floor, number));
        self.short.remove(&(span.end, number));
        self.touched.remove(&number);
        self.long.remove(&number);
        self.waited_for -= usize::from(span.id.is_some());
        self.automatic = self.automatic.filter(|automatic| *automatic != number);
        Some(span)
    }

    /// The numbers of those that nobody waits for.
    pub fn nobodys(&self) -> Vec<u64> {
        self.all.iter().filter(|(_, span)| span.id.is_none()).map(|(number, _)| *number).collect()
    }

    /// Those that have more than a few windows, as missing blocks.
    pub fn long(&self) -> impl Iterator<Item = (u64, u64)> {
        self.long.iter().filter_map(|number| self.all.get(number)).map(|span| (span.floor, span.end))
    }

    /// True if some span covers what is asked for.
    pub fn wants(&self, ask: Ask, looks: &Looks) -> bool {
        self.places.meeting(ask.index, ask.index.saturating_add(1)).any(|number| {
            looks.count();
            self.all.get(&number).is_some_and(|span| span.hash == ask.hash && span.start < span.end)
        })
    }

    /// Blocks, or with `hash` leaves, came: spans that begin there have got on.
    pub fn arrived(&mut self, start: u64, end: u64, hash: bool) {
        let touched = self.floors.range((hash, start, 0)..(hash, end, 0)).map(|(_, _, number)| *number);
        self.touched.extend(touched);
    }

    /// The log has become longer.
    pub fn grew(&mut self, len: u64) {
        self.touched.extend(self.short.range(..=(len, u64::MAX)).map(|(_, number)| *number));
        self.arrived(len.saturating_sub(1), len, true);
    }

    /// Blocks were lost: the spans that cover them begin there again.
    pub fn lost(&mut self, start: u64, end: u64) {
        let numbers: Vec<u64> = self.places.meeting(start, end).collect();
        for number in numbers {
            if let Some(span) = self.all.get(&number) {
                let floor = span.floor.min(span.start.max(start));
                self.set_floor(number, floor);
                self.touched.insert(number);
            }
        }
    }

    fn set_floor(&mut self, number: u64, floor: u64) {
        let Some(span) = self.all.get_mut(&number) else { return };
        self.floors.remove(&(span.hash, span.floor, number));
        span.floor = floor;
        self.floors.insert((span.hash, floor, number));
    }

    /// Moves the floors that may have moved; gives the spans that are over.
    pub fn advance(&mut self, local: Local<'_>, cleared: &Haves, looks: &Looks) -> Vec<u64> {
        let mut met = Vec::new();
        while let Some(number) = self.touched.pop_first() {
            looks.count();
            let Some(span) = self.all.get(&number).copied() else { continue };
            let floor = span.first_missing(local, cleared);
            self.set_floor(number, floor);
            self.short.remove(&(span.end, number));
            if floor >= span.end && local.len >= span.end {
                met.push(number);
            } else if floor >= span.end {
                self.short.insert((span.end, number));
            }
        }
        met
    }

    /// True if one from `number` on lacks a block before `remote_len` that nobody was asked for.
    /// Gives up after a few steps, and says yes.
    pub fn has_since(&self, number: u64, remote_len: u64, free: impl Fn(u64, u64) -> Option<bool>) -> bool {
        let mut spans = self.all.range(number..).take(PATIENCE + 1).enumerate();
        spans.any(|(steps, (_, span))| {
            steps == PATIENCE || span.hash || free(span.floor, span.end.min(remote_len)).unwrap_or(true)
        })
    }

    /// The next block or hash for a peer.
    pub fn pick(&self, progress: &mut Progress, view: &View<'_>, cleared: &Haves) -> Option<Ask> {
        if let Some((start, end)) = progress.fresh {
            if let Some(ask) = self.pick_fresh(progress, view, cleared, (start, end)) {
                return Some(ask);
            }
            progress.fresh = None;
        }
        while let Some((&number, span)) = self.all.range(progress.number..).next() {
            view.looks.count();
            if number != progress.number {
                (progress.number, progress.cursor) = (number, None);
            }
            if let Some(index) = span.next(&mut progress.cursor, view, cleared) {
                return Some(Ask { index, hash: span.hash });
            }
            (progress.number, progress.cursor) = (number + 1, None);
        }
        None
    }

    /// In the spans that the peer is through with. If there is much new in them it begins them
    /// again.
    fn pick_fresh(
        &self,
        progress: &mut Progress,
        view: &View<'_>,
        cleared: &Haves,
        (start, end): (u64, u64),
    ) -> Option<Ask> {
        let is_through = |number: &u64| *number < progress.number;
        let numbers = self.places.meeting(start, end).filter(is_through);
        if end.saturating_sub(start) > FEW {
            if let Some(number) = numbers.min() {
                (progress.number, progress.cursor) = (number, None);
            }
            return None;
        }
        numbers.into_iter().find_map(|number| {
            view.looks.count();
            let span = self.all.get(&number)?;
            let index = view.next(start.max(span.floor), end.min(span.end), span.hash, Some(cleared))?;
            Some(Ask { index, hash: span.hash })
        })
    }
}

impl Span {
    fn first_missing(&self, local: Local<'_>, cleared: &Haves) -> u64 {
        let mut floor = self.floor;
        if self.hash {
            let end = self.end.min(local.len);
            while floor < end && local.bitfield.has_node(BlockIndex(floor).leaf()) {
                floor += 1;
            }
            return floor;
        }
        loop {
            let Some(missing) = local.bitfield.next_unset(floor, self.end) else { return self.end.max(self.start) };
            if !cleared.get(missing) {
                return missing;
            }
            floor = cleared.next_absent(missing);
        }
    }

    /// From this peer's place in the span to the end, then once more from the floor.
    fn next(&self, place: &mut Option<Cursor>, view: &View<'_>, cleared: &Haves) -> Option<u64> {
        let first = if view.is_shared && !self.linear { self.place_for(view) } else { self.floor };
        let mut cursor = place.unwrap_or(Cursor { scout: first, next: first });
        let find = |from, end| view.next(from, end, self.hash, Some(cleared));
        let scout = if self.linear || self.hash { None } else { next_scout(&mut cursor, self.end, find) };
        let index = scout.or_else(|| {
            let next = cursor.next.max(self.floor);
            let index = find(next, self.end).or_else(|| find(self.floor, next.min(self.end)))?;
            cursor.next = index + 1;
            Some(index)
        })?;
        *place = Some(cursor);
        Some(index)
    }

    /// A place between the first missing block and the remote's end, thrown once for each peer.
    fn place_for(&self, view: &View<'_>) -> u64 {
        let room = view.remote_len.saturating_sub(self.floor);
        self.floor + view.seed.checked_rem(room).unwrap_or(0)
    }
}

/// One block of every eight goes ahead, by up to a stretch. Its proof brings the nodes that the
/// other seven share, so that they, asked for when it is here, need about one node each; blocks in
/// plain order, many at a time, would each bring the whole way to the root.
fn next_scout(cursor: &mut Cursor, end: u64, find: impl Fn(u64, u64) -> Option<u64>) -> Option<u64> {
    let limit = ((cursor.next / STRETCH + 2) * STRETCH).min(end);
    let mut at = cursor.scout.max(cursor.next).next_multiple_of(FAMILY);
    while at < limit {
        at = find(at, limit).unwrap_or(limit);
        cursor.scout = at + 1;
        if at.is_multiple_of(FAMILY) && at < limit {
            return Some(at);
        }
        at = at.next_multiple_of(FAMILY);
    }
    None
}
