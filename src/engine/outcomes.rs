//! Outcomes: what a finished job does to the world.

use std::sync::Arc;

use bytes::Bytes;

use super::event::{Failure, Kind, Value};
use super::feeds::{FeedSlot, Wanted};
use super::jobs::{Completion, Outline};
use super::world::World;
use crate::feed::{Appended, Batch, Feed, FeedError, PutReport, Report, Sought};
use crate::math::crypto::discovery_key;
use crate::replicate::{Local, SeekWait, WaitId};
use crate::store::StoreError;

impl World {
    pub(super) fn complete(&mut self, completion: Completion) {
        match completion {
            Completion::Opened { feed, op, result } => self.opened(feed, op, result),
            Completion::Appended { feed, op, result } => self.appended(feed, op, result),
            Completion::Stored { feed, answers, result } => self.stored(feed, &answers, result),
            Completion::Cleared { feed, op, range, result } => self.cleared(feed, op, range, result),
            Completion::Got { feed, op, index, result } => self.got(feed, op, index, result),
            Completion::GotBatch { feed, op, range, result } => self.got_batch(feed, op, range, result),
            Completion::Sought { feed, op, result } => self.sought(feed, op, result),
            Completion::Served { feed, peer, answers } => self.served(feed, peer, answers),
            Completion::Closed { feed, op, result } => self.closed(feed, op, result),
            Completion::Told { feed, op, result } => {
                if self.read(feed, op).is_some() {
                    self.finish(op, result);
                }
            }
            Completion::Put { feed, op, result } => self.put(feed, op, result),
            Completion::Audited { feed, op, result } => self.audited(feed, op, result),
            Completion::Truncated { feed, op, result } => self.truncated(feed, op, result),
            Completion::Finalized { feed, op, result } => {
                self.end_change(feed);
                self.finish(op, result.map(|key| vec![key.into(), discovery_key(&key).into()]));
                self.next_change(feed);
            }
        }
    }

    fn finish(&mut self, op: u64, result: Result<Vec<Value>, FeedError>) {
        match result {
            Ok(values) => self.succeed(op, values),
            Err(error) => self.fail(op, Failure::from(&error)),
        }
    }

    fn put(&mut self, id: u64, op: u64, result: Result<PutReport, FeedError>) {
        self.end_change(id);
        let result = result.and_then(|mut report| {
            let verdict = report.results.pop().unwrap_or(Ok(()));
            self.kept(id, &[], report);
            verdict.map(|()| Vec::new())
        });
        self.finish(op, result);
        self.next_change(id);
    }

    fn audited(&mut self, id: u64, op: u64, result: Result<Report, FeedError>) {
        self.end_change(id);
        let result = result.map(|Report { valid, corrupt }| {
            if let Some(slot) = self.feeds.get_mut(&id) {
                corrupt.iter().for_each(|block| slot.replicator.unannounce(*block, 1));
            }
            let corrupt = corrupt.into_iter().map(Value::Number).collect();
            vec![valid.into(), Value::List(corrupt)]
        });
        self.finish(op, result);
        self.next_change(id);
    }

    fn truncated(&mut self, id: u64, op: u64, result: Result<Option<(u64, u64)>, FeedError>) {
        self.end_change(id);
        if let Ok(Some((len, old))) = result
            && let Some(slot) = self.feeds.get_mut(&id)
        {
            slot.replicator.unannounce(len, old - len);
            let byte_len = slot.log().map_or(0, |log| log.byte_len());
            self.tell(Kind::Truncate, [id.into(), len.into(), byte_len.into()]);
        }
        self.finish(op, result.map(|_| Vec::new()));
        self.next_change(id);
    }

    fn opened(&mut self, id: u64, op: u64, result: Result<Box<Feed>, FeedError>) {
        let log = match result {
            Ok(log) => Arc::<Feed>::from(log),
            Err(error) => return self.fail(op, Failure::from(&error)),
        };
        let key = log.key();
        let discovery = key.as_ref().map(|key| discovery_key(key));
        let values = [
            id.into(),
            key.into(),
            discovery.into(),
            log.secret_key().into(),
            log.len().into(),
            log.byte_len().into(),
            log.is_writable().into(),
            log.is_signed().into(),
        ];
        self.tell(Kind::Opened, values);
        if let Some(slot) = self.feeds.get_mut(&id) {
            slot.feed.set(log).ok();
        }
        self.succeed(op, []);
        self.dirty_feeds.insert(id);
    }

    fn appended(&mut self, id: u64, op: u64, result: Result<Appended, FeedError>) {
        self.end_change(id);
        match result {
            Ok(appended) => {
                let Appended { start, len, byte_len } = appended;
                let live = self.feeds.get(&id).and_then(FeedSlot::log).is_none_or(|log| log.is_signed());
                self.succeed(op, [start.into(), len.into(), byte_len.into(), live.into()]);
                if let Some(slot) = self.feeds.get_mut(&id).filter(|_| len > start) {
                    slot.replicator.announce(start, len - start, None);
                    (start..len).for_each(|block| slot.replicator.arrived(block));
                    slot.replicator.tree_grew();
                }
            }
            Err(error) => self.fail(op, Failure::from(&error)),
        }
        self.next_change(id);
    }

    fn cleared(&mut self, id: u64, op: u64, range: (u64, u64), result: Result<bool, FeedError>) {
        self.end_change(id);
        match result {
            Ok(changed) => {
                if let Some(slot) = self.feeds.get_mut(&id).filter(|_| changed) {
                    slot.replicator.unannounce(range.0, range.1 - range.0);
                    self.tell(Kind::Clear, [id.into(), range.0.into(), range.1.into()]);
                }
                self.succeed(op, []);
            }
            Err(error) => self.fail(op, Failure::from(&error)),
        }
        self.next_change(id);
    }

    /// A read is over. None if it was given up when the feed was closed.
    fn read(&mut self, id: u64, op: u64) -> Option<Arc<Feed>> {
        let slot = self.feeds.get_mut(&id)?;
        slot.reading.remove(&op).then(|| slot.log()).flatten()
    }

    fn got(&mut self, id: u64, op: u64, index: u64, result: Result<Option<Bytes>, FeedError>) {
        let Some(log) = self.read(id, op) else { return };
        match result {
            Ok(Some(block)) => self.succeed(op, [block.into()]),
            // It was cleared in between: wait for it like for any other.
            Ok(None) => self.wait(id, op, Wanted::Block(index)),
            Err(FeedError::Store(StoreError::WouldBlock)) => self.get(id, op, log, index, true),
            Err(error) => self.fail(op, Failure::from(&error)),
        }
    }

    fn got_batch(&mut self, id: u64, op: u64, range: (u64, u64), result: Result<Option<Batch>, FeedError>) {
        let Some(log) = self.read(id, op) else { return };
        match result {
            Ok(Some(Batch { data, sizes })) => {
                self.succeed(op, [data.into(), Value::List(sizes.into_iter().map(Into::into).collect())]);
            }
            Ok(None) => self.fail(op, not_downloaded()),
            Err(FeedError::Store(StoreError::WouldBlock)) => self.get_batch(id, op, log, range, true),
            Err(error) => self.fail(op, Failure::from(&error)),
        }
    }

    fn closed(&mut self, id: u64, op: u64, result: Result<(), FeedError>) {
        match result {
            Ok(()) => self.succeed(op, []),
            Err(error) => self.fail(op, Failure::from(&error)),
        }
        self.end_change(id);
        self.next_change(id);
    }

    /// The feed may be settled again, which it was not while the change was under way.
    fn end_change(&mut self, id: u64) {
        if let Some(slot) = self.feeds.get_mut(&id) {
            slot.is_changing = false;
            self.dirty_feeds.insert(id);
        }
    }

    fn stored(&mut self, id: u64, answers: &[Outline], result: Result<PutReport, FeedError>) {
        self.end_change(id);
        match result {
            Ok(report) => self.kept(id, answers, report),
            Err(error) => {
                for outline in answers {
                    if let Some(slot) = self.feeds.get_mut(&id) {
                        slot.replicator.refused(outline.index, outline.size.is_none());
                    }
                    self.fail_peer(id, outline.peer, &Failure::from(&error));
                }
            }
        }
        self.next_change(id);
    }

    fn sought(&mut self, id: u64, op: u64, result: Result<Sought, FeedError>) {
        let Some(slot) = self.feeds.get_mut(&id) else { return };
        let Some(Wanted::Seek { bytes, start, end, hash, wait, if_available }) = slot.wanted.get(&op).copied() else {
            return;
        };
        let (from, to) = match result {
            Ok(Sought::Block { index, offset }) => {
                slot.wanted.remove(&op);
                return self.succeed(op, [index.into(), offset.into()]);
            }
            Ok(Sought::Within { start: from, end: to }) => (start.max(from), Some(end.map_or(to, |end| end.min(to)))),
            Err(FeedError::OutOfBounds) => (start, end),
            Err(error) => {
                slot.wanted.remove(&op);
                return self.fail(op, Failure::from(&error));
            }
        };
        if !wait || to.is_some_and(|to| to <= from) {
            slot.wanted.remove(&op);
            return self.fail(op, Failure::from(&FeedError::CannotSeek));
        }
        let wait = SeekWait { bytes, start: from, end: to, hash };
        let can_help = |bitfield: &_, len| slot.replicator.can_help(Local { bitfield, len }, wait);
        if if_available && !slot.log().is_some_and(|log| log.with_local(can_help)) {
            slot.wanted.remove(&op);
            return self.fail(op, Failure::new("ENOTAVAILABLE", "Seek not available from peers"));
        }
        slot.replicator.wait_seek(WaitId(op), wait);
        self.dirty_feeds.insert(id);
    }
}

pub(super) fn not_downloaded() -> Failure {
    Failure::new("ENOTDOWNLOADED", "Block not downloaded")
}
