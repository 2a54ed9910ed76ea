//! Kinds: the numbers of events, and what each has with it.
//!
//! JavaScript knows them by name (`border`); [`event`](super::event) says how events of the engine
//! become these.

/// Declares the kinds once: the enum, and their names in the order of their numbers.
macro_rules! kinds {
    ($($name:ident: $values:literal,)*) => {
        /// What kind of event this is; its number is part of the border.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum Kind { $(#[doc = $values] $name,)* }

        /// The kinds by name, in the order of their numbers.
        pub const KINDS: &[(&str, Kind)] = &[$((stringify!($name), Kind::$name),)*];
    };
}

kinds! {
    Done: "An operation succeeded: operation, values.",
    Fail: "An operation failed: operation, code, message, foreign error.",
    Key: "A feed's key is known: feed, key, discovery key.",
    Opened: "A feed is open: feed, key, discovery key, secret key, length, byte length, writable, live.",
    Append: "A remote made a feed longer: feed, length, byte length, live.",
    Download: "A block arrived: feed, index, data, peer.",
    Upload: "A block was sent: feed, index, data, peer.",
    Sync: "All blocks of a feed are held: feed.",
    Clear: "Blocks were cleared: feed, start, end.",
    Guard: "`ifAvailable` has more or less to wait for: feed, difference.",
    Io: "Requests to a JavaScript storage wait to be taken: feed.",
    PeerOpen: "A peer opened its side: feed, peer.",
    PeerRemove: "A peer is gone: feed, peer, what was known of it last.",
    PeerExtensions: "A peer's extension names: feed, peer, names.",
    PeerExtension: "A peer's extension message: feed, peer, id, payload.",
    PeerAck: "A peer kept what we sent: feed, peer, start, length.",
    RemoteUpdate: "A peer told what it holds: feed, peer.",
    Readable: "Bytes wait to be sent: stream.",
    Drained: "The chunk that was held is consumed: stream.",
    Authenticate: "The remote's key waits to be approved: stream, key.",
    Handshake: "The handshake is over: stream, remote public key, handshake hash.",
    DiscoveryKey: "The remote opened a feed that is not open here: stream, discovery key.",
    RemoteOpen: "The remote opened a feed: stream, discovery key.",
    Duplex: "A feed is open on both sides: stream, discovery key.",
    ChannelClosed: "A channel is closed: stream, discovery key, our number or 0.",
    StreamFail: "The remote broke the stream: stream, code, message, foreign error.",
    StreamExtensions: "The remote's stream extensions: stream, names.",
    StreamExtension: "A stream extension's message: stream, id, payload.",
    Again: "There is more to do, after the event loop has turned.",
    Timer: "Time is to be told, by engineTick, after so many milliseconds: milliseconds.",
    Busy: "A worker has begun (1) or ended (-1) what the end of the process must not cut off: difference.",
    Truncate: "A feed is shorter: feed, length, byte length.",
    Hook: "A question to a feed's hooks: feed, id, what is asked (see `border::hook`), arguments.",
    ChannelMessage: "A message on a channel that JavaScript speaks on: stream, channel, kind, fields.",
    ChannelOpen: "The remote opened such a channel too: stream, channel.",
    PeerMessage: "A message to a peer on a foreign stream: feed, peer, kind, fields.",
    PeerDone: "Nothing more to do with a peer on a foreign stream: feed, peer.",
    PeerFail: "A peer on a foreign stream broke its word: feed, peer, code, message, foreign error.",
}
