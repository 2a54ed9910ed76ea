//! Pace: how much is asked for at a time over one line, by what it carries.
//!
//! ```text
//! window    16 requests, 32, 64, ...          one more for each answer: twice as many every round trip
//!           the line is full                  a queue has formed: as many as leave one of 8 ms
//!           an eighth more, a quarter, ...    while there is none
//!           every 5 s half for one round      the queue is gone, and the least round trip is seen again
//! round     sent ------- its first answer     its least time, less the least of the last 10 s: the queue
//! ```
//! What was asked for while `ahead` were on their way, and took so long, says how much the line
//! carries (Little's law): so the first answers of a burst already tell that it was too large. What
//! only jitters is no queue, so a round counts with its shortest time, and no delay makes less of the
//! window than what the line was seen to carry. The window is in bytes: where blocks become larger,
//! fewer are asked for. All logs on a connection share its line; each of them may ask for one thing
//! at least, so that it hears of room, and what it asks for counts as much as its own blocks weigh.
//! Hashes tell nothing: before the first block 16 may be on their way. All of it is seen from this
//! side, so that it is the same with any remote and on any transport.
//!
//! Invariant: `inflight` is the sum of the requests of all logs whose answers are awaited. What was
//! taken back is not in it, though stock sends it all the same.
//! Source: the ideas of TCP's slow start, BBR (least round trip, probing) and LEDBAT (a queue that
//! is kept short from one side).

use std::sync::Arc;

use parking_lot::Mutex;

/// Requests that are made before anything is known of it; stock's fixed number.
const FIRST: u16 = 16;
/// Twice as many where answers are so small, in bytes, as soon as that is known.
const SMALL: u64 = 1024;
/// And at most.
const MAX_REQUESTS: usize = 2_048;
/// The same where the least round trip is under FAR milliseconds: more fill no line, but push each
/// other out of the processor's caches (15 % slower within one process).
const MAX_NEAR: usize = 512;
const FAR: u64 = 20;
/// Answers on their way at most, in bytes: 100 MB/s at 160 ms.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Requests of a line that is full, at least: while one is answered the next is on its way.
const LEAST: u64 = 2;
/// The queue that is left on the line so that it is never idle, in milliseconds.
const QUEUE: u64 = 8;
/// So many answers in a row are late where a queue has formed; fewer may have met a gust.
const SURE: u32 = 8;
/// In so many rounds a quarter more is tried once, whatever the delay: where that varies, it tells
/// little.
const PROBE: u32 = 8;
/// For so long the least round trip is believed, and as long again, in milliseconds.
const EPOCH: u64 = 5_000;
/// An answer without its block and nodes, in bytes.
const FRAME: u64 = 64;

/// What the logs on one connection share: see the file's head.
#[derive(Clone, Debug, Default)]
pub struct Line(Arc<Mutex<Pace>>);

#[derive(Debug)]
struct Pace {
    /// Answers that may be on their way, in bytes; None until the first has come.
    window: Option<u64>,
    inflight: Load,
    /// The number of the next request.
    next: u64,
    /// What an answer weighs, in bytes: the average of the last ones.
    weight: u64,
    least: Least,
    round: Round,
    /// No queue was seen yet.
    is_starting: bool,
    /// Answers in a row that were late, while it was starting, and the rate at the first of them.
    delayed: u32,
    delayed_rate: u64,
    rounds: u32,
    most: Most,
    /// Rounds in a row in which more was on its way, in bytes, and no queue came of it.
    calm: u32,
    ahead: u64,
    /// Half the window, so that the queue drains.
    is_draining: bool,
}

/// The least round trip of this epoch and of the one before, in milliseconds.
#[derive(Debug, Default)]
struct Least {
    now: Option<u64>,
    before: Option<u64>,
    ends: u64,
    /// What answers weighed then.
    weight: u64,
}

/// The highest rate of this epoch and of the one before, in bytes a second.
#[derive(Debug, Default)]
struct Most {
    now: u64,
    before: u64,
}

impl Most {
    fn note(&mut self, rate: u64) {
        self.now = self.now.max(rate);
    }

    fn of_both(&self) -> u64 {
        self.now.max(self.before)
    }

    fn end_epoch(&mut self) {
        *self = Self { now: 0, before: self.now };
    }
}

/// What is seen between two looks at the queue.
#[derive(Debug, Default)]
struct Round {
    /// It ends with an answer to this request, or to a later one.
    ends_with: u64,
    best: Option<Sample>,
    /// As many were asked for as the window allows; and in the round before.
    is_full: bool,
    was_full: bool,
}

/// Requests that are on their way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Load {
    count: usize,
    /// What the answers weigh, in bytes, of logs that have had some.
    known: u64,
    /// How many are of others, and count as what is usual on the line.
    unknown: u64,
}

impl Load {
    fn add(&mut self, weight: Option<u64>) {
        self.count += 1;
        self.known += weight.unwrap_or(0);
        self.unknown += u64::from(weight.is_none());
    }

    fn remove(&mut self, weight: Option<u64>) {
        self.count = self.count.saturating_sub(1);
        self.known = self.known.saturating_sub(weight.unwrap_or(0));
        self.unknown = self.unknown.saturating_sub(u64::from(weight.is_none()));
    }

    fn bytes(&self, usual: u64) -> u64 {
        self.known.saturating_add(self.unknown.saturating_mul(usual))
    }
}

/// A request that is on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    number: u64,
    weight: Option<u64>,
    /// What was on its way then, with it.
    ahead: Load,
}

/// An answer.
#[derive(Clone, Copy, Debug)]
struct Sample {
    sent: Sent,
    /// In milliseconds.
    took: u64,
}

impl Line {
    /// True if a request may be sent whose answer weighs so many bytes, as far as is known.
    pub(super) fn has_room(&self, weight: Option<u64>) -> bool {
        self.0.lock().has_room(weight)
    }

    /// It is sent.
    pub(super) fn send(&self, weight: Option<u64>) -> Sent {
        self.0.lock().send(weight)
    }

    /// It was answered, after `took` milliseconds, with a block that has so many bytes with its
    /// nodes; None if it was a hash.
    pub(super) fn answered(&self, now: u64, sent: Sent, took: u64, bytes: Option<usize>) {
        self.0.lock().answered(now, Sample { sent, took }, bytes);
    }

    /// It will not be answered, or nobody listens.
    pub(super) fn give_up(&self, sent: Sent) {
        self.0.lock().inflight.remove(sent.weight);
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            window: None,
            inflight: Load::default(),
            next: 0,
            weight: FRAME,
            least: Least::default(),
            round: Round::default(),
            is_starting: true,
            delayed: 0,
            delayed_rate: 0,
            rounds: 0,
            most: Most::default(),
            calm: 0,
            ahead: 0,
            is_draining: false,
        }
    }
}

impl Pace {
    fn has_room(&self, weight: Option<u64>) -> bool {
        let Load { count, .. } = self.inflight;
        let Some(window) = self.window else { return count < usize::from(FIRST) };
        let share = if self.is_draining { 2 } else { 1 };
        // What fits by half of it fits: an average is never exact.
        let load = self.inflight.bytes(self.weight).saturating_add(weight.unwrap_or(self.weight) / 2);
        count == 0 || count < self.max_requests() && load <= window / share
    }

    fn max_requests(&self) -> usize {
        if self.least.of_both(0) < FAR { MAX_NEAR } else { MAX_REQUESTS }
    }

    fn send(&mut self, weight: Option<u64>) -> Sent {
        self.inflight.add(weight);
        self.next += 1;
        self.round.is_full |= !self.has_room(weight);
        Sent { number: self.next - 1, weight, ahead: self.inflight }
    }

    fn answered(&mut self, now: u64, sample: Sample, bytes: Option<usize>) {
        self.inflight.remove(sample.sent.weight);
        let is_over = bytes.is_some_and(|bytes| self.learn(now, sample, bytes));
        if sample.sent.number >= self.round.ends_with {
            self.end_round();
        }
        if is_over {
            self.most.end_epoch();
            self.is_draining = true;
            self.begin_round();
        }
    }

    /// A block tells something of the line. True if the least round trip has to be seen again.
    fn learn(&mut self, now: u64, sample: Sample, bytes: usize) -> bool {
        let weight = FRAME.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        // A small answer is here sooner than a large one, and says nothing of how soon those can be.
        if weight < self.weight / 2 {
            self.weigh(weight, 64);
            return false;
        }
        self.weigh(weight, 8);
        let is_over = self.least.note(now, sample.took, self.weight);
        if self.round.best.is_none_or(|best| sample.took <= best.took) {
            self.round.best = Some(sample);
        }
        if self.is_starting {
            self.start(sample);
        }
        is_over
    }

    /// One more for each answer, until a queue has formed: answers are late, one after the other, and
    /// though ever more was on its way, hardly more has come in the same time.
    fn start(&mut self, sample: Sample) {
        if sample.took <= self.least.of_both(sample.took) + 3 * QUEUE {
            self.delayed = 0;
        } else {
            self.delayed += 1;
        }
        let rate = self.rate(sample);
        match self.delayed {
            1 => self.delayed_rate = rate,
            SURE if rate < self.delayed_rate / 4 * 5 => return self.narrow(sample),
            SURE => self.delayed = 0,
            _ => {}
        }
        if self.round.is_full || self.round.was_full {
            self.widen(self.weight);
        }
    }

    /// Bytes a second while this one was awaited: all that was on its way before it has come.
    fn rate(&self, Sample { sent, took }: Sample) -> u64 {
        sent.ahead.bytes(self.weight).saturating_mul(1_000) / took.max(1)
    }

    /// Takes an answer into the average, as one part of so many.
    fn weigh(&mut self, weight: u64, parts: u64) {
        if self.window.is_some() {
            self.weight = (self.weight * (parts - 1) + weight) / parts;
        } else {
            let first = u64::from(FIRST) * if weight <= SMALL { 2 } else { 1 };
            self.weight = weight;
            self.window = Some(weight.saturating_mul(first));
        }
    }

    fn widen(&mut self, bytes: u64) {
        self.window = self.window.map(|window| window.saturating_add(bytes).min(MAX_BYTES.max(LEAST * self.weight)));
    }

    /// To what leaves a short queue; not below what fills a line that carries as much as it has lately
    /// been seen to.
    fn narrow(&mut self, sample: Sample) {
        (self.is_starting, self.calm) = (false, 0);
        let line = self.least.of_both(sample.took);
        let rate = self.rate(sample);
        self.most.note(rate);
        let fits = rate.saturating_mul(line + QUEUE) / 1_000;
        let fills = self.most.of_both().saturating_mul(line) / 1_000;
        self.window = self.window.map(|window| window.min(fits.max(fills)).max(LEAST * self.weight));
    }

    fn end_round(&mut self) {
        if let Some(best) = self.round.best.filter(|_| !self.is_draining) {
            let line = self.least.of_both(best.took);
            let is_full = self.round.is_full || self.round.was_full;
            self.most.note(self.rate(best));
            self.rounds = self.rounds.wrapping_add(1);
            if best.took > line + QUEUE {
                self.narrow(best);
            } else if !self.is_starting && is_full {
                self.probe(best.took.saturating_sub(line), best.sent.ahead.bytes(self.weight));
            }
            if !self.is_starting && is_full && self.rounds.is_multiple_of(PROBE) {
                self.widen(self.window.unwrap_or(0) / 4);
            }
        }
        self.is_draining = false;
        self.begin_round();
    }

    /// An eighth more where there is hardly a queue. Where none comes though more was on its way than
    /// the round before, a quarter, a half, twice as many: the line has become wider, or was taken
    /// for full too early.
    fn probe(&mut self, queue: u64, ahead: u64) {
        let has_grown = ahead > self.ahead + self.ahead / 16;
        self.calm = if has_grown && queue <= QUEUE / 4 { self.calm + 1 } else { 0 };
        self.ahead = ahead;
        if queue <= QUEUE / 2 {
            let share = self.window.unwrap_or(0) >> 3u32.saturating_sub(self.calm);
            self.widen(share + self.weight);
        }
    }

    fn begin_round(&mut self) {
        self.round = Round { ends_with: self.next, best: None, is_full: false, was_full: self.round.is_full };
    }
}

impl Least {
    /// A round trip was seen, of an answer of about this weight. True if an epoch is over.
    fn note(&mut self, now: u64, took: u64, weight: u64) -> bool {
        if weight / 2 > self.weight {
            *self = Self { weight, ..Self::default() };
        }
        let is_over = now >= self.ends && self.now.is_some();
        if is_over {
            (self.before, self.weight) = (self.now.take(), weight);
        }
        if is_over || self.now.is_none() {
            self.ends = now.saturating_add(EPOCH);
        }
        self.now = Some(self.now.map_or(took, |least| least.min(took)));
        is_over
    }

    fn of_both(&self, took: u64) -> u64 {
        [self.now, self.before].into_iter().flatten().min().unwrap_or(took)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::VecDeque;

    /// Milliseconds one way.
    const DELAY: u64 = 20;
    /// Of a block on the line.
    const BLOCK: u64 = 16;

    /// The longest round trip, once the line is known, where so many logs ask for all that they may.
    fn longest_round_trip(logs: usize) -> u64 {
        let line = Line::default();
        let mut inflight = vec![0; logs];
        let (mut sent, mut free, mut longest) = (VecDeque::new(), 0, 0);
        for now in 0..20_000 {
            while let Some((log, at, due, ticket)) = sent.pop_front_if(|(_, _, due, _)| *due <= now) {
                let took = due - at;
                line.answered(now, ticket, took, Some(16 * 1024));
                inflight[log] -= 1;
                longest = if now < 5_000 { 0 } else { took.max(longest) };
            }
            for (log, own) in inflight.iter_mut().enumerate() {
                while *own == 0 || line.has_room(None) {
                    free = (now + DELAY).max(free) + BLOCK;
                    sent.push_back((log, now, free + DELAY, line.send(None)));
                    *own += 1;
                }
            }
        }
        longest
    }

    #[test]
    fn logs_share_a_line_and_the_queue_on_it_stays_short() {
        // Four blocks before one, at most.
        assert!(longest_round_trip(1) <= 2 * DELAY + 5 * BLOCK, "{} ms", longest_round_trip(1));
        // One request of each, and as few.
        assert!(longest_round_trip(20) <= 2 * DELAY + 26 * BLOCK, "{} ms", longest_round_trip(20));
    }

    #[test]
    fn who_asks_no_more_gives_its_place_to_others() {
        let line = Line::default();
        let sent: Vec<Sent> = std::iter::from_fn(|| line.has_room(None).then(|| line.send(None))).collect();
        assert_eq!(sent.len(), usize::from(FIRST));
        let (first, others) = sent.split_first().unwrap();
        others.iter().for_each(|sent| line.give_up(*sent));
        assert!(line.has_room(None));
        line.answered(0, *first, 1, None);
        assert_eq!(line.0.lock().inflight, Load::default());
    }
}
