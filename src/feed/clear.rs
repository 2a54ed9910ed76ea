//! Clear: give up blocks that are held. The tree stays, so that they can be fetched and checked again.

use super::{Feed, FeedError};
use crate::log::stage::Stage;
use crate::math::flat::{BlockIndex, NodeIndex, full_roots};
use crate::store::File;

impl Feed {
    /// Forgets the blocks `start..end`; false if none of them was held. The bits go first, then the bytes: after a crash
    /// in between, space is lost, never a block that is said to be there. With `keep_bytes` the bytes stay.
    pub async fn clear(&self, start: u64, end: u64, keep_bytes: bool) -> Result<bool, FeedError> {
        let range = self.byte_range(start, end).await?;
        let stage = {
            let state = self.state.lock();
            let mut stage = Stage::new();
            if !stage.set_range(&state.bitfield, start, end, false) {
                return Ok(false);
            }
            stage
        };
        self.write_pages(&stage).await?;
        self.state.lock().bitfield.apply(stage);
        if let Some((from, to)) = range.filter(|_| self.io.can_clear() && !self.indexing && !keep_bytes) {
            // The blocks are given up already; what the disk does not take back is only space.
            self.io.clear(File::Data, from, to.saturating_sub(from)).await.ok();
        }
        Ok(true)
    }

    /// Where the blocks lie: exactly, if the nodes are held, else from the first to the last held block.
    async fn byte_range(&self, start: u64, end: u64) -> Result<Option<(u64, u64)>, FeedError> {
        let held = self.with_local(|bitfield, len| {
            let first = bitfield.next_set(start, end.min(len))?;
            let last = (first..end.min(len)).rev().find(|block| bitfield.get(*block))?;
            Some((first, last))
        });
        let Some((first, last)) = held else { return Ok(None) };
        let from = match self.offset_from_roots(start).await? {
            Some(offset) => offset,
            None => self.locate(&self.io, BlockIndex(first)).await?.0,
        };
        let to = match self.offset_from_roots(end.min(self.len())).await? {
            Some(offset) => offset,
            None => {
                let (offset, leaf) = self.locate(&self.io, BlockIndex(last)).await?;
                offset.saturating_add(leaf.size)
            }
        };
        Ok(Some((from, to)))
    }

    /// Sum of the roots before a block, if all of them are held and their sizes proven.
    async fn offset_from_roots(&self, block: u64) -> Result<Option<u64>, FeedError> {
        let roots: Vec<NodeIndex> = full_roots(block).collect();
        let known = self.with_local(|bitfield, len| {
            let proven = |root: &NodeIndex| !root.is_leaf() || bitfield.get(root.0 / 2) || block == len;
            roots.iter().all(|root| bitfield.has_node(*root) && proven(root))
        });
        if !known {
            return Ok(None);
        }
        let nodes = self.nodes(&self.io, &roots).await?;
        Ok(Some(nodes.iter().fold(0u64, |sum, node| sum.saturating_add(node.size))))
    }
}
