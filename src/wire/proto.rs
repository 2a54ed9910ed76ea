//! The subset of protobuf that the messages use.
//!
//! ```text
//! varint key = field << 3 | wire type | value
//! wire type 0: varint    2: varint length in bytes | bytes    1, 5: 8 or 4 bytes, only ever skipped
//! ```
//! Malformed bytes are the remote's fault. A known field is read as its own type whatever the wire
//! type says (Q14), and a bool is one byte, as in stock. Unlike stock, bytes that end early are
//! refused, not shortened.
//!
//! Source: protocol-buffers-encodings@1.1.1 index.js.

use std::fmt;

use crate::math::varint::{self, VarintError};

/// Why bytes are no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtoError {
    /// A varint or a field ends after the message does, or exceeds 2^53 - 1.
    Varint,
    /// A length points beyond the end of the message.
    Truncated,
    /// Wire types 3 and 4, which protobuf itself gave up.
    Group,
    /// Wire types 6 and 7, which do not exist.
    WireType(u64),
}

impl fmt::Display for ProtoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Varint => f.write_str("Could not decode varint"),
            Self::Truncated => f.write_str("Decoded message is not valid"),
            Self::Group => f.write_str("Groups are not supported"),
            Self::WireType(wire) => write!(f, "Unknown wire type: {wire}"),
        }
    }
}

impl From<VarintError> for ProtoError {
    fn from(_: VarintError) -> Self {
        Self::Varint
    }
}

/// Reads a message field by field. After `next` exactly one of the other methods takes the value.
pub struct Fields<'a> {
    rest: &'a [u8],
    wire: u64,
}

impl<'a> Fields<'a> {
    /// The fields of one message.
    pub fn new(body: &'a [u8]) -> Self {
        Self { rest: body, wire: 0 }
    }

    /// The number of the next field, or None at the end.
    pub fn next(&mut self) -> Result<Option<u64>, ProtoError> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        self.wire = key & 7;
        Ok(Some(key >> 3))
    }

    /// An integer up to 2^53 - 1.
    pub fn varint(&mut self) -> Result<u64, ProtoError> {
        let (value, len) = varint::decode(self.rest)?;
        self.take(len)?;
        Ok(value)
    }

    /// A bool: one byte, whatever its high bit says.
    pub fn bool(&mut self) -> Result<bool, ProtoError> {
        Ok(self.take(1)? != [0])
    }

    /// A string of bytes.
    pub fn bytes(&mut self) -> Result<&'a [u8], ProtoError> {
        let len = self.varint()?;
        self.take(usize::try_from(len).map_err(|_| ProtoError::Truncated)?)
    }

    /// Passes over the value of a field that nobody knows.
    pub fn skip(&mut self) -> Result<(), ProtoError> {
        match self.wire {
            0 => {
                let len = self.rest.iter().position(|&byte| byte < 0x80).ok_or(ProtoError::Varint)? + 1;
                self.take(len)?;
            }
            1 => drop(self.take(8)?),
            2 => drop(self.bytes()?),
            5 => drop(self.take(4)?),
            3 | 4 => return Err(ProtoError::Group),
            wire => return Err(ProtoError::WireType(wire)),
        }
        Ok(())
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], ProtoError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(ProtoError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}

/// Where fields are written to: a buffer, or a `Counter` that only measures.
pub trait Sink {
    /// A bare varint.
    fn varint(&mut self, value: u64);
    /// Bare bytes.
    fn raw(&mut self, bytes: &[u8]);

    /// An integer field.
    fn uint_field(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    /// A bool field.
    fn bool_field(&mut self, field: u64, value: bool) {
        self.uint_field(field, value.into());
    }

    /// The head of a field of `len` bytes; they must follow.
    fn len_field(&mut self, field: u64, len: u64) {
        self.varint(field << 3 | 2);
        self.varint(len);
    }

    /// A field of bytes.
    fn bytes_field(&mut self, field: u64, bytes: &[u8]) {
        self.len_field(field, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.raw(bytes);
    }
}

impl Sink for Vec<u8> {
    fn varint(&mut self, value: u64) {
        varint::encode(value, self);
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Counts the bytes that would be written.
#[derive(Default)]
pub struct Counter(pub usize);

impl Counter {
    /// The bytes counted so far.
    pub fn len_u64(&self) -> u64 {
        u64::try_from(self.0).unwrap_or(u64::MAX)
    }
}

impl Sink for Counter {
    fn varint(&mut self, value: u64) {
        self.0 += varint::encoded_len(value);
    }

    fn raw(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_fields_are_passed_over() {
        let body = [0x78, 0xff, 0x01, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7a, 2, 9, 9, 0x7d, 1, 2, 3, 4, 0x08, 7];
        let mut fields = Fields::new(&body);
        for _ in 0..4 {
            assert_eq!(fields.next(), Ok(Some(15)));
            fields.skip().unwrap();
        }
        assert_eq!((fields.next(), fields.varint(), fields.next()), (Ok(Some(1)), Ok(7), Ok(None)));
    }

    #[test]
    fn malformed_values_are_refused() {
        let first = |body: &'static [u8]| {
            let mut fields = Fields::new(body);
            fields.next().and_then(|_| fields.skip())
        };
        assert_eq!(first(&[0x0a, 5, 1]), Err(ProtoError::Truncated));
        assert_eq!(first(&[0x08, 0x80]), Err(ProtoError::Varint));
        assert_eq!(first(&[0x0b]), Err(ProtoError::Group));
        assert_eq!(first(&[0x0f]), Err(ProtoError::WireType(7)));
    }
}
