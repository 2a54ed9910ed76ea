//! Recover: how long a log is, by what its own signatures say.
//!
//! ```text
//! bitfield says len ──► a later signature whose roots verify?   yes: take it, set the bits that its tree proves
//!                   └─► roots of len signed?                    no: the last shorter length for which they are
//! ```
//! The bitfield is a cache of tree and signatures. What a crash cut off before its bits were
//! written comes back; what cannot be shown is given up. A writer that had to give up a length
//! which it may have announced refuses to append (`EFORKRISK`): it could sign a second history.

use super::commit::Commit;
use super::error::FeedError;
use super::get::MAX_BLOCK_SIZE;
use super::records::{self, SIGNATURES_A_READ, decode_signatures, read_node, read_roots, read_signatures};
use super::state::State;
use crate::log::merkle::Roots;
use crate::log::stage::Stage;
use crate::log::tree;
use crate::math::crypto::{Node, SignatureBytes, leaf_hash, parent};
use crate::math::flat::{BlockIndex, NodeIndex, full_roots};
use crate::store::{File, Io};

/// What a signature is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// The roots are there and the writer vouches for them.
    Good,
    /// The roots are there; somebody else's signature, left behind.
    Bad,
    /// The roots are not there: nothing can be said.
    Unknown,
}

impl State {
    /// Sets the roots for the longest length that verifies. Where the owner verifies in its own way
    /// (`trusts`), a signature is enough: it was asked when the signature came.
    pub(super) async fn settle(&mut self, io: &Io, len: u64, trusts: bool) -> Result<(), FeedError> {
        let later = self.look_forward(io, len, trusts).await?;
        if later == Verdict::Good {
            return Ok(());
        }
        let is_lost = !self.look_back(io, len, trusts).await?;
        self.may_fork = self.pair.is_some() && (is_lost || later == Verdict::Unknown);
        if is_lost && self.pair.is_none() {
            self.forget_unproven(len);
        }
        Ok(())
    }

    /// A reader takes what it cannot prove as not held, so that it is fetched again. On disk it
    /// stays.
    fn forget_unproven(&mut self, len: u64) {
        let proven = self.roots.len();
        self.forget(|stage, bitfield| {
            stage.set_range(bitfield, proven, len, false);
            tree::truncate(stage, bitfield, proven);
        });
    }

    /// Takes the longest log beyond `len` that a signature proves. `Unknown` if there are
    /// signatures but no roots.
    async fn look_forward(&mut self, io: &Io, len: u64, trusts: bool) -> Result<Verdict, FeedError> {
        let mut verdict = Verdict::Bad;
        let mut is_newest = true;
        let mut end = records::signature_count(io).await?;
        while end > len {
            let start = end.saturating_sub(SIGNATURES_A_READ).max(len);
            let stored = read_signatures(io, start, end).await?;
            for (longer, signature) in decode_signatures(&stored, start).rev() {
                let found = match std::mem::take(&mut is_newest) {
                    true => self.accept_or_make(io, longer, Some(signature), trusts).await?,
                    false => self.accept(io, longer, Some(signature), trusts).await?,
                };
                match found {
                    Verdict::Good => {
                        self.restore(io).await?;
                        return Ok(Verdict::Good);
                    }
                    Verdict::Unknown => verdict = Verdict::Unknown,
                    Verdict::Bad => {}
                }
            }
            end = start;
        }
        Ok(verdict)
    }

    /// Takes `len`, or the longest shorter length that a signature proves. False if it is shorter.
    async fn look_back(&mut self, io: &Io, len: u64, trusts: bool) -> Result<bool, FeedError> {
        if len == 0 {
            return Ok(true);
        }
        let signature = records::read_signature(io, len).await?;
        if self.accept_or_make(io, len, signature, trusts).await? == Verdict::Good {
            return Ok(true);
        }
        let mut end = len.saturating_sub(1);
        while end > 0 {
            let start = end.saturating_sub(SIGNATURES_A_READ);
            let stored = read_signatures(io, start, end).await?;
            for (shorter, signature) in decode_signatures(&stored, start).rev() {
                if self.accept(io, shorter, Some(signature), trusts).await? == Verdict::Good {
                    return Ok(false);
                }
            }
            end = start;
        }
        Ok(false)
    }

    /// Takes the roots of `len` blocks if they are all there and the writer vouches for them.
    async fn accept(
        &mut self,
        io: &Io,
        len: u64,
        signature: Option<SignatureBytes>,
        trusts: bool,
    ) -> Result<Verdict, FeedError> {
        Ok(match read_roots(io, len).await? {
            Some(roots) => self.judge(roots, signature.as_ref(), trusts),
            None => Verdict::Unknown,
        })
    }

    /// The same where roots that were lost or rotted may be made anew from what lies below them, if
    /// the writer vouches for what comes out. That can take a read of the whole tree, so it is for
    /// the length that counts, not for every one that is tried.
    async fn accept_or_make(
        &mut self,
        io: &Io,
        len: u64,
        signature: Option<SignatureBytes>,
        trusts: bool,
    ) -> Result<Verdict, FeedError> {
        let verdict = self.accept(io, len, signature, trusts).await?;
        if verdict == Verdict::Good || signature.is_none() {
            return Ok(verdict);
        }
        match made_roots(io, len).await? {
            Some(roots) if self.judge(Roots::new(roots.clone()), signature.as_ref(), trusts) == Verdict::Good => {
                let mut commit = Commit { nodes: roots, ..Commit::default() };
                commit.write(io).await?;
                commit.publish(self);
                Ok(Verdict::Good)
            }
            _ => Ok(verdict),
        }
    }

    /// Takes these roots if the writer vouches for them.
    fn judge(&mut self, roots: Roots, signature: Option<&SignatureBytes>, trusts: bool) -> Verdict {
        let len = roots.len();
        let is_static = signature.is_none() && (self.key.is_none() || self.key == Some(roots.hash()));
        let vouched = is_static
            || match signature {
                Some(signature) => trusts || self.verifies(&roots.hash(), len, signature),
                // Every node is there and the secret key is ours: the signature can be made again
                // at any time.
                None => self.pair.is_some(),
            };
        if !vouched {
            return Verdict::Bad;
        }
        self.signed = !is_static;
        self.roots = roots;
        Verdict::Good
    }

    /// Sets the bits of all nodes that the roots prove, and of all blocks that match their leaves.
    async fn restore(&mut self, io: &Io) -> Result<(), FeedError> {
        let mut stage = Stage::new();
        let mut todo: Vec<(Node, u64)> = Vec::new();
        let mut offset = 0u64;
        for root in self.roots.nodes() {
            todo.push((*root, offset));
            offset = offset.saturating_add(root.size);
        }
        while let Some((node, offset)) = todo.pop() {
            if self.is_whole(&node) {
                continue;
            }
            stage.set_node(&self.bitfield, node.index, true);
            if let Some(BlockIndex(block)) = node.index.block() {
                let is_held = is_data_there(io, &node, offset).await?;
                stage.set(&self.bitfield, block, is_held);
            } else if let Some((left, right)) = records::proven_children(io, &node).await? {
                todo.push((right, offset.saturating_add(left.size)));
                todo.push((left, offset));
            }
        }
        let mut commit = Commit { stage, ..Commit::default() };
        commit.write(io).await?;
        commit.publish(self);
        Ok(())
    }

    /// True if everything below a node is held, by its bits.
    fn is_whole(&self, node: &Node) -> bool {
        let (start, end) = (node.index.left_span().0 / 2, node.index.right_span().0 / 2 + 1);
        self.bitfield.has_node(node.index) && self.bitfield.count(start, end) == end - start
    }
}

/// The roots of `len` blocks as they follow from what lies below them; a root that is a leaf is as
/// it is stored.
async fn made_roots(io: &Io, len: u64) -> Result<Option<Vec<Node>>, FeedError> {
    let mut roots = Vec::new();
    for index in full_roots(len) {
        match made_node(io, index).await? {
            Some(node) => roots.push(node),
            None => return Ok(None),
        }
    }
    Ok(Some(roots))
}

/// A node as its children make it; children that are not there are made from theirs.
async fn made_node(io: &Io, index: NodeIndex) -> Result<Option<Node>, FeedError> {
    let (Some(left), Some(right)) = (index.left_child(), index.right_child()) else {
        return read_node(io, index).await;
    };
    let mut children = Vec::with_capacity(2);
    for child in [left, right] {
        let node = match read_node(io, child).await? {
            Some(node) => Some(node),
            None => Box::pin(made_node(io, child)).await?,
        };
        let Some(node) = node else { return Ok(None) };
        children.push(node);
    }
    Ok(children.first().zip(children.last()).map(|(left, right)| parent(left, right)))
}

/// True if the bytes at `offset` are the block of this leaf.
async fn is_data_there(io: &Io, leaf: &Node, offset: u64) -> Result<bool, FeedError> {
    let size = usize::try_from(leaf.size).unwrap_or(usize::MAX);
    if size > MAX_BLOCK_SIZE {
        return Ok(false);
    }
    if size == 0 {
        return Ok(leaf_hash(&[]) == leaf.hash);
    }
    let data = io.read(File::Data, offset, size).await?;
    Ok(data.is_some_and(|data| leaf_hash(&data) == leaf.hash))
}
