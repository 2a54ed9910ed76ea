//! Merkle: blocks in, nodes and roots out.
//!
//! ```text
//! len 3       1              append 2       3
//!           0   2   4          =>       1       5
//! roots     1, 4                      0   2   4   6   8        new: 5 6 3 8, roots 3, 8
//! ```
//! A level has the nodes from `len >> depth` on that were not complete before; its first may need
//! an old root as its left half. Nothing fails: sizes are sums of what is in memory.
//!
//! Invariant: `Roots` are the full roots of their length, from left to right.
//! Source: merkle-tree-stream@4.0.0 generator.js, hypercore@9.12.0 index.js `_append`.

use blake2b_simd::{Params, many};

use crate::math::crypto::{self, Hash, Node, leaf_hash, leaf_hashes};
use crate::math::flat::{BlockIndex, full_roots};

/// From this many hashes on, several are made at once.
const BATCH: usize = 4;
/// Leaves hashed in one go, so that their states stay in the cache.
const GROUP: usize = 64;

/// The roots of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roots {
    nodes: Vec<Node>,
}

impl Roots {
    /// Roots from left to right, as `full_roots` of the log's length lists them.
    pub fn new(nodes: Vec<Node>) -> Self {
        Self { nodes }
    }

    /// The roots, from left to right.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Length of the log in blocks.
    pub fn len(&self) -> u64 {
        self.nodes.last().map_or(0, |last| last.index.right_span().0 / 2 + 1)
    }

    /// True for a log without blocks.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Length of the log in bytes.
    pub fn byte_len(&self) -> u64 {
        self.nodes.iter().fold(0, |sum, node| sum.saturating_add(node.size))
    }

    /// What is signed, but for the length.
    pub fn hash(&self) -> Hash {
        crypto::tree_hash(&self.nodes)
    }

    /// The roots after these blocks, and all nodes that are new, in the order of their indexes.
    pub fn append(&self, blocks: &[&[u8]]) -> (Roots, Vec<Node>) {
        let len = self.len();
        let mut new = leaves(len, blocks);
        let mut level = 0..new.len();
        for depth in 0.. {
            let first = new.get(level.clone()).unwrap_or_default().first();
            let left = first.filter(|first| first.index.offset() % 2 == 1).and_then(|_| self.root_at(depth));
            let children: Vec<Node> =
                left.into_iter().chain(new.get(level.clone()).unwrap_or_default()).copied().collect();
            if children.len() < 2 {
                break;
            }
            level = new.len()..new.len() + children.len() / 2;
            new.extend(parents(&children));
        }
        new.sort_by_key(|node| node.index);
        (self.grown(len + count(blocks), &new), new)
    }

    fn root_at(&self, depth: u32) -> Option<&Node> {
        self.nodes.iter().rev().find(|root| root.index.depth() == depth)
    }

    fn grown(&self, len: u64, new: &[Node]) -> Roots {
        let find = |nodes: &[Node], root| {
            let at = nodes.binary_search_by_key(&root, |node| node.index).ok()?;
            nodes.get(at).copied()
        };
        Roots::new(full_roots(len).filter_map(|root| find(&self.nodes, root).or_else(|| find(new, root))).collect())
    }
}

fn count<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

fn leaves(len: u64, blocks: &[&[u8]]) -> Vec<Node> {
    // Room for the parents too: at most one a leaf, and one more a level of the old tree.
    let mut leaves = Vec::with_capacity(2 * blocks.len() + 16);
    let mut index = BlockIndex(len).leaf();
    let mut push = |hash, block: &&[u8]| {
        leaves.push(Node { index, hash, size: count(block) });
        index.0 += 2;
    };
    for group in blocks.chunks(GROUP) {
        if group.len() < BATCH {
            group.iter().for_each(|block| push(leaf_hash(block), block));
        } else {
            leaf_hashes(group).into_iter().zip(group).for_each(|(hash, block)| push(hash, block));
        }
    }
    leaves
}

/// The parents of neighbours of one depth, the first of which is a left child; a last one without
/// sibling waits.
fn parents(children: &[Node]) -> Vec<Node> {
    let (pairs, _) = children.as_chunks::<2>();
    if pairs.len() < BATCH {
        return pairs.iter().map(|[left, right]| crypto::parent(left, right)).collect();
    }
    let inputs: Vec<[u8; 73]> = pairs.iter().map(|[left, right]| parent_input(left, right)).collect();
    let mut params = Params::new();
    params.hash_length(32);
    let mut jobs: Vec<_> = inputs.iter().map(|input| many::HashManyJob::new(&params, input)).collect();
    many::hash_many(jobs.iter_mut());
    let parent = |([left, right], job): (&[Node; 2], &many::HashManyJob)| {
        let mut hash = [0; 32];
        hash.copy_from_slice(job.to_hash().as_bytes());
        Node { index: left.index.parent(), hash, size: left.size.saturating_add(right.size) }
    };
    pairs.iter().zip(&jobs).map(parent).collect()
}

/// What the hash of a parent covers: 01, both sizes summed up, both hashes.
fn parent_input(left: &Node, right: &Node) -> [u8; 73] {
    let mut input = [1; 73];
    let [_, rest @ ..] = &mut input;
    let (size, hashes) = rest.split_at_mut(8);
    let (left_half, right_half) = hashes.split_at_mut(32);
    size.copy_from_slice(&left.size.saturating_add(right.size).to_be_bytes());
    left_half.copy_from_slice(&left.hash);
    right_half.copy_from_slice(&right.hash);
    input
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::flat::NodeIndex;
    use hex_literal::hex;
    use proptest::prelude::*;

    /// Merges block by block, as stock does.
    fn naive(roots: &Roots, blocks: &[&[u8]]) -> (Roots, Vec<Node>) {
        let (mut nodes, mut new) = (roots.nodes.clone(), Vec::new());
        for (block, data) in (roots.len()..).zip(blocks) {
            nodes.push(Node { index: NodeIndex(2 * block), hash: leaf_hash(data), size: count(data) });
            new.push(nodes[nodes.len() - 1]);
            while let [.., left, right] = nodes[..] {
                if left.index.parent() != right.index.parent() {
                    break;
                }
                nodes.truncate(nodes.len() - 2);
                nodes.push(crypto::parent(&left, &right));
                new.push(nodes[nodes.len() - 1]);
            }
        }
        new.sort_by_key(|node| node.index);
        (Roots::new(nodes), new)
    }

    /// Made with merkle-tree-stream@4.0.0 and hypercore-crypto@2.3.2: 1,000 blocks, block i is i %
    /// 50 times the byte i.
    #[test]
    fn agrees_with_stock() {
        let blocks: Vec<Vec<u8>> = (0..1000usize).map(|i| vec![i.to_le_bytes()[0]; i % 50]).collect();
        let blocks: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
        let (roots, new) = Roots::default().append(&blocks);
        assert_eq!((roots.len(), roots.byte_len(), new.len()), (1000, 24_500, 1994));
        assert_eq!(roots.hash(), hex!("27824460235d9356f23a29b97fd6d23f49b379de7617d583c24a384d0fa443d6"));
    }

    proptest! {
        #[test]
        fn levels_equal_one_by_one(batches in prop::collection::vec(prop::collection::vec(0..40usize, 0..90), 0..6)) {
            let mut roots = Roots::default();
            for batch in batches {
                let blocks: Vec<Vec<u8>> = batch.iter().map(|&len| vec![5; len]).collect();
                let blocks: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
                let grown = roots.append(&blocks);
                prop_assert_eq!(&grown, &naive(&roots, &blocks));
                roots = grown.0;
            }
            prop_assert!(roots.nodes().iter().map(|root| root.index).eq(full_roots(roots.len())));
        }
    }
}
