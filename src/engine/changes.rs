//! Changes of a feed: one at a time, in the order in which they were asked for.
//!
//! ```text
//! append, answers of remotes, clear, audit, ..., close -> waiting -> here or on a worker -> outcome -> the next
//! ```

use std::sync::Arc;

use bytes::Bytes;

use super::event::{Failure, Kind};
use super::feeds::failure_values;
use super::jobs::{Completion, Outline};
use super::world::World;
use crate::feed::{Feed, FeedError, Put};
use crate::math::flat::BlockIndex;
use crate::replicate::{Answer, PeerId};

/// Writes of more bytes than this are done on a worker: hashing them would hold the thread too long.
const BIG: usize = 256 * 1024;
/// The same for what remotes sent, where the blocks are large, in bytes: the thread has their next bytes to read.
const BIG_ANSWERS: usize = 60 * 1024;
/// What a large block is, in bytes. Many small ones cost more to hand over than to hash.
const LARGE: usize = 16 * 1024;
/// A change that holds the thread for longer than this, in microseconds, shows a slow device.
const SLOW: u64 = 4_000;
/// Then changes go to a worker for so many milliseconds; twice as long each time that it was slow again soon after, up to the
/// second number. One hiccup of the system must not cost a second of thread hops.
const SLOW_FOR: (u64, u64) = (50, 1_600);
/// What soon is, in milliseconds.
const SOON: u64 = 2_000;

/// A change that waits for its turn.
pub(super) enum Change {
    Append { op: u64, blocks: Vec<Bytes> },
    Store(Vec<Answer>),
    Clear { op: u64, start: u64, end: u64, keep_bytes: bool },
    Put { op: u64, item: Put },
    Audit { op: u64 },
    Truncate { op: u64, len: u64 },
    Finalize { op: u64 },
    Close { op: u64 },
}

impl World {
    pub(super) fn change(&mut self, id: u64, op: u64, change: Change) {
        match self.feeds.get_mut(&id) {
            Some(slot) if !slot.is_closed => {
                slot.changes.push_back(change);
                self.next_change(id);
            }
            _ => self.fail(op, Failure::closed()),
        }
    }

    /// Starts the next change of a feed, if none is under way.
    pub(super) fn next_change(&mut self, id: u64) {
        let Some(slot) = self.feeds.get_mut(&id) else { return };
        if slot.is_changing {
            return;
        }
        let Some(change) = slot.changes.pop_front() else { return };
        slot.is_changing = true;
        let start = self.clock.micros();
        self.start_change(id, change);
        if self.clock.micros() - start > SLOW
            && let Some(slot) = self.feeds.get_mut(&id)
        {
            let now = self.clock.now();
            let is_again = slot.slow_for > 0 && now < slot.slow_until + SOON;
            slot.slow_for = if is_again { (2 * slot.slow_for).min(SLOW_FOR.1) } else { SLOW_FOR.0 };
            slot.slow_until = now + slot.slow_for;
        }
    }

    fn start_change(&mut self, id: u64, change: Change) {
        let Some(slot) = self.feeds.get_mut(&id) else { return };
        match (change, slot.log()) {
            (Change::Append { op, blocks }, Some(log)) => self.append(id, op, log, blocks),
            (Change::Store(answers), Some(log)) => self.store(id, log, answers),
            (Change::Clear { op, start, end, keep_bytes }, Some(log)) => {
                self.run(id, false, async move {
                    let result = log.clear(start, end, keep_bytes).await;
                    Completion::Cleared { feed: id, op, range: (start, end), result }
                });
            }
            (Change::Close { op }, log) => self.close(id, op, log),
            (change, Some(log)) => self.rarely(id, log, change),
            (
                Change::Append { op, .. }
                | Change::Clear { op, .. }
                | Change::Put { op, .. }
                | Change::Audit { op }
                | Change::Truncate { op, .. }
                | Change::Finalize { op },
                None,
            ) => {
                slot.is_changing = false;
                self.fail(op, Failure::closed());
            }
            (Change::Store(_), None) => slot.is_changing = false,
        }
    }

    /// Changes that are asked for now and then.
    fn rarely(&mut self, id: u64, log: Arc<Feed>, change: Change) {
        let is_native = log.io().is_native();
        match change {
            Change::Put { op, item } => self.run(id, false, async move {
                let result = log.put(vec![item]).await;
                Completion::Put { feed: id, op, result }
            }),
            Change::Audit { op } => self.run(id, is_native, async move {
                let result = log.audit().await;
                Completion::Audited { feed: id, op, result }
            }),
            Change::Truncate { op, len } => self.run(id, false, async move {
                let old = log.len();
                let result = log.truncate(len).await;
                Completion::Truncated { feed: id, op, result: result.map(|changed| changed.then_some((len, old))) }
            }),
            Change::Finalize { op } => self.run(id, false, async move {
                let result = log.finalize().await;
                Completion::Finalized { feed: id, op, result }
            }),
            Change::Append { .. } | Change::Store(_) | Change::Clear { .. } | Change::Close { .. } => {}
        }
    }

    /// Whether a change is done on a worker: it is big, or the last one here took long.
    fn is_for_worker(&self, id: u64, log: &Feed, size: usize) -> bool {
        let is_slow = self.feeds.get(&id).is_some_and(|slot| self.clock.now() < slot.slow_until);
        // Hooks are answered here, so a change that may ask them stays here.
        let is_hooked = self.feeds.get(&id).is_some_and(|slot| slot.hooks.is_some());
        log.io().is_native() && !is_hooked && (size > BIG || is_slow)
    }

    fn append(&mut self, id: u64, op: u64, log: Arc<Feed>, blocks: Vec<Bytes>) {
        let size: usize = blocks.iter().map(Bytes::len).sum();
        let is_big = self.is_for_worker(id, &log, size);
        self.run(id, is_big, async move {
            let result = log.append(blocks).await;
            Completion::Appended { feed: id, op, result }
        });
    }

    /// Checks and keeps answers; all that came in meanwhile go together.
    fn store(&mut self, id: u64, log: Arc<Feed>, mut answers: Vec<Answer>) {
        let Some(slot) = self.feeds.get_mut(&id) else { return };
        while let Some(Change::Store(more)) = slot.changes.front_mut() {
            answers.append(more);
            slot.changes.pop_front();
        }
        let size: usize = answers.iter().filter_map(|answer| answer.value.as_ref()).map(Bytes::len).sum();
        let outlines = answers.iter().map(Outline::from).collect();
        let is_early = size >= BIG_ANSWERS && size / answers.len().max(1) >= LARGE;
        let is_big = self.is_for_worker(id, &log, if is_early { BIG + 1 } else { size });
        self.run(id, is_big, async move {
            let result = log.put(answers.into_iter().map(put_of).collect()).await;
            Completion::Stored { feed: id, answers: outlines, result }
        });
    }

    fn close(&mut self, id: u64, op: u64, log: Option<Arc<Feed>>) {
        let Some(slot) = self.feeds.get_mut(&id) else { return };
        slot.is_closed = true;
        slot.replicator.cancel_all();
        let mut waiting = std::mem::take(&mut slot.reading);
        waiting.extend(std::mem::take(&mut slot.wanted).into_keys());
        for op in waiting {
            self.queue.push(Kind::Fail, failure_values(op, &Failure::closed()));
        }
        let io = slot.io.clone();
        self.run(id, false, async move {
            let result = match log {
                Some(log) => log.close().await,
                None => io.close().await,
            };
            Completion::Closed { feed: id, op, result: result.map_err(FeedError::from) }
        });
    }

    /// Closes what the feed has on streams at once; its files when the changes under way are over.
    pub(super) fn close_feed(&mut self, id: u64, op: u64) {
        let peers: Vec<PeerId> =
            self.feeds.get(&id).map(|slot| slot.channels.keys().copied().collect()).unwrap_or_default();
        peers.into_iter().for_each(|peer| self.close_peer(id, peer));
        self.change(id, op, Change::Close { op });
    }
}

fn put_of(answer: Answer) -> Put {
    let Answer { peer, index, value, nodes, signature, .. } = answer;
    Put { block: BlockIndex(index), value, nodes, signature, peer: peer.0 }
}
