//! Driver: lets actors do what they have to do, and carries what one says to the other.
//!
//! ```text
//! finished jobs, then streams with something to read or to say, then feeds to be settled: until nothing is left,
//! or the turn is over
//! ```
//! What an actor says is carried at once, so that events keep the order in which things happened;
//! what can be done once for many inputs (settling a feed) waits until the streams are through.
//!
//! Invariant: an actor that is not at rest is among those that are ready, stalled, or waiting for a
//! job.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::clock::Clock;
use super::event::{Event, FeedEvent};
use super::executor::Executor;
use super::feed::{self, FeedActor};
use super::ids::{FeedId, StreamId};
use super::job::Finished;
use super::queue::{Completions, Queue};
use super::ready::Ready;
use super::router::Router;
use super::stream::{self, StreamActor};
use super::timers::Timers;

/// How long one call may keep the JavaScript thread before others get their turn, in microseconds.
const TURN: u64 = 1_000;
/// The same where a JavaScript storage is at work: programs that replicate in memory expect to be
/// through in one turn, also on a machine that hiccups.
const PATIENT_TURN: u64 = 4_000;
/// Steps between two looks at the clock.
const STEPS: u64 = 16;
/// While more events than this wait for JavaScript, nothing more is read from any remote.
const MAX_EVENTS: usize = 1_024;

/// What the engine has done since it began, in steps: for tests that count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    /// Outputs of actors that were carried.
    pub steps: u64,
    /// Times that a feed was settled.
    pub settled: u64,
    /// Jobs that were run.
    pub jobs: u64,
    /// Peers, waits and requests that replicators looked at; also those of feeds that are gone.
    pub looks: u64,
    /// Events for JavaScript.
    pub events: u64,
}

/// See the file's head.
pub struct Driver {
    pub(super) feeds: FxHashMap<FeedId, FeedActor>,
    pub(super) streams: FxHashMap<StreamId, StreamActor>,
    pub(super) router: Router,
    executor: Executor,
    pub(super) timers: Timers,
    pub(super) ready_streams: Ready<StreamId>,
    pub(super) ready_feeds: Ready<FeedId>,
    /// Streams that are not read from, since too many events wait for JavaScript.
    pub(super) stalled: Ready<StreamId>,
    pub(super) done: VecDeque<Finished>,
    pub(super) queue: Arc<Queue>,
    completions: Arc<Completions>,
    clock: Clock,
    /// A JavaScript storage is at work in this call.
    is_patient: bool,
    pub(super) work: Work,
}

impl Driver {
    /// No feeds and no streams.
    pub fn new(queue: Arc<Queue>, completions: Arc<Completions>, clock: Clock) -> Self {
        Self {
            feeds: FxHashMap::default(),
            streams: FxHashMap::default(),
            router: Router::default(),
            executor: Executor::new(completions.clone()),
            timers: Timers::default(),
            ready_streams: Ready::default(),
            ready_feeds: Ready::default(),
            stalled: Ready::default(),
            done: VecDeque::new(),
            queue,
            completions,
            clock,
            is_patient: false,
            work: Work::default(),
        }
    }

    /// Goes on until nothing is left to do, or the turn is over; then JavaScript is asked to come
    /// back.
    pub fn run(&mut self) {
        if !self.run_a_turn() {
            self.queue.push(Event::Again);
        }
        if let Some(due) = self.timers.next_alarm() {
            self.queue.push(Event::Timer(due.saturating_sub(self.clock.now())));
        }
    }

    /// False if the turn was too short.
    fn run_a_turn(&mut self) -> bool {
        let start = self.clock.micros();
        self.is_patient = false;
        self.done.extend(self.completions.take());
        self.done.extend(self.executor.resume(&self.clock));
        let mut looked = self.work.steps;
        for taken in 1.. {
            if !self.step() {
                break;
            }
            // What a feed had nothing to say to took time, too.
            let done = taken + self.work.steps;
            if done < looked + STEPS {
                continue;
            }
            looked = done;
            let turn = if self.is_patient { PATIENT_TURN } else { TURN };
            if self.clock.micros() - start > turn {
                return false;
            }
        }
        true
    }

    /// One step: what is done first, then a stream, then a feed. False at rest.
    fn step(&mut self) -> bool {
        if let Some(finished) = self.done.pop_front() {
            self.tell_feed(finished.feed, feed::Input::Finished(finished));
        } else if let Some(stream) = self.ready_streams.pop() {
            self.pump(stream);
        } else if let Some(feed) = self.ready_feeds.pop() {
            self.settle(feed);
        } else {
            return false;
        }
        true
    }

    /// Carries what a stream says, some of it at a time.
    fn pump(&mut self, id: StreamId) {
        for _ in 0..STEPS {
            let reads_on = self.queue.len() <= MAX_EVENTS;
            let Some(actor) = self.streams.get_mut(&id) else { return };
            let Some(output) = actor.poll(reads_on) else {
                if actor.has_failed() {
                    self.remove_stream(id);
                } else if !reads_on {
                    self.stalled.push(id);
                }
                return;
            };
            self.carry_from_stream(id, output);
        }
        self.ready_streams.push(id);
    }

    fn settle(&mut self, id: FeedId) {
        let now = self.clock.now();
        self.work.settled += 1;
        if let Some(actor) = self.feeds.get_mut(&id) {
            actor.settle(now);
            self.drain_feed(id);
        }
    }

    /// Tells a feed something, and carries what it says.
    pub fn tell_feed(&mut self, id: FeedId, input: feed::Input) {
        let now = self.clock.now();
        if let Some(actor) = self.feeds.get_mut(&id) {
            self.is_patient |= actor.mailbox().is_some();
            actor.handle(now, input);
            self.drain_feed(id);
        }
    }

    /// Tells a stream something; what it says is carried in its turn.
    pub fn tell_stream(&mut self, id: StreamId, input: stream::Input) {
        if let Some(actor) = self.streams.get_mut(&id) {
            actor.handle(input);
            self.ready_streams.push(id);
        }
    }

    fn drain_feed(&mut self, id: FeedId) {
        while let Some(output) = self.feeds.get_mut(&id).and_then(FeedActor::poll) {
            self.work.steps += 1;
            match output {
                feed::Output::Event(event) => self.queue.push(event),
                feed::Output::Run(job) => {
                    self.work.jobs += 1;
                    self.done.extend(self.executor.run(&self.clock, job));
                }
                feed::Output::ToPeer(peer, what) => self.carry_to_peer(id, peer, what),
            }
        }
        let Some(actor) = self.feeds.get(&id) else { return };
        if actor.is_dirty() {
            self.ready_feeds.push(id);
        }
        self.timers.set(id, actor.next_due());
    }

    /// Adds a feed.
    pub fn add_feed(&mut self, id: FeedId, actor: FeedActor) {
        self.feeds.insert(id, actor);
    }

    /// Adds a stream.
    pub fn add_stream(&mut self, id: StreamId, actor: StreamActor) {
        self.streams.insert(id, actor);
        self.ready_streams.push(id);
    }

    /// A feed, to be looked at.
    pub fn feed(&self, id: FeedId) -> Option<&FeedActor> {
        self.feeds.get(&id)
    }

    /// A stream, to be looked at.
    pub fn stream(&self, id: StreamId) -> Option<&StreamActor> {
        self.streams.get(&id)
    }

    /// Bytes to be sent on a stream. To take them makes room.
    pub fn take_chunk(&mut self, id: StreamId) -> Option<Vec<u8>> {
        let chunk = self.streams.get_mut(&id)?.take_chunk();
        self.ready_streams.push(id);
        chunk
    }

    /// Whether the remote has to wait before its next chunk is taken: then `Drained` will tell.
    pub fn hold_if_full(&mut self, id: StreamId) -> bool {
        let is_behind = self.ready_streams.contains(id) || self.stalled.contains(id);
        let Some(actor) = self.streams.get(&id) else { return false };
        let is_held = is_behind || actor.is_full();
        if is_held {
            self.tell_stream(id, stream::Input::Hold);
        }
        is_held
    }

    /// Time has passed: whoever waits for it is told.
    pub fn tick(&mut self) {
        let now = self.clock.now();
        self.timers.wake();
        let due: Vec<FeedId> = std::iter::from_fn(|| self.timers.pop(now)).collect();
        due.into_iter().for_each(|feed| self.tell_feed(feed, feed::Input::Tick));
    }

    /// JavaScript has taken the events: streams are read from again. True if some waited for it.
    pub fn resume_stalled(&mut self) -> bool {
        let mut any = false;
        while let Some(stream) = self.stalled.pop() {
            self.ready_streams.push(stream);
            any = true;
        }
        any
    }

    /// Hands out what verbs asked their owners. Requests to the storage of the feed that is calling
    /// it can take at once, unless there is something to be told before: true if there are any.
    pub fn hand_out(&mut self, caller: Option<FeedId>) -> bool {
        let mut is_for_caller = false;
        for id in self.executor.touched() {
            let Some(actor) = self.feeds.get(&id) else { continue };
            for (number, question) in actor.hooks().map(|hooks| hooks.exchange.take()).unwrap_or_default() {
                let event = FeedEvent::Hook { id: number, question };
                self.queue.push(Event::Feed { feed: id, event });
            }
            if actor.mailbox().is_none_or(|mailbox| mailbox.waiting().0 == 0) {
                continue;
            }
            match caller {
                Some(caller) if caller == id && self.queue.is_empty() => is_for_caller = true,
                _ => self.queue.push(Event::Feed { feed: id, event: FeedEvent::Io }),
            }
        }
        is_for_caller
    }

    /// What was done so far.
    pub fn work(&self) -> Work {
        let looks: u64 = self.feeds.values().map(|actor| actor.replicator().looks()).sum();
        Work { looks: self.work.looks + looks, events: self.queue.total(), ..self.work }
    }
}
