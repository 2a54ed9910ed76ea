//! Convert: JavaScript's values become ours.

use napi::bindgen_prelude::Buffer;
use napi::{Error, Result};

use crate::engine::OpId;
use crate::replicate::PeerId;

/// Exactly N bytes, or an error.
pub fn array<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    <[u8; N]>::try_from(bytes).map_err(|_| Error::from_reason(format!("Expected {N} bytes, got {}", bytes.len())))
}

/// The same for a Buffer that may be missing.
pub fn maybe_array<const N: usize>(bytes: Option<&Buffer>) -> Result<Option<[u8; N]>> {
    bytes.map(|bytes| array(bytes)).transpose()
}

/// A whole number that JavaScript has checked.
pub fn number(value: f64) -> u64 {
    value as u64
}

/// The number of an operation.
pub fn op_id(value: f64) -> OpId {
    OpId(number(value))
}

/// The number of a peer.
pub fn peer_id(value: f64) -> PeerId {
    PeerId(number(value))
}

/// A number, or -1 for none.
pub fn maybe_number(value: f64) -> Option<u64> {
    (value >= 0.0).then_some(value as u64)
}
