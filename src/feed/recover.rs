//! Recover: how long a log is, by what its own signatures say.
//!
//! The bitfield is a cache of tree and signatures. The length that it tells is taken only if the roots of that length
//! are there and carry the writer's signature; else the last shorter length for which that holds. A writer that had
//! to walk back refuses to append, for it may have announced what it lost (`EFORKRISK`).

use super::nodes::read_node;
use super::{FeedError, State};
use crate::log::merkle::Roots;
use crate::math::crypto::SignatureBytes;
use crate::math::flat::{BlockIndex, full_roots};
use crate::store::{File, Io, layout, record};

/// Signatures looked at in one read while walking back.
const STEP: u64 = 1024;

impl State {
    /// Sets the roots for the longest length up to `len` that verifies. Where the owner verifies in its own way, a
    /// signature is enough: it was asked when the signature came.
    pub(super) async fn settle(&mut self, io: &Io, len: u64, trusts: bool) -> Result<(), FeedError> {
        if len == 0 || self.accept(io, len, read_signature(io, len).await?, trusts).await? {
            return Ok(());
        }
        let mut end = len.saturating_sub(1);
        while end > 0 {
            let start = end.saturating_sub(STEP);
            for (shorter, signature) in signatures(io, start, end).await?.into_iter().rev() {
                if self.accept(io, shorter, Some(signature), trusts).await? {
                    self.may_fork = self.pair.is_some();
                    return Ok(());
                }
            }
            end = start;
        }
        self.may_fork = self.pair.is_some();
        Ok(())
    }

    /// Takes the roots of `len` blocks if they are all there and the writer vouches for them.
    async fn accept(
        &mut self,
        io: &Io,
        len: u64,
        signature: Option<SignatureBytes>,
        trusts: bool,
    ) -> Result<bool, FeedError> {
        let mut roots = Vec::new();
        for index in full_roots(len) {
            match read_node(io, index).await? {
                Some(node) => roots.push(node),
                None => return Ok(false),
            }
        }
        let roots = Roots::new(roots);
        let is_static = signature.is_none() && (self.key.is_none() || self.key == Some(roots.hash()));
        let vouched = is_static
            || match &signature {
                Some(signature) => trusts || self.verifies(&roots.hash(), len, signature),
                // Every node is there and the secret key is ours: the signature can be made again at any time.
                None => self.pair.is_some(),
            };
        if vouched {
            self.signed = !is_static;
            self.roots = roots;
        }
        Ok(vouched)
    }
}

async fn read_signature(io: &Io, len: u64) -> Result<Option<SignatureBytes>, FeedError> {
    let offset = layout::signature_offset(BlockIndex(len.saturating_sub(1)));
    let bytes = io.read(File::Signatures, offset, layout::SIGNATURE_LEN).await?;
    Ok(bytes.and_then(|bytes| record::decode_signature(&bytes)))
}

/// The signatures of the lengths `start + 1 ..= end`, with these lengths.
async fn signatures(io: &Io, start: u64, end: u64) -> Result<Vec<(u64, SignatureBytes)>, FeedError> {
    let size = usize::try_from(end - start).unwrap_or(0) * layout::SIGNATURE_LEN;
    let bytes = io.read_up_to(File::Signatures, layout::signature_offset(BlockIndex(start)), size).await?;
    let found = bytes.chunks_exact(layout::SIGNATURE_LEN).zip(start + 1..=end);
    Ok(found.filter_map(|(bytes, len)| Some((len, record::decode_signature(bytes)?))).collect())
}
