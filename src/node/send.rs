//! Send: values become JavaScript's.

use bytes::Bytes;
use napi::bindgen_prelude::{Array, BufferSlice, JsValue, Null, ToNapiValue, Unknown};
use napi::{Env, Result};

use super::event::parts;
use super::value::Value;
use crate::engine::Event;

/// Events as arrays: kind, values.
pub fn events(env: &Env, events: Vec<Event>) -> Result<Array<'_>> {
    let mut list = env.create_array(len(events.len()))?;
    for (place, event) in events.into_iter().enumerate() {
        let (kind, values) = parts(event);
        let mut entry = env.create_array(len(values.len() + 1))?;
        entry.set(0, kind as u32)?;
        for (at, value) in values.into_iter().enumerate() {
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

/// A Buffer, or what is left behind.
pub fn buffer_or_flags<'env>(env: &'env Env, block: std::result::Result<Bytes, u32>) -> Result<Unknown<'env>> {
    match block {
        Ok(block) => Ok(buffer(env, &block)?.to_unknown()),
        Err(flags) => flags.into_unknown(env),
    }
}
