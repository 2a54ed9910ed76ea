//! Channels: which feed speaks on which channel of a stream.
//!
//! ```text
//! LocalId: our number for a feed, on what we send      RemoteId: theirs, on what they send      0: the stream itself
//! opened by   us: key known, remote open is awaited    them: only the discovery key is known    both: duplex
//! ```
//! A remote may open only so many channels that we have not opened ourselves; beyond that it is at
//! fault. A LocalId is never used twice (Q3), as in stock: its `allocLocal` looks for a free place
//! and always finds the reserved one, 0.
//!
//! Invariant: every channel is opened by at least one side. Tables are keyed by id, so that a large
//! id costs no memory.
//! Source: hypercore-protocol@8.0.7 index.js `Channelizer`.

use std::collections::BTreeMap;

use crate::math::crypto::{self, Hash};

/// Our number for a feed on one stream, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalId(pub u64);

/// The remote's number for a feed on one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemoteId(pub u64);

/// One feed on one stream.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Names the feed.
    pub discovery_key: Hash,
    /// Our side, if we opened it.
    pub local: Option<LocalSide>,
    /// Their side, if they opened it.
    pub remote: Option<RemoteSide>,
}

/// What we know of a channel that we opened.
#[derive(Clone, Copy, Debug)]
pub struct LocalSide {
    /// Our number.
    pub id: LocalId,
    /// The feed's key.
    pub key: [u8; 32],
}

/// What we know of a channel that the remote opened.
#[derive(Clone, Copy, Debug)]
pub struct RemoteSide {
    /// Their number.
    pub id: RemoteId,
    /// What they say proves that they know the key.
    pub capability: Option<Hash>,
    /// It was checked, and does. What they say on the channel counts only then.
    pub verified: bool,
}

/// All channels of one stream.
#[derive(Debug, Default)]
pub struct Channels {
    by_name: BTreeMap<Hash, Channel>,
    by_local: BTreeMap<LocalId, Hash>,
    by_remote: BTreeMap<RemoteId, Hash>,
    last_local: u64,
}

impl Channels {
    /// The channel of a feed.
    pub fn get(&self, discovery_key: &Hash) -> Option<&Channel> {
        self.by_name.get(discovery_key)
    }

    /// The channel on which the remote speaks under this number.
    pub fn speaking(&self, id: RemoteId) -> Option<&Channel> {
        self.by_name.get(self.by_remote.get(&id)?)
    }

    /// True while the channel of this number is open on our side.
    pub fn is_local(&self, id: LocalId) -> bool {
        self.by_local.contains_key(&id)
    }

    /// All channels, in the order of their discovery keys.
    pub fn iter(&self) -> impl Iterator<Item = &Channel> {
        self.by_name.values()
    }

    /// How many channels there are, whoever opened them.
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// How many channels only the remote opened.
    pub fn len_unanswered(&self) -> usize {
        self.by_name.len() - self.by_local.len()
    }

    /// The next number of ours.
    pub fn next_local(&mut self) -> LocalId {
        self.last_local += 1;
        LocalId(self.last_local)
    }

    /// Opens our side; gives our number if it was not open.
    pub fn open_local(&mut self, key: [u8; 32]) -> Option<LocalId> {
        let discovery_key = crypto::discovery_key(&key);
        if self.get(&discovery_key).is_some_and(|channel| channel.local.is_some()) {
            return None;
        }
        let id = self.next_local();
        self.entry(discovery_key).local = Some(LocalSide { id, key });
        self.by_local.insert(id, discovery_key);
        Some(id)
    }

    /// Opens their side, unverified. A number or a feed that they had opened before is theirs anew.
    pub fn open_remote(&mut self, discovery_key: Hash, id: RemoteId, capability: Option<Hash>) {
        if let Some(before) = self.by_remote.remove(&id).filter(|before| *before != discovery_key) {
            self.forget_remote(&before);
        }
        let remote = RemoteSide { id, capability, verified: false };
        if let Some(before) = self.entry(discovery_key).remote.replace(remote) {
            self.by_remote.remove(&before.id);
        }
        self.by_remote.insert(id, discovery_key);
    }

    /// Notes that their capability was checked and is right.
    pub fn set_verified(&mut self, discovery_key: &Hash) {
        if let Some(remote) = self.by_name.get_mut(discovery_key).and_then(|channel| channel.remote.as_mut()) {
            remote.verified = true;
        }
    }

    /// Closes both sides.
    pub fn remove(&mut self, discovery_key: &Hash) -> Option<Channel> {
        let channel = self.by_name.remove(discovery_key)?;
        if let Some(local) = &channel.local {
            self.by_local.remove(&local.id);
        }
        if let Some(remote) = &channel.remote {
            self.by_remote.remove(&remote.id);
        }
        Some(channel)
    }

    fn entry(&mut self, discovery_key: Hash) -> &mut Channel {
        self.by_name.entry(discovery_key).or_insert(Channel { discovery_key, local: None, remote: None })
    }

    /// Their side is gone; without ours, so is the channel.
    fn forget_remote(&mut self, discovery_key: &Hash) {
        match self.by_name.get_mut(discovery_key) {
            Some(channel) if channel.local.is_some() => channel.remote = None,
            _ => drop(self.by_name.remove(discovery_key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn local_ids_are_never_used_twice() {
        let mut channels = Channels::default();
        assert_eq!(channels.open_local([1; 32]), Some(LocalId(1)));
        assert_eq!(channels.open_local([1; 32]), None);
        assert_eq!(channels.open_local([2; 32]), Some(LocalId(2)));
        channels.remove(&crypto::discovery_key(&[1; 32]));
        assert_eq!(channels.open_local([1; 32]), Some(LocalId(3)));
    }

    proptest! {
        #[test]
        fn tables_agree(steps in prop::collection::vec((0u8..3, 0u8..4, 0u64..4), 0..40)) {
            let mut channels = Channels::default();
            for (verb, feed, id) in steps {
                let (key, name) = ([feed; 32], crypto::discovery_key(&[feed; 32]));
                match verb {
                    0 => drop(channels.open_local(key)),
                    1 => channels.open_remote(name, RemoteId(id << 40), None),
                    _ => drop(channels.remove(&name)),
                }
                let locals = channels.iter().filter(|channel| channel.local.is_some()).count();
                let remotes = channels.iter().filter(|channel| channel.remote.is_some()).count();
                prop_assert_eq!((locals, remotes), (channels.by_local.len(), channels.by_remote.len()));
                for channel in channels.iter() {
                    prop_assert!(channel.local.is_some() || channel.remote.is_some());
                    let speaks = channel.remote.is_none_or(|remote| channels.by_remote[&remote.id] == channel.discovery_key);
                    prop_assert!(speaks && channel.local.is_none_or(|local| channels.is_local(local.id)));
                }
            }
        }
    }
}
