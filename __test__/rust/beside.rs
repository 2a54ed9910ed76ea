//! Beside each other: every reading verb is held at each of its reads while changing verbs run.
//!
//! ```text
//! read ──► request n is answered, the answer is held ──► the change runs from end to end ──► the answer arrives ──► read goes on
//! ```
//! The storage is a mailbox, as JavaScript's are. What a verb may answer is what it answers
//! undisturbed, before the change or after it. Afterwards every block must read as the model has
//! it, and an audit must find nothing.
//!
//! Invariant: nothing here waits; each run has a number n, and ends when the verb makes fewer
//! requests.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::as_conversions)]

mod common;

use std::fmt::Debug;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use common::{block, honest, open_options};
use hypercore::feed::{self, BlockRead, Feed, FeedError, Put, Served, Wanted};
use hypercore::log::tree::RemoteTree;
use hypercore::math::flat::BlockIndex;
use hypercore::store::io::now;
use hypercore::store::mailbox::{Answer, Mailbox, Op, Request};
use hypercore::store::memory::{Memory, MemoryStorage};
use hypercore::store::{File, Io, Write, layout};

/// A feed whose storage answers when the test says so.
struct World {
    mailbox: Arc<Mailbox>,
    memory: Io,
    feed: Option<Feed>,
}

type Run<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

fn poll<T>(run: &mut Run<'_, T>) -> Option<T> {
    match run.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

impl World {
    fn open(memory: &Arc<Memory>, writes: bool) -> Self {
        let mailbox = Mailbox::new();
        let memory = Io::native(Arc::new(MemoryStorage::new(memory.clone())));
        let mut world = Self { mailbox: mailbox.clone(), memory, feed: None };
        let opened = world.run(Box::pin(feed::open(Io::mailbox(mailbox), open_options(writes), |_| ())));
        world.feed = Some(opened.unwrap());
        world
    }

    fn feed(&self) -> &Feed {
        self.feed.as_ref().unwrap()
    }

    fn carry_out(&self, request: &Request) -> Answer {
        match request.op.clone() {
            Op::Read { file, offset, len } => {
                now(self.memory.read(file, offset, len)).unwrap().unwrap().map_or(Answer::Absent, Answer::Bytes)
            }
            Op::Len(file) => now(self.memory.len(file)).unwrap().unwrap().map_or(Answer::Absent, Answer::Len),
            Op::Write(writes) => {
                now(self.memory.write_batch(writes)).unwrap().unwrap();
                Answer::Done
            }
            Op::Clear { file, offset, len } => {
                now(self.memory.clear(file, offset, len)).unwrap().unwrap();
                Answer::Done
            }
            Op::Close(_) | Op::Destroy(_) => Answer::Done,
        }
    }

    fn answer_all(&self) {
        for request in self.mailbox.take_requests() {
            self.mailbox.answer(request.id, Ok(self.carry_out(&request)));
        }
    }

    fn run<T>(&self, mut run: Run<'_, T>) -> T {
        loop {
            if let Some(output) = poll(&mut run) {
                return output;
            }
            self.answer_all();
        }
    }

    /// Runs until request `n` has an answer that is held, lets `change` happen, and runs on. None
    /// if there are not so many requests.
    fn run_beside<T>(&self, mut run: Run<'_, T>, n: usize, change: impl FnOnce()) -> Option<T> {
        let (mut count, mut held) = (0, None);
        while held.is_none() {
            if poll(&mut run).is_some() {
                return None;
            }
            for request in self.mailbox.take_requests() {
                let answer = self.carry_out(&request);
                if count == n {
                    held = Some((request.id, answer));
                } else {
                    self.mailbox.answer(request.id, Ok(answer));
                }
                count += 1;
            }
        }
        change();
        let (id, answer) = held.unwrap();
        self.mailbox.answer(id, Ok(answer));
        Some(self.run(run))
    }
}

fn told(output: impl Debug) -> String {
    format!("{output:?}")
}

/// A verb that reads, and what it answers as text.
type Read = for<'a> fn(&'a Feed) -> Run<'a, String>;

const READS: [(&str, Read); 9] = [
    ("get", |feed| Box::pin(async { told(feed.get(feed.io(), BlockIndex(3)).await) })),
    ("first get", |feed| Box::pin(async { told(feed.get(feed.io(), BlockIndex(0)).await) })),
    ("batch", |feed| Box::pin(async { told(feed.get_batch(feed.io(), 1, 5).await) })),
    ("seek", |feed| Box::pin(async { told(feed.seek(feed.io(), 23).await) })),
    ("roots", |feed| Box::pin(async { told(feed.roots_of(feed.io(), 6).await) })),
    ("leaf", |feed| Box::pin(async { told(feed.leaf(feed.io(), BlockIndex(4)).await) })),
    ("signature", |feed| Box::pin(async { told(feed.signature_after(feed.io(), 2).await) })),
    ("serve", |feed| Box::pin(serve(feed))),
    ("driven", |feed| Box::pin(driven(feed))),
];

/// The blocks that were served, after somebody else has checked their proofs.
async fn serve(feed: &Feed) -> String {
    let plan = |block| feed.plan_proof(BlockIndex(block), 0, false, &mut RemoteTree::default());
    let wanted = |block| plan(block).map(|plan| Wanted { block: BlockIndex(block), hash: false, plan });
    let wanted: Vec<Wanted> = [2, 3, 5].into_iter().filter_map(wanted).collect();
    let answers = feed.serve(feed.io(), &wanted).await;
    let io = Io::native(Arc::new(MemoryStorage::new(Arc::default())));
    let clone = now(feed::open(io, open_options(false), |_| ())).unwrap().unwrap();
    let mut blocks = Vec::new();
    for (Wanted { block, .. }, served) in wanted.iter().zip(answers) {
        let Some(Served { value, nodes, signature }) = served.unwrap() else { continue };
        let item = Put { block: *block, value, nodes, signature, peer: 0 };
        let report = now(clone.put(vec![item])).unwrap().unwrap();
        assert!(report.results[0].is_ok(), "{:?}", report.results);
        blocks.extend(report.arrivals.into_iter().map(|arrival| (arrival.block, arrival.value)));
    }
    told(blocks)
}

/// As JavaScript reads by itself: what the feed says, then in the plain way if that is not right.
async fn driven(feed: &Feed) -> String {
    let block = BlockIndex(3);
    while let Some((read, seen)) = feed.next_read(block) {
        match read {
            BlockRead::Nodes { index, offset, len } => {
                let bytes = feed.io().read_up_to(File::Tree, offset, len).await.unwrap();
                if feed.remember(index, offset, &bytes, seen).is_err() {
                    break;
                }
            }
            BlockRead::Data { offset, len } => {
                let bytes = feed.io().read(File::Data, offset, len as usize).await.unwrap().unwrap_or_default();
                if feed.matches(block, &bytes, seen) {
                    return told(Ok::<_, FeedError>(Some(bytes)));
                }
                break;
            }
        }
    }
    told(feed.get(feed.io(), block).await)
}

type Change = fn(&Feed) -> Run<'_, ()>;

const CHANGES: [(&str, Change); 6] = [
    ("shorter and longer", |feed| Box::pin(replace(feed, 2, 6))),
    ("the same length", |feed| Box::pin(replace(feed, 3, 4))),
    ("emptied and filled", |feed| Box::pin(replace(feed, 0, 9))),
    ("shorter", |feed| Box::pin(async { assert!(feed.truncate(feed.io(), 2).await.unwrap()) })),
    ("cleared", |feed| Box::pin(async { assert_eq!(feed.clear(feed.io(), 1, 5, false).await.unwrap(), [(1, 5)]) })),
    ("longer", |feed| Box::pin(async { assert_eq!(feed.append(others(7, 5)).await.unwrap().len, 12) })),
];

async fn replace(feed: &Feed, len: u64, count: u64) {
    assert!(feed.truncate(feed.io(), len).await.unwrap());
    feed.append(others(len, count)).await.unwrap();
}

fn others(start: u64, count: u64) -> Vec<Bytes> {
    (start..start + count).map(|index| block(index + 100, 5 + index as usize)).collect()
}

/// Seven blocks in three batches.
fn written() -> Arc<Memory> {
    let memory = Arc::default();
    let feed = honest::log_with(&memory, (0..3).map(|index| block(index, 8)).collect());
    now(feed.append(vec![block(3, 11)])).unwrap().unwrap();
    now(feed.append((4..7).map(|index| block(index, 6)).collect())).unwrap().unwrap();
    memory
}

/// What a verb answers undisturbed, and every block of the log.
fn undisturbed(read: Read, changes: &[Change]) -> (String, Vec<String>) {
    let world = World::open(&written(), true);
    changes.iter().for_each(|change| world.run(change(world.feed())));
    (world.run(read(world.feed())), blocks(&world))
}

/// All blocks, last first: in order, none would be looked for.
fn blocks(world: &World) -> Vec<String> {
    let feed = world.feed();
    (0..feed.len()).rev().map(|index| told(world.run(Box::pin(feed.get(feed.io(), BlockIndex(index)))))).collect()
}

/// Holds a verb at each of its requests, and compares with what it answers undisturbed.
fn hold_everywhere(name: &str, read: Read, first: &[Change], change: Change) {
    let (before, _) = undisturbed(read, first);
    let (after, all) = undisturbed(read, &[first, &[change]].concat());
    for n in 0.. {
        let context = format!("{name}, held at request {n}");
        let world = World::open(&written(), true);
        let feed = world.feed();
        first.iter().for_each(|change| world.run(change(feed)));
        let Some(answer) = world.run_beside(read(feed), n, || world.run(change(feed))) else { break };
        // A proof that was planned before and is gone now has no answer.
        let is_none = name.starts_with("serve") && answer == "[]";
        assert!(answer == before || answer == after || is_none, "{context}: {answer}\n{before}\n{after}");
        assert_eq!(blocks(&world), all, "{context}");
        let audit = world.run(Box::pin(feed.audit_slice(feed.io(), 0, u64::MAX))).unwrap();
        assert_eq!((audit.corrupt, audit.next), (vec![], None), "{context}");
    }
}

#[test]
fn a_read_answers_of_before_or_after_and_leaves_nothing_behind() {
    for (read_name, read) in READS {
        for (change_name, change) in CHANGES {
            hold_everywhere(&format!("{read_name}, {change_name}"), read, &[], change);
        }
    }
}

/// A run of nodes that is read reaches beyond what is held, into what was there before the log
/// became shorter.
#[test]
fn what_is_left_of_a_longer_log_does_not_come_back() {
    let cut: Change = |feed| Box::pin(async { assert!(feed.truncate(feed.io(), 3).await.unwrap()) });
    let grow: Change = |feed| Box::pin(async { assert_eq!(feed.append(others(3, 5)).await.unwrap().len, 8) });
    for (name, read) in READS {
        hold_everywhere(name, read, &[cut], grow);
    }
}

#[test]
fn an_audit_beside_a_change_gives_up_no_good_block() {
    for (name, change) in CHANGES {
        for n in 0.. {
            let world = World::open(&written(), true);
            let feed = world.feed();
            let audit = Box::pin(feed.audit_slice(feed.io(), 0, u64::MAX));
            let Some(slice) = world.run_beside(audit, n, || world.run(change(feed))) else { break };
            let slice = slice.unwrap();
            let before = blocks(&world);
            // Even if it had been wrong.
            let all: Vec<u64> = (0..feed.len()).chain(slice.corrupt).collect();
            assert_eq!(world.run(Box::pin(feed.give_up(&all))).unwrap().lost, Vec::<u64>::new(), "{name} {n}");
            assert_eq!(blocks(&world), before, "{name} {n}");
        }
    }
}

#[test]
fn a_slice_ends_where_it_was_told_and_the_next_goes_on_there() {
    let world = World::open(&written(), true);
    let feed = world.feed();
    let (mut from, mut valid, mut slices) = (Some(0), 0, 0);
    while let Some(start) = from {
        let slice = world.run(Box::pin(feed.audit_slice(feed.io(), start, 2 * 1024))).unwrap();
        (from, valid, slices) = (slice.next, valid + slice.valid, slices + 1);
    }
    assert_eq!((valid, slices), (7, 4));
}

fn spoil(world: &World, file: File, offset: u64) {
    let data = vec![Bytes::from_static(b"rot")];
    now(world.memory.write_batch(vec![Write { file, offset, data }])).unwrap().unwrap();
}

/// A clone that has all seven blocks.
fn cloned() -> (Arc<Memory>, Feed) {
    let writer = honest::log_on(&written());
    let memory = Arc::default();
    let clone = World::open(&memory, false);
    for index in 0..7 {
        let digest = clone.feed().digest(BlockIndex(index));
        let item = honest::answer(&writer, BlockIndex(index), false, digest);
        clone.run(Box::pin(clone.feed().put(vec![item]))).unwrap();
    }
    (memory, writer)
}

fn get(world: &World, index: u64) -> Result<Option<Bytes>, FeedError> {
    let feed = world.feed();
    world.run(Box::pin(feed.get(feed.io(), BlockIndex(index))))
}

#[test]
fn reads_give_up_nothing_and_the_error_comes_every_time() {
    let (memory, writer) = cloned();
    let clone = World::open(&memory, false);
    let feed = clone.feed();
    assert_eq!(blocks(&clone).len(), 7);
    spoil(&clone, File::Data, 24);
    for _ in 0..3 {
        assert!(matches!(get(&clone, 3), Err(FeedError::BadBlock(BlockIndex(3)))));
        let batch = clone.run(Box::pin(feed.get_batch(feed.io(), 1, 6)));
        assert!(matches!(batch, Err(FeedError::BadBlock(BlockIndex(3)))));
        assert_eq!(feed.count(0, 7), 7);
    }
    // 2 is good, 3 is not.
    assert_eq!(clone.run(Box::pin(feed.repair(&[2, 3]))).unwrap().lost, [3]);
    assert_eq!((get(&clone, 3).unwrap(), feed.count(0, 7)), (None, 6));
    let item = honest::answer(&writer, BlockIndex(3), false, feed.digest(BlockIndex(3)));
    assert!(clone.run(Box::pin(feed.put(vec![item]))).unwrap().results[0].is_ok());
    // Somebody's read found it rotten before it was fetched again.
    assert_eq!(clone.run(Box::pin(feed.repair(&[3]))).unwrap().lost, Vec::<u64>::new());
    assert_eq!(get(&clone, 3).unwrap(), Some(block(3, 11)));
}

#[test]
fn a_rotten_leaf_in_a_batch_names_its_block_and_allocates_nothing() {
    for size in [[0, 0, 0, 0, 0, 0, 0, 12], [0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [0xff; 8]] {
        let (memory, _) = cloned();
        let clone = World::open(&memory, false);
        let feed = clone.feed();
        let offset = layout::node_offset(BlockIndex(2).leaf()) + 32;
        let data = vec![Bytes::copy_from_slice(&size)];
        now(clone.memory.write_batch(vec![Write { file: File::Tree, offset, data }])).unwrap().unwrap();
        let batch = clone.run(Box::pin(feed.get_batch(feed.io(), 0, 7)));
        assert!(matches!(batch, Err(FeedError::BadBlock(BlockIndex(2)))), "{batch:?}");
        assert_eq!(clone.run(Box::pin(feed.repair(&[1, 2]))).unwrap().lost, [2]);
        assert_eq!(get(&clone, 1).unwrap(), Some(block(1, 8)));
    }
}

#[test]
fn a_writer_keeps_what_is_damaged_until_an_audit() {
    let memory = written();
    let world = World::open(&memory, true);
    let feed = world.feed();
    spoil(&world, File::Data, 24);
    assert!(get(&world, 3).is_err());
    assert_eq!(world.run(Box::pin(feed.repair(&[3]))).unwrap().lost, Vec::<u64>::new());
    assert_eq!(feed.count(0, 7), 7);
    let slice = world.run(Box::pin(feed.audit_slice(feed.io(), 0, u64::MAX))).unwrap();
    assert_eq!((slice.valid, &slice.corrupt[..]), (6, &[3][..]));
    assert_eq!(world.run(Box::pin(feed.give_up(&slice.corrupt))).unwrap().lost, [3]);
    drop(world);
    assert_eq!(World::open(&memory, true).feed().count(0, 7), 6);
}

#[test]
fn roots_beyond_the_log_are_missing_as_in_9() {
    let world = World::open(&written(), true);
    let feed = world.feed();
    let error = world.run(Box::pin(feed.roots_of(feed.io(), 8))).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.code()), ("Missing tree roots needed for verify", Some("ENOROOTS")));
    let error = world.run(Box::pin(feed.seek(feed.io(), 1000))).unwrap_err();
    assert_eq!((error.to_string().as_str(), error.code()), ("Out of bounds", Some("ECANNOTSEEK")));
}

#[test]
fn whoever_must_not_wait_is_told_so_before_much_is_done() {
    let memory: Arc<Memory> = Arc::default();
    let feed = honest::log_with(&memory, vec![Bytes::from_static(b"x"); 40_000]);
    let hasty = || feed.io().cache_only();
    let is_refused = |result: Result<(), FeedError>| {
        let is_busy = result.is_err_and(|error| error.code() == Some("EAGAIN"));
        (is_busy, feed.len(), feed.count(0, u64::MAX)) == (true, 40_000, 40_000)
    };
    assert!(is_refused(now(feed.signature_after(&hasty(), 0)).unwrap().map(drop)));
    assert!(is_refused(now(feed.get_batch(&hasty(), 0, 40_000)).unwrap().map(drop)));
    assert!(is_refused(now(feed.audit_slice(&hasty(), 0, u64::MAX)).unwrap().map(drop)));
    let many = honest::log_with(&Arc::default(), vec![Bytes::new(); 9 * 8192]);
    let io = many.io().cache_only();
    assert!(now(many.clear(&io, 0, u64::MAX, false)).unwrap().is_err());
    assert!(now(many.truncate(&io, 0)).unwrap().is_err());
    assert_eq!(many.count(0, u64::MAX), 9 * 8192);
    // What is little is done, and with time all is.
    assert_eq!(now(feed.signature_after(&hasty(), 39_990)).unwrap().unwrap().0, 39_999);
    assert_eq!(now(feed.clear(&hasty(), 0, 100, false)).unwrap().unwrap(), [(0, 100)]);
    assert_eq!(now(feed.signature_after(feed.io(), 0)).unwrap().unwrap().0, 39_999);
    assert_eq!(now(feed.get_batch(feed.io(), 100, 40_000)).unwrap().unwrap().unwrap().sizes.len(), 39_900);
    assert!(now(many.truncate(many.io(), 0)).unwrap().unwrap());
}
