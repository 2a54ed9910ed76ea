//! A job is over: its operation is answered, and whoever has to know is told.
//!
//! ```text
//! a read that would have had to wait   is begun again on a worker
//! a read that found rot                waits behind a repair, which is a change; then it fails
//! a job that panicked                  its operations fail with EINTERNAL, and the feed closes itself
//! ```

use std::sync::Arc;

use bytes::Bytes;

use super::actor::FeedActor;
use super::call::Wanted;
use super::change::Change;
use super::message::Seek;
use crate::engine::event::{Answer, Event, Failure, FeedEvent, Opened};
use crate::engine::ids::OpId;
use crate::engine::job::{About, Finished, Outcome, Outline, Task};
use crate::feed::{Appended, Batch, Feed, FeedError, PutReport, Repaired, Slice, Sought};
use crate::math::crypto::discovery_key;
use crate::replicate::{SeekWait, WaitId};
use crate::store::StoreError;

/// A number that no caller gives an operation: for a close that nobody asked for.
const NOBODY: OpId = OpId(0);

impl FeedActor {
    pub(super) fn finish(&mut self, now: u64, finished: Finished) {
        let Finished { task, outcome, held, on_worker, .. } = finished;
        if on_worker {
            self.tell_engine(Event::Busy(-1));
        }
        if task.is_change() {
            self.changes.end(now, held);
            self.mark_dirty();
        }
        self.settle_task(now, task, outcome);
        self.follow();
        self.next_change(now);
    }

    fn settle_task(&mut self, now: u64, task: Task, outcome: Outcome) {
        match (task, outcome) {
            (Task::Open(op), Outcome::Opened(result)) => self.opened(op, result),
            (Task::Append(op), Outcome::Appended(result)) => self.appended(op, result),
            (Task::Store(outlines), Outcome::Stored(result)) => self.stored(&outlines, result),
            (Task::Clear { op, start, end, keep_bytes }, Outcome::Cleared(result)) => {
                self.cleared(op, (start, end), keep_bytes, result);
            }
            (Task::Put { op, block }, Outcome::Stored(result)) => self.put(op, block, result),
            (Task::Repair(failed), Outcome::Repaired(result)) => {
                if let Ok(repaired) = result {
                    repaired.lost.into_iter().for_each(|block| self.replicator.lost(block, block + 1));
                }
                failed.into_iter().for_each(|(op, failure)| self.fail_read(op, failure));
            }
            (Task::GiveUp(op, valid), Outcome::Repaired(result)) => self.gave_up(op, valid, result),
            (Task::Truncate { op, len, old }, Outcome::Changed(result)) => self.truncated(op, (len, old), result),
            (Task::Finalize(op), Outcome::Key(result)) => {
                let answer = |key| Answer::Key { key, discovery_key: discovery_key(&key) };
                self.answer(op, result.map(answer));
            }
            (Task::Close(op) | Task::Destroy(op), Outcome::Closed(result)) => {
                self.answer(op, result.map(|()| Answer::Nothing));
            }
            (Task::Get { op, index, wait }, Outcome::Block(result)) => self.got(now, op, (index, wait), result),
            (Task::GetBatch { op, start, end }, Outcome::Blocks(result)) => {
                self.got_batch(now, op, (start, end), result);
            }
            (Task::Seek(op), Outcome::Sought(result)) => self.sought(op, result),
            (Task::About(op, about), Outcome::Answered(result)) => self.answered(op, about, result),
            (Task::AuditSlice(op), Outcome::Audited(result)) => self.audited(now, op, result),
            (Task::Serve { peer, requests, seen }, Outcome::Served(answers)) => {
                self.served(now, peer, requests.into_iter().zip(answers), seen);
            }
            (task, Outcome::Panicked(why)) => self.broke(now, &task, &why),
            (task, _) => self.broke(now, &task, "another job's outcome"),
        }
    }

    /// Something went wrong that cannot: what it was for fails, and the log is left alone from now
    /// on.
    fn broke(&mut self, now: u64, task: &Task, why: &str) {
        let failure = Failure::internal(task.doing(), why);
        for op in task.ops() {
            self.calls.reading.remove(&op);
            self.calls.wanted.remove(&op);
            self.calls.audits.remove(&op);
            self.fail(op, failure.clone());
        }
        if !matches!(task, Task::Close(_) | Task::Destroy(_) | Task::Open(_)) {
            self.change(now, Change::Close(NOBODY));
        }
    }

    fn answer(&mut self, op: OpId, result: Result<Answer, FeedError>) {
        match result {
            Ok(answer) => self.succeed(op, answer),
            Err(error) => self.fail(op, error),
        }
    }

    fn opened(&mut self, op: OpId, result: Result<Box<Feed>, FeedError>) {
        let log = match result {
            Ok(log) => Arc::<Feed>::from(log),
            Err(error) => return self.fail(op, error),
        };
        let key = log.key();
        self.tell(FeedEvent::Opened(Opened {
            key,
            discovery_key: key.as_ref().map(|key| discovery_key(key)),
            secret_key: log.secret_key(),
            len: log.len(),
            byte_len: log.byte_len(),
            writable: log.is_writable(),
            live: log.is_signed(),
        }));
        self.log.set(log).ok();
        self.succeed(op, Answer::Nothing);
        self.mark_dirty();
    }

    fn appended(&mut self, op: OpId, result: Result<Appended, FeedError>) {
        let Appended { start, len, byte_len } = match result {
            Ok(appended) => appended,
            Err(error) => return self.fail(op, error),
        };
        let live = self.log.get().is_none_or(|log| log.is_signed());
        self.succeed(op, Answer::Appended { start, len, byte_len, live });
        if len > start {
            self.replicator.grew(byte_len);
            self.replicator.announce(start, len - start, None);
            for (index, wait) in self.replicator.arrived_range(start, len) {
                if self.calls.wanted.remove(&OpId(wait.0)).is_some() {
                    self.read_block(OpId(wait.0), index, true, false);
                }
            }
        }
    }

    fn stored(&mut self, outlines: &[Outline], result: Result<PutReport, FeedError>) {
        self.unload(outlines);
        match result {
            Ok(report) => self.kept(outlines, report),
            Err(error) => {
                for outline in outlines {
                    self.replicator.refused(outline.index, outline.size.is_none());
                    self.fail_peer(outline.peer, Failure::from(&error));
                }
            }
        }
    }

    fn put(&mut self, op: OpId, block: u64, result: Result<PutReport, FeedError>) {
        let result = result.and_then(|mut report| {
            let verdict = report.results.pop().unwrap_or(Ok(()));
            self.kept(&[], report);
            self.replicator.tree_grew(block);
            verdict.map(|()| Answer::Nothing)
        });
        self.answer(op, result);
    }

    fn cleared(
        &mut self,
        op: OpId,
        (start, end): (u64, u64),
        keep_bytes: bool,
        result: Result<Vec<(u64, u64)>, FeedError>,
    ) {
        match &result {
            Err(FeedError::Store(StoreError::WouldBlock)) => {
                return self.changes.push_first(Change::Clear { op, start, end, keep_bytes, is_long: true });
            }
            Ok(held) if !held.is_empty() => {
                self.replicator.cleared(start, end, held);
                self.tell(FeedEvent::Clear { start, end });
            }
            _ => {}
        }
        self.answer(op, result.map(|_| Answer::Nothing));
    }

    fn truncated(&mut self, op: OpId, (len, old): (u64, u64), result: Result<bool, FeedError>) {
        if matches!(result, Err(FeedError::Store(StoreError::WouldBlock))) {
            return self.changes.push_first(Change::Truncate { op, len, is_long: true });
        }
        if matches!(result, Ok(true)) {
            self.replicator.truncated(len, old);
            let byte_len = self.log.get().map_or(0, |log| log.byte_len());
            self.tell(FeedEvent::Truncate { len, byte_len });
        }
        self.answer(op, result.map(|_| Answer::Nothing));
    }

    /// A read is over. False if it was given up when the feed was closed.
    fn end_read(&mut self, op: OpId) -> bool {
        self.calls.reading.remove(&op)
    }

    fn got(&mut self, now: u64, op: OpId, (index, wait): (u64, bool), result: Result<Option<Bytes>, FeedError>) {
        if !self.end_read(op) {
            return;
        }
        match result {
            Ok(Some(block)) => self.succeed(op, Answer::Block(block)),
            // It was cleared in between: it is like any other that is not here.
            Ok(None) if wait => drop(self.want(op, Wanted::Block(index))),
            Ok(None) => self.fail(op, Failure::not_downloaded()),
            Err(FeedError::Store(StoreError::WouldBlock)) => self.read_block(op, index, wait, true),
            Err(error) => self.fail_or_repair(now, op, index, &error),
        }
    }

    fn got_batch(&mut self, now: u64, op: OpId, range: (u64, u64), result: Result<Option<Batch>, FeedError>) {
        if !self.end_read(op) {
            return;
        }
        match result {
            Ok(Some(batch)) => self.succeed(op, Answer::Blocks(batch)),
            Ok(None) => self.fail(op, Failure::not_downloaded()),
            Err(FeedError::Store(StoreError::WouldBlock)) => self.read_batch(op, range, true),
            Err(error) => self.fail_or_repair(now, op, range.0, &error),
        }
    }

    /// What is rotten is given up first, so that who is told of it may ask for it again at once.
    fn fail_or_repair(&mut self, now: u64, op: OpId, index: u64, error: &FeedError) {
        let rotten = match error {
            FeedError::BadBlock(block) => block.0,
            FeedError::NodeMissing(_) => index,
            _ => return self.fail(op, error),
        };
        self.calls.reading.insert(op);
        self.change(now, Change::Repair(vec![rotten], vec![(op, Failure::from(error))]));
    }

    fn fail_read(&mut self, op: OpId, failure: Failure) {
        if self.end_read(op) {
            self.fail(op, failure);
        }
    }

    fn answered(&mut self, op: OpId, about: About, result: Result<Answer, FeedError>) {
        if !self.end_read(op) {
            return;
        }
        match result {
            Err(FeedError::Store(StoreError::WouldBlock)) => self.answer_about(op, about, true),
            result => self.answer(op, result),
        }
    }

    /// Some blocks were checked: goes on with the next, or gives up what was found, and answers.
    fn audited(&mut self, now: u64, op: OpId, result: Result<Slice, FeedError>) {
        let is_over = !self.end_read(op);
        let Some(mut audit) = self.calls.audits.remove(&op).filter(|_| !is_over) else { return };
        let Slice { valid, corrupt, next } = match result {
            Ok(slice) => slice,
            Err(error) => return self.fail(op, error),
        };
        audit.valid += valid;
        audit.corrupt.extend(corrupt);
        match next {
            Some(next) => {
                audit.next = next;
                self.calls.audits.insert(op, audit);
                self.audit_on(op);
            }
            None if audit.corrupt.is_empty() => {
                self.succeed(op, Answer::Audit { valid: audit.valid, corrupt: Vec::new() });
            }
            None => self.change(now, Change::GiveUp(op, audit.valid, audit.corrupt)),
        }
    }

    fn gave_up(&mut self, op: OpId, valid: u64, result: Result<Repaired, FeedError>) {
        let answer = result.map(|Repaired { lost: corrupt }| {
            corrupt.iter().for_each(|block| self.replicator.lost(*block, block + 1));
            Answer::Audit { valid, corrupt }
        });
        self.answer(op, answer);
    }

    fn sought(&mut self, op: OpId, result: Result<Sought, FeedError>) {
        let Some(Wanted::Seek(seek)) = self.calls.wanted.get(&op).copied() else { return };
        let Seek { bytes, start, end, hash, wait, if_available } = seek;
        let is_within = self.log().is_some_and(|log| bytes <= log.byte_len());
        let (from, to) = match result {
            Ok(Sought::Block { index, offset }) => {
                self.calls.wanted.remove(&op);
                return self.succeed(op, Answer::Place { index, offset });
            }
            Ok(Sought::Within { start: from, end: to }) => (start.max(from), Some(end.map_or(to, |end| end.min(to)))),
            // It may have grown since it was read.
            Err(FeedError::OutOfBounds) if wait && is_within => return self.seek(op, false),
            Err(FeedError::OutOfBounds) if wait => (start, end),
            Err(FeedError::Store(StoreError::WouldBlock)) => return self.seek(op, true),
            Err(error) => return self.end_seek(op, error),
        };
        if !wait || to.is_some_and(|to| to <= from) {
            return self.end_seek(op, FeedError::CannotSeek);
        }
        let wait = SeekWait { bytes, start: from, end: to, hash, is_beyond: !is_within };
        if if_available && !self.can_help(wait) {
            return self.end_seek(op, Failure::new("ENOTAVAILABLE", "Seek not available from peers"));
        }
        self.replicator.wait_seek(WaitId(op.0), wait);
        self.mark_dirty();
    }

    fn end_seek(&mut self, op: OpId, failure: impl Into<Failure>) {
        self.calls.wanted.remove(&op);
        self.fail(op, failure);
    }
}

impl Task {
    /// The operations that wait for it.
    fn ops(&self) -> Vec<OpId> {
        match self {
            Self::Store(_) | Self::Serve { .. } => Vec::new(),
            Self::Repair(failed) => failed.iter().map(|(op, _)| *op).collect(),
            Self::Open(op)
            | Self::Append(op)
            | Self::Clear { op, .. }
            | Self::Put { op, .. }
            | Self::GiveUp(op, _)
            | Self::Truncate { op, .. }
            | Self::Finalize(op)
            | Self::Close(op)
            | Self::Destroy(op)
            | Self::Get { op, .. }
            | Self::GetBatch { op, .. }
            | Self::Seek(op)
            | Self::About(op, _)
            | Self::AuditSlice(op) => vec![*op],
        }
    }
}
