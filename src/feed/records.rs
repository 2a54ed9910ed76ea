//! Records: nodes, roots and signatures as the files have them, past any cache.
//!
//! ```text
//! tree        node 0 | node 1 | ...               one record each
//! signatures  of length 1 | of length 2 | ...     most are blank: a batch has one, at its end
//! ```
//! What was never written, or is no record any more, is absent: whether that is a fault is for the
//! verb to say.
//!
//! Invariant: nothing is believed here; hashes and signatures are checked by those who read them.

use bytes::Bytes;

use super::error::FeedError;
use crate::log::merkle::Roots;
use crate::math::crypto::{Node, SignatureBytes, parent};
use crate::math::flat::{BlockIndex, NodeIndex, full_roots};
use crate::store::{File, Io, layout, record};

/// Signatures in one read: 64 KiB.
pub const SIGNATURES_A_READ: u64 = 1024;

/// One node from the tree file, or None if it was never written, or is no node any more.
pub async fn read_node(io: &Io, index: NodeIndex) -> Result<Option<Node>, FeedError> {
    let bytes = io.read(File::Tree, layout::node_offset(index), layout::NODE_LEN).await?;
    Ok(bytes.and_then(|bytes| record::decode_node(index, &bytes).ok().flatten()))
}

/// The roots of `len` blocks, if all of them are there.
pub async fn read_roots(io: &Io, len: u64) -> Result<Option<Roots>, FeedError> {
    let mut roots = Vec::new();
    for index in full_roots(len) {
        match read_node(io, index).await? {
            Some(node) => roots.push(node),
            None => return Ok(None),
        }
    }
    Ok(Some(Roots::new(roots)))
}

/// The children of a proven node, if they are there and hash to it.
pub async fn proven_children(io: &Io, node: &Node) -> Result<Option<(Node, Node)>, FeedError> {
    let (Some(left), Some(right)) = (node.index.left_child(), node.index.right_child()) else { return Ok(None) };
    let (Some(left), Some(right)) = (read_node(io, left).await?, read_node(io, right).await?) else { return Ok(None) };
    Ok((parent(&left, &right) == *node).then_some((left, right)))
}

/// How many signatures the file has room for.
pub async fn signature_count(io: &Io) -> Result<u64, FeedError> {
    let len = io.len(File::Signatures).await?.unwrap_or(0);
    let signature_len = layout::signature_offset(BlockIndex(1)).saturating_sub(layout::HEADER_END);
    Ok(len.saturating_sub(layout::HEADER_END) / signature_len)
}

/// The signature over the first `len` blocks.
pub async fn read_signature(io: &Io, len: u64) -> Result<Option<SignatureBytes>, FeedError> {
    let offset = layout::signature_offset(BlockIndex(len.saturating_sub(1)));
    let bytes = io.read(File::Signatures, offset, layout::SIGNATURE_LEN).await?;
    Ok(bytes.and_then(|bytes| record::decode_signature(&bytes)))
}

/// The records of the lengths `start + 1 ..= end`; fewer at the end of the file.
pub async fn read_signatures(io: &Io, start: u64, end: u64) -> Result<Bytes, FeedError> {
    let size = usize::try_from(end.saturating_sub(start)).unwrap_or(0).saturating_mul(layout::SIGNATURE_LEN);
    Ok(io.read_up_to(File::Signatures, layout::signature_offset(BlockIndex(start)), size).await?)
}

/// Those of the records after `start` that are not blank, with the lengths that they are for.
pub fn decode_signatures(records: &[u8], start: u64) -> impl DoubleEndedIterator<Item = (u64, SignatureBytes)> + '_ {
    let records = records.chunks_exact(layout::SIGNATURE_LEN).enumerate();
    records.filter_map(move |(at, record)| {
        let signature = record::decode_signature(record)?;
        Some((start.saturating_add(u64::try_from(at).ok()?).saturating_add(1), signature))
    })
}
