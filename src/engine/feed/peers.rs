//! Peers: what remotes say to the feed, and what its replicator wants to be done about it.
//!
//! ```text
//! Message -> Replicator -> Send, Store, Resolved, ...      Store is a change; what it brought is announced
//! ```

use bytes::Bytes;
use rustc_hash::FxHashMap;

use super::actor::FeedActor;
use super::call::Wanted;
use super::change::Change;
use super::message::{FromPeer, ToPeer};
use crate::engine::event::{Answer, Failure, FeedEvent};
use crate::engine::ids::OpId;
use crate::engine::job::Outline;
use crate::engine::stream::Load;
use crate::feed::{Arrival, FeedError, PutReport};
use crate::replicate::{self, Local, Output, PeerId};
use crate::wire::Message;

/// Bytes that one peer may have us hold until they are stored. Its stream is not read from long
/// before (see `stream::load`), so only a foreign one gets there.
const MAX_UNSTORED: usize = 32 * 1024 * 1024;
/// A load that has changed by less than this is not told: requests, bytes.
const STEP: Load = Load { requests: 64, bytes: 64 * 1024 };

impl FeedActor {
    pub(super) fn handle_peer(&mut self, now: u64, peer: PeerId, input: FromPeer) {
        match input {
            FromPeer::Attached(options, line) => self.replicator.add_peer(peer, options, line),
            FromPeer::Opened => self.replicator.open_peer(peer),
            FromPeer::Message(message) => return self.receive(now, peer, message),
            FromPeer::Room => self.serve(peer),
            FromPeer::Timeout(timeout) => self.replicator.set_timeout(peer, timeout),
            FromPeer::Gone => self.remove_peer(peer),
            FromPeer::Status { downloading, uploading } => self.replicator.set_status(peer, downloading, uploading),
            FromPeer::Extend(id, payload) => {
                return self.tell_peer(peer, ToPeer::Send(Message::Extension { id, payload }));
            }
            FromPeer::Close => return self.tell_peer(peer, ToPeer::Close),
        }
        self.mark_dirty();
        self.follow();
    }

    /// Says the same to all peers.
    pub(super) fn broadcast(&mut self, id: u64, payload: &Bytes) {
        let peers: Vec<PeerId> = self.replicator.peers().map(|(peer, _)| peer).collect();
        for peer in peers {
            self.tell_peer(peer, ToPeer::Send(Message::Extension { id, payload: payload.clone() }));
        }
    }

    fn receive(&mut self, now: u64, peer: PeerId, message: Message) {
        let Some(log) = self.log() else { return };
        let replicator = &mut self.replicator;
        let received = log.with_local(|bitfield, len| replicator.receive(now, Local { bitfield, len }, peer, message));
        self.mark_dirty();
        self.follow();
        self.tell_load(peer);
        if let Err(fault) = received {
            self.fail_peer(peer, Failure::bad_protocol(&fault));
        }
    }

    fn remove_peer(&mut self, peer: PeerId) {
        let last = self.peer_info(peer);
        self.replicator.remove_peer(peer);
        self.loads.remove(&peer);
        self.unstored.remove(&peer);
        self.tell(FeedEvent::PeerRemove { peer, last });
    }

    /// Ends the stream of a peer that broke its word, or for which our disk failed.
    pub(super) fn fail_peer(&mut self, peer: PeerId, failure: Failure) {
        self.tell_peer(peer, ToPeer::Fail(failure));
    }

    /// Does what the replicator asks for, until it asks for nothing.
    pub(super) fn follow(&mut self) {
        while let Some(output) = self.replicator.poll() {
            self.act(output);
        }
    }

    fn act(&mut self, output: Output) {
        match output {
            Output::Send(peer, message) => self.tell_peer(peer, ToPeer::Send(message)),
            Output::Asked(peer) => self.tell_peer(peer, ToPeer::Asked),
            Output::Store(answer) => self.keep(answer),
            Output::Resolved(wait) => match self.calls.wanted.remove(&OpId(wait.0)) {
                Some(Wanted::Batch(start, end)) => self.read_batch(OpId(wait.0), (start, end), false),
                Some(_) => self.succeed(OpId(wait.0), Answer::Nothing),
                None => {}
            },
            Output::SeekAgain(wait) => self.seek(OpId(wait.0), false),
            Output::Opened(peer) => self.tell(FeedEvent::PeerOpen(peer)),
            Output::Done(peer) => self.tell_peer(peer, ToPeer::Close),
            Output::TimedOut(peer) => self.fail_peer(peer, Failure::new("ETIMEDOUT", "Request timeout")),
            Output::RemoteUpdate(peer) => self.tell(FeedEvent::RemoteUpdate(peer)),
            Output::Extensions(peer, names) => self.tell(FeedEvent::PeerExtensions(peer, names)),
            Output::Extension(peer, id, payload) => self.tell(FeedEvent::PeerExtension { peer, id, payload }),
            Output::Ack(peer, start, len) => self.tell(FeedEvent::PeerAck { peer, start, len }),
            Output::Guard(difference) => self.tell(FeedEvent::Guard(difference)),
        }
    }

    /// Keeps an answer, when its turn comes.
    fn keep(&mut self, answer: replicate::Answer) {
        if self.is_closed {
            return;
        }
        let unstored = self.unstored.entry(answer.peer).or_default();
        *unstored += answer.value.as_ref().map_or(0, Bytes::len);
        if *unstored > MAX_UNSTORED {
            let failure = Failure::new("EBADPROTOCOL", "Remote sent more blocks than can be stored in time");
            return self.fail_peer(answer.peer, failure);
        }
        self.changes.push(Change::Store(vec![answer]));
        self.mark_dirty();
    }

    /// Answers were stored, or could not be.
    pub(super) fn unload(&mut self, outlines: &[Outline]) {
        for run in outlines.chunk_by(|a, b| a.peer == b.peer) {
            let Some(peer) = run.first().map(|outline| outline.peer) else { continue };
            let bytes: usize = run.iter().filter_map(|outline| outline.size).sum();
            if let Some(unstored) = self.unstored.get_mut(&peer) {
                *unstored = unstored.saturating_sub(bytes);
                self.tell_load(peer);
            }
        }
    }

    /// Tells a peer's stream what is still to be done for it, if that has changed enough to matter.
    pub(super) fn tell_load(&mut self, peer: PeerId) {
        let bytes = self.unstored.get(&peer).copied().unwrap_or(0);
        let load = Load { requests: self.replicator.uploads_waiting(peer), bytes };
        let told = self.loads.get(&peer).copied().unwrap_or_default();
        let is_over = load == Load::default() && told != load;
        let is_news =
            load.requests.abs_diff(told.requests) >= STEP.requests || load.bytes.abs_diff(told.bytes) >= STEP.bytes;
        if is_over || is_news {
            self.loads.insert(peer, load);
            self.tell_peer(peer, ToPeer::Load(load));
        }
    }

    /// Answers were kept: tells everybody who has to know.
    pub(super) fn kept(&mut self, outlines: &[Outline], report: PutReport) {
        let mut faults = Vec::new();
        for (Outline { peer, index, size }, result) in outlines.iter().zip(&report.results) {
            match result {
                Ok(()) => self.replicator.stored(*peer, *index, *size),
                Err(error) => {
                    self.replicator.refused(*index, size.is_none());
                    // A rotten node of ours is not the remote's fault: it is asked again, for that
                    // node too.
                    if !matches!(error, FeedError::NodeMissing(_)) {
                        faults.push((*peer, Failure::from(error)));
                    }
                }
            }
        }
        if let Some((len, byte_len)) = report.grown {
            let live = self.log.get().is_none_or(|log| log.is_signed());
            self.tell(FeedEvent::Append { len, byte_len, live });
            self.replicator.grew(byte_len);
        }
        let has_new = !report.arrivals.is_empty();
        self.arrived(outlines, report.arrivals);
        self.tell_if_complete(has_new);
        for (peer, failure) in faults {
            self.fail_peer(peer, failure);
        }
    }

    /// Blocks are here: who listens or waits is handed them, and the other peers are told.
    fn arrived(&mut self, outlines: &[Outline], arrivals: Vec<Arrival>) {
        let from: FxHashMap<u64, PeerId> = outlines
            .iter()
            .filter(|outline| outline.size.is_some())
            .map(|outline| (outline.index, outline.peer))
            .collect();
        let sender = |block| from.get(&block).copied().unwrap_or(PeerId(0));
        let mut blocks: Vec<(PeerId, u64)> =
            arrivals.iter().map(|arrival| (sender(arrival.block.0), arrival.block.0)).collect();
        for Arrival { block, value } in arrivals {
            let index = block.0;
            self.count(true, value.len());
            if self.listeners.downloads {
                self.tell(FeedEvent::Download { index, value: value.clone(), peer: sender(index) });
            }
            for wait in self.replicator.arrived(index) {
                if let Some(Wanted::Block(_)) = self.calls.wanted.remove(&OpId(wait.0)) {
                    self.succeed(OpId(wait.0), Answer::Block(value.clone()));
                }
            }
        }
        blocks.sort_unstable();
        for run in blocks.chunk_by(|a, b| a.0 == b.0 && a.1 + 1 == b.1) {
            if let (Some((from, start)), Some((_, last))) = (run.first(), run.last()) {
                self.replicator.announce(*start, last - start + 1, Some(*from));
            }
        }
    }

    /// Counts a block that was received, or sent.
    pub(super) fn count(&mut self, is_received: bool, size: usize) {
        let size = u64::try_from(size).unwrap_or(0);
        let [down_blocks, down_bytes, up_blocks, up_bytes] = &mut self.totals;
        let (blocks, bytes) = if is_received { (down_blocks, down_bytes) } else { (up_blocks, up_bytes) };
        (*blocks, *bytes) = (*blocks + 1, *bytes + size);
    }

    fn tell_if_complete(&mut self, has_new: bool) {
        let Some(log) = self.log().filter(|log| has_new && !log.is_writable()) else { return };
        if log.with_local(|bitfield, len| bitfield.next_unset(0, len)).is_none() {
            self.tell(FeedEvent::Sync);
        }
    }
}
