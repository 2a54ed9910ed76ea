//! Cache: nodes of the tree that are remembered.
//!
//! Two generations of at most 28,672 nodes (about 1.6 MiB): when the young one is full it becomes
//! the old one, and what was old and not asked for again is forgotten. Nodes are remembered as they
//! were read: whether they are right shows when a block or a proof is checked against them, and
//! `repair` puts right what is not.
//!
//! Invariant: at most two generations. What is here was never replaced on disk since it was read.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::math::crypto::Node;
use crate::math::flat::NodeIndex;

/// Seven eighths of 32,768: what a table of that many places holds before it doubles.
const GENERATION: usize = 28_672;
/// Nodes read at a time from whoever reads in order: 2.5 KiB cost little more than 40 bytes.
const AHEAD: usize = 64;
/// Nodes read at first: two leaves and what is between them.
const FIRST: usize = 4;

/// Spreads an index over 64 bits (Fibonacci hashing); the keys are ours, so nobody can choose
/// collisions.
#[derive(Default)]
pub struct IndexHasher(u64);

impl Hasher for IndexHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0 ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }
}

/// Nodes by index.
pub type NodeMap = HashMap<NodeIndex, Node, BuildHasherDefault<IndexHasher>>;

/// The cache; see the file's head.
#[derive(Default)]
pub struct NodeCache {
    young: NodeMap,
    old: NodeMap,
    /// The node after those that were read last.
    next: u64,
}

impl NodeCache {
    /// The node, if it is remembered.
    pub fn find(&mut self, index: NodeIndex) -> Option<Node> {
        if let Some(node) = self.young.get(&index) {
            return Some(*node);
        }
        let node = self.old.get(&index).copied()?;
        self.insert(node);
        Some(node)
    }

    /// Remembers a node.
    pub fn insert(&mut self, node: Node) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(node.index, node);
    }

    /// Forgets a node.
    pub fn remove(&mut self, index: NodeIndex) {
        self.young.remove(&index);
        self.old.remove(&index);
    }

    /// How many nodes to read where one is missing: many for somebody who reads on where the last
    /// read ended.
    pub fn ahead(&mut self, index: NodeIndex) -> usize {
        let is_next = (self.next..self.next.saturating_add(2)).contains(&index.0);
        let ahead = if is_next { AHEAD } else { FIRST };
        self.next = index.0.saturating_add(u64::try_from(ahead).unwrap_or(0));
        ahead
    }
}
