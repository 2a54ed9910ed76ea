//! Lines: downloads over lines that are long, narrow, or end at somebody who does not answer, in
//! virtual time.
//!
//! ```text
//! writer -- way: a buffer, so many bytes a millisecond, so many milliseconds --> reader
//!        <-------------------------------- way ---------------------------------
//! ```
//! The bounds are those of the line: how soon the window follows it, how long a block that somebody
//! waits for stands behind others, how much of the line is used, how many bytes come twice.

#![allow(clippy::indexing_slicing, clippy::unwrap_used, clippy::as_conversions)]

mod common;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use common::block;
use common::dice::Dice;
use common::host::Host;
use hypercore::engine::{OpId, Verb};
use hypercore::replicate::{PeerId, Range};

/// What a sender's system takes off its hands before it makes it wait, in bytes.
const BUFFER: usize = 128 * 1024;
/// A line that carries everything at once.
const WIDE: usize = usize::MAX;

/// One direction of a line.
struct Way {
    /// Bytes a millisecond.
    rate: usize,
    delay: u64,
    /// And up to so many milliseconds more, at random.
    gusts: u64,
    dice: Dice,
    buffer: VecDeque<Bytes>,
    flying: VecDeque<(u64, Bytes)>,
    carried: usize,
    is_dead: bool,
}

impl Way {
    fn new(rate: usize, delay: u64) -> Self {
        Self {
            rate,
            delay,
            gusts: 0,
            dice: Dice::new(7),
            buffer: VecDeque::new(),
            flying: VecDeque::new(),
            carried: 0,
            is_dead: false,
        }
    }

    /// A millisecond: bytes leave the sender, and reach the other side.
    fn carry(&mut self, now: u64, from: (&mut Host, u64), to: (&mut Host, u64)) {
        let mut waiting: usize = self.buffer.iter().map(Bytes::len).sum();
        while waiting < BUFFER
            && let Some(chunk) = from.0.read(from.1)
        {
            waiting += chunk.len();
            self.buffer.push_back(chunk);
        }
        let mut left = self.rate;
        while let Some(chunk) = self.buffer.front_mut().filter(|_| left > 0) {
            let piece = chunk.split_to(chunk.len().min(left));
            left -= piece.len();
            self.carried += piece.len();
            if chunk.is_empty() {
                self.buffer.pop_front();
            }
            let due = now + self.delay + self.dice.below(self.gusts);
            let last = self.flying.back().map_or(0, |(due, _)| *due);
            self.flying.push_back((due.max(last), piece));
        }
        while self.flying.front().is_some_and(|(due, _)| *due <= now) && !to.0.held.contains(&to.1) {
            let (_, piece) = self.flying.pop_front().unwrap();
            if !self.is_dead {
                to.0.write(to.1, &piece);
            }
        }
    }
}

/// A connection to one writer.
struct Line {
    writer: Host,
    at_writer: u64,
    at_reader: u64,
    down: Way,
    up: Way,
}

impl Line {
    /// How many blocks came from here.
    fn sent(&self) -> u64 {
        self.writer.feed.totals()[2]
    }
}

/// A reader, and all who have what it wants.
struct World {
    micros: Arc<AtomicU64>,
    dice: Dice,
    reader: Host,
    lines: Vec<Line>,
    blocks: u64,
    size: usize,
}

impl World {
    fn new(blocks: u64, size: usize) -> Self {
        let micros = Arc::new(AtomicU64::new(0));
        let reader = Host::open(&Arc::default(), &micros, false, true);
        Self { micros, dice: Dice::new(1), reader, lines: Vec::new(), blocks, size }
    }

    /// Another one who has all blocks, on a line of so many bytes and milliseconds a way.
    fn connect(&mut self, rate: usize, delay: u64) {
        let mut writer = Host::open(&Arc::default(), &self.micros, true, true);
        for start in (0..self.blocks).step_by(8) {
            let end = self.blocks.min(start + 8);
            writer.verb(Verb::Append((start..end).map(|index| block(index, self.size)).collect()));
        }
        let at_writer = writer.connect(true, false, None, &mut self.dice);
        let at_reader = self.reader.connect(false, false, None, &mut self.dice);
        let (down, up) = (Way::new(rate, delay), Way::new(rate, delay));
        self.lines.push(Line { writer, at_writer, at_reader, down, up });
    }

    fn now(&self) -> u64 {
        self.micros.load(Ordering::Relaxed) / 1_000
    }

    /// One millisecond.
    fn step(&mut self) {
        self.micros.fetch_add(1_000, Ordering::Relaxed);
        let now = self.now();
        for Line { writer, at_writer, at_reader, down, up } in &mut self.lines {
            up.carry(now, (&mut self.reader, *at_reader), (writer, *at_writer));
            down.carry(now, (writer, *at_writer), (&mut self.reader, *at_reader));
            writer.tick();
        }
        self.reader.tick();
        self.reader.seen.clear();
    }

    /// Lets time pass until something is so; gives how many milliseconds that took.
    fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) -> u64 {
        let start = self.now();
        while !is_so(self) {
            assert!(self.now() < start + 120_000, "never: {what}");
            self.step();
        }
        self.now() - start
    }

    fn pass(&mut self, millis: u64) {
        (0..millis).for_each(|_| self.step());
    }

    /// Until all lines have told what there is.
    fn hear(&mut self) {
        let is_heard = |world: &Self, line: &Line| {
            let peer = world.reader.feed.peer_info(PeerId(line.at_reader));
            peer.is_some_and(|peer| peer.remote_len == world.blocks)
        };
        self.until("the lengths are told", |world| world.lines.iter().all(|line| is_heard(world, line)));
    }

    fn download(&mut self, linear: bool) -> OpId {
        let range = Range::Span { start: 0, end: Some(self.blocks), linear, hash: false };
        self.reader.verb(Verb::Download(range))
    }

    fn finish(&mut self, op: OpId) -> u64 {
        self.until("the download is over", |world| world.reader.done.contains_key(&op))
    }

    /// How long a get takes.
    fn get(&mut self, index: u64) -> u64 {
        let op = self.reader.get(index, true);
        self.until("the block is here", |world| world.reader.done.contains_key(&op))
    }
}

#[test]
fn the_window_doubles_every_round_trip_until_the_line_is_full() {
    // 75 ms one way: 3,000 small blocks, 1,300 of 16 KiB a second are less than the line carries.
    for (blocks, size, most) in [(5_000, 16, 1_670), (2_000, 16 * 1024, 1_540)] {
        let mut world = World::new(blocks, size);
        world.connect(WIDE, 75);
        world.hear();
        let download = world.download(false);
        let took = world.finish(download);
        assert!(took <= most, "{blocks} blocks of {size} bytes took {took} ms");
    }
}

#[test]
fn a_line_whose_delay_varies_is_filled_all_the_same() {
    let mut world = World::new(5_000, 16);
    world.connect(WIDE, 75);
    let Line { down, up, .. } = &mut world.lines[0];
    (down.gusts, up.gusts) = (40, 40);
    world.hear();
    let download = world.download(false);
    let took = world.finish(download);
    assert!(took <= 3_000, "it took {took} ms");
}

#[test]
fn a_block_that_somebody_waits_for_does_not_stand_behind_a_download_that_uses_all_of_the_line() {
    for (size, rate, most) in
        [(16 << 10, 1_000, 150), (64 << 10, 1_000, 350), (16 << 10, 4_000, 60), (1 << 10, 1_000, 100)]
    {
        let blocks = (20 * 1_000 * rate / size) as u64;
        let mut world = World::new(blocks, size);
        world.connect(rate, 20);
        world.hear();
        world.download(true);
        world.pass(2_000);
        let (start, before) = (world.now(), world.lines[0].down.carried);
        let mut times: Vec<u64> = Vec::new();
        for place in 0..40 {
            times.push(world.get(blocks - 1 - 3 * place));
            world.pass(200);
        }
        times.sort_unstable();
        let carried = world.lines[0].down.carried - before;
        let used = carried * 100 / (rate * (world.now() - start) as usize);
        assert!(times[20] <= most && times[38] <= 2 * most, "blocks of {size}, {rate} a ms: {times:?}");
        assert!(used >= 95, "blocks of {size}, {rate} a ms: {used} % of the line were used");
    }
}

#[test]
fn who_does_not_answer_holds_up_nobody_and_costs_few_bytes() {
    for deaf in [1, 3] {
        let mut world = World::new(500, 1024);
        (0..=deaf).for_each(|_| world.connect(WIDE, 5));
        world.hear();
        world.lines[..deaf].iter_mut().for_each(|line| line.down.is_dead = true);
        let download = world.download(false);
        let took = world.finish(download);
        assert!(took <= 300, "beside {deaf} it took {took} ms");
        assert!(world.lines[deaf].sent() <= 500 + 10, "{} blocks were sent", world.lines[deaf].sent());
    }
}

#[test]
fn two_that_answer_are_not_asked_for_the_same() {
    let (blocks, size) = (2_000, 4096);
    let mut world = World::new(blocks, size);
    world.connect(1_000, 10);
    world.connect(4_000, 40);
    world.hear();
    let download = world.download(false);
    let took = world.finish(download);
    let sent: u64 = world.lines.iter().map(Line::sent).sum();
    assert!(sent <= blocks + blocks / 50, "{sent} blocks were sent");
    let needed = blocks as usize * size;
    assert!(took <= (needed / 5_000 * 5 / 4) as u64, "both lines together need {} ms: {took} ms", needed / 5_000);
}
