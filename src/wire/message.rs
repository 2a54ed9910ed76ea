//! Messages: what one peer can say about one feed, and its bytes.
//!
//! ```text
//! kind  0 open    1 options  2 status   3 have    4 unhave  5 want
//!       6 unwant  7 request  8 cancel   9 data   10 close  15 extension: varint id | payload
//! ```
//! Integers are blocks (start, length, index) or bytes (size, bytes). An absent field is `None`
//! where stock tells it from a present one on the wire; the field's comment says what a reader
//! takes None for. A body that breaks a limit is the remote's fault and ends the stream.
//!
//! Invariant: what decoding allocates is bounded by the input and the caps below; blocks, bitfields
//! and payloads are slices of the input.
//! Source: simple-hypercore-protocol@2.1.2 schema.proto, messages.js. Drawn in docs/protocol.md,
//! "Messages".

mod decode;

use std::fmt;

use bytes::Bytes;

use super::proto::{Counter, ProtoError, Sink};
use crate::math::crypto::{Hash, Node, SignatureBytes};
use crate::math::varint;

/// Nodes in one `Data`: two for each level of a tree of 2^53 blocks.
pub const MAX_NODES: usize = 106;
/// Names in one `Options`.
pub const MAX_EXTENSIONS: usize = 4096;
/// Bytes of all names in one `Options`.
pub const MAX_EXTENSION_BYTES: usize = 64 * 1024;

/// One message of one channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// I speak about this feed on this channel; the capability proves that I know its key.
    Open {
        /// Names the feed.
        discovery_key: Hash,
        /// Absent only on streams without Noise.
        capability: Option<Hash>,
    },
    /// What I can do; may be said again.
    Options {
        /// Names of extensions, sorted; an extension's id is its place.
        extensions: Vec<String>,
        /// Acknowledge every block? None is false; a stream's own options have none.
        ack: Option<bool>,
    },
    /// What I am doing now. Until it is said, both are true (Q15).
    Status {
        /// I answer requests. None is false.
        uploading: Option<bool>,
        /// I make requests. None is false.
        downloading: Option<bool>,
    },
    /// I hold these blocks.
    Have {
        /// First block.
        start: u64,
        /// How many; None is 1.
        length: Option<u64>,
        /// Which of them, run-length encoded; None is all.
        bitfield: Option<Bytes>,
        /// An answer to `Data`.
        ack: bool,
    },
    /// I hold these blocks no longer.
    Unhave {
        /// First block.
        start: u64,
        /// How many; None is 1.
        length: Option<u64>,
    },
    /// Tell me your haves here.
    Want {
        /// First block.
        start: u64,
        /// How many; None is 0, which stands for all.
        length: Option<u64>,
    },
    /// Stop telling me.
    Unwant {
        /// First block.
        start: u64,
        /// How many; None is 0, which stands for all.
        length: Option<u64>,
    },
    /// Send me this block.
    Request {
        /// The block.
        index: u64,
        /// If not 0: the block at this byte offset instead.
        bytes: u64,
        /// The proof only, without the value.
        hash: bool,
        /// Digest of the nodes that I hold.
        nodes: u64,
    },
    /// I no longer need the answer.
    Cancel {
        /// As in the request.
        index: u64,
        /// As in the request.
        bytes: u64,
        /// As in the request.
        hash: bool,
    },
    /// An answer: a block and its proof.
    Data {
        /// The block.
        index: u64,
        /// Its bytes, unless only the proof was asked for.
        value: Option<Bytes>,
        /// The nodes that tie it to the signature.
        nodes: Vec<Node>,
        /// Signature of the roots.
        signature: Option<SignatureBytes>,
    },
    /// I speak no longer about this feed.
    Close {
        /// Names the feed, if this channel was never opened.
        discovery_key: Option<Hash>,
    },
    /// A message of an extension.
    Extension {
        /// Place of its name in the sender's options.
        id: u64,
        /// Its bytes.
        payload: Bytes,
    },
}

/// Why a body is no message. Always the remote's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// Not protobuf.
    Proto(ProtoError),
    /// A required field is missing.
    Incomplete,
    /// A key, hash or signature of the wrong length.
    Length,
    /// More nodes or names than any honest peer sends.
    TooMany,
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Proto(error) => error.fmt(f),
            Self::Incomplete => f.write_str("Decoded message is not valid"),
            Self::Length => f.write_str("Incoming message has a field of the wrong length"),
            Self::TooMany => f.write_str("Incoming message has too many items"),
        }
    }
}

impl std::error::Error for MessageError {}

impl From<ProtoError> for MessageError {
    fn from(error: ProtoError) -> Self {
        Self::Proto(error)
    }
}

impl Message {
    /// Appends the whole frame: length, header, body. The fields present are those that stock
    /// sends.
    pub fn encode(&self, channel: u64, out: &mut Vec<u8>) {
        let header = channel << 4 | u64::from(self.kind());
        let mut counter = Counter::default();
        counter.varint(header);
        self.write(&mut counter);
        out.reserve(varint::MAX_BYTES + counter.0);
        out.varint(counter.len_u64());
        out.varint(header);
        self.write(out);
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Open { .. } => 0,
            Self::Options { .. } => 1,
            Self::Status { .. } => 2,
            Self::Have { .. } => 3,
            Self::Unhave { .. } => 4,
            Self::Want { .. } => 5,
            Self::Unwant { .. } => 6,
            Self::Request { .. } => 7,
            Self::Cancel { .. } => 8,
            Self::Data { .. } => 9,
            Self::Close { .. } => 10,
            Self::Extension { .. } => 15,
        }
    }

    fn write(&self, out: &mut impl Sink) {
        match self {
            Self::Open { discovery_key, capability } => {
                out.bytes_field(1, discovery_key);
                capability.iter().for_each(|capability| out.bytes_field(2, capability));
            }
            Self::Options { extensions, ack } => {
                extensions.iter().for_each(|name| out.bytes_field(1, name.as_bytes()));
                ack.iter().for_each(|&ack| out.bool_field(2, ack));
            }
            Self::Status { uploading, downloading } => {
                uploading.iter().for_each(|&uploading| out.bool_field(1, uploading));
                downloading.iter().for_each(|&downloading| out.bool_field(2, downloading));
            }
            Self::Have { start, length, bitfield, ack } => {
                write_range(*start, *length, out);
                bitfield.iter().for_each(|bitfield| out.bytes_field(3, bitfield));
                if *ack {
                    out.bool_field(4, true);
                }
            }
            Self::Unhave { start, length } | Self::Want { start, length } | Self::Unwant { start, length } => {
                write_range(*start, *length, out);
            }
            Self::Request { index, bytes, hash, nodes } => {
                write_request(*index, *bytes, *hash, out);
                out.uint_field(4, *nodes);
            }
            Self::Cancel { index, bytes, hash } => write_request(*index, *bytes, *hash, out),
            Self::Data { index, value, nodes, signature } => {
                out.uint_field(1, *index);
                value.iter().for_each(|value| out.bytes_field(2, value));
                nodes.iter().for_each(|node| write_node(node, out));
                signature.iter().for_each(|signature| out.bytes_field(4, signature));
            }
            Self::Close { discovery_key } => discovery_key.iter().for_each(|key| out.bytes_field(1, key)),
            Self::Extension { id, payload } => {
                out.varint(*id);
                out.raw(payload);
            }
        }
    }
}

fn write_range(start: u64, length: Option<u64>, out: &mut impl Sink) {
    out.uint_field(1, start);
    length.iter().for_each(|&length| out.uint_field(2, length));
}

fn write_request(index: u64, bytes: u64, hash: bool, out: &mut impl Sink) {
    out.uint_field(1, index);
    out.uint_field(2, bytes);
    out.bool_field(3, hash);
}

fn write_node(node: &Node, out: &mut impl Sink) {
    let mut counter = Counter::default();
    write_node_fields(node, &mut counter);
    out.len_field(3, counter.len_u64());
    write_node_fields(node, out);
}

fn write_node_fields(node: &Node, out: &mut impl Sink) {
    out.uint_field(1, node.index.0);
    out.bytes_field(2, &node.hash);
    out.uint_field(3, node.size);
}

#[cfg(test)]
#[allow(clippy::as_conversions, reason = "small numbers")]
mod tests {
    use super::*;
    use crate::math::flat::NodeIndex;
    use hex_literal::hex;
    use proptest::prelude::*;

    /// Every message as stock's messages.js writes it for the calls that hypercore@9.12.0 makes:
    /// frame, channel, message.
    fn from_stock() -> Vec<(Vec<u8>, u64, Message)> {
        let data = Message::Data {
            index: 4,
            value: Some(Bytes::from_static(b"hello")),
            nodes: vec![
                Node { index: NodeIndex(10), hash: [3; 32], size: 5 },
                Node { index: NodeIndex(3), hash: [4; 32], size: 300 },
            ],
            signature: Some([5; 64]),
        };
        let proof = Message::Data {
            index: 4,
            value: None,
            nodes: vec![Node { index: NodeIndex(8), hash: [3; 32], size: 5 }],
            signature: None,
        };
        let window = Some(1 << 20);
        vec![
            (
                hex!("45100a20010101010101010101010101010101010101010101010101010101010101010112200202020202020202020202020202020202020202020202020202020202020202").to_vec(),
                1,
                Message::Open { discovery_key: [1; 32], capability: Some([2; 32]) },
            ),
            (
                hex!("23100a200101010101010101010101010101010101010101010101010101010101010101").to_vec(),
                1,
                Message::Open { discovery_key: [1; 32], capability: None },
            ),
            (
                hex!("0b010a01610a0568656c6c6f").to_vec(),
                0,
                Message::Options { extensions: vec!["a".into(), "hello".into()], ack: None },
            ),
            (hex!("06310a01781000").to_vec(), 3, Message::Options { extensions: vec!["x".into()], ack: Some(false) }),
            (hex!("051208011000").to_vec(), 1, Message::Status { uploading: Some(true), downloading: Some(false) }),
            (hex!("041308ac02").to_vec(), 1, Message::Have { start: 300, length: None, bitfield: None, ack: false }),
            (hex!("05130805100a").to_vec(), 1, Message::Have { start: 5, length: Some(10), bitfield: None, ack: false }),
            (
                hex!("0cc3020800108080401a020102").to_vec(),
                20,
                Message::Have { start: 0, length: window, bitfield: Some(Bytes::from_static(&[1, 2])), ack: false },
            ),
            (hex!("0713080710012001").to_vec(), 1, Message::Have { start: 7, length: Some(1), bitfield: None, ack: true }),
            (hex!("03140809").to_vec(), 1, Message::Unhave { start: 9, length: None }),
            (hex!("051408091002").to_vec(), 1, Message::Unhave { start: 9, length: Some(2) }),
            (hex!("0715080010808040").to_vec(), 1, Message::Want { start: 0, length: window }),
            (hex!("09160880804010808040").to_vec(), 1, Message::Unwant { start: 1 << 20, length: window }),
            (hex!("0917080c100018002000").to_vec(), 1, Message::Request { index: 12, bytes: 0, hash: false, nodes: 0 }),
            (
                hex!("17170880808080802010f0a204180120ffffffffffffff0f").to_vec(),
                1,
                Message::Request { index: 1 << 40, bytes: 70000, hash: true, nodes: (1 << 53) - 1 },
            ),
            (hex!("0718080c10001800").to_vec(), 1, Message::Cancel { index: 12, bytes: 0, hash: false }),
            (
                hex!("9d01190804120568656c6c6f1a26080a1220030303030303030303030303030303030303030303030303030303030303030318051a2708031220040404040404040404040404040404040404040404040404040404040404040418ac02224005050505050505050505050505050505050505050505050505050505050505050505050505050505050505050505050505050505050505050505050505050505").to_vec(),
                1,
                data,
            ),
            (
                hex!("2b1908041a260808122003030303030303030303030303030303030303030303030303030303030303031805").to_vec(),
                1,
                proof,
            ),
            (
                hex!("051908041200").to_vec(),
                1,
                Message::Data { index: 4, value: Some(Bytes::new()), nodes: vec![], signature: None },
            ),
            (hex!("012a").to_vec(), 2, Message::Close { discovery_key: None }),
            (
                hex!("232a0a200606060606060606060606060606060606060606060606060606060606060606").to_vec(),
                2,
                Message::Close { discovery_key: Some([6; 32]) },
            ),
            (
                hex!("061fac02090807").to_vec(),
                1,
                Message::Extension { id: 300, payload: Bytes::from_static(&[9, 8, 7]) },
            ),
        ]
    }

    fn cut(frame: &[u8]) -> (u64, u8, Bytes) {
        let (len, at) = varint::decode(frame).unwrap();
        let (header, len_of_header) = varint::decode(&frame[at..]).unwrap();
        assert_eq!(len as usize, frame.len() - at);
        (header >> 4, (header & 15) as u8, Bytes::copy_from_slice(&frame[at + len_of_header..]))
    }

    #[test]
    fn agrees_with_stock() {
        for (frame, channel, message) in from_stock() {
            let mut out = Vec::new();
            message.encode(channel, &mut out);
            assert_eq!(out, frame, "{message:?}");
            let (cut_channel, kind, body) = cut(&frame);
            assert_eq!((cut_channel, Message::decode(kind, &body)), (channel, Ok(Some(message))));
        }
    }

    #[test]
    fn values_are_not_copied() {
        let body = Bytes::from_static(&hex!("0804120568656c6c6f"));
        let Ok(Some(Message::Data { value: Some(value), .. })) = Message::decode(9, &body) else { panic!("no data") };
        assert_eq!(value.as_ptr(), body[4..].as_ptr());
    }

    #[test]
    fn limits_hold() {
        let decode = |kind, body: &[u8]| Message::decode(kind, &Bytes::copy_from_slice(body));
        assert_eq!(decode(0, &hex!("0a0101")), Err(MessageError::Length));
        assert_eq!(decode(0, &[]), Err(MessageError::Incomplete));
        assert_eq!(decode(9, &hex!("0804220101")), Err(MessageError::Length));
        assert_eq!(decode(9, &hex!("08041a020801")), Err(MessageError::Incomplete));
        assert_eq!(decode(3, &hex!("08ffffffffffffff1f")), Err(MessageError::Proto(ProtoError::Varint)));
        assert_eq!(decode(15, &[0x80]), Err(MessageError::Proto(ProtoError::Varint)));
        assert_eq!(decode(12, &[0x80]), Ok(None));
        assert_eq!(decode(1, &[0x0a, 0].repeat(MAX_EXTENSIONS + 1)), Err(MessageError::TooMany));
        let mut nodes = Vec::new();
        (0..=MAX_NODES).for_each(|_| write_node(&Node { index: NodeIndex(0), hash: [0; 32], size: 0 }, &mut nodes));
        assert_eq!(decode(9, &[&[8, 0][..], &nodes[..]].concat()), Err(MessageError::TooMany));
        let mut name = Vec::new();
        name.bytes_field(1, &[b'a'; MAX_EXTENSION_BYTES + 1]);
        assert_eq!(decode(1, &name), Err(MessageError::TooMany));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_an_error(kind in 0u8..16, body: Vec<u8>) {
            let _ = Message::decode(kind, &Bytes::from(body));
        }

        #[test]
        fn damaged_messages_are_a_message_or_an_error(which in 0usize..22, at: prop::sample::Index, byte: u8) {
            let (_, kind, body) = cut(&from_stock()[which].0);
            let mut body = body.to_vec();
            if !body.is_empty() {
                let at = at.index(body.len());
                body[at] = byte;
            }
            let _ = Message::decode(kind, &Bytes::from(body));
        }
    }
}
