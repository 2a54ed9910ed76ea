//! Executor: where a job runs.
//!
//! ```text
//! native storage, small   here, over at its first poll
//! native storage, big     a worker; its end wakes JavaScript, which is kept alive meanwhile (Busy)
//! JavaScript's storage    here, again and again as its answers come
//! ```
//! Invariant: each job comes back once, as [`Finished`], also one that panics or that nothing will
//! ever wake.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::available_parallelism;

use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

use super::clock::Clock;
use super::ids::FeedId;
use super::job::{Finished, Job, Outcome, Work};
use super::queue::Completions;

/// Threads at most: they wait for devices and hash what is big.
const MAX_WORKERS: usize = 4;

/// The workers of the process. They end when they have been idle for ten seconds.
static WORKERS: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    let cores = available_parallelism().map_or(1, usize::from);
    let threads = cores.saturating_sub(1).clamp(1, MAX_WORKERS);
    Builder::new_multi_thread().worker_threads(1).max_blocking_threads(threads).thread_name("hypercore").build().ok()
});

/// A job that waits for a JavaScript storage.
struct Waiting {
    job: Job,
    waker: Waker,
}

/// Wakes the job with this number: it joins those that may go on.
struct Bell {
    number: u64,
    woken: Arc<Mutex<Vec<u64>>>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.woken.lock().push(self.number);
    }
}

/// All jobs under way.
pub struct Executor {
    waiting: BTreeMap<u64, Waiting>,
    last: u64,
    woken: Arc<Mutex<Vec<u64>>>,
    touched: BTreeSet<FeedId>,
    completions: Arc<Completions>,
}

impl Executor {
    /// Jobs that end on a worker go to `completions`.
    pub fn new(completions: Arc<Completions>) -> Self {
        Self { waiting: BTreeMap::new(), last: 0, woken: Arc::default(), touched: BTreeSet::new(), completions }
    }

    /// Runs a job; Some if it is over at once.
    pub fn run(&mut self, clock: &Clock, job: Job) -> Option<Finished> {
        if job.on_worker {
            self.run_on_worker(job);
            return None;
        }
        self.last += 1;
        let waker = Waker::from(Arc::new(Bell { number: self.last, woken: self.woken.clone() }));
        self.advance(clock, self.last, Waiting { job, waker })
    }

    /// The feeds whose jobs may have asked their storage, or their hooks, for something since the
    /// last call.
    pub fn touched(&mut self) -> BTreeSet<FeedId> {
        std::mem::take(&mut self.touched)
    }

    /// Runs on every job whose answers have come; gives the ones that are over, oldest first.
    pub fn resume(&mut self, clock: &Clock) -> Vec<Finished> {
        let mut woken = std::mem::take(&mut *self.woken.lock());
        woken.sort_unstable();
        woken.dedup();
        woken.into_iter().filter_map(|number| self.resume_one(clock, number)).collect()
    }

    fn resume_one(&mut self, clock: &Clock, number: u64) -> Option<Finished> {
        let waiting = self.waiting.remove(&number)?;
        self.touched.insert(waiting.job.feed);
        self.advance(clock, number, waiting)
    }

    fn advance(&mut self, clock: &Clock, number: u64, mut waiting: Waiting) -> Option<Finished> {
        let start = clock.micros();
        match poll(&mut waiting.job.work, &waiting.waker) {
            Some(outcome) => {
                let Job { feed, task, .. } = waiting.job;
                Some(Finished { feed, task, outcome, held: clock.micros() - start, on_worker: false })
            }
            None => {
                self.touched.insert(waiting.job.feed);
                self.waiting.insert(number, waiting);
                None
            }
        }
    }

    fn run_on_worker(&self, job: Job) {
        let completions = self.completions.clone();
        let run = move || {
            let Job { feed, task, mut work, .. } = job;
            // A job of a native storage is over at its first poll: one that is not never will be.
            let stuck = || Outcome::Panicked("it waits for nothing".to_owned());
            let outcome = poll(&mut work, Waker::noop()).unwrap_or_else(stuck);
            completions.push(Finished { feed, task, outcome, held: 0, on_worker: true });
        };
        match &*WORKERS {
            Some(workers) => drop(workers.spawn_blocking(run)),
            None => run(),
        }
    }
}

/// Runs a job as far as it goes; None if it waits for an answer.
fn poll(work: &mut Work, waker: &Waker) -> Option<Outcome> {
    let polled = catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(&mut Context::from_waker(waker))));
    match polled {
        Ok(Poll::Ready(outcome)) => Some(outcome),
        Ok(Poll::Pending) => None,
        Err(panic) => Some(Outcome::Panicked(text_of(panic.as_ref()))),
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic".to_owned())
}
