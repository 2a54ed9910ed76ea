//! Host: one engine with one feed in memory, as the door would hold it.
//!
//! ```text
//! test -- verbs, chunks -->  Engine  -- events -->  done (answers to verbs)
//!                                                   seen (all else), held (streams that do not take more now)
//! ```
//! The clock is the test's. After every call the host waits until the engine's workers have nothing left to do, so that what
//! happens is the same in every run, as long as two of them are not at work at once: keep batches below 256 KiB.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::mpsc::{Receiver, channel};

use bytes::Bytes;
use hypercore::engine::{
    AttachOptions, Clock, Engine, Event, FeedHandle, FeedOptions, Got, Kind, Place, StreamHandle, StreamOptions, Value,
};
use hypercore::replicate::PeerOptions;
use hypercore::store::memory::Memory;
use hypercore::wire::{NoiseKeyPair, ProtocolOptions};

use super::dice::Dice;
use super::open_options;

const FEED: u64 = 1;

/// One engine, one feed.
pub struct Host {
    /// The feed under test.
    pub feed: FeedHandle,
    engine: Arc<Engine>,
    woken: Receiver<()>,
    at_work: i32,
    streams: BTreeMap<u64, StreamHandle>,
    next: u64,
    /// Answers to verbs: the values, or the code of the failure.
    pub done: BTreeMap<u64, Result<Vec<Value>, String>>,
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
        host.feed.set_listeners(true, false);
        let opened = host.verb(|feed, op| feed.open(op, open_options(writes)));
        assert_eq!(host.answer(opened).map(|answer| answer.map(drop)), Some(Ok(())));
        host
    }

    /// A number that was not used before on this host.
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Calls a verb under a new number, and lets everything that follows from it happen.
    pub fn verb<T>(&mut self, call: impl FnOnce(&FeedHandle, u64) -> T) -> u64 {
        let op = self.number();
        call(&self.feed, op);
        self.absorb();
        op
    }

    /// Gets a block; the answer is in `done`, at once or later.
    pub fn get(&mut self, index: u64, wait: bool) -> u64 {
        let op = self.number();
        if let Got::Now(block) = self.feed.get(op, index, wait) {
            self.done.insert(op, Ok(vec![block.into()]));
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
            Some(Ok(values)) => match &values[..] {
                [Value::Bytes(block)] => Some(block.clone()),
                other => panic!("get gave {other:?}"),
            },
            other => panic!("block {index} is held but cannot be read: {other:?}"),
        }
    }

    /// Takes the answer of a verb, if it has one.
    pub fn answer(&mut self, op: u64) -> Option<Result<Vec<Value>, String>> {
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
        match (event.kind, &event.values[..]) {
            (Kind::Done, [Value::Number(op), values @ ..]) => drop(self.done.insert(*op, Ok(values.to_vec()))),
            (Kind::Fail, [Value::Number(op), Value::Text(code), ..]) => {
                drop(self.done.insert(*op, Err(code.clone())));
            }
            (Kind::Drained, [Value::Number(stream)]) => drop(self.held.remove(stream)),
            (Kind::Busy, [Value::Signed(difference)]) => self.at_work += difference,
            (Kind::Readable | Kind::Again, _) => {}
            _ => self.seen.push(event),
        }
    }

    /// A new stream with the feed on it, live.
    pub fn connect(&mut self, initiator: bool, ack: bool, max_requests: Option<usize>, dice: &mut Dice) -> u64 {
        let stream = self.number();
        let handle = StreamHandle::new(&self.engine, stream, stream_options(initiator, dice));
        let options = PeerOptions {
            live: true,
            ack,
            downloading: true,
            uploading: true,
            timeout: None,
            max_requests,
            seed: dice.next(),
        };
        handle.attach(&self.feed, AttachOptions { peer: stream, options });
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
        self.streams.values().for_each(|stream| _ = stream.tick());
        self.absorb();
    }

    /// True if this stream was ended because the remote broke its word.
    pub fn is_broken(&self, stream: u64) -> bool {
        let is_it = |event: &Event| matches!(event.values.first(), Some(Value::Number(number)) if *number == stream);
        self.seen.iter().any(|event| event.kind == Kind::StreamFail && is_it(event))
    }

    /// Why streams were ended because the remote broke its word.
    pub fn broken(&self) -> Vec<String> {
        let texts = self.seen.iter().filter(|event| event.kind == Kind::StreamFail);
        texts.map(|event| format!("{:?}", &event.values[1..])).collect()
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
