//! What the verbs of a feed use: one storage, wherever it lives.
//!
//! ```text
//! verb --await--> Io --+-- native:  Arc<dyn Storage>, done at the first poll
//!                      +-- mailbox: requests to JavaScript, done when answered
//! ```
//! An Io that must not keep anybody waiting ([`Io::cache_only`]) has an allowance: reads, and
//! whatever else a verb spends on it, until it is used up. Then all is `WouldBlock`, and the same
//! verb is to be run again on a worker, with an Io that may wait.
//!
//! None always means "not there": the file does not exist, or the range is not wholly in it. All
//! else is an error.
//!
//! Invariant: on a native storage every future is ready at its first poll; `now` relies on it.

use std::future::Future;
use std::io::ErrorKind;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::error::StoreError;
use super::layout::File;
use super::mailbox::{Answer, Mailbox, Op, Ticket};
use super::storage::{Storage, Wait, Write};

/// What one verb may cost where nobody must be kept waiting: some 300 microseconds, by the measure
/// of [`Io::spend`].
const ALLOWANCE: u64 = 300;
/// Bytes that are read and hashed in a microsecond.
const BYTES_A_UNIT: u64 = 1024;

/// A storage as verbs see it. Cheap to clone; a clone has an allowance of its own.
pub struct Io {
    place: Place,
    spent: AtomicU64,
}

#[derive(Clone)]
enum Place {
    Native(Arc<dyn Storage>, Wait),
    Mailbox(Arc<Mailbox>),
}

impl Clone for Io {
    fn clone(&self) -> Self {
        self.place.clone().into()
    }
}

impl From<Place> for Io {
    fn from(place: Place) -> Self {
        Self { place, spent: AtomicU64::new(0) }
    }
}

/// Polls once. On a native storage that is enough; None means that the storage lives elsewhere and
/// owes an answer.
pub fn now<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

impl Io {
    /// Over a native storage; reads wait for devices.
    pub fn native(storage: Arc<dyn Storage>) -> Self {
        Place::Native(storage, Wait::Block).into()
    }

    /// Over a storage that lives in JavaScript.
    pub fn mailbox(mailbox: Arc<Mailbox>) -> Self {
        Place::Mailbox(mailbox).into()
    }

    /// The same storage for one verb that must not keep anybody waiting: what would wait for a
    /// device, or is much work, answers `WouldBlock`.
    pub fn cache_only(&self) -> Io {
        match &self.place {
            Place::Native(storage, _) => Place::Native(storage.clone(), Wait::CacheOnly).into(),
            Place::Mailbox(_) => self.clone(),
        }
    }

    /// True if whoever reads must not be kept waiting, by a device or by much work.
    pub const fn is_hasty(&self) -> bool {
        matches!(self.place, Place::Native(_, Wait::CacheOnly))
    }

    /// Takes work of about so many microseconds from the allowance; `WouldBlock` if that is more
    /// than is left. Where waiting is allowed this does nothing.
    pub fn spend(&self, cost: u64) -> Result<(), StoreError> {
        if !self.is_hasty() {
            return Ok(());
        }
        let spent = self.spent.load(Ordering::Relaxed).saturating_add(cost);
        self.spent.store(spent, Ordering::Relaxed);
        if spent > ALLOWANCE { Err(StoreError::WouldBlock) } else { Ok(()) }
    }

    /// The cost of a read of so many bytes.
    fn spend_read(&self, len: usize) -> Result<(), StoreError> {
        self.spend(u64::try_from(len).unwrap_or(u64::MAX) / BYTES_A_UNIT + 1)
    }

    /// True if every future is ready at its first poll.
    pub const fn is_native(&self) -> bool {
        matches!(self.place, Place::Native(..))
    }

    /// Takes the lock (see `Storage::lock`). JavaScript storages lock for themselves.
    pub async fn lock(&self, create: bool) -> Result<(), StoreError> {
        match &self.place {
            Place::Native(storage, _) => storage.lock(create),
            Place::Mailbox(_) => Ok(()),
        }
    }

    /// Exactly `len` bytes from `offset` on, or None.
    pub async fn read(&self, file: File, offset: u64, len: usize) -> Result<Option<Bytes>, StoreError> {
        self.spend_read(len)?;
        match &self.place {
            Place::Native(storage, wait) => read_exact(storage.as_ref(), file, offset, len, *wait),
            Place::Mailbox(mailbox) => {
                let bytes = exact(post_read(mailbox, file, offset, len).await, len)?;
                if bytes.is_some() && file == File::SecretKey {
                    mailbox.absence().found_secret_key();
                }
                Ok(bytes)
            }
        }
    }

    /// Up to `len` bytes from `offset` on: fewer at the end of the file, none if it does not exist.
    pub async fn read_up_to(&self, file: File, offset: u64, len: usize) -> Result<Bytes, StoreError> {
        if let Place::Native(storage, wait) = &self.place {
            self.spend_read(len)?;
            return read_some(storage.as_ref(), file, offset, len, *wait);
        }
        if let Some(bytes) = self.read(file, offset, len).await? {
            return Ok(bytes);
        }
        let end = self.len(file).await?.unwrap_or(0);
        let rest = usize::try_from(end.saturating_sub(offset)).unwrap_or(len).min(len);
        if rest == 0 {
            return Ok(Bytes::new());
        }
        Ok(self.read(file, offset, rest).await?.unwrap_or_default())
    }

    /// Several reads `(file, offset, len)` at once, answered in their order.
    pub async fn read_batch(&self, requests: &[(File, u64, usize)]) -> Vec<Result<Option<Bytes>, StoreError>> {
        match &self.place {
            Place::Native(storage, wait) => requests
                .iter()
                .map(|&(file, offset, len)| {
                    self.spend_read(len)?;
                    read_exact(storage.as_ref(), file, offset, len, *wait)
                })
                .collect(),
            Place::Mailbox(mailbox) => {
                let tickets: Vec<Ticket> =
                    requests.iter().map(|&(file, offset, len)| post_read(mailbox, file, offset, len)).collect();
                let mut answers = Vec::with_capacity(tickets.len());
                for (ticket, &(_, _, len)) in tickets.into_iter().zip(requests) {
                    answers.push(exact(ticket.await, len));
                }
                answers
            }
        }
    }

    /// Several writes, in any order among themselves. The first error is the answer; others may
    /// have been done then.
    pub async fn write_batch(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        match &self.place {
            Place::Native(storage, _) => writes.iter().try_for_each(|write| {
                let data: Vec<&[u8]> = write.data.iter().map(Bytes::as_ref).collect();
                storage.write(write.file, write.offset, &data)
            }),
            Place::Mailbox(mailbox) => mailbox.post(Op::Write(writes)).await.map(drop),
        }
    }

    /// Length of the file in bytes, None if it does not exist. Where the storage cannot tell, it is
    /// probed with reads of one byte, on the assumption that the file has no unreadable holes.
    pub async fn len(&self, file: File) -> Result<Option<u64>, StoreError> {
        match &self.place {
            Place::Native(storage, _) => storage.len(file),
            Place::Mailbox(mailbox) => match mailbox.post(Op::Len(file)).await? {
                Answer::Len(len) => Ok(Some(len)),
                Answer::Unable => self.probe_len(file).await,
                _ => Ok(None),
            },
        }
    }

    /// Doubles until a byte is missing, then halves the gap: some 2 log2(length) reads.
    async fn probe_len(&self, file: File) -> Result<Option<u64>, StoreError> {
        let (mut present, mut missing) = (0, 1);
        while self.read(file, missing - 1, 1).await?.is_some() {
            if missing >= 1 << 52 {
                return Ok(Some(missing));
            }
            (present, missing) = (missing, missing * 2);
        }
        while missing - present > 1 {
            let middle = present + (missing - present) / 2;
            match self.read(file, middle - 1, 1).await? {
                Some(_) => present = middle,
                None => missing = middle,
            }
        }
        Ok((present > 0).then_some(present))
    }

    /// Gives space back (see `Storage::clear`), where the storage can.
    pub async fn clear(&self, file: File, offset: u64, len: u64) -> Result<(), StoreError> {
        match &self.place {
            Place::Native(storage, _) => storage.clear(file, offset, len),
            Place::Mailbox(mailbox) => mailbox.post(Op::Clear { file, offset, len }).await.map(drop),
        }
    }

    /// Makes the file `len` bytes long. A JavaScript storage can only become shorter, and only if
    /// it can clear.
    pub async fn truncate(&self, file: File, len: u64) -> Result<(), StoreError> {
        if let Place::Native(storage, _) = &self.place {
            return storage.truncate(file, len);
        }
        match self.len(file).await? {
            Some(end) if end > len => self.clear(file, len, end - len).await,
            _ => Ok(()),
        }
    }

    /// Returns when the file survives a power loss. JavaScript storages know no such thing.
    pub async fn sync(&self, file: File) -> Result<(), StoreError> {
        match &self.place {
            Place::Native(storage, _) => storage.sync(file),
            Place::Mailbox(_) => Ok(()),
        }
    }

    /// Gives up lock and descriptors.
    pub async fn close(&self) -> Result<(), StoreError> {
        match &self.place {
            Place::Native(storage, _) => storage.close(),
            Place::Mailbox(mailbox) => for_all_files(mailbox, Op::Close).await,
        }
    }

    /// Gives up what an open that failed has begun: what this storage has made is removed, all else
    /// stays. JavaScript storages make files when they are read, each in its own way: these are
    /// only closed.
    pub async fn abandon(&self) -> Result<(), StoreError> {
        match &self.place {
            Place::Native(storage, _) => storage.abandon(),
            Place::Mailbox(_) => self.close().await,
        }
    }

    /// Removes all six files, and closes.
    pub async fn destroy(&self) -> Result<(), StoreError> {
        match &self.place {
            Place::Native(storage, _) => storage.destroy(),
            Place::Mailbox(mailbox) => for_all_files(mailbox, Op::Destroy).await,
        }
    }
}

fn post_read(mailbox: &Arc<Mailbox>, file: File, offset: u64, len: usize) -> Ticket {
    mailbox.post(Op::Read { file, offset, len })
}

/// A foreign storage may answer with too much, which is cut, or too little, which is not there.
fn exact(answer: Result<Answer, StoreError>, len: usize) -> Result<Option<Bytes>, StoreError> {
    match answer? {
        Answer::Bytes(bytes) if bytes.len() >= len => Ok(Some(bytes.slice(..len))),
        _ => Ok(None),
    }
}

/// Waits for all, also after an error: nothing may be under way when the verb goes on.
async fn for_all_files(mailbox: &Arc<Mailbox>, op: impl Fn(File) -> Op) -> Result<(), StoreError> {
    let tickets: Vec<Ticket> = File::ALL.into_iter().map(|file| mailbox.post(op(file))).collect();
    let mut result = Ok(());
    for ticket in tickets {
        let answer = ticket.await.map(drop);
        result = result.and(answer);
    }
    result
}

fn read_exact(
    storage: &dyn Storage,
    file: File,
    offset: u64,
    len: usize,
    wait: Wait,
) -> Result<Option<Bytes>, StoreError> {
    let bytes = read_some(storage, file, offset, len, wait)?;
    Ok((bytes.len() == len).then_some(bytes))
}

fn read_some(storage: &dyn Storage, file: File, offset: u64, len: usize, wait: Wait) -> Result<Bytes, StoreError> {
    let mut buffer = Vec::new();
    // A length may come from rotten bytes: to fail is better than to abort.
    let reserved = buffer.try_reserve_exact(len);
    reserved.map_err(|_| StoreError::system(&ErrorKind::OutOfMemory.into(), "read", Path::new(file.name())))?;
    buffer.resize(len, 0);
    let count = storage.read(file, offset, &mut buffer, wait)?;
    buffer.truncate(count);
    Ok(Bytes::from(buffer))
}
