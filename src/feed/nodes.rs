//! Nodes of the tree, read through a cache.
//!
//! Two generations of at most 16,384 nodes (about 1 MiB): when the young one is full it becomes the old one, and what
//! was old and not asked for again is forgotten. Only verified nodes go in.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use super::{Feed, FeedError};
use crate::math::crypto::Node;
use crate::math::flat::NodeIndex;
use crate::store::{File, Io, layout, record};

const GENERATION: usize = 16_384;
/// Nodes read at a time from a native storage: 2.5 KiB cost little more than 40 bytes.
const AHEAD: usize = 64;

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

    /// Reads a node and, where reading costs by the call, its neighbours: whoever reads in order needs them next.
    async fn read_around(&self, io: &Io, index: NodeIndex) -> Result<Node, FeedError> {
        if !io.is_native() {
            let node = read_node(io, index).await?.ok_or(FeedError::NodeMissing(index.0))?;
            self.state.lock().nodes.insert(node);
            return Ok(node);
        }
        let bytes = io.read_up_to(File::Tree, layout::node_offset(index), AHEAD * layout::NODE_LEN).await?;
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
        let mut found: Vec<Option<Node>> = {
            let mut state = self.state.lock();
            indexes.iter().map(|&index| state.nodes.find(index)).collect()
        };
        let absent: Vec<NodeIndex> =
            indexes.iter().zip(&found).filter(|(_, node)| node.is_none()).map(|(&index, _)| index).collect();
        if !absent.is_empty() {
            let mut read = read_nodes(io, &absent).await?.into_iter();
            for slot in found.iter_mut().filter(|slot| slot.is_none()) {
                *slot = read.next();
            }
            let mut state = self.state.lock();
            found.iter().flatten().for_each(|node| state.nodes.insert(*node));
        }
        Ok(found.into_iter().flatten().collect())
    }
}

/// One node from the tree file, or None if it was never written.
pub async fn read_node(io: &Io, index: NodeIndex) -> Result<Option<Node>, FeedError> {
    let bytes = io.read(File::Tree, layout::node_offset(index), layout::NODE_LEN).await?;
    bytes.map_or(Ok(None), |bytes| decode(index, &bytes))
}

async fn read_nodes(io: &Io, indexes: &[NodeIndex]) -> Result<Vec<Node>, FeedError> {
    let reads: Vec<_> =
        indexes.iter().map(|&index| (File::Tree, layout::node_offset(index), layout::NODE_LEN)).collect();
    let answers = io.read_batch(&reads).await;
    let mut nodes = Vec::with_capacity(indexes.len());
    for (&index, answer) in indexes.iter().zip(answers) {
        let node = answer?.map_or(Ok(None), |bytes| decode(index, &bytes))?;
        nodes.push(node.ok_or(FeedError::NodeMissing(index.0))?);
    }
    Ok(nodes)
}

fn decode(index: NodeIndex, bytes: &[u8]) -> Result<Option<Node>, FeedError> {
    record::decode_node(index, bytes).map_err(|_| FeedError::NodeMissing(index.0))
}
