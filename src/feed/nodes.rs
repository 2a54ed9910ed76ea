//! Nodes and roots of the opened log, read through the cache.
//!
//! ```text
//! asked for   node i
//! read        i, i + 1, ...   some after it: whoever reads in order needs them next
//! remembered  i, if nothing was replaced since the read began
//!             those after it, if nothing was changed at all
//! ```
//! A node that must be there and is not is the disk's fault: `NodeMissing`. If the log was replaced
//! while it was read, the answer is `Changed`, and the verb begins again.
//!
//! Invariant: what enters the cache after a read is of the log that is published at that moment.

use super::error::FeedError;
use super::opened::Feed;
use super::state::{State, Version};
use crate::log::merkle::Roots;
use crate::math::crypto::Node;
use crate::math::flat::{NodeIndex, full_roots};
use crate::store::{File, Io, layout, record};

impl Feed {
    /// One node that must be there.
    pub(super) async fn node(&self, io: &Io, index: NodeIndex, seen: Version) -> Result<Node, FeedError> {
        let cached = self.state.lock().nodes.find(index);
        match cached {
            Some(node) => Ok(node),
            None => self.read_around(io, index, seen).await,
        }
    }

    /// Several nodes that must be there, in the order asked for; those not cached are read.
    pub(super) async fn nodes(&self, io: &Io, indexes: &[NodeIndex], seen: Version) -> Result<Vec<Node>, FeedError> {
        if !io.is_native() {
            return self.nodes_elsewhere(io, indexes, seen).await;
        }
        let mut nodes = Vec::with_capacity(indexes.len());
        for &index in indexes {
            nodes.push(self.node(io, index, seen).await?);
        }
        Ok(nodes)
    }

    /// The roots of the first `len` blocks. `RootsMissing` if one of them is not held.
    pub(super) async fn roots_at(&self, io: &Io, len: u64, seen: Version) -> Result<Roots, FeedError> {
        let roots = self.state.lock().roots.clone();
        if roots.len() == len {
            return Ok(roots);
        }
        let indexes: Vec<NodeIndex> = full_roots(len).collect();
        if self.with_local(|bitfield, _| indexes.iter().any(|root| !bitfield.has_node(*root))) {
            return Err(FeedError::RootsMissing);
        }
        Ok(Roots::new(self.nodes(io, &indexes, seen).await?))
    }

    /// Reads a node and its neighbours.
    async fn read_around(&self, io: &Io, index: NodeIndex, seen: Version) -> Result<Node, FeedError> {
        if !io.is_native() {
            let node = self.nodes_elsewhere(io, &[index], seen).await?;
            return node.first().copied().ok_or(FeedError::NodeMissing(index.0));
        }
        let (offset, len) = self.state.lock().read_of(index)?;
        let bytes = io.read_up_to(File::Tree, offset, len).await?;
        self.remember(index, &bytes, seen)
    }

    /// The first of these records, which must be there; it and those after it that are held are
    /// remembered. `seen` is the version of before the read. Errors: `NodeMissing`; `Changed` if
    /// the log was replaced since.
    pub fn remember(&self, index: NodeIndex, bytes: &[u8], seen: Version) -> Result<Node, FeedError> {
        let mut records = bytes.chunks_exact(layout::NODE_LEN).zip(index.0..);
        let first = records.next().map_or(Ok(None), |(record, at)| decode(NodeIndex(at), record));
        let mut state = self.state.lock();
        if state.is_replaced_since(seen) {
            return Err(FeedError::Changed);
        }
        let first = first?.ok_or(FeedError::NodeMissing(index.0))?;
        state.nodes.insert(first);
        if state.version != seen {
            // What was not held when the read began may have been written since: then these are the
            // bytes of before.
            return Ok(first);
        }
        for (record, at) in records {
            let is_held = state.bitfield.has_node(NodeIndex(at));
            if let Some(node) = decode(NodeIndex(at), record).ok().flatten().filter(|_| is_held) {
                state.nodes.insert(node);
            }
        }
        Ok(first)
    }

    /// All at once: a storage elsewhere answers them together.
    async fn nodes_elsewhere(&self, io: &Io, indexes: &[NodeIndex], seen: Version) -> Result<Vec<Node>, FeedError> {
        let mut nodes: Vec<Option<Node>> = {
            let mut state = self.state.lock();
            indexes.iter().map(|&index| state.nodes.find(index)).collect()
        };
        let absent = indexes.iter().zip(&nodes).filter(|(_, node)| node.is_none()).map(|(&index, _)| index);
        let reads: Vec<(File, u64, usize)> = {
            let mut state = self.state.lock();
            let read = |index| state.read_of(index).map(|(offset, len)| (File::Tree, offset, len));
            absent.map(read).collect::<Result<_, _>>()?
        };
        let mut runs = io.read_batch(&reads).await.into_iter();
        for (&index, slot) in indexes.iter().zip(&mut nodes).filter(|(_, slot)| slot.is_none()) {
            let bytes = match runs.next().transpose()?.flatten() {
                Some(bytes) => bytes,
                // The file ends before the run: the rest of it was never written.
                None => io.read(File::Tree, layout::node_offset(index), layout::NODE_LEN).await?.unwrap_or_default(),
            };
            *slot = Some(self.remember(index, &bytes, seen)?);
        }
        Ok(nodes.into_iter().flatten().collect())
    }
}

impl State {
    /// The read for a node and some after it: offset and length in bytes. Only nodes that are held
    /// are read: what lies where another is still to come may be of a longer log that was there
    /// before.
    pub(super) fn read_of(&mut self, index: NodeIndex) -> Result<(u64, usize), FeedError> {
        if !self.bitfield.has_node(index) {
            return Err(FeedError::NodeMissing(index.0));
        }
        let end = self.roots.len().saturating_mul(2).saturating_sub(1);
        let rest = usize::try_from(end.saturating_sub(index.0)).unwrap_or(usize::MAX);
        Ok((layout::node_offset(index), self.nodes.ahead(index).min(rest.max(1)) * layout::NODE_LEN))
    }
}

fn decode(index: NodeIndex, bytes: &[u8]) -> Result<Option<Node>, FeedError> {
    record::decode_node(index, bytes).map_err(|_| FeedError::NodeMissing(index.0))
}
