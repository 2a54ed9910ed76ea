//! One stream between two peers: bytes in, events out; messages in, bytes out.
//!
//! ```text
//! receive -> decrypt -> frames -> channels -> poll: Event
//! send, open, close -> frame -> encrypt -> output          before the handshake ends: kept, then sent in order
//! ```
//! Frames are decoded when they are polled for, so that who stops polling holds the remote back. An
//! event may be handled, and messages sent, before the next poll. Every `ProtocolError` is the
//! remote's fault and ends the stream.
//!
//! Invariant: with Noise, `Event::Message` comes only from a remote that proved to know the feed's
//! key.
//! Source: hypercore-protocol@8.0.7 index.js, simple-hypercore-protocol@2.1.2 index.js. Drawn in
//! docs/protocol.md, "Stream".

mod incoming;
mod transport;

use std::collections::VecDeque;

use bytes::BytesMut;

use super::channel::{Channel, Channels, LocalId};
use super::event::{Event, ProtocolError};
use super::frame::Decoder;
use super::message::Message;
use super::noise::{Handshake, HandshakeRandom, NoiseKeyPair, Outcome, Progress};
use super::output::Output;
use crate::math::crypto::{self, Hash};
use transport::{Identity, Pending, Transport};

/// How a stream is to be spoken.
#[derive(Clone, Debug)]
pub struct ProtocolOptions {
    /// Shake hands. False counts only together with `encrypted: false` (Q18).
    pub noise: bool,
    /// Encrypt after the handshake.
    pub encrypted: bool,
    /// Stop at `Event::Authenticate` until `authenticated` is called.
    pub authenticate: bool,
    /// Who we are.
    pub key_pair: NoiseKeyPair,
    /// How many channels the remote may open that we have not opened; stock has no limit, 16,384 is
    /// ample.
    pub max_remote_channels: usize,
}

/// A stream's life, one way only.
enum State {
    Handshake {
        handshake: Box<Handshake>,
        pending: Vec<Pending>,
    },
    Open(Box<Transport>),
    /// The fault is still to be told.
    Failing(ProtocolError),
    Failed,
}

/// What the next poll tells.
enum Queued {
    Event(Event),
    /// `Event::Opened`, if the feed is open here by then.
    Opened(Hash),
}

/// One stream. Feed it with `receive`, drain `poll`, send what `output` holds.
pub struct Protocol {
    options: ProtocolOptions,
    nonce: [u8; 24],
    state: State,
    channels: Channels,
    frames: Decoder,
    queue: VecDeque<Queued>,
    output: Output,
}

impl Protocol {
    /// Begins a stream; an initiator's first message waits in the output at once. `random` serves
    /// for this stream only.
    pub fn new(initiator: bool, options: ProtocolOptions, random: [u8; 56]) -> Self {
        let random = HandshakeRandom::from(random);
        let state = if options.noise || options.encrypted {
            match Handshake::new(initiator, &options.key_pair, &random, options.authenticate) {
                Ok(handshake) => State::Handshake { handshake: Box::new(handshake), pending: Vec::new() },
                Err(error) => State::Failing(error.into()),
            }
        } else {
            State::Open(Box::default())
        };
        let mut protocol = Self {
            options,
            nonce: random.nonce,
            state,
            channels: Channels::default(),
            frames: Decoder::default(),
            queue: VecDeque::new(),
            output: Output::default(),
        };
        if let Err(error) = protocol.shake() {
            protocol.state = State::Failing(error);
        }
        protocol
    }

    /// Takes bytes from the remote.
    pub fn receive(&mut self, mut chunk: BytesMut) {
        match &mut self.state {
            State::Handshake { handshake, .. } => handshake.receive(chunk),
            State::Open(transport) => {
                transport.decrypt(&mut chunk);
                self.frames.push(chunk.freeze());
            }
            State::Failing(_) | State::Failed => {}
        }
    }

    /// The next event, or None until more bytes come. After an error there are no more events.
    pub fn poll(&mut self) -> Result<Option<Event>, ProtocolError> {
        let event = self.next_event();
        if event.is_err() {
            self.state = State::Failed;
            self.queue.clear();
        }
        event
    }

    /// Answers `Event::Authenticate`. A refusal ends the stream with a handshake error.
    pub fn authenticated(&mut self, trusted: bool) {
        if let State::Handshake { handshake, .. } = &mut self.state
            && let Err(error) = handshake.authenticated(trusted)
        {
            self.state = State::Failing(error.into());
        }
    }

    /// Opens a feed and tells the remote, unless it is open. If the remote had opened it,
    /// `Event::Duplex` is next, provided that its capability is right; ask `remote_verified` first
    /// to close instead.
    pub fn open(&mut self, key: [u8; 32]) -> LocalId {
        let fresh = self.channels.open_local(key);
        let discovery_key = crypto::discovery_key(&key);
        if let Some(local) = fresh {
            self.say_open(local, key);
        }
        let local = self.local(&discovery_key).unwrap_or(LocalId(0));
        if self.verify(&discovery_key) {
            self.queue.push_front(Queued::Event(Event::Duplex { local, discovery_key }));
        }
        local
    }

    /// Closes a feed and tells the remote; gives our number if it was open here. Otherwise the
    /// remote is told that we will not open it. No event follows.
    pub fn close(&mut self, discovery_key: &Hash) -> Option<LocalId> {
        let Some(local) = self.local(discovery_key) else {
            let id = self.channels.next_local();
            self.say(id.0, Message::Close { discovery_key: Some(*discovery_key) });
            return None;
        };
        self.channels.remove(discovery_key);
        if !self.take_back(local) {
            self.say(local.0, Message::Close { discovery_key: None });
        }
        Some(local)
    }

    /// Forgets what was to be said about a channel after the handshake, if it was opened before. A
    /// program that opens and closes while the remote is silent must not fill memory.
    fn take_back(&mut self, local: LocalId) -> bool {
        let State::Handshake { pending, .. } = &mut self.state else { return false };
        let is_open = |item: &Pending| matches!(item, Pending::Open { local: id, .. } if *id == local);
        let Some(first) = pending.iter().rposition(is_open) else { return false };
        let is_other = |item: &Pending| !matches!(item, Pending::Message { channel, .. } if *channel == local.0);
        let after = pending.split_off(first);
        pending.extend(after.into_iter().skip(1).filter(is_other));
        true
    }

    /// Says something about a feed. Nothing happens if it is no longer open here.
    pub fn send(&mut self, local: LocalId, message: Message) {
        if self.channels.is_local(local) {
            self.say(local.0, message);
        }
    }

    /// Says something about the stream: options or an extension.
    pub fn send_stream(&mut self, message: Message) {
        self.say(0, message);
    }

    /// Keeps the connection alive: one byte, once the handshake is over.
    pub fn ping(&mut self) {
        if let State::Open(transport) = &mut self.state {
            transport.write(&mut self.output, |out| out.push(0));
        }
    }

    /// True if the feed is open on our side.
    pub fn is_open(&self, discovery_key: &Hash) -> bool {
        self.local(discovery_key).is_some()
    }

    /// True if the remote opened the feed.
    pub fn remote_opened(&self, discovery_key: &Hash) -> bool {
        self.channels.get(discovery_key).is_some_and(|channel| channel.remote.is_some())
    }

    /// True if the remote opened the feed of this key and proved to know the key. Always false
    /// without Noise.
    pub fn remote_verified(&self, key: &[u8; 32]) -> bool {
        let remote = self.channels.get(&crypto::discovery_key(key)).and_then(|channel| channel.remote);
        let claimed = remote.and_then(|remote| remote.capability);
        let expected = self.identity().map(|identity| identity.remote_capability(key));
        claimed.zip(expected).is_some_and(|(claimed, expected)| crypto::secrets_equal(&claimed, &expected))
    }

    /// All channels, whoever opened them.
    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.iter()
    }

    /// How many channels there are, whoever opened them.
    pub fn channel_count(&self) -> usize {
        self.channels.len()
    }

    /// Bytes that wait to be sent.
    pub fn pending_output(&self) -> usize {
        self.output.waiting().len()
    }

    /// The bytes that wait to be sent; say with `consume_output` how many were.
    pub fn output(&self) -> &[u8] {
        self.output.waiting()
    }

    /// Drops bytes that were sent.
    pub fn consume_output(&mut self, len: usize) {
        self.output.consume(len);
    }

    /// Takes at most `max` of the bytes that wait to be sent.
    pub fn take_output(&mut self, max: usize) -> Vec<u8> {
        self.output.take(max)
    }

    /// True until the handshake is over.
    pub fn is_handshaking(&self) -> bool {
        matches!(self.state, State::Handshake { .. })
    }

    /// Our static key; None without Noise.
    pub fn public_key(&self) -> Option<[u8; 32]> {
        (self.options.noise || self.options.encrypted).then_some(self.options.key_pair.public_key)
    }

    /// The remote's static key, once the handshake is over.
    pub fn remote_public_key(&self) -> Option<[u8; 32]> {
        self.identity().map(|identity| identity.remote_public_key)
    }

    /// Names this connection, once the handshake is over; the same on both sides.
    pub fn handshake_hash(&self) -> Option<[u8; 64]> {
        self.identity().map(|identity| identity.handshake_hash)
    }

    fn local(&self, discovery_key: &Hash) -> Option<LocalId> {
        self.channels.get(discovery_key)?.local.map(|local| local.id)
    }

    fn identity(&self) -> Option<&Identity> {
        match &self.state {
            State::Open(transport) => transport.identity.as_ref(),
            _ => None,
        }
    }

    fn next_event(&mut self) -> Result<Option<Event>, ProtocolError> {
        loop {
            if let Some(event) = self.next_queued() {
                return Ok(Some(event));
            }
            match &self.state {
                State::Handshake { .. } => {
                    self.shake()?;
                    if self.queue.is_empty() {
                        return Ok(None);
                    }
                }
                State::Open(_) => {
                    let Some(frame) = self.frames.next_frame()? else { return Ok(None) };
                    if let Some(event) = self.handle_frame(&frame)? {
                        return Ok(Some(event));
                    }
                }
                State::Failing(error) => return Err(*error),
                State::Failed => return Ok(None),
            }
        }
    }

    fn next_queued(&mut self) -> Option<Event> {
        while let Some(queued) = self.queue.pop_front() {
            match queued {
                Queued::Event(event) => return Some(event),
                Queued::Opened(discovery_key) => {
                    if let Some(local) = self.local(&discovery_key) {
                        return Some(Event::Opened { local });
                    }
                }
            }
        }
        None
    }

    /// Drives the handshake as far as it goes.
    fn shake(&mut self) -> Result<(), ProtocolError> {
        let State::Handshake { handshake, pending } = &mut self.state else { return Ok(()) };
        let mut progress = Ok(Progress::Waiting);
        self.output.append(|out| progress = handshake.poll(out), |_| {});
        match progress? {
            Progress::Waiting => {}
            Progress::Authenticate(key) => self.queue.push_back(Queued::Event(Event::Authenticate(key))),
            Progress::Done(outcome) => {
                let pending = std::mem::take(pending);
                self.begin_transport(*outcome, pending);
            }
        }
        Ok(())
    }

    fn begin_transport(&mut self, outcome: Outcome, pending: Vec<Pending>) {
        let (transport, rest) = Transport::new(outcome, &self.nonce, self.options.encrypted);
        self.state = State::Open(Box::new(transport));
        self.queue.push_back(Queued::Event(Event::Handshake));
        self.receive(rest);
        for said in pending {
            match said {
                Pending::Open { local, key } => self.say_open(local, key),
                Pending::Message { channel, message } => self.say(channel, message),
            }
        }
    }

    fn say_open(&mut self, local: LocalId, key: [u8; 32]) {
        match &mut self.state {
            State::Handshake { pending, .. } => pending.push(Pending::Open { local, key }),
            State::Open(transport) => {
                let capability = transport.identity.as_ref().map(|identity| identity.capability(&key));
                self.say(local.0, Message::Open { discovery_key: crypto::discovery_key(&key), capability });
            }
            State::Failing(_) | State::Failed => {}
        }
    }

    fn say(&mut self, channel: u64, message: Message) {
        match &mut self.state {
            State::Handshake { pending, .. } => pending.push(Pending::Message { channel, message }),
            State::Open(transport) => transport.write(&mut self.output, |out| message.encode(channel, out)),
            State::Failing(_) | State::Failed => {}
        }
    }
}

#[cfg(test)]
#[allow(clippy::as_conversions, reason = "small numbers")]
mod tests;
