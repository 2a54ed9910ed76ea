//! Queues: events on their way to JavaScript, finished jobs on their way back from workers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::event::{Answer, Event};
use super::job::Finished;

/// Events in order; drained whole.
#[derive(Default)]
pub struct Queue {
    events: Mutex<Vec<Event>>,
    total: AtomicU64,
}

impl Queue {
    /// Appends an event.
    pub fn push(&self, event: Event) {
        self.total.fetch_add(1, Ordering::Relaxed);
        self.events.lock().push(event);
    }

    /// How many there were so far.
    pub fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.events.lock().is_empty()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.events.lock().len()
    }

    /// What an append has done, if that is the only event: operation, index of the first block,
    /// length, byte length, live.
    pub fn take_appended(&self) -> Option<[u64; 5]> {
        let mut events = self.events.lock();
        let [Event::Done { op, answer: Answer::Appended { start, len, byte_len, live } }] = events.as_slice() else {
            return None;
        };
        let numbers = [op.0, *start, *len, *byte_len, u64::from(*live)];
        events.clear();
        Some(numbers)
    }

    /// Everything that waits.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.lock())
    }
}

/// What workers have done; the first one after a drain wakes JavaScript.
pub struct Completions {
    done: Mutex<Vec<Finished>>,
    is_awake: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Completions {
    /// Wakes with `wake`, from any thread.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { done: Mutex::default(), is_awake: AtomicBool::new(false), wake: Box::new(wake) }
    }

    /// From a worker.
    pub fn push(&self, finished: Finished) {
        self.done.lock().push(finished);
        if !self.is_awake.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
    }

    /// Everything that is done.
    pub fn take(&self) -> Vec<Finished> {
        self.is_awake.store(false, Ordering::Release);
        std::mem::take(&mut self.done.lock())
    }
}
