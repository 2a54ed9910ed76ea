//! Clear: give up blocks that are held. The tree stays, so that they can be fetched and checked
//! again.
//!
//! ```text
//! bits cleared ──► published ──► bytes given back
//! ```
//! After a crash in between, space is lost, never a block that is said to be there. What the disk
//! does not take back is only space too.
//!
//! Source: hypercore@9.12.0 index.js `clear`.

use super::commit::Commit;
use super::error::FeedError;
use super::opened::Feed;
use crate::log::bitfield::Bitfield;
use crate::math::flat::{BlockIndex, NodeIndex, full_roots};
use crate::store::{File, Io, StoreError};

/// Bytes that a file system takes back in no time; 512 MiB take it 30 ms.
const FEW_BYTES: u64 = 4 * 1024 * 1024;

impl Feed {
    /// Forgets the blocks `start..end`; gives the runs of them that were held, as start and one
    /// past the end. With `keep_bytes` the bytes stay. `WouldBlock`, and nothing has changed, if
    /// `io` must not wait and this is much.
    pub async fn clear(&self, io: &Io, start: u64, end: u64, keep_bytes: bool) -> Result<Vec<(u64, u64)>, FeedError> {
        self.check_haste(io, start, end)?;
        let range = self.byte_range(io, start, end).await?;
        let freed = range.filter(|_| !self.indexing && !keep_bytes).map(|(from, to)| (from, to.saturating_sub(from)));
        if io.is_hasty() && freed.is_some_and(|(_, len)| len > FEW_BYTES) {
            return Err(StoreError::WouldBlock.into());
        }
        let mut held = Vec::new();
        let stage = self.stage(|stage, bitfield| {
            held = held_runs(bitfield, start, end);
            stage.set_range(bitfield, start, end, false);
        });
        if held.is_empty() {
            return Ok(held);
        }
        self.commit(Commit { stage, replaces: true, ..Commit::default() }, |_| ()).await?;
        if let Some((from, len)) = freed {
            // The blocks are given up already; what the disk does not take back is only space.
            self.io.clear(File::Data, from, len).await.ok();
        }
        Ok(held)
    }

    /// Where the blocks lie: exactly, if the nodes are held, else from the first to the last held
    /// block.
    async fn byte_range(&self, io: &Io, start: u64, end: u64) -> Result<Option<(u64, u64)>, FeedError> {
        let held = self.with_local(|bitfield, len| {
            let end = end.min(len);
            bitfield.next_set(start, end).zip(bitfield.prev_set(start, end))
        });
        let Some((first, last)) = held else { return Ok(None) };
        let seen = self.version();
        let from = match self.offset_from_roots(io, start).await? {
            Some(offset) => offset,
            None => self.locate(io, BlockIndex(first), seen).await?.0,
        };
        let to = match self.offset_from_roots(io, end.min(self.len())).await? {
            Some(offset) => offset,
            None => {
                let (offset, leaf) = self.locate(io, BlockIndex(last), seen).await?;
                offset.saturating_add(leaf.size)
            }
        };
        Ok(Some((from, to)))
    }

    /// Sum of the roots before a block, if all of them are held and their sizes proven.
    async fn offset_from_roots(&self, io: &Io, block: u64) -> Result<Option<u64>, FeedError> {
        let roots: Vec<NodeIndex> = full_roots(block).collect();
        let known = self.with_local(|bitfield, len| {
            let proven = |root: &NodeIndex| !root.is_leaf() || bitfield.get(root.0 / 2) || block == len;
            roots.iter().all(|root| bitfield.has_node(*root) && proven(root))
        });
        if !known {
            return Ok(None);
        }
        let nodes = self.nodes(io, &roots, self.version()).await?;
        Ok(Some(nodes.iter().fold(0u64, |sum, node| sum.saturating_add(node.size))))
    }
}

/// The runs of blocks in `start..end` that are held: start, and one past the end of each.
fn held_runs(bitfield: &Bitfield, start: u64, end: u64) -> Vec<(u64, u64)> {
    let mut runs = Vec::new();
    let mut at = start;
    while let Some(first) = bitfield.next_set(at, end) {
        at = bitfield.next_unset(first, end).unwrap_or(end);
        runs.push((first, at));
    }
    runs
}
