//! Jobs: verbs of a feed as futures, with what they are for.
//!
//! ```text
//! actor -- Job { feed, task, work } --> executor -- Finished { feed, task, outcome } --> the same actor
//! ```
//! Invariant: every job is answered, one that panics with [`Outcome::Panicked`].

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use super::event::{Answer, Failure};
use super::ids::{FeedId, OpId};
use crate::feed::{Appended, Batch, Feed, FeedError, PutReport, Repaired, Served, Slice, Sought, Version};
use crate::replicate::{Answer as Received, PeerId, Request};

/// A verb as a future.
pub type Work = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// Something to be run.
pub struct Job {
    /// Whose.
    pub feed: FeedId,
    /// What it is for.
    pub task: Task,
    /// On a worker; only jobs of native storages may go there. Else here, as far as it goes.
    pub on_worker: bool,
    /// What is to be done.
    pub work: Work,
}

/// A job that is over.
pub struct Finished {
    /// Whose.
    pub feed: FeedId,
    /// What it was for.
    pub task: Task,
    /// How it went.
    pub outcome: Outcome,
    /// How long it held the thread that has to answer JavaScript, in microseconds; 0 on a worker.
    pub held: u64,
    /// It ran on a worker.
    pub on_worker: bool,
}

/// What a job is for.
#[derive(Clone, Debug)]
pub enum Task {
    /// Open the files.
    Open(OpId),
    /// Append blocks.
    Append(OpId),
    /// Check and keep what remotes answered.
    Store(Vec<Outline>),
    /// Give up the blocks `start..end`.
    Clear {
        /// For this operation.
        op: OpId,
        /// The first.
        start: u64,
        /// One past the last.
        end: u64,
        /// Leave the bytes.
        keep_bytes: bool,
    },
    /// Check and keep what the caller gave.
    Put {
        /// For this operation.
        op: OpId,
        /// The block that it is about.
        block: u64,
    },
    /// Give up what turned out rotten; then fail these operations, that found it.
    Repair(Vec<(OpId, Failure)>),
    /// Give up what an audit found; then answer it with the number of valid blocks, and what was
    /// given up.
    GiveUp(OpId, u64),
    /// Make the log shorter; it was `old` blocks long.
    Truncate {
        /// For this operation.
        op: OpId,
        /// The new length.
        len: u64,
        /// The old one.
        old: u64,
    },
    /// Give a static feed its key.
    Finalize(OpId),
    /// Give up the files.
    Close(OpId),
    /// Remove the files.
    Destroy(OpId),
    /// Read a block.
    Get {
        /// For this operation.
        op: OpId,
        /// The block.
        index: u64,
        /// Wait for a peer if it is not held any more.
        wait: bool,
    },
    /// Read the blocks `start..end`.
    GetBatch {
        /// For this operation.
        op: OpId,
        /// The first.
        start: u64,
        /// One past the last.
        end: u64,
    },
    /// Look for a byte.
    Seek(OpId),
    /// Answer a question about the log.
    About(OpId, About),
    /// Check some of the blocks, from the audit's place on.
    AuditSlice(OpId),
    /// Read what a remote asked for.
    Serve {
        /// Which remote.
        peer: PeerId,
        /// What it asked for.
        requests: Vec<Request>,
        /// The log for which that was planned.
        seen: Version,
    },
}

/// A question about a log.
#[derive(Clone, Copy, Debug)]
pub enum About {
    /// A block's leaf.
    Leaf(u64),
    /// The roots of this many blocks.
    Roots(u64),
    /// The first signature that covers a block.
    Signature(u64),
    /// Whether a signature over the log up to and with a block is the writer's.
    Signed(u64, [u8; 64]),
    /// The proof of a block, for a digest, with or without its leaf.
    Proof(u64, u64, bool),
}

/// How a job went.
pub enum Outcome {
    /// The log.
    Opened(Result<Box<Feed>, FeedError>),
    /// What an append did.
    Appended(Result<Appended, FeedError>),
    /// What became of answers.
    Stored(Result<PutReport, FeedError>),
    /// The runs of blocks that were given up: start, and one past the end.
    Cleared(Result<Vec<(u64, u64)>, FeedError>),
    /// True if something has changed.
    Changed(Result<bool, FeedError>),
    /// What turned out to be damaged, and is no longer held.
    Repaired(Result<Repaired, FeedError>),
    /// The key of a static feed.
    Key(Result<[u8; 32], FeedError>),
    /// The files are closed, or gone.
    Closed(Result<(), FeedError>),
    /// A block; None if it is not held.
    Block(Result<Option<Bytes>, FeedError>),
    /// Blocks; None if one is not held.
    Blocks(Result<Option<Batch>, FeedError>),
    /// Where a byte is.
    Sought(Result<Sought, FeedError>),
    /// An answer to a question.
    Answered(Result<Answer, FeedError>),
    /// What a part of an audit found.
    Audited(Result<Slice, FeedError>),
    /// For each request: the block that the answer is about, and the answer; None if we have none.
    Served(Vec<(u64, Result<Option<Served>, FeedError>)>),
    /// It did not come to an end.
    Panicked(String),
}

/// What an answer was about, for when its value has gone into the feed.
#[derive(Clone, Copy, Debug)]
pub struct Outline {
    /// Who sent it.
    pub peer: PeerId,
    /// The block.
    pub index: u64,
    /// Bytes of its value; None for a hash.
    pub size: Option<usize>,
}

impl From<&Received> for Outline {
    fn from(answer: &Received) -> Self {
        let size = answer.value.as_ref().map(Bytes::len);
        Self { peer: answer.peer, index: answer.index, size }
    }
}

impl Task {
    /// What was being done, to be read after "while".
    pub const fn doing(&self) -> &'static str {
        match self {
            Self::Open(_) => "opening",
            Self::Append(_) => "appending",
            Self::Store(_) => "storing what a peer sent",
            Self::Clear { .. } => "clearing",
            Self::Put { .. } => "putting",
            Self::Repair(_) | Self::GiveUp(..) => "giving up damaged blocks",
            Self::Truncate { .. } => "truncating",
            Self::Finalize(_) => "finalizing",
            Self::Close(_) => "closing",
            Self::Destroy(_) => "removing the files",
            Self::Get { .. } | Self::GetBatch { .. } => "reading",
            Self::Seek(_) => "seeking",
            Self::About(..) => "reading the tree",
            Self::AuditSlice(_) => "auditing",
            Self::Serve { .. } => "reading for a peer",
        }
    }

    /// True if it changes the log: then it has the feed's only token.
    pub const fn is_change(&self) -> bool {
        matches!(
            self,
            Self::Append(_)
                | Self::Store(_)
                | Self::Clear { .. }
                | Self::Put { .. }
                | Self::Repair(_)
                | Self::GiveUp(..)
                | Self::Truncate { .. }
                | Self::Finalize(_)
                | Self::Close(_)
        )
    }
}
