//! Pace: how much one peer is asked for at a time, by what its line carries.
//!
//! ```text
//! window    16 requests, 32, 64, ...          one more for each answer: twice as many every round trip
//!           the line is full                  a queue has formed: as many as leave one of 10 ms
//!           every 5 s half for one round      the queue is gone, and the least round trip is seen again
//! round     sent ------- its first answer     its least time, less the least of the last 10 s: the queue
//! ```
//! What was asked for while `ahead` were on their way, and took so long, says how much the line
//! carries (Little's law): so the first answers of a burst already tell that it was too large. What
//! only jitters is no queue, so a round counts with its shortest time. The window is in bytes: where
//! blocks become larger, fewer are asked for. All of it is seen from this side, so that it is the
//! same with any remote and on any transport.
//!
//! Invariant: at least one request may be on its way, and at most [`MAX_REQUESTS`].
//! Source: the ideas of TCP's slow start, BBR (least round trip, probing) and LEDBAT (a queue that
//! is kept short from one side).

/// Requests that a peer is given before anything is known of it; stock's fixed number.
const FIRST: u16 = 16;
/// Of small answers as many as make up so many bytes, as soon as their size is known: on a line of
/// 1 MB/s a queue of 32 ms.
const FIRST_BYTES: u64 = 32 * 1024;
/// And at most.
const MAX_REQUESTS: usize = 2_048;
/// Answers on their way at most, in bytes: 100 MB/s at 160 ms.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Requests of a line that is full, at least: while one is answered the next is on its way.
const LEAST: u64 = 2;
/// The queue that is left on the line so that it is never idle, in milliseconds.
const QUEUE: u64 = 10;
/// For so long the least round trip is believed, and as long again, in milliseconds.
const EPOCH: u64 = 5_000;
/// An answer without its block and nodes, in bytes.
const FRAME: u64 = 64;

/// See the file's head.
pub(super) struct Pace {
    /// Answers that may be on their way, in bytes; None until the first has come.
    window: Option<u64>,
    /// A number of requests that is not to change.
    fixed: Option<usize>,
    /// What an answer weighs, in bytes: the average of the last ones.
    weight: u64,
    least: Least,
    round: Round,
    /// No queue was seen yet.
    is_starting: bool,
    /// Half the window, so that the queue drains.
    is_draining: bool,
}

/// The least round trip of this epoch and of the one before, in milliseconds.
#[derive(Default)]
struct Least {
    now: Option<u64>,
    before: Option<u64>,
    ends: u64,
    /// What answers weighed then.
    weight: u64,
}

/// What is seen between two looks at the queue.
#[derive(Default)]
struct Round {
    /// It ends with an answer to this request, or to a later one.
    ends_with: u64,
    best: Option<Sample>,
    /// As many were asked for as the window allows; and in the round before.
    is_full: bool,
    was_full: bool,
}

/// An answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    /// The number of its request.
    pub number: u64,
    /// How many requests were on their way when it was sent, with it.
    pub ahead: usize,
    /// In milliseconds.
    pub took: u64,
    /// Of the block and its nodes.
    pub bytes: usize,
}

impl Pace {
    /// At most `fixed` requests, or as many as the line carries.
    pub fn new(fixed: Option<usize>) -> Self {
        Self {
            window: None,
            fixed,
            weight: FRAME,
            least: Least::default(),
            round: Round::default(),
            is_starting: true,
            is_draining: false,
        }
    }

    /// How many requests may be on their way.
    pub fn requests(&self) -> usize {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        let Some(window) = self.window else { return usize::from(FIRST) };
        let share = if self.is_draining { 2 } else { 1 };
        let requests = (window / share + self.weight / 2) / self.weight;
        usize::try_from(requests).unwrap_or(MAX_REQUESTS).clamp(1, MAX_REQUESTS)
    }

    /// A request was sent, the last of `inflight`.
    pub fn sent(&mut self, inflight: usize) {
        self.round.is_full |= inflight >= self.requests();
    }

    /// A request was answered; `next` is the number of the next one.
    pub fn answered(&mut self, now: u64, sample: Sample, next: u64) {
        let weight = FRAME.saturating_add(u64::try_from(sample.bytes).unwrap_or(u64::MAX));
        self.weigh(weight);
        // A small answer is here sooner than a large one, and says nothing of how soon those can be.
        let is_typical = weight >= self.weight / 2;
        let is_over = is_typical && self.least.note(now, sample.took, self.weight);
        if is_typical && self.round.best.is_none_or(|best| sample.took <= best.took) {
            self.round.best = Some(sample);
        }
        if self.is_starting && is_typical {
            self.start(sample);
        }
        if sample.number >= self.round.ends_with {
            self.end_round(next);
        }
        if is_over {
            self.is_draining = true;
            self.begin_round(next);
        }
    }

    /// One more for each answer, until a queue begins to form.
    fn start(&mut self, sample: Sample) {
        if sample.took > self.least.of_both(sample.took) + 3 * QUEUE {
            self.narrow(sample);
        } else if self.round.is_full || self.round.was_full {
            self.widen(self.weight);
        }
    }

    /// Nothing was answered for long: nothing that was known of the line counts any more.
    pub fn begin_again(&mut self) {
        self.window = self.window.map(|_| LEAST * self.weight);
        self.is_starting = true;
    }

    fn weigh(&mut self, weight: u64) {
        if self.window.is_some() {
            self.weight = (self.weight * 7 + weight) / 8;
        } else {
            self.weight = weight;
            self.window = Some(weight.saturating_mul(u64::from(FIRST)).max(FIRST_BYTES));
        }
    }

    fn widen(&mut self, bytes: u64) {
        self.window = self.window.map(|window| window.saturating_add(bytes).min(MAX_BYTES.max(LEAST * self.weight)));
    }

    /// To what leaves a short queue.
    fn narrow(&mut self, Sample { ahead, took, .. }: Sample) {
        self.is_starting = false;
        let line = self.least.of_both(took);
        let ahead = self.weight.saturating_mul(u64::try_from(ahead).unwrap_or(u64::MAX));
        let fits = ahead.saturating_mul(line + QUEUE) / took.max(1);
        self.window = self.window.map(|window| window.min(fits).max(LEAST * self.weight));
    }

    fn end_round(&mut self, next: u64) {
        if let Some(best) = self.round.best.filter(|_| !self.is_draining) {
            let line = self.least.of_both(best.took);
            let is_full = self.round.is_full || self.round.was_full;
            if best.took > line + QUEUE {
                self.narrow(best);
            } else if !self.is_starting && is_full && best.took <= line + QUEUE / 2 {
                self.widen(self.window.unwrap_or(0) / 8 + self.weight);
            }
        }
        self.is_draining = false;
        self.begin_round(next);
    }

    fn begin_round(&mut self, next: u64) {
        self.round = Round { ends_with: next, best: None, is_full: false, was_full: self.round.is_full };
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
            self.before = self.now.take();
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
