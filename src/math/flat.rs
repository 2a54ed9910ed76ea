//! Flat tree: a binary tree laid out in one line.
//!
//! ```text
//! depth 2        3
//! depth 1    1       5
//! depth 0  0   2   4   6      node indexes; leaf of block i is 2i
//! ```
//! A node at depth d and offset o has index `o * 2^(d+1) + 2^d - 1`. Everything here is arithmetic
//! and cannot fail: indexes come from blocks below 2^53, so that no intermediate value leaves 64
//! bits.
//!
//! Source: flat-tree@1.13.0 index.js.

/// The largest integer that JavaScript, and so every hypercore 9, can hold exactly: 2^53 - 1.
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The place of a block in a log, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockIndex(pub u64);

/// The place of a node in the flat tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(pub u64);

impl BlockIndex {
    /// The leaf of this block: node 2i.
    pub const fn leaf(self) -> NodeIndex {
        NodeIndex(self.0 * 2)
    }
}

impl NodeIndex {
    /// The node at `depth` (leaves are 0) and `offset` (from the left, 0) of the tree.
    pub const fn at(depth: u32, offset: u64) -> Self {
        NodeIndex((offset << (depth + 1)) + (1 << depth) - 1)
    }

    /// Distance from the leaves; 0 for a leaf.
    pub const fn depth(self) -> u32 {
        (!self.0).trailing_zeros()
    }

    /// Place among the nodes of the same depth, from 0.
    pub const fn offset(self) -> u64 {
        self.0 >> (self.depth() + 1)
    }

    /// True for the leaf of a block.
    pub const fn is_leaf(self) -> bool {
        self.0 & 1 == 0
    }

    /// The block whose leaf this is, or None for a parent.
    pub const fn block(self) -> Option<BlockIndex> {
        if self.is_leaf() { Some(BlockIndex(self.0 / 2)) } else { None }
    }

    /// The node above.
    pub const fn parent(self) -> Self {
        NodeIndex::at(self.depth() + 1, self.offset() / 2)
    }

    /// The other child of the same parent.
    pub const fn sibling(self) -> Self {
        NodeIndex::at(self.depth(), self.offset() ^ 1)
    }

    /// The left child, or None for a leaf.
    pub const fn left_child(self) -> Option<Self> {
        match self.depth() {
            0 => None,
            depth => Some(NodeIndex::at(depth - 1, self.offset() * 2)),
        }
    }

    /// The right child, or None for a leaf.
    pub const fn right_child(self) -> Option<Self> {
        match self.depth() {
            0 => None,
            depth => Some(NodeIndex::at(depth - 1, self.offset() * 2 + 1)),
        }
    }

    /// The leftmost leaf below (itself, for a leaf).
    pub const fn left_span(self) -> Self {
        NodeIndex(self.0 + 1 - (1 << self.depth()))
    }

    /// The rightmost leaf below (itself, for a leaf).
    pub const fn right_span(self) -> Self {
        NodeIndex(self.0 + (1 << self.depth()) - 1)
    }
}

/// The roots (peaks) that cover the first `len` blocks, from left to right; at most 64.
pub fn full_roots(len: u64) -> impl Iterator<Item = NodeIndex> {
    let mut first_block = 0;
    (0..u64::BITS).rev().filter_map(move |depth| {
        if len & (1 << depth) == 0 {
            return None;
        }
        let root = NodeIndex::at(depth, first_block >> depth);
        first_block += 1 << depth;
        Some(root)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn draws_the_picture() {
        let root = NodeIndex(3);
        assert_eq!((root.depth(), root.offset()), (2, 0));
        assert_eq!(root.left_child(), Some(NodeIndex(1)));
        assert_eq!(root.right_child(), Some(NodeIndex(5)));
        assert_eq!((root.left_span(), root.right_span()), (NodeIndex(0), NodeIndex(6)));
        assert_eq!(NodeIndex(5).sibling(), NodeIndex(1));
        assert_eq!(NodeIndex(4).parent(), NodeIndex(5));
        assert_eq!(NodeIndex(0).left_child(), None);
        assert_eq!(NodeIndex(1).block(), None);
        assert_eq!(NodeIndex(6).block(), Some(BlockIndex(3)));
    }

    #[test]
    fn roots_of_small_logs() {
        let roots = |len| full_roots(len).map(|root| root.0).collect::<Vec<_>>();
        assert_eq!(roots(0), Vec::<u64>::new());
        assert_eq!(roots(1), [0]);
        assert_eq!(roots(3), [1, 4]);
        assert_eq!(roots(8), [7]);
        assert_eq!(roots(11), [7, 17, 20]);
    }

    proptest! {
        #[test]
        fn family_agrees(index in 0..MAX_SAFE_INTEGER) {
            let node = NodeIndex(index);
            prop_assert_eq!(NodeIndex::at(node.depth(), node.offset()), node);
            prop_assert_eq!(node.sibling().parent(), node.parent());
            prop_assert_eq!(node.sibling().sibling(), node);
            let parent = node.parent();
            prop_assert!(parent.left_child() == Some(node) || parent.right_child() == Some(node));
        }

        #[test]
        fn roots_cover_all_blocks_once(len in 0..MAX_SAFE_INTEGER / 2) {
            let mut next = 0;
            for root in full_roots(len) {
                prop_assert_eq!(root.left_span().0, next);
                next = root.right_span().0 + 2;
            }
            prop_assert_eq!(next, len * 2);
        }
    }
}
