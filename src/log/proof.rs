//! Proof: what ties a block, or a hash, to a log.
//!
//! ```text
//!        7              block 2, value in hand: hash the leaf 4, take 6 from the proof, hash the parent 5,
//!     3     11          take 1 from disk, hash 3, ... until a node that is trusted already has the same hash,
//!   1   5  9  13        or until the roots: then the roots' hash must carry the writer's signature.
//!  0 2 4 6
//! ```
//! In two steps: [`plan`] says which nodes of ours are needed, [`finish`] climbs. A proof that does
//! not add up is the remote's fault. What a remote tells about sizes is believed only where a hash
//! covers it: with the value in hand all sizes follow; without it the split between the two leaves
//! at the bottom stays open (Q2).
//!
//! Invariant: every node that [`finish`] gives back is under a hash that is trusted or about to be
//! checked.
//! Source: hypercore@9.12.0 index.js `_putBuffer`, `_verifyAndWrite`, `_verifyRootsAndWrite`.

use crate::math::crypto::{self, Hash, Node, SignatureBytes};
use crate::math::flat::{BlockIndex, NodeIndex, full_roots};

/// More nodes than any honest proof holds: two for each level of a tree of 2^53 blocks.
pub const MAX_NODES: usize = 106;

/// What a remote says about one block.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The block that it is about.
    pub block: BlockIndex,
    /// Its leaf, hashed from the value; or None, and then the first of `nodes` is the leaf.
    pub leaf: Option<Node>,
    /// Siblings upwards, then roots, as far as the remote thinks that we lack them.
    pub nodes: Vec<Node>,
    /// The writer's signature over the roots, if the proof reaches them.
    pub signature: Option<SignatureBytes>,
}

/// Why a proof is refused: always the remote's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofError {
    /// More than [`MAX_NODES`], or no leaf where one must be.
    Malformed,
    /// A node that is neither in the proof nor ours.
    Missing(NodeIndex),
    /// A hash differs from the one we trust.
    Mismatch(NodeIndex),
    /// The proof reaches the roots but carries no signature.
    Unsigned,
    /// The signature is not the writer's.
    BadSignature,
}

impl std::fmt::Display for ProofError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed => out.write_str("Remote proof is malformed"),
            Self::Missing(_) => out.write_str("Missing tree roots needed for verify"),
            Self::Mismatch(_) => out.write_str("Remote checksum failed"),
            Self::Unsigned => out.write_str("Remote did not include a signature"),
            Self::BadSignature => out.write_str("Remote signature could not be verified"),
        }
    }
}

impl std::error::Error for ProofError {}

/// The climb, laid out before anything is read.
#[derive(Debug)]
pub struct Plan {
    trusted: Option<NodeIndex>,
    steps: Vec<Step>,
    roots: Option<RootsPlan>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Ours(NodeIndex),
    Theirs(Node),
}

#[derive(Debug)]
struct RootsPlan {
    len: u64,
    top: NodeIndex,
    roots: Vec<Step>,
}

impl Plan {
    /// Nodes of ours that [`finish`] will ask for.
    pub fn needs(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        let roots = self.roots.iter().flat_map(|plan| {
            plan.roots.iter().filter_map(|step| match step {
                Step::Ours(index) if *index != plan.top => Some(*index),
                _ => None,
            })
        });
        let siblings = self.steps.iter().filter_map(|step| match step {
            Step::Ours(index) => Some(*index),
            Step::Theirs(_) => None,
        });
        self.trusted.into_iter().chain(siblings).chain(roots)
    }
}

/// What a proof shows, if the caller finds `roots` signed.
#[derive(Debug, Default)]
pub struct Finding {
    /// Nodes that we did not hold, to be kept.
    pub nodes: Vec<Node>,
    /// Set when the proof ended at the roots: these must carry the writer's signature.
    pub roots: Option<Vec<Node>>,
}

impl Finding {
    /// Hash of the roots and the length in blocks that they cover.
    pub fn tree(&self) -> Option<(Hash, u64)> {
        let roots = self.roots.as_ref()?;
        let last = roots.last()?;
        Some((crypto::tree_hash(roots), last.index.right_span().0 / 2 + 1))
    }
}

/// Lays out the climb. `held` says which nodes are ours; the nodes themselves are not looked at
/// yet.
pub fn plan(claim: &Claim, held: impl Fn(NodeIndex) -> bool) -> Result<Plan, ProofError> {
    if claim.nodes.len() > MAX_NODES {
        return Err(ProofError::Malformed);
    }
    let mut theirs = claim.nodes.iter().copied().peekable();
    if claim.leaf.is_none() {
        theirs.next_if(|node| node.index == claim.block.leaf()).ok_or(ProofError::Malformed)?;
    }
    let mut steps = Vec::new();
    let mut next = claim.block.leaf();
    loop {
        if held(next) {
            return Ok(Plan { trusted: Some(next), steps, roots: None });
        }
        let sibling = next.sibling();
        if let Some(node) = theirs.next_if(|node| node.index == sibling) {
            steps.push(Step::Theirs(node));
        } else if held(sibling) {
            steps.push(Step::Ours(sibling));
        } else {
            break;
        }
        next = next.parent();
    }
    let roots = plan_roots(next, theirs.collect(), held)?;
    Ok(Plan { trusted: None, steps, roots: Some(roots) })
}

/// The roots of the log that a proof ending at `top` speaks of: `top` itself, the proof's last
/// nodes, and ours.
fn plan_roots(top: NodeIndex, rest: Vec<Node>, held: impl Fn(NodeIndex) -> bool) -> Result<RootsPlan, ProofError> {
    let last = rest.last().map_or(top, |node| node.index);
    let len = top.right_span().max(last.right_span()).0 / 2 + 1;
    let mut rest = rest.into_iter().peekable();
    let mut roots = Vec::new();
    let mut seen_top = false;
    for root in full_roots(len) {
        if root == top {
            seen_top = true;
            roots.push(Step::Ours(root));
        } else if let Some(node) = rest.next_if(|node| node.index == root) {
            roots.push(Step::Theirs(node));
        } else if held(root) {
            roots.push(Step::Ours(root));
        } else {
            return Err(ProofError::Missing(root));
        }
    }
    match (seen_top, rest.next()) {
        (true, None) => Ok(RootsPlan { len, top, roots }),
        (false, _) => Err(ProofError::Missing(top)),
        (true, Some(node)) => Err(ProofError::Missing(node.index)),
    }
}

/// Climbs. `ours` gives the nodes that [`Plan::needs`] named.
pub fn finish(plan: &Plan, claim: &Claim, ours: impl Fn(NodeIndex) -> Option<Node>) -> Result<Finding, ProofError> {
    let fetch = |index| ours(index).ok_or(ProofError::Missing(index));
    let mut top = match (claim.leaf, claim.nodes.first()) {
        (Some(leaf), _) => leaf,
        (None, Some(&leaf)) => leaf,
        (None, None) => return Err(ProofError::Malformed),
    };
    let mut nodes = Vec::with_capacity(plan.steps.len() * 2 + 2);
    for step in &plan.steps {
        nodes.push(top);
        let sibling = match *step {
            Step::Theirs(node) => {
                nodes.push(node);
                node
            }
            Step::Ours(index) => fetch(index)?,
        };
        top = crypto::parent(&top, &sibling);
    }
    match (plan.trusted, &plan.roots) {
        (Some(index), _) if fetch(index)?.hash != top.hash => Err(ProofError::Mismatch(index)),
        (_, Some(roots)) => finish_roots(roots, top, nodes, fetch),
        (_, None) => Ok(Finding { nodes, roots: None }),
    }
}

fn finish_roots(
    plan: &RootsPlan,
    top: Node,
    mut nodes: Vec<Node>,
    fetch: impl Fn(NodeIndex) -> Result<Node, ProofError>,
) -> Result<Finding, ProofError> {
    let mut roots = Vec::with_capacity(plan.roots.len());
    for step in &plan.roots {
        let root = match *step {
            Step::Ours(index) if index == top.index => {
                nodes.push(top);
                top
            }
            Step::Ours(index) => fetch(index)?,
            Step::Theirs(node) => {
                nodes.push(node);
                node
            }
        };
        roots.push(root);
    }
    debug_assert_eq!(full_roots(plan.len).count(), roots.len());
    Ok(Finding { nodes, roots: Some(roots) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn tree(len: u64) -> HashMap<NodeIndex, Node> {
        let mut nodes = HashMap::new();
        for block in 0..len {
            let data = vec![1; usize::try_from(block % 7).unwrap()];
            let mut node = Node { index: BlockIndex(block).leaf(), hash: crypto::leaf_hash(&data), size: block % 7 };
            nodes.insert(node.index, node);
            while let Some(sibling) = nodes.get(&node.index.sibling()) {
                node = crypto::parent(&node, sibling);
                nodes.insert(node.index, node);
            }
        }
        nodes
    }

    fn claim(tree: &HashMap<NodeIndex, Node>, len: u64, block: u64) -> Claim {
        let mut nodes = Vec::new();
        let mut next = BlockIndex(block).leaf();
        while let Some(sibling) = tree.get(&next.sibling()) {
            nodes.push(*sibling);
            next = next.parent();
        }
        nodes.extend(full_roots(len).filter(|root| *root != next).map(|root| tree[&root]));
        Claim { block: BlockIndex(block), leaf: Some(tree[&BlockIndex(block).leaf()]), nodes, signature: None }
    }

    #[test]
    fn an_empty_log_learns_the_roots() {
        for len in 1..40 {
            let tree = tree(len);
            let roots: Vec<_> = full_roots(len).map(|root| tree[&root]).collect();
            for block in 0..len {
                let claim = claim(&tree, len, block);
                let plan = plan(&claim, |_| false).unwrap();
                assert!(plan.roots.is_some() && plan.needs().count() == 0);
                let finding = finish(&plan, &claim, |_| None).unwrap();
                assert_eq!(finding.tree(), Some((crypto::tree_hash(&roots), len)));
                assert!(finding.nodes.iter().all(|node| tree[&node.index] == *node));
            }
        }
    }

    #[test]
    fn a_trusted_node_ends_the_climb_and_a_false_leaf_is_found_out() {
        let tree = tree(16);
        let root = NodeIndex(15);
        for block in 0..16 {
            let mut claim = claim(&tree, 16, block);
            let plan = plan(&claim, |index| index == root).unwrap();
            assert_eq!(plan.needs().collect::<Vec<_>>(), [root]);
            assert!(finish(&plan, &claim, |index| tree.get(&index).copied()).unwrap().roots.is_none());
            claim.leaf = Some(Node { hash: [9; 32], ..tree[&BlockIndex(block).leaf()] });
            let found = finish(&plan, &claim, |index| tree.get(&index).copied());
            assert_eq!(found.unwrap_err(), ProofError::Mismatch(root));
        }
    }

    #[test]
    fn nodes_out_of_place_are_refused() {
        let tree = tree(11);
        let mut claim = claim(&tree, 11, 3);
        claim.nodes.swap(0, 1);
        assert!(plan(&claim, |_| false).is_err());
        claim.nodes.clear();
        claim.leaf = None;
        assert_eq!(plan(&claim, |_| false).unwrap_err(), ProofError::Malformed);
    }
}
