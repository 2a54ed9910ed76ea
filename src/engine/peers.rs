//! Peers of the world: between a feed's replicator and the channels of streams.

use super::changes::Change;
use std::collections::HashMap;

use super::event::{Failure, Kind, Value};
use super::feeds::{Wanted, failure_values};
use super::jobs::Outline;
use super::streams::ChannelPlace;
use super::world::World;
use crate::feed::{Arrival, FeedError, PutReport};
use crate::math::crypto::discovery_key;
use crate::replicate::{Local, Output, PeerId, PeerOptions};
use crate::wire::Message;

/// How a feed goes onto a stream.
#[derive(Clone, Copy, Debug)]
pub struct AttachOptions {
    /// The number that JavaScript gave this peer.
    pub peer: u64,
    /// How it behaves.
    pub options: PeerOptions,
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

impl PeerInfo {
    /// All of it in the order of its fields; yes is 1.
    pub fn numbers(&self) -> [u64; 10] {
        let [down_blocks, down_bytes, up_blocks, up_bytes] = self.stats;
        [
            self.remote_opened.into(),
            self.remote_len,
            self.remote_downloading.into(),
            self.remote_uploading.into(),
            self.remote_acks.into(),
            self.inflight,
            down_blocks,
            down_bytes,
            up_blocks,
            up_bytes,
        ]
    }
}

impl World {
    /// Opens a feed on a stream. Nothing happens if it is not open here or is on the stream already.
    pub(super) fn attach(&mut self, stream: u64, feed: u64, mut attach: AttachOptions) {
        let Some(slot) = self.feeds.get_mut(&feed) else { return };
        let Some(key) = slot.log().and_then(|log| log.key()) else { return };
        let Some(on) = self.streams.get_mut(&stream) else { return };
        let dk = discovery_key(&key);
        let knows_nothing =
            on.protocol.public_key().is_some() && on.protocol.remote_opened(&dk) && !on.protocol.remote_verified(&key);
        if knows_nothing || on.protocol.is_open(&dk) {
            return self.close_channel_unless_open(stream, &dk, knows_nothing);
        }
        let peer = PeerId(attach.peer);
        attach.options.timeout = on.timeout;
        let local = on.protocol.open(key);
        let is_remote_open = on.protocol.remote_opened(&dk);
        on.peers.insert(local, (feed, peer));
        slot.channels.insert(peer, ChannelPlace::Ours { stream, local, discovery_key: dk });
        slot.replicator.add_peer(peer, attach.options);
        self.dirty_streams.insert(stream);
        self.dirty_feeds.insert(feed);
        if is_remote_open {
            self.open_peer(feed, peer);
        }
    }

    fn close_channel_unless_open(&mut self, stream: u64, dk: &[u8; 32], knows_nothing: bool) {
        if knows_nothing {
            self.close_channel(stream, dk);
        }
    }

    pub(super) fn open_peer(&mut self, feed: u64, peer: PeerId) {
        if let Some(slot) = self.feeds.get_mut(&feed) {
            slot.replicator.open_peer(peer);
            self.dirty_feeds.insert(feed);
        }
        self.route(feed);
    }

    pub(super) fn remove_peer(&mut self, feed: u64, peer: PeerId) {
        let Some(slot) = self.feeds.get_mut(&feed) else { return };
        let Some(place) = slot.channels.remove(&peer) else { return };
        if let ChannelPlace::Ours { stream, local, .. } = place
            && let Some(on) = self.streams.get_mut(&stream)
        {
            on.peers.remove(&local);
        }
        let last = self.peer_info(feed, peer).map(|info| info.numbers().map(Value::Number).to_vec());
        if let Some(slot) = self.feeds.get_mut(&feed) {
            slot.replicator.remove_peer(peer);
        }
        self.tell(Kind::PeerRemove, [feed.into(), peer.0.into(), Value::List(last.unwrap_or_default())]);
        self.dirty_feeds.insert(feed);
    }

    fn place_of(&self, feed: u64, peer: PeerId) -> Option<ChannelPlace> {
        self.feeds.get(&feed)?.channels.get(&peer).copied()
    }

    /// Closes a peer's channel from our side.
    pub(super) fn close_peer(&mut self, feed: u64, peer: PeerId) {
        match self.place_of(feed, peer) {
            Some(ChannelPlace::Ours { stream, discovery_key, .. }) => self.close_channel(stream, &discovery_key),
            Some(ChannelPlace::Foreign) => self.tell(Kind::PeerDone, [feed.into(), peer.0.into()]),
            None => {}
        }
    }

    /// Ends the stream of a peer that broke its word, or for which our disk failed.
    pub(super) fn fail_peer(&mut self, feed: u64, peer: PeerId, failure: &Failure) {
        match self.place_of(feed, peer) {
            Some(ChannelPlace::Ours { stream, .. }) => self.fail_stream(stream, failure),
            Some(ChannelPlace::Foreign) => {
                let [_, code, message, foreign] = failure_values(0, failure);
                self.tell(Kind::PeerFail, [feed.into(), peer.0.into(), code, message, foreign]);
            }
            None => {}
        }
    }

    pub(super) fn receive_message(&mut self, feed: u64, peer: PeerId, message: Message) {
        let Some(slot) = self.feeds.get_mut(&feed) else { return };
        let Some(log) = slot.log() else { return };
        let replicator = &mut slot.replicator;
        let received = log.with_local(|bitfield, len| replicator.receive(Local { bitfield, len }, peer, message));
        self.dirty_feeds.insert(feed);
        self.route(feed);
        if let Err(fault) = received {
            self.fail_peer(feed, peer, &Failure::new("EBADPROTOCOL", &fault.to_string()));
        }
    }

    /// Does what the replicator asks for, until it asks for nothing.
    pub(super) fn route(&mut self, feed: u64) {
        while let Some(output) = self.feeds.get_mut(&feed).and_then(|slot| slot.replicator.poll()) {
            self.act(feed, output);
        }
    }

    fn act(&mut self, feed: u64, output: Output) {
        match output {
            Output::Send(peer, message) => self.send(feed, peer, message),
            Output::Serve(peer, request) => self.queue_upload(feed, peer, request),
            Output::Unserve(peer, index) => self.drop_upload(feed, peer, index),
            Output::Store(answer) => {
                if let Some(slot) = self.feeds.get_mut(&feed).filter(|slot| !slot.is_closed) {
                    match slot.changes.back_mut() {
                        Some(Change::Store(answers)) => answers.push(answer),
                        _ => slot.changes.push_back(Change::Store(vec![answer])),
                    }
                    self.dirty_feeds.insert(feed);
                }
            }
            Output::Resolved(wait) => self.resolved(feed, wait.0),
            Output::SeekAgain(wait) => self.seek(feed, wait.0),
            Output::Opened(peer) => self.tell(Kind::PeerOpen, [feed.into(), peer.0.into()]),
            Output::Done(peer) => self.close_peer(feed, peer),
            Output::TimedOut(peer) => self.fail_peer(feed, peer, &Failure::new("ETIMEDOUT", "Request timeout")),
            Output::RemoteUpdate(peer) => self.tell(Kind::RemoteUpdate, [feed.into(), peer.0.into()]),
            Output::Extensions(peer, names) => {
                self.tell(Kind::PeerExtensions, [feed.into(), peer.0.into(), Value::Names(names)]);
            }
            Output::Extension(peer, id, payload) => {
                self.tell(Kind::PeerExtension, [feed.into(), peer.0.into(), id.into(), payload.into()]);
            }
            Output::Ack(peer, start, len) => {
                self.tell(Kind::PeerAck, [feed.into(), peer.0.into(), start.into(), len.into()]);
            }
            Output::Guard(difference) => self.tell(Kind::Guard, [feed.into(), Value::Signed(difference)]),
        }
    }

    pub(super) fn send(&mut self, feed: u64, peer: PeerId, message: Message) {
        match self.place_of(feed, peer) {
            Some(ChannelPlace::Ours { stream, local, .. }) => self.send_on_channel(stream, local.0, message),
            Some(ChannelPlace::Foreign) => self.tell_message(Kind::PeerMessage, feed, peer.0, message),
            None => {}
        }
    }

    fn resolved(&mut self, feed: u64, op: u64) {
        let Some(slot) = self.feeds.get_mut(&feed) else { return };
        match (slot.wanted.remove(&op), slot.log()) {
            (Some(Wanted::Block(index)), Some(log)) => self.get(feed, op, log, index, false),
            (Some(_), _) => self.succeed(op, []),
            (None, _) => {}
        }
    }

    /// Answers were kept: tells everybody who has to know.
    pub(super) fn kept(&mut self, feed: u64, answers: &[Outline], report: PutReport) {
        let Some(slot) = self.feeds.get_mut(&feed) else { return };
        let mut faults = Vec::new();
        for (Outline { peer, index, size }, result) in answers.iter().zip(&report.results) {
            match result {
                Ok(()) => slot.replicator.stored(*peer, *index, *size),
                Err(error) => {
                    slot.replicator.refused(*index, size.is_none());
                    // A rotten node of ours is not the remote's fault: it is asked again, for that node too.
                    if !matches!(error, FeedError::NodeMissing(_)) {
                        faults.push((*peer, Failure::from(error)));
                    }
                }
            }
        }
        slot.replicator.tree_grew();
        if let Some((len, byte_len)) = report.grown {
            let live = slot.log().is_none_or(|log| log.is_signed());
            self.tell(Kind::Append, [feed.into(), len.into(), byte_len.into(), live.into()]);
        }
        self.arrived(feed, answers, &report.arrivals);
        self.tell_if_complete(feed, !report.arrivals.is_empty());
        for (peer, failure) in faults {
            self.fail_peer(feed, peer, &failure);
        }
    }

    fn arrived(&mut self, feed: u64, answers: &[Outline], arrivals: &[Arrival]) {
        let Some(slot) = self.feeds.get_mut(&feed) else { return };
        let from = senders(answers);
        for arrival in arrivals {
            let [blocks, bytes, ..] = &mut slot.totals;
            *blocks += 1;
            *bytes += u64::try_from(arrival.value.len()).unwrap_or(0);
            slot.replicator.arrived(arrival.block.0);
            if slot.tells_downloads {
                let peer = sender(&from, arrival.block.0).0;
                let values = [feed.into(), arrival.block.0.into(), arrival.value.clone().into(), peer.into()];
                self.queue.push(Kind::Download, values);
            }
        }
        let mut blocks: Vec<(PeerId, u64)> =
            arrivals.iter().map(|arrival| arrival.block.0).map(|block| (sender(&from, block), block)).collect();
        blocks.sort_unstable();
        for run in blocks.chunk_by(|a, b| a.0 == b.0 && a.1 + 1 == b.1) {
            if let (Some((from, start)), Some((_, last))) = (run.first(), run.last()) {
                slot.replicator.announce(*start, last - start + 1, Some(*from));
            }
        }
    }

    fn tell_if_complete(&mut self, feed: u64, has_new: bool) {
        let log = self.feeds.get(&feed).and_then(|slot| slot.log());
        let Some(log) = log.filter(|log| has_new && !log.is_writable()) else { return };
        if log.with_local(|bitfield, len| bitfield.next_unset(0, len)).is_none() {
            self.tell(Kind::Sync, [feed.into()]);
        }
    }

    pub(super) fn peer_info(&self, feed: u64, peer: PeerId) -> Option<PeerInfo> {
        let peer = self.feeds.get(&feed)?.replicator.peer(peer)?;
        let (remote_downloading, remote_uploading) = peer.remote_status();
        let stats = peer.stats;
        Some(PeerInfo {
            remote_opened: peer.is_open(),
            remote_len: peer.remote_len(),
            remote_downloading,
            remote_uploading,
            remote_acks: peer.remote_acks(),
            inflight: u64::try_from(peer.inflight()).unwrap_or(0),
            stats: [stats.downloaded_blocks, stats.downloaded_bytes, stats.uploaded_blocks, stats.uploaded_bytes],
        })
    }
}

/// Who sent which block.
fn senders(answers: &[Outline]) -> HashMap<u64, PeerId> {
    answers.iter().filter(|outline| outline.size.is_some()).map(|outline| (outline.index, outline.peer)).collect()
}

/// The sender of a block; nobody is peer 0.
fn sender(from: &HashMap<u64, PeerId>, block: u64) -> PeerId {
    from.get(&block).copied().unwrap_or(PeerId(0))
}
