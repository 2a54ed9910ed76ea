//! Windows: the parts of the log about which we want to hear a peer's haves.
//!
//! ```text
//! window     0 | 1 Mi blocks | 2 Mi ...          a want asks for one, a have with the bits of all of it answers
//! interest   gets, updates, lists, short ranges: counted, in the order in which they came up; window 0 always
//!            long ranges: from their first missing block to the remote's end, looked at when one of the two moves
//! ```
//! A window that nobody is interested in any more stays for a while, so that one get after the
//! other in it does not make every peer be looked at each time.
//!
//! Invariant: at most [`MAX_INFLIGHT`] wants of a peer are unanswered, and long ranges make us want
//! at most [`MAX_WINDOWS`], however long the remote says to be.
//! Source: hypercore@9.12.0 lib/replicate.js `_sendWants`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::types::Looks;

/// Blocks in a window.
pub(super) const WINDOW: u64 = 1024 * 1024;
/// Wants of one peer without an answer.
const MAX_INFLIGHT: u32 = 16;
/// Windows of one peer that long ranges make us want: 1 Gi blocks.
const MAX_WINDOWS: usize = 1_024;
/// Windows that a short range has at most.
const SHORT: u64 = 32;
/// Windows without interest that are kept.
const KEPT: usize = 64;

/// What of this feed is of interest.
#[derive(Default)]
pub(super) struct Windows {
    by_order: BTreeMap<u64, u64>,
    interest: BTreeMap<u64, Interest>,
    idle: VecDeque<u64>,
    next: u64,
}

struct Interest {
    count: u64,
    order: u64,
}

/// What one peer was told of it.
#[derive(Default)]
pub(super) struct Wants {
    /// Wants without an answer.
    pub inflight: u32,
    /// The remote tells everything unasked (Q1).
    pub all: bool,
    sent: BTreeSet<u64>,
    seen: u64,
    /// Windows of long ranges have to be looked at.
    is_due: bool,
    /// Windows up to the remote's end.
    reach: u64,
}

impl Windows {
    /// The next order; what is from here on is new.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Somebody is interested in a window.
    pub fn insert(&mut self, window: u64) {
        let next = self.next;
        let interest = self.interest.entry(window).or_insert(Interest { count: 0, order: next });
        interest.count += 1;
        if interest.order == next {
            self.by_order.insert(next, window);
            self.next += 1;
        }
    }

    /// And not any more.
    pub fn remove(&mut self, window: u64) {
        let Some(interest) = self.interest.get_mut(&window) else { return };
        interest.count = interest.count.saturating_sub(1);
        if interest.count > 0 {
            return;
        }
        self.idle.push_back(window);
        let oldest = if self.idle.len() > KEPT { self.idle.pop_front() } else { None };
        let Some(oldest) = oldest else { return };
        if let Some(interest) = self.interest.get(&oldest).filter(|interest| interest.count == 0) {
            self.by_order.remove(&interest.order);
            self.interest.remove(&oldest);
        }
    }
}

/// The windows of a range, if it is a short one.
pub(super) fn short(start: u64, end: u64) -> Option<std::ops::Range<u64>> {
    let windows = start / WINDOW..end.div_ceil(WINDOW).max(start / WINDOW);
    (windows.end - windows.start <= SHORT).then_some(windows)
}

impl Wants {
    /// Long ranges, or the remote's end, in blocks, have moved.
    pub fn reach_to(&mut self, remote_len: u64) {
        let reach = remote_len.div_ceil(WINDOW);
        self.is_due |= reach > self.reach;
        self.reach = self.reach.max(reach);
    }

    /// There is a new long range.
    pub fn look_again(&mut self) {
        self.is_due = true;
    }

    /// A want is answered. True if one was open.
    pub fn answer(&mut self) -> bool {
        let was_open = self.inflight > 0;
        self.inflight = self.inflight.saturating_sub(1);
        self.is_due |= was_open;
        was_open
    }

    /// True if all that we want to hear was told.
    pub fn is_answered(&self) -> bool {
        self.all || self.inflight == 0
    }

    /// The remote answers nothing any more. Gives how many wants were open.
    pub fn clear(&mut self) -> u32 {
        let wants = std::mem::take(self);
        (self.all, self.is_due, self.reach) = (wants.all, true, wants.reach);
        wants.inflight
    }

    /// The next window to ask about; `long` are the ranges that are not short, as blocks.
    pub fn next(&mut self, windows: &Windows, long: impl Iterator<Item = (u64, u64)>, looks: &Looks) -> Option<u64> {
        if self.all || self.inflight >= MAX_INFLIGHT {
            return None;
        }
        let window = self.next_of_interest(windows, looks).or_else(|| self.next_of_ranges(long, looks))?;
        self.sent.insert(window);
        self.inflight += 1;
        Some(window)
    }

    fn next_of_interest(&mut self, windows: &Windows, looks: &Looks) -> Option<u64> {
        loop {
            let (&order, &window) = windows.by_order.range(self.seen..).next()?;
            looks.count();
            self.seen = order + 1;
            if !self.sent.contains(&window) {
                return Some(window);
            }
        }
    }

    fn next_of_ranges(&mut self, long: impl Iterator<Item = (u64, u64)>, looks: &Looks) -> Option<u64> {
        if !self.is_due || self.sent.len() >= MAX_WINDOWS {
            return None;
        }
        for (start, end) in long {
            looks.count();
            let mut windows = start / WINDOW..end.div_ceil(WINDOW).min(self.reach);
            if let Some(window) = windows.find(|window| !self.sent.contains(window)) {
                return Some(window);
            }
        }
        self.is_due = false;
        None
    }
}
