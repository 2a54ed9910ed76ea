//! Storages in JavaScript: what is asked of them, and what they answer.
//!
//! ```text
//! event Io, or a call's rest -> feedTakeIo -> the storage -> feedIoDone, feedIoWritten: rest -> ...
//! ```
//! Numbers and bytes go into memory of the caller's: an array made here for each request would cost
//! more than the request.

use bytes::Bytes;
use napi::bindgen_prelude::{Either, Uint8ArraySlice};
use napi_derive::napi;

use super::border::{answer, rest, storage};
use super::convert::number;
use super::handles::FeedRef;
use crate::engine::{FeedHandle, Rest};
use crate::store::absence::Said;
use crate::store::mailbox::{Answer, Op, Request};
use crate::store::{File, StoreError, Write};

/// How many bytes an append's answer takes.
const APPENDED: usize = 5 * size_of::<f64>();

/// Takes the waiting requests. `page` gets, from `offset` on, their count, writes counted one by
/// one; five numbers for each: id, operation, file, offset, bytes to read, write or clear; then the
/// bytes of all writes, one after the other. Numbers are f64. Writes that are answered together
/// have one id and are neighbours. Gives how many bytes that are; if they do not fit nothing is
/// taken, and it is below 0.
#[napi(catch_unwind)]
pub fn feed_take_io(feed: &FeedRef, mut page: Uint8ArraySlice, offset: f64) -> f64 {
    // SAFETY: the caller keeps what is behind `offset` for us, and nobody else looks at it during
    // the call.
    take(feed, unsafe { page.as_mut() }, offset)
}

/// What a call has left behind, as [`rest`] lists it. Where `page` has room for it, from `offset`
/// on, an append's answer is there as five numbers, or the storage's requests are, as
/// [`feed_take_io`] puts them.
pub fn rest_on(feed: &FeedHandle, rest: Rest, page: Option<Uint8ArraySlice>, offset: f64) -> f64 {
    let Some(mut page) = page else { return f64::from(flags(rest.events, rest.requests)) };
    // SAFETY: the caller keeps what is behind `offset` for us, and nobody else looks at it during
    // the call.
    let room = unsafe { page.as_mut() };
    let taken = if rest.requests { take(feed, room, offset) } else { 0.0 };
    match rest.events {
        true if taken == 0.0 && put_appended(feed, room, offset) => f64::from(rest::ANSWERS),
        events => f64::from(flags(events, taken < 0.0)) + f64::from(rest::BRINGS) * taken.max(0.0),
    }
}

fn flags(events: bool, requests: bool) -> u32 {
    rest::EVENTS * u32::from(events) + rest::ASKS * u32::from(requests)
}

fn put_appended(feed: &FeedHandle, page: &mut [u8], offset: f64) -> bool {
    let Some(room) = page.get_mut(number(offset) as usize..).filter(|room| room.len() >= APPENDED) else {
        return false;
    };
    let Some(answer) = feed.take_appended() else { return false };
    put_numbers(room, answer);
    true
}

/// Numbers as JavaScript reads them from a `Float64Array`, as many as there is room for.
fn put_numbers(room: &mut [u8], numbers: impl IntoIterator<Item = u64>) {
    for (slot, value) in room.chunks_exact_mut(size_of::<f64>()).zip(numbers) {
        slot.copy_from_slice(&(value as f64).to_ne_bytes());
    }
}

/// A JavaScript storage has done the writes of request `id`. Gives what is left behind, as
/// [`rest_on`] says.
#[napi(catch_unwind)]
pub fn feed_io_written(feed: &FeedRef, id: f64, page: Option<Uint8ArraySlice>, offset: f64) -> f64 {
    rest_on(feed, feed.answer(number(id), Ok(Answer::Done)), page, offset)
}

fn take(feed: &FeedHandle, page: &mut [u8], offset: f64) -> f64 {
    let (count, bytes) = feed.waiting_requests();
    let wanted = size_of::<f64>() * (1 + 5 * count) + bytes;
    let Some(room) = page.get_mut(number(offset) as usize..).and_then(|room| room.get_mut(..wanted)) else {
        return -(wanted as f64);
    };
    let requests = feed.take_requests();
    let (head, mut rest) = room.split_at_mut(wanted - bytes);
    put_numbers(head, std::iter::once(count as u64).chain(requests.iter().flat_map(entries).flatten()));
    for part in requests.iter().flat_map(parts) {
        let Some((to, tail)) = rest.split_at_mut_checked(part.len()) else { break };
        to.copy_from_slice(part);
        rest = tail;
    }
    wanted as f64
}

/// Five numbers for each thing to do.
fn entries(Request { id, op }: &Request) -> impl Iterator<Item = [u64; 5]> {
    let one = match op {
        Op::Write(_) => None,
        Op::Read { file, offset, len } => Some([*id, storage::READ, *file as u64, *offset, *len as u64]),
        Op::Clear { file, offset, len } => Some([*id, storage::CLEAR, *file as u64, *offset, *len]),
        Op::Len(file) => Some([*id, storage::STAT, *file as u64, 0, 0]),
        Op::Close(file) => Some([*id, storage::CLOSE, *file as u64, 0, 0]),
        Op::Destroy(file) => Some([*id, storage::DESTROY, *file as u64, 0, 0]),
    };
    let writes = writes_of(op).iter().map(|Write { file, offset, data }| {
        let size = data.iter().map(Bytes::len).sum::<usize>() as u64;
        [*id, storage::WRITE, *file as u64, *offset, size]
    });
    one.into_iter().chain(writes)
}

fn writes_of(op: &Op) -> &[Write] {
    match op {
        Op::Write(writes) => writes,
        _ => &[],
    }
}

fn parts(request: &Request) -> impl Iterator<Item = &Bytes> {
    writes_of(&request.op).iter().flat_map(|write| &write.data)
}

/// Whether an error of a file's storage only means that it, or a part of it, is not there. `code`
/// is null if the error has none.
#[napi(catch_unwind)]
pub fn feed_io_absent(
    feed: &FeedRef,
    file: u32,
    code: Option<String>,
    not_found: bool,
    message: String,
    can_stat: bool,
) -> bool {
    let said = Said { code: code.as_deref(), not_found, message: &message, can_stat };
    File::ALL.get(file as usize).is_some_and(|file| feed.is_absent(*file, said))
}

/// A JavaScript storage's answer, as [`answer`] lists them; `value` is what was read, a length, or
/// the number of a kept error. Gives what is left behind, as [`rest_on`] says.
#[napi(catch_unwind)]
pub fn feed_io_done(feed: &FeedRef, id: f64, status: u32, value: Option<Either<&[u8], f64>>) -> f64 {
    let result = match (status, value) {
        (answer::DONE, Some(Either::A(bytes))) => Ok(Answer::Bytes(Bytes::copy_from_slice(bytes))),
        (answer::DONE, Some(Either::B(len))) => Ok(Answer::Len(number(len))),
        (answer::DONE, None) => Ok(Answer::Done),
        (answer::FAILED, Some(Either::B(error))) => Err(StoreError::Foreign(number(error))),
        (answer::UNABLE, _) => Ok(Answer::Unable),
        _ => Ok(Answer::Absent),
    };
    rest_on(feed, feed.answer(number(id), result), None, 0.0)
}
