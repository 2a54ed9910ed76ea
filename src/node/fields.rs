//! Messages as values: for channels that JavaScript speaks on, and for peers on foreign streams.
//!
//! ```text
//! Unhave { start: 3, length: None }  ->  4, 3, null
//! ```
//! Source: simple-hypercore-protocol@2.1.2 schema.proto for numbers and order.

use super::value::{Value, list};
use crate::wire::Message;

/// A message as its kind's number on the wire, and its fields in the order of stock's schema.
pub fn fields_of(message: Message) -> Vec<Value> {
    match message {
        Message::Open { discovery_key, capability } => fields(0, [discovery_key.into(), capability.into()]),
        Message::Options { extensions, ack } => fields(1, [Value::Names(extensions), ack.into()]),
        Message::Status { uploading, downloading } => fields(2, [uploading.into(), downloading.into()]),
        Message::Have { start, length, bitfield, ack } => {
            fields(3, [start.into(), length.into(), bitfield.into(), ack.into()])
        }
        Message::Unhave { start, length } => fields(4, [start.into(), length.into()]),
        Message::Want { start, length } => fields(5, [start.into(), length.into()]),
        Message::Unwant { start, length } => fields(6, [start.into(), length.into()]),
        Message::Request { index, bytes, hash, nodes } => {
            fields(7, [index.into(), bytes.into(), hash.into(), nodes.into()])
        }
        Message::Cancel { index, bytes, hash } => fields(8, [index.into(), bytes.into(), hash.into()]),
        Message::Data { index, value, nodes, signature } => {
            fields(9, [index.into(), value.into(), list(nodes), signature.into()])
        }
        Message::Close { discovery_key } => fields(10, [discovery_key.into()]),
        Message::Extension { id, payload } => fields(15, [id.into(), payload.into()]),
    }
}

fn fields<const N: usize>(kind: u64, values: [Value; N]) -> Vec<Value> {
    std::iter::once(Value::Number(kind)).chain(values).collect()
}
