//! Engine: the hands. Runs each step of feeds and streams where it is cheapest, and tells JavaScript what happened.
//!
//! ```text
//! door  -- ops, chunks -->  World (one lock)  -- jobs -->  here, a worker, or JavaScript's storages
//!   ^                         |                               |
//!   '---- queue of events <---+------- completions <----------'
//! ```
//! A call from the door changes the world, lets it come to rest ([`pump`]), and returns; what happened is in the queue.
//! Work that may take long goes to a worker; its completion wakes the door, which drains. Here are the only clock, the
//! only dice and the only threads.
//!
//! Invariant: events leave in the order in which things happened; JavaScript never sees a half-done step.

mod changes;
mod clock;
mod event;
mod feed_handle;
mod feeds;
mod foreign;
mod jobs;
mod outcomes;
mod peers;
mod pump;
mod queue;
mod serve;
mod stream_handle;
mod streams;
mod told;
mod world;

use std::sync::Arc;

use parking_lot::Mutex;

pub use event::{Event, Failure, Kind, Value};
pub use feed_handle::{FeedHandle, Got};
pub use feeds::{FeedOptions, Place};
pub use peers::{AttachOptions, PeerInfo};
pub use queue::Queue;
pub use stream_handle::StreamHandle;
pub use streams::{StreamOptions, Taken};
pub use told::About;

pub use clock::{Clock, dice};

use queue::Completions;
use world::World;

/// What a call has left behind.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    /// Events wait.
    pub events: bool,
    /// The feed's own storage, in JavaScript, has something to do.
    pub requests: bool,
}

/// One environment's engine: its feeds, its streams, its queue.
pub struct Engine {
    world: Mutex<World>,
    queue: Arc<Queue>,
}

impl Engine {
    /// An engine whose queue calls `wake`, from any thread, when something happened outside of a call.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Self::with_clock(Clock::start(), wake)
    }

    /// The same with a clock of the caller's.
    pub fn with_clock(clock: Clock, wake: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        let queue = Arc::new(Queue::default());
        let completions = Arc::new(Completions::new(wake));
        let world = World::new(queue.clone(), completions, clock);
        Arc::new(Self { world: Mutex::new(world), queue })
    }

    /// Takes in what workers have done, and gives all events since the last call.
    pub fn drain(&self) -> Vec<Event> {
        self.enter(|_| ());
        let mut events = self.queue.take();
        if self.world.lock().resume_streams() {
            events.push(Event::new(Kind::Again, []));
        }
        events
    }

    /// What an append has done, if it is the only event: operation, index of the first block, length, byte length, live.
    fn take_appended(&self) -> Option<[u64; 5]> {
        self.queue.take_answer()
    }

    /// True if there are events.
    pub fn waits(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Changes the world and lets it come to rest. True if events wait.
    fn enter(&self, change: impl FnOnce(&mut World)) -> bool {
        self.enter_from(None, change).events
    }

    /// The same for a caller who carries out the requests of this feed to its storage at once.
    fn enter_from(&self, feed: Option<u64>, change: impl FnOnce(&mut World)) -> Rest {
        let mut world = self.world.lock();
        change(&mut world);
        world.come_to_rest();
        let requests = world.hand_out_io(feed);
        drop(world);
        Rest { events: self.waits(), requests }
    }

    /// Looks at the world without changing it.
    fn look<T>(&self, look: impl FnOnce(&World) -> T) -> T {
        look(&self.world.lock())
    }
}
