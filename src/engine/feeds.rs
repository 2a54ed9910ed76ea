//! Feeds of the world: operations in, completions back.
//!
//! ```text
//! append, answers, clear, close -> writes (one at a time) -> Feed        reads run at once
//! ```

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::changes::Change;
use super::event::{Failure, Kind, Value};
use super::jobs::{Completion, on_worker};
use super::streams::ChannelPlace;
use super::world::World;
use crate::feed::{self, Feed, FeedError, Hooks, OpenOptions, Question};
use crate::math::crypto::discovery_key;
use crate::math::flat::BlockIndex;
use crate::replicate::{Local, PeerId, Range, Replicator, UpdateWait, WaitId};
use crate::store::Io;
use crate::store::disk::Disk;
use crate::store::mailbox::{Abilities, Mailbox};
use crate::store::memory::{Memory, MemoryStorage};

/// Where a feed's files are.
pub enum Place {
    /// In a directory.
    Disk(PathBuf),
    /// In native memory.
    Memory(Arc<Memory>),
    /// In JavaScript.
    Elsewhere(Abilities),
}

/// What is fixed when a feed is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct FeedOptions {
    /// Download only what is asked for.
    pub sparse: bool,
    /// The blocks' bytes are written by somebody else.
    pub indexing: bool,
    /// Keep valid blocks that nobody asked for.
    pub allow_push: bool,
    /// Ask the owner before writing what a peer sent.
    pub hooks_writes: bool,
    /// Ask the owner for signatures.
    pub hooks_signs: bool,
    /// Ask the owner about signatures.
    pub hooks_verifies: bool,
}

/// Something that waits for a peer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    Block(u64),
    Update,
    Seek { bytes: u64, start: u64, end: Option<u64>, hash: bool, wait: bool, if_available: bool },
    Download,
}

/// One feed of the world.
pub(super) struct FeedSlot {
    pub io: Io,
    pub mailbox: Option<Arc<Mailbox>>,
    pub hooks: Option<Arc<Hooks>>,
    pub indexing: bool,
    pub feed: Arc<OnceLock<Arc<Feed>>>,
    pub replicator: Replicator,
    pub wanted: BTreeMap<u64, Wanted>,
    /// Operations whose blocks are being read.
    pub reading: BTreeSet<u64>,
    pub changes: VecDeque<Change>,
    pub is_changing: bool,
    pub is_closed: bool,
    /// Until then changes are done on a worker: the device was slow.
    pub slow_until: u64,
    /// For how long that is.
    pub slow_for: u64,
    pub channels: BTreeMap<PeerId, ChannelPlace>,
    pub tells_downloads: bool,
    pub tells_uploads: bool,
    pub totals: [u64; 4],
}

impl FeedSlot {
    pub fn new(place: Place, options: FeedOptions) -> Self {
        let mut mailbox = None;
        let io = match place {
            Place::Disk(directory) => Io::native(Arc::new(Disk::new(directory))),
            Place::Memory(memory) => Io::native(Arc::new(MemoryStorage::new(memory))),
            Place::Elsewhere(abilities) => {
                let made = Mailbox::new(abilities);
                mailbox = Some(made.clone());
                Io::mailbox(made)
            }
        };
        Self {
            io,
            mailbox,
            hooks: options.hooks(),
            indexing: options.indexing,
            feed: Arc::default(),
            replicator: Replicator::new(options.sparse, options.allow_push),
            wanted: BTreeMap::new(),
            reading: BTreeSet::new(),
            changes: VecDeque::new(),
            is_changing: false,
            is_closed: false,
            slow_until: 0,
            slow_for: 0,
            channels: BTreeMap::new(),
            tells_downloads: false,
            tells_uploads: false,
            totals: [0; 4],
        }
    }

    /// The log, once it is open.
    pub fn log(&self) -> Option<Arc<Feed>> {
        self.feed.get().filter(|_| !self.is_closed).cloned()
    }
}

impl World {
    pub(super) fn open_feed(&mut self, id: u64, op: u64, mut options: OpenOptions) {
        let Some(slot) = self.feeds.get(&id) else { return self.fail(op, Failure::closed()) };
        let (io, queue) = (slot.io.clone(), self.queue.clone());
        (options.hooks, options.indexing) = (slot.hooks.clone(), slot.indexing);
        let found = move |key: Option<[u8; 32]>| {
            let discovery = key.as_ref().map(|key| discovery_key(key));
            queue.push(Kind::Key, [id.into(), key.into(), discovery.into()]);
        };
        let is_native = io.is_native();
        let job = async move {
            let result = feed::open(io, options, found).await;
            Completion::Opened { feed: id, op, result: result.map(Box::new) }
        };
        self.run(id, is_native, job);
    }

    /// Runs a job of a feed: on a worker, or here, as far as it goes. Only jobs of native storages may go to a worker.
    pub(super) fn run(
        &mut self,
        feed: u64,
        is_for_worker: bool,
        job: impl Future<Output = Completion> + Send + 'static,
    ) {
        if is_for_worker {
            self.tell(Kind::Busy, [Value::Signed(1)]);
            on_worker(&self.completions, job);
        } else {
            self.done.extend(self.tasks.start(feed, job));
        }
    }

    /// JavaScript has forgotten the feed: so do we.
    pub(super) fn remove_feed(&mut self, id: u64) {
        let peers: Vec<PeerId> =
            self.feeds.get(&id).map(|slot| slot.channels.keys().copied().collect()).unwrap_or_default();
        peers.into_iter().for_each(|peer| self.close_peer(id, peer));
        self.feeds.remove(&id);
        self.dirty_feeds.remove(&id);
    }

    pub(super) fn destroy_feed(&mut self, id: u64, op: u64) {
        let Some(slot) = self.feeds.get(&id) else { return self.fail(op, Failure::closed()) };
        let io = slot.io.clone();
        self.run(id, false, async move {
            let result = io.destroy().await.map_err(FeedError::from);
            Completion::Closed { feed: id, op, result }
        });
    }

    /// Reads a block that is held. What is not in the cache, or is big, is read again on a worker.
    pub(super) fn get(&mut self, id: u64, op: u64, log: Arc<Feed>, index: u64, may_wait: bool) {
        let Some(io) = self.begin_read(id, op, &log, may_wait) else { return };
        self.run(id, may_wait && io.is_native(), async move {
            let result = log.get(&io, BlockIndex(index)).await;
            Completion::Got { feed: id, op, index, result }
        });
    }

    /// The same for several blocks.
    pub(super) fn get_batch(&mut self, id: u64, op: u64, log: Arc<Feed>, range: (u64, u64), may_wait: bool) {
        let Some(io) = self.begin_read(id, op, &log, may_wait) else { return };
        self.run(id, may_wait && io.is_native(), async move {
            let result = log.get_batch(&io, range.0, range.1).await;
            Completion::GotBatch { feed: id, op, range, result }
        });
    }

    /// None, and the operation has failed, if the feed is closed.
    fn begin_read(&mut self, id: u64, op: u64, log: &Feed, may_wait: bool) -> Option<Io> {
        let Some(slot) = self.feeds.get_mut(&id).filter(|slot| !slot.is_closed) else {
            self.fail(op, Failure::closed());
            return None;
        };
        slot.reading.insert(op);
        Some(if may_wait { log.io().clone() } else { log.io().cache_only() })
    }

    pub(super) fn wait(&mut self, id: u64, op: u64, wanted: Wanted) {
        let Some(slot) = self.feeds.get_mut(&id).filter(|slot| !slot.is_closed) else {
            return self.fail(op, Failure::closed());
        };
        slot.wanted.insert(op, wanted);
        match wanted {
            Wanted::Block(index) => slot.replicator.wait_block(WaitId(op), index),
            Wanted::Seek { .. } | Wanted::Update | Wanted::Download => {}
        }
        self.dirty_feeds.insert(id);
    }

    pub(super) fn update(&mut self, id: u64, op: u64, wait: UpdateWait) {
        self.wait(id, op, Wanted::Update);
        if let Some(slot) = self.feeds.get_mut(&id).filter(|slot| !slot.is_closed) {
            slot.replicator.wait_update(WaitId(op), wait);
        }
    }

    pub(super) fn download(&mut self, id: u64, op: u64, range: Range) {
        self.wait(id, op, Wanted::Download);
        if let Some(slot) = self.feeds.get_mut(&id).filter(|slot| !slot.is_closed) {
            slot.replicator.select(Some(WaitId(op)), range);
        }
    }

    pub(super) fn begin_seek(&mut self, id: u64, op: u64, wanted: Wanted) {
        self.wait(id, op, wanted);
        self.seek(id, op);
    }

    /// Looks for a byte, once more if it was looked for before.
    pub(super) fn seek(&mut self, id: u64, op: u64) {
        let Some(slot) = self.feeds.get(&id) else { return };
        let (Some(log), Some(Wanted::Seek { bytes, .. })) = (slot.log(), slot.wanted.get(&op).copied()) else { return };
        self.run(id, false, async move {
            let result = log.seek(log.io(), bytes).await;
            Completion::Sought { feed: id, op, result }
        });
    }

    pub(super) fn is_seek_available(&mut self, id: u64, op: u64) -> bool {
        let Some(slot) = self.feeds.get_mut(&id) else { return false };
        let Some(log) = slot.log() else { return false };
        if let Some(Wanted::Seek { if_available, .. }) = slot.wanted.get_mut(&op) {
            *if_available = true;
        }
        let replicator = &slot.replicator;
        log.with_local(|bitfield, len| replicator.is_seek_available(Local { bitfield, len }, WaitId(op)))
    }

    pub(super) fn cancel(&mut self, id: u64, op: u64, failure: Failure) {
        let Some(slot) = self.feeds.get_mut(&id) else { return };
        if slot.wanted.remove(&op).is_some() {
            slot.replicator.cancel(WaitId(op));
            self.fail(op, failure);
            self.dirty_feeds.insert(id);
        }
    }

    pub(super) fn cancel_range(&mut self, id: u64, start: u64, end: u64) {
        let Some(slot) = self.feeds.get_mut(&id) else { return };
        for waiting in slot.replicator.cancel_range(start, end) {
            slot.wanted.remove(&waiting.0);
            let failure = Failure::new("ECANCELED", "Request cancelled");
            self.queue.push(Kind::Fail, failure_values(waiting.0, &failure));
        }
        self.dirty_feeds.insert(id);
    }

    /// Lets the feed's peers see the log as it is now, and does what follows. While a change is under way there is
    /// nothing to see yet: its completion comes back here.
    pub(super) fn settle_feed(&mut self, id: u64) {
        self.next_change(id);
        let now = self.clock.now();
        let Some(slot) = self.feeds.get_mut(&id).filter(|slot| !slot.is_changing) else { return };
        if let Some(log) = slot.log() {
            let replicator = &mut slot.replicator;
            replicator.set_cautious(log.is_suspect());
            log.with_local(|bitfield, len| replicator.settle(now, Local { bitfield, len }));
        }
        self.route(id);
        self.serve_foreign(id);
    }

    /// Tells JavaScript of the requests that verbs made to its storages. Those of the feed that it is calling it can take at
    /// once, unless there is something to be told before: true if there are any.
    pub(super) fn hand_out_io(&mut self, caller: Option<u64>) -> bool {
        let mut is_for_caller = false;
        for id in self.tasks.touched() {
            self.hand_out_questions(id);
            let mailbox = self.feeds.get(&id).and_then(|slot| slot.mailbox.as_ref());
            if mailbox.is_none_or(|mailbox| mailbox.waiting().0 == 0) {
                continue;
            }
            match caller {
                Some(caller) if caller == id && self.queue.is_empty() => is_for_caller = true,
                _ => self.queue.push(Kind::Io, [id.into()]),
            }
        }
        is_for_caller
    }
}

impl World {
    fn hand_out_questions(&mut self, id: u64) {
        let hooks = self.feeds.get(&id).and_then(|slot| slot.hooks.as_ref());
        let questions = hooks.map(|hooks| hooks.exchange.take()).unwrap_or_default();
        for (number, question) in questions {
            let mut values = vec![id.into(), number.into()];
            match question {
                Question::Sign(message) => values.extend([Value::Number(0), message.into()]),
                Question::Verify(message, signature) => {
                    values.extend([Value::Number(1), message.into(), signature.into()]);
                }
                Question::Write(index, value, peer) => {
                    values.extend([Value::Number(2), index.into(), value.into(), peer.into()]);
                }
            }
            self.queue.push(Kind::Hook, values);
        }
    }
}

impl FeedOptions {
    fn hooks(&self) -> Option<Arc<Hooks>> {
        let (writes, signs, verifies) = (self.hooks_writes, self.hooks_signs, self.hooks_verifies);
        let hooks = Hooks { writes, signs, verifies, ..Hooks::default() };
        (writes || signs || verifies).then(|| Arc::new(hooks))
    }
}

pub(super) fn failure_values(op: u64, failure: &Failure) -> [Value; 4] {
    let code = failure.code.clone().map_or(Value::Null, Value::Text);
    [op.into(), code, Value::Text(failure.message.clone()), failure.foreign.into()]
}
