//! Opened: a log whose files are open, and what it says at once, without a read.
//!
//! Invariant: nothing here waits; what it tells is what was committed last.

use std::sync::Arc;

use parking_lot::Mutex;

use super::error::FeedError;
use super::hooks::Hooks;
use super::state::{State, Version};
use crate::log::bitfield::Bitfield;
use crate::log::tree;
use crate::math::crypto::KeyPair;
use crate::math::flat::BlockIndex;
use crate::store::{Io, StoreError};

/// How often a verb begins again because what it read was replaced meanwhile.
const MAX_TRIES: u32 = 8;

/// One opened log.
pub struct Feed {
    pub(super) io: Io,
    pub(super) hooks: Option<Arc<Hooks>>,
    /// The blocks' bytes are written by somebody else.
    pub(super) indexing: bool,
    pub(super) state: Mutex<State>,
}

impl Feed {
    /// The storage, for verbs that choose how to wait.
    pub fn io(&self) -> &Io {
        &self.io
    }

    /// The public key; None for a static feed before it is finalized.
    pub fn key(&self) -> Option<[u8; 32]> {
        self.state.lock().key
    }

    /// The 64-byte secret key of a writer.
    pub fn secret_key(&self) -> Option<[u8; 64]> {
        self.state.lock().pair.as_ref().map(KeyPair::secret_key)
    }

    /// True if this side may append: it has the secret key, or the feed is static and not
    /// finalized.
    pub fn is_writable(&self) -> bool {
        self.state.lock().is_writable()
    }

    /// True for a feed that carries signatures; false for a static one.
    pub fn is_signed(&self) -> bool {
        self.state.lock().signed
    }

    /// Length in blocks.
    pub fn len(&self) -> u64 {
        self.state.lock().roots.len()
    }

    /// True if there are no blocks.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length in bytes.
    pub fn byte_len(&self) -> u64 {
        self.state.lock().roots.byte_len()
    }

    /// True if the block is held.
    pub fn has(&self, block: BlockIndex) -> bool {
        self.state.lock().bitfield.get(block.0)
    }

    /// How many of the blocks in `start..end` are held.
    pub fn count(&self, start: u64, end: u64) -> u64 {
        self.state.lock().bitfield.count(start, end)
    }

    /// True if a node of ours turned out rotten since the log was opened: remotes should not rely
    /// on what we hold.
    pub fn is_suspect(&self) -> bool {
        self.state.lock().is_suspect
    }

    /// The asker's bits: which nodes around a block we hold.
    pub fn digest(&self, block: BlockIndex) -> u64 {
        tree::digest(&self.state.lock().bitfield, block)
    }

    /// Runs a pure step over the committed bitfield and length.
    pub fn with_local<T>(&self, step: impl FnOnce(&Bitfield, u64) -> T) -> T {
        let state = self.state.lock();
        step(&state.bitfield, state.roots.len())
    }

    /// Closes the files; the feed answers nothing afterwards.
    pub async fn close(&self) -> Result<(), StoreError> {
        self.io.close().await
    }

    /// Which log this is: it advances with every change.
    pub fn version(&self) -> Version {
        self.state.lock().version
    }

    /// Reads until nothing was replaced under the read: what comes out is of one log. `Changed` if
    /// that never happens.
    pub(super) async fn steady<T, F>(&self, read: impl Fn(Version) -> F) -> Result<T, FeedError>
    where
        F: Future<Output = T>,
    {
        for _ in 0..MAX_TRIES {
            let seen = self.version();
            let output = read(seen).await;
            if !self.state.lock().is_replaced_since(seen) {
                return Ok(output);
            }
        }
        Err(FeedError::Changed)
    }
}
