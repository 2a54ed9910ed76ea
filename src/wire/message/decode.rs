//! Messages from bytes: every length, count and range is checked here.
//!
//! ```text
//! kind, body -> fields in any order, the last of its number counts -> message
//! ```
//! What breaks a limit is the remote's fault.
//!
//! Invariant: only names and nodes are copied; their number is capped.
//! Source: simple-hypercore-protocol@2.1.2 messages.js.

use bytes::Bytes;

use super::{MAX_EXTENSION_BYTES, MAX_EXTENSIONS, MAX_NODES, Message, MessageError};
use crate::math::crypto::Node;
use crate::math::flat::NodeIndex;
use crate::math::varint;
use crate::wire::proto::{Fields, ProtoError};

type Decoded<T> = Result<T, MessageError>;

impl Message {
    /// Reads the body of a frame. None for a kind that does not exist: stock passes over it.
    pub fn decode(kind: u8, body: &Bytes) -> Decoded<Option<Self>> {
        Ok(Some(match kind {
            0 => open(body)?,
            1 => options(body)?,
            2 => status(body)?,
            3 => have(body)?,
            4 => range(body, |start, length| Self::Unhave { start, length })?,
            5 => range(body, |start, length| Self::Want { start, length })?,
            6 => range(body, |start, length| Self::Unwant { start, length })?,
            7 => request(body, |index, bytes, hash, nodes| Self::Request { index, bytes, hash, nodes })?,
            8 => request(body, |index, bytes, hash, _| Self::Cancel { index, bytes, hash })?,
            9 => data(body)?,
            10 => close(body)?,
            15 => extension(body)?,
            _ => return Ok(None),
        }))
    }
}

/// The bytes of a key, hash or signature.
fn exact<const N: usize>(bytes: &[u8]) -> Decoded<[u8; N]> {
    bytes.try_into().map_err(|_| MessageError::Length)
}

fn open(body: &Bytes) -> Decoded<Message> {
    let (mut discovery_key, mut capability) = (None, None);
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next()? {
        match field {
            1 => discovery_key = Some(exact(fields.bytes()?)?),
            2 => capability = Some(exact(fields.bytes()?)?),
            _ => fields.skip()?,
        }
    }
    Ok(Message::Open { discovery_key: discovery_key.ok_or(MessageError::Incomplete)?, capability })
}

fn options(body: &Bytes) -> Decoded<Message> {
    let (mut extensions, mut ack, mut name_bytes) = (Vec::new(), None, 0);
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next()? {
        match field {
            1 => {
                let name = fields.bytes()?;
                name_bytes += name.len();
                if extensions.len() == MAX_EXTENSIONS || name_bytes > MAX_EXTENSION_BYTES {
                    return Err(MessageError::TooMany);
                }
                extensions.push(String::from_utf8_lossy(name).into_owned());
            }
            2 => ack = Some(fields.bool()?),
            _ => fields.skip()?,
        }
    }
    Ok(Message::Options { extensions, ack })
}

fn status(body: &Bytes) -> Decoded<Message> {
    let (mut uploading, mut downloading) = (None, None);
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next()? {
        match field {
            1 => uploading = Some(fields.bool()?),
            2 => downloading = Some(fields.bool()?),
            _ => fields.skip()?,
        }
    }
    Ok(Message::Status { uploading, downloading })
}

fn have(body: &Bytes) -> Decoded<Message> {
    let (mut start, mut length, mut bitfield, mut ack) = (None, None, None, false);
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next()? {
        match field {
            1 => start = Some(fields.varint()?),
            2 => length = Some(fields.varint()?),
            3 => bitfield = Some(body.slice_ref(fields.bytes()?)),
            4 => ack = fields.bool()?,
            _ => fields.skip()?,
        }
    }
    Ok(Message::Have { start: start.ok_or(MessageError::Incomplete)?, length, bitfield, ack })
}

fn range(body: &Bytes, message: impl FnOnce(u64, Option<u64>) -> Message) -> Decoded<Message> {
    let (mut start, mut length) = (None, None);
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next()? {
        match field {
            1 => start = Some(fields.varint()?),
            2 => length = Some(fields.varint()?),
            _ => fields.skip()?,
        }
    }
    Ok(message(start.ok_or(MessageError::Incomplete)?, length))
}

fn request(body: &Bytes, message: impl FnOnce(u64, u64, bool, u64) -> Message) -> Decoded<Message> {
    let (mut index, mut bytes, mut hash, mut nodes) = (None, 0, false, 0);
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next()? {
        match field {
            1 => index = Some(fields.varint()?),
            2 => bytes = fields.varint()?,
            3 => hash = fields.bool()?,
            4 => nodes = fields.varint()?,
            _ => fields.skip()?,
        }
    }
    Ok(message(index.ok_or(MessageError::Incomplete)?, bytes, hash, nodes))
}

fn data(body: &Bytes) -> Decoded<Message> {
    let (mut index, mut value, mut nodes, mut signature) = (None, None, Vec::new(), None);
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next()? {
        match field {
            1 => index = Some(fields.varint()?),
            2 => value = Some(body.slice_ref(fields.bytes()?)),
            3 if nodes.len() == MAX_NODES => return Err(MessageError::TooMany),
            3 => nodes.push(node(fields.bytes()?)?),
            4 => signature = Some(exact(fields.bytes()?)?),
            _ => fields.skip()?,
        }
    }
    Ok(Message::Data { index: index.ok_or(MessageError::Incomplete)?, value, nodes, signature })
}

fn node(body: &[u8]) -> Decoded<Node> {
    let (mut index, mut hash, mut size) = (None, None, None);
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next()? {
        match field {
            1 => index = Some(NodeIndex(fields.varint()?)),
            2 => hash = Some(exact(fields.bytes()?)?),
            3 => size = Some(fields.varint()?),
            _ => fields.skip()?,
        }
    }
    match (index, hash, size) {
        (Some(index), Some(hash), Some(size)) => Ok(Node { index, hash, size }),
        _ => Err(MessageError::Incomplete),
    }
}

fn close(body: &Bytes) -> Decoded<Message> {
    let mut discovery_key = None;
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next()? {
        match field {
            1 => discovery_key = Some(exact(fields.bytes()?)?),
            _ => fields.skip()?,
        }
    }
    Ok(Message::Close { discovery_key })
}

fn extension(body: &Bytes) -> Decoded<Message> {
    let (id, len) = varint::decode(body).map_err(ProtoError::from)?;
    Ok(Message::Extension { id, payload: body.slice(len..) })
}
