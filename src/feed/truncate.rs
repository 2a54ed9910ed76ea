//! Truncate: a shorter log. Whoever has shared the longer one forks it by appending again.

use bytes::Bytes;

use super::nodes::NodeCache;
use super::{Feed, FeedError};
use crate::log::merkle::Roots;
use crate::log::stage::Stage;
use crate::log::tree;
use crate::math::flat::BlockIndex;
use crate::store::{File, Write, layout};

impl Feed {
    /// Forgets all blocks from `len` on; false if the log is that long already. The signatures go before the bits: a
    /// later signature would bring the blocks back, a missing one is made again.
    pub async fn truncate(&self, len: u64) -> Result<bool, FeedError> {
        let old = self.len();
        if old <= len {
            return if old == len { Ok(false) } else { Err(FeedError::BeyondEnd) };
        }
        let roots = Roots::new(self.roots_of(len).await?);
        let stage = {
            let state = self.state.lock();
            let mut stage = Stage::new();
            stage.set_range(&state.bitfield, len, old, false);
            tree::truncate(&mut stage, &state.bitfield, len);
            stage
        };
        let first = layout::signature_offset(BlockIndex(len));
        self.io.clear(File::Signatures, first, layout::signature_offset(BlockIndex(old)) - first).await?;
        self.write_pages(&stage).await?;
        let mut state = self.state.lock();
        state.bitfield.apply(stage);
        state.roots = roots;
        state.nodes = NodeCache::default();
        state.cursor = None;
        Ok(true)
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
