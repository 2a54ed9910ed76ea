//! About: what a feed tells of itself, and changes that are asked for now and then.

use bytes::Bytes;
use napi::Result;
use napi::bindgen_prelude::{Buffer, Either};
use napi_derive::napi;

use super::border::answer;
use super::convert::{array, maybe_array, number, op_id};
use super::handles::FeedRef;
use super::message::{NodeSpec, nodes};
use crate::engine::{About, Verb};
use crate::feed::{Put, Reply};
use crate::math::flat::BlockIndex;
use crate::store::StoreError;

/// A block's leaf: `Done` with [index, hash, size].
#[napi(catch_unwind)]
pub fn feed_leaf(feed: &FeedRef, op: f64, index: f64) -> bool {
    feed.call(op_id(op), Verb::About(About::Leaf(number(index))))
}

/// The roots of the first `length` blocks: `Done` with a list of [index, hash, size].
#[napi(catch_unwind)]
pub fn feed_roots(feed: &FeedRef, op: f64, length: f64) -> bool {
    feed.call(op_id(op), Verb::About(About::Roots(number(length))))
}

/// The first signature that covers a block: `Done` with the last block that it covers, and the
/// signature.
#[napi(catch_unwind)]
pub fn feed_signature(feed: &FeedRef, op: f64, index: f64) -> bool {
    feed.call(op_id(op), Verb::About(About::Signature(number(index))))
}

/// Whether a signature over the log up to and with a block is the writer's: `Done` with the
/// verdict.
#[napi(catch_unwind)]
pub fn feed_verify(feed: &FeedRef, op: f64, index: f64, signature: &[u8]) -> Result<bool> {
    Ok(feed.call(op_id(op), Verb::About(About::Signed(number(index), array(signature)?))))
}

/// The proof of a block: `Done` with a list of [index, hash, size], and the signature or null.
#[napi(catch_unwind)]
pub fn feed_proof(feed: &FeedRef, op: f64, index: f64, digest: f64, hash: bool) -> bool {
    feed.call(op_id(op), Verb::About(About::Proof(number(index), number(digest), hash)))
}

/// The asker's bits around a block.
#[napi(catch_unwind)]
pub fn feed_digest(feed: &FeedRef, index: f64) -> f64 {
    feed.digest(number(index)) as f64
}

/// Checks and keeps a block, or only a proof.
#[napi(catch_unwind)]
pub fn feed_put(
    feed: &FeedRef,
    op: f64,
    index: f64,
    value: Option<Buffer>,
    proof: Vec<NodeSpec>,
    signature: Option<Buffer>,
) -> Result<bool> {
    let item = Put {
        block: BlockIndex(number(index)),
        value: value.map(|value| Bytes::copy_from_slice(&value)),
        nodes: nodes(proof)?,
        signature: maybe_array(signature.as_ref())?,
        peer: 0,
    };
    Ok(feed.call(op_id(op), Verb::Put(Box::new(item))))
}

/// Checks all held blocks: `Done` with how many are valid, and a list of those that were not.
#[napi(catch_unwind)]
pub fn feed_audit(feed: &FeedRef, op: f64) -> bool {
    feed.call(op_id(op), Verb::Audit)
}

/// Makes the log shorter: `Truncate`, `Done`.
#[napi(catch_unwind)]
pub fn feed_truncate(feed: &FeedRef, op: f64, length: f64) -> bool {
    feed.call(op_id(op), Verb::Truncate(number(length)))
}

/// Gives a static feed its key: `Done` with the key and the discovery key.
#[napi(catch_unwind)]
pub fn feed_finalize(feed: &FeedRef, op: f64) -> bool {
    feed.call(op_id(op), Verb::Finalize)
}

/// True if some peer can help a waiting seek along.
#[napi(catch_unwind)]
pub fn feed_seek_available(feed: &FeedRef, op: f64) -> bool {
    feed.is_seek_available(op_id(op))
}

/// The owner's answer to a `Hook` event, as [`answer`] lists them: done with a signature, a verdict
/// or nothing; failed with the number of a kept error.
#[napi(catch_unwind)]
pub fn feed_hook_done(feed: &FeedRef, id: f64, status: u32, value: Option<Either<Buffer, Either<bool, f64>>>) -> bool {
    let reply = match (status, value) {
        (answer::DONE, Some(Either::A(signature))) => Ok(Reply::Signature(Bytes::copy_from_slice(&signature))),
        (answer::DONE, Some(Either::B(Either::A(verdict)))) => Ok(Reply::Verdict(verdict)),
        (answer::DONE, None) => Ok(Reply::Go),
        (_, Some(Either::B(Either::B(error)))) => Err(StoreError::Foreign(number(error))),
        _ => Err(StoreError::Foreign(0)),
    };
    feed.answer_hook(number(id), reply)
}
