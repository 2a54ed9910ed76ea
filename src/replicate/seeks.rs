//! Seeks: who waits for the block that holds a byte.
//!
//! ```text
//! byte 70 is in start..end  --request with bytes-->  more of the tree  ->  look again: found, or in less of it
//! ```
//! A seek asks one peer at a time. It looks again when it was answered, when a node came inside its
//! range, and, if its byte was beyond the log, when the log has grown so far. Like offers, open
//! seeks are looked at once by each peer.
//!
//! Invariant: a seek is open, or asked for something.
//! Source: hypercore@9.12.0 index.js `seek`; lib/replicate.js `_onbytes`.

use std::collections::{BTreeMap, BTreeSet};

use super::intervals::Intervals;
use super::types::{Ask, Pick, SeekWait, WaitId};
use super::view::View;

/// See the file's head.
#[derive(Default)]
pub(super) struct Seeks {
    all: BTreeMap<u64, Seek>,
    ids: BTreeMap<WaitId, u64>,
    places: Intervals,
    /// Those of the open ones, by their order.
    open_places: Intervals,
    /// By first block.
    starts: BTreeSet<(u64, u64)>,
    /// Those that look beyond the log, by their byte.
    beyond: BTreeSet<(u64, u64)>,
    /// Those that nobody was asked for, by the order in which they came up.
    open: BTreeMap<u64, u64>,
    asked: BTreeSet<(Ask, u64)>,
    /// Those of more than a few windows.
    long: BTreeSet<u64>,
    next: u64,
}

#[derive(Clone, Copy, Debug)]
struct Seek {
    id: WaitId,
    wait: SeekWait,
    /// Its place among the open ones, or what it asked for.
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Open(u64),
    Asked(Ask),
}

/// What a peer has seen of the open seeks.
#[derive(Default)]
pub(super) struct SeekGlance {
    /// All before this one.
    pub seen: u64,
    /// Blocks that it told anew.
    fresh: Option<(u64, u64)>,
}

impl SeekGlance {
    /// Looks again at those that may lie in `start..end`.
    pub fn refresh(&mut self, start: u64, end: u64) {
        self.fresh = Some(self.fresh.map_or((start, end), |(first, last)| (first.min(start), last.max(end))));
    }
}

impl Seeks {
    /// The next order; seeks from here on are new.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// True if some seek from `order` on is open.
    pub fn has_since(&self, order: u64) -> bool {
        self.open.range(order..).next().is_some()
    }

    /// What a seek waits for.
    pub fn wait(&self, id: WaitId) -> Option<SeekWait> {
        self.all.get(self.ids.get(&id)?).map(|seek| seek.wait)
    }

    /// Those of more than a few windows, as blocks.
    pub fn long(&self) -> impl Iterator<Item = (u64, u64)> {
        self.long.iter().filter_map(|number| self.all.get(number)).map(|seek| (seek.wait.start, end_of(seek.wait)))
    }

    /// Adds a seek; a long one has more than a few windows.
    pub fn insert(&mut self, id: WaitId, wait: SeekWait, is_long: bool) {
        let (number, end) = (self.next, end_of(wait));
        self.ids.insert(id, number);
        self.places.insert(wait.start, end, number);
        self.starts.insert((wait.start, number));
        if wait.is_beyond {
            self.beyond.insert((wait.bytes, number));
        }
        if is_long {
            self.long.insert(number);
        }
        self.all.insert(number, Seek { id, wait, state: State::Open(number) });
        self.open(number);
    }

    /// Removes a seek. True if it was here.
    pub fn remove(&mut self, id: WaitId) -> bool {
        let Some(number) = self.ids.remove(&id) else { return false };
        self.close(number);
        let Some(seek) = self.all.remove(&number) else { return false };
        let end = end_of(seek.wait);
        self.places.remove(seek.wait.start, end, number);
        self.starts.remove(&(seek.wait.start, number));
        self.beyond.remove(&(seek.wait.bytes, number));
        self.long.remove(&number);
        if let State::Asked(ask) = seek.state {
            self.asked.remove(&(ask, number));
        }
        true
    }

    /// All, in the order in which they were asked, whose range meets `start..end`.
    pub fn meeting(&self, start: u64, end: u64) -> Vec<WaitId> {
        let mut numbers: Vec<u64> = self.places.meeting(start, end).collect();
        numbers.sort_unstable();
        self.ids_of(numbers.into_iter())
    }

    /// All that looked beyond the log and are not beyond so many bytes.
    pub fn reached(&self, byte_len: u64) -> Vec<WaitId> {
        self.ids_of(self.beyond.range(..=(byte_len, u64::MAX)).map(|(_, number)| *number))
    }

    /// All whose range lies in `start..end`.
    pub fn within(&self, start: u64, end: u64) -> Vec<WaitId> {
        let is_within = |number: &u64| self.all.get(number).is_some_and(|seek| end_of(seek.wait) <= end);
        self.ids_of(self.starts.range((start, 0)..(end, 0)).map(|(_, number)| *number).filter(is_within))
    }

    /// All that ask for this.
    pub fn asking(&self, ask: Ask) -> Vec<WaitId> {
        self.ids_of(self.asked.range((ask, 0)..=(ask, u64::MAX)).map(|(_, number)| *number))
    }

    fn ids_of(&self, numbers: impl Iterator<Item = u64>) -> Vec<WaitId> {
        numbers.filter_map(|number| self.all.get(&number)).map(|seek| seek.id).collect()
    }

    /// Nobody is asked for this any more: who waited for the answer is open again.
    pub fn release(&mut self, ask: Ask) {
        while let Some(&(_, number)) = self.asked.range((ask, 0)..=(ask, u64::MAX)).next() {
            self.asked.remove(&(ask, number));
            self.open(number);
        }
    }

    /// The answer to `ask` is about another block: who waits for it waits for that one.
    pub fn rename(&mut self, ask: Ask, other: Ask) {
        while let Some(&(_, number)) = self.asked.range((ask, 0)..=(ask, u64::MAX)).next() {
            self.asked.remove(&(ask, number));
            self.asked.insert((other, number));
            if let Some(seek) = self.all.get_mut(&number) {
                seek.state = State::Asked(other);
            }
        }
    }

    /// The next seek that a peer can help along: in what it told anew, if something free is in
    /// there, then among those that it has not seen.
    pub fn pick(&mut self, glance: &mut SeekGlance, view: &View<'_>) -> Option<Pick> {
        if let Some((start, end)) = glance.fresh.filter(|_| !self.open.is_empty()) {
            let has_free = [true, false].map(|hash| view.next(start, end, hash, None).is_some());
            if has_free.contains(&true) {
                let found = self.open_places.meeting(start, end).find_map(|order| self.find(order, view));
                if let Some(found) = found {
                    return self.ask(found);
                }
            }
        }
        glance.fresh = None;
        loop {
            let (&order, _) = self.open.range(glance.seen..).next()?;
            glance.seen = order + 1;
            if let Some(found) = self.find(order, view) {
                return self.ask(found);
            }
        }
    }

    /// A block of an open seek that may be asked for. A seek that this peer keeps waiting is left
    /// to others.
    fn find(&self, order: u64, view: &View<'_>) -> Option<(u64, Pick)> {
        view.looks.count();
        let number = *self.open.get(&order)?;
        let SeekWait { bytes, start, hash, .. } = self.all.get(&number)?.wait;
        let end = self.all.get(&number).map(|seek| end_of(seek.wait))?;
        if view.requests.has_late_bytes(bytes) {
            return None;
        }
        let index = view.next(start, end, hash, None)?;
        Some((number, Pick { ask: Ask { index, hash }, bytes, is_urgent: true }))
    }

    fn ask(&mut self, (number, pick): (u64, Pick)) -> Option<Pick> {
        self.close(number);
        self.asked.insert((pick.ask, number));
        self.all.get_mut(&number)?.state = State::Asked(pick.ask);
        Some(pick)
    }

    fn open(&mut self, number: u64) {
        let Some(seek) = self.all.get_mut(&number) else { return };
        seek.state = State::Open(self.next);
        self.open.insert(self.next, number);
        self.open_places.insert(seek.wait.start, end_of(seek.wait), self.next);
        self.next += 1;
    }

    fn close(&mut self, number: u64) {
        let Some(Seek { state: State::Open(order), wait, .. }) = self.all.get(&number).copied() else { return };
        self.open.remove(&order);
        self.open_places.remove(wait.start, end_of(wait), order);
    }
}

/// One past the last block that can hold the byte; `u64::MAX` if it is open.
fn end_of(wait: SeekWait) -> u64 {
    wait.end.unwrap_or(u64::MAX)
}
