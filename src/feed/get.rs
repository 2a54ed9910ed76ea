//! Get: one block that is held, checked against its hash.
//!
//! ```text
//! leaf, and the roots before it ──► offset, size ──► bytes ──► hash == leaf's
//! ```
//! Bytes that do not fit are the disk's fault: `BadBlock`. Nothing is given up here, for another
//! verb may have staged a change: `repair` does that. If the log was replaced under the read, it
//! begins again.
//!
//! Invariant: what is given has the hash that the tree has for it.
//! Source: hypercore@9.12.0 lib/storage.js `getData`, `dataOffset`.

use bytes::Bytes;

use super::error::FeedError;
use super::opened::Feed;
use super::state::{Cursor, Version};
use crate::math::crypto::{Node, leaf_hash};
use crate::math::flat::{BlockIndex, NodeIndex, full_roots};
use crate::store::{File, Io};

/// The largest block, in bytes. With its proof it may be more than a frame can carry (Q16).
pub const MAX_BLOCK_SIZE: usize = 8 * 1024 * 1024;

/// The next thing to read on the way to a block. Offsets and lengths are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockRead {
    /// The block itself, from the data file.
    Data {
        /// Where it begins.
        offset: u64,
        /// How long it is.
        len: u64,
    },
    /// A node and some around it, from the tree file; then there is more to read.
    Nodes {
        /// The node.
        index: NodeIndex,
        /// Where the first record begins.
        offset: u64,
        /// Of all records.
        len: usize,
    },
}

impl Feed {
    /// The block, or None if it is not held. `io` says whether to wait for the device. Errors:
    /// `BadBlock` or `NodeMissing` if it, or a node that says where it is, is damaged; then it is
    /// for `repair`.
    pub async fn get(&self, io: &Io, block: BlockIndex) -> Result<Option<Bytes>, FeedError> {
        self.steady(|seen| self.get_at(io, block, seen)).await?
    }

    pub(super) async fn get_at(&self, io: &Io, block: BlockIndex, seen: Version) -> Result<Option<Bytes>, FeedError> {
        if !self.has(block) {
            return Ok(None);
        }
        let (offset, leaf) = self.locate(io, block, seen).await?;
        let data = self.read_data(io, block, offset, leaf.size).await?;
        if leaf_hash(&data) != leaf.hash {
            return Err(FeedError::BadBlock(block));
        }
        Ok(Some(data))
    }

    /// Where a held block begins in the data file, and its leaf.
    pub(super) async fn locate(&self, io: &Io, block: BlockIndex, seen: Version) -> Result<(u64, Node), FeedError> {
        if let Ok(known) = self.state.lock().locate(block) {
            return Ok(known);
        }
        let mut indexes: Vec<NodeIndex> = full_roots(block.0).collect();
        indexes.push(block.leaf());
        let nodes = self.nodes(io, &indexes, seen).await?;
        let leaf = nodes.last().copied().ok_or(FeedError::NodeMissing(block.leaf().0))?;
        let sum = nodes.iter().fold(0u64, |sum, node| sum.saturating_add(node.size));
        let offset = sum.saturating_sub(leaf.size);
        let mut state = self.state.lock();
        if !state.is_replaced_since(seen) {
            state.cursor = Some(Cursor::after(offset, leaf));
        }
        Ok((offset, leaf))
    }

    /// Reads data of a length that nodes tell; one that cannot be is damage, not an allocation.
    pub(super) async fn read_data(
        &self,
        io: &Io,
        block: BlockIndex,
        offset: u64,
        size: u64,
    ) -> Result<Bytes, FeedError> {
        let bad = FeedError::BadBlock(block);
        if size > self.byte_len() {
            return Err(bad);
        }
        let len = usize::try_from(size).map_err(|_| bad.clone())?;
        if len == 0 {
            return Ok(Bytes::new());
        }
        // A byte length that is rotten itself bounds nothing; the file does.
        if len > MAX_BLOCK_SIZE && io.len(File::Data).await?.unwrap_or(0) < offset.saturating_add(size) {
            return Err(bad);
        }
        io.read(File::Data, offset, len).await?.ok_or(bad)
    }

    /// What to read for a block, for readers who read by themselves, and the version to name
    /// afterwards; None if the block is not held, or is damaged or empty.
    pub fn next_read(&self, block: BlockIndex) -> Option<(BlockRead, Version)> {
        let mut state = self.state.lock();
        if !state.bitfield.get(block.0) {
            return None;
        }
        let read = match state.locate(block) {
            Ok((offset, leaf)) => {
                let is_sound = leaf.size > 0 && leaf.size <= state.roots.byte_len();
                is_sound.then_some(BlockRead::Data { offset, len: leaf.size })?
            }
            Err(index) => {
                let (offset, len) = state.read_of(index).ok()?;
                BlockRead::Nodes { index, offset, len }
            }
        };
        Some((read, state.version))
    }

    /// True if these are the bytes of a block whose leaf is known without reading, and nothing was
    /// replaced since `seen`.
    pub fn matches(&self, block: BlockIndex, data: &[u8], seen: Version) -> bool {
        let leaf = {
            let mut state = self.state.lock();
            if state.is_replaced_since(seen) { None } else { state.nodes.find(block.leaf()) }
        };
        leaf.is_some_and(|leaf| leaf_hash(data) == leaf.hash)
    }
}
