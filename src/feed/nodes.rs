//! Nodes of the tree, read through a cache.
//!
//! Two generations of at most 28,672 nodes (about 1.6 MiB): when the young one is full it becomes the old one, and what
//! was old and not asked for again is forgotten. Only verified nodes go in.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::{Feed, FeedError, State};
use crate::math::crypto::Node;
use crate::math::flat::NodeIndex;
use crate::store::{File, Io, layout, record};

/// Seven eighths of 32,768: what a table of that many places holds before it doubles.
const GENERATION: usize = 28_672;
/// Nodes read at a time from whoever reads in order: 2.5 KiB cost little more than 40 bytes.
const AHEAD: usize = 64;
/// Nodes read at first: two leaves and what is between them.
const FIRST: usize = 4;

/// Spreads an index over 64 bits (Fibonacci hashing); the keys are ours, so nobody can choose collisions.
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
    /// The node behind those that were read last.
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

    /// How many nodes to read where one is missing: many for somebody who reads on where the last read ended.
    fn ahead(&mut self, index: NodeIndex) -> usize {
        let is_next = (self.next..self.next.saturating_add(2)).contains(&index.0);
        let ahead = if is_next { AHEAD } else { FIRST };
        self.next = index.0.saturating_add(u64::try_from(ahead).unwrap_or(0));
        ahead
    }
}

impl Feed {
    /// One node that must be there.
    pub(super) async fn node(&self, io: &Io, index: NodeIndex) -> Result<Node, FeedError> {
        let cached = self.state.lock().nodes.find(index);
        match cached {
            Some(node) => Ok(node),
            None => self.read_around(io, index).await,
        }
    }

    /// Several nodes that must be there, in the order asked for; those not cached are read.
    pub(super) async fn nodes(&self, io: &Io, indexes: &[NodeIndex]) -> Result<Vec<Node>, FeedError> {
        if !io.is_native() {
            return self.nodes_elsewhere(io, indexes).await;
        }
        let mut nodes = Vec::with_capacity(indexes.len());
        for &index in indexes {
            nodes.push(self.node(io, index).await?);
        }
        Ok(nodes)
    }

    /// Reads a node and its neighbours: whoever reads in order needs them next.
    async fn read_around(&self, io: &Io, index: NodeIndex) -> Result<Node, FeedError> {
        if !io.is_native() {
            let node = self.nodes_elsewhere(io, &[index]).await?;
            return node.first().copied().ok_or(FeedError::NodeMissing(index.0));
        }
        let (offset, len) = self.state.lock().run(index);
        let bytes = io.read_up_to(File::Tree, offset, len).await?;
        self.remember(index, &bytes)
    }

    /// The first of these records, which must be there; it and those behind it that are held are remembered.
    pub fn remember(&self, index: NodeIndex, bytes: &[u8]) -> Result<Node, FeedError> {
        let mut records = bytes.chunks_exact(layout::NODE_LEN).zip(index.0..);
        let first = records.next().map_or(Ok(None), |(record, at)| decode(NodeIndex(at), record))?;
        let first = first.ok_or(FeedError::NodeMissing(index.0))?;
        let mut state = self.state.lock();
        state.nodes.insert(first);
        for (record, at) in records {
            let is_held = state.bitfield.has_node(NodeIndex(at));
            if let Some(node) = decode(NodeIndex(at), record).ok().flatten().filter(|_| is_held) {
                state.nodes.insert(node);
            }
        }
        Ok(first)
    }

    /// All at once: a storage elsewhere answers them together.
    async fn nodes_elsewhere(&self, io: &Io, indexes: &[NodeIndex]) -> Result<Vec<Node>, FeedError> {
        let mut nodes: Vec<Option<Node>> = {
            let mut state = self.state.lock();
            indexes.iter().map(|&index| state.nodes.find(index)).collect()
        };
        let absent: Vec<NodeIndex> =
            indexes.iter().zip(&nodes).filter(|(_, node)| node.is_none()).map(|(&index, _)| index).collect();
        let reads: Vec<(File, u64, usize)> = {
            let mut state = self.state.lock();
            let run = |&index: &NodeIndex| state.run(index);
            absent.iter().map(run).map(|(offset, len)| (File::Tree, offset, len)).collect()
        };
        let mut runs = io.read_batch(&reads).await.into_iter();
        for (&index, slot) in indexes.iter().zip(&mut nodes).filter(|(_, slot)| slot.is_none()) {
            let bytes = match runs.next().transpose()?.flatten() {
                Some(bytes) => bytes,
                // The file ends before the run: the rest of it was never written.
                None => io.read(File::Tree, layout::node_offset(index), layout::NODE_LEN).await?.unwrap_or_default(),
            };
            *slot = Some(self.remember(index, &bytes)?);
        }
        Ok(nodes.into_iter().flatten().collect())
    }
}

impl State {
    /// Offset and length in bytes of a read for a node and some behind it, as far as the tree goes.
    pub(super) fn run(&mut self, index: NodeIndex) -> (u64, usize) {
        let end = self.roots.len().saturating_mul(2).saturating_sub(1);
        let rest = usize::try_from(end.saturating_sub(index.0)).unwrap_or(usize::MAX);
        (layout::node_offset(index), self.nodes.ahead(index).min(rest.max(1)) * layout::NODE_LEN)
    }
}

/// One node from the tree file, or None if it was never written, or is no node any more.
pub async fn read_node(io: &Io, index: NodeIndex) -> Result<Option<Node>, FeedError> {
    let bytes = io.read(File::Tree, layout::node_offset(index), layout::NODE_LEN).await?;
    Ok(bytes.and_then(|bytes| record::decode_node(index, &bytes).ok().flatten()))
}

fn decode(index: NodeIndex, bytes: &[u8]) -> Result<Option<Node>, FeedError> {
    record::decode_node(index, bytes).map_err(|_| FeedError::NodeMissing(index.0))
}
