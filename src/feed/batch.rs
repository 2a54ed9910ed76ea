//! Batch: several blocks in one go. What touches is read together, and all are hashed together.
//!
//! ```text
//! get_many   any blocks   one read for a run of small ones that touch; an answer for each
//! get_batch  start..end   one read of all leaves, one of all bytes; one answer
//! ```
//! A rotten leaf lies about sizes: then blocks are read one by one, so that the error names the
//! right one.
//!
//! Invariant: no more bytes are asked for than the log has.

use bytes::Bytes;

use super::error::FeedError;
use super::opened::Feed;
use super::state::Version;
use crate::math::crypto::{Node, leaf_hashes};
use crate::math::flat::BlockIndex;
use crate::store::{File, Io, layout, record};

/// A block of this size, in bytes, is read by itself.
const MAX_RUN: u64 = 64 * 1024;
/// Blocks that are looked up in about a microsecond.
const BLOCKS_A_UNIT: u64 = 16;

/// Blocks that lie back to back.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Their bytes, one after the other.
    pub data: Bytes,
    /// The size of each, in bytes.
    pub sizes: Vec<u64>,
}

type Values = Vec<Result<Option<Bytes>, FeedError>>;

impl Feed {
    /// Several blocks, with an answer for each: its bytes, or None if it is not held.
    pub(super) async fn get_many(&self, io: &Io, blocks: &[BlockIndex], seen: Version) -> Values {
        let mut places = Vec::with_capacity(blocks.len());
        for &block in blocks {
            places.push(if self.has(block) { self.locate(io, block, seen).await.map(Some) } else { Ok(None) });
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
            Ok(_) => Err(FeedError::BadBlock(block_of(leaf))),
            Err(error) => Err(error),
        });
        let place = |place| match place {
            Ok(Some(_)) => checked.next().unwrap_or(Ok(None)),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        places.into_iter().map(place).collect()
    }

    /// Blocks that lie back to back, in one read if that can be.
    async fn read_run(&self, io: &Io, run: &[(u64, Node)]) -> Vec<Result<Bytes, FeedError>> {
        let Some((offset, first)) = run.first() else { return Vec::new() };
        let total = total_size(run.iter().map(|(_, leaf)| leaf));
        let mut values = Vec::with_capacity(run.len());
        match self.read_data(io, block_of(first), *offset, total).await {
            Ok(mut data) => {
                let cut = |leaf: &Node| Ok(data.split_to(usize::try_from(leaf.size).unwrap_or(0).min(data.len())));
                values.extend(run.iter().map(|(_, leaf)| leaf).map(cut));
            }
            Err(FeedError::BadBlock(_)) if run.len() > 1 => {
                for (offset, leaf) in run {
                    values.push(self.read_data(io, block_of(leaf), *offset, leaf.size).await);
                }
            }
            Err(error) => values.resize(run.len(), Err(error)),
        }
        values
    }

    /// The blocks `start..end`, all of which must be held; None if one is not. `BadBlock` names the
    /// first that is damaged.
    pub async fn get_batch(&self, io: &Io, start: u64, end: u64) -> Result<Option<Batch>, FeedError> {
        self.steady(|seen| self.batch_at(io, start, end, seen)).await?
    }

    async fn batch_at(&self, io: &Io, start: u64, end: u64, seen: Version) -> Result<Option<Batch>, FeedError> {
        if start >= end {
            return Ok(Some(Batch::default()));
        }
        if self.count(start, end) != end.saturating_sub(start) {
            return Ok(None);
        }
        io.spend((end - start) / BLOCKS_A_UNIT)?;
        match self.read_all(io, start, end, seen).await {
            Err(FeedError::BadBlock(_) | FeedError::NodeMissing(_)) => self.read_each(io, start, end, seen).await,
            batch => batch.map(Some),
        }
    }

    async fn read_all(&self, io: &Io, start: u64, end: u64, seen: Version) -> Result<Batch, FeedError> {
        let (offset, _) = self.locate(io, BlockIndex(start), seen).await?;
        let leaves = self.read_leaves(io, start, end).await?;
        let data = self.read_data(io, BlockIndex(start), offset, total_size(&leaves)).await?;
        let mut rest = &*data;
        let mut blocks = Vec::with_capacity(leaves.len());
        for leaf in &leaves {
            let size = usize::try_from(leaf.size).unwrap_or(usize::MAX);
            let (block, after) = rest.split_at_checked(size).ok_or(FeedError::BadBlock(block_of(leaf)))?;
            blocks.push(block);
            rest = after;
        }
        match leaves.iter().zip(leaf_hashes(&blocks)).find(|(leaf, hash)| leaf.hash != *hash) {
            Some((leaf, _)) => Err(FeedError::BadBlock(block_of(leaf))),
            None => Ok(Batch { sizes: leaves.iter().map(|leaf| leaf.size).collect(), data }),
        }
    }

    /// The same block by block, to say which of them is damaged.
    async fn read_each(&self, io: &Io, start: u64, end: u64, seen: Version) -> Result<Option<Batch>, FeedError> {
        let (mut data, mut sizes) = (Vec::new(), Vec::new());
        for block in (start..end).map(BlockIndex) {
            match self.get_at(io, block, seen).await {
                Ok(Some(value)) => {
                    sizes.push(u64::try_from(value.len()).unwrap_or(u64::MAX));
                    data.push(value);
                }
                Ok(None) => return Ok(None),
                // A node may be on the way to many blocks; who repairs has to know which one was
                // meant.
                Err(FeedError::NodeMissing(_)) => return Err(FeedError::BadBlock(block)),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(Batch { data: data.concat().into(), sizes }))
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

fn block_of(leaf: &Node) -> BlockIndex {
    BlockIndex(leaf.index.0 / 2)
}

fn total_size<'a>(leaves: impl IntoIterator<Item = &'a Node>) -> u64 {
    leaves.into_iter().fold(0, |total, leaf| total.saturating_add(leaf.size))
}
