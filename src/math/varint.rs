//! Varints: unsigned integers, 7 bits a byte, least significant first; the high bit says that more
//! follow.
//!
//! At most 8 bytes and at most 2^53 - 1, as in stock; anything beyond is the sender's fault.
//!
//! Source: varint@5.0.2, simple-message-channels@1.2.1 `_readVarint`.

use super::flat::MAX_SAFE_INTEGER;

/// Longest varint that is accepted, in bytes.
pub const MAX_BYTES: usize = 8;

/// Why bytes are no varint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VarintError {
    /// The bytes end before the integer does.
    Incomplete,
    /// Longer than 8 bytes or above 2^53 - 1.
    TooLarge,
}

/// Reads a varint from the front of `bytes`; gives the value and how many bytes it took.
pub fn decode(bytes: &[u8]) -> Result<(u64, usize), VarintError> {
    let mut value = 0u64;
    for (place, &byte) in bytes.iter().take(MAX_BYTES).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return if value > MAX_SAFE_INTEGER { Err(VarintError::TooLarge) } else { Ok((value, place + 1)) };
        }
    }
    if bytes.len() < MAX_BYTES { Err(VarintError::Incomplete) } else { Err(VarintError::TooLarge) }
}

/// Appends `value` as a varint.
pub fn encode(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

/// Bytes that `value` takes.
pub fn encoded_len(value: u64) -> usize {
    let mut len = 1;
    let mut rest = value >> 7;
    while rest > 0 {
        len += 1;
        rest >>= 7;
    }
    len
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn refuses_what_stock_cannot_hold() {
        assert_eq!(decode(&[]), Err(VarintError::Incomplete));
        assert_eq!(decode(&[0x80; 7]), Err(VarintError::Incomplete));
        assert_eq!(decode(&[0x80; 8]), Err(VarintError::TooLarge));
        assert_eq!(decode(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]), Ok((MAX_SAFE_INTEGER, 8)));
        assert_eq!(decode(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f]), Err(VarintError::TooLarge));
    }

    proptest! {
        #[test]
        fn returns_what_went_in(value in 0..=MAX_SAFE_INTEGER) {
            let mut bytes = Vec::new();
            encode(value, &mut bytes);
            prop_assert_eq!(bytes.len(), encoded_len(value));
            prop_assert_eq!(decode(&bytes), Ok((value, bytes.len())));
        }
    }
}
