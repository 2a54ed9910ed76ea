//! Replicate: a log among peers. One thing in, drain all out.
//!
//! ```text
//! messages, arrivals, waiting gets, time  ->  Replicator  ->  Output: send, serve, put, resolved, ...
//! ```
//! Knows which peer has what, who was asked for what, and who waits for it. It reads the log through [`Local`], does no
//! I/O, and decides on new requests in one place only, [`Replicator::settle`], which the engine calls once a round.
//! Time comes in as milliseconds, dice as seeds.
//!
//! Invariant: a block is asked of one peer at a time, unless that peer keeps it waiting for [`LATE_AFTER`].
//! What a peer sends can be useless but not harmful: haves are capped, answers to nothing are dropped.
//! Source: hypercore@9.12.0 lib/replicate.js.

mod ending;
mod inbox;
mod peer;
mod schedule;
#[cfg(test)]
mod tests;
mod waiting;
mod wants;

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;

use crate::log::bitfield::Bitfield;
use crate::log::haves::HavesError;
use crate::math::crypto::{Node, SignatureBytes};
use crate::wire::Message;

pub use peer::{MAX_UPLOADS, Peer, PeerOptions, PeerStats};
pub use waiting::{Range, SeekWait, UpdateWait};

use peer::Inflight;
use waiting::Waiting;

/// One remote on one feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

/// One get, update, seek or download that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaitId(pub u64);

/// After this long without an answer another peer may be asked as well, in milliseconds.
pub const LATE_AFTER: u64 = 2_000;

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

/// What a remote may not say; its fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A have whose bits do not decode.
    Have(HavesError),
    /// A have with more bits than any window.
    HaveTooLarge,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Remote sent a bitfield that cannot be")
    }
}

impl std::error::Error for Fault {}

/// What has to be done next.
#[derive(Debug)]
pub enum Output {
    /// Send a message to a peer.
    Send(PeerId, Message),
    /// Answer a peer's request.
    Serve(PeerId, Request),
    /// A peer no longer wants an answer.
    Unserve(PeerId, u64),
    /// Check an answer and keep it; then call [`Replicator::stored`].
    Store(Answer),
    /// What this one waited for is here.
    Resolved(WaitId),
    /// More of the tree is known: look again.
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

/// All peers of one feed.
#[derive(Default)]
pub struct Replicator {
    peers: BTreeMap<PeerId, Peer>,
    waiting: Waiting,
    reserved: HashMap<Ask, PeerId>,
    outputs: VecDeque<Output>,
    extensions: Vec<String>,
    sparse: bool,
    allow_push: bool,
    is_cautious: bool,
}

/// A block's value or its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Ask {
    index: u64,
    hash: bool,
}

impl Replicator {
    /// No peers yet; a sparse one downloads only what is asked for, any other everything. With `allow_push` valid blocks
    /// are kept that nobody asked for.
    pub fn new(sparse: bool, allow_push: bool) -> Self {
        let mut replicator = Self { sparse, allow_push, ..Self::default() };
        if !sparse {
            replicator.waiting.download_everything();
        }
        replicator
    }

    /// A cautious one asks for whole proofs: what we hold may be rotten.
    pub fn set_cautious(&mut self, is_cautious: bool) {
        self.is_cautious = is_cautious;
    }

    /// The next thing to do; None when all is drained.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// A peer, if it is still here.
    pub fn peer(&self, id: PeerId) -> Option<&Peer> {
        self.peers.get(&id)
    }

    /// A peer, to change what belongs to serving it.
    pub fn peer_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.peers.get_mut(&id)
    }

    /// All peers.
    pub fn peers(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        self.peers.iter().map(|(id, peer)| (*id, peer))
    }

    /// The longest length that any peer has told.
    pub fn remote_len(&self) -> u64 {
        self.peers.values().map(Peer::remote_len).max().unwrap_or(0)
    }

    /// True if some peer says that it has the block.
    pub fn is_available(&self, block: u64) -> bool {
        self.peers.values().any(|peer| peer.haves.get(block))
    }

    /// A channel was opened on our side.
    pub fn add_peer(&mut self, id: PeerId, options: PeerOptions) {
        if !self.sparse && !options.live {
            self.waiting.download_everything();
        }
        self.peers.insert(id, Peer::new(options));
    }

    /// The remote has opened its side and proved that it knows the key.
    pub fn open_peer(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| !peer.opened) else { return };
        peer.opened = true;
        if peer.options.ack || !self.extensions.is_empty() {
            let options = Message::Options { extensions: self.extensions.clone(), ack: Some(peer.options.ack) };
            self.outputs.push_back(Output::Send(id, options));
        }
        if !(peer.uploading && peer.downloading) {
            self.outputs.push_back(Output::Send(id, peer.status()));
        }
        self.outputs.push_back(Output::Opened(id));
    }

    /// The channel is gone; what was asked of this peer can be asked of others.
    pub fn remove_peer(&mut self, id: PeerId) {
        let Some(peer) = self.peers.remove(&id) else { return };
        if peer.wants_inflight > 0 {
            self.outputs.push_back(Output::Guard(-peer.wants_inflight));
        }
        self.give_up(id, &peer.inflight);
    }

    /// What was asked of this peer may be asked of others; what is asked of others meanwhile stays theirs.
    fn give_up(&mut self, id: PeerId, inflight: &VecDeque<Inflight>) {
        self.waiting.forget_peer(id);
        inflight.iter().for_each(|inflight| self.release_from(id, inflight.ask));
    }

    fn release_from(&mut self, id: PeerId, ask: Ask) {
        if self.reserved.get(&ask) == Some(&id) {
            self.release(ask);
        }
    }

    /// The names of the local extensions, sorted.
    pub fn set_extensions(&mut self, names: Vec<String>) {
        self.extensions = names;
        for (id, peer) in self.peers.iter().filter(|(_, peer)| peer.opened) {
            let options = Message::Options { extensions: self.extensions.clone(), ack: Some(peer.options.ack) };
            self.outputs.push_back(Output::Send(*id, options));
        }
    }

    /// Switches downloading from, and uploading to, a peer; tells it.
    pub fn set_status(&mut self, id: PeerId, downloading: bool, uploading: bool) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if (peer.downloading, peer.uploading) == (downloading, uploading) {
            return;
        }
        (peer.downloading, peer.uploading) = (downloading, uploading);
        if peer.opened {
            self.outputs.push_back(Output::Send(id, peer.status()));
        }
    }

    /// Tells the peers that want to know that we have new blocks; all but the one they came from.
    pub fn announce(&mut self, start: u64, len: u64, from: Option<PeerId>) {
        let length = (len > 1).then_some(len);
        for (id, _) in self.peers.iter().filter(|(id, peer)| peer.remote_wants && Some(**id) != from) {
            let have = Message::Have { start, length, bitfield: None, ack: false };
            self.outputs.push_back(Output::Send(*id, have));
        }
    }

    /// Tells the peers that blocks are gone.
    pub fn unannounce(&mut self, start: u64, len: u64) {
        self.waiting.reopen();
        for (id, _) in self.peers.iter().filter(|(_, peer)| peer.remote_wants) {
            self.outputs.push_back(Output::Send(*id, Message::Unhave { start, length: Some(len) }));
        }
    }

    /// An answer was checked: kept, or refused. What it was asked for can be asked again if it was refused.
    pub fn stored(&mut self, peer: PeerId, index: u64, bytes: Option<usize>) {
        self.release(Ask { index, hash: bytes.is_none() });
        let Some(peer_state) = self.peers.get_mut(&peer) else { return };
        if let Some(bytes) = bytes {
            peer_state.stats.downloaded_blocks += 1;
            peer_state.stats.downloaded_bytes += u64::try_from(bytes).unwrap_or(0);
        }
        if peer_state.remote_acks {
            let ack = Message::Have { start: index, length: Some(1), bitfield: None, ack: true };
            self.outputs.push_back(Output::Send(peer, ack));
        }
    }

    /// A block was sent: the remote is at least that long.
    pub fn note_sent(&mut self, peer: PeerId, index: u64) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.remote_len = peer.remote_len.max(index + 1);
        }
    }

    /// An answer could not be kept; the block may be asked for again.
    pub fn refused(&mut self, index: u64, hash: bool) {
        self.release(Ask { index, hash });
    }

    fn release(&mut self, ask: Ask) {
        self.reserved.remove(&ask);
        self.waiting.unassign(ask.index);
        self.waiting.ask_again(ask.index);
    }

    /// The peer that was asked for a block and has not answered yet.
    pub fn asked(&self, index: u64) -> Option<PeerId> {
        self.reserved.get(&Ask { index, hash: false }).copied()
    }
}
