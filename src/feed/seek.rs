//! Seek: which block holds a byte.
//!
//! ```text
//!        7          size 70: byte 45 is in it        left child held?  its size says left or right
//!    3      11      sizes 40, 30: on to 11 with 5    right child held? the left is what remains
//!  1   5  9   ?     ...                              neither: add up what is held below, from the left
//! ```
//! A byte after the end is the caller's fault. Where the held nodes lead no further the answer is a
//! range of blocks.
//!
//! Invariant: this is the one verb that must look before it steps: one read a level.
//! Source: hypercore@9.12.0 index.js `seek`, `_seek`.

use super::error::FeedError;
use super::opened::Feed;
use super::state::Version;
use crate::math::flat::NodeIndex;
use crate::store::Io;

/// How far the held nodes lead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// The block, and the byte's place inside it.
    Block {
        /// The block's index; the length if the byte is the end of the log.
        index: u64,
        /// Bytes into the block.
        offset: u64,
    },
    /// It is in one of the blocks `start..end`; their sizes are not known.
    Within {
        /// First block.
        start: u64,
        /// One past the last block.
        end: u64,
    },
}

/// The smallest subtree known to hold the byte.
#[derive(Clone, Copy)]
struct Spot {
    node: NodeIndex,
    size: Option<u64>,
    offset: u64,
}

impl Feed {
    /// Looks for the byte at `bytes` from the start. `OutOfBounds` if there is none.
    pub async fn seek(&self, io: &Io, bytes: u64) -> Result<Sought, FeedError> {
        self.steady(|seen| self.seek_at(io, bytes, seen)).await?
    }

    async fn seek_at(&self, io: &Io, bytes: u64, seen: Version) -> Result<Sought, FeedError> {
        if bytes == self.byte_len() {
            return Ok(Sought::Block { index: self.len(), offset: 0 });
        }
        let mut spot = self.seek_root(bytes)?;
        while !spot.node.is_leaf() {
            match self.seek_down(io, spot, seen).await? {
                Some(next) => spot = next,
                None => break,
            }
        }
        let start = spot.node.left_span().0 / 2;
        Ok(if spot.node.is_leaf() {
            Sought::Block { index: start, offset: spot.offset }
        } else {
            Sought::Within { start, end: spot.node.right_span().0 / 2 + 1 }
        })
    }

    fn seek_root(&self, bytes: u64) -> Result<Spot, FeedError> {
        let mut offset = bytes;
        for root in self.state.lock().roots.nodes() {
            if offset < root.size {
                return Ok(Spot { node: root.index, size: Some(root.size), offset });
            }
            offset -= root.size;
        }
        Err(FeedError::OutOfBounds)
    }

    /// Further down, or None if the held nodes lead no further.
    async fn seek_down(&self, io: &Io, spot: Spot, seen: Version) -> Result<Option<Spot>, FeedError> {
        let (Some(left), Some(right)) = (spot.node.left_child(), spot.node.right_child()) else { return Ok(None) };
        let left_size = self.held_size(io, left, seen).await?;
        let right_size = match (left_size, spot.size) {
            (Some(left), Some(all)) => Some(all.saturating_sub(left)),
            _ => self.held_size(io, right, seen).await?,
        };
        let left_size = left_size.or_else(|| Some(spot.size?.saturating_sub(right_size?)));
        match left_size {
            Some(size) if spot.offset < size => Ok(Some(Spot { node: left, size: Some(size), offset: spot.offset })),
            Some(size) => Ok(Some(Spot { node: right, size: right_size, offset: spot.offset - size })),
            None => self.seek_deep(io, spot, left, seen).await,
        }
    }

    /// Neither child is held, but nodes further down may be: adds them up from the left as long as
    /// they touch.
    async fn seek_deep(&self, io: &Io, spot: Spot, left: NodeIndex, seen: Version) -> Result<Option<Spot>, FeedError> {
        let mut offset = spot.offset;
        let mut next = Some(left);
        while let Some(top) = next {
            let Some((node, size)) = self.held_on_left(io, top, seen).await? else { return Ok(None) };
            if offset < size {
                return Ok(Some(Spot { node, size: Some(size), offset }));
            }
            offset -= size;
            next = right_neighbour(node, spot.node);
        }
        Ok(None)
    }

    /// The highest held node that begins where `top` begins.
    async fn held_on_left(
        &self,
        io: &Io,
        top: NodeIndex,
        seen: Version,
    ) -> Result<Option<(NodeIndex, u64)>, FeedError> {
        let mut node = Some(top);
        while let Some(index) = node {
            if let Some(size) = self.held_size(io, index, seen).await? {
                return Ok(Some((index, size)));
            }
            node = index.left_child();
        }
        Ok(None)
    }

    async fn held_size(&self, io: &Io, index: NodeIndex, seen: Version) -> Result<Option<u64>, FeedError> {
        io.spend(1)?;
        let is_held = self.state.lock().bitfield.has_node(index);
        if is_held { Ok(Some(self.node(io, index, seen).await?.size)) } else { Ok(None) }
    }
}

/// The highest node that begins where `node` ends, inside the subtree of `top`.
fn right_neighbour(node: NodeIndex, top: NodeIndex) -> Option<NodeIndex> {
    let mut up = node;
    while up != top {
        if up < up.sibling() {
            return Some(up.sibling());
        }
        up = up.parent();
    }
    None
}
