//! Host: one engine with one feed in memory, as the door would hold it.
//!
//! ```text
//! test -- verbs, chunks -->  Engine  -- events -->  done (answers to verbs)
//!                                                   seen (all else), held (streams that do not take more now)
//! ```
//! The clock is the test's. After every call the host waits until the engine's workers have nothing
//! left to do, so that what happens is the same in every run, as long as two of them are not at
//! work at once: keep batches below 256 KiB.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;
use hypercore::engine::{
    Answer, AttachOptions, Clock, Engine, Event, FeedHandle, FeedId, FeedOptions, Got, Input, OpId, Place, StreamEvent,
    StreamHandle, StreamId, StreamOptions, Verb,
};
use hypercore::replicate::{PeerId, PeerOptions};
use hypercore::store::memory::Memory;
use hypercore::wire::{NoiseKeyPair, ProtocolOptions};

use super::dice::Dice;
use super::open_options;

const FEED: FeedId = FeedId(1);

/// One engine, one feed.
pub struct Host {
    /// The feed under test.
    pub feed: FeedHandle,
    engine: Arc<Engine>,
    woken: Receiver<()>,
    at_work: i32,
    streams: BTreeMap<u64, StreamHandle>,
    next: u64,
    /// Answers to verbs, or the code of the failure.
    pub done: BTreeMap<OpId, Result<Answer, String>>,
    /// All other events, oldest first.
    pub seen: Vec<Event>,
    /// Streams that hold a chunk until they have room.
    pub held: BTreeSet<u64>,
}

impl Host {
    /// Opens the test's feed on `memory`.
    pub fn open(memory: &Arc<Memory>, clock: &Arc<AtomicU64>, writes: bool, sparse: bool) -> Self {
        let (wake, woken) = channel();
        let engine = Engine::with_clock(Clock::turned_by_hand(clock.clone()), move || _ = wake.send(()));
        let options = FeedOptions {
            sparse,
            indexing: false,
            allow_push: false,
            hooks_writes: false,
            hooks_signs: false,
            hooks_verifies: false,
        };
        let feed = FeedHandle::new(&engine, FEED, Place::Memory(memory.clone()), options);
        let mut host = Self {
            feed,
            engine,
            woken,
            at_work: 0,
            streams: BTreeMap::new(),
            next: 100,
            done: BTreeMap::new(),
            seen: Vec::new(),
            held: BTreeSet::new(),
        };
        host.feed.tell(Input::Listen { downloads: true, uploads: false });
        let opened = host.verb(Verb::Open(Box::new(open_options(writes))));
        assert_eq!(host.answer(opened).map(|answer| answer.map(drop)), Some(Ok(())));
        host
    }

    /// A number that was not used before on this host.
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Calls a verb under a new number, and lets everything that follows from it happen.
    pub fn verb(&mut self, verb: Verb) -> OpId {
        let op = OpId(self.number());
        self.feed.call(op, verb);
        self.absorb();
        op
    }

    /// Gets a block; the answer is in `done`, at once or later.
    pub fn get(&mut self, index: u64, wait: bool) -> OpId {
        let op = OpId(self.number());
        if let Got::Now(block) = self.feed.get(op, index, wait) {
            self.done.insert(op, Ok(Answer::Block(block)));
        }
        self.absorb();
        op
    }

    /// The block, if it is held here; it must be readable then.
    pub fn block(&mut self, index: u64) -> Option<Bytes> {
        if !self.feed.has(index, index + 1) {
            return None;
        }
        let op = self.get(index, false);
        match self.answer(op) {
            Some(Ok(Answer::Block(block))) => Some(block),
            other => panic!("block {index} is held but cannot be read: {other:?}"),
        }
    }

    /// Takes the answer of a verb, if it has one.
    pub fn answer(&mut self, op: OpId) -> Option<Result<Answer, String>> {
        self.done.remove(&op)
    }

    /// Takes in all events, until nothing is under way.
    pub fn absorb(&mut self) {
        loop {
            let events = self.engine.drain();
            if events.is_empty() && self.at_work == 0 {
                return;
            }
            if events.is_empty() {
                self.woken.recv().unwrap();
            }
            events.into_iter().for_each(|event| self.take_in(event));
        }
    }

    fn take_in(&mut self, event: Event) {
        match event {
            Event::Done { op, answer } => drop(self.done.insert(op, Ok(answer))),
            Event::Fail { op, failure } => drop(self.done.insert(op, Err(failure.code.unwrap_or_default()))),
            Event::Stream { stream, event: StreamEvent::Drained } => drop(self.held.remove(&stream.0)),
            Event::Busy(difference) => self.at_work += difference,
            Event::Stream { event: StreamEvent::Readable, .. } | Event::Again | Event::Timer(_) => {}
            event => self.seen.push(event),
        }
    }

    /// A new stream with the feed on it, live.
    pub fn connect(&mut self, initiator: bool, ack: bool, max_requests: Option<usize>, dice: &mut Dice) -> u64 {
        let stream = self.number();
        let handle = StreamHandle::new(&self.engine, StreamId(stream), stream_options(initiator, dice));
        let options = PeerOptions {
            live: true,
            ack,
            downloading: true,
            uploading: true,
            timeout: None,
            max_requests,
            seed: dice.next(),
        };
        handle.attach(&self.feed, AttachOptions { peer: PeerId(stream), options });
        self.streams.insert(stream, handle);
        self.absorb();
        stream
    }

    /// Bytes to be sent on a stream.
    pub fn read(&mut self, stream: u64) -> Option<Bytes> {
        let chunk = self.streams.get(&stream)?.read().map(Bytes::from);
        self.absorb();
        chunk
    }

    /// Bytes that came on a stream.
    pub fn write(&mut self, stream: u64, chunk: &[u8]) {
        let Some(handle) = self.streams.get(&stream) else { return };
        if handle.write(chunk).held {
            self.held.insert(stream);
        }
        self.absorb();
    }

    /// The stream under this number.
    pub fn stream(&self, stream: u64) -> &StreamHandle {
        &self.streams[&stream]
    }

    /// The connection is gone.
    pub fn disconnect(&mut self, stream: u64) {
        self.streams.remove(&stream);
        self.held.remove(&stream);
        self.absorb();
    }

    /// Time has passed.
    pub fn tick(&mut self) {
        self.engine.tick();
        self.absorb();
    }

    /// True if this stream was ended because the remote broke its word.
    pub fn is_broken(&self, stream: u64) -> bool {
        self.failures().any(|(at, _)| at.0 == stream)
    }

    /// Why streams were ended because the remote broke its word.
    pub fn broken(&self) -> Vec<String> {
        self.failures().map(|(_, why)| why).collect()
    }

    fn failures(&self) -> impl Iterator<Item = (StreamId, String)> {
        self.seen.iter().filter_map(|event| match event {
            Event::Stream { stream, event: StreamEvent::Fail(failure) } => Some((*stream, format!("{failure:?}"))),
            _ => None,
        })
    }
}

/// What the wire needs to know, by the test's dice.
pub fn stream_options(initiator: bool, dice: &mut Dice) -> StreamOptions {
    let protocol = ProtocolOptions {
        noise: true,
        encrypted: true,
        authenticate: false,
        key_pair: NoiseKeyPair::from_seed(&dice.bytes()),
        max_remote_channels: 16_384,
    };
    StreamOptions { initiator, protocol, timeout: None, random: dice.bytes() }
}
