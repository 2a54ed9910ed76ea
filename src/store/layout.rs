//! Layout: the six files of a feed, and where each record lies.
//!
//! ```text
//! key         32 B public key                       secret_key  64 B, writers only
//! tree        header | node 0 | node 1 | ...        40 B each
//! signatures  header | of block 0 | of block 1 ...  64 B each
//! bitfield    header | page 0 | page 1 | ...        page size from the header
//! data        blocks, back to back
//! ```
//! A header is 32 bytes. Nothing here fails: indexes come from blocks below 2^53, so no offset
//! leaves 63 bits.
//!
//! Source: hypercore@9.12.0 lib/storage.js. Drawn in docs/format.md, "Files".

use crate::math::flat::{BlockIndex, NodeIndex};

/// Bytes of the header that opens `tree`, `signatures` and `bitfield`.
pub const HEADER_LEN: usize = 32;
/// Where the entries of these files begin, in bytes.
pub const HEADER_END: u64 = 32;
/// Bytes of one node in `tree`.
pub const NODE_LEN: usize = 40;
/// Bytes of one signature in `signatures`.
pub const SIGNATURE_LEN: usize = 64;

/// One of the six files of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum File {
    /// The public key.
    Key,
    /// The secret key: absent on clones.
    SecretKey,
    /// The nodes of the tree.
    Tree,
    /// The blocks.
    Data,
    /// Which blocks and nodes are here.
    Bitfield,
    /// The signatures, one a batch.
    Signatures,
}

impl File {
    /// All six, in the order in which stock asks for them.
    pub const ALL: [File; 6] = [File::Key, File::SecretKey, File::Tree, File::Data, File::Bitfield, File::Signatures];

    /// The name in the directory, and the name that a storage function is asked for.
    pub const fn name(self) -> &'static str {
        match self {
            File::Key => "key",
            File::SecretKey => "secret_key",
            File::Tree => "tree",
            File::Data => "data",
            File::Bitfield => "bitfield",
            File::Signatures => "signatures",
        }
    }
}

/// Where a node lies in `tree`, in bytes.
pub const fn node_offset(node: NodeIndex) -> u64 {
    32 + 40 * node.0
}

/// The node whose record lies there in `tree`, or whose record that is a part of.
pub const fn node_at(offset: u64) -> NodeIndex {
    NodeIndex(offset.saturating_sub(32) / 40)
}

/// Where the signature of the log that ends with this block lies in `signatures`, in bytes.
pub const fn signature_offset(block: BlockIndex) -> u64 {
    32 + 64 * block.0
}

/// Where a page lies in `bitfield`, in bytes. Pages count from 0; `page_size` is bytes of a page.
pub fn page_offset(page: u64, page_size: u16) -> u64 {
    32 + u64::from(page_size) * page
}

/// One value for each file.
#[derive(Debug, Default)]
pub struct PerFile<T> {
    key: T,
    secret_key: T,
    tree: T,
    data: T,
    bitfield: T,
    signatures: T,
}

impl<T> PerFile<T> {
    /// Makes the value of each file.
    pub fn make(mut make: impl FnMut(File) -> T) -> Self {
        Self {
            key: make(File::Key),
            secret_key: make(File::SecretKey),
            tree: make(File::Tree),
            data: make(File::Data),
            bitfield: make(File::Bitfield),
            signatures: make(File::Signatures),
        }
    }

    /// The value of one file.
    pub const fn of(&self, file: File) -> &T {
        match file {
            File::Key => &self.key,
            File::SecretKey => &self.secret_key,
            File::Tree => &self.tree,
            File::Data => &self.data,
            File::Bitfield => &self.bitfield,
            File::Signatures => &self.signatures,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_follow_the_header() {
        assert_eq!([node_offset(NodeIndex(0)), node_offset(NodeIndex(3))], [32, 152]);
        assert_eq!([signature_offset(BlockIndex(0)), signature_offset(BlockIndex(2))], [32, 160]);
        assert_eq!([page_offset(0, 3584), page_offset(2, 3584), page_offset(1, 3328)], [32, 7200, 3360]);
    }
}
