//! Tell: what a feed can say about itself: nodes, roots, signatures, proofs.

use super::{Feed, FeedError, Served, Wanted};
use crate::log::merkle::Roots;
use crate::log::tree;
use crate::math::crypto::{Node, SignatureBytes};
use crate::math::flat::{BlockIndex, full_roots};
use crate::store::{File, layout, record};

impl Feed {
    /// The leaf of a block: its hash and size.
    pub async fn leaf(&self, block: BlockIndex) -> Result<Node, FeedError> {
        self.node(&self.io, block.leaf()).await
    }

    /// The asker's bits: which nodes around a block we hold.
    pub fn digest(&self, block: BlockIndex) -> u64 {
        tree::digest(&self.state.lock().bitfield, block)
    }

    /// The roots of the first `len` blocks, from left to right.
    pub async fn roots_of(&self, len: u64) -> Result<Vec<Node>, FeedError> {
        self.nodes(&self.io, &full_roots(len).collect::<Vec<_>>()).await
    }

    /// The first signature that covers a block, and the last block that it covers.
    pub async fn signature_after(&self, block: u64) -> Result<(u64, SignatureBytes), FeedError> {
        for last in block..self.len() {
            let offset = layout::signature_offset(BlockIndex(last));
            let bytes = self.io.read(File::Signatures, offset, layout::SIGNATURE_LEN).await?;
            if let Some(signature) = bytes.and_then(|bytes| record::decode_signature(&bytes)) {
                return Ok((last, signature));
            }
        }
        Err(FeedError::NoSignature)
    }

    /// Whether a signature is the writer's over the log up to and with `block`.
    pub async fn is_signed_by(&self, block: u64, signature: &SignatureBytes) -> Result<bool, FeedError> {
        let len = block + 1;
        let roots = Roots::new(self.roots_of(len).await?);
        self.verified(&roots.hash(), len, signature).await
    }

    /// The proof of a block for somebody with this digest. With `hash` the leaf is part of it.
    pub async fn prove(&self, block: BlockIndex, digest: u64, hash: bool) -> Result<Served, FeedError> {
        let plan = {
            let state = self.state.lock();
            tree::proof(&state.bitfield, block.leaf(), digest, hash, &mut tree::RemoteTree::default())
        };
        let plan = plan.ok_or(FeedError::NoProof)?;
        let wanted = Wanted { block, hash: true, plan };
        self.serve(&self.io, &[wanted]).await.pop().unwrap_or(Ok(None))?.ok_or(FeedError::NoSignature)
    }
}
