//! Commit: how every change reaches the disk, and then the state.
//!
//! ```text
//! data, tree, signatures ──► bitfield pages ──► published: bitfield, nodes, version, ...
//!        one batch                one batch          under the lock
//! ```
//! An error on the way is the disk's; nothing is published then, so the same verb may be asked
//! again.
//!
//! Invariant: only the one changing verb that runs makes a commit, so the bitfield that was staged
//! over is still the same.

use bytes::Bytes;

use super::error::FeedError;
use super::opened::Feed;
use super::state::State;
use crate::log::bitfield::Bitfield;
use crate::log::stage::Stage;
use crate::math::crypto::{Node, SignatureBytes};
use crate::math::flat::BlockIndex;
use crate::store::{File, Io, StoreError, Write, layout, record};

/// Everything that a change writes and publishes.
#[derive(Default)]
pub(super) struct Commit {
    /// Runs of blocks: offset in bytes, and the blocks.
    pub data: Vec<(u64, Vec<Bytes>)>,
    pub nodes: Vec<Node>,
    /// Each with the last block that it covers.
    pub signatures: Vec<(BlockIndex, SignatureBytes)>,
    pub stage: Stage,
    /// Something that was there is no more, or is something else.
    pub replaces: bool,
}

impl Commit {
    /// Data, tree, signatures, then the bitfield.
    pub async fn write(&mut self, io: &Io) -> Result<(), StoreError> {
        self.nodes.sort_unstable_by_key(|node| node.index);
        let data = std::mem::take(&mut self.data).into_iter();
        let mut writes: Vec<Write> = data.map(|(offset, data)| Write { file: File::Data, offset, data }).collect();
        writes.extend(node_writes(&self.nodes));
        writes.extend(self.signatures.iter().map(|(last, signature)| signature_write(*last, signature)));
        for batch in [writes, page_writes(&self.stage)] {
            if !batch.is_empty() {
                io.write_batch(batch).await?;
            }
        }
        Ok(())
    }

    /// What was written becomes what is there.
    pub fn publish(self, state: &mut State) {
        state.bitfield.apply(self.stage);
        self.nodes.into_iter().for_each(|node| state.nodes.insert(node));
        state.advance(self.replaces);
    }
}

impl Feed {
    /// Changes staged over the committed bitfield.
    pub(super) fn stage(&self, change: impl FnOnce(&mut Stage, &Bitfield)) -> Stage {
        let mut stage = Stage::new();
        change(&mut stage, &self.state.lock().bitfield);
        stage
    }

    /// Writes a commit and publishes it, together with what `publish` does to the state.
    pub(super) async fn commit<T>(
        &self,
        mut commit: Commit,
        publish: impl FnOnce(&mut State) -> T,
    ) -> Result<T, FeedError> {
        commit.write(&self.io).await?;
        let mut state = self.state.lock();
        commit.publish(&mut state);
        Ok(publish(&mut state))
    }
}

/// Ascending tree nodes as writes: neighbours become one.
fn node_writes(nodes: &[Node]) -> impl Iterator<Item = Write> + '_ {
    nodes.chunk_by(|a, b| a.index.0 + 1 == b.index.0).filter_map(|run| {
        let first = run.first()?;
        let mut bytes = Vec::with_capacity(run.len() * layout::NODE_LEN);
        run.iter().for_each(|node| bytes.extend_from_slice(&record::encode_node(node)));
        Some(Write { file: File::Tree, offset: layout::node_offset(first.index), data: vec![Bytes::from(bytes)] })
    })
}

fn signature_write(last_block: BlockIndex, signature: &SignatureBytes) -> Write {
    let data = vec![Bytes::copy_from_slice(signature)];
    Write { file: File::Signatures, offset: layout::signature_offset(last_block), data }
}

fn page_writes(stage: &Stage) -> Vec<Write> {
    let write = |(offset, page): (u64, &[u8])| Write {
        file: File::Bitfield,
        offset: layout::HEADER_END + offset,
        data: vec![Bytes::copy_from_slice(page)],
    };
    stage.pages().map(write).collect()
}
