//! Frames: how messages are cut from the byte stream.
//!
//! ```text
//! varint length | varint header = channel << 4 | kind | body
//! ```
//! `length` counts header and body, in bytes. A lone 0 is a keep-alive and carries no header (Q4).
//! A body over 8 MiB, or a length too short for its own header, is the remote's fault and ends the
//! stream.
//!
//! Invariant: a frame that lies whole inside one chunk is a slice of it. One that does not is
//! collected in a buffer that is at most 128 KiB ahead of, or twice, what has arrived, whatever was
//! announced.
//! Source: simple-message-channels@1.2.1 index.js. Drawn in docs/protocol.md, "Frames".

use std::collections::VecDeque;
use std::fmt;

use bytes::{Buf, Bytes, BytesMut};

use crate::math::varint;

/// Largest body that is accepted, in bytes (Q16).
pub const MAX_BODY: usize = 8 * 1024 * 1024;

/// Bytes set aside for a body that is not whole yet, however long it was announced to be.
const AHEAD: usize = 128 * 1024;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The sender's number for the channel.
    pub channel: u64,
    /// Kind of message, below 16.
    pub kind: u8,
    /// The message.
    pub body: Bytes,
}

/// Why bytes are no frames. Always the remote's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A length or header of more than 8 bytes, or above 2^53 - 1.
    Varint,
    /// A body over 8 MiB, or a length that leaves no room for the header.
    TooLarge,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Varint => "Incoming varint is invalid",
            Self::TooLarge => "Incoming message is larger than max size",
        })
    }
}

impl std::error::Error for FrameError {}

/// Cuts frames from chunks, in order.
#[derive(Debug)]
pub struct Decoder {
    chunks: VecDeque<Bytes>,
    awaits: Awaits,
    /// The bytes of a varint or body that began in an earlier chunk.
    partial: BytesMut,
}

/// What comes next on the stream.
#[derive(Clone, Copy, Debug)]
enum Awaits {
    Length,
    Header { length: u64 },
    Body { channel: u64, kind: u8, len: usize },
}

impl Default for Decoder {
    fn default() -> Self {
        Self { chunks: VecDeque::new(), awaits: Awaits::Length, partial: BytesMut::new() }
    }
}

impl Decoder {
    /// Adds bytes at the end of the stream.
    pub fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.chunks.push_back(chunk);
        }
    }

    /// The next whole frame, or None until more bytes come. After an error the stream is lost.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            match self.awaits {
                Awaits::Length => match self.varint()? {
                    None => return Ok(None),
                    Some((0, _)) => {}
                    Some((length, _)) => self.awaits = Awaits::Header { length },
                },
                Awaits::Header { length } => {
                    let Some((header, taken)) = self.varint()? else { return Ok(None) };
                    let len = length.checked_sub(taken).and_then(|len| usize::try_from(len).ok());
                    let len = len.filter(|&len| len <= MAX_BODY).ok_or(FrameError::TooLarge)?;
                    let kind = u8::try_from(header & 15).unwrap_or_default();
                    self.awaits = Awaits::Body { channel: header >> 4, kind, len };
                }
                Awaits::Body { channel, kind, len } => {
                    let Some(body) = self.body(len) else { return Ok(None) };
                    self.awaits = Awaits::Length;
                    return Ok(Some(Frame { channel, kind, body }));
                }
            }
        }
    }

    /// The first chunk that is not used up.
    fn chunk(&mut self) -> Option<&mut Bytes> {
        while self.chunks.front().is_some_and(Bytes::is_empty) {
            self.chunks.pop_front();
        }
        self.chunks.front_mut()
    }

    /// A varint and the bytes that it took, or None if the chunks end before it does.
    fn varint(&mut self) -> Result<Option<(u64, u64)>, FrameError> {
        while let Some(chunk) = self.chunk() {
            let byte = chunk.get_u8();
            self.partial.extend_from_slice(&[byte]);
            if byte < 0x80 || self.partial.len() == varint::MAX_BYTES {
                let (value, taken) = varint::decode(&self.partial).map_err(|_| FrameError::Varint)?;
                self.partial.clear();
                return Ok(Some((value, u64::try_from(taken).unwrap_or(u64::MAX))));
            }
        }
        Ok(None)
    }

    fn body(&mut self, len: usize) -> Option<Bytes> {
        loop {
            let missing = len - self.partial.len();
            if missing == 0 {
                return Some(std::mem::take(&mut self.partial).freeze());
            }
            let in_one_piece = missing == len;
            let chunk = self.chunk()?;
            if in_one_piece && chunk.len() >= len {
                return Some(chunk.split_to(len));
            }
            let piece = chunk.split_to(missing.min(chunk.len()));
            if in_one_piece {
                self.partial.reserve(len.min(AHEAD));
            }
            self.partial.extend_from_slice(&piece);
        }
    }
}

#[cfg(test)]
#[allow(clippy::as_conversions, reason = "small numbers")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(channel: u64, kind: u8, body: &[u8]) -> Vec<u8> {
        let header = channel << 4 | u64::from(kind);
        let mut out = Vec::new();
        varint::encode((varint::encoded_len(header) + body.len()) as u64, &mut out);
        varint::encode(header, &mut out);
        out.extend_from_slice(body);
        out
    }

    fn drain(decoder: &mut Decoder) -> Result<Vec<Frame>, FrameError> {
        std::iter::from_fn(|| decoder.next_frame().transpose()).collect()
    }

    fn cut(bytes: &[u8]) -> Result<Vec<Frame>, FrameError> {
        let mut decoder = Decoder::default();
        decoder.push(Bytes::copy_from_slice(bytes));
        drain(&mut decoder)
    }

    #[test]
    fn whole_frames_are_not_copied() {
        let chunk = Bytes::from([vec![0], encode(3, 9, b"hello"), vec![0, 0], encode(70, 10, b"")].concat());
        let mut decoder = Decoder::default();
        decoder.push(chunk.clone());
        let frames = drain(&mut decoder).unwrap();
        assert_eq!((frames[0].channel, frames[0].kind, frames[0].body.as_ptr()), (3, 9, chunk[3..].as_ptr()));
        assert_eq!((frames[1].channel, frames[1].kind, &frames[1].body[..]), (70, 10, &b""[..]));
    }

    #[test]
    fn limits_hold() {
        let announce = |len: u64| {
            let mut out = Vec::new();
            varint::encode(len + 1, &mut out);
            out.push(0x19);
            cut(&out)
        };
        assert_eq!(announce(MAX_BODY as u64), Ok(vec![]));
        assert_eq!(announce(MAX_BODY as u64 + 1), Err(FrameError::TooLarge));
        assert_eq!(cut(&[1, 0x99, 1]), Err(FrameError::TooLarge));
        assert_eq!(cut(&[0x80; 7]), Ok(vec![]));
        assert_eq!(cut(&[0x80; 8]), Err(FrameError::Varint));
    }

    #[test]
    fn memory_follows_what_arrived() {
        let mut decoder = Decoder::default();
        decoder.push(Bytes::from(encode(1, 9, &vec![7; MAX_BODY])[..1000].to_vec()));
        assert_eq!(decoder.next_frame(), Ok(None));
        assert!(decoder.partial.capacity() <= AHEAD);
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(
            frames in prop::collection::vec((0u64..1 << 40, 0u8..16, prop::collection::vec(any::<u8>(), 0..300)), 0..8),
            sizes in prop::collection::vec(1usize..400, 1..8),
        ) {
            let bytes: Vec<u8> = frames.iter().flat_map(|(channel, kind, body)| encode(*channel, *kind, body)).collect();
            let mut decoder = Decoder::default();
            let (mut cut, mut rest) = (Vec::new(), &bytes[..]);
            for size in sizes.iter().cycle() {
                if rest.is_empty() { break }
                let (chunk, tail) = rest.split_at((*size).min(rest.len()));
                rest = tail;
                decoder.push(Bytes::copy_from_slice(chunk));
                if size % 2 == 0 { cut.extend(drain(&mut decoder).unwrap()) }
            }
            cut.extend(drain(&mut decoder).unwrap());
            let cut: Vec<_> = cut.into_iter().map(|frame| (frame.channel, frame.kind, frame.body.to_vec())).collect();
            prop_assert_eq!(cut, frames);
        }

        #[test]
        fn any_bytes_are_frames_or_an_error(bytes: Vec<u8>) {
            let _ = cut(&bytes);
        }
    }
}
