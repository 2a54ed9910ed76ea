//! Queues: events on their way to JavaScript, completions on their way back from workers.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::event::{Event, Kind, Value};
use super::jobs::Completion;

/// Events in order; drained whole.
#[derive(Default)]
pub struct Queue {
    events: Mutex<Vec<Event>>,
}

impl Queue {
    /// Appends an event.
    pub fn push(&self, kind: Kind, values: impl IntoIterator<Item = Value>) {
        self.events.lock().push(Event::new(kind, values));
    }

    /// True if nothing waits.
    pub fn is_empty(&self) -> bool {
        self.events.lock().is_empty()
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.events.lock().len()
    }

    /// The one event that waits, if it says that something succeeded with nothing but numbers: N with the operation's.
    pub fn take_answer<const N: usize>(&self) -> Option<[u64; N]> {
        let mut events = self.events.lock();
        let [Event { kind: Kind::Done, values }] = events.as_slice() else { return None };
        let mut answer = [0; N];
        if values.len() != N {
            return None;
        }
        for (place, value) in answer.iter_mut().zip(values) {
            *place = value.number()?;
        }
        events.clear();
        Some(answer)
    }

    /// Everything that waits.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut self.events.lock())
    }
}

/// What workers have done; the first one after a drain wakes JavaScript.
pub struct Completions {
    done: Mutex<Vec<Completion>>,
    is_awake: AtomicBool,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Completions {
    /// Wakes with `wake`, from any thread.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { done: Mutex::default(), is_awake: AtomicBool::new(false), wake: Box::new(wake) }
    }

    /// From a worker.
    pub fn push(&self, completion: Completion) {
        self.done.lock().push(completion);
        self.wake();
    }

    /// Wakes JavaScript, unless it was woken and has not drained yet.
    pub fn wake(&self) {
        if !self.is_awake.swap(true, Ordering::AcqRel) {
            (self.wake)();
        }
    }

    /// Everything that is done.
    pub fn take(&self) -> Vec<Completion> {
        self.is_awake.store(false, Ordering::Release);
        std::mem::take(&mut self.done.lock())
    }
}
