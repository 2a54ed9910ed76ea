//! Put: blocks and nodes that remotes sent, checked before anything is written.
//!
//! ```text
//! answer ──► proof holds? ──► owner agrees? ──► draft ──► (after the last answer) committed at once
//! ```
//! A batch shares one draft: what an earlier item proved, a later one may rest on. Blocks that
//! touch are written together. A proof that does not hold is the remote's fault, unless nodes of
//! ours are rotten: these are forgotten, and the remote is asked again.
//!
//! Invariant: nothing is written before its proof ended at a hash that is trusted.
//! Source: hypercore@9.12.0 index.js `_putBuffer`, `_verifyAndWrite`.

use bytes::Bytes;
use rustc_hash::FxHashSet;

use super::cache::NodeMap;
use super::commit::Commit;
use super::error::FeedError;
use super::opened::Feed;
use super::state::{Cursor, State};
use crate::log::merkle::Roots;
use crate::log::proof::{self, Claim, Finding, ProofError};
use crate::math::crypto::{self, Hash, Node, SignatureBytes, leaf_hashes};
use crate::math::flat::{BlockIndex, NodeIndex, full_roots};

/// How often rotten nodes of ours are forgotten for one answer.
const MAX_CHANCES: u32 = 3;

/// One `data` message: a block with its proof, or only the proof.
#[derive(Clone, Debug)]
pub struct Put {
    /// The block that it is about.
    pub block: BlockIndex,
    /// Its bytes, if they were asked for.
    pub value: Option<Bytes>,
    /// Siblings and roots; without a value the leaf comes first.
    pub nodes: Vec<Node>,
    /// The writer's signature, if the proof reaches the roots.
    pub signature: Option<SignatureBytes>,
    /// The peer that sent it, by its number.
    pub peer: u64,
}

/// A block that was not held before.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its place.
    pub block: BlockIndex,
    /// Its bytes.
    pub value: Bytes,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub struct PutReport {
    /// For each item, in order: whether its proof held and its owner agreed.
    pub results: Vec<Result<(), FeedError>>,
    /// Blocks that are new here, in order.
    pub arrivals: Vec<Arrival>,
    /// The new length in blocks and bytes, if the log grew.
    pub grown: Option<(u64, u64)>,
}

#[derive(Default)]
struct Draft {
    nodes: NodeMap,
    new_blocks: FxHashSet<u64>,
    data: Vec<(u64, Bytes)>,
    arrivals: Vec<Arrival>,
    signatures: Vec<(BlockIndex, SignatureBytes)>,
    roots: Option<Roots>,
    signed: Option<bool>,
    cursor: Option<Cursor>,
    /// Sizes that are on disk were wrong.
    is_corrected: bool,
}

impl Feed {
    /// Checks a batch and keeps what holds. An error is the disk's; then nothing has changed.
    pub async fn put(&self, items: Vec<Put>) -> Result<PutReport, FeedError> {
        let values: Vec<&[u8]> = items.iter().filter_map(|item| item.value.as_deref()).collect();
        let mut hashes = leaf_hashes(&values).into_iter();
        let mut draft = Draft { cursor: self.state.lock().cursor, ..Draft::default() };
        let mut results = Vec::with_capacity(items.len());
        for item in items {
            let hash = item.value.as_ref().and_then(|_| hashes.next());
            results.push(match self.admit_or_repair(&mut draft, item, hash).await {
                Ok(()) => Ok(()),
                Err(error @ (FeedError::Proof(_) | FeedError::Hook(_))) => Err(self.excused(error)),
                Err(error @ FeedError::NodeMissing(_)) => Err(error),
                Err(error) => return Err(error),
            });
        }
        let (arrivals, grown) = self.keep(draft).await?;
        Ok(PutReport { results, arrivals, grown })
    }

    /// Where nodes of ours do not fit they are forgotten, and the answer gets another chance: the
    /// remote does not send twice what is in it.
    async fn admit_or_repair(&self, draft: &mut Draft, item: Put, hash: Option<Hash>) -> Result<(), FeedError> {
        let Put { block, value, nodes, signature, peer } = item;
        let leaf = value.as_ref().zip(hash).map(|(value, hash)| leaf_of(block, value, hash));
        let claim = Claim { block, leaf, nodes, signature };
        for _ in 0..MAX_CHANCES {
            match self.admit(draft, &claim, value.as_ref(), peer).await {
                Err(FeedError::NodeMissing(node)) => {
                    self.forget_node(NodeIndex(node));
                    self.check_way(block).await?;
                }
                result => return result,
            }
        }
        self.admit(draft, &claim, value.as_ref(), peer).await
    }

    /// Writes the draft and publishes it; gives the new blocks, and the new length if there is one.
    async fn keep(&self, mut draft: Draft) -> Result<(Vec<Arrival>, Option<(u64, u64)>), FeedError> {
        let stage = self.stage(|stage, bitfield| {
            draft.arrivals.iter().for_each(|arrival| {
                stage.set(bitfield, arrival.block.0, true);
            });
            draft.nodes.keys().for_each(|index| {
                stage.set_node(bitfield, *index, true);
            });
        });
        let commit = Commit {
            data: draft.runs(),
            nodes: draft.nodes.values().copied().collect(),
            signatures: std::mem::take(&mut draft.signatures),
            stage,
            replaces: draft.is_corrected,
        };
        self.commit(commit, |state| state.take_over(draft)).await
    }

    /// Checks one claim against what is committed and what the draft already holds.
    async fn admit(&self, draft: &mut Draft, claim: &Claim, value: Option<&Bytes>, peer: u64) -> Result<(), FeedError> {
        let block = claim.block;
        let was_held = draft.holds(&self.state.lock(), block.leaf());
        let plan = {
            let state = self.state.lock();
            proof::plan(claim, |index| draft.holds(&state, index))?
        };
        let ours = self.fetch(draft, plan.needs()).await?;
        let finding = match proof::finish(&plan, claim, |index| ours.get(&index).copied()) {
            Err(ProofError::Mismatch(_)) => {
                return Err(self.doubt(|index| draft.nodes.contains_key(index), &ours, block));
            }
            finding => finding?,
        };
        self.check_roots(draft, claim, &finding).await?;
        if let Some(hooks) = self.hooks.as_ref().filter(|hooks| hooks.writes) {
            hooks.may_write(block.0, value.cloned(), peer).await?;
        }
        draft.nodes.extend(finding.nodes.into_iter().map(|node| (node.index, node)));
        match (value, claim.leaf) {
            (Some(value), Some(leaf)) => self.place(draft, leaf, value.clone(), was_held).await,
            _ => Ok(()),
        }
    }

    /// Nodes of ours: from the draft where it has them, else from the committed tree.
    async fn fetch(&self, draft: &Draft, indexes: impl Iterator<Item = NodeIndex>) -> Result<NodeMap, FeedError> {
        let mut ours = NodeMap::default();
        let mut rest = Vec::new();
        for index in indexes {
            match draft.nodes.get(&index) {
                Some(node) => drop(ours.insert(index, *node)),
                None => rest.push(index),
            }
        }
        let nodes = self.nodes(&self.io, &rest, self.version()).await?;
        ours.extend(nodes.into_iter().map(|node| (node.index, node)));
        Ok(ours)
    }

    /// A proof that ended at the roots needs the writer's signature, or, in a static feed, the key
    /// itself.
    async fn check_roots(&self, draft: &mut Draft, claim: &Claim, finding: &Finding) -> Result<(), FeedError> {
        let (Some((hash, len)), Some(roots)) = (finding.tree(), &finding.roots) else { return Ok(()) };
        match &claim.signature {
            Some(signature) if self.verified(&hash, len, signature).await? => {}
            Some(_) => return Err(ProofError::BadSignature.into()),
            None => self.state.lock().check_unsigned(&hash, len, draft.signed)?,
        }
        draft.signed = Some(claim.signature.is_some());
        if let (Some(signature), Some(last)) = (claim.signature, len.checked_sub(1)) {
            draft.signatures.push((BlockIndex(last), signature));
        }
        let known = draft.roots.as_ref().map_or_else(|| self.len(), Roots::len);
        if len > known {
            draft.roots = Some(Roots::new(roots.clone()));
        }
        Ok(())
    }

    /// Whether a signature over a tree is the writer's: asks the owner, if it wants to be asked.
    pub(super) async fn verified(&self, hash: &Hash, len: u64, signature: &SignatureBytes) -> Result<bool, FeedError> {
        match self.hooks.as_ref().filter(|hooks| hooks.verifies) {
            Some(hooks) => {
                Ok(hooks.verify(&crypto::signable(hash, len), signature).await?
                    || hooks.verify(hash, signature).await?)
            }
            None => Ok(self.state.lock().verifies(hash, len, signature)),
        }
    }

    /// Finds where a proven block goes, and corrects sizes that an earlier proof without value
    /// could not prove (Q2).
    async fn place(&self, draft: &mut Draft, leaf: Node, value: Bytes, was_held: bool) -> Result<(), FeedError> {
        let block = BlockIndex(leaf.index.0 / 2);
        if draft.new_blocks.contains(&block.0) || self.has(block) {
            return Ok(());
        }
        if was_held {
            self.correct_sizes(draft, leaf).await?;
        }
        let offset = match draft.cursor.filter(|cursor| cursor.block == block) {
            Some(cursor) => cursor.offset,
            None => self.offset_of(draft, leaf).await?,
        };
        draft.cursor = Some(Cursor::after(offset, leaf));
        draft.new_blocks.insert(block.0);
        if !value.is_empty() {
            draft.data.push((offset, value.clone()));
        }
        draft.arrivals.push(Arrival { block, value });
        Ok(())
    }

    /// Offset from nodes whose sizes are proven: for the right one of two leaves that is their
    /// parent, not the left leaf.
    async fn offset_of(&self, draft: &Draft, leaf: Node) -> Result<u64, FeedError> {
        let block = leaf.index.0 / 2;
        let is_right = block % 2 == 1;
        let roots = full_roots(block - u64::from(is_right));
        let parent = is_right.then(|| leaf.index.parent());
        let nodes = self.fetch(draft, roots.chain(parent)).await?;
        let sum = nodes.values().fold(0u64, |sum, node| sum.saturating_add(node.size));
        Ok(if is_right { sum.saturating_sub(leaf.size) } else { sum })
    }

    async fn correct_sizes(&self, draft: &mut Draft, leaf: Node) -> Result<(), FeedError> {
        let stored = self.fetch(draft, std::iter::once(leaf.index)).await?;
        if stored.get(&leaf.index).is_some_and(|stored| stored.size == leaf.size) {
            return Ok(());
        }
        let (parent, sibling) = (leaf.index.parent(), leaf.index.sibling());
        let family = self.fetch(draft, [parent, sibling].into_iter()).await?;
        draft.nodes.insert(leaf.index, leaf);
        if let (Some(parent), Some(sibling)) = (family.get(&parent), family.get(&sibling)) {
            let size = parent.size.saturating_sub(leaf.size);
            draft.nodes.insert(sibling.index, Node { size, ..*sibling });
        }
        draft.is_corrected = true;
        Ok(())
    }
}

fn leaf_of(block: BlockIndex, value: &Bytes, hash: Hash) -> Node {
    Node { index: block.leaf(), hash, size: u64::try_from(value.len()).unwrap_or(u64::MAX) }
}

impl Draft {
    fn holds(&self, state: &State, index: NodeIndex) -> bool {
        self.nodes.contains_key(&index) || state.bitfield.has_node(index)
    }

    /// Blocks that touch become one run: its offset in bytes, and the blocks.
    fn runs(&mut self) -> Vec<(u64, Vec<Bytes>)> {
        let mut data = std::mem::take(&mut self.data);
        data.sort_unstable_by_key(|(offset, _)| *offset);
        let touch = |a: &(u64, Bytes), b: &(u64, Bytes)| a.0 + u64::try_from(a.1.len()).unwrap_or(0) == b.0;
        let run = |run: &[(u64, Bytes)]| {
            let (offset, _) = run.first()?;
            Some((*offset, run.iter().map(|(_, value)| value.clone()).collect()))
        };
        data.chunk_by(touch).filter_map(run).collect()
    }
}

impl State {
    /// Without a signature the roots' hash must be the key of a static feed.
    fn check_unsigned(&self, hash: &Hash, len: u64, signed: Option<bool>) -> Result<(), ProofError> {
        match signed.unwrap_or(self.signed && !self.roots.is_empty()) {
            true => Err(ProofError::Unsigned),
            false if self.key.as_ref() == Some(hash) => Ok(()),
            false => Err(ProofError::Mismatch(BlockIndex(len).leaf())),
        }
    }

    /// What the draft changes besides bitfield and nodes.
    fn take_over(&mut self, draft: Draft) -> (Vec<Arrival>, Option<(u64, u64)>) {
        self.cursor = if draft.is_corrected { None } else { draft.cursor };
        self.signed = draft.signed.unwrap_or(self.signed);
        let grown = draft.roots.map(|roots| {
            self.roots = roots;
            (self.roots.len(), self.roots.byte_len())
        });
        (draft.arrivals, grown)
    }
}
