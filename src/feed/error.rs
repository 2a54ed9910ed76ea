//! Errors: what can go wrong with a verb, and whose fault it is.
//!
//! Invariant: every error has a code that never changes, unless a JavaScript storage or hook made
//! it.
//! Source: hypercore@9.12.0 index.js, lib/storage.js for the texts.

use crate::log::proof::ProofError;
use crate::math::flat::BlockIndex;
use crate::store::StoreError;

/// Why a verb failed. `code` is stable; the text is hypercore 9's where it had one.
#[derive(Clone, Debug)]
pub enum FeedError {
    /// The disk, or whatever stands in for it.
    Store(StoreError),
    /// The remote: its proof does not hold.
    Proof(ProofError),
    /// The caller: there is no secret key here.
    NotWritable,
    /// The caller: it wanted to write, but the secret key is not here.
    MustBeWritable,
    /// The caller: this directory belongs to another key.
    OtherKey,
    /// The caller: nothing is stored here and nothing may be created.
    NothingStored,
    /// The caller: a block of more than 8 MiB.
    BlockTooLarge,
    /// The caller: the two halves of the key pair do not belong together.
    KeyMismatch,
    /// The disk: the public key is missing or short, though a log is there.
    KeyMissing,
    /// The disk: a file begins with a header that is not ours.
    Header(&'static str),
    /// The disk: the block does not match its hash.
    BadBlock(BlockIndex),
    /// The disk: a node of the tree that must be there is not.
    NodeMissing(u64),
    /// The caller: the log never was that long, or the roots of that length are not held.
    RootsMissing,
    /// Nobody: again and again the log was replaced while it was read.
    Changed,
    /// The caller: a hook of its own said no.
    Hook(StoreError),
    /// The caller: a hook answered with what it was not asked for.
    BadHookAnswer,
    /// The caller: no signature covers this block.
    NoSignature,
    /// The caller: the node of this block is not held.
    NoProof,
    /// The disk lost the end of the log: appending could sign a second history.
    ForkRisk,
    /// The caller: a byte offset that is outside, or that the held nodes cannot resolve.
    CannotSeek,
    /// The caller: past the last byte.
    OutOfBounds,
    /// The caller: a length that the log does not have.
    BeyondEnd,
}

impl FeedError {
    /// The stable name of this error; None for one that a JavaScript storage made.
    pub fn code(&self) -> Option<&'static str> {
        Some(match self {
            Self::Store(error) | Self::Hook(error) => return error.code(),
            Self::Proof(_) => "EBADPROOF",
            Self::NotWritable | Self::MustBeWritable => "ENOTWRITABLE",
            Self::OtherKey => "EOTHERKEY",
            Self::NothingStored => "ENOTSTORED",
            Self::BlockTooLarge => "EBLOCKTOOBIG",
            Self::KeyMismatch => "EKEYMISMATCH",
            Self::KeyMissing => "EKEYMISSING",
            Self::Header(_) => "EBADHEADER",
            Self::BadBlock(_) => "EBADBLOCK",
            Self::NodeMissing(_) => "ENODEMISSING",
            Self::RootsMissing => "ENOROOTS",
            Self::Changed => "ECHANGED",
            Self::BadHookAnswer => "EBADHOOK",
            Self::NoSignature => "ENOSIGNATURE",
            Self::NoProof => "ENOPROOF",
            Self::ForkRisk => "EFORKRISK",
            Self::CannotSeek | Self::OutOfBounds => "ECANNOTSEEK",
            Self::BeyondEnd => "EBADARGUMENT",
        })
    }
}

impl std::fmt::Display for FeedError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) | Self::Hook(error) => error.fmt(out),
            Self::Proof(error) => error.fmt(out),
            Self::NotWritable => out.write_str("This feed is not writable. Did you create it?"),
            Self::MustBeWritable => out.write_str("Feed is not writable"),
            Self::OtherKey => out.write_str("Another hypercore is stored here"),
            Self::NothingStored => out.write_str("No hypercore is stored here"),
            Self::BlockTooLarge => out.write_str("Individual blocks has be less than 8MB"),
            Self::KeyMismatch => out.write_str("The secret key does not belong to this hypercore"),
            Self::KeyMissing => out.write_str("The key file is missing or damaged, nothing was changed"),
            Self::Header(file) => write!(out, "The file {file} has a header of another format, nothing was changed"),
            Self::BadBlock(block) => write!(out, "Block {} does not match its hash", block.0),
            Self::NodeMissing(node) => write!(out, "No node found ({node})"),
            Self::RootsMissing => out.write_str("Missing tree roots needed for verify"),
            Self::Changed => out.write_str("The hypercore was changed while it was read"),
            Self::BadHookAnswer => out.write_str("The hook did not answer with what it was asked for"),
            Self::NoSignature => out.write_str("No signature available for this index"),
            Self::NoProof => out.write_str("No proof available for this index"),
            Self::ForkRisk => out.write_str("The end of this hypercore was lost, appending could fork it"),
            Self::CannotSeek => out.write_str("Unable to seek to this offset"),
            Self::OutOfBounds => out.write_str("Out of bounds"),
            Self::BeyondEnd => out.write_str("Could not satisfy length"),
        }
    }
}

impl std::error::Error for FeedError {}

impl From<StoreError> for FeedError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<ProofError> for FeedError {
    fn from(error: ProofError) -> Self {
        Self::Proof(error)
    }
}
