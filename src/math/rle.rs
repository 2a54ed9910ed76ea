//! Run lengths: how a bitfield travels.
//!
//! ```text
//! fill     varint  bytes << 2 | ones << 1 | 1
//! literal  varint  bytes << 1             | that many bytes, as they are
//! ```
//! Lengths count bytes, 8 bits each. Zero bytes at the end are not sent. A run is written as a fill
//! only where that saves bytes. Bytes that do not decode are the sender's fault.
//!
//! Invariant: decoding allocates nothing; it borrows from the input and says lengths instead of
//! obeying them.
//! Source: bitfield-rle@2.2.1 index.js.

use super::flat::MAX_SAFE_INTEGER;
use super::varint;

/// A stretch of a decoded bitfield.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run<'a> {
    /// `bytes` bytes, all 255 if `ones`, else all 0.
    Fill {
        /// The value of every bit.
        ones: bool,
        /// Length in bytes; may be huge.
        bytes: u64,
    },
    /// Bytes as they are.
    Literal(&'a [u8]),
}

/// Why bytes are no run-length encoded bitfield.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RleError {
    /// A length is cut off, or longer than 8 bytes.
    BadVarint,
    /// A literal claims more bytes than there are.
    LiteralBeyondInput,
    /// More than 2^53 bits in all.
    TooLong,
}

/// Encodes a bitfield; the same bytes that stock would send.
pub fn encode(bits: &[u8]) -> Vec<u8> {
    let mut encoder = Encoder::default();
    encoder.literal(bits);
    encoder.finish()
}

/// Encodes a bitfield piece by piece; a fill costs the same however long it is.
#[derive(Default)]
pub struct Encoder {
    out: Vec<u8>,
    /// Bytes that wait to become a literal.
    head: Vec<u8>,
    /// The run of equal bytes, 0 or 255, that follows the head.
    run: u64,
    ones: bool,
}

impl Encoder {
    /// Adds `bytes` bytes, all 255 if `ones`, else all 0.
    pub fn fill(&mut self, ones: bool, bytes: u64) {
        if bytes > 0 && self.ones != ones {
            self.end_run();
            self.ones = ones;
        }
        self.run += bytes;
    }

    /// Adds bytes as they are; finds the runs in them.
    pub fn literal(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            match *word {
                [0, 0, 0, 0, 0, 0, 0, 0] => self.fill(false, 8),
                [255, 255, 255, 255, 255, 255, 255, 255] => self.fill(true, 8),
                _ => word.iter().for_each(|&byte| self.byte(byte)),
            }
        }
        rest.iter().for_each(|&byte| self.byte(byte));
    }

    /// The encoded bytes; zeros at the end are dropped.
    pub fn finish(mut self) -> Vec<u8> {
        if self.ones {
            self.end_run();
        }
        self.write_head();
        self.out
    }

    fn byte(&mut self, byte: u8) {
        match byte {
            0 => self.fill(false, 1),
            255 => self.fill(true, 1),
            _ => {
                self.end_run();
                self.head.push(byte);
            }
        }
    }

    /// Writes the run as a fill, or moves it into the head where that is no longer.
    fn end_run(&mut self) {
        let run = std::mem::take(&mut self.run);
        let head = u64::try_from(self.head.len()).unwrap_or(u64::MAX);
        let code = 4 * run + 2 * u64::from(self.ones) + 1;
        if run > 0 && literal_cost(head) + cost(code) < literal_cost(head + run) {
            self.write_head();
            varint::encode(code, &mut self.out);
        } else {
            let byte = if self.ones { 255 } else { 0 };
            (0..run).for_each(|_| self.head.push(byte));
        }
    }

    fn write_head(&mut self) {
        if let Ok(len @ 1..) = u64::try_from(self.head.len()) {
            varint::encode(2 * len, &mut self.out);
            self.out.append(&mut self.head);
        }
    }
}

fn cost(code: u64) -> u64 {
    u64::try_from(varint::encoded_len(code)).unwrap_or(u64::MAX)
}

fn literal_cost(bytes: u64) -> u64 {
    if bytes == 0 { 0 } else { cost(2 * bytes) + bytes }
}

/// The runs of an encoded bitfield; ends after the first error.
pub fn runs(encoded: &[u8]) -> impl Iterator<Item = Result<Run<'_>, RleError>> {
    let mut rest = encoded;
    let mut total = 0u64;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let run = next_run(&mut rest, &mut total);
        if run.is_err() {
            rest = &[];
        }
        Some(run)
    })
}

fn next_run<'a>(rest: &mut &'a [u8], total: &mut u64) -> Result<Run<'a>, RleError> {
    let (code, used) = varint::decode(rest).map_err(|_| RleError::BadVarint)?;
    let after = rest.get(used..).unwrap_or_default();
    let is_fill = code & 1 == 1;
    let bytes = if is_fill { code >> 2 } else { code >> 1 };
    *total += bytes;
    if *total > MAX_SAFE_INTEGER / 8 {
        return Err(RleError::TooLong);
    }
    if is_fill {
        *rest = after;
        return Ok(Run::Fill { ones: code & 2 != 0, bytes });
    }
    let len = usize::try_from(bytes).unwrap_or(usize::MAX);
    let (literal, after) = after.split_at_checked(len).ok_or(RleError::LiteralBeyondInput)?;
    *rest = after;
    Ok(Run::Literal(literal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::crypto;
    use hex_literal::hex;
    use proptest::prelude::*;

    fn naive_decode(encoded: &[u8]) -> Vec<u8> {
        let mut bits = Vec::new();
        for run in runs(encoded) {
            match run.unwrap() {
                Run::Fill { ones, bytes } => bits.extend((0..bytes).map(|_| if ones { 255 } else { 0 })),
                Run::Literal(bytes) => bits.extend(bytes),
            }
        }
        bits
    }

    fn trimmed(bits: &[u8]) -> &[u8] {
        &bits[..bits.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)]
    }

    /// Encodes 1,000 bitfields that grow from one generator, and hashes what comes out.
    fn encode_history() -> crypto::Hash {
        let (mut seed, mut all) = (1u32, Vec::new());
        for _ in 0..1000 {
            let mut bits = Vec::new();
            for _ in 0..lcg(&mut seed) % 12 {
                let kind = lcg(&mut seed) % 4;
                for _ in 0..1 + lcg(&mut seed) % if kind == 3 { 300 } else { 9 } {
                    bits.push(match kind {
                        0 => 0,
                        1 => 255,
                        2 => lcg(&mut seed).to_le_bytes()[0],
                        _ => {
                            if seed & 64 == 0 {
                                255
                            } else {
                                0
                            }
                        }
                    });
                }
            }
            all.extend(encode(&bits));
        }
        crypto::hash(&all)
    }

    fn lcg(seed: &mut u32) -> u32 {
        *seed = seed.wrapping_mul(1664525).wrapping_add(1013904223);
        *seed >> 8
    }

    #[test]
    fn encodes_as_stock() {
        assert_eq!(encode(&[]), []);
        assert_eq!(encode(&[0; 9]), []);
        assert_eq!(encode(&[1, 0, 0, 0, 0, 0, 2, 0]), hex!("0201150202"));
        assert_eq!(encode_history(), hex!("105764c7dcbf7a9a03c19fe1a543d7fd9d66daf434f9a884d57700f04fa0b231"));
    }

    #[test]
    fn refuses_what_is_no_bitfield() {
        let refused = |bytes: &[u8]| runs(bytes).last().unwrap().unwrap_err();
        assert_eq!(refused(&[0x85]), RleError::BadVarint);
        assert_eq!(refused(&[4, 1]), RleError::LiteralBeyondInput);
        let huge = hex!("fdffffffffffff0f fdffffffffffff0f fdffffffffffff0f");
        assert_eq!(refused(&huge), RleError::TooLong);
        assert_eq!(runs(&[0x85, 0x85]).count(), 1);
    }

    proptest! {
        #[test]
        fn returns_what_went_in(parts in prop::collection::vec((0..4u8, 0..40usize), 0..20)) {
            let bits: Vec<u8> = parts.iter().flat_map(|&(kind, len)| vec![[0, 255, 1, 128][usize::from(kind)]; len]).collect();
            let encoded = encode(&bits);
            prop_assert_eq!(naive_decode(&encoded), trimmed(&bits));
            let mut in_pieces = Encoder::default();
            bits.chunks(3).for_each(|piece| in_pieces.literal(piece));
            prop_assert_eq!(in_pieces.finish(), encoded);
        }

        #[test]
        fn any_bytes_end_well(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            runs(&bytes).for_each(drop);
        }
    }
}
