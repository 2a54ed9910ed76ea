//! Calls that are not answered yet.
//!
//! ```text
//! wanted     waits for a peer, or for the log to grow; can be given up at any time
//! reading    a job is at it; its answer comes, unless the feed is closed before
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::message::Seek;
use crate::engine::ids::OpId;

/// Something that waits for a peer.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// A block.
    Block(u64),
    /// A length.
    Update,
    /// A byte.
    Seek(Seek),
    /// A range.
    Download,
    /// A range, to be read then: the first block, and one past the last.
    Batch(u64, u64),
}

/// An audit so far.
#[derive(Clone, Debug, Default)]
pub struct Audit {
    /// The block with which it goes on.
    pub next: u64,
    /// Blocks that match their hashes.
    pub valid: u64,
    /// Those that do not.
    pub corrupt: Vec<u64>,
}

/// See the file's head.
#[derive(Default)]
pub struct Calls {
    /// By operation.
    pub wanted: BTreeMap<OpId, Wanted>,
    /// Operations of which a job is under way.
    pub reading: BTreeSet<OpId>,
    /// Those of them that are audits.
    pub audits: BTreeMap<OpId, Audit>,
}

impl Calls {
    /// True if its answer depends on peers, as far as can be said without reading.
    pub fn needs_peers(&self, op: OpId, holds_up_to: impl FnOnce(u64) -> bool) -> bool {
        match self.wanted.get(&op) {
            None => false,
            Some(Wanted::Seek(seek)) => !holds_up_to(seek.bytes),
            Some(_) => true,
        }
    }

    /// All that are not answered, first those that are read: the feed is closed.
    pub fn take_all(&mut self) -> Vec<OpId> {
        self.audits.clear();
        let mut ops: Vec<OpId> = std::mem::take(&mut self.reading).into_iter().collect();
        ops.extend(std::mem::take(&mut self.wanted).into_keys());
        ops
    }
}
