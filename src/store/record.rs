//! Records: the bytes of a header, of a node, of a signature.
//!
//! ```text
//! header     05 02 57 | kind | version 0 | u16be entry size | name length | name | zeros   32 B
//!            kind: 0 bitfield, 1 signatures (Ed25519), 2 tree (BLAKE2b)
//! node       hash 32 B | u64be size                                                        40 B
//! signature  64 B
//! ```
//! All zero means "never written", for each of them. What is neither blank nor ours is the disk's
//! fault, or another format: the answer is an error, so that nobody writes over it.
//!
//! Source: hypercore@9.12.0 lib/storage.js. Drawn in docs/format.md, "Records".

use std::fmt;

use super::layout::{File, HEADER_LEN, NODE_LEN, SIGNATURE_LEN};
use crate::math::crypto::{Node, SignatureBytes};
use crate::math::flat::{MAX_SAFE_INTEGER, NodeIndex};

const MAGIC: [u8; 3] = [5, 2, 0x57];
const VERSION: u8 = 0;

/// Size of a bitfield page. The one in the header wins and is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PageSize {
    /// 3328 bytes: feeds of early versions (Q13).
    Old,
    /// 3584 bytes: every new feed.
    #[default]
    New,
}

impl PageSize {
    /// The size in bytes.
    pub const fn bytes(self) -> u16 {
        match self {
            PageSize::Old => 3328,
            PageSize::New => 3584,
        }
    }
}

/// The header of a file that has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// Of `bitfield`.
    Bitfield(PageSize),
    /// Of `signatures`.
    Signatures,
    /// Of `tree`.
    Tree,
}

impl Header {
    /// The file that this header opens.
    pub const fn file(self) -> File {
        match self {
            Header::Bitfield(_) => File::Bitfield,
            Header::Signatures => File::Signatures,
            Header::Tree => File::Tree,
        }
    }

    const fn kind(self) -> u8 {
        match self {
            Header::Bitfield(_) => 0,
            Header::Signatures => 1,
            Header::Tree => 2,
        }
    }

    /// Bytes of one entry.
    pub const fn entry_size(self) -> u16 {
        match self {
            Header::Bitfield(page_size) => page_size.bytes(),
            Header::Signatures => 64,
            Header::Tree => 40,
        }
    }

    /// Name of the algorithm that made the entries; empty for the bitfield.
    pub const fn algorithm(self) -> &'static str {
        match self {
            Header::Bitfield(_) => "",
            Header::Signatures => "Ed25519",
            Header::Tree => "BLAKE2b",
        }
    }

    /// The header's bytes.
    pub fn encode(self) -> [u8; HEADER_LEN] {
        let name = self.algorithm().as_bytes();
        let name_len = u8::try_from(name.len()).unwrap_or(u8::MAX);
        let [high, low] = self.entry_size().to_be_bytes();
        let front = MAGIC.into_iter().chain([self.kind(), VERSION, high, low, name_len]);
        let mut header = [0; HEADER_LEN];
        for (to, from) in header.iter_mut().zip(front.chain(name.iter().copied())) {
            *to = from;
        }
        header
    }

    /// Checks the first bytes of this header's file: all 32, or fewer if the file is shorter. None:
    /// blank, or ours but cut short by a crash, so ours may be written. A bitfield's page size is
    /// reported, not compared.
    pub fn check(self, bytes: &[u8]) -> Result<Option<Header>, HeaderError> {
        let is_torn = bytes.len() < HEADER_LEN && self.encode().starts_with(bytes);
        if is_torn || is_blank(bytes) {
            return Ok(None);
        }
        let fault = |fault| HeaderError { file: self.file(), fault };
        let [m0, m1, m2, kind, version, high, low, name_len, name @ ..] =
            bytes.first_chunk::<HEADER_LEN>().ok_or(fault(HeaderFault::Short))?;
        if [*m0, *m1, *m2] != MAGIC {
            return Err(fault(HeaderFault::Magic));
        }
        if *kind != self.kind() {
            return Err(fault(HeaderFault::Kind(*kind)));
        }
        if *version != VERSION {
            return Err(fault(HeaderFault::Version(*version)));
        }
        if name.get(..usize::from(*name_len)) != Some(self.algorithm().as_bytes()) {
            return Err(fault(HeaderFault::Algorithm));
        }
        let entry_size = u16::from_be_bytes([*high, *low]);
        self.with_entry_size(entry_size).ok_or(fault(HeaderFault::EntrySize(entry_size))).map(Some)
    }

    fn with_entry_size(self, entry_size: u16) -> Option<Header> {
        let candidates = match self {
            Header::Bitfield(_) => [Header::Bitfield(PageSize::New), Header::Bitfield(PageSize::Old)],
            other => [other, other],
        };
        candidates.into_iter().find(|header| header.entry_size() == entry_size)
    }
}

/// A header that is not ours, and whose file must stay as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderError {
    /// The file it opens.
    pub file: File,
    /// What is strange about it.
    pub fault: HeaderFault,
}

/// What is strange about a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderFault {
    /// The file has bytes, but fewer than a header.
    Short,
    /// It does not start with 05 02 57.
    Magic,
    /// It belongs to another of the files.
    Kind(u8),
    /// It is of another version.
    Version(u8),
    /// Its entries are of a size that nobody wrote.
    EntrySize(u16),
    /// Its entries were made by another algorithm.
    Algorithm,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.name();
        match self.fault {
            HeaderFault::Short => write!(f, "{file}: the header is cut short"),
            HeaderFault::Magic => write!(f, "{file}: not a hypercore file"),
            HeaderFault::Kind(kind) => write!(f, "{file}: header of another file, type {kind}"),
            HeaderFault::Version(version) => write!(f, "{file}: unknown version {version}"),
            HeaderFault::EntrySize(size) => write!(f, "{file}: unknown entry size {size}"),
            HeaderFault::Algorithm => write!(f, "{file}: unknown algorithm"),
        }
    }
}

impl std::error::Error for HeaderError {}

/// A stored node whose size no feed can have: the file is rotten there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeError {
    /// The node.
    pub index: NodeIndex,
    /// The size that was read, in bytes.
    pub size: u64,
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tree: node {} claims {} bytes", self.index.0, self.size)
    }
}

impl std::error::Error for NodeError {}

/// The 40 bytes of a node.
pub fn encode_node(node: &Node) -> [u8; NODE_LEN] {
    let mut record = [0; NODE_LEN];
    let (hash, size) = record.split_at_mut(32);
    hash.copy_from_slice(&node.hash);
    size.copy_from_slice(&node.size.to_be_bytes());
    record
}

/// The node in the first 40 of `bytes`; None if it is blank, or cut short by the end of the file.
/// Errors if its size exceeds 2^53 - 1.
// Inline: who takes 56 bytes out of memory right after they were put there waits for all stores
// before them.
#[inline(always)]
pub fn decode_node(index: NodeIndex, bytes: &[u8]) -> Result<Option<Node>, NodeError> {
    let Some(record) = bytes.first_chunk::<NODE_LEN>() else { return Ok(None) };
    let (Some(hash), Some(size)) = (record.first_chunk(), record.last_chunk()) else { return Ok(None) };
    let (hash, size) = (*hash, u64::from_be_bytes(*size));
    if size > MAX_SAFE_INTEGER {
        return Err(NodeError { index, size });
    }
    Ok((!is_blank(record)).then_some(Node { index, hash, size }))
}

/// The signature in the first 64 of `bytes`; None if it is blank, or cut short by the end of the
/// file.
pub fn decode_signature(bytes: &[u8]) -> Option<SignatureBytes> {
    bytes.first_chunk::<SIGNATURE_LEN>().copied().filter(|signature| !is_blank(signature))
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;
    use proptest::prelude::*;

    const BITFIELD: Header = Header::Bitfield(PageSize::New);

    /// The first 32 bytes of the files that hypercore@9.12.0 wrote.
    #[test]
    fn headers_are_stocks() {
        assert_eq!(BITFIELD.encode(), hex!("050257 00 00 0e00 00 000000000000000000000000000000000000000000000000"));
        assert_eq!(
            Header::Signatures.encode(),
            hex!("050257 01 00 0040 07 45643235353139 0000000000000000000000000000000000")
        );
        assert_eq!(
            Header::Tree.encode(),
            hex!("050257 02 00 0028 07 424c414b453262 0000000000000000000000000000000000")
        );
    }

    #[test]
    fn blank_or_ours_or_an_error() {
        for header in [BITFIELD, Header::Signatures, Header::Tree] {
            assert_eq!(header.check(&header.encode()), Ok(Some(header)));
            assert_eq!(header.check(&[]), Ok(None));
            assert_eq!(header.check(&[0; 5]), Ok(None));
            assert_eq!(header.check(&[0; 32]), Ok(None));
            for (place, fault) in [
                (0, HeaderFault::Magic),
                (3, HeaderFault::Kind(header.encode()[3] ^ 0x80)),
                (4, HeaderFault::Version(0x80)),
                (5, HeaderFault::EntrySize(header.entry_size() ^ 0x8000)),
                (7, HeaderFault::Algorithm),
            ] {
                let mut bytes = header.encode();
                bytes[place] ^= 0x80;
                assert_eq!(header.check(&bytes), Err(HeaderError { file: header.file(), fault }));
            }
            let short = HeaderError { file: header.file(), fault: HeaderFault::Short };
            assert_eq!(header.check(&header.encode()[..31]), Ok(None));
            assert_eq!(header.check(&[header.encode()[..31].as_ref(), &[1]].concat()[1..]), Err(short));
        }
        let old = Header::Bitfield(PageSize::Old);
        assert_eq!(BITFIELD.check(&old.encode()), Ok(Some(old)));
    }

    #[test]
    fn blank_short_and_rotten_records() {
        let index = NodeIndex(6);
        assert_eq!(decode_node(index, &[0; 40]), Ok(None));
        assert_eq!(decode_node(index, &[1; 39]), Ok(None));
        assert_eq!(decode_node(index, &[0xff; 40]), Err(NodeError { index, size: u64::MAX }));
        assert_eq!(decode_signature(&[0; 64]), None);
        assert_eq!(decode_signature(&[7; 63]), None);
        assert_eq!(decode_signature(&[7; 65]), Some([7; 64]));
    }

    proptest! {
        #[test]
        fn nodes_return(index: u64, hash in proptest::array::uniform32(1u8..), size in 0..=MAX_SAFE_INTEGER) {
            let node = Node { index: NodeIndex(index), hash, size };
            prop_assert_eq!(decode_node(node.index, &encode_node(&node)), Ok(Some(node)));
        }

        #[test]
        fn no_header_panics(bytes: Vec<u8>) {
            let _ = BITFIELD.check(&bytes);
        }
    }
}
