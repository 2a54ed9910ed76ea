//! The engine of an environment, and what needs none: keys, native memory.

use std::sync::Arc;

use napi::bindgen_prelude::{Array, BufferSlice, External, Function};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{Env, Error, Result};
use napi_derive::napi;

use super::handles::{EngineRef, MemoryRef};
use super::{convert, send};
use crate::engine::{Engine, Work, dice};
use crate::math::crypto::{self, KeyPair};
use crate::store::disk;
use crate::store::memory::Memory;
use crate::wire::NoiseKeyPair;

/// Makes the engine of an environment. `wake` is called when something happened on a worker; it
/// keeps nothing alive.
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
    send::events(env, events).map(Some)
}

/// True if there are events.
#[napi(catch_unwind)]
pub fn engine_waits(engine: &EngineRef) -> bool {
    engine.waits()
}

/// Time has passed. True if events wait.
#[napi(catch_unwind)]
pub fn engine_tick(engine: &EngineRef) -> bool {
    engine.tick()
}

/// What the engine has done so far.
#[napi(object)]
pub struct WorkSpec {
    /// Things that actors said, and that were carried.
    pub steps: f64,
    /// Times that a feed was settled.
    pub settled: f64,
    /// Jobs that were run.
    pub jobs: f64,
    /// Peers, waits and requests that replicators looked at.
    pub looks: f64,
    /// Events for JavaScript.
    pub events: f64,
}

/// What the engine has done so far: for tests that count what things cost.
#[napi(catch_unwind)]
pub fn engine_work(engine: &EngineRef) -> WorkSpec {
    let Work { steps, settled, jobs, looks, events } = engine.work();
    let [steps, settled, jobs, looks, events] = [steps, settled, jobs, looks, events].map(|count| count as f64);
    WorkSpec { steps, settled, jobs, looks, events }
}

/// How many files all logs of the process may keep open, beside the lock of each.
#[napi(catch_unwind)]
pub fn set_max_files(max: f64) {
    disk::set_max_files(usize::try_from(convert::number(max)).unwrap_or(usize::MAX));
}

/// How many that is, and how many are open.
#[napi(catch_unwind)]
pub fn files() -> (u32, u32) {
    let (max, open) = disk::files();
    (u32::try_from(max).unwrap_or(u32::MAX), u32::try_from(open).unwrap_or(u32::MAX))
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
