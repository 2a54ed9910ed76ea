//! The door: what JavaScript can call. Converts, dispatches, decides nothing.
//!
//! ```text
//! plain functions over opaque handles: engine, feed, stream, memory
//! every answer is an event in the engine's queue: [kind, values...]
//! ```
//! Arguments were checked in JavaScript; what is wrong all the same becomes an error or nothing, never a panic.

// Numbers cross this border as f64 and were checked to be whole and safe.
#![allow(clippy::as_conversions)]
// The napi macros generate the unsafe calls of the binding.
#![allow(unsafe_code)]

pub mod about;
mod convert;
pub mod feeds;
pub mod hot;
pub mod message;
pub mod storages;
pub mod streams;

use std::sync::Arc;

use napi::bindgen_prelude::{Array, BufferSlice, External, Function, Object};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{Env, Error, Result};
use napi_derive::napi;

use crate::engine::{Engine, Kind, dice};
use crate::math::crypto::{self, KeyPair};
use crate::store::memory::Memory;
use crate::wire::NoiseKeyPair;

/// An engine's handle.
pub type EngineRef = External<Arc<Engine>>;
/// A native memory storage's handle.
pub type MemoryRef = External<Arc<Memory>>;

/// The kinds of events: their numbers by name.
#[napi(catch_unwind)]
pub fn kinds(env: &Env) -> Result<Object<'_>> {
    let mut kinds = Object::new(env)?;
    for kind in Kind::ALL {
        kinds.set(format!("{kind:?}"), kind as u32)?;
    }
    Ok(kinds)
}

/// Makes the engine of an environment. `wake` is called when something happened on a worker; it keeps nothing alive.
#[napi(catch_unwind)]
pub fn engine_new(wake: Function<(), ()>) -> Result<EngineRef> {
    let wake = wake.build_threadsafe_function().weak::<true>().callee_handled::<false>().build()?;
    let engine = Engine::new(move || {
        wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
    });
    Ok(External::new(engine))
}

/// All events since the last call, or null.
#[napi(catch_unwind)]
pub fn engine_drain<'env>(env: &'env Env, engine: &EngineRef) -> Result<Option<Array<'env>>> {
    let events = engine.drain();
    if events.is_empty() {
        return Ok(None);
    }
    convert::events(env, events).map(Some)
}

/// True if there are events.
#[napi(catch_unwind)]
pub fn engine_waits(engine: &EngineRef) -> bool {
    engine.waits()
}

fn seed_or_dice(seed: Option<&[u8]>) -> Result<[u8; 32]> {
    match seed {
        Some(seed) => convert::array(seed),
        None => dice().map_err(|error| Error::from_reason(error.to_string())),
    }
}

fn pair<'env>(env: &'env Env, public: &[u8], secret: &[u8]) -> Result<Vec<BufferSlice<'env>>> {
    Ok(vec![BufferSlice::copy_from(env, public)?, BufferSlice::copy_from(env, secret)?])
}

/// An Ed25519 key pair: public key, secret key.
#[napi(catch_unwind)]
pub fn key_pair<'env>(env: &'env Env, seed: Option<&[u8]>) -> Result<Vec<BufferSlice<'env>>> {
    let keys = KeyPair::from_seed(&seed_or_dice(seed)?);
    pair(env, &keys.public_key(), &keys.secret_key())
}

/// A key pair for connections: public key, secret key.
#[napi(catch_unwind)]
pub fn noise_key_pair<'env>(env: &'env Env, seed: Option<&[u8]>) -> Result<Vec<BufferSlice<'env>>> {
    let keys = match seed {
        Some(seed) => NoiseKeyPair::from_seed(&convert::array(seed)?),
        None => NoiseKeyPair::generate(seed_or_dice(None)?),
    };
    pair(env, &keys.public_key, &keys.secret_key)
}

/// The name under which a feed is announced.
#[napi(catch_unwind)]
pub fn discovery_key<'env>(env: &'env Env, key: &[u8]) -> Result<BufferSlice<'env>> {
    BufferSlice::copy_from(env, crypto::discovery_key(key))
}

/// A native memory storage.
#[napi(catch_unwind)]
pub fn memory_new() -> MemoryRef {
    External::new(Arc::new(Memory::default()))
}
