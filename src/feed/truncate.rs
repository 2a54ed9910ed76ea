//! Truncate: a shorter log. Whoever has shared the longer one forks it by appending again.
//!
//! ```text
//! signatures cut ──► bits of blocks and nodes cleared ──► published
//! ```
//! The signatures go before the bits: a later signature would bring the blocks back, a missing one
//! is made again. Data and nodes stay on disk until they are written over.
//!
//! Source: hypercore@9.12.0 index.js `truncate`, `finalize`.

use bytes::Bytes;

use super::cache::NodeCache;
use super::commit::Commit;
use super::error::FeedError;
use super::opened::Feed;
use crate::log::tree;
use crate::math::flat::BlockIndex;
use crate::store::{File, Io, StoreError, Write, layout};

/// Pages of the bitfield that are changed in no time.
const FEW_PAGES: usize = 8;

impl Feed {
    /// Forgets all blocks from `len` on; false if the log is that long already. `WouldBlock`, and
    /// nothing has changed, if `io` must not wait and this is much.
    pub async fn truncate(&self, io: &Io, len: u64) -> Result<bool, FeedError> {
        let old = self.len();
        if old <= len {
            return if old == len { Ok(false) } else { Err(FeedError::BeyondEnd) };
        }
        self.check_haste(io, len, old)?;
        let roots = self.roots_at(io, len, self.version()).await?;
        let stage = self.stage(|stage, bitfield| {
            stage.set_range(bitfield, len, old, false);
            tree::truncate(stage, bitfield, len);
        });
        let first = layout::signature_offset(BlockIndex(len));
        self.io.clear(File::Signatures, first, layout::signature_offset(BlockIndex(old)) - first).await?;
        let commit = Commit { stage, replaces: true, ..Commit::default() };
        self.commit(commit, |state| {
            state.roots = roots;
            state.nodes = NodeCache::default();
            state.cursor = None;
        })
        .await?;
        Ok(true)
    }

    /// `WouldBlock` if `io` must not wait and a change of the blocks `start..end` is more than a
    /// moment's work.
    pub(super) fn check_haste(&self, io: &Io, start: u64, end: u64) -> Result<(), FeedError> {
        let pages = |bitfield: &_| crate::log::bitfield::Bitfield::pages_between(bitfield, start, end, FEW_PAGES + 1);
        let is_much = io.is_hasty() && self.with_local(|bitfield, _| pages(bitfield)) > FEW_PAGES;
        if is_much { Err(StoreError::WouldBlock.into()) } else { Ok(()) }
    }

    /// Gives a static feed its key: the hash of its roots. Any other keeps the key it has.
    pub async fn finalize(&self) -> Result<[u8; 32], FeedError> {
        let key = {
            let state = self.state.lock();
            state.key.unwrap_or_else(|| state.roots.hash())
        };
        let write = Write { file: File::Key, offset: 0, data: vec![Bytes::copy_from_slice(&key)] };
        self.io.write_batch(vec![write]).await?;
        self.state.lock().key = Some(key);
        Ok(key)
    }
}
