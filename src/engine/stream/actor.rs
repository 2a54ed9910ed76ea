//! StreamActor: see the room's head.
//!
//! ```text
//! Receive, Send, ...  ->  handle  ->  poll: messages of the remote's, whose turn it is, what JavaScript has to know
//! ```
//! Nothing more is read from the remote while our output is full, while its requests or blocks wait
//! beyond their caps, or while its key waits for approval. Everything it does wrong ends the
//! stream.
//!
//! Invariant: `Readable` is said once until the bytes are taken; `Drained` once for each chunk that
//! was held.

use std::collections::VecDeque;

use super::load::Loads;
use super::message::{FromStream, Input, Output};
use crate::engine::event::{Failure, StreamEvent};
use crate::math::crypto::{Hash, discovery_key};
use crate::replicate::Line;
use crate::wire::{Event, LocalId, Protocol, ProtocolError, ProtocolOptions};

/// Bytes handed out at a time.
const CHUNK: usize = 64 * 1024;
/// While more bytes than this wait to be sent, no request is answered.
const HIGH_WATER: usize = 256 * 1024;
/// While more bytes than this wait to be sent, nothing more is read from the remote.
const FULL: usize = 16 * 1024 * 1024;

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

/// Who waits for the chunk that came last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intake {
    /// Nobody: it is consumed.
    Open,
    /// JavaScript, which gets `Drained` when it is.
    Held,
}

/// One connection.
pub struct StreamActor {
    protocol: Protocol,
    timeout: Option<u64>,
    loads: Loads,
    /// What its feeds share when they ask the remote.
    line: Line,
    intake: Intake,
    /// JavaScript knows that bytes wait.
    is_told: bool,
    /// The owner is asked about the remote's key.
    is_authenticating: bool,
    /// The remote broke the stream.
    has_failed: bool,
    outputs: VecDeque<Output>,
}

/// A channel as it was opened for a feed.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// Our number.
    pub local: LocalId,
    /// The feed's discovery key.
    pub discovery_key: Hash,
    /// The remote has opened it before.
    pub is_remote_open: bool,
    /// After so many milliseconds without an answer the stream is to end.
    pub timeout: Option<u64>,
    /// What is shared by all who ask on this stream.
    pub line: Line,
}

impl StreamActor {
    /// A new stream. An initiator's first bytes wait at once.
    pub fn new(options: StreamOptions) -> Self {
        Self {
            protocol: Protocol::new(options.initiator, options.protocol, options.random),
            timeout: options.timeout,
            loads: Loads::default(),
            line: Line::default(),
            intake: Intake::Open,
            is_told: false,
            is_authenticating: false,
            has_failed: false,
            outputs: VecDeque::new(),
        }
    }

    /// What the wire knows of the stream.
    pub const fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// True once the stream has to be removed.
    pub const fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// Takes in what happened; what follows from it comes from `poll`.
    pub fn handle(&mut self, input: Input) {
        match input {
            Input::Receive(chunk) => self.protocol.receive(chunk),
            Input::Send(local, message) => self.protocol.send(local, message),
            Input::SendStream(message) => self.protocol.send_stream(message),
            Input::CloseChannel(discovery_key) => self.close_channel(discovery_key),
            Input::Load(local, load) => self.loads.set(local, load),
            Input::Asked(local) => self.loads.asked(local),
            Input::Served(local) => self.loads.served(local),
            Input::Authenticated(trusted) => {
                self.is_authenticating = false;
                self.protocol.authenticated(trusted);
            }
            Input::Ping => self.protocol.ping(),
            Input::Timeout(timeout) => self.set_timeout(timeout),
            Input::Hold => self.intake = Intake::Held,
        }
    }

    /// What is to be done next; None when there is nothing. With `reads_on` false the remote is not
    /// listened to.
    pub fn poll(&mut self, reads_on: bool) -> Option<Output> {
        if let Some(output) = self.take_said() {
            return Some(output);
        }
        if self.has_failed {
            return None;
        }
        let mut is_read = false;
        if reads_on && !self.is_full() {
            match self.protocol.poll() {
                Ok(Some(event)) => return Some(self.output_of(event)),
                Ok(None) => is_read = true,
                Err(error) => return Some(self.fail(error)),
            }
        }
        self.serve().or_else(|| self.say_readable()).or_else(|| self.say_drained(is_read))
    }

    /// What it has said already, without listening to the remote.
    pub fn take_said(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Opens a channel for a feed. None if it is open here already, or if the remote has opened it
    /// without proof that it knows the key: then it is closed instead.
    pub fn adopt(&mut self, key: &[u8; 32]) -> Option<Adopted> {
        let discovery_key = discovery_key(key);
        if !self.admits(key) || self.protocol.is_open(&discovery_key) {
            return None;
        }
        let is_remote_open = self.protocol.remote_opened(&discovery_key);
        let local = self.protocol.open(*key);
        Some(Adopted { local, discovery_key, is_remote_open, timeout: self.timeout, line: self.line.clone() })
    }

    /// Whether a feed may be opened. If the remote has opened it without proof that it knows the
    /// key it may not, and is closed.
    pub fn admits(&mut self, key: &[u8; 32]) -> bool {
        let discovery_key = discovery_key(key);
        let is_secure = self.protocol.public_key().is_some();
        let is_stranger = self.protocol.remote_opened(&discovery_key) && !self.protocol.remote_verified(key);
        if is_secure && is_stranger {
            self.close_channel(discovery_key);
        }
        !(is_secure && is_stranger)
    }

    /// Opens a channel that JavaScript speaks on; gives our number.
    pub fn open_channel(&mut self, key: [u8; 32]) -> LocalId {
        let local = self.protocol.open(key);
        if self.protocol.remote_opened(&discovery_key(&key)) {
            self.outputs.push_back(Output::Event(StreamEvent::ChannelOpen(local)));
        }
        local
    }

    /// Bytes to be sent. To take them makes room.
    pub fn take_chunk(&mut self) -> Option<Vec<u8>> {
        let chunk = self.protocol.take_output(CHUNK);
        self.is_told = !chunk.is_empty();
        (!chunk.is_empty()).then_some(chunk)
    }

    /// True while the remote has to wait before its next chunk is taken.
    pub fn is_full(&self) -> bool {
        self.is_authenticating || self.loads.is_too_much() || self.protocol.pending_output() > FULL
    }

    fn output_of(&mut self, event: Event) -> Output {
        Output::Event(match event {
            Event::Message { local, message } => return Output::ToFeed(local, FromStream::Message(message)),
            Event::Opened { local } => return Output::ToFeed(local, FromStream::Opened),
            Event::Closed { discovery_key, local } => {
                let closed = StreamEvent::ChannelClosed { discovery_key, local };
                let Some(local) = local else { return Output::Event(closed) };
                self.loads.remove(local);
                self.outputs.push_back(Output::Event(closed));
                return Output::ToFeed(local, FromStream::Gone);
            }
            Event::Authenticate(key) => {
                self.is_authenticating = true;
                StreamEvent::Authenticate(key)
            }
            Event::Handshake => StreamEvent::Handshake {
                remote_public_key: self.protocol.remote_public_key(),
                hash: self.protocol.handshake_hash(),
            },
            Event::Extensions(names) => StreamEvent::Extensions(names),
            Event::StreamExtension { id, payload } => StreamEvent::Extension { id, payload },
            Event::DiscoveryKey(discovery_key) => StreamEvent::DiscoveryKey(discovery_key),
            Event::Duplex { discovery_key, .. } => StreamEvent::Duplex(discovery_key),
            Event::RemoteOpen(discovery_key) => StreamEvent::RemoteOpen(discovery_key),
        })
    }

    fn close_channel(&mut self, discovery_key: Hash) {
        let Some(local) = self.protocol.close(&discovery_key) else { return };
        self.loads.remove(local);
        self.outputs.push_back(Output::ToFeed(local, FromStream::Gone));
        self.outputs.push_back(Output::Event(StreamEvent::ChannelClosed { discovery_key, local: Some(local) }));
    }

    fn set_timeout(&mut self, timeout: Option<u64>) {
        self.timeout = timeout;
        let locals: Vec<LocalId> =
            self.protocol.channels().filter_map(|channel| channel.local.map(|local| local.id)).collect();
        let tell = |local| Output::ToFeed(local, FromStream::Timeout(timeout));
        self.outputs.extend(locals.into_iter().map(tell));
    }

    fn fail(&mut self, error: ProtocolError) -> Output {
        self.has_failed = true;
        Output::Event(StreamEvent::Fail(Failure::bad_protocol(&error)))
    }

    fn serve(&mut self) -> Option<Output> {
        if self.protocol.pending_output() >= HIGH_WATER {
            return None;
        }
        self.loads.next_turn().map(|local| Output::ToFeed(local, FromStream::Room))
    }

    fn say_readable(&mut self) -> Option<Output> {
        if self.is_told || self.protocol.pending_output() == 0 {
            return None;
        }
        self.is_told = true;
        Some(Output::Event(StreamEvent::Readable))
    }

    fn say_drained(&mut self, is_read: bool) -> Option<Output> {
        if self.intake == Intake::Open || !is_read || self.is_full() {
            return None;
        }
        self.intake = Intake::Open;
        Some(Output::Event(StreamEvent::Drained))
    }
}
