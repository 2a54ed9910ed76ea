//! Mailbox: a storage that lives elsewhere, in JavaScript.
//!
//! ```text
//! verb's future --post--> requests --take_requests--> JavaScript
//!      ^---------wake---- answers  <----answer------------'
//! ```
//! The one who polls the future takes all requests in one crossing, and answers them in any order, from any thread.
//! An error of the storage arrives as `StoreError::Foreign`; whether an error only meant "not there" is for the
//! one who answers to say, with `Answer::Absent`.
//!
//! Invariant: each request is handed out once and answered at most once; no lock is held while a future is woken.

use std::collections::HashMap;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use parking_lot::Mutex;

use super::error::StoreError;
use super::layout::File;

/// What the storage can do besides reading and writing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// It has `del`.
    pub can_clear: bool,
    /// It has `stat`.
    pub can_stat: bool,
}

/// Something to be done in JavaScript. Offsets and lengths are bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// To be named in the answer.
    pub id: u64,
    /// The file it concerns.
    pub file: File,
    /// What to do with it.
    pub op: Op,
}

/// What to do with a file, and the answer it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Wants `Bytes` or `Absent`.
    Read {
        /// From here.
        offset: u64,
        /// This much.
        len: usize,
    },
    /// One write of all parts, one after the other. Wants `Done`.
    Write {
        /// From here on.
        offset: u64,
        /// The parts.
        data: Vec<Bytes>,
    },
    /// Wants `Done`.
    Clear {
        /// From here.
        offset: u64,
        /// This much.
        len: u64,
    },
    /// Wants `Len` or `Absent`.
    Len,
    /// Wants `Done`, also for a file that was never opened.
    Close,
    /// Wants `Done`, also for a file that does not exist.
    Destroy,
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
    /// It is done.
    Done,
}

/// Requests on their way out, and the futures that wait for answers.
#[derive(Debug)]
pub struct Mailbox {
    abilities: Abilities,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    outbox: Vec<Request>,
    waiting: HashMap<u64, Waiting>,
}

#[derive(Debug)]
enum Waiting {
    Unpolled,
    Polled(Waker),
    Answered(Result<Answer, StoreError>),
}

impl Mailbox {
    /// An empty mailbox for a storage with these abilities.
    pub fn new(abilities: Abilities) -> Arc<Self> {
        Arc::new(Mailbox { abilities, state: Mutex::default() })
    }

    /// What the storage can do.
    pub const fn abilities(&self) -> Abilities {
        self.abilities
    }

    /// Posts a request at once; the ticket is the future of its answer.
    pub fn post(self: &Arc<Self>, file: File, op: Op) -> Ticket {
        let mut state = self.state.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.outbox.push(Request { id, file, op });
        state.waiting.insert(id, Waiting::Unpolled);
        Ticket { mailbox: self.clone(), id }
    }

    /// All requests since the last call, in the order they were posted.
    pub fn take_requests(&self) -> Vec<Request> {
        mem::take(&mut self.state.lock().outbox)
    }

    /// Answers a request. Nothing happens if nobody waits for it any more, or if it was answered before.
    pub fn answer(&self, id: u64, answer: Result<Answer, StoreError>) {
        let before = match self.state.lock().waiting.get_mut(&id) {
            None | Some(Waiting::Answered(_)) => return,
            Some(waiting) => mem::replace(waiting, Waiting::Answered(answer)),
        };
        if let Waiting::Polled(waker) = before {
            waker.wake();
        }
    }
}

/// The future of one answer. Dropped, it forgets the answer; the request is carried out all the same.
#[derive(Debug)]
pub struct Ticket {
    mailbox: Arc<Mailbox>,
    id: u64,
}

impl Future for Ticket {
    type Output = Result<Answer, StoreError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Waiting::Polled(context.waker().clone());
        // Wakers may run foreign code when they are dropped: what was there before leaves the lock first.
        let before = self.mailbox.state.lock().waiting.insert(self.id, polled);
        match before {
            Some(Waiting::Answered(answer)) => Poll::Ready(answer),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let forgotten = self.mailbox.state.lock().waiting.remove(&self.id);
        drop(forgotten);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn wakes_once_and_forgets_the_dropped() {
        let mailbox = Mailbox::new(Abilities::default());
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut context = Context::from_waker(&waker);
        let mut first = mailbox.post(File::Key, Op::Len);
        let second = mailbox.post(File::Data, Op::Len);
        let ids: Vec<u64> = mailbox.take_requests().iter().map(|request| request.id).collect();
        assert_eq!((ids.as_slice(), mailbox.take_requests().len()), (&[0, 1][..], 0));
        assert!(Pin::new(&mut first).poll(&mut context).is_pending());
        drop(second);
        mailbox.answer(1, Ok(Answer::Done));
        mailbox.answer(0, Ok(Answer::Len(7)));
        mailbox.answer(0, Ok(Answer::Len(8)));
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(Pin::new(&mut first).poll(&mut context), Poll::Ready(Ok(Answer::Len(7))));
        drop(first);
        assert!(mailbox.state.lock().waiting.is_empty());
    }
}
