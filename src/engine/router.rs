//! Router: who is who on the other side. The only table of peers and channels.
//!
//! ```text
//! feed 1, peer 7   <->   stream 3, channel 2          on a stream of ours
//! feed 1, peer 8   <->   foreign                      on a stream that JavaScript speaks
//! ```
//! Feeds name peers, streams name channels, and neither knows the other.
//!
//! Invariant: both directions hold the same pairs.

use rustc_hash::FxHashMap;

use super::ids::{FeedId, StreamId};
use crate::math::crypto::Hash;
use crate::replicate::PeerId;
use crate::wire::LocalId;

/// Where a peer's channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a stream of ours, by our number, under this discovery key.
    Ours(StreamId, LocalId, Hash),
    /// On a stream that JavaScript speaks.
    Foreign,
}

/// See the file's head.
#[derive(Default)]
pub struct Router {
    places: FxHashMap<FeedId, FxHashMap<PeerId, Place>>,
    peers: FxHashMap<(StreamId, LocalId), (FeedId, PeerId)>,
}

impl Router {
    /// Ties a peer to its channel.
    pub fn connect(&mut self, feed: FeedId, peer: PeerId, place: Place) {
        if let Place::Ours(stream, local, _) = place {
            self.peers.insert((stream, local), (feed, peer));
        }
        self.places.entry(feed).or_default().insert(peer, place);
    }

    /// Unties a peer; gives where it was.
    pub fn disconnect(&mut self, feed: FeedId, peer: PeerId) -> Option<Place> {
        let peers = self.places.get_mut(&feed)?;
        let place = peers.remove(&peer)?;
        if peers.is_empty() {
            self.places.remove(&feed);
        }
        if let Place::Ours(stream, local, _) = place {
            self.peers.remove(&(stream, local));
        }
        Some(place)
    }

    /// Where a peer's channel is.
    pub fn place(&self, feed: FeedId, peer: PeerId) -> Option<Place> {
        self.places.get(&feed)?.get(&peer).copied()
    }

    /// Whose channel this is.
    pub fn peer(&self, stream: StreamId, local: LocalId) -> Option<(FeedId, PeerId)> {
        self.peers.get(&(stream, local)).copied()
    }

    /// All peers of a feed, by number.
    pub fn peers_of(&self, feed: FeedId) -> Vec<PeerId> {
        let mut peers: Vec<PeerId> = self.places.get(&feed).into_iter().flat_map(FxHashMap::keys).copied().collect();
        peers.sort_unstable();
        peers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_hold_the_same_pairs() {
        let mut router = Router::default();
        let (feed, stream, local) = (FeedId(1), StreamId(3), LocalId(2));
        let place = Place::Ours(stream, local, [7; 32]);
        router.connect(feed, PeerId(7), place);
        router.connect(feed, PeerId(8), Place::Foreign);
        assert_eq!(router.peers_of(feed), [PeerId(7), PeerId(8)]);
        assert_eq!((router.place(feed, PeerId(7)), router.peer(stream, local)), (Some(place), Some((feed, PeerId(7)))));
        assert_eq!(router.disconnect(feed, PeerId(7)), Some(place));
        assert_eq!((router.place(feed, PeerId(7)), router.peer(stream, local)), (None, None));
        assert_eq!(router.disconnect(feed, PeerId(7)), None);
        assert_eq!(router.disconnect(feed, PeerId(8)), Some(Place::Foreign));
        assert!(router.places.is_empty() && router.peers.is_empty());
    }
}
