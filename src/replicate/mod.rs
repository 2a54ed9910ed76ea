//! Replicate: a log among peers. One thing in, drain all out.
//!
//! ```text
//! messages, arrivals, waiting gets, time  ->  Replicator  ->  Output: send, serve, put, resolved, ...
//!
//! replicator   all peers: add, open, remove          inbox, wants, serving   what a message changes
//! peer         a phase, two sides, requests, uploads settle, time, ending    what follows from a change
//! waits        gets, updates, seeks, spans, lists    waiting                 what the owner asks for
//! requests, pace, patience                           what a peer was asked, how much at a time, and for how long
//! asks, offers, index, intervals                     who was asked, what is open to anybody, who can be concerned
//! ```
//! Knows which peer has what, who was asked for what, and who waits for it. It reads the log
//! through [`Local`], does no I/O, and decides on new requests in one place only,
//! [`Replicator::settle`], which the engine calls once a round. Time comes in as milliseconds, dice
//! as seeds.
//!
//! Invariant: a block is asked of one peer at a time, unless that peer's answer is overdue (see
//! `patience`). What one peer, wait or download costs does not depend on how many others there are.
//! What a peer sends can be useless but not harmful: haves are capped, answers to nothing are
//! dropped.
//! Source: hypercore@9.12.0 lib/replicate.js.

mod asks;
mod blocks;
mod ending;
mod gets;
mod inbox;
mod index;
mod intervals;
mod lists;
mod offers;
mod pace;
mod patience;
mod peer;
mod replicator;
mod requests;
mod seeks;
mod serving;
mod settle;
mod spans;
#[cfg(test)]
mod tests;
mod time;
mod types;
mod updates;
mod uploads;
mod view;
mod waiting;
mod waits;
mod wants;
mod windows;

pub use pace::Line;
pub use peer::Peer;
pub use replicator::Replicator;
pub use types::{
    Answer, Fault, GIVEN_UP_AFTER, Local, Output, PeerId, PeerOptions, PeerStats, Range, Request, SeekWait, UpdateWait,
    WaitId,
};
pub use uploads::MAX_UPLOADS;
