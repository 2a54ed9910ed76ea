//! Time: requests that wait too long.
//!
//! ```text
//! 0 --- overdue ---------------- 20 s             after a request was sent
//!       (`patience`):            lost: this peer may be asked again
//!       others are asked         silence: nothing came for so long, the stream ends (`timeout`)
//! refused three times: pardoned within 2 s
//! ```
//! Invariant: only peers whose time has come are looked at, or all of which something was asked when
//! less time is left to them; a peer of which nothing was asked has none.

use super::patience;
use super::replicator::Replicator;
use super::requests::Expected;
use super::types::{Output, PeerId};

impl Replicator {
    /// An answer took so many milliseconds. Those who have not answered yet are measured by it.
    pub(super) fn note_time(&mut self, took: u64) {
        self.patience.note(took);
        let overdue = self.patience.overdue().unwrap_or(patience::MOST);
        if overdue <= self.expected.overdue / 2 {
            self.expect(Expected { overdue, ..self.expected });
        } else if overdue / 2 >= self.expected.overdue {
            // Who was asked already is looked at too early; that does no harm.
            self.expected.overdue = overdue;
        }
    }

    /// What is expected of peers has changed: those who were asked for something are told.
    pub(super) fn expect(&mut self, expected: Expected) {
        self.expected = expected;
        for id in self.index.due(u64::MAX) {
            self.looks.count();
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.requests.expect(expected);
                self.refile(id);
            }
        }
    }

    /// When [`Replicator::tick`] has something to do next, in milliseconds; None while nothing is
    /// in flight. It can be in the past.
    pub fn next_due(&self) -> Option<u64> {
        self.index.next_due()
    }

    /// Requests that were not answered in time may be made to others; the peer keeps its turn, but
    /// not for ever. `now` is in milliseconds. To be followed by [`Replicator::settle`].
    pub fn tick(&mut self, now: u64) {
        for id in self.index.due(now) {
            self.looks.count();
            self.tick_peer(now, id);
        }
    }

    fn tick_peer(&mut self, now: u64, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let pardoned = peer.requests.pardon(now);
        if peer.requests.is_too_silent(now, peer.options.timeout) {
            self.outputs.push_back(Output::TimedOut(id));
        }
        let late = peer.requests.take_late(now);
        let lost = peer.requests.take_lost(now);
        for ask in pardoned.iter().chain(&lost) {
            peer.seen.refresh(ask.index, ask.index + 1);
        }
        peer.requests.note_time(now);
        peer.requests.note_silence(now);
        for ask in late {
            if self.asks.holder(ask) == Some(id) {
                self.release(ask);
            }
        }
        lost.into_iter().for_each(|ask| self.give_up(id, ask));
        self.mark(id);
    }
}
