//! Jobs: verbs of a feed as futures, run here, on a worker, or in turns with a JavaScript storage.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::runtime::{Builder, Runtime};

use super::event::Value;
use super::queue::Completions;
use crate::feed::{Appended, Batch, Feed, FeedError, PutReport, Report, Served, Sought};
use crate::replicate::{Answer, PeerId, Request};
use crate::store::io::now;

/// What a finished job has to tell the world.
pub enum Completion {
    /// A feed was opened.
    Opened {
        /// The feed.
        feed: u64,
        /// The operation.
        op: u64,
        /// The log.
        result: Result<Box<Feed>, FeedError>,
    },
    /// Blocks were appended.
    Appended {
        /// The feed.
        feed: u64,
        /// The operation.
        op: u64,
        /// What they did to the log.
        result: Result<Appended, FeedError>,
    },
    /// Answers of remotes were checked and kept.
    Stored {
        /// The feed.
        feed: u64,
        /// What was answered, without the values.
        answers: Vec<Outline>,
        /// What became of it.
        result: Result<PutReport, FeedError>,
    },
    /// Blocks were cleared.
    Cleared {
        /// The feed.
        feed: u64,
        /// The operation.
        op: u64,
        /// The blocks.
        range: (u64, u64),
        /// False if none was held.
        result: Result<bool, FeedError>,
    },
    /// A block was read.
    Got {
        /// The feed.
        feed: u64,
        /// The operation.
        op: u64,
        /// Its index.
        index: u64,
        /// Its bytes; None if it is not held.
        result: Result<Option<Bytes>, FeedError>,
    },
    /// Blocks were read.
    GotBatch {
        /// The feed.
        feed: u64,
        /// The operation.
        op: u64,
        /// The blocks.
        range: (u64, u64),
        /// Their bytes; None if one is not held.
        result: Result<Option<Batch>, FeedError>,
    },
    /// A byte was looked for.
    Sought {
        /// The feed.
        feed: u64,
        /// The operation.
        op: u64,
        /// Where it is.
        result: Result<Sought, FeedError>,
    },
    /// Answers for a remote are ready.
    Served {
        /// The feed.
        feed: u64,
        /// The remote.
        peer: PeerId,
        /// What it asked for, `index` being the block that the answer is about, and the answer; None if we have none.
        answers: Vec<(Request, Result<Option<Served>, FeedError>)>,
    },
    /// A feed told something about itself.
    Told {
        /// The feed.
        feed: u64,
        /// The operation.
        op: u64,
        /// The values of its answer.
        result: Result<Vec<Value>, FeedError>,
    },
    /// One answer, given by the caller, was checked and kept.
    Put {
        /// The feed.
        feed: u64,
        /// The operation.
        op: u64,
        /// What became of it.
        result: Result<PutReport, FeedError>,
    },
    /// All blocks were checked.
    Audited {
        /// The feed.
        feed: u64,
        /// The operation.
        op: u64,
        /// What was found.
        result: Result<Report, FeedError>,
    },
    /// The log was made shorter.
    Truncated {
        /// The feed.
        feed: u64,
        /// The operation.
        op: u64,
        /// The blocks that are gone; None if it was not longer.
        result: Result<Option<(u64, u64)>, FeedError>,
    },
    /// A static feed has its key.
    Finalized {
        /// The feed.
        feed: u64,
        /// The operation.
        op: u64,
        /// The key.
        result: Result<[u8; 32], FeedError>,
    },
    /// A feed was closed, or its files removed.
    Closed {
        /// The feed.
        feed: u64,
        /// The operation.
        op: u64,
        /// How it went.
        result: Result<(), FeedError>,
    },
}

/// A job that waits for a JavaScript storage.
struct Task {
    feed: u64,
    job: Pin<Box<dyn Future<Output = Completion> + Send>>,
    waker: Waker,
}

/// Wakes the job with this number: it joins those that may go on.
struct Bell {
    number: u64,
    woken: Arc<Woken>,
}

type Woken = Mutex<Vec<u64>>;

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.woken.lock().push(self.number);
    }
}

/// All jobs under way in JavaScript storages, by number, in the order they were started.
#[derive(Default)]
pub struct Tasks {
    tasks: BTreeMap<u64, Task>,
    last: u64,
    woken: Arc<Woken>,
    touched: BTreeSet<u64>,
}

impl Tasks {
    /// Runs a job of a feed as far as it goes; Some if it is over at once.
    pub fn start(&mut self, feed: u64, job: impl Future<Output = Completion> + Send + 'static) -> Option<Completion> {
        self.last += 1;
        let waker = Waker::from(Arc::new(Bell { number: self.last, woken: self.woken.clone() }));
        let mut task = Task { feed, job: Box::pin(job), waker };
        let completion = task.poll();
        if completion.is_none() {
            self.touched.insert(feed);
            self.tasks.insert(self.last, task);
        }
        completion
    }

    /// The feeds whose jobs may have asked their storage for something since the last call.
    pub fn touched(&mut self) -> BTreeSet<u64> {
        std::mem::take(&mut self.touched)
    }

    /// Runs on every job whose answers have come; gives the ones that are over, in the order they were started.
    pub fn resume(&mut self) -> Vec<Completion> {
        let mut woken = std::mem::take(&mut *self.woken.lock());
        woken.sort_unstable();
        woken.dedup();
        woken.into_iter().filter_map(|number| self.resume_one(number)).collect()
    }

    fn resume_one(&mut self, number: u64) -> Option<Completion> {
        let task = self.tasks.get_mut(&number)?;
        self.touched.insert(task.feed);
        let completion = task.poll()?;
        self.tasks.remove(&number);
        Some(completion)
    }
}

impl Task {
    fn poll(&mut self) -> Option<Completion> {
        match self.job.as_mut().poll(&mut Context::from_waker(&self.waker)) {
            Poll::Ready(completion) => Some(completion),
            Poll::Pending => None,
        }
    }
}

/// The workers: threads that wait for devices and hash what is big. They end when they have been idle for ten seconds.
static WORKERS: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).max_blocking_threads(8).thread_name("hypercore").build().ok()
});

/// Runs a job of a native storage on a worker; its completion wakes JavaScript. Without threads it runs here.
pub fn on_worker(completions: &Arc<Completions>, job: impl Future<Output = Completion> + Send + 'static) {
    let completions = completions.clone();
    let run = move || {
        if let Some(completion) = now(job) {
            completions.push(completion);
        }
    };
    match &*WORKERS {
        Some(workers) => drop(workers.spawn_blocking(run)),
        None => run(),
    }
}

/// What an answer was about, for when its value has gone into the feed.
#[derive(Clone, Copy, Debug)]
pub struct Outline {
    /// Who sent it.
    pub peer: PeerId,
    /// The block.
    pub index: u64,
    /// Bytes of its value; None for a hash.
    pub size: Option<usize>,
}

impl From<&Answer> for Outline {
    fn from(answer: &Answer) -> Self {
        let size = answer.value.as_ref().map(Bytes::len);
        Self { peer: answer.peer, index: answer.index, size }
    }
}
