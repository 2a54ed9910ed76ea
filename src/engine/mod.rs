//! Engine: the hands. Runs each step of feeds and streams where it is cheapest, and tells
//! JavaScript what happened.
//!
//! ```text
//! door -- calls, chunks -->  driver -->  feed, stream      actors; they never see one another
//!   ^                          |  ^         |
//!   |                        router  '------'  what one says becomes what the other is told
//!   |                          |
//!   '---- queue of events <----+---- executor              jobs: here, a worker, JavaScript's storage
//! ```
//! A call from the door changes an actor, lets everything come to rest, and returns; what happened
//! is in the queue. Work that may take long goes to a worker; its end wakes the door, which drains.
//! Here are the only clock, the only dice and the only threads.
//!
//! Invariant: events leave in the order in which things happened; JavaScript never sees a half-done
//! step.

mod attach;
mod carry;
mod clock;
mod driver;
mod entry;
mod event;
mod executor;
mod feed;
mod feed_handle;
mod ids;
mod job;
mod queue;
mod ready;
mod router;
mod stream;
mod stream_handle;
mod timers;

pub use clock::{Clock, dice};
pub use driver::Work;
pub use entry::{AttachOptions, Engine, Rest};
pub use event::{Answer, Event, Failure, FeedEvent, Opened, PeerInfo, StreamEvent};
pub use feed::{FeedOptions, FromPeer, Input, Place, Seek, Verb};
pub use feed_handle::{Begun, FeedHandle, Got, UpdateAsked, Verdict};
pub use ids::{FeedId, OpId, StreamId};
pub use job::About;
pub use stream::StreamOptions;
pub use stream_handle::{StreamHandle, Taken};
