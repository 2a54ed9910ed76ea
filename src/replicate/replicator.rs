//! Replicator: all peers of one feed, and what is done for one of them.
//!
//! ```text
//! add_peer -> open_peer -> receive, set_status, stored, ... -> remove_peer        each marks what it can concern
//!                                  settle: new requests for those that are marked (see `settle`)
//! ```
//! Invariant: after each call a peer is filed as what it is (see `index`), and marked dirty if it
//! may be given something.
//! Source: hypercore@9.12.0 lib/replicate.js `Peer`.

use std::collections::{BTreeMap, VecDeque};

use super::asks::Asks;
use super::index::Index;
use super::pace::Line;
use super::patience::Patience;
use super::peer::{Peer, Phase, Side};
use super::requests::Expected;
use super::types::{Ask, Looks, Output, PeerId, PeerOptions};
use super::waits::Waits;
use crate::wire::Message;

/// All peers of one feed.
#[derive(Default)]
pub struct Replicator {
    pub(super) peers: BTreeMap<PeerId, Peer>,
    pub(super) index: Index,
    pub(super) waits: Waits,
    pub(super) asks: Asks,
    pub(super) outputs: VecDeque<Output>,
    pub(super) looks: Looks,
    pub(super) settled: Settled,
    pub(super) is_sparse: bool,
    pub(super) allow_push: bool,
    pub(super) is_cautious: bool,
    /// What the answers of all peers usually take.
    pub(super) patience: Patience,
    /// What is expected of peers.
    pub(super) expected: Expected,
    extensions: Vec<String>,
}

/// Up to where peers have been looked for: orders and numbers of what was new last time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settled {
    pub wanted: u64,
    pub listed: u64,
    pub seeks: u64,
    pub spans: u64,
    pub windows: u64,
    /// The log's length, in blocks.
    pub len: u64,
    /// Ranges of many windows have come up since.
    pub has_long: bool,
}

impl Replicator {
    /// No peers yet; a sparse one downloads only what is asked for, any other everything. With
    /// `allow_push` valid blocks are kept that nobody asked for.
    pub fn new(sparse: bool, allow_push: bool) -> Self {
        let mut replicator = Self { is_sparse: sparse, allow_push, ..Self::default() };
        if !sparse {
            replicator.download_everything();
        }
        replicator
    }

    pub(super) fn download_everything(&mut self) {
        self.settled.has_long |= self.waits.select_everything();
    }

    /// A cautious one asks for whole proofs: what we hold may be rotten.
    pub fn set_cautious(&mut self, is_cautious: bool) {
        self.is_cautious = is_cautious;
    }

    /// The next thing to do; None when all is drained.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// How many peers, waits and blocks were looked at so far: for tests, and for `stats`.
    pub fn looks(&self) -> u64 {
        self.looks.total()
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

    /// The longest length that any peer has told, in blocks.
    pub fn remote_len(&self) -> u64 {
        self.index.remote_len()
    }

    /// True if some peer says that it has the block.
    pub fn is_available(&self, block: u64) -> bool {
        self.peers.values().any(|peer| peer.has(block))
    }

    /// A channel was opened on our side, over this line. The new peer may bring back what the
    /// program has cleared, as in stock, where only a peer that was there before does not.
    pub fn add_peer(&mut self, id: PeerId, options: PeerOptions, line: Line) {
        if !self.is_sparse && !options.live {
            self.download_everything();
        }
        self.waits.forget_cleared();
        self.remove_peer(id);
        let mut peer = Peer::new(options, line);
        peer.wants.look_again();
        self.index.add(id, peer.filed, options.live);
        self.peers.insert(id, peer);
        self.refile(id);
        self.note_company();
    }

    fn note_company(&mut self) {
        let is_shared = self.peers.len() > 1;
        if is_shared != self.expected.is_shared {
            self.expect(Expected { is_shared, ..self.expected });
        }
    }

    /// The remote has opened its side and proved that it knows the key.
    pub fn open_peer(&mut self, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| peer.phase == Phase::Opening) else { return };
        peer.phase = Phase::Open { heard: false };
        if peer.options.ack || !self.extensions.is_empty() {
            let options = Message::Options { extensions: self.extensions.clone(), ack: Some(peer.options.ack) };
            self.outputs.push_back(Output::Send(id, options));
        }
        if !(peer.ours.uploading && peer.ours.downloading) {
            self.outputs.push_back(Output::Send(id, peer.ours.status()));
        }
        self.outputs.push_back(Output::Opened(id));
        self.mark(id);
    }

    /// The channel is gone; what was asked of this peer can be asked of others.
    pub fn remove_peer(&mut self, id: PeerId) {
        let Some(mut peer) = self.peers.remove(&id) else { return };
        self.index.remove(id, peer.filed, peer.options.live);
        self.report_wants(-i64::from(peer.wants.inflight));
        self.note_company();
        let asks = peer.requests.clear();
        asks.into_iter().for_each(|ask| self.give_up(id, ask));
    }

    /// The names of the local extensions, sorted; every open peer is told.
    pub fn set_extensions(&mut self, names: Vec<String>) {
        self.extensions = names;
        for (id, peer) in self.peers.iter().filter(|(_, peer)| peer.is_open()) {
            let options = Message::Options { extensions: self.extensions.clone(), ack: Some(peer.options.ack) };
            self.outputs.push_back(Output::Send(*id, options));
        }
    }

    /// Switches downloading from, and uploading to, a peer; tells it.
    pub fn set_status(&mut self, id: PeerId, downloading: bool, uploading: bool) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let ours = Side { uploading, downloading };
        if peer.ours == ours {
            return;
        }
        peer.ours = ours;
        if peer.is_open() {
            self.outputs.push_back(Output::Send(id, ours.status()));
        }
        if !uploading {
            peer.uploads.clear();
        }
        self.mark(id);
    }

    /// Changes after how long a silence, in milliseconds, a peer's stream ends; None for never.
    pub fn set_timeout(&mut self, id: PeerId, timeout: Option<u64>) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.options.timeout = timeout;
            self.refile(id);
        }
    }

    /// Tells the peers that want to know that we have new blocks; all but the one they came from.
    pub fn announce(&mut self, start: u64, len: u64, from: Option<PeerId>) {
        let length = (len > 1).then_some(len);
        for id in self.index.wanting.iter().filter(|id| Some(**id) != from) {
            self.looks.count();
            let have = Message::Have { start, length, bitfield: None, ack: false };
            self.outputs.push_back(Output::Send(*id, have));
        }
    }

    /// Tells them that blocks are gone.
    pub(super) fn unannounce(&mut self, start: u64, len: u64) {
        for id in &self.index.wanting {
            self.looks.count();
            self.outputs.push_back(Output::Send(*id, Message::Unhave { start, length: Some(len) }));
        }
    }

    /// An answer was checked and kept: of a block with so many bytes, or, with None, of a hash.
    pub fn stored(&mut self, id: PeerId, index: u64, bytes: Option<usize>) {
        let ask = Ask { index, hash: bytes.is_none() };
        self.finish(ask);
        self.tree_grew(index);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if let Some(bytes) = bytes {
            peer.stats.downloaded_blocks += 1;
            peer.stats.downloaded_bytes += u64::try_from(bytes).unwrap_or(0);
        }
        if peer.remote.acks {
            let ack = Message::Have { start: index, length: Some(1), bitfield: None, ack: true };
            self.outputs.push_back(Output::Send(id, ack));
        }
    }

    /// An answer could not be kept; the block, or its hash, may be asked for again.
    pub fn refused(&mut self, index: u64, hash: bool) {
        self.release(Ask { index, hash });
    }

    /// The peer that was asked for a block and has not answered yet.
    pub fn asked(&self, index: u64) -> Option<PeerId> {
        self.asks.holder(Ask::block(index))
    }

    /// It is here: those who waited for the answer look at what it has brought.
    pub(super) fn finish(&mut self, ask: Ask) {
        self.asks.finish(ask);
        self.waits.updates.release(ask);
        let asking = self.waits.seeks.asking(ask);
        self.seek_again(asking);
    }

    /// Nobody is asked for this any more: those who need it look for somebody again.
    pub(super) fn release(&mut self, ask: Ask) {
        self.asks.release(ask);
        self.waits.updates.release(ask);
        self.waits.seeks.release(ask);
        if !ask.hash && self.waits.gets.contains(ask.index) {
            self.waits.wanted.renew(ask);
        } else if self.waits.selects(ask, &self.looks) {
            self.waits.listed.renew(ask);
        }
    }

    /// A peer will not answer this; if somebody else was asked meanwhile it stays theirs.
    pub(super) fn give_up(&mut self, id: PeerId, ask: Ask) {
        self.asks.remove_asker(ask, id);
        if self.asks.holder(ask) == Some(id) {
            self.release(ask);
        }
    }

    /// Wants were sent (+) or answered (-).
    pub(super) fn report_wants(&mut self, difference: i64) {
        if let Some(difference) = i32::try_from(difference).ok().filter(|difference| *difference != 0) {
            self.outputs.push_back(Output::Guard(difference));
        }
    }

    /// A peer has changed, and may be given something.
    pub(super) fn mark(&mut self, id: PeerId) {
        if self.peers.contains_key(&id) {
            self.index.dirty.insert(id);
            self.refile(id);
        }
    }

    /// A peer has changed.
    pub(super) fn refile(&mut self, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            let filed = peer.file();
            self.index.refile(id, peer.filed, filed);
            peer.filed = filed;
        }
    }
}
