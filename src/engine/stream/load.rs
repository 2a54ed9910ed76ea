//! Load: what the feeds on a stream have still to do for the remote, and whose turn it is.
//!
//! ```text
//! requests waiting, bytes not stored yet   summed over all channels; too much: nothing more is read
//! turns                                    channels with requests, served one after the other
//! ```
//! All of it is kept as it changes: it costs the same with one channel and with thousands.

use std::collections::VecDeque;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::wire::LocalId;

/// Requests of one stream that may wait, over all its feeds.
const MAX_REQUESTS: usize = 4_096;
/// Bytes of answers, and of blocks that were pushed, that may wait to be stored.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// Channels that are served at a time; each reads at most 128 KiB for it.
const MAX_SERVED: usize = 4;

/// What one feed has to do for one remote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Requests that wait for an answer.
    pub requests: usize,
    /// Bytes that wait to be stored.
    pub bytes: usize,
}

/// The loads of all channels of a stream.
#[derive(Debug, Default)]
pub struct Loads {
    channels: FxHashMap<LocalId, Load>,
    total: Load,
    turns: VecDeque<LocalId>,
    served: FxHashSet<LocalId>,
}

impl Loads {
    /// A channel's load has changed.
    pub fn set(&mut self, local: LocalId, load: Load) {
        let before = match load == Load::default() {
            true => self.channels.remove(&local),
            false => self.channels.insert(local, load),
        };
        let before = before.unwrap_or_default();
        self.total.requests = self.total.requests.saturating_sub(before.requests) + load.requests;
        self.total.bytes = self.total.bytes.saturating_sub(before.bytes) + load.bytes;
    }

    /// True while the remote has to wait.
    pub const fn is_too_much(&self) -> bool {
        self.total.requests > MAX_REQUESTS || self.total.bytes > MAX_BYTES
    }

    /// A channel has requests, and is not being served.
    pub fn asked(&mut self, local: LocalId) {
        self.turns.push_back(local);
    }

    /// The channel whose turn it is.
    pub fn next_turn(&mut self) -> Option<LocalId> {
        if self.served.len() >= MAX_SERVED {
            return None;
        }
        let local = self.turns.pop_front()?;
        self.served.insert(local);
        Some(local)
    }

    /// A channel's turn is over.
    pub fn served(&mut self, local: LocalId) {
        self.served.remove(&local);
    }

    /// A channel is gone. If it still has a turn to come, that finds nobody, and ends at once.
    pub fn remove(&mut self, local: LocalId) {
        self.set(local, Load::default());
        self.served.remove(&local);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_follows_every_channel() {
        let mut loads = Loads::default();
        loads.set(LocalId(0), Load { requests: MAX_REQUESTS, bytes: 0 });
        assert!(!loads.is_too_much());
        loads.set(LocalId(1), Load { requests: 1, bytes: MAX_BYTES });
        assert!(loads.is_too_much());
        loads.set(LocalId(0), Load { requests: 5, bytes: 1 });
        assert!(loads.is_too_much());
        loads.remove(LocalId(1));
        assert_eq!((loads.is_too_much(), loads.total), (false, Load { requests: 5, bytes: 1 }));
    }

    #[test]
    fn channels_are_served_in_turn() {
        let mut loads = Loads::default();
        (0..6).for_each(|local| loads.asked(LocalId(local)));
        let first: Vec<_> = std::iter::from_fn(|| loads.next_turn()).collect();
        assert_eq!(first, [0, 1, 2, 3].map(LocalId));
        loads.served(LocalId(1));
        loads.asked(LocalId(1));
        loads.served(LocalId(0));
        assert_eq!(std::iter::from_fn(|| loads.next_turn()).collect::<Vec<_>>(), [4, 5].map(LocalId));
        loads.served(LocalId(2));
        assert_eq!(loads.next_turn(), Some(LocalId(1)));
    }
}
