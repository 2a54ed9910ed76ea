//! Feed: one log on its storage. One verb a file.
//!
//! ```text
//! Feed ── Io            the six files, wherever they are
//!      └─ State (lock)  key, roots, bitfield, node cache: what is committed, nothing else
//! ```
//! Verbs are futures: on a native storage they are over at the first poll, on any other they wait for answers. The
//! lock is held for pure steps only, never over I/O. A verb that changes the log reads the state, computes on copies,
//! writes data, tree, signatures, then bitfield, and publishes last; a failed write leaves the feed as it was.
//!
//! Invariant: at most one changing verb runs at a time on a feed (the engine queues them); reading verbs run freely.
//! Source: hypercore@9.12.0 index.js, lib/storage.js.

mod append;
mod audit;
mod clear;
mod error;
mod get;
mod hooks;
mod nodes;
mod open;
mod put;
mod recover;
mod rot;
mod seek;
mod serve;
mod tell;
#[cfg(test)]
mod tests;
mod truncate;

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

use crate::log::bitfield::Bitfield;
use crate::log::merkle::Roots;
use crate::log::stage::Stage;
use crate::math::crypto::{KeyPair, Node, PublicKey, SignatureBytes};
use crate::math::flat::BlockIndex;
use crate::store::{File, Io, StoreError, Write, layout, record};

pub use append::Appended;
pub use audit::Report;
pub use error::FeedError;
pub use get::{Batch, BlockRead, MAX_BLOCK_SIZE};
pub use hooks::{HookAnswer, Hooks, Question, Reply};
pub use open::{OpenOptions, open};
pub use put::{Arrival, Put, PutReport};
pub use seek::Sought;
pub use serve::{Served, Wanted};

use nodes::NodeCache;

/// One opened log.
pub struct Feed {
    io: Io,
    hooks: Option<Arc<Hooks>>,
    /// The blocks' bytes are written by somebody else.
    indexing: bool,
    state: Mutex<State>,
}

/// What is committed. Every field changes in one step, after the writes behind it have succeeded.
struct State {
    key: Option<[u8; 32]>,
    public_key: Option<PublicKey>,
    pair: Option<KeyPair>,
    signed: bool,
    may_fork: bool,
    roots: Roots,
    bitfield: Bitfield,
    nodes: NodeCache,
    cursor: Option<Cursor>,
    /// How many answers may still lack what we told the remote we had, before nodes of ours turned out rotten.
    lenience: u32,
    /// A node of ours turned out rotten; there may be others.
    is_suspect: bool,
}

/// Where the block after the last one touched begins: saves the walk over the roots when blocks come in order.
#[derive(Clone, Copy)]
struct Cursor {
    block: BlockIndex,
    offset: u64,
}

impl Cursor {
    /// Behind the block that begins at `offset`.
    fn after(offset: u64, leaf: Node) -> Self {
        Self { block: BlockIndex(leaf.index.0 / 2 + 1), offset: offset.saturating_add(leaf.size) }
    }
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

    /// True if this side may append: it has the secret key, or the feed is static and not finalized.
    pub fn is_writable(&self) -> bool {
        let state = self.state.lock();
        state.pair.is_some() || state.key.is_none()
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

    /// True if a node of ours turned out rotten since the log was opened: remotes should not rely on what we hold.
    pub fn is_suspect(&self) -> bool {
        self.state.lock().is_suspect
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

    /// Writes the pages that a stage touched.
    async fn write_pages(&self, stage: &Stage) -> Result<(), StoreError> {
        let writes: Vec<_> = stage
            .pages()
            .map(|(offset, page)| Write {
                file: File::Bitfield,
                offset: layout::HEADER_END + offset,
                data: vec![Bytes::copy_from_slice(page)],
            })
            .collect();
        if writes.is_empty() { Ok(()) } else { self.io.write_batch(writes).await }
    }
}

/// Tree nodes as writes: neighbours become one.
fn node_writes(mut nodes: Vec<Node>) -> Vec<Write> {
    nodes.sort_unstable_by_key(|node| node.index);
    nodes
        .chunk_by(|a, b| a.index.0 + 1 == b.index.0)
        .filter_map(|run| {
            let first = run.first()?;
            let mut bytes = Vec::with_capacity(run.len() * layout::NODE_LEN);
            run.iter().for_each(|node| bytes.extend_from_slice(&record::encode_node(node)));
            Some(Write { file: File::Tree, offset: layout::node_offset(first.index), data: vec![Bytes::from(bytes)] })
        })
        .collect()
}

fn signature_write(last_block: BlockIndex, signature: &SignatureBytes) -> Write {
    let data = vec![Bytes::copy_from_slice(signature)];
    Write { file: File::Signatures, offset: layout::signature_offset(last_block), data }
}
