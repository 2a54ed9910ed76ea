//! Histories: what happens to a feed before, and while, its storage fails.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use hypercore::feed::{self, Feed, FeedError, Put};
use hypercore::log::tree;
use hypercore::math::flat::BlockIndex;
use hypercore::store::Io;
use hypercore::store::io::now;
use hypercore::store::memory::Memory;

use super::common::dice::Dice;
use super::common::honest;
use super::common::stores::Store;
use super::common::{block, open_options};

/// One call.
#[derive(Clone, Debug)]
pub enum Verb {
    Append(Vec<Bytes>),
    Put(Vec<Put>),
    Clear(u64, u64),
    Truncate(u64),
    Nothing,
}

impl Verb {
    pub fn apply(&self, feed: &Feed) -> Result<(), FeedError> {
        match self.clone() {
            Self::Append(blocks) => now(feed.append(blocks)).unwrap().map(drop),
            Self::Put(items) => now(feed.put(items)).unwrap().map(|report| {
                assert!(report.results.iter().all(Result::is_ok), "{:?}", report.results);
            }),
            Self::Clear(start, end) => now(feed.clear(feed.io(), start, end, false)).unwrap().map(drop),
            Self::Truncate(len) => now(feed.truncate(feed.io(), len)).unwrap().map(drop),
            Self::Nothing => Ok(()),
        }
    }

    /// How long the log may be, at least, while this is under way.
    pub fn shortest(&self, len: u64) -> u64 {
        if let Self::Truncate(shorter) = self { len.min(*shorter) } else { len }
    }

    /// The blocks that it gives up.
    pub fn clears(&self) -> std::ops::Range<u64> {
        match self {
            Self::Clear(start, end) => *start..*end,
            Self::Truncate(len) => *len..u64::MAX,
            _ => 0..0,
        }
    }
}

/// What can be seen of a feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    pub len: u64,
    pub byte_len: u64,
    pub held: BTreeSet<u64>,
}

impl Model {
    pub fn of(feed: &Feed) -> Self {
        let held = (0..feed.len() + 64).filter(|index| feed.has(BlockIndex(*index))).collect();
        Self { len: feed.len(), byte_len: feed.byte_len(), held }
    }
}

/// Where a verb ended.
pub struct Mark {
    /// Changes of files until then.
    pub steps: usize,
}

/// A history played on a fresh memory.
pub struct Run {
    pub memory: Arc<Memory>,
    pub store: Arc<Store>,
    pub feed: Feed,
    /// After the open, and after each verb.
    pub marks: Vec<Mark>,
}

pub struct History {
    pub name: String,
    pub writes: bool,
    pub verbs: Vec<Verb>,
    /// All blocks, by their places.
    pub truth: Vec<Bytes>,
}

impl History {
    /// The first verbs on a fresh memory.
    pub fn play(&self, verbs: usize) -> Run {
        let memory = Arc::default();
        let store = Store::new(&memory);
        let feed = open_on(&store, self.writes).unwrap();
        let mut marks = vec![Mark { steps: store.steps().len() }];
        for verb in &self.verbs[..verbs] {
            verb.apply(&feed).unwrap();
            marks.push(Mark { steps: store.steps().len() });
        }
        Run { memory, store, feed, marks }
    }

    /// What the first verbs make of a feed.
    pub fn model_after(&self, verbs: usize) -> Model {
        Model::of(&self.play(verbs).feed)
    }
}

/// Opens the test's feed.
pub fn open_on(store: &Arc<Store>, writes: bool) -> Result<Feed, FeedError> {
    now(feed::open(Io::native(store.clone()), open_options(writes), |_| ())).unwrap()
}

/// Appends of one, of many, of none, of empty blocks; clears in between.
pub fn writer_histories() -> Vec<History> {
    let sizes: [&[&[usize]]; 4] = [
        &[&[5], &[7], &[1]],
        &[&[3, 0, 9, 2, 1], &[0], &[], &[4, 4]],
        &[&[0], &[0, 0], &[6]],
        &[&[1; 21], &[2], &[3; 9]],
    ];
    let clears = [None, Some((1, 3)), Some((0, 2)), Some((4, 20))];
    let plain = sizes.iter().zip(clears).enumerate();
    let plain = plain.map(|(at, (batches, clear))| writer_history(at, batches, clear));
    plain.chain([truncated_history()]).collect()
}

/// A log that becomes shorter, and then as long as before with the same blocks.
fn truncated_history() -> History {
    let mut history = writer_history(4, &[&[4, 5, 6, 7, 8]], None);
    let again = history.truth[2..4].to_vec();
    history.verbs.extend([Verb::Truncate(2), Verb::Append(again), Verb::Truncate(0)]);
    history
}

fn writer_history(number: usize, batches: &[&[usize]], clear: Option<(u64, u64)>) -> History {
    let (mut truth, mut verbs) = (Vec::new(), Vec::new());
    for (at, batch) in batches.iter().enumerate() {
        let blocks: Vec<Bytes> = (truth.len() as u64..).zip(*batch).map(|(index, size)| block(index, *size)).collect();
        truth.extend(blocks.clone());
        verbs.push(Verb::Append(blocks));
        verbs.extend(clear.filter(|_| at == 1).map(|(start, end)| Verb::Clear(start, end)));
    }
    History { name: format!("writer {number}"), writes: true, verbs, truth }
}

/// A clone that gets blocks and bare proofs in any order, from a writer that grows meanwhile.
pub fn clone_history(seed: u64) -> History {
    let mut dice = Dice::new(seed);
    let writer = open_on(&Store::new(&Arc::default()), true).unwrap();
    let clone = open_on(&Store::new(&Arc::default()), false).unwrap();
    let (mut truth, mut verbs) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        let start = truth.len() as u64;
        let blocks: Vec<Bytes> = (start..).take(dice.size(8)).map(|index| block(index, dice.place(6))).collect();
        truth.extend(blocks.clone());
        Verb::Append(blocks).apply(&writer).unwrap();
        let verb = match dice.below(5) {
            0 => Verb::Clear(dice.below(start), start),
            _ => Verb::Put((0..dice.size(4)).filter_map(|_| answer(&writer, &clone, &mut dice)).collect()),
        };
        verb.apply(&clone).unwrap();
        verbs.push(verb);
    }
    History { name: format!("clone {seed}"), writes: false, verbs, truth }
}

/// What the writer answers when the clone, as it is now, asks for some block.
fn answer(writer: &Feed, clone: &Feed, dice: &mut Dice) -> Option<Put> {
    let (index, hash) = (BlockIndex(dice.below(writer.len())), dice.once_in(3));
    (!clone.has(index)).then(|| ask(writer, clone, index, hash))
}

fn ask(writer: &Feed, clone: &Feed, block: BlockIndex, hash: bool) -> Put {
    let digest = clone.with_local(|bitfield, _| tree::digest(bitfield, block));
    honest::answer(writer, block, hash, digest)
}

/// A fresh clone takes all that the writer holds.
pub fn replicate(writer: &Feed, context: &str) {
    let clone = open_on(&Store::new(&Arc::default()), false).unwrap();
    for index in (0..writer.len()).rev().map(BlockIndex).filter(|index| writer.has(*index)) {
        let report = now(clone.put(vec![ask(writer, &clone, index, false)])).unwrap().unwrap();
        assert!(matches!(report.results[..], [Ok(())]), "{context}: {:?}", report.results);
        let read = |feed: &Feed| now(feed.get(feed.io(), index)).unwrap().unwrap();
        assert_eq!(read(&clone), read(writer), "{context}");
    }
}
