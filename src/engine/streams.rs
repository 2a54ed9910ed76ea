//! Streams of the world: chunks in, chunks out.

use std::collections::BTreeMap;

use bytes::BytesMut;

use super::event::{Failure, Kind, Value};
use super::feeds::failure_values;
use super::world::World;
use crate::math::crypto::Hash;
use crate::replicate::PeerId;
use crate::wire::{Event, LocalId, Message, Protocol, ProtocolError, ProtocolOptions};

/// Bytes handed out at a time.
const CHUNK: usize = 64 * 1024;
/// While more bytes than this wait to be sent, no request is answered.
pub(super) const HIGH_WATER: usize = 256 * 1024;
/// While more bytes than this wait to be sent, nothing more is read from the remote.
const FULL: usize = 16 * 1024 * 1024;
/// While more events than this wait for JavaScript, nothing more is read from any remote.
const MAX_EVENTS: usize = 1_024;

/// How a stream is made.
pub struct StreamOptions {
    /// True on the side that began the connection.
    pub initiator: bool,
    /// What the wire needs to know.
    pub protocol: ProtocolOptions,
    /// After so many milliseconds without an answer to a feed's requests the stream ends.
    pub timeout: Option<u64>,
    /// 56 random bytes: ephemeral key, nonce.
    pub random: [u8; 56],
}

/// What became of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Events wait.
    pub more: bool,
    /// The chunk is not consumed yet; `Drained` comes when it is.
    pub held: bool,
}

/// Where a peer's channel is.
#[derive(Clone, Copy, Debug)]
pub(super) enum ChannelPlace {
    /// On a stream of ours.
    Ours { stream: u64, local: LocalId, discovery_key: Hash },
    /// On a stream that JavaScript speaks.
    Foreign,
}

impl ChannelPlace {
    /// The stream, if it is ours.
    pub fn stream(&self) -> Option<u64> {
        match self {
            Self::Ours { stream, .. } => Some(*stream),
            Self::Foreign => None,
        }
    }
}

/// One stream of the world.
pub(super) struct StreamSlot {
    pub protocol: Protocol,
    pub timeout: Option<u64>,
    pub peers: BTreeMap<LocalId, (u64, PeerId)>,
    /// JavaScript knows that bytes wait.
    pub is_told: bool,
    /// JavaScript waits for its chunk to be consumed.
    pub is_held: bool,
    /// The owner is asked about the remote's key: until it answers nothing more is taken in.
    pub is_authenticating: bool,
}

impl World {
    pub(super) fn add_stream(&mut self, id: u64, options: StreamOptions) {
        let protocol = Protocol::new(options.initiator, options.protocol, options.random);
        let slot = StreamSlot {
            protocol,
            timeout: options.timeout,
            peers: BTreeMap::new(),
            is_told: false,
            is_held: false,
            is_authenticating: false,
        };
        self.streams.insert(id, slot);
        self.dirty_streams.insert(id);
    }

    pub(super) fn receive(&mut self, id: u64, chunk: &[u8]) {
        if let Some(slot) = self.streams.get_mut(&id) {
            slot.protocol.receive(BytesMut::from(chunk));
            self.dirty_streams.insert(id);
        }
    }

    /// Bytes to be sent. Taking them makes room, so requests may be answered again.
    pub(super) fn take_chunk(&mut self, id: u64) -> Option<Vec<u8>> {
        let slot = self.streams.get_mut(&id)?;
        let chunk = slot.protocol.take_output(CHUNK);
        slot.is_told = !chunk.is_empty();
        if slot.protocol.pending_output() < HIGH_WATER {
            self.dirty_streams.insert(id);
        }
        (!chunk.is_empty()).then_some(chunk)
    }

    /// Reads what the remote said, as long as there is room for what follows from it.
    pub(super) fn pump_stream(&mut self, id: u64) {
        while let Some(event) = self.next_event(id) {
            match event {
                Ok(event) => self.on_event(id, event),
                Err(error) => self.break_stream(id, error),
            }
        }
        self.serve_stream(id);
        self.tell_stream(id);
    }

    /// JavaScript has taken the events: streams are read on. True if some were waiting for it.
    pub(super) fn resume_streams(&mut self) -> bool {
        let is_waiting = !self.stalled_streams.is_empty();
        self.dirty_streams.append(&mut self.stalled_streams);
        is_waiting
    }

    fn next_event(&mut self, id: u64) -> Option<Result<Event, ProtocolError>> {
        let slot = self.streams.get_mut(&id)?;
        let is_full = slot.protocol.pending_output() > FULL || self.has_too_many_uploads(id);
        if is_full {
            return None;
        }
        if self.queue.len() > MAX_EVENTS {
            self.stalled_streams.insert(id);
            return None;
        }
        self.streams.get_mut(&id)?.protocol.poll().transpose()
    }

    /// Tells JavaScript once when bytes begin to wait, and when its chunk is consumed.
    pub(super) fn tell_stream(&mut self, id: u64) {
        let has_room = !self.has_too_many_uploads(id);
        let Some(slot) = self.streams.get_mut(&id) else { return };
        let waiting = slot.protocol.pending_output();
        if waiting > 0 && !slot.is_told {
            slot.is_told = true;
            self.queue.push(Kind::Readable, [id.into()]);
        }
        let is_stalled = self.stalled_streams.contains(&id);
        if slot.is_held && has_room && !is_stalled && !slot.is_authenticating && waiting <= FULL {
            slot.is_held = false;
            self.queue.push(Kind::Drained, [id.into()]);
        }
    }

    /// Whether the remote has to wait before its next chunk is taken.
    pub(super) fn hold_if_full(&mut self, id: u64) -> bool {
        let is_behind =
            self.has_too_many_uploads(id) || self.dirty_streams.contains(&id) || self.stalled_streams.contains(&id);
        let Some(slot) = self.streams.get_mut(&id) else { return false };
        slot.is_held = is_behind || slot.is_authenticating || slot.protocol.pending_output() > FULL;
        slot.is_held
    }

    fn on_event(&mut self, id: u64, event: Event) {
        match event {
            Event::Authenticate(key) => {
                if let Some(slot) = self.streams.get_mut(&id) {
                    slot.is_authenticating = true;
                }
                self.tell(Kind::Authenticate, [id.into(), key.into()]);
            }
            Event::Handshake => self.on_handshake(id),
            Event::Extensions(names) => self.tell(Kind::StreamExtensions, [id.into(), Value::Names(names)]),
            Event::StreamExtension { id: number, payload } => {
                self.tell(Kind::StreamExtension, [id.into(), number.into(), payload.into()]);
            }
            Event::DiscoveryKey(discovery_key) => self.tell(Kind::DiscoveryKey, [id.into(), discovery_key.into()]),
            Event::Duplex { discovery_key, .. } => self.tell(Kind::Duplex, [id.into(), discovery_key.into()]),
            Event::RemoteOpen(discovery_key) => self.tell(Kind::RemoteOpen, [id.into(), discovery_key.into()]),
            Event::Opened { local } => match self.peer_at(id, local) {
                Some((feed, peer)) => self.open_peer(feed, peer),
                None => self.tell(Kind::ChannelOpen, [id.into(), local.0.into()]),
            },
            Event::Message { local, message } => self.on_message(id, local, message),
            Event::Closed { discovery_key, local } => {
                if let Some((feed, peer)) = local.and_then(|local| self.peer_at(id, local)) {
                    self.remove_peer(feed, peer);
                }
                self.tell_closed(id, &discovery_key, local);
            }
        }
    }

    fn on_handshake(&mut self, id: u64) {
        let Some(slot) = self.streams.get(&id) else { return };
        let (key, hash) = (slot.protocol.remote_public_key(), slot.protocol.handshake_hash());
        self.tell(Kind::Handshake, [id.into(), key.into(), hash.into()]);
    }

    fn peer_at(&self, id: u64, local: LocalId) -> Option<(u64, PeerId)> {
        self.streams.get(&id)?.peers.get(&local).copied()
    }

    fn on_message(&mut self, id: u64, local: LocalId, message: Message) {
        match self.peer_at(id, local) {
            Some((feed, peer)) => self.receive_message(feed, peer, message),
            None => self.tell_message(Kind::ChannelMessage, id, local.0, message),
        }
    }

    fn break_stream(&mut self, id: u64, error: ProtocolError) {
        self.fail_stream(id, &Failure::new("EBADPROTOCOL", &error.to_string()));
    }

    /// The remote broke its word: the stream ends, with everything on it.
    pub(super) fn fail_stream(&mut self, id: u64, failure: &Failure) {
        self.tell(Kind::StreamFail, failure_values(id, failure));
        self.remove_stream(id);
    }

    pub(super) fn remove_stream(&mut self, id: u64) {
        let Some(slot) = self.streams.remove(&id) else { return };
        self.dirty_streams.remove(&id);
        self.stalled_streams.remove(&id);
        let mut peers: Vec<_> = slot.peers.into_iter().collect();
        peers.sort_unstable_by_key(|(local, _)| *local);
        for (_, (feed, peer)) in peers {
            self.remove_peer(feed, peer);
        }
    }

    pub(super) fn ping(&mut self, id: u64) {
        if let Some(slot) = self.streams.get_mut(&id) {
            slot.protocol.ping();
            self.dirty_streams.insert(id);
        }
    }

    pub(super) fn authenticated(&mut self, id: u64, trusted: bool) {
        if let Some(slot) = self.streams.get_mut(&id) {
            slot.is_authenticating = false;
            slot.protocol.authenticated(trusted);
            self.dirty_streams.insert(id);
        }
    }

    /// Looks for requests of ours that wait too long.
    pub(super) fn tick(&mut self, id: u64) {
        let feeds: Vec<u64> =
            self.streams.get(&id).map(|slot| slot.peers.values().map(|(feed, _)| *feed).collect()).unwrap_or_default();
        feeds.into_iter().for_each(|feed| self.tick_feed(feed));
    }

    /// The same for one feed, on whatever streams it is.
    pub(super) fn tick_feed(&mut self, feed: u64) {
        let now = self.clock.now();
        if let Some(slot) = self.feeds.get_mut(&feed) {
            slot.replicator.tick(now);
            self.dirty_feeds.insert(feed);
        }
    }

    /// Changes after how long a silence the stream ends.
    pub(super) fn set_timeout(&mut self, id: u64, timeout: Option<u64>) {
        let Some(slot) = self.streams.get_mut(&id) else { return };
        slot.timeout = timeout;
        for (feed, peer) in slot.peers.values() {
            if let Some(peer) = self.feeds.get_mut(feed).and_then(|slot| slot.replicator.peer_mut(*peer)) {
                peer.set_timeout(timeout);
            }
        }
    }

    /// Says something about the stream itself.
    pub(super) fn send_stream(&mut self, id: u64, message: Message) {
        if let Some(slot) = self.streams.get_mut(&id) {
            slot.protocol.send_stream(message);
            self.dirty_streams.insert(id);
        }
    }

    /// Closes a feed's channel, or tells the remote that it will not be opened.
    pub(super) fn close_channel(&mut self, id: u64, discovery_key: &Hash) {
        let Some(slot) = self.streams.get_mut(&id) else { return };
        let local = slot.protocol.close(discovery_key);
        let peer = local.and_then(|local| slot.peers.get(&local).copied());
        self.dirty_streams.insert(id);
        if let Some((feed, peer)) = peer {
            self.remove_peer(feed, peer);
        }
        if local.is_some() {
            self.tell_closed(id, discovery_key, local);
        }
    }

    fn tell_closed(&self, id: u64, discovery_key: &Hash, local: Option<LocalId>) {
        let local = local.map_or(0, |local| local.0);
        self.tell(Kind::ChannelClosed, [id.into(), (*discovery_key).into(), local.into()]);
    }
}
