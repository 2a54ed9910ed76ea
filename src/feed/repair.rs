//! Repair: nodes and blocks of ours that turn out not to be what they were.
//!
//! ```text
//! a block or an answer that does not fit ──► its way is checked from the roots down
//!     ──► what cannot be proven is forgotten ──► asked for anew
//! ```
//! Only readers forget; a writer's nodes may be the only ones. Forgetting changes memory alone: on
//! disk nothing changes before the right nodes come. All of this changes the bitfield, so it is
//! done by a verb that runs alone: `repair`, `give_up`, and `put`, whose answers may be what shows
//! the damage.
//!
//! Invariant: a block is forgotten only if it is still damaged when this verb looks, whatever a
//! reader found before.

use super::cache::NodeMap;
use super::commit::Commit;
use super::error::FeedError;
use super::opened::Feed;
use super::records::proven_children;
use crate::log::proof::ProofError;
use crate::math::crypto::Node;
use crate::math::flat::{BlockIndex, NodeIndex};

/// Requests that can be under way when a rotten node is found.
const LENIENCE: u32 = 1_024;

/// What became of blocks that could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Those that are no longer held, so that a reader fetches them again.
    pub lost: Vec<u64>,
}

impl Feed {
    /// Looks again at blocks for which a read gave `BadBlock` or `NodeMissing`, with all that is on
    /// their way. A reader forgets those that are still damaged; a writer keeps them. A changing
    /// verb.
    pub async fn repair(&self, blocks: &[u64]) -> Result<Repaired, FeedError> {
        let mut lost = self.damaged(blocks).await?;
        let mut state = self.state.lock();
        if state.is_writable() {
            lost.clear();
        }
        state.forget(|stage, bitfield| {
            lost.iter().for_each(|&block| {
                stage.set(bitfield, block, false);
            })
        });
        Ok(Repaired { lost })
    }

    /// The same for what an audit found: a writer gives up what is damaged too, and on disk as
    /// well. A changing verb.
    pub async fn give_up(&self, blocks: &[u64]) -> Result<Repaired, FeedError> {
        let lost = self.damaged(blocks).await?;
        let stage = self.stage(|stage, bitfield| {
            lost.iter().for_each(|&block| {
                stage.set(bitfield, block, false);
            })
        });
        if !stage.is_empty() {
            self.commit(Commit { stage, replaces: true, ..Commit::default() }, |_| ()).await?;
        }
        Ok(Repaired { lost })
    }

    /// Those of these blocks that are held and cannot be read, also when their way was read anew.
    async fn damaged(&self, blocks: &[u64]) -> Result<Vec<u64>, FeedError> {
        let mut damaged = Vec::new();
        for &block in blocks {
            if self.is_damaged(block).await? {
                self.check_way(BlockIndex(block)).await?;
                damaged.extend(self.is_damaged(block).await?.then_some(block));
            }
        }
        Ok(damaged)
    }

    async fn is_damaged(&self, block: u64) -> Result<bool, FeedError> {
        match self.get(&self.io, BlockIndex(block)).await {
            Ok(_) => Ok(false),
            Err(FeedError::BadBlock(_) | FeedError::NodeMissing(_)) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// A proof does not fit to our nodes. They are forgotten, and the remote is asked again; if
    /// there are none, or they were just proven, it is the remote's fault.
    pub(super) fn doubt(&self, is_new: impl Fn(&NodeIndex) -> bool, ours: &NodeMap, block: BlockIndex) -> FeedError {
        let stored: Vec<NodeIndex> = {
            let state = self.state.lock();
            let is_stored = |index: &NodeIndex| !is_new(index) && state.bitfield.has_node(*index);
            ours.keys().copied().filter(|index| !state.is_writable() && is_stored(index)).collect()
        };
        stored.iter().for_each(|index| self.forget_node(*index));
        match stored.first() {
            Some(index) => FeedError::NodeMissing(index.0),
            None => ProofError::Mismatch(block.leaf()).into(),
        }
    }

    /// A node is rotten: it is read anew from now on, and for a reader it counts as not held, so
    /// that a remote sends it again.
    pub(super) fn forget_node(&self, node: NodeIndex) {
        let mut state = self.state.lock();
        state.nodes.remove(node);
        if !state.is_writable()
            && state.forget(|stage, bitfield| {
                stage.set_node(bitfield, node, false);
            })
        {
            state.lenience = LENIENCE;
            state.is_suspect = true;
        }
    }

    /// Something on the way to a block is rotten. From the roots down all is read anew, before any
    /// remote is told that we hold it, for a remote does not forget what it was told. What does not
    /// hold is forgotten, with all that is below it on this way.
    pub(super) async fn check_way(&self, block: BlockIndex) -> Result<(), FeedError> {
        let leaf = block.leaf();
        let covers = |node: &Node| node.index.left_span().0 <= leaf.0 && leaf.0 <= node.index.right_span().0;
        let mut proven = {
            let mut state = self.state.lock();
            let roots = state.roots.nodes().to_vec();
            roots.iter().for_each(|root| state.nodes.insert(*root));
            // It may have been counted from a node that was not right.
            state.cursor = None;
            roots.into_iter().find(covers)
        };
        while let Some(node) = proven.filter(|node| node.index != leaf) {
            let Some((left, right)) = proven_children(&self.io, &node).await? else {
                self.forget_way(node.index, leaf);
                break;
            };
            let mut state = self.state.lock();
            [left, right].into_iter().for_each(|child| state.nodes.insert(child));
            proven = [left, right].into_iter().find(covers);
        }
        Ok(())
    }

    /// Forgets the children of `node`, and of theirs, down to `leaf`.
    fn forget_way(&self, node: NodeIndex, leaf: NodeIndex) {
        let mut next = Some(node);
        while let Some((left, right)) = next.and_then(|next| next.left_child().zip(next.right_child())) {
            self.forget_node(left);
            self.forget_node(right);
            next = Some(if leaf.0 < left.parent().0 { left } else { right });
        }
    }

    /// What was asked for before a rotten node was found may come without nodes that we said we
    /// had: no fault of the remote's.
    pub(super) fn excused(&self, error: FeedError) -> FeedError {
        let mut state = self.state.lock();
        match error {
            FeedError::Proof(ProofError::Missing(index)) if state.lenience > 0 => {
                state.lenience -= 1;
                FeedError::NodeMissing(index.0)
            }
            FeedError::Proof(ProofError::Unsigned) if state.lenience > 0 => {
                state.lenience -= 1;
                FeedError::NodeMissing(0)
            }
            error => error,
        }
    }
}
