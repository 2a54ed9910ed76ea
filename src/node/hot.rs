//! Hot: what is called for every block, on the bare Node-API.
//!
//! ```text
//! feedHas(feed, start, end) -> bool               feedMatches(feed, index, bytes, size) -> bool
//! feedNextRead(feed, index, place) -> 0 | 1 | 2   place: Float64Array of offset, bytes, first node
//! ```
//! Scopes and conversions of a generated binding cost 100 to 250 ns a call; a cached read takes 1,000. What is not called as
//! written above answers undefined.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::slice;

use napi::bindgen_prelude::{External, FromNapiRef, JsObjectValue, Object};
use napi::sys::{self, Status};
use napi::{Callback, Result};
use napi_derive::napi;

use super::convert::number;
use crate::engine::FeedHandle;
use crate::feed::BlockRead;

/// One call with up to four arguments; those that are missing are undefined.
struct Call {
    env: sys::napi_env,
    arguments: [sys::napi_value; 4],
}

/// Adds these functions to the generated ones.
#[napi(module_exports)]
pub fn exports(mut exports: Object) -> Result<()> {
    let functions: [(&str, Callback); 3] =
        [("feedHas", feed_has), ("feedNextRead", feed_next_read), ("feedMatches", feed_matches)];
    functions.into_iter().try_for_each(|(name, function)| exports.create_named_method(name, function))
}

/// True if all blocks of a range are held.
unsafe extern "C" fn feed_has(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    answer(env, info, |call| {
        let has = call.feed()?.has(call.number(1)?, call.number(2)?);
        Some(call.bool(has))
    })
}

/// What to read from a JavaScript storage for a block: 1 for the block itself, 2 for nodes, after which there is more to read;
/// 0 if it has to be got in the plain way.
unsafe extern "C" fn feed_next_read(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    answer(env, info, |call| {
        let (kind, values) = match call.feed()?.next_read(call.number(1)?) {
            None => (0, [0; 3]),
            Some(BlockRead::Data { offset, len }) => (1, [offset, len, 0]),
            Some(BlockRead::Nodes { index, offset, len }) => (2, [offset, len as u64, index.0]),
        };
        call.put(2, values)?;
        Some(call.small(kind))
    })
}

/// True if the first `size` of these bytes are the block.
unsafe extern "C" fn feed_matches(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    answer(env, info, |call| {
        let data = call.bytes(2)?.get(..call.number(3)? as usize)?;
        Some(call.bool(call.feed()?.matches(call.number(1)?, data)))
    })
}

fn answer(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    run: impl FnOnce(&Call) -> Option<sys::napi_value>,
) -> sys::napi_value {
    let run = AssertUnwindSafe(|| run(&Call::new(env, info)?));
    catch_unwind(run).ok().flatten().unwrap_or(null_mut())
}

impl Call {
    fn new(env: sys::napi_env, info: sys::napi_callback_info) -> Option<Self> {
        let mut arguments = [null_mut(); 4];
        let mut count = arguments.len();
        // SAFETY: both are of the call that is under way; there is room for as many arguments as `count` says.
        let status =
            unsafe { sys::napi_get_cb_info(env, info, &mut count, arguments.as_mut_ptr(), null_mut(), null_mut()) };
        (status == Status::napi_ok).then_some(Self { env, arguments })
    }

    fn feed(&self) -> Option<&FeedHandle> {
        // SAFETY: the argument is a value of this call, which keeps it; its type is checked.
        unsafe { External::<FeedHandle>::from_napi_ref(self.env, self.arguments[0]) }.ok().map(|feed| &**feed)
    }

    fn number(&self, place: usize) -> Option<u64> {
        let mut value = 0.0;
        // SAFETY: the argument is a value of this call; its type is checked.
        let status = unsafe { sys::napi_get_value_double(self.env, *self.arguments.get(place)?, &mut value) };
        (status == Status::napi_ok).then(|| number(value))
    }

    fn bytes(&self, place: usize) -> Option<&[u8]> {
        let (mut data, mut len) = (null_mut(), 0);
        // SAFETY: the argument is a value of this call; its type is checked.
        let status = unsafe { sys::napi_get_buffer_info(self.env, *self.arguments.get(place)?, &mut data, &mut len) };
        match (status, len) {
            (Status::napi_ok, 0) => Some(&[]),
            // SAFETY: the memory is the argument's, which lives as long as the call; JavaScript does not run meanwhile.
            (Status::napi_ok, _) => Some(unsafe { slice::from_raw_parts(data.cast(), len) }),
            _ => None,
        }
    }

    /// Writes numbers into a `Float64Array` that has room for them.
    fn put(&self, place: usize, values: [u64; 3]) -> Option<()> {
        let (mut kind, mut len, mut data) = (0, 0, null_mut());
        let array = *self.arguments.get(place)?;
        // SAFETY: the argument is a value of this call; its type is checked.
        let status = unsafe {
            sys::napi_get_typedarray_info(self.env, array, &mut kind, &mut len, &mut data, null_mut(), null_mut())
        };
        if status != Status::napi_ok || kind != sys::TypedarrayType::float64_array || len < values.len() {
            return None;
        }
        // SAFETY: the memory is the argument's, aligned and long enough; JavaScript does not run meanwhile.
        let room = unsafe { slice::from_raw_parts_mut(data.cast::<f64>(), len) };
        room.iter_mut().zip(values).for_each(|(to, value)| *to = value as f64);
        Some(())
    }

    fn bool(&self, value: bool) -> sys::napi_value {
        let mut result = null_mut();
        // SAFETY: the environment is the call's. If it fails the result stays null.
        unsafe { sys::napi_get_boolean(self.env, value, &mut result) };
        result
    }

    fn small(&self, value: u32) -> sys::napi_value {
        let mut result = null_mut();
        // SAFETY: the environment is the call's. If it fails the result stays null.
        unsafe { sys::napi_create_uint32(self.env, value, &mut result) };
        result
    }
}
