//! View: what one peer has that we lack and nobody was asked for.
//!
//! ```text
//! peer     ....xxxxxxxxxxxxxxxx....    haves
//! here     ..xxxxx.................    held: skipped page by page
//! cleared  ..........xx............    given up by the program: skipped as runs
//! asked    ............xxxx........    of anybody: skipped as runs
//!                 ^^^              next candidate
//! ```
//! Invariant: a candidate lies in the range that was asked about, and the peer has it.

use std::ops::Range;

use super::asks::Asks;
use super::offers::Verdict;
use super::requests::Requests;
use super::types::{Ask, Local, Looks};
use crate::log::haves::Haves;
use crate::math::flat::BlockIndex;

/// See the file's head.
pub(super) struct View<'a> {
    pub local: Local<'a>,
    pub haves: &'a Haves,
    pub remote_len: u64,
    pub seed: u64,
    pub requests: &'a Requests,
    pub asks: &'a Asks,
    pub looks: &'a Looks,
    /// Other peers are here too.
    pub is_shared: bool,
}

impl View<'_> {
    /// Whether this peer may be asked.
    pub fn verdict(&self, ask: Ask) -> Verdict {
        if self.requests.was_asked(ask) {
            Verdict::Pass
        } else if self.asks.holder(ask).is_some() {
            Verdict::Drop
        } else {
            Verdict::Take
        }
    }

    /// The first block in `from..end` that may be asked of this peer; `cleared` ones are left out.
    pub fn next(&self, from: u64, end: u64, hash: bool, cleared: Option<&Haves>) -> Option<u64> {
        let cleared = |at| cleared.filter(|cleared| cleared.get(at)).map(|cleared| cleared.next_absent(at));
        let asked = |at| {
            let ask = Ask { index: at, hash };
            let is_asked = self.asks.holder(ask).is_some() || self.requests.was_asked(ask);
            let run = if hash { None } else { self.asks.end_of_run(at) };
            run.or_else(|| is_asked.then_some(at + 1))
        };
        candidate(self.haves, self.local, from..end, hash, |at| {
            self.looks.count();
            cleared(at).or_else(|| asked(at))
        })
    }
}

/// True if there is a block of the range whose leaf we lack.
pub(super) fn can_help(haves: &Haves, local: Local<'_>, range: Range<u64>) -> bool {
    candidate(haves, local, range, true, |_| None).is_some()
}

/// The first block of the range that is had there, not here, and not skipped; `skip` says where to
/// go on.
fn candidate(
    haves: &Haves,
    local: Local<'_>,
    range: Range<u64>,
    hash: bool,
    skip: impl Fn(u64) -> Option<u64>,
) -> Option<u64> {
    let mut at = range.start;
    loop {
        at = haves.next(at).filter(|block| *block < range.end)?;
        if hash && local.bitfield.has_node(BlockIndex(at).leaf()) {
            at += 1;
        } else if !hash && local.bitfield.get(at) {
            at = local.bitfield.next_unset(at, range.end)?;
        } else if let Some(next) = skip(at) {
            at = next;
        } else {
            return Some(at);
        }
    }
}
