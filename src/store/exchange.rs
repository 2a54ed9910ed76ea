//! Exchange: questions that leave this process's Rust side, and the futures that wait for their
//! answers.
//!
//! ```text
//! future --ask--> questions --take--> whoever can answer
//!    ^---wake---- answers  <--answer------'
//! ```
//! The one who polls the futures takes all questions in one crossing, and answers them in any
//! order, from any thread.
//!
//! Invariant: each question is handed out once and answered at most once; no lock is held while a
//! future is woken.

use std::collections::BTreeMap;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// Questions on their way out, and the futures that wait for answers.
#[derive(Debug)]
pub struct Exchange<Q, A> {
    state: Mutex<State<Q, A>>,
}

#[derive(Debug)]
struct State<Q, A> {
    next_id: u64,
    outbox: Vec<(u64, Q)>,
    waiting: BTreeMap<u64, Waiting<A>>,
}

#[derive(Debug)]
enum Waiting<A> {
    Unpolled,
    Polled(Waker),
    Answered(A),
}

impl<Q, A> Default for Exchange<Q, A> {
    fn default() -> Self {
        Self { state: Mutex::new(State { next_id: 0, outbox: Vec::new(), waiting: BTreeMap::new() }) }
    }
}

impl<Q, A> Exchange<Q, A> {
    /// Asks at once; the ticket is the future of the answer.
    pub fn ask(self: &Arc<Self>, question: Q) -> Ticket<Q, A> {
        let mut state = self.state.lock();
        let id = state.next_id;
        state.next_id += 1;
        state.outbox.push((id, question));
        state.waiting.insert(id, Waiting::Unpolled);
        Ticket { exchange: self.clone(), id }
    }

    /// Looks at all questions that were not taken yet.
    pub fn look<T>(&self, look: impl FnOnce(&[(u64, Q)]) -> T) -> T {
        look(&self.state.lock().outbox)
    }

    /// All questions since the last call, with the numbers for their answers, in the order they
    /// were asked.
    pub fn take(&self) -> Vec<(u64, Q)> {
        mem::take(&mut self.state.lock().outbox)
    }

    /// Answers a question. Nothing happens if nobody waits for it any more, or if it was answered
    /// before.
    pub fn answer(&self, id: u64, answer: A) {
        let before = match self.state.lock().waiting.get_mut(&id) {
            None | Some(Waiting::Answered(_)) => return,
            Some(waiting) => mem::replace(waiting, Waiting::Answered(answer)),
        };
        if let Waiting::Polled(waker) = before {
            waker.wake();
        }
    }
}

/// The future of one answer. Dropped, it forgets the answer; the question may be looked into all
/// the same.
#[derive(Debug)]
pub struct Ticket<Q, A> {
    exchange: Arc<Exchange<Q, A>>,
    id: u64,
}

impl<Q, A> Future for Ticket<Q, A> {
    type Output = A;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let polled = Waiting::Polled(context.waker().clone());
        // Wakers may run foreign code when they are dropped: what was there before leaves the lock
        // first.
        let before = self.exchange.state.lock().waiting.insert(self.id, polled);
        match before {
            Some(Waiting::Answered(answer)) => Poll::Ready(answer),
            _ => Poll::Pending,
        }
    }
}

impl<Q, A> Drop for Ticket<Q, A> {
    fn drop(&mut self) {
        let forgotten = self.exchange.state.lock().waiting.remove(&self.id);
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
        let exchange = Arc::new(Exchange::<&str, u32>::default());
        let count = Arc::new(Count::default());
        let waker = Waker::from(count.clone());
        let mut context = Context::from_waker(&waker);
        let mut first = exchange.ask("first");
        let second = exchange.ask("second");
        assert_eq!((exchange.take(), exchange.take().len()), (vec![(0, "first"), (1, "second")], 0));
        assert!(Pin::new(&mut first).poll(&mut context).is_pending());
        drop(second);
        exchange.answer(1, 1);
        exchange.answer(0, 7);
        exchange.answer(0, 8);
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(Pin::new(&mut first).poll(&mut context), Poll::Ready(7));
        drop(first);
        assert!(exchange.state.lock().waiting.is_empty());
    }
}
