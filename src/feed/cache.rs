//! Cache: nodes of the tree that are remembered, and which are read together.
//!
//! ```text
//! low    0 1 2 3 4 5 6    8 9 ... 14     subtrees of four leaves, each in one piece: who needs one node of it needs others
//! high         7              15         one by one
//! ```
//! Of each there are two generations of at most so many: when the young one is full it becomes the
//! old one, and what was old and not asked for again is forgotten. That makes 78,848 nodes at most,
//! in 4.4 MiB. Nodes are remembered as they were read: whether they are right shows when a block or
//! a proof is checked against them, and `repair` puts right what is not.
//!
//! Invariant: what is here was never replaced on disk since it was read. What the young generation
//! has of a subtree is all that is known of it.

use std::ops::Range;

use rustc_hash::FxHashMap;

use crate::math::crypto::{Hash, Node};
use crate::math::flat::NodeIndex;

/// Subtrees in a generation: seven eighths of 4,096, what a table of that many places holds before
/// it doubles.
const SUBTREES: usize = 3_584;
/// High nodes in a generation: seven eighths of 16,384.
const HIGH: usize = 14_336;
/// Nodes read at a time from whoever reads in order: 2.5 KiB cost little more than 40 bytes.
const AHEAD: u64 = 64;
/// Nodes of a subtree: four leaves and what joins them.
const LOW: usize = 7;
/// From one subtree to the next, in nodes; between two there is a high one.
const SPAN: u64 = 8;

/// Nodes by index.
pub type NodeMap = FxHashMap<NodeIndex, Node>;

/// Hash and size.
type Content = (Hash, u64);

/// See the file's head.
pub struct NodeCache {
    low: Generations<[Option<Content>; LOW]>,
    high: Generations<Content>,
    /// The node after those that were read last.
    next: u64,
}

impl Default for NodeCache {
    fn default() -> Self {
        Self { low: Generations::new(SUBTREES), high: Generations::new(HIGH), next: 0 }
    }
}

impl NodeCache {
    /// The node, if it is remembered.
    pub fn find(&mut self, index: NodeIndex) -> Option<Node> {
        let (hash, size) = match place(index) {
            Some((subtree, place)) => self.low.look(subtree, |nodes| nodes.get(place).copied().flatten())??,
            None => self.high.look(index.0, |content| *content)?,
        };
        Some(Node { index, hash, size })
    }

    /// Remembers a node.
    pub fn insert(&mut self, node: Node) {
        let content = (node.hash, node.size);
        match place(node.index) {
            Some((subtree, place)) => self.change(subtree, place, Some(content)),
            None => self.high.insert(node.index.0, content),
        }
    }

    /// Forgets a node.
    pub fn remove(&mut self, index: NodeIndex) {
        match place(index) {
            Some((subtree, place)) => self.change(subtree, place, None),
            None => self.high.remove(index.0),
        }
    }

    fn change(&mut self, subtree: u64, place: usize, content: Option<Content>) {
        if self.low.look(subtree, |_| ()).is_none() {
            self.low.insert(subtree, [None; LOW]);
        }
        if let Some(slot) = self.low.young.get_mut(&subtree).and_then(|nodes| nodes.get_mut(place)) {
            *slot = content;
        }
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

/// Subtree and place in it of a low node; None for a high one.
fn place(index: NodeIndex) -> Option<(u64, usize)> {
    let place = usize::try_from(index.0 % SPAN).ok().filter(|place| *place < LOW)?;
    Some((index.0 / SPAN, place))
}

/// What was asked for last, by number.
struct Generations<T> {
    young: FxHashMap<u64, T>,
    old: FxHashMap<u64, T>,
    max: usize,
}

impl<T: Copy> Generations<T> {
    fn new(max: usize) -> Self {
        Self { young: FxHashMap::default(), old: FxHashMap::default(), max }
    }

    /// Looks at what is here; then it is in the young generation.
    fn look<L>(&mut self, key: u64, look: impl Fn(&T) -> L) -> Option<L> {
        if let Some(value) = self.young.get(&key) {
            return Some(look(value));
        }
        let value = *self.old.get(&key)?;
        self.insert(key, value);
        Some(look(&value))
    }

    fn insert(&mut self, key: u64, value: T) {
        if self.young.len() >= self.max {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(key, value);
    }

    fn remove(&mut self, key: u64) {
        self.young.remove(&key);
        self.old.remove(&key);
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
