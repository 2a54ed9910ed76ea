//! Stream: one connection as an actor. Bytes and a feed's messages in, a remote's messages and
//! bytes out.
//!
//! ```text
//! actor    what comes in changes it, `poll` gives what is to be done next
//! load     how much its feeds have still to do for the remote, and whose turn it is to be served
//! message  what comes in and what goes out
//! ```
//! It knows channels, never feeds: the router names the feed at the other end.

mod actor;
mod load;
mod message;
#[cfg(test)]
mod tests;

pub use actor::{StreamActor, StreamOptions};
pub use load::Load;
pub use message::{FromStream, Input, Output};
