//! Rot: nodes of ours that turn out not to be what they were.
//!
//! ```text
//! a block or an answer that does not fit -> what cannot be proven on its way from the roots is forgotten -> remotes send it anew
//! ```
//! Only readers forget; a writer's nodes may be the only ones. On disk nothing changes before the right nodes come.

use super::nodes::NodeMap;
use super::recover::proven_children;
use super::{Feed, FeedError};
use crate::log::proof::ProofError;
use crate::log::stage::Stage;
use crate::math::crypto::Node;
use crate::math::flat::{BlockIndex, NodeIndex};

/// Requests that can be under way when a rotten node is found.
const LENIENCE: u32 = 1_024;

impl Feed {
    /// A proof does not fit to our nodes. They are forgotten, and the remote is asked again; if there are none, or they were just
    /// proven, it is the remote's fault.
    pub(super) fn doubt(&self, is_new: impl Fn(&NodeIndex) -> bool, ours: &NodeMap, block: BlockIndex) -> FeedError {
        let stored: Vec<NodeIndex> = {
            let state = self.state.lock();
            let is_stored = |index: &NodeIndex| !is_new(index) && state.bitfield.has_node(*index);
            ours.keys().copied().filter(|index| state.pair.is_none() && is_stored(index)).collect()
        };
        stored.iter().for_each(|index| self.forget_node(*index));
        match stored.first() {
            Some(index) => FeedError::NodeMissing(index.0),
            None => ProofError::Mismatch(block.leaf()).into(),
        }
    }

    /// A node of a reader is rotten: from now on it counts as not held, so that a remote sends it again.
    pub(super) fn forget_node(&self, node: NodeIndex) {
        let mut state = self.state.lock();
        if state.pair.is_some() {
            return;
        }
        let mut stage = Stage::new();
        state.nodes.remove(node);
        if stage.set_node(&state.bitfield, node, false) {
            state.bitfield.apply(stage);
            state.lenience = LENIENCE;
            state.is_suspect = true;
        }
    }

    /// Something on the way to a block is rotten. From the roots down all is checked, before any remote is told that we hold it, for
    /// a remote does not forget what it was told. What does not hold a reader forgets, with all that is below it on this way.
    pub(super) async fn weed(&self, block: BlockIndex) -> Result<(), FeedError> {
        let leaf = block.leaf();
        let covers = |node: &Node| node.index.left_span().0 <= leaf.0 && leaf.0 <= node.index.right_span().0;
        let root = {
            let state = self.state.lock();
            state.roots.nodes().iter().copied().find(covers).filter(|_| state.pair.is_none())
        };
        let mut proven = root;
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

    /// What was asked for before a rotten node was found may come without nodes that we said we had: no fault of the remote's.
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
