//! Uploads: what one remote has asked of us, and is not answered yet.
//!
//! ```text
//! request -> waiting ------------> being served ------> ...       Asked is said on the way in, once
//!    cancel -> gone   take_uploads              served -> Asked again if more wait
//! ```
//! A stream is not read on while 4,096 of its requests wait, so that nobody who waits for answers
//! has more than that and one chunk. Twice as many are the remote's fault.
//!
//! Invariant: both maps tell of the same requests, at most twice [`MAX_UPLOADS`].

use std::collections::{BTreeMap, BTreeSet};

use super::types::{Fault, Request};

/// Requests of a remote that wait for their turn; one that sends more is not read from until some
/// are answered.
pub const MAX_UPLOADS: usize = 4_096;

/// See the file's head.
#[derive(Default)]
pub(super) struct Uploads {
    waiting: BTreeMap<u64, Request>,
    /// Those that can be cancelled: block and number.
    places: BTreeSet<(u64, u64)>,
    next: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing has been said.
    #[default]
    Idle,
    /// The engine knows that there are requests.
    Announced,
    /// The engine has taken some, and has not answered them yet.
    Served,
}

impl Uploads {
    /// Puts a request at the end.
    pub fn push(&mut self, request: Request) -> Result<(), Fault> {
        if self.waiting.len() >= 2 * MAX_UPLOADS {
            return Err(Fault::TooManyRequests);
        }
        self.waiting.insert(self.next, request);
        if request.bytes == 0 {
            self.places.insert((request.index, self.next));
        }
        self.next += 1;
        Ok(())
    }

    /// The plain requests for a block, or for its hash, are not needed any more.
    pub fn cancel(&mut self, index: u64, hash: bool) {
        let is_it = |place: &&(u64, u64)| self.waiting.get(&place.1).is_some_and(|request| request.hash == hash);
        let places: Vec<(u64, u64)> =
            self.places.range((index, 0)..=(index, u64::MAX)).filter(is_it).copied().collect();
        for place in places {
            self.places.remove(&place);
            self.waiting.remove(&place.1);
        }
    }

    /// Drops all that waits.
    pub fn clear(&mut self) {
        self.waiting.clear();
        self.places.clear();
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The next one for a byte offset, or the next plain ones, at most `max`; none while others are
    /// being served.
    pub fn take(&mut self, max: usize) -> Vec<Request> {
        if self.state == State::Served {
            return Vec::new();
        }
        let taken = self.take_run(max);
        if !taken.is_empty() {
            self.state = State::Served;
        } else if self.waiting.is_empty() {
            self.state = State::Idle;
        }
        taken
    }

    /// What was taken is answered. True if the engine has to be told of more.
    pub fn served(&mut self) -> bool {
        if self.state == State::Served {
            self.state = State::Idle;
        }
        self.announce()
    }

    fn take_run(&mut self, max: usize) -> Vec<Request> {
        let mut taken: Vec<Request> = Vec::new();
        while let Some(first) = self.waiting.first_entry() {
            let (number, request) = (*first.key(), *first.get());
            let is_alone = request.bytes > 0;
            if taken.len() >= max || is_alone && !taken.is_empty() {
                break;
            }
            first.remove();
            self.places.remove(&(request.index, number));
            taken.push(request);
            if is_alone {
                break;
            }
        }
        taken
    }

    /// True if the engine has to be told of requests; it is from now on.
    pub fn announce(&mut self) -> bool {
        let is_new = self.state == State::Idle && !self.waiting.is_empty();
        if is_new {
            self.state = State::Announced;
        }
        is_new
    }
}
