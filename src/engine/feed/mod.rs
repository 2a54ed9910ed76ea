//! Feed: one open log as an actor. Calls, a remote's messages and finished jobs in; jobs, messages
//! and events out.
//!
//! ```text
//! actor      handle, settle, poll
//! options    how a feed is made          message    what comes in and what goes out
//! change     the queue of the verbs that change the log, of which one runs at a time
//! call       operations that are not answered yet
//! start      a call begins               finish     a job is over
//! peers      what remotes say, and what is said to them       serve    their requests
//! ```
//! It knows peers by number, never streams: the router names the channel at the other end.

mod actor;
mod call;
mod change;
mod finish;
mod message;
mod options;
mod peers;
mod serve;
mod start;
#[cfg(test)]
mod tests;

pub use actor::{FeedActor, LogCell};
pub use message::{FromPeer, Input, Output, Seek, ToPeer, Verb};
pub use options::{FeedOptions, Place};
