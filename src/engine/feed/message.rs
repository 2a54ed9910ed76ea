//! What a feed is told, and what it says.

use bytes::Bytes;

use crate::engine::event::{Event, Failure};
use crate::engine::ids::OpId;
use crate::engine::job::{About, Finished, Job};
use crate::engine::stream::Load;
use crate::feed::{OpenOptions, Put};
use crate::replicate::{Line, PeerId, PeerOptions, Range, UpdateWait};
use crate::wire::Message;

/// Something that happens to a feed.
pub enum Input {
    /// A call, to be answered under its number.
    Call(OpId, Verb),
    /// Give up a call that waits.
    Cancel(OpId, Failure),
    /// Give up the gets and seeks inside `start..end`.
    CancelRange(u64, u64),
    /// Who listens: to blocks that come, to blocks that are sent.
    Listen {
        /// To those that come.
        downloads: bool,
        /// To those that are sent.
        uploads: bool,
    },
    /// The names of the feed's extensions, sorted.
    Extensions(Vec<String>),
    /// Send an extension message to all peers: place of the extension, message.
    Broadcast(u64, Bytes),
    /// Download no longer everything.
    Stop,
    /// From a seek on, fail it when no peer can help any more.
    FailIfUnavailable(OpId),
    /// About a peer.
    Peer(PeerId, FromPeer),
    /// A job of ours is over.
    Finished(Finished),
    /// Time has passed.
    Tick,
}

/// What a call wants.
pub enum Verb {
    /// Open the files.
    Open(Box<OpenOptions>),
    /// Append blocks.
    Append(Vec<Bytes>),
    /// A block; without `wait` only if it is held.
    Get {
        /// Which.
        index: u64,
        /// Wait for a peer.
        wait: bool,
    },
    /// The blocks `start..end`; without `wait` only if all are held.
    GetBatch {
        /// The first.
        start: u64,
        /// One past the last.
        end: u64,
        /// Wait for peers.
        wait: bool,
    },
    /// Wait for a length.
    Update(UpdateWait),
    /// Download a range.
    Download(Range),
    /// Look for a byte.
    Seek(Seek),
    /// Give up the blocks `start..end`, and their bytes unless these are to be kept.
    Clear {
        /// The first.
        start: u64,
        /// One past the last.
        end: u64,
        /// Leave the bytes.
        keep_bytes: bool,
    },
    /// Check and keep one answer of somebody else's.
    Put(Box<Put>),
    /// Check all blocks.
    Audit,
    /// Make the log this long, if it is longer.
    Truncate(u64),
    /// Give a static feed its key.
    Finalize,
    /// A question about the log.
    About(About),
    /// Close peers, fail what waits, give up the files.
    Close,
    /// Remove the files.
    Destroy,
}

/// A byte to be looked for.
#[derive(Clone, Copy, Debug)]
pub struct Seek {
    /// From the start of the log.
    pub bytes: u64,
    /// The first block that can hold it.
    pub start: u64,
    /// One past the last; None if it is open.
    pub end: Option<u64>,
    /// Ask peers for hashes, not for blocks.
    pub hash: bool,
    /// Wait for peers.
    pub wait: bool,
    /// Fail when no peer can help.
    pub if_available: bool,
}

/// What happens to a peer.
#[derive(Debug)]
pub enum FromPeer {
    /// It is on a channel now.
    Attached(PeerOptions, Line),
    /// The remote has opened its side.
    Opened,
    /// The remote said something.
    Message(Message),
    /// There is room for answers.
    Room,
    /// After so many milliseconds without an answer its stream is to end.
    Timeout(Option<u64>),
    /// Its channel is closed.
    Gone,
    /// Switch downloading and uploading.
    Status {
        /// From it.
        downloading: bool,
        /// To it.
        uploading: bool,
    },
    /// Send it an extension message: place of the extension, message.
    Extend(u64, Bytes),
    /// Close its channel.
    Close,
}

/// Something that a feed wants done.
pub enum Output {
    /// Tell JavaScript.
    Event(Event),
    /// Run a job.
    Run(Job),
    /// Tell the other end of a peer.
    ToPeer(PeerId, ToPeer),
}

/// What a feed says to the other end of a peer.
#[derive(Debug)]
pub enum ToPeer {
    /// To the remote.
    Send(Message),
    /// Close the channel.
    Close,
    /// End the stream.
    Fail(Failure),
    /// What is still to be done for the remote.
    Load(Load),
    /// It has requests to be answered, when there is room.
    Asked,
    /// Its turn is over.
    Served,
}
