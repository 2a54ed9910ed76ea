//! Stream handles: what the door holds of a stream. Dropped, the stream is closed.

use std::sync::Arc;

use bytes::Bytes;

use super::feed_handle::FeedHandle;
use super::peers::AttachOptions;
use super::streams::{StreamOptions, Taken};
use super::{Engine, World};
use crate::math::crypto::Hash;
use crate::wire::{Message, Protocol};

/// One stream of an engine.
pub struct StreamHandle {
    engine: Arc<Engine>,
    id: u64,
}

impl StreamHandle {
    /// Makes a stream under a number of the caller's.
    pub fn new(engine: &Arc<Engine>, id: u64, options: StreamOptions) -> Self {
        engine.enter(|world| world.add_stream(id, options));
        Self { engine: engine.clone(), id }
    }

    fn enter(&self, change: impl FnOnce(&mut World)) -> bool {
        self.engine.enter(change)
    }

    /// Takes bytes from the remote.
    pub fn write(&self, chunk: &[u8]) -> Taken {
        let more = self.enter(|world| world.receive(self.id, chunk));
        let held = self.engine.world.lock().hold_if_full(self.id);
        Taken { more, held }
    }

    /// Bytes for the remote; None if there are none now.
    pub fn read(&self) -> Option<Vec<u8>> {
        let mut chunk = None;
        self.enter(|world| chunk = world.take_chunk(self.id));
        chunk
    }

    /// Puts a feed on the stream.
    pub fn attach(&self, feed: &FeedHandle, attach: AttachOptions) -> bool {
        self.enter(|world| world.attach(self.id, feed.id(), attach))
    }

    /// It is over: every channel closes.
    pub fn close(&self) -> bool {
        self.enter(|world| world.remove_stream(self.id))
    }

    /// Time has passed.
    pub fn tick(&self) -> bool {
        self.enter(|world| world.tick(self.id))
    }

    /// Changes after how long a silence the stream ends, in milliseconds.
    pub fn set_timeout(&self, timeout: Option<u64>) {
        self.enter(|world| world.set_timeout(self.id, timeout));
    }

    /// True if a feed is open on our side.
    pub fn is_open(&self, discovery_key: &Hash) -> bool {
        self.look(|protocol| protocol.is_open(discovery_key)).unwrap_or(false)
    }

    /// True if the remote has opened a feed.
    pub fn remote_opened(&self, discovery_key: &Hash) -> bool {
        self.look(|protocol| protocol.remote_opened(discovery_key)).unwrap_or(false)
    }

    /// True if the remote has proved that it knows a key.
    pub fn remote_verified(&self, key: &[u8; 32]) -> bool {
        self.look(|protocol| protocol.remote_verified(key)).unwrap_or(false)
    }

    /// How many channels there are, whoever opened them.
    pub fn channel_count(&self) -> usize {
        self.look(Protocol::channel_count).unwrap_or(0)
    }

    fn look<T>(&self, look: impl FnOnce(&Protocol) -> T) -> Option<T> {
        self.engine.look(|world| world.streams.get(&self.id).map(|slot| look(&slot.protocol)))
    }

    /// Closes a feed's channel.
    pub fn close_channel(&self, discovery_key: &Hash) -> bool {
        self.enter(|world| world.close_channel(self.id, discovery_key))
    }

    /// Opens a channel that no feed of ours is on; gives its number.
    pub fn open_channel(&self, key: [u8; 32]) -> u64 {
        let mut local = 0;
        self.enter(|world| local = world.open_channel(self.id, key));
        local
    }

    /// Says something on such a channel.
    pub fn send_on_channel(&self, local: u64, message: Message) -> bool {
        self.enter(|world| world.send_on_channel(self.id, local, message))
    }

    /// Keeps the connection alive.
    pub fn ping(&self) -> bool {
        self.enter(|world| world.ping(self.id))
    }

    /// Answers `Authenticate`.
    pub fn authenticated(&self, trusted: bool) -> bool {
        self.enter(|world| world.authenticated(self.id, trusted))
    }

    /// The stream's own extensions, sorted.
    pub fn set_extensions(&self, names: Vec<String>) -> bool {
        self.enter(|world| world.send_stream(self.id, Message::Options { extensions: names, ack: None }))
    }

    /// Sends a message of a stream extension.
    pub fn send_extension(&self, id: u64, payload: Bytes) -> bool {
        self.enter(|world| world.send_stream(self.id, Message::Extension { id, payload }))
    }
}

impl Drop for StreamHandle {
    fn drop(&mut self) {
        self.close();
    }
}
