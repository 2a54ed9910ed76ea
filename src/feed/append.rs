//! Append: new blocks at the end, one signature for the whole batch.
//!
//! ```text
//! roots + blocks ──► new nodes, new roots ──► signed (by the owner, if it wants to) ──► committed
//! ```
//! Too large a block, or no secret key, is the caller's fault; a failed write is the disk's, and
//! the log is as it was.
//!
//! Source: hypercore@9.12.0 index.js `_append`.

use bytes::Bytes;

use super::commit::Commit;
use super::error::FeedError;
use super::get::MAX_BLOCK_SIZE;
use super::opened::Feed;
use crate::log::merkle::Roots;
use crate::math::crypto::{self, SignatureBytes};
use crate::math::flat::BlockIndex;

/// What an append did.
#[derive(Clone, Copy, Debug)]
pub struct Appended {
    /// Index of the first new block; the old length for an empty batch.
    pub start: u64,
    /// The new length in blocks.
    pub len: u64,
    /// The new length in bytes.
    pub byte_len: u64,
}

impl Feed {
    /// Appends `blocks`, each at most 8 MiB. On an error nothing has changed and the same call may
    /// be made again.
    pub async fn append(&self, blocks: Vec<Bytes>) -> Result<Appended, FeedError> {
        if blocks.iter().any(|block| block.len() > MAX_BLOCK_SIZE) {
            return Err(FeedError::BlockTooLarge);
        }
        let old = {
            let state = self.state.lock();
            state.check_writable()?;
            state.roots.clone()
        };
        if blocks.is_empty() {
            return Ok(Appended { start: old.len(), len: old.len(), byte_len: old.byte_len() });
        }
        let slices: Vec<&[u8]> = blocks.iter().map(|block| &**block).collect();
        let (roots, nodes) = old.append(&slices);
        let (start, len) = (old.len(), roots.len());
        let signature = self.sign(&roots).await?;
        let stage = self.stage(|stage, bitfield| {
            stage.set_range(bitfield, start, len, true);
            nodes.iter().for_each(|node| {
                stage.set_node(bitfield, node.index, true);
            });
        });
        let commit = Commit {
            data: if self.indexing { Vec::new() } else { vec![(old.byte_len(), blocks)] },
            nodes,
            signatures: signature.map(|signature| (BlockIndex(len.saturating_sub(1)), signature)).into_iter().collect(),
            stage,
            replaces: false,
        };
        let appended = Appended { start, len, byte_len: roots.byte_len() };
        self.commit(commit, |state| state.roots = roots).await?;
        Ok(appended)
    }

    /// The writer's signature over new roots; None in a static feed.
    async fn sign(&self, roots: &Roots) -> Result<Option<SignatureBytes>, FeedError> {
        let Some(pair) = self.state.lock().signing_pair() else { return Ok(None) };
        let message = crypto::signable(&roots.hash(), roots.len());
        match self.hooks.as_ref().filter(|hooks| hooks.signs) {
            Some(hooks) => hooks.sign(&message).await.map(Some),
            None => Ok(Some(pair.sign(&message))),
        }
    }
}
