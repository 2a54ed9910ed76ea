//! Types: what goes into the replicator and what comes out of it.
//!
//! ```text
//! PeerId, Message, Answer  ->            -> Output: Send, Asked, Store, Resolved, ...
//! WaitId, Range, SeekWait  -> Replicator -> PeerId, WaitId
//! Local (bitfield, length) ->
//! ```
//! Blocks are counted from 0, lengths in blocks, times in milliseconds of any clock that only goes
//! forward.
//!
//! Invariant: nothing in here looks at anything else of this room; a [`Fault`] is always the
//! remote's.
//! Source: hypercore@9.12.0 lib/replicate.js.

use std::cell::Cell;

use bytes::Bytes;

use crate::log::bitfield::Bitfield;
use crate::log::haves::HavesError;
use crate::math::crypto::{Node, SignatureBytes};
use crate::wire::Message;

/// One remote on one feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

/// One get, update, seek or download that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaitId(pub u64);

/// A node of a proof on the line, in bytes.
const NODE: usize = 40;

/// After this long a request is taken for lost, and may be made again, in milliseconds.
pub const GIVEN_UP_AFTER: u64 = 20_000;

/// The log as it is here: what we hold and how long it is.
#[derive(Clone, Copy)]
pub struct Local<'a> {
    /// Blocks and nodes that are held.
    pub bitfield: &'a Bitfield,
    /// Length in blocks.
    pub len: u64,
}

/// What `replicate` was called with.
#[derive(Clone, Copy, Debug)]
pub struct PeerOptions {
    /// Stay when everything is downloaded.
    pub live: bool,
    /// Ask for acknowledgements.
    pub ack: bool,
    /// Ask for blocks.
    pub downloading: bool,
    /// Answer requests.
    pub uploading: bool,
    /// After so many milliseconds without any answer to our requests the stream ends; None for
    /// never.
    pub timeout: Option<u64>,
    /// A fixed limit on requests in flight; None lets the window follow the link.
    pub max_requests: Option<usize>,
    /// Dice: where to begin in a range when others are at work on it too.
    pub seed: u64,
}

/// Counters, as `peer.stats` shows them.
#[derive(Clone, Copy, Debug, Default)]
pub struct PeerStats {
    /// Blocks received and kept.
    pub downloaded_blocks: u64,
    /// Their bytes.
    pub downloaded_bytes: u64,
    /// Blocks sent.
    pub uploaded_blocks: u64,
    /// Their bytes.
    pub uploaded_bytes: u64,
}

/// A block or a hash that a remote asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The block.
    pub index: u64,
    /// If not 0: the block that holds this byte instead.
    pub bytes: u64,
    /// Only the hash.
    pub hash: bool,
    /// The nodes that the remote holds.
    pub digest: u64,
}

/// What a remote answered to a request of ours; unchecked.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Who sent it.
    pub peer: PeerId,
    /// The block that it is about.
    pub index: u64,
    /// The block's bytes.
    pub value: Option<Bytes>,
    /// Its proof.
    pub nodes: Vec<Node>,
    /// The signature, if the proof reaches the roots.
    pub signature: Option<SignatureBytes>,
}

impl Answer {
    /// About how many bytes a block is on the line, with its nodes; None for a hash.
    pub(super) fn weight(&self) -> Option<usize> {
        let value = self.value.as_ref()?;
        Some(value.len().saturating_add(self.nodes.len().saturating_mul(NODE)))
    }
}

/// A wait for the log to reach a length.
#[derive(Clone, Copy, Debug)]
pub struct UpdateWait {
    /// The length to reach, in blocks.
    pub min_len: u64,
    /// Ask for a hash, not for a block.
    pub hash: bool,
}

/// A wait for the block that holds a byte.
#[derive(Clone, Copy, Debug)]
pub struct SeekWait {
    /// The byte, from the start of the log.
    pub bytes: u64,
    /// First block that can hold it.
    pub start: u64,
    /// One past the last; None if it is open.
    pub end: Option<u64>,
    /// Ask for hashes, not for blocks.
    pub hash: bool,
    /// The byte is beyond the log.
    pub is_beyond: bool,
}

/// Blocks to download.
#[derive(Clone, Debug)]
pub enum Range {
    /// From `start` to `end`, or for ever.
    Span {
        /// First block.
        start: u64,
        /// One past the last; None for ever.
        end: Option<u64>,
        /// In order, from the start.
        linear: bool,
        /// Only their hashes.
        hash: bool,
    },
    /// These.
    Blocks(Vec<u64>),
}

/// What a remote may not say; its fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A have whose bits do not decode.
    Have(HavesError),
    /// A have with more bits than any window.
    HaveTooLarge,
    /// Requests beyond any number that is remembered; who waits for answers never gets there.
    TooManyRequests,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Have(_) | Self::HaveTooLarge => "Remote sent a bitfield that cannot be",
            Self::TooManyRequests => "Remote sent too many requests",
        })
    }
}

impl std::error::Error for Fault {}

/// What has to be done next.
#[derive(Debug)]
pub enum Output {
    /// Send a message to a peer.
    Send(PeerId, Message),
    /// A peer that is not being served has requests:
    /// [`Replicator::take_uploads`](super::Replicator::take_uploads).
    Asked(PeerId),
    /// Check an answer and keep it; then call [`Replicator::stored`](super::Replicator::stored).
    Store(Answer),
    /// The length is reached, or the download over, that this one waited for.
    Resolved(WaitId),
    /// More of the tree is known: look again. The wait is over, and may be made again.
    SeekAgain(WaitId),
    /// The peer has opened its side.
    Opened(PeerId),
    /// There is nothing more to do with this peer: close its channel.
    Done(PeerId),
    /// The peer has answered nothing for too long: end its stream.
    TimedOut(PeerId),
    /// The remote says what it holds, for the first time or more than before.
    RemoteUpdate(PeerId),
    /// The remote's extension names.
    Extensions(PeerId, Vec<String>),
    /// An extension message.
    Extension(PeerId, u64, Bytes),
    /// The remote has received and kept blocks that we sent: start, length.
    Ack(PeerId, u64, u64),
    /// Wants that `ifAvailable` waits for were sent (+) or answered (-).
    Guard(i32),
}

/// A block's value or its hash, to be asked of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Ask {
    pub index: u64,
    pub hash: bool,
}

impl Ask {
    pub fn block(index: u64) -> Self {
        Self { index, hash: false }
    }
}

/// A request about to be made; with `bytes`, in bytes from the start of the log, it is a seek's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pick {
    pub ask: Ask,
    pub bytes: u64,
    /// Somebody waits for it.
    pub is_urgent: bool,
}

/// Steps of work: a peer, a wait or a block that was looked at.
#[derive(Default)]
pub(super) struct Looks(Cell<u64>);

impl Looks {
    pub fn count(&self) {
        self.0.set(self.0.get().wrapping_add(1));
    }

    pub fn total(&self) -> u64 {
        self.0.get()
    }
}
