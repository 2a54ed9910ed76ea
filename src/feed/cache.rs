//! Cache: nodes of the tree that are remembered, and which are read together.
//!
//! Who needs one node needs others of its subtree of three levels: they are in one place (see
//! `subtrees`), and the lowest are read in one piece. Those of leaves do not push out those above
//! them, which more need. In all 143,360 nodes are remembered at most, in 5.9 MiB. They are as they
//! were read: whether they are right shows when a block or a proof is checked against them, and
//! `repair` puts right what is not.
//!
//! Invariant: what is here was never replaced on disk since it was read.

use std::ops::Range;

use rustc_hash::FxHashMap;

use super::subtrees::{Place, SPAN, Subtrees};
use crate::math::crypto::Node;
use crate::math::flat::NodeIndex;

/// Sets of subtrees of leaves, each of two.
const LOW: usize = 8_192;
/// Sets of those above them.
const HIGH: usize = 2_048;
/// Nodes read at a time from whoever reads in order: 2.5 KiB cost little more than 40 bytes.
const AHEAD: u64 = 64;

/// Nodes by index.
pub type NodeMap = FxHashMap<NodeIndex, Node>;

/// See the file's head.
pub struct NodeCache {
    low: Subtrees,
    high: Subtrees,
    /// The node after those that were read last.
    next: u64,
}

impl Default for NodeCache {
    fn default() -> Self {
        Self { low: Subtrees::new(LOW), high: Subtrees::new(HIGH), next: 0 }
    }
}

impl NodeCache {
    /// The node, if it is remembered.
    pub fn find(&mut self, index: NodeIndex) -> Option<Node> {
        let place = Place::of(index);
        self.table(place).find(index, place)
    }

    /// Remembers a node.
    pub fn insert(&mut self, node: Node) {
        let place = Place::of(node.index);
        self.table(place).insert(node, place);
    }

    /// Forgets a node.
    pub fn remove(&mut self, index: NodeIndex) {
        let place = Place::of(index);
        self.table(place).remove(place);
    }

    fn table(&mut self, place: Place) -> &mut Subtrees {
        if place.layer == 0 { &mut self.low } else { &mut self.high }
    }

    /// The nodes to read where one is missing: many for somebody who reads on where the last read
    /// ended, else those of its subtree.
    pub fn around(&mut self, index: NodeIndex) -> Range<u64> {
        let NodeIndex(at) = index;
        let is_next = (self.next..self.next.saturating_add(2)).contains(&at);
        let (first, len) = match at % SPAN {
            _ if is_next => (at, AHEAD),
            place if place == SPAN - 1 => return at..at.saturating_add(1),
            place => (at - place, SPAN - 1),
        };
        self.next = first.saturating_add(len);
        first..self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subtree_is_read_whole_and_what_follows_in_order_with_much_more() {
        let mut cache = NodeCache::default();
        for index in [18, 16, 21] {
            assert_eq!(cache.around(NodeIndex(index)), 16..23);
        }
        assert_eq!(cache.around(NodeIndex(47)), 47..48);
        assert_eq!(cache.around(NodeIndex(24)), 24..88);
        assert_eq!(cache.around(NodeIndex(88)), 88..152);
        assert_eq!(cache.around(NodeIndex(u64::MAX - 1)), u64::MAX - 7..u64::MAX);
    }

    #[test]
    fn what_is_asked_for_outlives_what_is_not_and_what_was_removed_does_not_come_back() {
        let node = |index| Node { index: NodeIndex(index), hash: [1; 32], size: index };
        let mut cache = NodeCache::default();
        [0, 2, 7].into_iter().for_each(|index| cache.insert(node(index)));
        for index in 0..500_000 {
            assert_eq!([0, 2, 7].map(|index| cache.find(NodeIndex(index))), [0, 2, 7].map(|index| Some(node(index))));
            cache.insert(node(1_000 + index));
        }
        assert_eq!([1_000, 1_007].map(|index| cache.find(NodeIndex(index))), [None, None]);
        [0, 7].into_iter().for_each(|index| cache.remove(NodeIndex(index)));
        assert_eq!([0, 2, 7].map(|index| cache.find(NodeIndex(index))), [None, Some(node(2)), None]);
    }
}
