//! Messages as JavaScript objects: for channels without a feed, and for feeds on foreign streams.

use bytes::Bytes;
use napi::bindgen_prelude::{Buffer, Either};
use napi::{Error, Result};
use napi_derive::napi;

use super::border::EXTENSION;
use super::convert::{array, maybe_array, number, peer_id};
use super::handles::FeedRef;
use super::handles::StreamRef;
use super::streams::{AttachSpec, attach_options};
use crate::engine::FromPeer;
use crate::log::proof::MAX_NODES;
use crate::math::crypto::Node;
use crate::math::flat::{MAX_SAFE_INTEGER, NodeIndex};
use crate::wire::{LocalId, Message};

/// A node of the tree.
#[napi(object)]
pub struct NodeSpec {
    /// Place in the flat tree.
    pub index: f64,
    /// 32 bytes.
    pub hash: Buffer,
    /// Bytes below.
    pub size: f64,
}

/// The fields of any message; which ones count depends on its kind.
#[napi(object)]
pub struct MessageSpec {
    /// The kind's number on the wire, as [`MESSAGES`](super::border::MESSAGES) lists them.
    pub kind: u32,
    /// have, unhave, want, unwant.
    pub start: Option<f64>,
    /// have, unhave, want, unwant.
    pub length: Option<f64>,
    /// have.
    pub bitfield: Option<Buffer>,
    /// have, options.
    pub ack: Option<bool>,
    /// options.
    pub extensions: Option<Vec<String>>,
    /// status.
    pub uploading: Option<bool>,
    /// status.
    pub downloading: Option<bool>,
    /// request, cancel, data.
    pub index: Option<f64>,
    /// request, cancel.
    pub bytes: Option<f64>,
    /// request, cancel.
    pub hash: Option<bool>,
    /// data.
    pub value: Option<Buffer>,
    /// request: the asker's bits. data: the proof.
    pub nodes: Option<Either<f64, Vec<NodeSpec>>>,
    /// data.
    pub signature: Option<Buffer>,
    /// extension.
    pub id: Option<f64>,
    /// extension.
    pub payload: Option<Buffer>,
}

fn bytes(buffer: Option<Buffer>) -> Option<Bytes> {
    buffer.map(|buffer| Bytes::copy_from_slice(&buffer))
}

/// A number that a foreign decoder gave: whole and safe, or an error.
fn safe(value: Option<f64>) -> Result<u64> {
    let value = value.unwrap_or(0.0);
    let is_safe = value >= 0.0 && value <= MAX_SAFE_INTEGER as f64 && value.fract() == 0.0;
    if is_safe { Ok(number(value)) } else { Err(Error::from_reason("Expected a safe integer")) }
}

fn maybe_safe(value: Option<f64>) -> Result<Option<u64>> {
    value.map(|value| safe(Some(value))).transpose()
}

/// Nodes of a proof.
pub fn nodes(specs: Vec<NodeSpec>) -> Result<Vec<Node>> {
    if specs.len() > MAX_NODES {
        return Err(Error::from_reason("Too many nodes"));
    }
    let node = |spec: NodeSpec| {
        let index = NodeIndex(safe(Some(spec.index))?);
        Ok(Node { index, hash: array(&spec.hash)?, size: safe(Some(spec.size))? })
    };
    specs.into_iter().map(node).collect()
}

fn digest(bits: Option<Either<f64, Vec<NodeSpec>>>) -> Result<u64> {
    match bits {
        Some(Either::A(bits)) => safe(Some(bits)),
        Some(Either::B(_)) => Err(Error::from_reason("Expected a number")),
        None => Ok(0),
    }
}

fn proof(specs: Option<Either<f64, Vec<NodeSpec>>>) -> Result<Vec<Node>> {
    match specs {
        Some(Either::B(specs)) => nodes(specs),
        Some(Either::A(_)) => Err(Error::from_reason("Expected nodes")),
        None => Ok(Vec::new()),
    }
}

impl TryFrom<MessageSpec> for Message {
    type Error = Error;

    fn try_from(spec: MessageSpec) -> Result<Self> {
        let (start, length, index) = (safe(spec.start)?, maybe_safe(spec.length)?, safe(spec.index)?);
        let (asked, hash) = (safe(spec.bytes)?, spec.hash.unwrap_or(false));
        Ok(match spec.kind {
            1 => Self::Options { extensions: spec.extensions.unwrap_or_default(), ack: spec.ack },
            2 => Self::Status { uploading: spec.uploading, downloading: spec.downloading },
            3 => Self::Have { start, length, bitfield: bytes(spec.bitfield), ack: spec.ack.unwrap_or(false) },
            4 => Self::Unhave { start, length },
            5 => Self::Want { start, length },
            6 => Self::Unwant { start, length },
            7 => Self::Request { index, bytes: asked, hash, nodes: digest(spec.nodes)? },
            8 => Self::Cancel { index, bytes: asked, hash },
            9 => Self::Data {
                index,
                value: bytes(spec.value),
                nodes: proof(spec.nodes)?,
                signature: maybe_array(spec.signature.as_ref())?,
            },
            EXTENSION => Self::Extension { id: safe(spec.id)?, payload: bytes(spec.payload).unwrap_or_default() },
            kind => return Err(Error::from_reason(format!("No message is of kind {kind}"))),
        })
    }
}

/// Adds a peer on a foreign stream.
#[napi(catch_unwind)]
pub fn peer_attach(feed: &FeedRef, peer: f64, spec: AttachSpec) -> Result<bool> {
    Ok(feed.attach_foreign(attach_options(peer, &spec)?))
}

/// A peer on a foreign stream has opened its side.
#[napi(catch_unwind)]
pub fn peer_opened(feed: &FeedRef, peer: f64) -> bool {
    feed.tell_peer(peer_id(peer), FromPeer::Opened)
}

/// A message of a peer on a foreign stream.
#[napi(catch_unwind)]
pub fn peer_receive(feed: &FeedRef, peer: f64, message: MessageSpec) -> Result<bool> {
    Ok(feed.tell_peer(peer_id(peer), FromPeer::Message(message.try_into()?)))
}

/// A peer on a foreign stream is gone.
#[napi(catch_unwind)]
pub fn peer_gone(feed: &FeedRef, peer: f64) -> bool {
    feed.remove_foreign(peer_id(peer))
}

/// Opens a channel that no feed of ours is on; gives its number.
#[napi(catch_unwind)]
pub fn stream_open_channel(stream: &StreamRef, key: &[u8]) -> Result<f64> {
    Ok(stream.open_channel(array(key)?).0 as f64)
}

/// Says something on such a channel.
#[napi(catch_unwind)]
pub fn stream_send(stream: &StreamRef, channel: f64, message: MessageSpec) -> Result<bool> {
    Ok(stream.send_on_channel(LocalId(number(channel)), message.try_into()?))
}
