//! Report: what a feed can say about itself: leaves, roots, signatures, proofs.
//!
//! ```text
//! signatures   - | - | s 2 | - | s 4        the first that covers block 1 is s 2, block 3 is covered by s 4
//! ```
//! What is not there is the caller's fault: no roots for a length that was never reached, no
//! signature, no proof.
//!
//! Source: hypercore@9.12.0 index.js `signature`, `rootHashes`, `verify`, `proof`.

use super::error::FeedError;
use super::opened::Feed;
use super::records::{SIGNATURES_A_READ, decode_signatures, read_signatures};
use super::serve::{Served, Wanted};
use super::state::Version;
use crate::log::tree;
use crate::math::crypto::{Node, SignatureBytes};
use crate::math::flat::BlockIndex;
use crate::store::Io;

impl Feed {
    /// The leaf of a block: its hash and size.
    pub async fn leaf(&self, io: &Io, block: BlockIndex) -> Result<Node, FeedError> {
        self.steady(|seen| self.node(io, block.leaf(), seen)).await?
    }

    /// The roots of the first `len` blocks, from left to right. `RootsMissing` if the log is
    /// shorter, or a root is not held.
    pub async fn roots_of(&self, io: &Io, len: u64) -> Result<Vec<Node>, FeedError> {
        let roots = self.steady(|seen| self.roots_at(io, len, seen)).await??;
        Ok(roots.nodes().to_vec())
    }

    /// The first signature that covers a block, and the last block that it covers. `NoSignature` if
    /// there is none.
    pub async fn signature_after(&self, io: &Io, block: u64) -> Result<(u64, SignatureBytes), FeedError> {
        self.steady(|_| self.find_signature(io, block)).await?
    }

    async fn find_signature(&self, io: &Io, block: u64) -> Result<(u64, SignatureBytes), FeedError> {
        let (len, mut start, mut count) = (self.len(), block, 1);
        while start < len {
            let end = start.saturating_add(count).min(len);
            let stored = read_signatures(io, start, end).await?;
            if let Some((covered, signature)) = decode_signatures(&stored, start).next() {
                return Ok((covered - 1, signature));
            }
            if stored.is_empty() {
                break;
            }
            // Most blocks have a signature of their own; whoever is inside a batch may have a long
            // way to go.
            (start, count) = (end, SIGNATURES_A_READ);
        }
        Err(FeedError::NoSignature)
    }

    /// Whether a signature is the writer's over the log up to and with `block`.
    pub async fn is_signed_by(&self, io: &Io, block: u64, signature: &SignatureBytes) -> Result<bool, FeedError> {
        let len = block.saturating_add(1);
        let roots = self.steady(|seen: Version| self.roots_at(io, len, seen)).await??;
        self.verified(&roots.hash(), len, signature).await
    }

    /// The proof of a block for somebody with this digest. With `hash` the leaf is part of it.
    pub async fn prove(&self, io: &Io, block: BlockIndex, digest: u64, hash: bool) -> Result<Served, FeedError> {
        let plan = self.with_local(|bitfield, _| {
            tree::proof(bitfield, block.leaf(), digest, hash, &mut tree::RemoteTree::default())
        });
        let wanted = Wanted { block, hash: true, plan: plan.ok_or(FeedError::NoProof)? };
        self.serve(io, &[wanted]).await.pop().unwrap_or(Ok(None))?.ok_or(FeedError::NoSignature)
    }
}
