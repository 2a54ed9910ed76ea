//! Feeds: what JavaScript calls on one.

use std::sync::Arc;

use bytes::Bytes;
use napi::bindgen_prelude::{Array, Buffer, Either, External, Uint8ArraySlice, Unknown};
use napi::{Env, Error, Result};
use napi_derive::napi;

use super::border::{begun, hears};
use super::convert::{maybe_array, maybe_number, number, op_id, peer_id};
use super::event::numbers_of;
use super::handles::{EngineRef, FeedRef, MemoryRef};
use super::send::buffer_or_flags;
use super::storages::rest_on;
use crate::engine::{Begun, Failure, FeedHandle, FeedId, FeedOptions, FromPeer, Got, Input, Place, Seek, Verb, dice};
use crate::feed::OpenOptions;
use crate::replicate::{Range, UpdateWait};

/// Where a feed's files are: in a directory, or in JavaScript.
#[napi(object)]
pub struct StorageSpec {
    /// 'disk' or 'js'.
    pub kind: String,
    /// The directory of a 'disk'.
    pub path: Option<String>,
}

/// What is fixed when a feed is made.
#[napi(object)]
pub struct FeedSpec {
    /// Download only what is asked for.
    pub sparse: bool,
    /// The blocks' bytes are written by somebody else.
    pub indexing: bool,
    /// Keep valid blocks that nobody asked for.
    pub allow_push: bool,
    /// Ask before writing what a peer sent.
    pub hooks_writes: bool,
    /// Ask for signatures.
    pub hooks_signs: bool,
    /// Ask about signatures.
    pub hooks_verifies: bool,
}

/// What `feedOpen` is told.
#[napi(object)]
pub struct OpenSpec {
    /// Public key.
    pub key: Option<Buffer>,
    /// Secret key.
    pub secret_key: Option<Buffer>,
    /// Make a new log where none is.
    pub create_if_missing: bool,
    /// Start anew.
    pub overwrite: bool,
    /// Start anew if another log is there.
    pub force: bool,
    /// Keep the secret key in the storage.
    pub store_secret_key: bool,
    /// False for a static log.
    pub live: bool,
    /// An error if the log cannot be appended to.
    pub must_be_writable: bool,
}

/// Makes a feed; `storage` is a native memory storage, or says where the files are.
#[napi(catch_unwind)]
pub fn feed_new(engine: &EngineRef, id: f64, storage: Either<&MemoryRef, StorageSpec>, options: FeedSpec) -> FeedRef {
    let place = match storage {
        Either::A(memory) => Place::Memory(Arc::clone(memory)),
        Either::B(spec) if spec.kind == "disk" => Place::Disk(spec.path.unwrap_or_default().into()),
        Either::B(_) => Place::Elsewhere,
    };
    let options = FeedOptions {
        sparse: options.sparse,
        indexing: options.indexing,
        allow_push: options.allow_push,
        hooks_writes: options.hooks_writes,
        hooks_signs: options.hooks_signs,
        hooks_verifies: options.hooks_verifies,
    };
    External::new(FeedHandle::new(engine, FeedId(number(id)), place, options))
}

/// Opens a feed.
#[napi(catch_unwind)]
pub fn feed_open(feed: &FeedRef, op: f64, spec: OpenSpec) -> Result<bool> {
    let options = OpenOptions {
        key: maybe_array(spec.key.as_ref())?,
        secret_key: maybe_array(spec.secret_key.as_ref())?,
        create_if_missing: spec.create_if_missing,
        overwrite: spec.overwrite,
        force: spec.force,
        store_secret_key: spec.store_secret_key,
        live: spec.live,
        must_be_writable: spec.must_be_writable,
        hooks: None,
        indexing: false,
        seed: dice().map_err(|error| Error::from_reason(error.to_string()))?,
    };
    Ok(feed.call(op_id(op), Verb::Open(Box::new(options))))
}

/// Appends a block, or blocks. Gives what is left behind, as [`rest_on`] says.
#[napi(catch_unwind)]
pub fn feed_append(
    feed: &FeedRef,
    op: f64,
    blocks: Either<&[u8], Array>,
    page: Option<Uint8ArraySlice>,
    offset: f64,
) -> Result<f64> {
    let list = match blocks {
        Either::A(block) => vec![Bytes::copy_from_slice(block)],
        Either::B(blocks) => copies(&blocks)?,
    };
    Ok(rest_on(feed, feed.append(op_id(op), list), page, offset))
}

fn copies(blocks: &Array) -> Result<Vec<Bytes>> {
    let block = |at| {
        let block: &[u8] = blocks.get(at)?.ok_or_else(|| Error::from_reason("Expected a Buffer"))?;
        Ok(Bytes::copy_from_slice(block))
    };
    (0..blocks.len()).map(block).collect()
}

/// Gets a block: the block, or [`begun`].
#[napi(catch_unwind)]
pub fn feed_get<'env>(env: &'env Env, feed: &FeedRef, op: f64, index: f64, wait: bool) -> Result<Unknown<'env>> {
    let block = match feed.get(op_id(op), number(index), wait) {
        Got::Now(block) => Ok(block),
        Got::Later(begun) => Err(flags(begun)),
    };
    buffer_or_flags(env, block)
}

/// What a call has left behind, as [`begun`] lists it.
fn flags(begun: Begun) -> u32 {
    begun::EVENTS * u32::from(begun.events) + begun::LOCAL * u32::from(begun.is_local)
}

/// Gets blocks. Gives [`begun`].
#[napi(catch_unwind)]
pub fn feed_get_batch(feed: &FeedRef, op: f64, start: f64, end: f64, wait: bool) -> u32 {
    flags(feed.ask(op_id(op), Verb::GetBatch { start: number(start), end: number(end), wait }))
}

/// How many blocks of a range are held.
#[napi(catch_unwind)]
pub fn feed_downloaded(feed: &FeedRef, start: f64, end: f64) -> f64 {
    feed.count(number(start), number(end)) as f64
}

/// Waits for a length.
#[napi(catch_unwind)]
pub fn feed_update(feed: &FeedRef, op: f64, min_len: f64, hash: bool) -> bool {
    feed.call(op_id(op), Verb::Update(UpdateWait { min_len: number(min_len), hash }))
}

/// True if the log has this length, here or at some peer.
#[napi(catch_unwind)]
pub fn feed_length_available(feed: &FeedRef, length: f64) -> bool {
    feed.is_len_available(number(length))
}

/// Downloads a range, or a list of blocks.
#[napi(catch_unwind)]
pub fn feed_download(
    feed: &FeedRef,
    op: f64,
    start: f64,
    end: f64,
    linear: bool,
    hash: bool,
    blocks: Option<Vec<f64>>,
) -> bool {
    let range = match blocks {
        Some(blocks) => Range::Blocks(blocks.into_iter().map(number).collect()),
        None => Range::Span { start: number(start), end: maybe_number(end), linear, hash },
    };
    feed.call(op_id(op), Verb::Download(range))
}

/// A feed that is not sparse no longer downloads everything by itself.
#[napi(catch_unwind)]
pub fn feed_stop(feed: &FeedRef) {
    feed.tell(Input::Stop);
}

/// Looks for a byte. Gives [`begun`].
#[napi(catch_unwind)]
pub fn feed_seek(feed: &FeedRef, op: f64, bytes: f64, start: f64, end: f64, wait: bool, hash: bool) -> u32 {
    let (bytes, start, end) = (number(bytes), number(start), maybe_number(end));
    flags(feed.ask(op_id(op), Verb::Seek(Seek { bytes, start, end, hash, wait, if_available: false })))
}

/// Gives up something that waits.
#[napi(catch_unwind)]
pub fn feed_cancel(feed: &FeedRef, op: f64, code: Option<String>, message: String) -> bool {
    feed.tell(Input::Cancel(op_id(op), Failure { code, message, foreign: 0 }))
}

/// Gives up what waits inside a range.
#[napi(catch_unwind)]
pub fn feed_cancel_range(feed: &FeedRef, start: f64, end: f64) -> bool {
    feed.tell(Input::CancelRange(number(start), number(end)))
}

/// Gives up blocks, and their bytes unless these are to be kept.
#[napi(catch_unwind)]
pub fn feed_clear(feed: &FeedRef, op: f64, start: f64, end: f64, keep_bytes: bool) -> bool {
    feed.call(op_id(op), Verb::Clear { start: number(start), end: number(end), keep_bytes })
}

/// Closes a feed.
#[napi(catch_unwind)]
pub fn feed_close(feed: &FeedRef, op: f64) -> bool {
    feed.call(op_id(op), Verb::Close)
}

/// Removes a feed's files.
#[napi(catch_unwind)]
pub fn feed_destroy(feed: &FeedRef, op: f64) -> bool {
    feed.call(op_id(op), Verb::Destroy)
}

/// Who listens, as [`hears`] lists them.
#[napi(catch_unwind)]
pub fn feed_flags(feed: &FeedRef, bits: u32) {
    feed.tell(Input::Listen { downloads: bits & hears::DOWNLOADS != 0, uploads: bits & hears::UPLOADS != 0 });
}

/// Names of the feed's extensions, sorted.
#[napi(catch_unwind)]
pub fn feed_extensions(feed: &FeedRef, names: Vec<String>) -> bool {
    feed.tell(Input::Extensions(names))
}

/// True if some peer has a block.
#[napi(catch_unwind)]
pub fn feed_available(feed: &FeedRef, index: f64) -> bool {
    feed.is_available(number(index))
}

/// The number of the peer that was asked for a block, or 0.
#[napi(catch_unwind)]
pub fn feed_asked(feed: &FeedRef, index: f64) -> f64 {
    feed.asked(number(index)).map_or(0, |peer| peer.0) as f64
}

/// Sends an extension message to all peers.
#[napi(catch_unwind)]
pub fn feed_broadcast(feed: &FeedRef, id: f64, payload: &[u8]) -> bool {
    feed.tell(Input::Broadcast(number(id), Bytes::copy_from_slice(payload)))
}

/// The longest length that any peer has told.
#[napi(catch_unwind)]
pub fn feed_remote_length(feed: &FeedRef) -> f64 {
    feed.remote_len() as f64
}

/// Blocks and bytes received, blocks and bytes sent.
#[napi(catch_unwind)]
pub fn feed_stats(feed: &FeedRef) -> Vec<f64> {
    feed.totals().iter().map(|total| *total as f64).collect()
}

/// What is known of a peer, or null: remote opened, remote length, remote downloading, remote
/// uploading, remote acks, requests in flight, then blocks and bytes received, blocks and bytes
/// sent.
#[napi(catch_unwind)]
pub fn peer_info(feed: &FeedRef, peer: f64) -> Option<Vec<f64>> {
    Some(numbers_of(feed.peer_info(peer_id(peer))?).map(|value| value as f64).to_vec())
}

/// True if a peer has a block.
#[napi(catch_unwind)]
pub fn peer_has(feed: &FeedRef, peer: f64, index: f64) -> bool {
    feed.peer_has(peer_id(peer), number(index))
}

/// Switches downloading and uploading for a peer.
#[napi(catch_unwind)]
pub fn peer_status(feed: &FeedRef, peer: f64, downloading: bool, uploading: bool) -> bool {
    feed.tell_peer(peer_id(peer), FromPeer::Status { downloading, uploading })
}

/// Sends an extension message.
#[napi(catch_unwind)]
pub fn peer_extension(feed: &FeedRef, peer: f64, id: f64, payload: &[u8]) -> bool {
    feed.tell_peer(peer_id(peer), FromPeer::Extend(number(id), Bytes::copy_from_slice(payload)))
}

/// Closes a peer's channel.
#[napi(catch_unwind)]
pub fn peer_close(feed: &FeedRef, peer: f64) -> bool {
    feed.tell_peer(peer_id(peer), FromPeer::Close)
}
