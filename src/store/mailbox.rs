//! Mailbox: a storage that lives elsewhere, in JavaScript.
//!
//! ```text
//! verb --post--> requests --take_requests--> JavaScript --answer--> the verb goes on
//! ```
//! An error of the storage arrives as `StoreError::Foreign`, unless it only means "not there": then
//! as `Answer::Absent`. Which it is [`Absence`] says.

use std::sync::Arc;

use bytes::Bytes;

use super::absence::Absence;
use super::error::StoreError;
use super::exchange::{self, Exchange};
use super::layout::File;
use super::storage::Write;

/// Something to be done in JavaScript. Offsets and lengths are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// To be named in the answer.
    pub id: u64,
    /// What to do.
    pub op: Op,
}

/// What to do, and the answer it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Wants `Bytes` or `Absent`.
    Read {
        /// Of this file.
        file: File,
        /// From here.
        offset: u64,
        /// This much.
        len: usize,
    },
    /// All of these, in any order. Wants `Done` when the last is over, or the first error.
    Write(Vec<Write>),
    /// Wants `Done`, also from a file that cannot give anything back.
    Clear {
        /// Of this file.
        file: File,
        /// From here.
        offset: u64,
        /// This much.
        len: u64,
    },
    /// Wants `Len`, `Absent`, or `Unable` from a file that cannot tell.
    Len(File),
    /// Wants `Done`, also for a file that was never opened.
    Close(File),
    /// Wants `Done`, also for a file that does not exist.
    Destroy(File),
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What was read.
    Bytes(Bytes),
    /// Length of the file, in bytes.
    Len(u64),
    /// The file does not exist, or ends before the range does.
    Absent,
    /// The storage of this file cannot do that.
    Unable,
    /// It is done.
    Done,
}

/// Requests on their way out, and the verbs that wait for answers.
#[derive(Debug, Default)]
pub struct Mailbox {
    exchange: Arc<Requests>,
    absence: Absence,
}

type Requests = Exchange<Op, Result<Answer, StoreError>>;

/// The future of one answer.
pub type Ticket = exchange::Ticket<Op, Result<Answer, StoreError>>;

impl Mailbox {
    /// An empty mailbox.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Posts a request at once; the ticket is the future of its answer.
    pub fn post(&self, op: Op) -> Ticket {
        self.exchange.ask(op)
    }

    /// What the storages' errors mean.
    pub const fn absence(&self) -> &Absence {
        &self.absence
    }

    /// What the next call of `take_requests` will give: single reads, writes and so on, and the
    /// bytes of all writes.
    pub fn waiting(&self) -> (usize, usize) {
        let size = |op: &Op| match op {
            Op::Write(writes) => (writes.len(), writes.iter().flat_map(|write| &write.data).map(Bytes::len).sum()),
            _ => (1, 0),
        };
        self.exchange.look(|asked| {
            asked.iter().map(|(_, op)| size(op)).fold((0, 0), |(ops, bytes), (more, long)| (ops + more, bytes + long))
        })
    }

    /// All requests since the last call, in the order they were posted.
    pub fn take_requests(&self) -> Vec<Request> {
        self.exchange.take().into_iter().map(|(id, op)| Request { id, op }).collect()
    }

    /// Answers a request. Nothing happens if nobody waits for it any more, or if it was answered
    /// before.
    pub fn answer(&self, id: u64, answer: Result<Answer, StoreError>) {
        self.exchange.answer(id, answer);
    }
}
