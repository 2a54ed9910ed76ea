//! Events: what JavaScript is told, in order.

use bytes::Bytes;

use crate::feed::FeedError;
use crate::math::crypto::Node;
use crate::store::StoreError;

/// What kind of event this is; the numbers are part of the border.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Kind {
    /// An operation succeeded: op, values.
    Done,
    /// An operation failed: op, code, message, foreign error.
    Fail,
    /// A feed's key is known: feed, key, discovery key.
    Key,
    /// A feed is open: feed, key, discovery key, secret key, length, byte length, writable, live.
    Opened,
    /// A remote made a feed longer: feed, length, byte length, live.
    Append,
    /// A block arrived: feed, index, data, peer.
    Download,
    /// A block was sent: feed, index, data, peer.
    Upload,
    /// All blocks of a feed are held: feed.
    Sync,
    /// Blocks were cleared: feed, start, end.
    Clear,
    /// `ifAvailable` has more or less to wait for: feed, difference.
    Guard,
    /// Requests to a JavaScript storage wait to be taken: feed.
    Io,
    /// A peer opened its side: feed, peer.
    PeerOpen,
    /// A peer is gone: feed, peer, what was known of it last.
    PeerRemove,
    /// A peer's extension names: feed, peer, names.
    PeerExtensions,
    /// A peer's extension message: feed, peer, id, payload.
    PeerExtension,
    /// A peer kept what we sent: feed, peer, start, length.
    PeerAck,
    /// A peer told what it holds: feed, peer.
    RemoteUpdate,
    /// Bytes wait to be sent: stream.
    Readable,
    /// The chunk that was held is consumed: stream.
    Drained,
    /// The remote's key wants to be approved: stream, key.
    Authenticate,
    /// The handshake is over: stream, remote public key, handshake hash.
    Handshake,
    /// The remote opened a feed that is not open here: stream, discovery key.
    DiscoveryKey,
    /// The remote opened a feed: stream, discovery key.
    RemoteOpen,
    /// A feed is open on both sides: stream, discovery key.
    Duplex,
    /// A channel is closed: stream, discovery key, its number on our side or 0.
    ChannelClosed,
    /// The remote broke the stream: stream, code, message, foreign error.
    StreamFail,
    /// The remote's stream extensions: stream, names.
    StreamExtensions,
    /// A stream extension's message: stream, id, payload.
    StreamExtension,
    /// There is more to do, after others had their turn.
    Again,
    /// A worker has begun (1) or ended (-1) something that must not be cut off by the end of the process: difference.
    Busy,
    /// A feed is shorter: feed, length, byte length.
    Truncate,
    /// A question to a feed's hooks: feed, id, 0 sign | 1 verify | 2 write, arguments.
    Hook,
    /// A message on a channel that JavaScript opened for itself: stream, channel, kind, fields.
    ChannelMessage,
    /// The remote opened such a channel too: stream, channel.
    ChannelOpen,
    /// A message to a peer on a foreign stream: feed, peer, kind, fields.
    PeerMessage,
    /// Nothing more to do with a peer on a foreign stream: feed, peer.
    PeerDone,
    /// A peer on a foreign stream broke its word: feed, peer, code, message, foreign error.
    PeerFail,
}

impl Kind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 37] = [
        Self::Done,
        Self::Fail,
        Self::Key,
        Self::Opened,
        Self::Append,
        Self::Download,
        Self::Upload,
        Self::Sync,
        Self::Clear,
        Self::Guard,
        Self::Io,
        Self::PeerOpen,
        Self::PeerRemove,
        Self::PeerExtensions,
        Self::PeerExtension,
        Self::PeerAck,
        Self::RemoteUpdate,
        Self::Readable,
        Self::Drained,
        Self::Authenticate,
        Self::Handshake,
        Self::DiscoveryKey,
        Self::RemoteOpen,
        Self::Duplex,
        Self::ChannelClosed,
        Self::StreamFail,
        Self::StreamExtensions,
        Self::StreamExtension,
        Self::Again,
        Self::Busy,
        Self::Truncate,
        Self::Hook,
        Self::ChannelMessage,
        Self::ChannelOpen,
        Self::PeerMessage,
        Self::PeerDone,
        Self::PeerFail,
    ];
}

/// One value of an event.
#[derive(Clone, Debug)]
pub enum Value {
    /// null.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number: below 2^53, or an id.
    Number(u64),
    /// A difference.
    Signed(i32),
    /// A string.
    Text(String),
    /// A Buffer.
    Bytes(Bytes),
    /// An array of strings.
    Names(Vec<String>),
    /// An array.
    List(Vec<Value>),
}

impl Value {
    /// A number, or 1 for true and 0 for false.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Bool(value) => Some(u64::from(*value)),
            _ => None,
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// What.
    pub kind: Kind,
    /// With these values, as [`Kind`] lists them.
    pub values: Vec<Value>,
}

impl Event {
    /// An event with these values.
    pub fn new(kind: Kind, values: impl IntoIterator<Item = Value>) -> Self {
        Self { kind, values: values.into_iter().collect() }
    }
}

/// Why an operation failed, as JavaScript makes an Error of it.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Stable code.
    pub code: Option<String>,
    /// Text.
    pub message: String,
    /// If not 0: the error object that a JavaScript storage gave, under this number.
    pub foreign: u64,
}

impl Failure {
    /// A failure that the engine itself found.
    pub fn new(code: &str, message: &str) -> Self {
        Self { code: Some(code.to_owned()), message: message.to_owned(), foreign: 0 }
    }

    /// What everything that waits is told when its feed closes.
    pub fn closed() -> Self {
        Self::new("ECLOSED", "Feed is closed")
    }
}

impl From<&FeedError> for Failure {
    fn from(error: &FeedError) -> Self {
        match error {
            FeedError::Store(StoreError::Foreign(number)) | FeedError::Hook(StoreError::Foreign(number)) => {
                Self { code: None, message: error.to_string(), foreign: *number }
            }
            FeedError::Store(StoreError::Closed) => Self::closed(),
            _ => Self { code: error.code().map(str::to_owned), message: error.to_string(), foreign: 0 },
        }
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Bytes> for Value {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl<const N: usize> From<[u8; N]> for Value {
    fn from(bytes: [u8; N]) -> Self {
        Self::Bytes(Bytes::copy_from_slice(&bytes))
    }
}

impl From<Node> for Value {
    fn from(node: Node) -> Self {
        Self::List(vec![node.index.0.into(), node.hash.into(), node.size.into()])
    }
}

impl From<Vec<Node>> for Value {
    fn from(nodes: Vec<Node>) -> Self {
        Self::List(nodes.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
