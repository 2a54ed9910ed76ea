//! Streams: what JavaScript calls on one.

use bytes::Bytes;
use napi::bindgen_prelude::{Buffer, BufferSlice, External};
use napi::{Env, Error, Result};
use napi_derive::napi;

use super::border::{limits, taken};
use super::convert::{array, maybe_array, number, peer_id};
use super::handles::{EngineRef, FeedRef, StreamRef};
use crate::engine::{AttachOptions, StreamHandle, StreamId, StreamOptions, Taken, dice};
use crate::replicate::PeerOptions;
use crate::wire::{NoiseKeyPair, ProtocolOptions};

/// Channels that a remote may open and we have not.
const MAX_REMOTE_CHANNELS: usize = 16_384;

/// How a stream is made.
#[napi(object)]
pub struct StreamSpec {
    /// True on the side that began the connection.
    pub initiator: bool,
    /// Shake hands.
    pub noise: bool,
    /// Encrypt.
    pub encrypted: bool,
    /// Ask before going on with a remote's key.
    pub authenticate: bool,
    /// Milliseconds without an answer after which the stream ends; 0 for never.
    pub timeout: Option<f64>,
    /// Our public key, for a handshake.
    pub public_key: Option<Buffer>,
    /// Our secret key, for a handshake.
    pub secret_key: Option<Buffer>,
}

/// How a feed goes onto a stream.
#[napi(object)]
pub struct AttachSpec {
    /// Stay when everything is downloaded.
    pub live: bool,
    /// Ask for acknowledgements.
    pub ack: bool,
    /// Ask for blocks.
    pub download: bool,
    /// Answer requests.
    pub upload: bool,
    /// A fixed limit on requests in flight; 0 for one that follows the link.
    pub max_requests: f64,
    /// On a foreign stream: milliseconds without an answer after which it ends; 0 for never.
    pub timeout: Option<f64>,
}

/// Makes a stream.
#[napi(catch_unwind)]
pub fn stream_new(engine: &EngineRef, id: f64, spec: StreamSpec) -> Result<StreamRef> {
    let key_pair = NoiseKeyPair {
        public_key: maybe_array(spec.public_key.as_ref())?.unwrap_or_default(),
        secret_key: maybe_array(spec.secret_key.as_ref())?.unwrap_or_default(),
    };
    let protocol = ProtocolOptions {
        noise: spec.noise,
        encrypted: spec.encrypted,
        authenticate: spec.authenticate,
        key_pair,
        max_remote_channels: MAX_REMOTE_CHANNELS,
    };
    let random = dice().map_err(|error| Error::from_reason(error.to_string()))?;
    let options = StreamOptions {
        initiator: spec.initiator,
        protocol,
        timeout: milliseconds(spec.timeout.unwrap_or(0.0)),
        random,
    };
    Ok(External::new(StreamHandle::new(engine, StreamId(number(id)), options)))
}

/// Bytes from the remote. Gives what became of them, as [`taken`] lists it.
#[napi(catch_unwind)]
pub fn stream_write(stream: &StreamRef, chunk: &[u8]) -> u32 {
    let Taken { more, held } = stream.write(chunk);
    taken::EVENTS * u32::from(more) + taken::HELD * u32::from(held)
}

/// Bytes for the remote, or null.
#[napi(catch_unwind)]
pub fn stream_read<'env>(env: &'env Env, stream: &StreamRef) -> Result<Option<BufferSlice<'env>>> {
    stream.read().map(|chunk| BufferSlice::copy_from(env, chunk)).transpose()
}

/// Whether a feed may be put on a stream; if not, its channel is closed, and events wait.
#[napi(catch_unwind)]
pub fn stream_admits(stream: &StreamRef, key: &[u8]) -> Result<bool> {
    Ok(stream.admits(&array(key)?))
}

/// Puts a feed on a stream, as a peer with this number.
#[napi(catch_unwind)]
pub fn stream_attach(stream: &StreamRef, feed: &FeedRef, peer: f64, spec: AttachSpec) -> Result<bool> {
    Ok(stream.attach(feed, attach_options(peer, &spec)?))
}

/// What `replicate` was called with, and dice.
pub fn attach_options(peer: f64, spec: &AttachSpec) -> Result<AttachOptions> {
    let seed: [u8; 8] = dice().map_err(|error| Error::from_reason(error.to_string()))?;
    let options = PeerOptions {
        live: spec.live,
        ack: spec.ack,
        downloading: spec.download,
        uploading: spec.upload,
        timeout: milliseconds(spec.timeout.unwrap_or(0.0)),
        // v9's fixed number of requests in flight: who leaves it alone gets a window that follows
        // the line.
        max_requests: (spec.max_requests as usize != limits::REQUESTS).then_some(spec.max_requests as usize),
        seed: u64::from_le_bytes(seed),
    };
    Ok(AttachOptions { peer: peer_id(peer), options })
}

/// The stream is over.
#[napi(catch_unwind)]
pub fn stream_close(stream: &StreamRef) -> bool {
    stream.close()
}

fn milliseconds(value: f64) -> Option<u64> {
    (value > 0.0).then(|| number(value))
}

/// Changes after how long a silence, in milliseconds, the stream ends; 0 for never.
#[napi(catch_unwind)]
pub fn stream_timeout(stream: &StreamRef, timeout: f64) {
    stream.set_timeout(milliseconds(timeout));
}

/// True if a feed is open on our side.
#[napi(catch_unwind)]
pub fn stream_is_open(stream: &StreamRef, discovery_key: &[u8]) -> Result<bool> {
    Ok(stream.is_open(&array(discovery_key)?))
}

/// True if the remote has opened a feed.
#[napi(catch_unwind)]
pub fn stream_remote_opened(stream: &StreamRef, discovery_key: &[u8]) -> Result<bool> {
    Ok(stream.remote_opened(&array(discovery_key)?))
}

/// True if the remote has proved that it knows a key.
#[napi(catch_unwind)]
pub fn stream_remote_verified(stream: &StreamRef, key: &[u8]) -> Result<bool> {
    Ok(stream.remote_verified(&array(key)?))
}

/// Closes a feed's channel.
#[napi(catch_unwind)]
pub fn stream_close_channel(stream: &StreamRef, discovery_key: &[u8]) -> Result<bool> {
    Ok(stream.close_channel(&array(discovery_key)?))
}

/// How many channels there are.
#[napi(catch_unwind)]
pub fn stream_channel_count(stream: &StreamRef) -> f64 {
    stream.channel_count() as f64
}

/// Keeps the connection alive.
#[napi(catch_unwind)]
pub fn stream_ping(stream: &StreamRef) -> bool {
    stream.ping()
}

/// Answers an `Authenticate` event.
#[napi(catch_unwind)]
pub fn stream_authenticated(stream: &StreamRef, trusted: bool) -> bool {
    stream.authenticated(trusted)
}

/// Names of the stream's own extensions, sorted.
#[napi(catch_unwind)]
pub fn stream_extensions(stream: &StreamRef, names: Vec<String>) -> bool {
    stream.set_extensions(names)
}

/// Sends a message of a stream extension.
#[napi(catch_unwind)]
pub fn stream_extension(stream: &StreamRef, id: f64, payload: &[u8]) -> bool {
    stream.send_extension(number(id), Bytes::copy_from_slice(payload))
}
