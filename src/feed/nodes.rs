//! Nodes and roots of the opened log, read through the cache.
//!
//! ```text
//! asked for   node i
//! read        the run that it is in: a small subtree, or what whoever reads in order needs next
//! remembered  i, if nothing was replaced since the read began
//!             the others, if nothing was changed at all
//! ```
//! A node that must be there and is not is the disk's fault: `NodeMissing`. If the log was replaced
//! while it was read, the answer is `Changed`, and the verb begins again.
//!
//! Invariant: what enters the cache after a read is of the log that is published at that moment.

use std::ops::Range;

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
        self.remember(index, offset, &bytes, seen)
    }

    /// The node among these records, which were read at `offset` and of which it must be one; the
    /// others that are held are remembered with it. `seen` is the version of before the read.
    /// Errors: `NodeMissing`; `Changed` if the log was replaced since.
    pub fn remember(&self, index: NodeIndex, offset: u64, bytes: &[u8], seen: Version) -> Result<Node, FeedError> {
        let mut state = self.state.lock();
        if state.is_replaced_since(seen) {
            return Err(FeedError::Changed);
        }
        // What was not held when the read began may have been written since: then only the node
        // that was asked for is not of before.
        let is_same = state.version == seen;
        let mut found = Err(FeedError::NodeMissing(index.0));
        for (record, at) in bytes.chunks_exact(layout::NODE_LEN).zip(layout::node_at(offset).0..) {
            let at = NodeIndex(at);
            if at != index && !(is_same && state.bitfield.has_node(at)) {
                continue;
            }
            let Some(node) = record::decode_node(at, record).ok().flatten() else { continue };
            state.nodes.insert(node);
            if at == index {
                found = Ok(node);
            }
        }
        found
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
        let mut runs = io.read_batch(&reads).await.into_iter().zip(&reads);
        for (&index, slot) in indexes.iter().zip(&mut nodes).filter(|(_, slot)| slot.is_none()) {
            let Some((run, &(_, offset, _))) = runs.next() else { break };
            *slot = Some(match run? {
                Some(bytes) => self.remember(index, offset, &bytes, seen)?,
                // The file ends before the run: the rest of it was never written.
                None => {
                    let offset = layout::node_offset(index);
                    let bytes = io.read(File::Tree, offset, layout::NODE_LEN).await?.unwrap_or_default();
                    self.remember(index, offset, &bytes, seen)?
                }
            });
        }
        Ok(nodes.into_iter().flatten().collect())
    }
}

impl State {
    /// The read for a node and some around it: offset and length in bytes. It begins and ends with
    /// nodes that are held: what lies where another is still to come may be of a longer log that
    /// was there before, or past the end of the file.
    pub(super) fn read_of(&mut self, index: NodeIndex) -> Result<(u64, usize), FeedError> {
        if !self.bitfield.has_node(index) {
            return Err(FeedError::NodeMissing(index.0));
        }
        let Range { start, end } = self.nodes.around(index);
        let is_held = |at: &u64| self.bitfield.has_node(NodeIndex(*at));
        let first = (start..index.0).find(is_held).unwrap_or(index.0);
        let last = (index.0.saturating_add(1)..end).rfind(is_held).unwrap_or(index.0);
        let count = usize::try_from(last - first).unwrap_or(0).saturating_add(1);
        Ok((layout::node_offset(NodeIndex(first)), count.saturating_mul(layout::NODE_LEN)))
    }
}
