//! Time: requests that wait too long.
//!
//! ```text
//! 0 -------- 2 s ---------------- 20 s            after a request was sent
//!            late: another peer   lost: this peer may be asked again
//!            may be asked         silence: nothing came for so long, the stream ends (`timeout`)
//! refused three times: pardoned within 2 s
//! ```
//! Invariant: only peers whose time has come are looked at; a peer of which nothing was asked has
//! none.

use super::replicator::Replicator;
use super::types::{Output, PeerId};

impl Replicator {
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
        for ask in late {
            if self.asks.holder(ask) == Some(id) {
                self.release(ask);
            }
        }
        lost.into_iter().for_each(|ask| self.give_up(id, ask));
        self.mark(id);
    }
}
