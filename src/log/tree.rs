//! The tree index: which nodes are held, and what follows from that.
//!
//! ```text
//! digest, bit 0       the asker holds a root above, so no signature is needed: the last one bit is that root
//!         bit 1 + d   it holds the sibling that is met after d steps up; the last bit may be the parent itself
//! digest 1            it holds the node itself
//! ```
//! Digests come from peers and may say anything: they only choose among nodes that we hold.
//!
//! Invariant: every walk ends below `TOP_DEPTH`, above which no node of a log can lie.
//! Source: hypercore@9.12.0 lib/tree-index.js.

use std::collections::BTreeMap;

use super::bitfield::Bitfield;
use super::stage::Stage;
use crate::math::flat::{BlockIndex, NodeIndex, full_roots};

/// Nodes below 2^54 lie at depth 54 or less; their siblings and parents still fit 64 bits up to
/// here.
const TOP_DEPTH: u32 = 58;

/// A set of nodes.
pub trait NodeSet {
    /// True if the node is in the set.
    fn has_node(&self, node: NodeIndex) -> bool;
    /// Stock's length of the set, in nodes: none lies beyond, but it may be too long.
    fn tree_len(&self) -> u64;
}

impl NodeSet for Bitfield {
    fn has_node(&self, node: NodeIndex) -> bool {
        Bitfield::has_node(self, node)
    }

    fn tree_len(&self) -> u64 {
        Bitfield::tree_len(self)
    }
}

impl NodeSet for (&Stage, &Bitfield) {
    fn has_node(&self, node: NodeIndex) -> bool {
        self.0.has_node(self.1, node)
    }

    fn tree_len(&self) -> u64 {
        self.0.tree_len(self.1)
    }
}

/// What we tell a peer that we ask for `block`: the nodes on the way up that we hold already.
pub fn digest(set: &impl NodeSet, block: BlockIndex) -> u64 {
    let leaf = block.leaf();
    if set.has_node(leaf) {
        return 1;
    }
    let mut digest = 0u64;
    let mut next = leaf.sibling();
    let len = set.tree_len().max(next.0 + 2);
    // The bound is the length of the bitfield, not of the log: a digest can have bits above the
    // roots (Q7).
    while next.depth() < TOP_DEPTH && (next.right_span().0 < len || next.parent().left_span().0 > 0) {
        let bit = 2 << next.depth();
        if set.has_node(next) {
            digest |= bit;
        }
        if set.has_node(next.parent()) {
            digest |= (2 * bit) | 1;
            return if digest + 1 == 4 * bit { 1 } else { digest };
        }
        next = next.parent().sibling();
    }
    digest
}

/// Length of the log in blocks, as far as the nodes in the set tell.
pub fn blocks(set: &impl NodeSet) -> u64 {
    let len = set.tree_len();
    let (mut top, mut next) = (NodeIndex(0), NodeIndex(0));
    while next.depth() < TOP_DEPTH && next.right_span().0 < len {
        next = next.parent();
        if set.has_node(next) {
            top = next;
        }
    }
    verified_by(set, top) / 2
}

/// Twice the length in blocks of the log that proves this node: its last root is the last node on
/// the way right and down. 0 if the node is not in the set.
pub fn verified_by(set: &impl NodeSet, node: NodeIndex) -> u64 {
    if !set.has_node(node) {
        return 0;
    }
    let mut top = node;
    while top.depth() < TOP_DEPTH && set.has_node(top.parent()) && set.has_node(top.sibling()) {
        top = top.parent();
    }
    let mut depth = top.depth();
    while depth > 0 {
        // The subtree to the right at this depth, and down its left side to the first node that we
        // hold.
        let mut child = NodeIndex::at(depth, top.offset() + 1);
        loop {
            child = child.left_child().unwrap_or(child);
            depth -= 1;
            if depth == 0 || set.has_node(child) {
                break;
            }
        }
        top = child;
    }
    if set.has_node(top) { top.0 + 2 } else { top.0 }
}

/// Forgets the nodes that a log of `len` blocks does not have.
pub fn truncate(stage: &mut Stage, base: &Bitfield, len: u64) {
    let end = 2 * blocks(&(&*stage, base));
    stage.clear_nodes(base, 2 * len, end);
    for root in full_roots(len) {
        let mut node = root.parent();
        while node.0 < 2 * len {
            stage.set_node(base, node, false);
            node = node.parent();
        }
    }
}

/// Nodes that a page of a `RemoteTree` tells of.
const PAGE_NODES: u64 = 4096;

/// The nodes that a peer told us it holds. Only nodes that we hold get in through `proof`, so that
/// it needs no more pages than they fill.
#[derive(Default)]
pub struct RemoteTree {
    pages: BTreeMap<u64, Box<[u64; 64]>>,
}

impl RemoteTree {
    /// Adds a node and every parent whose children are both there; false if it was there already.
    pub fn insert(&mut self, node: NodeIndex) -> bool {
        let mut next = node;
        while self.insert_one(next) {
            if next.depth() >= TOP_DEPTH || !self.contains(next.sibling()) {
                return true;
            }
            next = next.parent();
        }
        next != node
    }

    /// True if the peer holds this node.
    pub fn contains(&self, node: NodeIndex) -> bool {
        let (page, word, bit) = place(node);
        self.pages.get(&page).and_then(|page| page.get(word)).is_some_and(|word| word & bit != 0)
    }

    fn insert_one(&mut self, node: NodeIndex) -> bool {
        let (page, word, bit) = place(node);
        let page = self.pages.entry(page).or_insert_with(|| Box::new([0; 64]));
        let Some(word) = page.get_mut(word) else { return false };
        let news = *word & bit == 0;
        *word |= bit;
        news
    }
}

/// Page, word in the page, and bit in the word.
fn place(node: NodeIndex) -> (u64, usize, u64) {
    let word = node.0 % PAGE_NODES / 64;
    (node.0 / PAGE_NODES, usize::try_from(word).unwrap_or(0), 1 << (node.0 % 64))
}

/// What proves a node: the nodes to send, in this order, and whose signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofPlan {
    /// At most 106.
    pub nodes: Vec<NodeIndex>,
    /// Twice the length in blocks whose signature goes along; 0 for none, because the peer holds a
    /// proven node above.
    pub verified_by: u64,
}

/// Plans the proof of `node` for a peer with this `digest`; None if we do not hold the node. With
/// `hash` the node itself is sent too. What the digest tells is added to `remote`.
pub fn proof(
    set: &impl NodeSet,
    node: NodeIndex,
    digest: u64,
    hash: bool,
    remote: &mut RemoteTree,
) -> Option<ProofPlan> {
    if !set.has_node(node) {
        return None;
    }
    let mut nodes = Vec::new();
    if hash {
        nodes.push(node);
    }
    if digest == 1 {
        return Some(ProofPlan { nodes, verified_by: 0 });
    }
    learn(set, node, digest, remote);
    let mut next = node;
    while next.depth() < TOP_DEPTH && !remote.contains(next) {
        if !set.has_node(next.sibling()) {
            let verified_by = verified_by(set, next);
            nodes.extend(full_roots(verified_by / 2).filter(|&root| root != next && !remote.contains(root)));
            return Some(ProofPlan { nodes, verified_by });
        }
        if !remote.contains(next.sibling()) {
            nodes.push(next.sibling());
        }
        next = next.parent();
    }
    Some(ProofPlan { nodes, verified_by: 0 })
}

/// Adds to `remote` what a digest says, of the nodes that we hold.
fn learn(set: &impl NodeSet, node: NodeIndex, digest: u64, remote: &mut RemoteTree) {
    let mut insert = |node| {
        if set.has_node(node) {
            remote.insert(node);
        }
    };
    let has_root = digest & 1 == 1;
    let mut rest = digest >> 1;
    let mut next = node;
    while rest != 0 && next.depth() < TOP_DEPTH {
        if rest == 1 && has_root {
            insert(next);
            // Who holds a root holds the roots before it.
            let left = next.min(next.sibling());
            full_roots(left.right_span().0 / 2 + 1).for_each(insert);
            return;
        }
        if rest & 1 == 1 {
            insert(next.sibling());
        }
        next = next.parent();
        rest >>= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::lcg;
    use crate::math::crypto;
    use hex_literal::hex;
    use proptest::prelude::*;

    /// Adds a node and every parent whose children are both there.
    fn set_with_parents(stage: &mut Stage, base: &Bitfield, node: NodeIndex) {
        let mut next = node;
        while stage.set_node(base, next, true) && next.depth() < TOP_DEPTH && stage.has_node(base, next.sibling()) {
            next = next.parent();
        }
    }

    fn sparse(seed: &mut u32, case: u32) -> Bitfield {
        let mut base = Bitfield::new(3584);
        let mut stage = Stage::new();
        let len = u64::from(lcg(seed) % if case.is_multiple_of(3) { 20 } else { 2000 });
        for block in 0..len {
            if case.is_multiple_of(4) || !lcg(seed).is_multiple_of(9) {
                set_with_parents(&mut stage, &base, NodeIndex(2 * block));
            }
        }
        for _ in 0..lcg(seed) % 10 {
            let node = u64::from(lcg(seed)) % (4 * len + 1);
            set_with_parents(&mut stage, &base, NodeIndex(node));
        }
        if case.is_multiple_of(5) {
            truncate(&mut stage, &base, u64::from(lcg(seed)) % (len + 1));
        }
        base.apply(stage);
        base
    }

    /// 300 random trees, 30 questions each, all answers hashed. Made with hypercore@9.12.0
    /// lib/tree-index.js.
    #[test]
    fn agrees_with_stock() {
        let (mut seed, mut answers) = (7, Vec::<u64>::new());
        for case in 0..300 {
            let tree = sparse(&mut seed, case);
            let mut remote = RemoteTree::default();
            answers.extend([tree.tree_len(), blocks(&tree)]);
            let bound = blocks(&tree) * 2 + 6;
            for _ in 0..30 {
                let node = NodeIndex(u64::from(lcg(&mut seed)) % bound);
                let block = BlockIndex(u64::from(lcg(&mut seed)) % bound);
                answers.extend([verified_by(&tree, node), digest(&tree, block)]);
                let high = u64::from(lcg(&mut seed)) << 24 | u64::from(lcg(&mut seed));
                let asked = high >> (lcg(&mut seed) % 48);
                let hash = lcg(&mut seed).is_multiple_of(2);
                match proof(&tree, node, asked, hash, &mut remote) {
                    None => answers.push(u64::from(u32::MAX)),
                    Some(plan) => {
                        answers.push(plan.verified_by);
                        answers.extend(plan.nodes.iter().map(|node| node.0));
                    }
                }
            }
        }
        let bytes: Vec<u8> = answers.iter().flat_map(|answer| answer.to_le_bytes()).collect();
        assert_eq!(crypto::hash(&bytes), hex!("0b2610d0382d29dd65c8252ebb33c5c2791f24a79569fb6ab22248adfd5a92b1"));
    }

    fn full(len: u64) -> Bitfield {
        let mut base = Bitfield::new(3584);
        let mut stage = Stage::new();
        for block in 0..len {
            set_with_parents(&mut stage, &base, NodeIndex(2 * block));
        }
        base.apply(stage);
        base
    }

    proptest! {
        #[test]
        fn a_full_log_knows_its_length(len in 0..3000u64) {
            let tree = full(len);
            prop_assert_eq!(blocks(&tree), len);
            let mut shorter = Stage::new();
            truncate(&mut shorter, &tree, len / 3);
            prop_assert_eq!(blocks(&(&shorter, &tree)), len / 3);
        }

        #[test]
        fn hostile_questions_stay_bounded(len in 1..3000u64, node in any::<u64>(), digests in prop::collection::vec(any::<u64>(), 1..50)) {
            let (tree, mut remote) = (full(len), RemoteTree::default());
            for digest in digests {
                prop_assert!(proof(&tree, NodeIndex(node >> 11), digest, true, &mut remote).is_none_or(|plan| plan.nodes.len() <= 106));
                let plan = proof(&tree, NodeIndex(node % len * 2), digest, false, &mut remote).unwrap();
                prop_assert!(plan.nodes.len() <= 24);
            }
            prop_assert!(remote.pages.len() <= 2);
        }

        #[test]
        fn asked_with_our_digest_a_proof_leads_to_nodes_we_hold(len in 1..600u64, held in prop::collection::vec(any::<u64>(), 0..20), block in any::<u64>()) {
            let (theirs, base) = (full(len), Bitfield::new(3584));
            let block = BlockIndex(block % len);
            let mut ours = Stage::new();
            for other in held {
                set_with_parents(&mut ours, &base, BlockIndex(other % len).leaf());
            }
            let digest = digest(&(&ours, &base), block);
            let plan = proof(&theirs, block.leaf(), digest, false, &mut RemoteTree::default()).unwrap();
            let known = |node| ours.has_node(&base, node) || plan.nodes.contains(&node);
            let mut next = block.leaf();
            while !full_roots(len).any(|root| root == next) && !ours.has_node(&base, next) {
                prop_assert!(known(next.sibling()));
                next = next.parent();
            }
        }
    }
}
