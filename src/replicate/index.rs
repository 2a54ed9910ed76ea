//! Index: the peers by what they can be needed for, so that nobody walks over all of them for one.
//!
//! ```text
//! peer changes -> file -> dirty                       looked at in the next settling
//!                      -> due 2000: peer 7            looked at when its time has come
//!                      -> room, askable, busy, ...    walked when something new concerns them
//!                      -> lengths                     whose maximum is the remote length
//! ```
//! Invariant: a peer is in each set exactly if what it is filed as says so.

use std::collections::BTreeSet;

use super::types::PeerId;

/// What a peer is filed as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Filed {
    /// The length that it has told, in blocks.
    pub len: u64,
    /// When it has to be looked at, in milliseconds.
    pub due: Option<u64>,
    /// It has blocks, and may be given something urgent; true if it has not answered for long.
    pub room: Option<bool>,
    /// It may be asked.
    pub can_ask: bool,
    /// It may be asked, and more is to come from it by itself.
    pub is_busy: bool,
    /// It ends when all is downloaded.
    pub may_end: bool,
    /// It wants to hear what is new here.
    pub wants: bool,
}

/// See the file's head.
#[derive(Default)]
pub(super) struct Index {
    pub dirty: BTreeSet<PeerId>,
    /// Those that have fallen silent are the last.
    pub room: BTreeSet<(bool, PeerId)>,
    pub askable: BTreeSet<PeerId>,
    pub busy: BTreeSet<PeerId>,
    pub ending: BTreeSet<PeerId>,
    pub wanting: BTreeSet<PeerId>,
    lens: BTreeSet<(u64, PeerId)>,
    due: BTreeSet<(u64, PeerId)>,
    live: usize,
}

impl Index {
    /// A peer comes.
    pub fn add(&mut self, id: PeerId, filed: Filed, is_live: bool) {
        self.live += usize::from(is_live);
        self.lens.insert((filed.len, id));
        self.dirty.insert(id);
    }

    /// A peer goes.
    pub fn remove(&mut self, id: PeerId, filed: Filed, is_live: bool) {
        self.refile(id, filed, Filed { len: filed.len, ..Filed::default() });
        self.lens.remove(&(filed.len, id));
        self.dirty.remove(&id);
        self.live -= usize::from(is_live);
    }

    /// A peer has changed.
    pub fn refile(&mut self, id: PeerId, old: Filed, new: Filed) {
        if old == new {
            return;
        }
        if old.len != new.len {
            self.lens.remove(&(old.len, id));
            self.lens.insert((new.len, id));
        }
        if old.due != new.due {
            old.due.map(|due| self.due.remove(&(due, id)));
            new.due.map(|due| self.due.insert((due, id)));
        }
        if old.room != new.room {
            old.room.map(|is_silent| self.room.remove(&(is_silent, id)));
            new.room.map(|is_silent| self.room.insert((is_silent, id)));
        }
        let sets = [
            (&mut self.askable, old.can_ask, new.can_ask),
            (&mut self.busy, old.is_busy, new.is_busy),
            (&mut self.ending, old.may_end, new.may_end),
            (&mut self.wanting, old.wants, new.wants),
        ];
        for (set, _, is_in) in sets.into_iter().filter(|(_, was_in, is_in)| was_in != is_in) {
            let _ = if is_in { set.insert(id) } else { set.remove(&id) };
        }
    }

    /// The longest length that a peer has told, in blocks.
    pub fn remote_len(&self) -> u64 {
        self.lens.last().map_or(0, |(len, _)| *len)
    }

    /// The peer with the most blocks, at least `len`, that comes before `before` in this order.
    pub fn longest(&self, len: u64, before: (u64, PeerId)) -> Option<(u64, PeerId)> {
        if before.0 < len { None } else { self.lens.range((len, PeerId(0))..before).next_back().copied() }
    }

    /// When the first peer has to be looked at, in milliseconds.
    pub fn next_due(&self) -> Option<u64> {
        self.due.first().map(|(due, _)| *due)
    }

    /// Those whose time has come.
    pub fn due(&self, now: u64) -> Vec<PeerId> {
        self.due.range(..=(now, PeerId(u64::MAX))).map(|(_, id)| *id).collect()
    }

    /// True if some peer stays when all is downloaded.
    pub fn has_live(&self) -> bool {
        self.live > 0
    }
}
