//! Requests: what we have asked of one peer.
//!
//! ```text
//! in flight   | late | late | late |  new  |  new  | ...  <- the next       in the order in which they were sent
//!               <--- overdue: others are asked too           as many as the line carries (see `pace`)
//! ```
//! A peer that says that it has lost what it was asked for is asked again when it says that it has
//! it, but not for ever: at the third time not before the next pardon, and one that has lost 4,096
//! different ones is asked for nothing until then.
//!
//! Invariant: what is in flight was asked; the late ones are the first. All of it is bounded by the
//! window and by the refusals, whatever the remote says.
//! Source: hypercore@9.12.0 lib/replicate.js `_request`, `_clear`; the pace and the refusals are
//! ours.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use super::pace::{Line, Sent};
use super::patience::{self, Patience};
use super::types::{Ask, GIVEN_UP_AFTER, Pick};

/// How many requests that somebody waits for may go beyond what the line carries.
const URGENT: usize = 16;
/// A peer that has answered nothing for so many milliseconds is asked for one thing at a time.
const SILENT: u64 = 500;
/// What was refused is asked for again after so many milliseconds.
const PARDON: u64 = 2_000;
/// How often a peer may take back what it said it had.
const MAX_REFUSALS: u32 = 3;
/// How many different ones it may take back; then it is asked for nothing until the next pardon.
const MAX_REFUSED: usize = 4_096;

/// A request of ours that has no answer yet.
#[derive(Clone, Copy, Debug)]
struct Inflight {
    ask: Ask,
    bytes: u64,
    at: u64,
    /// Its part of the line; None where it has none any more.
    sent: Option<Sent>,
    is_urgent: bool,
}

/// What is expected of a peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    /// After how many milliseconds the answers of others are overdue; that counts as long as it has
    /// not answered itself.
    pub overdue: u64,
    /// There are others who could be asked: where there are none, nothing is gained by knowing
    /// early.
    pub is_shared: bool,
}

impl Default for Expected {
    fn default() -> Self {
        Self { overdue: patience::MOST, is_shared: false }
    }
}

/// A request whose answer has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken {
    /// What was asked for; a seek's answer may be of another block.
    pub ask: Ask,
    /// How many milliseconds it took.
    pub took: u64,
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
    /// It has not answered for so long that only a new answer counts.
    is_silent: bool,
    /// How many of them somebody waits for.
    urgent: usize,
    /// A number that is not to change.
    fixed: Option<usize>,
    line: Line,
    /// What an answer weighs in this log, in bytes: the average of the last ones.
    weight: Option<u64>,
    patience: Patience,
    /// What is expected of it.
    expected: Expected,
}

impl Requests {
    /// None yet; at most `fixed` in flight, or as many as the line carries.
    pub fn new(fixed: Option<usize>, line: Line) -> Self {
        Self {
            inflight: VecDeque::new(),
            late: 0,
            asked: FxHashSet::default(),
            refusals: FxHashMap::default(),
            pardon_at: 0,
            silent_since: None,
            is_silent: false,
            urgent: 0,
            fixed,
            line,
            weight: None,
            patience: Patience::default(),
            expected: Expected::default(),
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

    /// True if another request may be sent: as many as the line carries, one at least. Of `urgent`
    /// ones, that somebody waits for, 16 in any case; a peer that has fallen silent is given one of
    /// the others.
    pub fn has_room(&self, urgent: bool) -> bool {
        let len = self.inflight.len();
        let has_room = match self.fixed {
            Some(fixed) => len < fixed,
            None if self.is_silent => false,
            None => self.line.has_room(self.weight),
        };
        let is_allowed = has_room || len == 0 || urgent && self.urgent < URGENT;
        is_allowed && self.refusals.len() < MAX_REFUSED
    }

    /// True if it has not answered for so long that only a new answer counts.
    pub fn is_silent(&self) -> bool {
        self.is_silent
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
    pub fn push(&mut self, pick: Pick, now: u64) {
        let Pick { ask, bytes, is_urgent } = pick;
        self.asked.insert(ask);
        self.urgent += usize::from(is_urgent);
        self.inflight.push_back(Inflight { ask, bytes, at: now, sent: Some(self.line.send(self.weight)), is_urgent });
        self.note_time(now);
    }

    /// If requests wait, and it is not known since when, it is now.
    pub fn note_time(&mut self, now: u64) {
        self.silent_since = if self.inflight.is_empty() { None } else { self.silent_since.or(Some(now)) };
    }

    /// Takes the request that this answer belongs to, a block of so many bytes with its nodes or a
    /// hash; None if nothing like it was asked.
    pub fn take(&mut self, now: u64, ask: Ask, bytes: Option<usize>) -> Option<Taken> {
        let exact = |inflight: &Inflight| inflight.ask == ask;
        let by_bytes = |inflight: &Inflight| inflight.bytes > 0 && inflight.ask.hash == ask.hash;
        let place = self.inflight.iter().position(exact).or_else(|| self.inflight.iter().position(by_bytes))?;
        let taken = self.take_out(place)?;
        let took = now.saturating_sub(taken.at);
        (self.silent_since, self.is_silent) = (None, false);
        self.patience.note(took);
        if let Some(sent) = taken.sent {
            self.line.answered(now, sent, took, bytes);
        }
        if let Some(bytes) = bytes.and_then(|bytes| u64::try_from(bytes).ok()) {
            self.weight = Some(self.weight.map_or(bytes, |weight| (weight * 7 + bytes) / 8));
        }
        Some(Taken { ask: taken.ask, took })
    }

    /// Takes out one that will not be answered.
    fn remove(&mut self, place: usize) -> Option<Ask> {
        let taken = self.take_out(place)?;
        taken.sent.into_iter().for_each(|sent| self.line.give_up(sent));
        Some(taken.ask)
    }

    fn take_out(&mut self, place: usize) -> Option<Inflight> {
        let taken = self.inflight.remove(place)?;
        self.late -= usize::from(place < self.late);
        self.urgent -= usize::from(taken.is_urgent);
        self.asked.remove(&taken.ask);
        Some(taken)
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

    /// True if this is what a peer that has fallen silent was given last: it shows whether it is
    /// still there.
    pub fn is_probe(&self, ask: Ask) -> bool {
        self.is_silent && self.inflight.len() == 1 && self.was_asked(ask)
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
        (self.late, self.urgent) = (0, 0);
        self.leave_line();
        (self.silent_since, self.is_silent) = (None, false);
        self.inflight.drain(..).map(|inflight| inflight.ask).collect()
    }

    /// If it is time: what was refused may be asked for again. Gives what that is.
    pub fn pardon(&mut self, now: u64) -> Vec<Ask> {
        if self.refusals.is_empty() || now < self.pardon_at {
            return Vec::new();
        }
        self.pardon_at = now + PARDON;
        let often = self.refusals.drain().filter(|(_, count)| *count >= MAX_REFUSALS);
        let pardoned: Vec<Ask> = often.map(|(ask, _)| ask).collect();
        for ask in &pardoned {
            self.asked.remove(ask);
        }
        pardoned
    }

    /// What is expected of it has changed.
    pub fn expect(&mut self, expected: Expected) {
        self.expected = expected;
    }

    fn overdue_after(&self) -> u64 {
        match self.expected {
            Expected { is_shared: false, .. } => patience::MOST,
            Expected { overdue, .. } => self.patience.overdue().unwrap_or(overdue),
        }
    }

    /// Those that have become overdue.
    pub fn take_late(&mut self, now: u64) -> Vec<Ask> {
        let overdue = self.overdue_after();
        let is_late = |inflight: &&Inflight| now.saturating_sub(inflight.at) >= overdue;
        let late: Vec<Ask> =
            self.inflight.iter().skip(self.late).take_while(is_late).map(|inflight| inflight.ask).collect();
        self.late += late.len();
        late
    }

    /// If nothing was answered for long, one answer has to come before the peer is asked for more.
    /// Other logs on the line do not wait for that.
    pub fn note_silence(&mut self, now: u64) {
        if !self.is_silent && self.silent_at().is_some_and(|at| at <= now) {
            self.is_silent = true;
            self.leave_line();
        }
    }

    /// What is on its way has no part of the line any more.
    fn leave_line(&mut self) {
        let sent = self.inflight.iter_mut().filter_map(|inflight| inflight.sent.take());
        sent.for_each(|sent| self.line.give_up(sent));
    }

    fn silent_at(&self) -> Option<u64> {
        let since = self.silent_since.filter(|_| !self.inflight.is_empty())?;
        Some(since.saturating_add(self.overdue_after().max(SILENT)))
    }

    /// Those that are taken for lost.
    pub fn take_lost(&mut self, now: u64) -> Vec<Ask> {
        let is_lost = |inflight: &Inflight| now.saturating_sub(inflight.at) >= GIVEN_UP_AFTER;
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
        let late = self.inflight.get(self.late).map(|inflight| inflight.at + self.overdue_after());
        let lost = self.inflight.front().map(|inflight| inflight.at + GIVEN_UP_AFTER);
        let timed_out = self.silent_since.zip(timeout).map(|(since, timeout)| since.saturating_add(timeout));
        let timed_out = timed_out.filter(|_| !self.inflight.is_empty());
        let silent = self.silent_at().filter(|_| !self.is_silent);
        let pardon = (!self.refusals.is_empty()).then_some(self.pardon_at);
        [late, lost, timed_out, silent, pardon].into_iter().flatten().min()
    }
}

impl Drop for Requests {
    fn drop(&mut self) {
        self.leave_line();
    }
}
