//! Feed handles: what the door holds of a feed. Dropped, the feed is forgotten.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::changes::Change;
use super::event::Failure;
use super::feeds::{FeedOptions, FeedSlot, Place, Wanted};
use super::outcomes::not_downloaded;
use super::peers::{AttachOptions, PeerInfo};
use super::told::About;
use super::{Engine, Rest, World};
use crate::feed::{BlockRead, Feed, HookAnswer, OpenOptions, Put};
use crate::math::flat::{BlockIndex, NodeIndex};
use crate::replicate::{PeerId, Range, UpdateWait};
use crate::store::StoreError;
use crate::store::io::now;
use crate::store::mailbox::{Answer, Mailbox, Request};
use crate::wire::Message;

/// One feed of an engine.
pub struct FeedHandle {
    engine: Arc<Engine>,
    id: u64,
    feed: Arc<OnceLock<Arc<Feed>>>,
    mailbox: Option<Arc<Mailbox>>,
}

/// What became of a get.
pub enum Got {
    /// The block was here.
    Now(Bytes),
    /// It will be in the queue; true if events wait.
    Later(bool),
}

impl FeedHandle {
    /// Makes a feed under a number of the caller's; nothing is touched before it is opened.
    pub fn new(engine: &Arc<Engine>, id: u64, place: Place, options: FeedOptions) -> Self {
        let slot = FeedSlot::new(place, options);
        let (feed, mailbox) = (slot.feed.clone(), slot.mailbox.clone());
        engine.enter(|world| drop(world.feeds.insert(id, slot)));
        Self { engine: engine.clone(), id, feed, mailbox }
    }

    /// Its number.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    fn enter(&self, change: impl FnOnce(&mut World)) -> bool {
        self.engine.enter(change)
    }

    fn look<T>(&self, look: impl FnOnce(&FeedSlot) -> T) -> Option<T> {
        self.engine.look(|world| world.feeds.get(&self.id).map(look))
    }

    fn log(&self) -> Option<&Arc<Feed>> {
        self.feed.get()
    }

    /// Opens it: `Key`, `Opened`, `Done`.
    pub fn open(&self, op: u64, options: OpenOptions) -> bool {
        self.enter(|world| world.open_feed(self.id, op, options))
    }

    /// Appends blocks: `Done` with the index of the first, length, byte length, live.
    pub fn append(&self, op: u64, blocks: Vec<Bytes>) -> Rest {
        self.engine.enter_from(Some(self.id), |world| world.change(self.id, op, Change::Append { op, blocks }))
    }

    /// Gets a block. Without `wait` only if it is here.
    pub fn get(&self, op: u64, index: u64, wait: bool) -> Got {
        if let Some(block) = self.get_now(index) {
            return Got::Now(block);
        }
        Got::Later(self.enter(|world| match self.log() {
            Some(log) if log.has(BlockIndex(index)) => world.get(self.id, op, log.clone(), index, false),
            _ if wait => world.wait(self.id, op, Wanted::Block(index)),
            _ => world.fail(op, not_downloaded()),
        }))
    }

    /// The block, if it can be had without waiting for anything and nothing is to be told before it.
    fn get_now(&self, index: u64) -> Option<Bytes> {
        let log = self.log().filter(|log| log.io().is_native())?;
        let block = now(log.get(&log.io().cache_only(), BlockIndex(index)))?.ok().flatten()?;
        self.engine.queue.is_empty().then_some(block)
    }

    /// What to read from a JavaScript storage for a block; None if the block has to be got in the plain way.
    pub fn next_read(&self, index: u64) -> Option<BlockRead> {
        self.log().filter(|log| !log.io().is_native())?.next_read(BlockIndex(index))
    }

    /// Nodes were read for a block. False if there are none in these bytes.
    pub fn remember(&self, first: u64, bytes: &[u8]) -> bool {
        self.log().is_some_and(|log| log.remember(NodeIndex(first), bytes).is_ok())
    }

    /// True if these bytes are the block.
    pub fn matches(&self, index: u64, data: &[u8]) -> bool {
        self.log().is_some_and(|log| log.matches(BlockIndex(index), data))
    }

    /// Gets blocks that are all here.
    pub fn get_batch(&self, op: u64, start: u64, end: u64) -> bool {
        self.enter(|world| match self.log() {
            Some(log) => world.get_batch(self.id, op, log.clone(), (start, end), false),
            None => world.fail(op, Failure::closed()),
        })
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

    /// Waits for a length.
    pub fn update(&self, op: u64, wait: UpdateWait) -> bool {
        self.enter(|world| world.update(self.id, op, wait))
    }

    /// Downloads a range.
    pub fn download(&self, op: u64, range: Range) -> bool {
        self.enter(|world| world.download(self.id, op, range))
    }

    /// A feed that is not sparse no longer downloads everything by itself.
    pub fn stop(&self) {
        self.enter(|world| {
            if let Some(slot) = world.feeds.get_mut(&self.id) {
                slot.replicator.stop();
            }
        });
    }

    /// Looks for a byte; waits for what is missing, if `wait`.
    pub fn seek(&self, op: u64, bytes: u64, start: u64, end: Option<u64>, wait: bool, hash: bool) -> bool {
        self.enter(|world| {
            world.begin_seek(self.id, op, Wanted::Seek { bytes, start, end, hash, wait, if_available: false })
        })
    }

    /// Gives up something that waits.
    pub fn cancel(&self, op: u64, failure: Failure) -> bool {
        self.enter(|world| world.cancel(self.id, op, failure))
    }

    /// Gives up the gets and seeks inside a range.
    pub fn cancel_range(&self, start: u64, end: u64) -> bool {
        self.enter(|world| world.cancel_range(self.id, start, end))
    }

    /// Gives up blocks that are held, and their bytes unless these are to be kept: `Clear`, `Done`.
    pub fn clear(&self, op: u64, start: u64, end: u64, keep_bytes: bool) -> bool {
        self.enter(|world| world.change(self.id, op, Change::Clear { op, start, end, keep_bytes }))
    }

    /// Closes peers, fails what waits, gives up the files.
    pub fn close(&self, op: u64) -> bool {
        self.enter(|world| world.close_feed(self.id, op))
    }

    /// Removes the files.
    pub fn destroy(&self, op: u64) -> bool {
        self.enter(|world| world.destroy_feed(self.id, op))
    }

    /// Who listens to blocks coming and going.
    pub fn set_listeners(&self, downloads: bool, uploads: bool) {
        self.enter(|world| {
            if let Some(slot) = world.feeds.get_mut(&self.id) {
                (slot.tells_downloads, slot.tells_uploads) = (downloads, uploads);
            }
        });
    }

    /// The names of the feed's extensions, sorted.
    pub fn set_extensions(&self, names: Vec<String>) -> bool {
        self.enter(|world| {
            if let Some(slot) = world.feeds.get_mut(&self.id) {
                slot.replicator.set_extensions(names);
                world.dirty_feeds.insert(self.id);
            }
        })
    }

    /// The owner's answer to a question of the feed.
    pub fn answer_hook(&self, question: u64, answer: HookAnswer) -> bool {
        if let Some(hooks) = self.look(|slot| slot.hooks.clone()).flatten() {
            hooks.exchange.answer(question, answer);
        }
        self.enter(|_| ())
    }

    /// True if some peer can help a seek along. From then on it fails when none can any more.
    pub fn is_seek_available(&self, op: u64) -> bool {
        let mut is_available = false;
        self.enter(|world| is_available = world.is_seek_available(self.id, op));
        is_available
    }

    /// The number of the peer that was asked for a block and has not answered yet.
    pub fn asked(&self, index: u64) -> Option<u64> {
        self.look(|slot| slot.replicator.asked(index).map(|peer| peer.0)).flatten()
    }

    /// Time has passed.
    pub fn tick(&self) -> bool {
        self.enter(|world| world.tick_feed(self.id))
    }

    /// Runs something that the feed tells about itself: `Done` with its values.
    pub fn tell(&self, op: u64, about: About) -> bool {
        self.enter(|world| match self.log() {
            Some(log) => world.tell_about(self.id, op, log.clone(), about),
            None => world.fail(op, Failure::closed()),
        })
    }

    /// Checks and keeps one answer of somebody else's: `Done`.
    pub fn put(&self, op: u64, item: Put) -> bool {
        self.enter(|world| world.change(self.id, op, Change::Put { op, item }))
    }

    /// Checks all blocks: `Done` with how many are valid, and a list of the others.
    pub fn audit(&self, op: u64) -> bool {
        self.enter(|world| world.change(self.id, op, Change::Audit { op }))
    }

    /// Makes the log shorter: `Truncate`, `Done`.
    pub fn truncate(&self, op: u64, len: u64) -> bool {
        self.enter(|world| world.change(self.id, op, Change::Truncate { op, len }))
    }

    /// Gives a static feed its key: `Done` with the key and the discovery key.
    pub fn finalize(&self, op: u64) -> bool {
        self.enter(|world| world.change(self.id, op, Change::Finalize { op }))
    }

    /// The asker's bits around a block.
    pub fn digest(&self, index: u64) -> u64 {
        self.log().map_or(0, |log| log.digest(BlockIndex(index)))
    }

    /// How many requests to a JavaScript storage wait, writes counted one by one, and the bytes of all writes.
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

    /// What an append has done, if that is all that there is to tell: operation, index of the first block, length, byte
    /// length, live.
    pub fn take_appended(&self) -> Option<[u64; 5]> {
        self.engine.take_appended()
    }

    /// The longest length that any peer has told.
    pub fn remote_len(&self) -> u64 {
        self.look(|slot| slot.replicator.remote_len()).unwrap_or(0)
    }

    /// True if some peer has the block.
    pub fn is_available(&self, block: u64) -> bool {
        self.look(|slot| slot.replicator.is_available(block)).unwrap_or(false)
    }

    /// Blocks and bytes received, blocks and bytes sent.
    pub fn totals(&self) -> [u64; 4] {
        self.look(|slot| slot.totals).unwrap_or_default()
    }

    /// What is known of a peer.
    pub fn peer_info(&self, peer: u64) -> Option<PeerInfo> {
        self.engine.look(|world| world.peer_info(self.id, PeerId(peer)))
    }

    /// True if a peer has a block.
    pub fn peer_has(&self, peer: u64, block: u64) -> bool {
        self.look(|slot| slot.replicator.peer(PeerId(peer)).is_some_and(|peer| peer.has(block))).unwrap_or(false)
    }

    /// Switches downloading and uploading for a peer.
    pub fn set_peer_status(&self, peer: u64, downloading: bool, uploading: bool) -> bool {
        self.enter(|world| {
            if let Some(slot) = world.feeds.get_mut(&self.id) {
                slot.replicator.set_status(PeerId(peer), downloading, uploading);
                world.dirty_feeds.insert(self.id);
            }
        })
    }

    /// Sends an extension message to a peer.
    pub fn send_extension(&self, peer: u64, id: u64, payload: Bytes) -> bool {
        self.enter(|world| world.send(self.id, PeerId(peer), Message::Extension { id, payload }))
    }

    /// Adds a peer whose messages the caller carries.
    pub fn attach_foreign(&self, attach: AttachOptions) -> bool {
        self.enter(|world| world.attach_foreign(self.id, attach))
    }

    /// A foreign peer has opened its side.
    pub fn open_foreign(&self, peer: u64) -> bool {
        self.enter(|world| world.open_peer(self.id, PeerId(peer)))
    }

    /// A message of a foreign peer.
    pub fn receive_foreign(&self, peer: u64, message: Message) -> bool {
        self.enter(|world| world.receive_message(self.id, PeerId(peer), message))
    }

    /// A foreign peer is gone.
    pub fn remove_foreign(&self, peer: u64) -> bool {
        self.enter(|world| world.remove_peer(self.id, PeerId(peer)))
    }

    /// Closes a peer's channel.
    pub fn close_peer(&self, peer: u64) -> bool {
        self.enter(|world| world.close_peer(self.id, PeerId(peer)))
    }
}

impl Drop for FeedHandle {
    fn drop(&mut self) {
        let id = self.id;
        self.engine.enter(|world| world.remove_feed(id));
    }
}
