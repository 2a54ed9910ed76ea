//! Events: what a stream tells its owner, or how the remote broke it.
//!
//! ```text
//! open from the remote    feed open here: Duplex, Opened, RemoteOpen      not open here: DiscoveryKey, RemoteOpen
//! ```
//! The order is that of stock's handlers and events.
//!
//! Source: hypercore-protocol@8.0.7 index.js `Channelizer`.

use std::fmt;

use bytes::Bytes;

use super::channel::LocalId;
use super::frame::FrameError;
use super::message::{Message, MessageError};
use super::noise::NoiseError;
use crate::math::crypto::Hash;

/// What happened on a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The remote's static key; the handshake waits for `authenticated`.
    Authenticate([u8; 32]),
    /// The handshake is over.
    Handshake,
    /// The remote's stream extensions; an extension's id is its place.
    Extensions(Vec<String>),
    /// A message of a stream extension.
    StreamExtension {
        /// Place of its name in the remote's extensions.
        id: u64,
        /// Its bytes.
        payload: Bytes,
    },
    /// The remote opened a feed that we have not opened; we may do so now, or later.
    DiscoveryKey(Hash),
    /// The feed is open on both sides, and the remote proved to know its key.
    Duplex {
        /// Our number.
        local: LocalId,
        /// The feed.
        discovery_key: Hash,
    },
    /// (Q17) The remote opened a feed that is open here, where stock calls the channel's `onopen`:
    /// after `Duplex`, and again if it was opened while `DiscoveryKey` was handled.
    Opened {
        /// Our number.
        local: LocalId,
    },
    /// The remote opened a feed; the last event of its message.
    RemoteOpen(Hash),
    /// A message about an open feed.
    Message {
        /// Our number.
        local: LocalId,
        /// What was said; never `Open` or `Close`.
        message: Message,
    },
    /// The remote closed a channel; both sides are closed now.
    Closed {
        /// Our number, if it was open here.
        local: Option<LocalId>,
        /// The feed.
        discovery_key: Hash,
    },
}

/// How the remote broke the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// In the handshake.
    Noise(NoiseError),
    /// Bytes that are no frame.
    Frame(FrameError),
    /// A frame that is no message.
    Message(MessageError),
    /// It opened a channel of ours without proving to know the key.
    Capability,
    /// It opened too many channels.
    TooManyChannels,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Noise(error) => error.fmt(f),
            Self::Frame(error) => error.fmt(f),
            Self::Message(error) => error.fmt(f),
            Self::Capability => f.write_str("Invalid remote channel capability"),
            Self::TooManyChannels => f.write_str("Remote opened too many channels"),
        }
    }
}

impl std::error::Error for ProtocolError {}

impl From<NoiseError> for ProtocolError {
    fn from(error: NoiseError) -> Self {
        Self::Noise(error)
    }
}

impl From<FrameError> for ProtocolError {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

impl From<MessageError> for ProtocolError {
    fn from(error: MessageError) -> Self {
        Self::Message(error)
    }
}
