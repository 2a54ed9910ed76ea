//! Engine: the way in. One for each JavaScript environment.
//!
//! ```text
//! enter(change)   -> the driver is changed, runs until it is at rest or the turn is over -> what is left behind
//! drain()         -> finished jobs are taken in, all events since the last time
//! ```
//! The lock is only ever held by the thread that calls: workers hand in what they have done through
//! a queue of its own.

use std::sync::Arc;

use parking_lot::Mutex;

use super::clock::Clock;
use super::driver::{Driver, Work};
use super::event::Event;
use super::ids::FeedId;
use super::queue::{Completions, Queue};
use crate::replicate::{PeerId, PeerOptions};

/// What a call has left behind.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    /// Events wait.
    pub events: bool,
    /// The feed's own storage, in JavaScript, has something to do.
    pub requests: bool,
}

/// How a feed goes onto a stream.
#[derive(Clone, Copy, Debug)]
pub struct AttachOptions {
    /// The number that JavaScript gave this peer.
    pub peer: PeerId,
    /// How it behaves.
    pub options: PeerOptions,
}

/// See the file's head.
pub struct Engine {
    driver: Mutex<Driver>,
    queue: Arc<Queue>,
}

impl Engine {
    /// An engine that calls `wake`, from any thread, when something happened outside of a call.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Self::with_clock(Clock::start(), wake)
    }

    /// The same with a clock of the caller's.
    pub fn with_clock(clock: Clock, wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let queue = Arc::new(Queue::default());
        let completions = Arc::new(Completions::new(wake));
        let driver = Mutex::new(Driver::new(queue.clone(), completions, clock));
        Arc::new(Self { driver, queue })
    }

    /// Takes in what workers have done, and gives all events since the last call.
    pub fn drain(&self) -> Vec<Event> {
        self.enter(|_| ());
        let mut events = self.queue.take();
        if self.driver.lock().resume_stalled() {
            events.push(Event::Again);
        }
        events
    }

    /// Time has passed: requests that wait too long are looked at. True if events wait.
    pub fn tick(&self) -> bool {
        self.enter(Driver::tick)
    }

    /// True if there are events.
    pub fn waits(&self) -> bool {
        !self.queue.is_empty()
    }

    /// What was done so far.
    pub fn work(&self) -> Work {
        self.look(Driver::work)
    }

    /// The events on their way out.
    pub(super) const fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    /// Changes something and lets everything come to rest. True if events wait.
    pub(super) fn enter(&self, change: impl FnOnce(&mut Driver)) -> bool {
        self.enter_from(None, change).events
    }

    /// The same for a caller who carries out the requests of this feed to its storage at once.
    pub(super) fn enter_from(&self, feed: Option<FeedId>, change: impl FnOnce(&mut Driver)) -> Rest {
        let mut driver = self.driver.lock();
        change(&mut driver);
        driver.run();
        let requests = driver.hand_out(feed);
        drop(driver);
        Rest { events: self.waits(), requests }
    }

    /// The same, and looks at what came of it, before anybody else does. True if events wait.
    pub(super) fn enter_then<T>(
        &self,
        change: impl FnOnce(&mut Driver),
        look: impl FnOnce(&mut Driver) -> T,
    ) -> (bool, T) {
        let mut driver = self.driver.lock();
        change(&mut driver);
        driver.run();
        driver.hand_out(None);
        let seen = look(&mut driver);
        (self.waits(), seen)
    }

    /// Looks at something without changing it.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Driver) -> T) -> T {
        look(&self.driver.lock())
    }
}
