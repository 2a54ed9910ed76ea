//! FeedActor: see the room's head.
//!
//! ```text
//! handle(now, input)   changes it at once
//! settle(now)          begins the next change, lets peers see the log as it is now
//! poll()               what is to be done: an event, a job, something for a peer
//! ```
//! Handling is cheap and can be repeated for many inputs; settling looks at everything that they
//! changed together, so a chunk full of messages is settled once.
//!
//! Invariant: a call is answered once. Nothing is told of a change before it is over.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use rustc_hash::FxHashMap;

use super::call::Calls;
use super::change::{Change, Changes};
use super::message::{Input, Output, ToPeer};
use super::options::{FeedOptions, Place};
use crate::engine::event::{Answer, Event, Failure, FeedEvent, PeerInfo};
use crate::engine::ids::{FeedId, OpId};
use crate::engine::job::{Job, Outcome, Task};
use crate::engine::queue::Queue;
use crate::engine::stream::Load;
use crate::feed::{Feed, Hooks};
use crate::replicate::{Local, PeerId, Replicator};
use crate::store::Io;
use crate::store::mailbox::Mailbox;

/// The log, once it is open: the actor's, and whoever else may look at it.
pub type LogCell = Arc<OnceLock<Arc<Feed>>>;

/// Who listens to blocks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Listeners {
    pub downloads: bool,
    pub uploads: bool,
}

/// One feed.
pub struct FeedActor {
    pub(super) id: FeedId,
    pub(super) io: Io,
    pub(super) mailbox: Option<Arc<Mailbox>>,
    pub(super) hooks: Option<Arc<Hooks>>,
    pub(super) indexing: bool,
    pub(super) log: LogCell,
    pub(super) is_closed: bool,
    pub(super) changes: Changes,
    pub(super) calls: Calls,
    pub(super) replicator: Replicator,
    /// What was said last to each peer's stream, and the bytes of its answers that wait to be
    /// stored.
    pub(super) loads: FxHashMap<PeerId, Load>,
    pub(super) unstored: FxHashMap<PeerId, usize>,
    pub(super) listeners: Listeners,
    /// Blocks and bytes received, blocks and bytes sent.
    pub(super) totals: [u64; 4],
    /// For what a job has to say before it is over.
    pub(super) queue: Arc<Queue>,
    is_dirty: bool,
    outputs: VecDeque<Output>,
}

impl FeedActor {
    /// A feed of which nothing is touched before it is opened.
    pub fn new(id: FeedId, place: Place, options: FeedOptions, queue: Arc<Queue>) -> Self {
        let (io, mailbox) = place.open();
        Self {
            id,
            io,
            mailbox,
            hooks: options.hooks(),
            indexing: options.indexing,
            log: LogCell::default(),
            is_closed: false,
            changes: Changes::default(),
            calls: Calls::default(),
            replicator: Replicator::new(options.sparse, options.allow_push),
            loads: FxHashMap::default(),
            unstored: FxHashMap::default(),
            listeners: Listeners::default(),
            totals: [0; 4],
            queue,
            is_dirty: false,
            outputs: VecDeque::new(),
        }
    }

    /// Where the log will be once it is open.
    pub fn cell(&self) -> LogCell {
        self.log.clone()
    }

    /// The requests to its JavaScript storage; None if it is elsewhere.
    pub const fn mailbox(&self) -> Option<&Arc<Mailbox>> {
        self.mailbox.as_ref()
    }

    /// The questions to its owner; None if it has none.
    pub const fn hooks(&self) -> Option<&Arc<Hooks>> {
        self.hooks.as_ref()
    }

    /// The log, while it is open.
    pub fn log(&self) -> Option<Arc<Feed>> {
        self.log.get().filter(|_| !self.is_closed).cloned()
    }

    /// Takes in what happened. `now` is in milliseconds.
    pub fn handle(&mut self, now: u64, input: Input) {
        match input {
            Input::Call(op, verb) => self.start(now, op, verb),
            Input::Cancel(op, failure) => self.cancel(op, failure),
            Input::CancelRange(start, end) => self.cancel_range(start, end),
            Input::Listen { downloads, uploads } => self.listeners = Listeners { downloads, uploads },
            Input::Extensions(names) => {
                self.replicator.set_extensions(names);
                self.follow();
            }
            Input::Broadcast(id, payload) => self.broadcast(id, &payload),
            Input::Stop => self.replicator.stop(),
            Input::FailIfUnavailable(op) => self.fail_if_unavailable(op),
            Input::Peer(peer, input) => self.handle_peer(now, peer, input),
            Input::Finished(finished) => self.finish(now, finished),
            Input::Tick => {
                self.replicator.tick(now);
                self.mark_dirty();
                self.follow();
            }
        }
    }

    /// The next thing to be done; None when there is nothing.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// True if it is to be settled.
    pub const fn is_dirty(&self) -> bool {
        self.is_dirty
    }

    /// Begins the next change, and lets the peers see the log as it is now. While a change is under
    /// way there is nothing to see yet: when it is over the feed is dirty again.
    pub fn settle(&mut self, now: u64) {
        self.is_dirty = false;
        self.next_change(now);
        if self.changes.is_changing() {
            return;
        }
        if let Some(log) = self.log() {
            let replicator = &mut self.replicator;
            replicator.set_cautious(log.is_suspect());
            log.with_local(|bitfield, len| replicator.settle(now, Local { bitfield, len }));
        }
        self.follow();
    }

    /// When it wants to be told that time has passed, in milliseconds; None while nothing waits.
    pub fn next_due(&self) -> Option<u64> {
        self.replicator.next_due()
    }

    /// What its replicator knows.
    pub const fn replicator(&self) -> &Replicator {
        &self.replicator
    }

    /// Blocks and bytes received, blocks and bytes sent.
    pub const fn totals(&self) -> [u64; 4] {
        self.totals
    }

    /// What is known of a peer.
    pub fn peer_info(&self, peer: PeerId) -> Option<PeerInfo> {
        let peer = self.replicator.peer(peer)?;
        let (remote_downloading, remote_uploading) = peer.remote_status();
        let stats = peer.stats;
        Some(PeerInfo {
            remote_opened: peer.is_open(),
            remote_len: peer.remote_len(),
            remote_downloading,
            remote_uploading,
            remote_acks: peer.remote_acks(),
            inflight: u64::try_from(peer.inflight()).unwrap_or(0),
            stats: [stats.downloaded_blocks, stats.downloaded_bytes, stats.uploaded_blocks, stats.uploaded_bytes],
        })
    }

    /// Asks for a change, which begins when those before it are over.
    pub(super) fn change(&mut self, now: u64, change: Change) {
        if self.is_closed {
            change.ops().into_iter().for_each(|op| self.fail(op, Failure::closed()));
            return;
        }
        self.changes.push(change);
        self.next_change(now);
    }

    /// Runs a job: on a worker, if its storage is native, or here.
    pub(super) fn run(&mut self, on_worker: bool, task: Task, work: impl Future<Output = Outcome> + Send + 'static) {
        let on_worker = on_worker && self.io.is_native();
        if on_worker {
            self.tell_engine(Event::Busy(1));
        }
        self.outputs.push_back(Output::Run(Job { feed: self.id, task, on_worker, work: Box::pin(work) }));
    }

    pub(super) const fn mark_dirty(&mut self) {
        self.is_dirty = true;
    }

    pub(super) fn tell_engine(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(super) fn tell(&mut self, event: FeedEvent) {
        self.tell_engine(Event::Feed { feed: self.id, event });
    }

    pub(super) fn succeed(&mut self, op: OpId, answer: Answer) {
        self.tell_engine(Event::Done { op, answer });
    }

    pub(super) fn fail(&mut self, op: OpId, failure: impl Into<Failure>) {
        self.tell_engine(Event::Fail { op, failure: failure.into() });
    }

    pub(super) fn tell_peer(&mut self, peer: PeerId, what: ToPeer) {
        self.outputs.push_back(Output::ToPeer(peer, what));
    }
}
