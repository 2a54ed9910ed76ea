//! Stream handles: what the door holds of a stream. Dropped, the stream is closed.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::entry::{AttachOptions, Engine};
use super::feed_handle::FeedHandle;
use super::ids::StreamId;
use super::stream::{Input, StreamActor, StreamOptions};
use crate::math::crypto::Hash;
use crate::wire::{LocalId, Message, Protocol};

/// What became of a chunk.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Events wait.
    pub more: bool,
    /// The chunk is not consumed yet; `Drained` comes when it is.
    pub held: bool,
}

/// One stream of an engine.
pub struct StreamHandle {
    engine: Arc<Engine>,
    id: StreamId,
}

impl StreamHandle {
    /// Makes a stream under a number of the caller's.
    pub fn new(engine: &Arc<Engine>, id: StreamId, options: StreamOptions) -> Self {
        engine.enter(|driver| driver.add_stream(id, StreamActor::new(options)));
        Self { engine: engine.clone(), id }
    }

    /// Takes bytes from the remote.
    pub fn write(&self, chunk: &[u8]) -> Taken {
        let input = Input::Receive(BytesMut::from(chunk));
        let (more, held) =
            self.engine.enter_then(|driver| driver.tell_stream(self.id, input), |driver| driver.hold_if_full(self.id));
        Taken { more, held }
    }

    /// Bytes for the remote; None if there are none now.
    pub fn read(&self) -> Option<Vec<u8>> {
        let mut chunk = None;
        self.engine.enter(|driver| chunk = driver.take_chunk(self.id));
        chunk
    }

    /// Whether a feed may be put on the stream: not if the remote has opened it without proof that
    /// it knows the key. Then its channel is closed, and events wait.
    pub fn admits(&self, key: &[u8; 32]) -> bool {
        let mut admits = false;
        self.engine.enter(|driver| admits = driver.admits(self.id, key));
        admits
    }

    /// Puts a feed on the stream.
    pub fn attach(&self, feed: &FeedHandle, attach: AttachOptions) -> bool {
        self.engine.enter(|driver| driver.attach(self.id, feed.id(), attach.peer, attach.options))
    }

    /// It is over: every channel closes.
    pub fn close(&self) -> bool {
        self.engine.enter(|driver| driver.remove_stream(self.id))
    }

    /// Tells the stream something. True if events wait.
    fn tell(&self, input: Input) -> bool {
        self.engine.enter(|driver| driver.tell_stream(self.id, input))
    }

    /// Changes after how long a silence the stream ends, in milliseconds.
    pub fn set_timeout(&self, timeout: Option<u64>) {
        self.tell(Input::Timeout(timeout));
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

    /// Closes a feed's channel.
    pub fn close_channel(&self, discovery_key: &Hash) -> bool {
        self.engine.enter(|driver| driver.close_channel(self.id, *discovery_key))
    }

    /// Opens a channel that no feed of ours is on; gives its number.
    pub fn open_channel(&self, key: [u8; 32]) -> LocalId {
        let mut local = LocalId(0);
        self.engine.enter(|driver| local = driver.open_channel(self.id, key));
        local
    }

    /// Says something on such a channel.
    pub fn send_on_channel(&self, local: LocalId, message: Message) -> bool {
        self.tell(Input::Send(local, message))
    }

    /// Keeps the connection alive.
    pub fn ping(&self) -> bool {
        self.tell(Input::Ping)
    }

    /// Answers `Authenticate`.
    pub fn authenticated(&self, trusted: bool) -> bool {
        self.tell(Input::Authenticated(trusted))
    }

    /// The stream's own extensions, sorted.
    pub fn set_extensions(&self, names: Vec<String>) -> bool {
        self.tell(Input::SendStream(Message::Options { extensions: names, ack: None }))
    }

    /// Sends a message of a stream extension.
    pub fn send_extension(&self, id: u64, payload: Bytes) -> bool {
        self.tell(Input::SendStream(Message::Extension { id, payload }))
    }

    fn look<T>(&self, look: impl FnOnce(&Protocol) -> T) -> Option<T> {
        self.engine.look(|driver| driver.stream(self.id).map(|actor| look(actor.protocol())))
    }
}

impl Drop for StreamHandle {
    fn drop(&mut self) {
        self.close();
    }
}
