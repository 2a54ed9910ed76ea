//! Audit: every block that is held, against its hash. In slices, so that other verbs go between
//! them.
//!
//! ```text
//! audit_slice(from) ──► valid, corrupt, next ──► audit_slice(next) ──► ... ──► give_up(corrupt)
//!      reads                                                                     changes
//! ```
//! Invariant: a slice changes nothing. A block that is called corrupt here is given up only if it
//! still is when `give_up` looks.
//! Source: hypercore@9.12.0 index.js `audit`.

use super::error::FeedError;
use super::opened::Feed;
use crate::math::flat::BlockIndex;
use crate::store::Io;

/// What a block costs besides its bytes, in bytes that could have been hashed meanwhile.
const BLOCK_COST: u64 = 1024;

/// What a part of an audit found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slice {
    /// How many blocks match their hashes.
    pub valid: u64,
    /// The blocks that do not, or whose node is damaged, ascending.
    pub corrupt: Vec<u64>,
    /// Where the next slice begins; None at the end of the log.
    pub next: Option<u64>,
}

impl Feed {
    /// Reads held blocks from `from` on, until about `max_bytes` were hashed; one at least. Blocks
    /// that come or go meanwhile may be counted or not.
    pub async fn audit_slice(&self, io: &Io, from: u64, max_bytes: u64) -> Result<Slice, FeedError> {
        let next_held = |from| self.with_local(|bitfield, len| bitfield.next_set(from, len));
        let mut slice = Slice { next: next_held(from), ..Slice::default() };
        let mut bytes = 0u64;
        while let Some(block) = slice.next.filter(|_| bytes < max_bytes) {
            match self.get(io, BlockIndex(block)).await {
                Ok(Some(data)) => {
                    slice.valid += 1;
                    bytes = bytes.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
                }
                Ok(None) => {}
                Err(FeedError::BadBlock(_) | FeedError::NodeMissing(_)) => slice.corrupt.push(block),
                Err(error) => return Err(error),
            }
            bytes = bytes.saturating_add(BLOCK_COST);
            slice.next = next_held(block + 1);
        }
        Ok(slice)
    }
}
