//! Subtrees: nodes of the tree by the subtree of three levels that they are in.
//!
//! ```text
//! layer 1             7       23      39      55
//!                         15              47
//!                                 31                   number 0 of layer 1
//! layer 0    0 1 2 3 4 5 6    8 9 ... 14    ...        numbers 0, 1, ...
//! ```
//! A subtree belongs to one set of two places. Who comes to a full set takes the place of the one
//! that was asked for less recently; a table that is half full grows before it comes to that, up to
//! its most sets.
//!
//! Invariant: `held` is the number of subtrees of which a node is known.

use crate::math::crypto::{Hash, Node};
use crate::math::flat::NodeIndex;

/// Levels of a subtree.
const LEVELS: u32 = 3;
/// Its nodes: four leaves, or what stands for them, and what joins them.
pub(super) const NODES: usize = 7;
/// From one subtree to the next, in nodes of its layer; between two there is one of a layer above.
pub(super) const SPAN: u64 = 8;
/// From the set of a layer's first subtree to that of the next layer: 0.618 of 2^16, so that the
/// tops of the tree are far from each other in tables of all sizes.
const APART: u64 = 40_503;

/// A node, found by its place.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub layer: u32,
    /// Of the subtree, among those of its layer.
    number: u64,
    /// In the subtree, from left to right.
    node: usize,
}

impl Place {
    pub fn of(NodeIndex(index): NodeIndex) -> Self {
        let layer = index.trailing_ones() / LEVELS;
        let at = index.checked_shr(layer * LEVELS).unwrap_or(0);
        Self { layer, number: at / SPAN, node: usize::try_from(at % SPAN).unwrap_or(0) }
    }
}

/// Hash and size of a node.
type Content = (Hash, u64);

/// Which subtree is in a place.
#[derive(Clone, Copy, Default)]
struct Tag {
    number: u64,
    layer: u32,
    /// A bit for each node that is known.
    known: u8,
}

/// Two places, for the subtrees that share them. The tags lie together: what is not here costs one
/// line of the processor's cache.
#[derive(Clone, Copy)]
#[repr(C)]
struct Set {
    tags: [Tag; 2],
    /// The place that was asked for last.
    newest: usize,
    nodes: [[Content; NODES]; 2],
}

impl Set {
    fn empty() -> Self {
        Self { tags: [Tag::default(); 2], newest: 0, nodes: [[([0; 32], 0); NODES]; 2] }
    }

    /// Looks for the subtree that a node is in. False if nothing is known of it.
    fn find(&mut self, place: Place) -> bool {
        let is_it = |tag: &Tag| tag.known != 0 && (tag.number, tag.layer) == (place.number, place.layer);
        let found = self.tags.iter().position(is_it);
        self.newest = found.unwrap_or(self.newest);
        found.is_some()
    }

    /// Makes a place into that of another subtree: a free one, else the older one.
    fn claim(&mut self, place: Place) {
        self.newest = self.tags.iter().position(|tag| tag.known == 0).unwrap_or(1 - self.newest);
        if let Some(tag) = self.tags.get_mut(self.newest) {
            *tag = Tag { number: place.number, layer: place.layer, known: 0 };
        }
    }

    fn has_room(&self) -> bool {
        self.tags.iter().any(|tag| tag.known == 0)
    }

    /// What another table knew of a subtree.
    fn keep(&mut self, tag: Tag, nodes: [Content; NODES]) {
        let free = self.tags.iter_mut().zip(&mut self.nodes).find(|(tag, _)| tag.known == 0);
        if let Some(place) = free {
            (*place.0, *place.1) = (tag, nodes);
        }
    }

    /// A node of the subtree that was found.
    fn node(&self, place: Place) -> Option<Content> {
        self.tags.get(self.newest).filter(|tag| tag.known & 1 << place.node != 0)?;
        self.nodes.get(self.newest)?.get(place.node).copied()
    }

    /// Remembers one of the subtree that was found or claimed.
    fn learn(&mut self, place: Place, content: Content) {
        let slot = self.nodes.get_mut(self.newest).and_then(|nodes| nodes.get_mut(place.node));
        if let (Some(slot), Some(tag)) = (slot, self.tags.get_mut(self.newest)) {
            *slot = content;
            tag.known |= 1 << place.node;
        }
    }

    /// Forgets one of the subtree that was found. True if nothing is known of it any more.
    fn forget(&mut self, place: Place) -> bool {
        let Some(tag) = self.tags.get_mut(self.newest) else { return false };
        tag.known &= !(1 << place.node);
        tag.known == 0
    }
}

/// See the file's head.
pub(super) struct Subtrees {
    /// As many as a power of two, or none.
    sets: Vec<Set>,
    max: usize,
    held: usize,
}

impl Subtrees {
    /// A table of at most `max` sets, a power of two.
    pub fn new(max: usize) -> Self {
        Self { sets: Vec::new(), max, held: 0 }
    }

    /// The node, if it is known.
    pub fn find(&mut self, index: NodeIndex, place: Place) -> Option<Node> {
        let at = self.set_of(place);
        let set = self.sets.get_mut(at)?;
        let (hash, size) = if set.find(place) { set.node(place)? } else { return None };
        Some(Node { index, hash, size })
    }

    /// Remembers a node.
    pub fn insert(&mut self, node: Node, place: Place) {
        let at = self.set_of(place);
        if let Some(set) = self.sets.get_mut(at)
            && set.find(place)
        {
            return set.learn(place, (node.hash, node.size));
        }
        self.insert_first(node, place);
    }

    /// Of a subtree of which nothing is known.
    fn insert_first(&mut self, node: Node, place: Place) {
        while self.is_half_full() && !self.sets.get(self.set_of(place)).is_some_and(Set::has_room) {
            self.grow();
        }
        let at = self.set_of(place);
        let Some(set) = self.sets.get_mut(at) else { return };
        self.held += usize::from(set.has_room());
        set.claim(place);
        set.learn(place, (node.hash, node.size));
    }

    /// Forgets a node.
    pub fn remove(&mut self, place: Place) {
        let at = self.set_of(place);
        let Some(set) = self.sets.get_mut(at) else { return };
        if set.find(place) {
            self.held -= usize::from(set.forget(place));
        }
    }

    fn set_of(&self, place: Place) -> usize {
        let number = place.number.wrapping_add(u64::from(place.layer) * APART);
        usize::try_from(number).unwrap_or(0) & self.sets.len().saturating_sub(1)
    }

    fn is_half_full(&self) -> bool {
        self.sets.len() < self.max && self.held >= self.sets.len()
    }

    /// Doubles the table: what was in one set goes to one of two.
    fn grow(&mut self) {
        let sets = vec![Set::empty(); (2 * self.sets.len()).max(1)];
        for old in std::mem::replace(&mut self.sets, sets) {
            for (tag, nodes) in old.tags.iter().zip(old.nodes).filter(|(tag, _)| tag.known != 0) {
                let at = self.set_of(Place { number: tag.number, layer: tag.layer, node: 0 });
                if let Some(set) = self.sets.get_mut(at) {
                    set.keep(*tag, nodes);
                }
            }
        }
    }
}
