//! The idea of a log: which blocks and nodes are held, and what proves them. Pure.
//!
//! ```text
//! haves    the blocks a remote says it has          bitfield <- stage    the blocks and nodes we hold, and changes to them
//! merkle   blocks in, nodes and roots out           tree                 digest, length and proof plan over the nodes held
//! proof    what a remote claims, checked
//! ```

pub mod bitfield;
pub mod haves;
pub mod merkle;
pub mod proof;
pub mod stage;
pub mod tree;

/// The generator that grows test histories, here and on the side of stock.
#[cfg(test)]
fn lcg(seed: &mut u32) -> u32 {
    *seed = seed.wrapping_mul(1664525).wrapping_add(1013904223);
    *seed >> 8
}
