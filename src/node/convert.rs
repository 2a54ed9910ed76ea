//! Values over the border.

use bytes::Bytes;
use napi::bindgen_prelude::{Array, Buffer, BufferSlice, JsValue, Null, ToNapiValue, Unknown};
use napi::{Env, Error, Result};

use crate::engine::{Event, Value};

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

/// A number, or -1 for none.
pub fn maybe_number(value: f64) -> Option<u64> {
    (value >= 0.0).then_some(value as u64)
}

/// Events as arrays: kind, values.
pub fn events(env: &Env, events: Vec<Event>) -> Result<Array<'_>> {
    let mut list = env.create_array(len(events.len()))?;
    for (place, event) in events.into_iter().enumerate() {
        let mut entry = env.create_array(len(event.values.len() + 1))?;
        entry.set(0, event.kind as u32)?;
        for (at, value) in event.values.into_iter().enumerate() {
            set(env, &mut entry, len(at + 1), value)?;
        }
        list.set(len(place), entry)?;
    }
    Ok(list)
}

fn len(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// Values of any depth as an array.
fn list(env: &Env, values: Vec<Value>) -> Result<Array<'_>> {
    let mut list = env.create_array(len(values.len()))?;
    for (at, value) in values.into_iter().enumerate() {
        set(env, &mut list, len(at), value)?;
    }
    Ok(list)
}

fn set(env: &Env, entry: &mut Array<'_>, at: u32, value: Value) -> Result<()> {
    match value {
        Value::Null => entry.set(at, Null),
        Value::Bool(value) => entry.set(at, value),
        Value::Number(number) => entry.set(at, number as f64),
        Value::Signed(number) => entry.set(at, number),
        Value::Text(text) => entry.set(at, text),
        Value::Bytes(bytes) => entry.set(at, buffer(env, &bytes)?),
        Value::Names(names) => entry.set(at, names),
        Value::List(values) => entry.set(at, list(env, values)?),
    }
}

fn buffer<'env>(env: &'env Env, bytes: &[u8]) -> Result<BufferSlice<'env>> {
    BufferSlice::copy_from(env, bytes)
}

/// A Buffer, or whether events wait.
pub fn buffer_or_flag<'env>(env: &'env Env, block: std::result::Result<Bytes, bool>) -> Result<Unknown<'env>> {
    match block {
        Ok(block) => Ok(buffer(env, &block)?.to_unknown()),
        Err(more) => more.into_unknown(env),
    }
}
