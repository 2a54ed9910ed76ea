//! Events: what JavaScript is told, in the order in which it happened.
//!
//! ```text
//! feed.append(op 7, ["a"])  ->  Done { op: 7, answer: Appended { start: 0, len: 1, .. } }
//! the remote sends block 3  ->  Feed { feed: 1, event: Download { index: 3, .. } }
//! ```
//! The door (`node`) gives each kind a number and turns the values into JavaScript's. Lengths and
//! offsets are blocks unless a name says bytes.
//!
//! Invariant: an operation is answered once, by `Done` or by `Fail`.

use bytes::Bytes;

use super::ids::{FeedId, OpId, StreamId};
use crate::feed::{Batch, FeedError, Question};
use crate::math::crypto::{Hash, Node, SignatureBytes};
use crate::replicate::PeerId;
use crate::store::StoreError;
use crate::wire::{LocalId, Message};

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// An operation succeeded.
    Done {
        /// Which.
        op: OpId,
        /// What came of it.
        answer: Answer,
    },
    /// An operation failed.
    Fail {
        /// Which.
        op: OpId,
        /// Why.
        failure: Failure,
    },
    /// Something happened to a feed.
    Feed {
        /// Which.
        feed: FeedId,
        /// What.
        event: FeedEvent,
    },
    /// Something happened to a stream.
    Stream {
        /// Which.
        stream: StreamId,
        /// What.
        event: StreamEvent,
    },
    /// There is more to do, after the event loop has turned.
    Again,
    /// Time is to be told (see `Engine::tick`) after so many milliseconds, and not before.
    Timer(u64),
    /// A worker has begun (1) or ended (-1) something that the end of the process must not cut off.
    Busy(i32),
}

/// What an operation gives.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It is done.
    Nothing,
    /// Blocks were appended.
    Appended {
        /// The first of them; the length for an empty batch.
        start: u64,
        /// The length now.
        len: u64,
        /// The length in bytes now.
        byte_len: u64,
        /// The feed carries signatures.
        live: bool,
    },
    /// A block.
    Block(Bytes),
    /// Several, one after the other.
    Blocks(Batch),
    /// Where a byte is.
    Place {
        /// The block.
        index: u64,
        /// Bytes into it.
        offset: u64,
    },
    /// A block's leaf.
    Leaf(Node),
    /// Roots, from left to right.
    Roots(Vec<Node>),
    /// A signature.
    Signature {
        /// The last block that it covers.
        last: u64,
        /// Its bytes.
        signature: SignatureBytes,
    },
    /// Yes or no.
    Verdict(bool),
    /// What ties a block to the key.
    Proof {
        /// Siblings and roots.
        nodes: Vec<Node>,
        /// If they reach the roots.
        signature: Option<SignatureBytes>,
    },
    /// What an audit found.
    Audit {
        /// How many blocks match their hashes.
        valid: u64,
        /// Those that do not.
        corrupt: Vec<u64>,
    },
    /// The key of a feed that is finalized.
    Key {
        /// The public key.
        key: [u8; 32],
        /// Its discovery key.
        discovery_key: Hash,
    },
}

/// What happens to a feed.
#[derive(Clone, Debug)]
pub enum FeedEvent {
    /// Its key is known; None for a static feed that is not finalized.
    Key {
        /// The public key.
        key: Option<[u8; 32]>,
        /// Its discovery key.
        discovery_key: Option<Hash>,
    },
    /// It is open.
    Opened(Opened),
    /// A remote made it longer.
    Append {
        /// The length now.
        len: u64,
        /// In bytes.
        byte_len: u64,
        /// It carries signatures.
        live: bool,
    },
    /// A block arrived.
    Download {
        /// Its place.
        index: u64,
        /// Its bytes.
        value: Bytes,
        /// Who sent it.
        peer: PeerId,
    },
    /// A block was sent.
    Upload {
        /// Its place.
        index: u64,
        /// Its bytes.
        value: Bytes,
        /// To whom.
        peer: PeerId,
    },
    /// All blocks are held.
    Sync,
    /// Blocks were cleared.
    Clear {
        /// The first.
        start: u64,
        /// One past the last.
        end: u64,
    },
    /// `ifAvailable` has so many more, or fewer, answers to wait for.
    Guard(i32),
    /// Requests to its JavaScript storage wait to be taken.
    Io,
    /// It is shorter.
    Truncate {
        /// The length now.
        len: u64,
        /// In bytes.
        byte_len: u64,
    },
    /// A question to its hooks.
    Hook {
        /// To be named in the answer.
        id: u64,
        /// What is asked.
        question: Question,
    },
    /// A peer opened its side.
    PeerOpen(PeerId),
    /// A peer is gone.
    PeerRemove {
        /// Which.
        peer: PeerId,
        /// What was known of it last.
        last: Option<PeerInfo>,
    },
    /// A peer's extension names.
    PeerExtensions(PeerId, Vec<String>),
    /// A peer's extension message.
    PeerExtension {
        /// From whom.
        peer: PeerId,
        /// Place of the extension among the peer's names.
        id: u64,
        /// The message.
        payload: Bytes,
    },
    /// A peer kept what we sent.
    PeerAck {
        /// Which.
        peer: PeerId,
        /// The first block.
        start: u64,
        /// How many.
        len: u64,
    },
    /// A peer told what it holds.
    RemoteUpdate(PeerId),
    /// A message to a peer on a foreign stream.
    PeerMessage(PeerId, Message),
    /// There is nothing more to do with a peer on a foreign stream.
    PeerDone(PeerId),
    /// A peer on a foreign stream broke its word, or our disk failed it.
    PeerFail(PeerId, Failure),
}

/// A feed as it was opened.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The public key.
    pub key: Option<[u8; 32]>,
    /// Its discovery key.
    pub discovery_key: Option<Hash>,
    /// A writer's.
    pub secret_key: Option<[u8; 64]>,
    /// Length in blocks.
    pub len: u64,
    /// And in bytes.
    pub byte_len: u64,
    /// It may be appended to.
    pub writable: bool,
    /// It carries signatures.
    pub live: bool,
}

/// What happens to a stream.
#[derive(Clone, Debug)]
pub enum StreamEvent {
    /// Bytes wait to be sent.
    Readable,
    /// The chunk that was held is consumed.
    Drained,
    /// The remote's key waits to be approved.
    Authenticate([u8; 32]),
    /// The handshake is over.
    Handshake {
        /// The remote's static key.
        remote_public_key: Option<[u8; 32]>,
        /// Names this connection.
        hash: Option<[u8; 64]>,
    },
    /// The remote opened a feed that is not open here.
    DiscoveryKey(Hash),
    /// The remote opened a feed.
    RemoteOpen(Hash),
    /// A feed is open on both sides.
    Duplex(Hash),
    /// A channel is closed.
    ChannelClosed {
        /// The feed's.
        discovery_key: Hash,
        /// Our number for it, if it was open here.
        local: Option<LocalId>,
    },
    /// The remote broke the stream.
    Fail(Failure),
    /// The remote's stream extensions.
    Extensions(Vec<String>),
    /// A stream extension's message.
    Extension {
        /// Place of its name among the remote's.
        id: u64,
        /// The message.
        payload: Bytes,
    },
    /// A message on a channel that JavaScript speaks on.
    ChannelMessage(LocalId, Message),
    /// The remote opened such a channel too.
    ChannelOpen(LocalId),
}

/// What `feed.peers[i]` shows.
#[derive(Clone, Copy, Debug)]
pub struct PeerInfo {
    /// The remote has opened its side.
    pub remote_opened: bool,
    /// Its length in blocks.
    pub remote_len: u64,
    /// It downloads.
    pub remote_downloading: bool,
    /// It uploads.
    pub remote_uploading: bool,
    /// It wants acknowledgements.
    pub remote_acks: bool,
    /// Requests of ours without an answer.
    pub inflight: u64,
    /// Blocks and bytes received, blocks and bytes sent.
    pub stats: [u64; 4],
}

/// Why an operation failed, as JavaScript makes an Error of it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Stable code.
    pub code: Option<String>,
    /// Text.
    pub message: String,
    /// If not 0: the error object that a JavaScript storage gave, under this number.
    pub foreign: u64,
}

impl Failure {
    /// A failure that the engine itself found.
    pub fn new(code: &str, message: &str) -> Self {
        Self { code: Some(code.to_owned()), message: message.to_owned(), foreign: 0 }
    }

    /// What everything that waits is told when its feed closes.
    pub fn closed() -> Self {
        Self::new("ECLOSED", "Feed is closed")
    }

    /// A block that was to be had without waiting is not held.
    pub fn not_downloaded() -> Self {
        Self::new("ENOTDOWNLOADED", "Block not downloaded")
    }

    /// A remote that said what it may not.
    pub fn bad_protocol(fault: &impl ToString) -> Self {
        Self::new("EBADPROTOCOL", &fault.to_string())
    }

    /// A fault of ours: what was being done did not come to an end.
    pub fn internal(doing: &str, why: &str) -> Self {
        Self::new("EINTERNAL", &format!("Internal error while {doing}: {why}"))
    }
}

impl From<&FeedError> for Failure {
    fn from(error: &FeedError) -> Self {
        match error {
            FeedError::Store(StoreError::Foreign(number)) | FeedError::Hook(StoreError::Foreign(number)) => {
                Self { code: None, message: error.to_string(), foreign: *number }
            }
            FeedError::Store(StoreError::Closed) => Self::closed(),
            _ => Self { code: error.code().map(str::to_owned), message: error.to_string(), foreign: 0 },
        }
    }
}

impl From<FeedError> for Failure {
    fn from(error: FeedError) -> Self {
        Self::from(&error)
    }
}
