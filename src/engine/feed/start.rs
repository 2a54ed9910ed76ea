//! A call begins: it is answered, waits for a peer, waits for its turn, or becomes a job.
//!
//! ```text
//! get 3, held          job: read it hastily; what is big, or not in the page cache, again on a worker
//! get 3, not held      wanted: the replicator asks for it
//! append, clear, ...   a change: behind those that were asked for before
//! ```

use std::sync::Arc;

use bytes::Bytes;

use super::actor::FeedActor;
use super::call::{Audit, Wanted};
use super::change::Change;
use super::message::{Seek, Verb};
use crate::engine::event::{Answer, Event, Failure, FeedEvent};
use crate::engine::ids::OpId;
use crate::engine::job::{About, Outcome, Outline, Task};
use crate::feed::{self, Feed, FeedError, OpenOptions, Put, Served};
use crate::math::crypto::discovery_key;
use crate::math::flat::BlockIndex;
use crate::replicate::{Answer as Received, Local, Range, SeekWait, UpdateWait, WaitId};
use crate::store::Io;

/// Bytes that an audit hashes between two chances to end it.
const AUDIT_SLICE: u64 = 4 * 1024 * 1024;

impl FeedActor {
    pub(super) fn start(&mut self, now: u64, op: OpId, verb: Verb) {
        match verb {
            Verb::Open(options) => self.open(op, *options),
            Verb::Append(blocks) => self.change(now, Change::Append(op, blocks)),
            Verb::Get { index, wait } => self.get(op, index, wait),
            Verb::GetBatch { start, end, wait } => self.get_batch(op, (start, end), wait),
            Verb::Update(wait) => self.update(op, wait),
            Verb::Download(range) => self.download(op, range),
            Verb::Seek(seek) => {
                if self.want(op, Wanted::Seek(seek)) {
                    self.seek(op, false);
                }
            }
            Verb::Clear { start, end, keep_bytes } => {
                self.change(now, Change::Clear { op, start, end, keep_bytes, is_long: false });
            }
            Verb::Put(item) => self.change(now, Change::Put(op, item)),
            Verb::Audit => self.audit(op),
            Verb::Truncate(len) => self.change(now, Change::Truncate { op, len, is_long: false }),
            Verb::Finalize => self.change(now, Change::Finalize(op)),
            Verb::About(about) => self.answer_about(op, about, false),
            Verb::Close => self.change(now, Change::Close(op)),
            Verb::Destroy => self.destroy(op),
        }
    }

    fn open(&mut self, op: OpId, mut options: OpenOptions) {
        let io = self.io.clone();
        (options.hooks, options.indexing) = (self.hooks.clone(), self.indexing);
        let (id, queue) = (self.id, self.queue.clone());
        // From a worker too: a JavaScript storage is asked for its other files by what it is told
        // here.
        let found = move |key: Option<[u8; 32]>| {
            let discovery_key = key.as_ref().map(|key| discovery_key(key));
            queue.push(Event::Feed { feed: id, event: FeedEvent::Key { key, discovery_key } });
        };
        self.run(
            true,
            Task::Open(op),
            async move { Outcome::Opened(feed::open(io, options, found).await.map(Box::new)) },
        );
    }

    fn destroy(&mut self, op: OpId) {
        let io = self.io.clone();
        self.run(true, Task::Destroy(op), async move { Outcome::Closed(io.destroy().await.map_err(FeedError::from)) });
    }

    fn get(&mut self, op: OpId, index: u64, wait: bool) {
        match self.log() {
            Some(log) if log.has(BlockIndex(index)) => self.read_block(op, index, wait, false),
            _ if wait => _ = self.want(op, Wanted::Block(index)),
            _ if self.is_closed => self.fail(op, Failure::closed()),
            _ => self.fail(op, Failure::not_downloaded()),
        }
    }

    fn get_batch(&mut self, op: OpId, (start, end): (u64, u64), wait: bool) {
        let is_held = |log: Arc<Feed>| log.count(start, end) == end.saturating_sub(start);
        if !wait || self.log().is_none_or(is_held) {
            self.read_batch(op, (start, end), false);
        } else if self.want(op, Wanted::Batch(start, end)) {
            let range = Range::Span { start, end: Some(end), linear: false, hash: false };
            self.replicator.select(Some(WaitId(op.0)), range);
        }
    }

    /// True if the answer to a call depends on peers.
    pub fn needs_peers(&self, op: OpId) -> bool {
        let log = self.log();
        let holds_up_to =
            |bytes| log.is_some_and(|log| bytes <= log.byte_len() && log.count(0, log.len()) == log.len());
        self.calls.needs_peers(op, holds_up_to)
    }

    /// Reads a block that is held; one that is not any more is waited for, if `wait`. What is not
    /// in the cache, or is big, is read again on a worker.
    pub(super) fn read_block(&mut self, op: OpId, index: u64, wait: bool, may_block: bool) {
        let Some((log, io)) = self.begin_read(op, may_block) else { return };
        self.run(may_block, Task::Get { op, index, wait }, async move {
            Outcome::Block(log.get(&io, BlockIndex(index)).await)
        });
    }

    /// The same for several blocks.
    pub(super) fn read_batch(&mut self, op: OpId, (start, end): (u64, u64), may_wait: bool) {
        let Some((log, io)) = self.begin_read(op, may_wait) else { return };
        self.run(may_wait, Task::GetBatch { op, start, end }, async move {
            Outcome::Blocks(log.get_batch(&io, start, end).await)
        });
    }

    /// Answers a question about the log.
    pub(super) fn answer_about(&mut self, op: OpId, about: About, may_wait: bool) {
        let Some((log, io)) = self.begin_read(op, may_wait) else { return };
        self.run(may_wait, Task::About(op, about), async move { Outcome::Answered(answer(&log, &io, about).await) });
    }

    fn audit(&mut self, op: OpId) {
        self.calls.audits.insert(op, Audit::default());
        self.audit_on(op);
    }

    /// Checks the next blocks.
    pub(super) fn audit_on(&mut self, op: OpId) {
        let Some((log, io)) = self.begin_read(op, true) else {
            self.calls.audits.remove(&op);
            return;
        };
        let from = self.calls.audits.get(&op).map_or(0, |audit| audit.next);
        self.run(
            true,
            Task::AuditSlice(op),
            async move { Outcome::Audited(log.audit_slice(&io, from, AUDIT_SLICE).await) },
        );
    }

    /// None, and the operation has failed, if the feed is closed.
    fn begin_read(&mut self, op: OpId, may_wait: bool) -> Option<(Arc<Feed>, Io)> {
        let Some(log) = self.log() else {
            self.fail(op, Failure::closed());
            return None;
        };
        self.calls.reading.insert(op);
        let io = patience(&log, may_wait);
        Some((log, io))
    }

    /// Waits for something; false, and the operation has failed, if the feed is closed.
    pub(super) fn want(&mut self, op: OpId, wanted: Wanted) -> bool {
        if self.is_closed {
            self.fail(op, Failure::closed());
            return false;
        }
        self.calls.wanted.insert(op, wanted);
        if let Wanted::Block(index) = wanted {
            self.replicator.wait_block(WaitId(op.0), index);
        }
        self.mark_dirty();
        true
    }

    fn update(&mut self, op: OpId, wait: UpdateWait) {
        if self.want(op, Wanted::Update) {
            self.replicator.wait_update(WaitId(op.0), wait);
        }
    }

    fn download(&mut self, op: OpId, range: Range) {
        if self.want(op, Wanted::Download) {
            self.replicator.select(Some(WaitId(op.0)), range);
        }
    }

    /// Looks for a byte, once more if it was looked for before.
    pub(super) fn seek(&mut self, op: OpId, may_wait: bool) {
        let Some(Wanted::Seek(Seek { bytes, .. })) = self.calls.wanted.get(&op).copied() else { return };
        let Some(log) = self.log() else { return };
        let io = patience(&log, may_wait);
        self.run(may_wait, Task::Seek(op), async move { Outcome::Sought(log.seek(&io, bytes).await) });
    }

    pub(super) fn fail_if_unavailable(&mut self, op: OpId) {
        if let Some(Wanted::Seek(seek)) = self.calls.wanted.get_mut(&op) {
            seek.if_available = true;
        }
    }

    /// True if some peer can help a waiting seek along.
    pub fn is_seek_available(&self, op: OpId) -> bool {
        let Some(log) = self.log() else { return false };
        log.with_local(|bitfield, len| self.replicator.is_seek_available(Local { bitfield, len }, WaitId(op.0)))
    }

    /// True if some peer can help a seek along.
    pub(super) fn can_help(&self, wait: SeekWait) -> bool {
        let Some(log) = self.log() else { return false };
        log.with_local(|bitfield, len| self.replicator.can_help(Local { bitfield, len }, wait))
    }

    pub(super) fn cancel(&mut self, op: OpId, failure: Failure) {
        if self.calls.wanted.remove(&op).is_some() {
            self.replicator.cancel(WaitId(op.0));
            self.follow();
            self.fail(op, failure);
            self.mark_dirty();
        }
    }

    pub(super) fn cancel_range(&mut self, start: u64, end: u64) {
        for waiting in self.replicator.cancel_range(start, end) {
            self.calls.wanted.remove(&OpId(waiting.0));
            self.fail(OpId(waiting.0), Failure::new("ECANCELED", "Request cancelled"));
        }
        self.follow();
        self.mark_dirty();
    }

    /// Begins the next change, if none is under way.
    pub(super) fn next_change(&mut self, now: u64) {
        let Some(change) = self.changes.begin() else { return };
        match (change, self.log()) {
            (Change::Close(op), log) => self.close(op, log),
            (change, Some(log)) => self.begin_change(now, &log, change),
            (change, None) => {
                self.changes.end(now, 0);
                change.ops().into_iter().for_each(|op| self.fail(op, Failure::closed()));
                self.mark_dirty();
            }
        }
    }

    fn begin_change(&mut self, now: u64, log: &Arc<Feed>, change: Change) {
        let log = log.clone();
        match change {
            Change::Append(op, blocks) => self.append(now, op, log, blocks),
            Change::Store(answers) => self.store(now, log, answers),
            Change::Clear { op, start, end, keep_bytes, is_long } => {
                let io = patience(&log, is_long);
                self.run(is_long, Task::Clear { op, start, end, keep_bytes }, async move {
                    Outcome::Cleared(log.clear(&io, start, end, keep_bytes).await)
                });
            }
            Change::Put(op, item) => self.run(false, Task::Put { op, block: item.block.0 }, async move {
                Outcome::Stored(log.put(vec![*item]).await)
            }),
            Change::Repair(blocks, failed) => {
                self.run(true, Task::Repair(failed), async move { Outcome::Repaired(log.repair(&blocks).await) })
            }
            Change::GiveUp(op, valid, corrupt) => {
                self.run(true, Task::GiveUp(op, valid), async move { Outcome::Repaired(log.give_up(&corrupt).await) });
            }
            Change::Truncate { op, len, is_long } => {
                let (old, io) = (log.len(), patience(&log, is_long));
                self.run(is_long, Task::Truncate { op, len, old }, async move {
                    Outcome::Changed(log.truncate(&io, len).await)
                });
            }
            Change::Finalize(op) => {
                self.run(false, Task::Finalize(op), async move { Outcome::Key(log.finalize().await) })
            }
            Change::Close(_) => {}
        }
    }

    fn append(&mut self, now: u64, op: OpId, log: Arc<Feed>, blocks: Vec<Bytes>) {
        let size = blocks.iter().map(Bytes::len).sum();
        let on_worker = self.hooks.is_none() && self.changes.is_for_worker(now, size);
        self.run(on_worker, Task::Append(op), async move { Outcome::Appended(log.append(blocks).await) });
    }

    /// Checks and keeps answers; hooks are answered here, so what may ask them stays here.
    fn store(&mut self, now: u64, log: Arc<Feed>, answers: Vec<Received>) {
        let outlines = answers.iter().map(Outline::from).collect();
        let on_worker = self.hooks.is_none() && self.changes.are_for_worker(now, &answers);
        self.run(on_worker, Task::Store(outlines), async move {
            Outcome::Stored(log.put(answers.into_iter().map(put_of).collect()).await)
        });
    }

    /// Nothing more is asked, and nothing that waits is answered but with this.
    fn close(&mut self, op: OpId, log: Option<Arc<Feed>>) {
        self.is_closed = true;
        self.replicator.cancel_all();
        let waiting = self.calls.take_all();
        waiting.into_iter().for_each(|op| self.fail(op, Failure::closed()));
        let io = self.io.clone();
        self.run(false, Task::Close(op), async move {
            let result = match log {
                Some(log) => log.close().await,
                None => io.close().await,
            };
            Outcome::Closed(result.map_err(FeedError::from))
        });
    }
}

async fn answer(log: &Feed, io: &Io, about: About) -> Result<Answer, FeedError> {
    Ok(match about {
        About::Leaf(block) => Answer::Leaf(log.leaf(io, BlockIndex(block)).await?),
        About::Roots(len) => Answer::Roots(log.roots_of(io, len).await?),
        About::Signature(block) => {
            let (last, signature) = log.signature_after(io, block).await?;
            Answer::Signature { last, signature }
        }
        About::Signed(block, signature) => Answer::Verdict(log.is_signed_by(io, block, &signature).await?),
        About::Proof(block, digest, hash) => {
            let Served { nodes, signature, .. } = log.prove(io, BlockIndex(block), digest, hash).await?;
            Answer::Proof { nodes, signature }
        }
    })
}

/// The log's storage for work that may take long, or that must not: then it is tried, and done on a
/// worker if it would.
fn patience(log: &Feed, is_long: bool) -> Io {
    if is_long { log.io().clone() } else { log.io().cache_only() }
}

fn put_of(answer: Received) -> Put {
    let Received { peer, index, value, nodes, signature, .. } = answer;
    Put { block: BlockIndex(index), value, nodes, signature, peer: peer.0 }
}
