//! Feeds without an engine: what they say is carried by the test.
//!
//! ```text
//! writer: FeedActor  <-- messages -->  reader: FeedActor          no stream, no driver, no thread
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::*;
use crate::engine::event::{Answer, Event, Failure, FeedEvent};
use crate::engine::ids::{FeedId, OpId};
use crate::engine::job::{Finished, Job, Outcome};
use crate::engine::queue::Queue;
use crate::engine::{Clock, Engine, FeedHandle};
use crate::feed::OpenOptions;
use crate::math::crypto::KeyPair;
use crate::replicate::{Line, PeerId, PeerOptions, UpdateWait};
use crate::store::memory::{Memory, MemoryStorage};
use crate::store::storage::{Storage, Wait};
use crate::store::{File, StoreError};
use crate::wire::Message;

const PEER: PeerId = PeerId(1);

/// One feed; its jobs are run when the test says so.
struct Bench {
    actor: FeedActor,
    jobs: VecDeque<Job>,
    said: VecDeque<Message>,
    told: Vec<ToPeer>,
    answers: Vec<(OpId, Result<Answer, Failure>)>,
    events: Vec<FeedEvent>,
    ran: usize,
    last: u64,
}

impl Bench {
    fn new(memory: &Arc<Memory>, options: FeedOptions) -> Self {
        let actor = FeedActor::new(FeedId(1), Place::Memory(memory.clone()), options, Arc::new(Queue::default()));
        Self {
            actor,
            jobs: VecDeque::new(),
            said: VecDeque::new(),
            told: Vec::new(),
            answers: Vec::new(),
            events: Vec::new(),
            ran: 0,
            last: 0,
        }
    }

    fn open(writes: bool, sparse: bool) -> Self {
        let mut bench = Self::new(&Arc::default(), FeedOptions { sparse, ..FeedOptions::default() });
        let op = bench.call(Verb::Open(Box::new(open_options(writes))));
        bench.run_all();
        assert!(matches!(bench.answer(op), Some(Ok(Answer::Nothing))));
        bench
    }

    fn call(&mut self, verb: Verb) -> OpId {
        self.last += 1;
        let op = OpId(self.last);
        self.handle(Input::Call(op, verb));
        op
    }

    fn handle(&mut self, input: Input) {
        self.actor.handle(0, input);
        self.absorb();
    }

    fn tell(&mut self, input: FromPeer) {
        self.handle(Input::Peer(PEER, input));
    }

    fn absorb(&mut self) {
        while let Some(output) = self.actor.poll() {
            match output {
                Output::Event(Event::Done { op, answer }) => self.answers.push((op, Ok(answer))),
                Output::Event(Event::Fail { op, failure }) => self.answers.push((op, Err(failure))),
                Output::Event(Event::Feed { event, .. }) => self.events.push(event),
                Output::Event(_) => {}
                Output::Run(job) => self.jobs.push_back(job),
                Output::ToPeer(_, ToPeer::Send(message)) => self.said.push_back(message),
                Output::ToPeer(_, ToPeer::Asked) => self.tell(FromPeer::Room),
                Output::ToPeer(_, what) => self.told.push(what),
            }
        }
    }

    /// Runs the oldest job. False if there is none.
    fn run_one(&mut self) -> bool {
        let Some(Job { feed, task, on_worker, mut work }) = self.jobs.pop_front() else { return false };
        self.ran += 1;
        let Poll::Ready(outcome) = work.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("a native storage answers at once")
        };
        self.handle(Input::Finished(Finished { feed, task, outcome, held: 0, on_worker }));
        true
    }

    fn run_all(&mut self) {
        while self.run_one() || self.actor.is_dirty() {
            self.actor.settle(0);
            self.absorb();
        }
    }

    fn answer(&mut self, op: OpId) -> Option<Result<Answer, Failure>> {
        let place = self.answers.iter().position(|(other, _)| *other == op)?;
        Some(self.answers.remove(place).1)
    }

    fn append(&mut self, blocks: &[&'static [u8]]) {
        let blocks = blocks.iter().map(|block| Bytes::from_static(block)).collect();
        let op = self.call(Verb::Append(blocks));
        self.run_all();
        assert!(matches!(self.answer(op), Some(Ok(Answer::Appended { .. }))));
    }
}

fn open_options(writes: bool) -> OpenOptions {
    let pair = KeyPair::from_seed(&[7; 32]);
    OpenOptions {
        key: Some(pair.public_key()),
        secret_key: writes.then(|| pair.secret_key()),
        create_if_missing: true,
        overwrite: false,
        force: false,
        store_secret_key: writes,
        live: true,
        hooks: None,
        indexing: false,
        must_be_writable: false,
        seed: [9; 32],
    }
}

fn peer_options() -> PeerOptions {
    PeerOptions {
        live: true,
        ack: false,
        downloading: true,
        uploading: true,
        timeout: None,
        max_requests: None,
        seed: 3,
    }
}

/// Lets two feeds talk until neither has anything to say.
fn talk(a: &mut Bench, b: &mut Bench) {
    loop {
        a.run_all();
        b.run_all();
        match (a.said.pop_front(), b.said.pop_front()) {
            (None, None) => return,
            (to_b, to_a) => {
                to_b.into_iter().for_each(|message| b.tell(FromPeer::Message(message)));
                to_a.into_iter().for_each(|message| a.tell(FromPeer::Message(message)));
            }
        }
    }
}

fn connect(a: &mut Bench, b: &mut Bench) {
    for side in [a, b] {
        side.tell(FromPeer::Attached(peer_options(), Line::default()));
        side.tell(FromPeer::Opened);
    }
}

#[test]
fn two_feeds_replicate_without_a_stream() {
    let (mut writer, mut reader) = (Bench::open(true, false), Bench::open(false, false));
    writer.append(&[b"a", b"bc", b""]);
    connect(&mut writer, &mut reader);
    talk(&mut writer, &mut reader);
    let log = reader.actor.log().unwrap();
    assert_eq!((log.len(), log.count(0, 3)), (3, 3));
    assert!(reader.events.iter().any(|event| matches!(event, FeedEvent::Sync)));
    writer.append(&[b"d"]);
    talk(&mut writer, &mut reader);
    assert_eq!(log.count(0, 4), 4);
}

#[test]
fn a_get_that_waited_is_handed_the_block_that_arrives() {
    let (mut writer, mut reader) = (Bench::open(true, false), Bench::open(false, true));
    writer.append(&[b"a", b"bc"]);
    let op = reader.call(Verb::Get { index: 1, wait: true });
    connect(&mut writer, &mut reader);
    let before = reader.ran;
    talk(&mut writer, &mut reader);
    assert!(matches!(reader.answer(op), Some(Ok(Answer::Block(block))) if block == "bc"));
    // The one job was to store it: it was not read back.
    assert_eq!(reader.ran - before, 1);
}

#[test]
fn one_change_runs_at_a_time_and_close_is_the_last() {
    let mut bench = Bench::open(true, false);
    let ops = [
        bench.call(Verb::Append(vec![Bytes::from_static(b"a")])),
        bench.call(Verb::Clear { start: 0, end: 1, keep_bytes: false }),
        bench.call(Verb::Close),
        bench.call(Verb::Append(vec![Bytes::from_static(b"b")])),
    ];
    assert_eq!(bench.jobs.len(), 1);
    bench.run_all();
    assert_eq!(bench.ran, 4);
    let codes = ops.map(|op| bench.answer(op).unwrap().err().and_then(|failure| failure.code));
    assert_eq!(codes, [None, None, None, Some("ECLOSED".to_owned())]);
}

#[test]
fn an_append_does_not_wait_for_an_audit_and_close_ends_it() {
    let mut bench = Bench::open(true, false);
    (0..3).for_each(|_| bench.append(&[&[7; 3 << 20]]));
    let audit = bench.call(Verb::Audit);
    let append = bench.call(Verb::Append(vec![Bytes::from_static(b"a")]));
    assert!(bench.run_one() && bench.run_one());
    assert!(bench.answer(audit).is_none());
    assert!(matches!(bench.answer(append), Some(Ok(_))));
    let close = bench.call(Verb::Close);
    bench.run_all();
    let failure = bench.answer(audit).unwrap().unwrap_err();
    assert_eq!(failure.code.as_deref(), Some("ECLOSED"));
    assert!(matches!(bench.answer(close), Some(Ok(_))));
}

#[test]
fn a_panic_answers_its_operation_and_closes_the_feed() {
    let mut bench = Bench::open(true, false);
    let waits = bench.call(Verb::Update(UpdateWait { min_len: 9, hash: false }));
    let op = bench.call(Verb::Append(vec![Bytes::from_static(b"a")]));
    let Job { feed, task, .. } = bench.jobs.pop_front().unwrap();
    let outcome = Outcome::Panicked("oh".to_owned());
    bench.handle(Input::Finished(Finished { feed, task, outcome, held: 0, on_worker: false }));
    bench.run_all();
    let failure = bench.answer(op).unwrap().unwrap_err();
    assert_eq!((failure.code.as_deref(), &*failure.message), (Some("EINTERNAL"), "Internal error while appending: oh"));
    let failure = bench.answer(waits).unwrap().unwrap_err();
    assert_eq!(failure.code.as_deref(), Some("ECLOSED"));
    let late = bench.call(Verb::Append(vec![Bytes::from_static(b"b")]));
    assert_eq!(bench.answer(late).unwrap().unwrap_err().code.as_deref(), Some("ECLOSED"));
}

#[test]
fn what_a_peer_sends_faster_than_it_can_be_stored_holds_its_stream_back() {
    let mut writer = Bench::open(true, false);
    let options = FeedOptions { allow_push: true, sparse: true, ..FeedOptions::default() };
    let mut reader = Bench::new(&Arc::default(), options);
    reader.call(Verb::Open(Box::new(open_options(false))));
    reader.run_all();
    (0..16).for_each(|_| writer.append(&[&[7; 128 << 10]]));
    reader.tell(FromPeer::Attached(peer_options(), Line::default()));
    reader.tell(FromPeer::Opened);
    writer.tell(FromPeer::Attached(peer_options(), Line::default()));
    for index in 0..16 {
        writer.tell(FromPeer::Message(Message::Request { index, bytes: 0, hash: false, nodes: 0 }));
        writer.run_all();
    }
    // Nothing is stored meanwhile: the test runs no job.
    writer.said.drain(..).for_each(|message| reader.tell(FromPeer::Message(message)));
    let loads = |bench: &Bench| -> Vec<usize> {
        let bytes = |told: &ToPeer| if let ToPeer::Load(load) = told { Some(load.bytes) } else { None };
        bench.told.iter().filter_map(bytes).collect()
    };
    assert_eq!(loads(&reader).last(), Some(&(16 * (128 << 10))));
    reader.run_all();
    assert_eq!(loads(&reader).last(), Some(&0));
    assert_eq!(reader.actor.log().unwrap().count(0, 16), 16);
}

/// A storage that panics when told.
struct Trap {
    inner: MemoryStorage,
    is_set: Arc<AtomicBool>,
}

impl Storage for Trap {
    fn lock(&self, create: bool) -> Result<(), StoreError> {
        self.inner.lock(create)
    }
    fn read(&self, file: File, offset: u64, out: &mut [u8], wait: Wait) -> Result<usize, StoreError> {
        assert!(!self.is_set.load(Ordering::Relaxed), "trapped");
        self.inner.read(file, offset, out, wait)
    }
    fn write(&self, file: File, offset: u64, data: &[&[u8]]) -> Result<(), StoreError> {
        assert!(!self.is_set.load(Ordering::Relaxed), "trapped");
        self.inner.write(file, offset, data)
    }
    fn len(&self, file: File) -> Result<Option<u64>, StoreError> {
        self.inner.len(file)
    }
    fn clear(&self, file: File, offset: u64, len: u64) -> Result<(), StoreError> {
        self.inner.clear(file, offset, len)
    }
    fn truncate(&self, file: File, len: u64) -> Result<(), StoreError> {
        self.inner.truncate(file, len)
    }
    fn sync(&self, file: File) -> Result<(), StoreError> {
        self.inner.sync(file)
    }
    fn close(&self) -> Result<(), StoreError> {
        self.inner.close()
    }
    fn destroy(&self) -> Result<(), StoreError> {
        self.inner.destroy()
    }
}

/// The same through engine and executor, on the calling thread and on a worker.
#[test]
fn a_storage_that_panics_is_survived() {
    for size in [1, 1 << 20] {
        let (wake, woken) = std::sync::mpsc::channel();
        let clock = Clock::turned_by_hand(Arc::new(AtomicU64::new(0)));
        let engine = Engine::with_clock(clock, move || _ = wake.send(()));
        let is_set = Arc::new(AtomicBool::new(false));
        let trap = Trap { inner: MemoryStorage::new(Arc::default()), is_set: is_set.clone() };
        let feed = FeedHandle::new(&engine, FeedId(1), Place::Native(Arc::new(trap)), FeedOptions::default());
        let answer = |op: OpId| {
            loop {
                let is_it = |event: &Event| match event {
                    Event::Done { op: other, .. } => (*other == op).then_some(None),
                    Event::Fail { op: other, failure } => (*other == op).then(|| failure.code.clone()),
                    _ => None,
                };
                match engine.drain().iter().find_map(is_it) {
                    Some(code) => return code,
                    None => woken.recv().unwrap(),
                }
            }
        };
        feed.call(OpId(1), Verb::Open(Box::new(open_options(true))));
        assert_eq!(answer(OpId(1)), None);
        is_set.store(true, Ordering::Relaxed);
        feed.call(OpId(2), Verb::Append(vec![Bytes::from(vec![1; size])]));
        assert_eq!(answer(OpId(2)).as_deref(), Some("EINTERNAL"));
        feed.call(OpId(3), Verb::Append(vec![Bytes::from_static(b"b")]));
        assert_eq!(answer(OpId(3)).as_deref(), Some("ECLOSED"));
    }
}

#[test]
fn what_turns_out_to_take_long_is_done_on_a_worker_before_what_was_asked_behind_it() {
    let many = 9 * 8192;
    let long = [Verb::Clear { start: 0, end: many, keep_bytes: false }, Verb::Truncate(1)];
    for verb in long {
        let mut bench = Bench::open(true, false);
        bench.call(Verb::Append(vec![Bytes::new(); usize::try_from(many).unwrap()]));
        bench.run_all();
        bench.answers.clear();
        let first = bench.call(verb);
        let behind = bench.call(Verb::Append(vec![Bytes::from_static(b"behind")]));
        assert!(bench.jobs.len() == 1 && !bench.jobs[0].on_worker);
        bench.run_one();
        assert!(bench.jobs.len() == 1 && bench.jobs[0].on_worker && bench.answers.is_empty());
        bench.run_all();
        assert_eq!(bench.answers.iter().map(|(op, _)| *op).collect::<Vec<_>>(), [first, behind]);
        assert!(bench.answers.iter().all(|(_, answer)| answer.is_ok()));
    }
}

#[test]
fn files_are_removed_on_a_worker() {
    let mut bench = Bench::open(true, false);
    let close = bench.call(Verb::Close);
    bench.run_all();
    let destroy = bench.call(Verb::Destroy);
    assert!(bench.jobs.len() == 1 && bench.jobs[0].on_worker);
    bench.run_all();
    assert!([close, destroy].into_iter().all(|op| matches!(bench.answer(op), Some(Ok(Answer::Nothing)))));
}

#[test]
fn a_seek_beyond_the_end_is_answered_when_the_log_has_grown_whatever_its_range() {
    let mut bench = Bench::open(true, false);
    bench.append(&[b"0123456789"]);
    let seek = Seek { bytes: 12, start: 7, end: Some(9), hash: true, wait: true, if_available: false };
    let op = bench.call(Verb::Seek(seek));
    bench.run_all();
    assert!(bench.answer(op).is_none());
    bench.append(&[b"abcdef"]);
    assert!(matches!(bench.answer(op), Some(Ok(Answer::Place { index: 1, offset: 2 }))));
}
