//! Hot: what is called for every block, on the bare Node-API.
//!
//! ```text
//! feedHas(feed, start, end) -> bool
//! feedUpdateVerdict(feed, min length, expected length, bits) -> verdict
//! feedReadStep(feed, index, place, data | undefined) -> step      place: Float64Array of what border::place lists
//! ```
//! Scopes and conversions of a generated binding cost 100 to 250 ns a call; a cached read takes
//! 1,000. What is not called as written above answers undefined.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::slice;

use napi::bindgen_prelude::{External, FromNapiRef, JsObjectValue, Object};
use napi::sys::{self, Status};
use napi::{Callback, Result};
use napi_derive::napi;

use super::border::{place, step, update, verdict};
use super::convert::number;
use crate::engine::{FeedHandle, UpdateAsked, Verdict};
use crate::feed::{BlockRead, Version};

/// What [`place`] lists.
type Place = [f64; place::PLACES];

/// One call with up to four arguments; those that are missing are undefined.
struct Call {
    env: sys::napi_env,
    arguments: [sys::napi_value; 4],
}

/// Adds these functions to the generated ones.
#[napi(module_exports)]
pub fn exports(mut exports: Object) -> Result<()> {
    let functions: [(&str, Callback); 3] =
        [("feedHas", feed_has), ("feedUpdateVerdict", feed_update_verdict), ("feedReadStep", feed_read_step)];
    functions.into_iter().try_for_each(|(name, function)| exports.create_named_method(name, function))
}

/// True if all blocks of a range are held.
unsafe extern "C" fn feed_has(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    answer(env, info, |call| {
        let has = call.feed()?.has(call.number(1)?, call.number(2)?);
        Some(call.bool(has))
    })
}

/// What an update is answered at once, as [`verdict`] lists it. Lengths are Infinity for none; the
/// bits are [`update`]'s.
unsafe extern "C" fn feed_update_verdict(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    answer(env, info, |call| {
        let bits = call.number(3)?;
        let verdict = call.feed()?.judge_update(UpdateAsked {
            min_len: call.number(1)?,
            expected_len: call.number(2)?,
            if_available: bits & update::IF_AVAILABLE != 0,
            force: bits & update::FORCE != 0,
        });
        Some(call.small(match verdict {
            Verdict::Wait => verdict::WAIT,
            Verdict::Reached => verdict::REACHED,
            Verdict::NothingNew => verdict::NOTHING_NEW,
            Verdict::Expected => verdict::EXPECTED,
        }))
    })
}

/// Reads a block that is in a JavaScript storage on. `place` says what was read, and gets what to
/// read next; `data` is what was read, or undefined at the beginning. Gives a [`step`].
unsafe extern "C" fn feed_read_step(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    answer(env, info, |call| {
        let (feed, index) = (call.feed()?, call.number(1)?);
        let read = call.numbers(2)?;
        let result = match call.bytes(3) {
            Some(data) => read_on(feed, index, read, data),
            None => Some(next_step(feed, index)),
        };
        let next = result.unwrap_or([0.0; place::PLACES]);
        call.put(2, next)?;
        Some(call.small(next[place::STEP] as u32))
    })
}

/// What the bytes lead to; nothing if they are not what they should be.
fn read_on(feed: &FeedHandle, index: u64, read: Place, data: &[u8]) -> Option<Place> {
    let data = data.get(..read[place::SIZE] as usize)?;
    let seen = Version(number(read[place::VERSION]));
    let mut next = [0.0; place::PLACES];
    match read[place::STEP] as u32 {
        step::BLOCK if feed.matches(index, data, seen) => next[place::STEP] = f64::from(step::DONE),
        step::NODES if feed.remember(number(read[place::NODE]), number(read[place::OFFSET]), data, seen) => {
            next = next_step(feed, index);
        }
        _ => return None,
    }
    Some(next)
}

fn next_step(feed: &FeedHandle, index: u64) -> Place {
    match feed.next_read(index) {
        None => [0.0; place::PLACES],
        Some((BlockRead::Data { offset, len }, seen)) => {
            [f64::from(step::BLOCK), offset as f64, len as f64, 0.0, seen.0 as f64]
        }
        Some((BlockRead::Nodes { index, offset, len }, seen)) => {
            [f64::from(step::NODES), offset as f64, len as f64, index.0 as f64, seen.0 as f64]
        }
    }
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
        // SAFETY: both are of the call that is under way; there is room for as many arguments as
        // `count` says.
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
            // SAFETY: the memory is the argument's, which lives as long as the call; JavaScript
            // does not run meanwhile.
            (Status::napi_ok, _) => Some(unsafe { slice::from_raw_parts(data.cast(), len) }),
            _ => None,
        }
    }

    /// The memory of a `Float64Array` that has room for a place.
    fn room(&self, argument: usize) -> Option<*mut Place> {
        let (mut kind, mut len, mut data) = (0, 0, null_mut());
        let array = *self.arguments.get(argument)?;
        // SAFETY: the argument is a value of this call; its type is checked.
        let status = unsafe {
            sys::napi_get_typedarray_info(self.env, array, &mut kind, &mut len, &mut data, null_mut(), null_mut())
        };
        let has_room = kind == sys::TypedarrayType::float64_array && len >= place::PLACES;
        (status == Status::napi_ok && has_room).then(|| data.cast())
    }

    fn numbers(&self, argument: usize) -> Option<Place> {
        // SAFETY: the memory is the argument's, aligned and long enough; JavaScript does not run
        // meanwhile.
        self.room(argument).map(|room| unsafe { *room })
    }

    fn put(&self, argument: usize, place: Place) -> Option<()> {
        // SAFETY: as above; what was read from it before is a copy.
        self.room(argument).map(|room| unsafe { *room = place })
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
