//! Requests: what we have asked of one peer.
//!
//! ```text
//! in flight   | late | late | late |  new  |  new  | ...  <- the next       in the order in which they were sent
//!               <--- late: another peer may be asked too    window: how many may be in flight
//! ```
//! A peer that says that it has lost what it was asked for is asked again when it says that it has
//! it, but not for ever: at the third time not before the next pardon, and one that has lost 4,096
//! different ones is asked for nothing until then.
//!
//! Invariant: what is in flight was asked; the late ones are the first. All of it is bounded by the
//! window and by the refusals, whatever the remote says.
//! Source: hypercore@9.12.0 lib/replicate.js `_request`, `_clear`; the window and the refusals are
//! ours.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use super::types::{Ask, GIVEN_UP_AFTER, LATE_AFTER};

/// How many requests a peer may be given at first; stock's fixed number.
const FIRST_WINDOW: usize = 16;
/// And at most.
const MAX_WINDOW: usize = 512;
/// Blocks in flight, in bytes, that the window may reach: enough for 100 MB/s at 40 ms.
const MAX_WINDOW_BYTES: usize = 4 * 1024 * 1024;
/// How often a peer may take back what it said it had.
const MAX_REFUSALS: u32 = 3;
/// How many different ones it may take back; then it is asked for nothing until the next pardon.
const MAX_REFUSED: usize = 4_096;

/// A request of ours that has no answer yet.
#[derive(Clone, Copy, Debug)]
struct Inflight {
    ask: Ask,
    bytes: u64,
    sent: u64,
}

/// See the file's head.
pub(super) struct Requests {
    inflight: VecDeque<Inflight>,
    late: usize,
    /// What is in flight, and what was refused too often.
    asked: FxHashSet<Ask>,
    /// How often it said that it had lost what it was just asked for, since the last pardon.
    refusals: FxHashMap<Ask, u32>,
    pardon_at: u64,
    /// Since when, in milliseconds, requests wait and no answer comes. None when the next look at
    /// the clock is to say.
    silent_since: Option<u64>,
    window: usize,
    is_fixed: bool,
    block_size: usize,
}

impl Requests {
    /// None yet; at most `max` in flight, or as many as the link takes.
    pub fn new(max: Option<usize>) -> Self {
        Self {
            inflight: VecDeque::new(),
            late: 0,
            asked: FxHashSet::default(),
            refusals: FxHashMap::default(),
            pardon_at: 0,
            silent_since: None,
            window: max.unwrap_or(FIRST_WINDOW),
            is_fixed: max.is_some(),
            block_size: 0,
        }
    }

    /// How many have no answer.
    pub fn len(&self) -> usize {
        self.inflight.len()
    }

    /// True if no answer is awaited, and nothing is held back until a pardon.
    pub fn is_settled(&self) -> bool {
        self.asked.is_empty()
    }

    /// True if another request may be sent. `urgent` ones, that somebody waits for, may go 16
    /// beyond the window.
    pub fn has_room(&self, urgent: bool) -> bool {
        let window = self.window + if urgent { FIRST_WINDOW } else { 0 };
        self.inflight.len() < window && self.refusals.len() < MAX_REFUSED
    }

    /// True if it was asked of this peer, or may not be.
    pub fn was_asked(&self, ask: Ask) -> bool {
        self.asked.contains(&ask)
    }

    /// True if a seek for this byte is in flight.
    pub fn has_bytes(&self, bytes: u64) -> bool {
        self.inflight.iter().any(|inflight| inflight.bytes == bytes)
    }

    /// True if one is, and is late.
    pub fn has_late_bytes(&self, bytes: u64) -> bool {
        self.inflight.iter().take(self.late).any(|inflight| inflight.bytes == bytes)
    }

    /// A request is sent.
    pub fn push(&mut self, ask: Ask, bytes: u64, now: u64) {
        self.asked.insert(ask);
        self.inflight.push_back(Inflight { ask, bytes, sent: now });
        self.note_time(now);
    }

    /// If requests wait, and it is not known since when, it is now.
    pub fn note_time(&mut self, now: u64) {
        self.silent_since = if self.inflight.is_empty() { None } else { self.silent_since.or(Some(now)) };
    }

    /// Takes the request that this answer belongs to; None if nothing like it was asked.
    pub fn take(&mut self, ask: Ask) -> Option<Ask> {
        let exact = |inflight: &Inflight| inflight.ask == ask;
        let by_bytes = |inflight: &Inflight| inflight.bytes > 0 && inflight.ask.hash == ask.hash;
        let place = self.inflight.iter().position(exact).or_else(|| self.inflight.iter().position(by_bytes))?;
        let was_full = self.inflight.len() >= self.window;
        let is_late = place < self.late;
        let ask = self.remove(place)?;
        self.silent_since = None;
        if was_full && !is_late {
            self.widen();
        }
        Some(ask)
    }

    fn remove(&mut self, place: usize) -> Option<Ask> {
        let taken = self.inflight.remove(place)?;
        self.late -= usize::from(place < self.late);
        self.asked.remove(&taken.ask);
        Some(taken.ask)
    }

    /// The remote has lost `start..end`: takes back what it was asked for in there. What it loses
    /// again and again it is not asked for until the next pardon.
    pub fn refuse(&mut self, start: u64, end: u64) -> Vec<Ask> {
        let mut lost = Vec::new();
        let mut at = 0;
        while let Some(inflight) = self.inflight.get(at).copied() {
            if !(start..end).contains(&inflight.ask.index) {
                at += 1;
                continue;
            }
            lost.extend(self.remove(at));
            self.silent_since = None;
            let count = self.refusals.entry(inflight.ask).or_default();
            *count += 1;
            if *count >= MAX_REFUSALS {
                self.asked.insert(inflight.ask);
            }
        }
        lost
    }

    /// Takes back a request; an answer that comes all the same was not asked for. False if it was
    /// not made.
    pub fn take_back(&mut self, ask: Ask) -> bool {
        let place = self.inflight.iter().position(|inflight| inflight.ask == ask);
        place.and_then(|place| self.remove(place)).is_some()
    }

    /// The remote answers nothing any more: gives all that it was asked for.
    pub fn clear(&mut self) -> Vec<Ask> {
        self.asked.clear();
        self.refusals.clear();
        self.late = 0;
        self.silent_since = None;
        self.inflight.drain(..).map(|inflight| inflight.ask).collect()
    }

    /// If it is time: what was refused may be asked for again. Gives what that is.
    pub fn pardon(&mut self, now: u64) -> Vec<Ask> {
        if self.refusals.is_empty() || now < self.pardon_at {
            return Vec::new();
        }
        self.pardon_at = now + LATE_AFTER;
        let often = self.refusals.drain().filter(|(_, count)| *count >= MAX_REFUSALS);
        let pardoned: Vec<Ask> = often.map(|(ask, _)| ask).collect();
        for ask in &pardoned {
            self.asked.remove(ask);
        }
        pardoned
    }

    /// Those that have become late.
    pub fn take_late(&mut self, now: u64) -> Vec<Ask> {
        let is_late = |inflight: &&Inflight| now.saturating_sub(inflight.sent) >= LATE_AFTER;
        let late: Vec<Ask> =
            self.inflight.iter().skip(self.late).take_while(is_late).map(|inflight| inflight.ask).collect();
        self.late += late.len();
        late
    }

    /// Those that are taken for lost.
    pub fn take_lost(&mut self, now: u64) -> Vec<Ask> {
        let is_lost = |inflight: &Inflight| now.saturating_sub(inflight.sent) >= GIVEN_UP_AFTER;
        let mut lost = Vec::new();
        while self.inflight.front().is_some_and(is_lost) {
            lost.extend(self.remove(0));
        }
        lost
    }

    /// True if requests have been waiting, and nothing came, for `timeout` milliseconds. It is said
    /// once each time.
    pub fn is_too_silent(&mut self, now: u64, timeout: Option<u64>) -> bool {
        self.note_time(now);
        let (Some(since), Some(timeout)) = (self.silent_since, timeout) else { return false };
        let is_too_silent = now.saturating_sub(since) >= timeout;
        if is_too_silent {
            self.silent_since = Some(now);
        }
        is_too_silent
    }

    /// When there is something to do if no answer comes until then, in milliseconds.
    pub fn due(&self, timeout: Option<u64>) -> Option<u64> {
        let late = self.inflight.get(self.late).map(|inflight| inflight.sent + LATE_AFTER);
        let lost = self.inflight.front().map(|inflight| inflight.sent + GIVEN_UP_AFTER);
        let silent = self.silent_since.zip(timeout).map(|(since, timeout)| since.saturating_add(timeout));
        let silent = silent.filter(|_| !self.inflight.is_empty());
        let pardon = (!self.refusals.is_empty()).then_some(self.pardon_at);
        [late, lost, silent, pardon].into_iter().flatten().min()
    }

    /// Adapts to the size of the blocks that this peer sends, in bytes.
    pub fn note_size(&mut self, size: usize) {
        self.block_size = (self.block_size * 7 + size) / 8;
    }

    /// The link kept all requests busy: allow one more for each answer, which doubles the window
    /// every round trip.
    fn widen(&mut self) {
        let fits = (self.window + 1).saturating_mul(self.block_size) <= MAX_WINDOW_BYTES;
        if !self.is_fixed && self.window < MAX_WINDOW && fits {
            self.window += 1;
        }
    }
}
