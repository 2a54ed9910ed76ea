//! Append: new blocks at the end, one signature for the whole batch.

use bytes::Bytes;

use super::{Feed, FeedError, MAX_BLOCK_SIZE, State, node_writes, signature_write};
use crate::log::merkle::Roots;
use crate::log::stage::Stage;
use crate::math::crypto::{self, KeyPair, Node, SignatureBytes};
use crate::math::flat::BlockIndex;
use crate::store::{File, Write};

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

/// Everything an append will write and publish, computed on copies.
struct Draft {
    start: u64,
    offset: u64,
    roots: Roots,
    nodes: Vec<Node>,
    signature: Option<SignatureBytes>,
}

impl Feed {
    /// Appends `blocks`, each at most 8 MiB. On an error nothing has changed and the same call may be made again.
    pub async fn append(&self, blocks: Vec<Bytes>) -> Result<Appended, FeedError> {
        if blocks.iter().any(|block| block.len() > MAX_BLOCK_SIZE) {
            return Err(FeedError::BlockTooLarge);
        }
        let draft = self.draft(&blocks).await?;
        let appended = Appended { start: draft.start, len: draft.roots.len(), byte_len: draft.roots.byte_len() };
        if blocks.is_empty() {
            return Ok(appended);
        }
        self.io.write_batch(draft.writes(blocks, self.indexing)).await?;
        let stage = self.stage(&draft);
        self.write_pages(&stage).await?;
        let mut state = self.state.lock();
        state.bitfield.apply(stage);
        draft.nodes.into_iter().for_each(|node| state.nodes.insert(node));
        state.roots = draft.roots;
        Ok(appended)
    }

    async fn draft(&self, blocks: &[Bytes]) -> Result<Draft, FeedError> {
        let old = {
            let state = self.state.lock();
            state.check_writable()?;
            state.roots.clone()
        };
        let blocks: Vec<&[u8]> = blocks.iter().map(|block| &**block).collect();
        let (roots, nodes) = old.append(&blocks);
        let signature = if blocks.is_empty() { None } else { self.sign(&roots).await? };
        Ok(Draft { start: old.len(), offset: old.byte_len(), roots, nodes, signature })
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

    fn stage(&self, draft: &Draft) -> Stage {
        let state = self.state.lock();
        let mut stage = Stage::new();
        stage.set_range(&state.bitfield, draft.start, draft.roots.len(), true);
        for node in &draft.nodes {
            stage.set_node(&state.bitfield, node.index, true);
        }
        stage
    }
}

impl Draft {
    /// Data, tree, signature, in this order.
    fn writes(&self, blocks: Vec<Bytes>, indexing: bool) -> Vec<Write> {
        let mut writes = Vec::new();
        if !indexing {
            writes.push(Write { file: File::Data, offset: self.offset, data: blocks });
        }
        writes.extend(node_writes(self.nodes.clone()));
        let last = BlockIndex(self.roots.len().saturating_sub(1));
        writes.extend(self.signature.as_ref().map(|signature| signature_write(last, signature)));
        writes
    }
}

impl State {
    fn signing_pair(&self) -> Option<KeyPair> {
        self.pair.clone().filter(|_| self.signed)
    }

    fn check_writable(&self) -> Result<(), FeedError> {
        match (&self.pair, self.key) {
            _ if self.may_fork => Err(FeedError::ForkRisk),
            (None, Some(_)) => Err(FeedError::NotWritable),
            _ => Ok(()),
        }
    }
}
