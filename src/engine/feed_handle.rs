//! Feed handles: what the door holds of a feed. Dropped, the feed is forgotten.
//!
//! ```text
//! call(op, verb)     changes it; answered by an event under the operation's number
//! has, len, ...      looks: answered at once, from what is committed
//! ```

use std::sync::Arc;

use bytes::Bytes;

use super::driver::Driver;
use super::entry::{AttachOptions, Engine, Rest};
use super::event::PeerInfo;
use super::feed::{FeedActor, FeedOptions, FromPeer, Input, LogCell, Place, Verb};
use super::ids::{FeedId, OpId};
use crate::feed::{BlockRead, Feed, HookAnswer, Version};
use crate::math::flat::{BlockIndex, NodeIndex};
use crate::replicate::{PeerId, Replicator};
use crate::store::absence::Said;
use crate::store::io::now;
use crate::store::mailbox::{Answer, Mailbox, Request};
use crate::store::{File, StoreError};

/// One feed of an engine.
pub struct FeedHandle {
    engine: Arc<Engine>,
    id: FeedId,
    log: LogCell,
    mailbox: Option<Arc<Mailbox>>,
}

/// What became of a get.
pub enum Got {
    /// The block was here.
    Now(Bytes),
    /// It will be in the queue.
    Later(Begun),
}

/// A call that was begun.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    /// Events wait.
    pub events: bool,
    /// No peer is needed for the answer.
    pub is_local: bool,
}

/// What an update is answered at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: it waits for peers.
    Wait,
    /// The log is that long already.
    Reached,
    /// It is the writer's log, and nobody else knows of anything newer.
    NothingNew,
    /// No peer is expected to have more.
    Expected,
}

/// An update as it is asked for. Lengths are in blocks.
#[derive(Clone, Copy, Debug)]
pub struct UpdateAsked {
    /// The length to wait for.
    pub min_len: u64,
    /// No peer has more than this, as far as the owner knows.
    pub expected_len: u64,
    /// Give up if no peer can help.
    pub if_available: bool,
    /// Ask peers though the log is the writer's.
    pub force: bool,
}

impl FeedHandle {
    /// Makes a feed under a number of the caller's; nothing is touched before it is opened.
    pub fn new(engine: &Arc<Engine>, id: FeedId, place: Place, options: FeedOptions) -> Self {
        let actor = FeedActor::new(id, place, options, engine.queue().clone());
        let (log, mailbox) = (actor.cell(), actor.mailbox().cloned());
        engine.enter(|driver| driver.add_feed(id, actor));
        Self { engine: engine.clone(), id, log, mailbox }
    }

    /// Its number.
    pub const fn id(&self) -> FeedId {
        self.id
    }

    /// Begins a call, to be answered under its number.
    pub fn call(&self, op: OpId, verb: Verb) -> bool {
        self.engine.enter(|driver| self.begin(driver, op, verb))
    }

    /// Appends blocks: `Appended`. The caller carries out what its storage is asked at once.
    pub fn append(&self, op: OpId, blocks: Vec<Bytes>) -> Rest {
        self.engine.enter_from(Some(self.id), |driver| self.begin(driver, op, Verb::Append(blocks)))
    }

    fn begin(&self, driver: &mut Driver, op: OpId, verb: Verb) {
        if matches!(verb, Verb::Close) {
            driver.close_peers(self.id);
        }
        driver.tell_feed(self.id, Input::Call(op, verb));
    }

    /// Gets a block. Without `wait` only if it is here.
    pub fn get(&self, op: OpId, index: u64, wait: bool) -> Got {
        match self.get_now(index) {
            Some(block) => Got::Now(block),
            None => Got::Later(self.ask(op, Verb::Get { index, wait })),
        }
    }

    /// Begins a call that peers may be needed for.
    pub fn ask(&self, op: OpId, verb: Verb) -> Begun {
        let needs_peers = |driver: &mut Driver| driver.feed(self.id).is_some_and(|actor| actor.needs_peers(op));
        let (events, needs_peers) = self.engine.enter_then(|driver| self.begin(driver, op, verb), needs_peers);
        Begun { events, is_local: !needs_peers }
    }

    /// What an update is answered at once. Programs ask so before each read.
    pub fn judge_update(&self, asked: UpdateAsked) -> Verdict {
        let UpdateAsked { min_len, expected_len, if_available, force } = asked;
        match self.log() {
            Some(log) if log.len() >= min_len => Verdict::Reached,
            Some(log) if if_available && !force && log.is_writable() => Verdict::NothingNew,
            Some(log) if if_available && expected_len <= log.len() => Verdict::Expected,
            _ => Verdict::Wait,
        }
    }

    /// True if the log is `len` blocks long, here or at some peer.
    pub fn is_len_available(&self, len: u64) -> bool {
        self.len() >= len || self.remote_len() >= len
    }

    /// The block, if it can be had without waiting for anything and nothing is to be told before
    /// it.
    fn get_now(&self, index: u64) -> Option<Bytes> {
        let log = self.log().filter(|log| log.io().is_native() && !self.engine.waits())?;
        now(log.get(&log.io().cache_only(), BlockIndex(index)))?.ok().flatten()
    }

    /// Tells the feed something that has no answer of its own. True if events wait.
    pub fn tell(&self, input: Input) -> bool {
        self.engine.enter(|driver| driver.tell_feed(self.id, input))
    }

    /// What to read from a JavaScript storage for a block; None if the block has to be got in the
    /// plain way.
    pub fn next_read(&self, index: u64) -> Option<(BlockRead, Version)> {
        self.log().filter(|log| !log.io().is_native())?.next_read(BlockIndex(index))
    }

    /// Nodes were read for a block, as `next_read` said at `seen`. False if the one that it named
    /// is not among these bytes.
    pub fn remember(&self, node: u64, offset: u64, bytes: &[u8], seen: Version) -> bool {
        self.log().is_some_and(|log| log.remember(NodeIndex(node), offset, bytes, seen).is_ok())
    }

    /// True if these bytes, read as `next_read` said at `seen`, are the block.
    pub fn matches(&self, index: u64, data: &[u8], seen: Version) -> bool {
        self.log().is_some_and(|log| log.matches(BlockIndex(index), data, seen))
    }

    /// True if all blocks of `start..end` are held.
    pub fn has(&self, start: u64, end: u64) -> bool {
        self.log().is_some_and(|log| match end.checked_sub(start) {
            Some(1) => log.has(BlockIndex(start)),
            Some(len) => log.count(start, end) == len,
            None => false,
        })
    }

    /// How many blocks of `start..end` are held.
    pub fn count(&self, start: u64, end: u64) -> u64 {
        self.log().map_or(0, |log| log.count(start, end))
    }

    /// Length in blocks, as committed.
    pub fn len(&self) -> u64 {
        self.log().map_or(0, |log| log.len())
    }

    /// True if there is no block.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The asker's bits around a block.
    pub fn digest(&self, index: u64) -> u64 {
        self.log().map_or(0, |log| log.digest(BlockIndex(index)))
    }

    /// The owner's answer to a question of the feed.
    pub fn answer_hook(&self, question: u64, answer: HookAnswer) -> bool {
        if let Some(hooks) = self.look(|actor| actor.hooks().cloned()).flatten() {
            hooks.exchange.answer(question, answer);
        }
        self.engine.enter(|_| ())
    }

    /// True if some peer can help a seek along. From then on it fails when none can any more.
    pub fn is_seek_available(&self, op: OpId) -> bool {
        self.tell(Input::FailIfUnavailable(op));
        self.look(|actor| actor.is_seek_available(op)).unwrap_or(false)
    }

    /// The number of the peer that was asked for a block and has not answered yet.
    pub fn asked(&self, index: u64) -> Option<PeerId> {
        self.look_at_peers(|peers| peers.asked(index)).flatten()
    }

    /// How many requests to a JavaScript storage wait, writes counted one by one, and the bytes of
    /// all writes.
    pub fn waiting_requests(&self) -> (usize, usize) {
        self.mailbox.as_ref().map_or((0, 0), |mailbox| mailbox.waiting())
    }

    /// These requests.
    pub fn take_requests(&self) -> Vec<Request> {
        self.mailbox.as_ref().map(|mailbox| mailbox.take_requests()).unwrap_or_default()
    }

    /// The answer of a JavaScript storage.
    pub fn answer(&self, request: u64, answer: Result<Answer, StoreError>) -> Rest {
        if let Some(mailbox) = &self.mailbox {
            mailbox.answer(request, answer);
        }
        self.engine.enter_from(Some(self.id), |_| ())
    }

    /// Whether an error of its JavaScript storage only means that a file, or a part of it, is not
    /// there.
    pub fn is_absent(&self, file: File, said: Said<'_>) -> bool {
        self.mailbox.as_ref().is_some_and(|mailbox| mailbox.absence().is_absent(file, said))
    }

    /// What an append has done, if that is all that there is to tell: operation, index of the first
    /// block, length, byte length, live.
    pub fn take_appended(&self) -> Option<[u64; 5]> {
        self.engine.queue().take_appended()
    }

    /// The longest length that any peer has told.
    pub fn remote_len(&self) -> u64 {
        self.look_at_peers(Replicator::remote_len).unwrap_or(0)
    }

    /// True if some peer has the block.
    pub fn is_available(&self, block: u64) -> bool {
        self.look_at_peers(|peers| peers.is_available(block)).unwrap_or(false)
    }

    /// Blocks and bytes received, blocks and bytes sent.
    pub fn totals(&self) -> [u64; 4] {
        self.look(FeedActor::totals).unwrap_or_default()
    }

    /// What is known of a peer.
    pub fn peer_info(&self, peer: PeerId) -> Option<PeerInfo> {
        self.look(|actor| actor.peer_info(peer)).flatten()
    }

    /// True if a peer has a block.
    pub fn peer_has(&self, peer: PeerId, block: u64) -> bool {
        self.look_at_peers(|peers| peers.peer(peer).is_some_and(|peer| peer.has(block))).unwrap_or(false)
    }

    /// Something about a peer. True if events wait.
    pub fn tell_peer(&self, peer: PeerId, input: FromPeer) -> bool {
        self.tell(Input::Peer(peer, input))
    }

    /// Adds a peer whose messages the caller carries.
    pub fn attach_foreign(&self, attach: AttachOptions) -> bool {
        self.engine.enter(|driver| driver.attach_foreign(self.id, attach.peer, attach.options))
    }

    /// A foreign peer is gone.
    pub fn remove_foreign(&self, peer: PeerId) -> bool {
        self.engine.enter(|driver| driver.remove_peer(self.id, peer))
    }

    fn log(&self) -> Option<&Arc<Feed>> {
        self.log.get()
    }

    fn look<T>(&self, look: impl FnOnce(&FeedActor) -> T) -> Option<T> {
        self.engine.look(|driver| driver.feed(self.id).map(look))
    }

    fn look_at_peers<T>(&self, look: impl FnOnce(&Replicator) -> T) -> Option<T> {
        self.look(|actor| look(actor.replicator()))
    }
}

impl Drop for FeedHandle {
    fn drop(&mut self) {
        let id = self.id;
        self.engine.enter(|driver| driver.remove_feed(id));
    }
}
