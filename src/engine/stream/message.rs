//! What a stream is told, and what it says.

use bytes::BytesMut;

use super::load::Load;
use crate::engine::event::StreamEvent;
use crate::math::crypto::Hash;
use crate::wire::{LocalId, Message};

/// Something that happens to a stream.
#[derive(Debug)]
pub enum Input {
    /// Bytes came.
    Receive(BytesMut),
    /// Say something on a channel.
    Send(LocalId, Message),
    /// Say something about the stream itself.
    SendStream(Message),
    /// Close a channel; or, if it is not open here, tell the remote that it will not be.
    CloseChannel(Hash),
    /// What a channel's feed has still to do for the remote.
    Load(LocalId, Load),
    /// A channel's feed has requests of the remote's to answer.
    Asked(LocalId),
    /// A channel's turn to be served is over.
    Served(LocalId),
    /// The owner's verdict on the remote's key.
    Authenticated(bool),
    /// Keep the connection alive.
    Ping,
    /// After so many milliseconds without an answer the stream is to end; None for never.
    Timeout(Option<u64>),
    /// Who sent the last chunk waits until it is consumed.
    Hold,
}

/// Something that a stream wants done.
#[derive(Debug)]
pub enum Output {
    /// Tell JavaScript.
    Event(StreamEvent),
    /// Tell the feed on a channel.
    ToFeed(LocalId, FromStream),
}

/// What a stream tells the feed on one of its channels.
#[derive(Debug)]
pub enum FromStream {
    /// The remote has opened it too.
    Opened,
    /// The remote said something.
    Message(Message),
    /// There is room for answers.
    Room,
    /// After so many milliseconds without an answer the stream is to end.
    Timeout(Option<u64>),
    /// The channel is closed.
    Gone,
}
