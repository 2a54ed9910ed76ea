//! The ground: flat-tree positions, varints, run lengths, hashes and signatures. Pure.

pub mod crypto;
pub mod flat;
pub mod rle;

pub mod varint;
