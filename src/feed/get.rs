//! Get: blocks that are held, checked against their hashes.

use bytes::Bytes;

use super::{Cursor, Feed, FeedError, State};
use crate::log::stage::Stage;
use crate::math::crypto::{Node, leaf_hash, leaf_hashes};
use crate::math::flat::{BlockIndex, NodeIndex, full_roots};
use crate::store::{File, Io, StoreError, layout, record};

/// The largest block, in bytes. With its proof it may be more than a frame can carry (Q16).
pub const MAX_BLOCK_SIZE: usize = 8 * 1024 * 1024;
/// What may be read and hashed where nobody must be kept waiting, in bytes: about a quarter of a millisecond.
const MAX_HASTY: usize = 256 * 1024;
/// A block of this size, in bytes, is read by itself.
const MAX_RUN: u64 = 64 * 1024;

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
    /// A node and some behind it, from the tree file; then there is more to read.
    Nodes {
        /// The node.
        index: NodeIndex,
        /// Where its record begins.
        offset: u64,
        /// Of all records.
        len: usize,
    },
}

/// Blocks that lie back to back.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Their bytes, one after the other.
    pub data: Bytes,
    /// The size of each, in bytes.
    pub sizes: Vec<u64>,
}

impl Feed {
    /// The block, or None if it is not held. `io` says whether to wait for the device. One that is rotten is an error once;
    /// then a reader does not hold it any more.
    pub async fn get(&self, io: &Io, block: BlockIndex) -> Result<Option<Bytes>, FeedError> {
        let result = self.get_checked(io, block).await;
        if matches!(result, Err(FeedError::BadBlock(_) | FeedError::NodeMissing(_))) {
            self.weed(block).await?;
            self.forget_block(block);
        }
        result
    }

    async fn get_checked(&self, io: &Io, block: BlockIndex) -> Result<Option<Bytes>, FeedError> {
        if !self.has(block) {
            return Ok(None);
        }
        let (offset, leaf) = self.locate(io, block).await?;
        let data = self.read_data(io, block, offset, leaf.size).await?;
        if leaf_hash(&data) != leaf.hash {
            return Err(FeedError::BadBlock(block));
        }
        Ok(Some(data))
    }

    /// A rotten block of a reader counts as not held from now on, so that it is fetched again. A writer's may be the only one.
    fn forget_block(&self, block: BlockIndex) {
        let mut state = self.state.lock();
        if state.pair.is_none() {
            let mut stage = Stage::new();
            stage.set(&state.bitfield, block.0, false);
            state.bitfield.apply(stage);
        }
    }

    /// Several blocks in one go: what touches is read together, and all are hashed together.
    pub(super) async fn get_many(&self, io: &Io, blocks: &[BlockIndex]) -> Vec<Result<Option<Bytes>, FeedError>> {
        let mut places = Vec::with_capacity(blocks.len());
        for &block in blocks {
            places.push(if self.has(block) { self.locate(io, block).await.map(Some) } else { Ok(None) });
        }
        let found: Vec<(u64, Node)> = places.iter().filter_map(|place| *place.as_ref().ok()?).collect();
        let mut values = Vec::with_capacity(found.len());
        for run in found.chunk_by(|a, b| a.0.saturating_add(a.1.size) == b.0 && b.1.size < MAX_RUN) {
            values.extend(self.read_run(io, run).await);
        }
        let data: Vec<&[u8]> = values.iter().map(|value| value.as_deref().unwrap_or_default()).collect();
        let hashes = leaf_hashes(&data);
        let mut checked = values.into_iter().zip(&found).zip(hashes).map(|((value, (_, leaf)), hash)| match value {
            Ok(value) if hash == leaf.hash => Ok(Some(value)),
            Ok(_) => Err(FeedError::BadBlock(BlockIndex(leaf.index.0 / 2))),
            Err(error) => Err(error),
        });
        let place = |place| match place {
            Ok(Some(_)) => checked.next().unwrap_or(Ok(None)),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        places.into_iter().map(place).collect()
    }

    /// Blocks that lie back to back, in one read.
    async fn read_run(&self, io: &Io, run: &[(u64, Node)]) -> Vec<Result<Bytes, FeedError>> {
        let Some((offset, first)) = run.first() else { return Vec::new() };
        let total = run.iter().fold(0u64, |total, (_, leaf)| total.saturating_add(leaf.size));
        match self.read_data(io, BlockIndex(first.index.0 / 2), *offset, total).await {
            Ok(mut data) => run
                .iter()
                .map(|(_, leaf)| Ok(data.split_to(usize::try_from(leaf.size).unwrap_or(0).min(data.len()))))
                .collect(),
            Err(error) => run.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// The blocks `start..end`, all of which must be held; None if one is not.
    pub async fn get_batch(&self, io: &Io, start: u64, end: u64) -> Result<Option<Batch>, FeedError> {
        if self.count(start, end) != end.saturating_sub(start) {
            return Ok(None);
        }
        if start >= end {
            return Ok(Some(Batch::default()));
        }
        let (offset, _) = self.locate(io, BlockIndex(start)).await?;
        let leaves = self.read_leaves(io, start, end).await?;
        let total = leaves.iter().map(|leaf| leaf.size).sum();
        let data = self.read_data(io, BlockIndex(start), offset, total).await?;
        let mut rest = &*data;
        let mut blocks = Vec::with_capacity(leaves.len());
        for leaf in &leaves {
            let size = usize::try_from(leaf.size).unwrap_or(usize::MAX);
            let (block, behind) =
                rest.split_at_checked(size).ok_or(FeedError::BadBlock(BlockIndex(leaf.index.0 / 2)))?;
            blocks.push(block);
            rest = behind;
        }
        match leaves.iter().zip(leaf_hashes(&blocks)).find(|(leaf, hash)| leaf.hash != *hash) {
            Some((leaf, _)) => Err(FeedError::BadBlock(BlockIndex(leaf.index.0 / 2))),
            None => Ok(Some(Batch { sizes: leaves.iter().map(|leaf| leaf.size).collect(), data })),
        }
    }

    /// Where a held block begins in the data file, and its leaf.
    pub(super) async fn locate(&self, io: &Io, block: BlockIndex) -> Result<(u64, Node), FeedError> {
        if let Ok(known) = self.state.lock().locate(block) {
            return Ok(known);
        }
        let mut indexes: Vec<NodeIndex> = full_roots(block.0).collect();
        indexes.push(block.leaf());
        let nodes = self.nodes(io, &indexes).await?;
        let leaf = nodes.last().copied().ok_or(FeedError::NodeMissing(block.leaf().0))?;
        let sum = nodes.iter().fold(0u64, |sum, node| sum.saturating_add(node.size));
        let offset = sum.saturating_sub(leaf.size);
        self.state.lock().cursor = Some(Cursor::after(offset, leaf));
        Ok((offset, leaf))
    }

    /// What to read for a block, for readers who read by themselves; None if the block is not held, or is damaged or empty.
    pub fn next_read(&self, block: BlockIndex) -> Option<BlockRead> {
        let mut state = self.state.lock();
        if !state.bitfield.get(block.0) {
            return None;
        }
        match state.locate(block) {
            Ok((offset, leaf)) => {
                let is_sound = leaf.size > 0 && leaf.size <= state.roots.byte_len();
                is_sound.then_some(BlockRead::Data { offset, len: leaf.size })
            }
            Err(index) => {
                let (offset, len) = state.run(index);
                Some(BlockRead::Nodes { index, offset, len })
            }
        }
    }

    /// True if these are the bytes of a block whose leaf is known without reading.
    pub fn matches(&self, block: BlockIndex, data: &[u8]) -> bool {
        let leaf = self.state.lock().nodes.find(block.leaf());
        leaf.is_some_and(|leaf| leaf_hash(data) == leaf.hash)
    }

    /// Reads data of a length that a node told; one that cannot be is damage, not an allocation.
    async fn read_data(&self, io: &Io, block: BlockIndex, offset: u64, size: u64) -> Result<Bytes, FeedError> {
        let bad = FeedError::BadBlock(block);
        if size > self.byte_len() {
            return Err(bad);
        }
        let size = usize::try_from(size).map_err(|_| bad.clone())?;
        if size == 0 {
            return Ok(Bytes::new());
        }
        if size > MAX_HASTY && io.is_hasty() {
            return Err(StoreError::WouldBlock.into());
        }
        io.read(File::Data, offset, size).await?.ok_or(bad)
    }

    /// The leaves of `start..end`: remembered, or in one read, for they lie 80 bytes apart.
    async fn read_leaves(&self, io: &Io, start: u64, end: u64) -> Result<Vec<Node>, FeedError> {
        let known: Option<Vec<Node>> = {
            let mut state = self.state.lock();
            (start..end).map(|block| state.nodes.find(BlockIndex(block).leaf())).collect()
        };
        if let Some(leaves) = known {
            return Ok(leaves);
        }
        let first = BlockIndex(start).leaf();
        let missing = FeedError::NodeMissing(first.0);
        let count = usize::try_from(end - start).map_err(|_| missing.clone())?;
        let size = count.saturating_mul(2 * layout::NODE_LEN) - layout::NODE_LEN;
        let bytes = io.read(File::Tree, layout::node_offset(first), size).await?.ok_or(missing)?;
        bytes
            .chunks(2 * layout::NODE_LEN)
            .zip(start..end)
            .map(|(pair, block)| {
                let index = BlockIndex(block).leaf();
                let leaf =
                    pair.get(..layout::NODE_LEN).and_then(|leaf| record::decode_node(index, leaf).ok().flatten());
                leaf.ok_or(FeedError::NodeMissing(index.0))
            })
            .collect()
    }
}

impl State {
    /// Where a block begins, and its leaf; or a node that is needed for it and not remembered.
    fn locate(&mut self, block: BlockIndex) -> Result<(u64, Node), NodeIndex> {
        let mut find = |index| self.nodes.find(index).ok_or(index);
        let leaf = find(block.leaf())?;
        let offset = match self.cursor.filter(|cursor| cursor.block == block) {
            Some(cursor) => cursor.offset,
            None => full_roots(block.0).try_fold(0u64, |sum, root| Ok(sum.saturating_add(find(root)?.size)))?,
        };
        self.cursor = Some(Cursor::after(offset, leaf));
        Ok((offset, leaf))
    }
}
