//! Random access: any storage of the `random-access-storage` crate as a native one.
//!
//! ```text
//! Storage (synchronous, &self)  --lock a file, run its future to the end-->  RandomAccess (asynchronous, &mut self)
//! ```
//! The crate's storages need an executor, and which one is theirs to know, so the caller brings a
//! way to run a future to its end. What to expect: random-access-memory@3 is whole;
//! random-access-disk@3.0.1 gives zeros for what lies beyond 2 MiB, costs 15 to 60 us an operation,
//! and always syncs. Therefore [`super::disk::Disk`] is the default.
//!
//! Invariant: one operation at a time on a file. Nothing is cached, so a reader in a hurry is told
//! to wait.
//! Source: random-access-storage@5.0.0 src/lib.rs.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{cmp, io};

use parking_lot::Mutex;
use random_access_storage::{RandomAccess, RandomAccessError};

use super::error::StoreError;
use super::layout::{File, PerFile};
use super::storage::{Storage, Wait};

/// A future of somebody else's, on its way to an executor.
pub type Task<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Six storages of the crate as the files of one feed.
pub struct RandomAccessStorage<T> {
    files: PerFile<Mutex<T>>,
    run: Box<dyn for<'a> Fn(Task<'a>) + Send + Sync>,
    is_closed: AtomicBool,
}

impl<T: RandomAccess + Send> RandomAccessStorage<T> {
    /// `open` makes the storage of each file; `run` runs a future to its end, on the crate's
    /// executor.
    pub fn new(mut open: impl FnMut(File) -> T, run: impl for<'a> Fn(Task<'a>) + Send + Sync + 'static) -> Self {
        let files = PerFile::make(|file| Mutex::new(open(file)));
        Self { files, run: Box::new(run), is_closed: AtomicBool::new(false) }
    }

    fn wait<O: Send>(&self, future: impl Future<Output = O> + Send) -> Option<O> {
        let mut output = None;
        (self.run)(Box::pin(async { output = Some(future.await) }));
        output
    }

    fn with<O: Send>(
        &self,
        file: File,
        syscall: &'static str,
        start: impl for<'a> FnOnce(&'a mut T) -> Pin<Box<dyn Future<Output = Result<O, RandomAccessError>> + Send + 'a>>,
    ) -> Result<O, StoreError> {
        if self.is_closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        let fault = |error: io::Error| StoreError::system(&error, syscall, Path::new(file.name()));
        let mut storage = self.files.of(file).lock();
        match self.wait(start(&mut storage)) {
            Some(Ok(output)) => Ok(output),
            Some(Err(RandomAccessError::IO { source, .. })) => Err(fault(source)),
            Some(Err(error)) => Err(fault(io::Error::other(error))),
            None => Err(fault(io::Error::other("The executor did not run"))),
        }
    }

    fn size(&self, file: File) -> Result<u64, StoreError> {
        self.with(file, "fstat", |storage| storage.len())
    }
}

impl<T: RandomAccess + Send> Storage for RandomAccessStorage<T> {
    /// The crate knows no locks: whoever makes the storages sees to it.
    fn lock(&self, _create: bool) -> Result<(), StoreError> {
        Ok(())
    }

    fn read(&self, file: File, offset: u64, out: &mut [u8], wait: Wait) -> Result<usize, StoreError> {
        if wait == Wait::CacheOnly {
            return Err(StoreError::WouldBlock);
        }
        let there = self.size(file)?.saturating_sub(offset);
        let len = cmp::min(u64::try_from(out.len()).unwrap_or(u64::MAX), there);
        if len == 0 {
            return Ok(0);
        }
        let bytes = self.with(file, "read", |storage| storage.read(offset, len))?;
        let count = cmp::min(bytes.len(), out.len());
        out.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        Ok(count)
    }

    fn write(&self, file: File, offset: u64, data: &[&[u8]]) -> Result<(), StoreError> {
        let data = data.concat();
        self.with(file, "write", |storage| Box::pin(async move { storage.write(offset, &data).await }))
    }

    /// A file of no bytes and none at all are the same here.
    fn len(&self, file: File) -> Result<Option<u64>, StoreError> {
        Ok(Some(self.size(file)?).filter(|len| *len > 0))
    }

    fn clear(&self, file: File, offset: u64, len: u64) -> Result<(), StoreError> {
        if offset.saturating_add(len) >= self.size(file)? {
            return self.truncate(file, offset);
        }
        self.with(file, "del", |storage| storage.del(offset, len))
    }

    fn truncate(&self, file: File, len: u64) -> Result<(), StoreError> {
        self.with(file, "ftruncate", |storage| storage.truncate(len))
    }

    fn sync(&self, file: File) -> Result<(), StoreError> {
        self.with(file, "fdatasync", |storage| storage.sync_all())
    }

    fn close(&self) -> Result<(), StoreError> {
        self.is_closed.store(true, Ordering::Release);
        Ok(())
    }

    /// Empties the files: the crate cannot remove them.
    fn destroy(&self) -> Result<(), StoreError> {
        self.is_closed.store(false, Ordering::Release);
        let emptied = File::ALL.into_iter().try_for_each(|file| self.truncate(file, 0));
        self.is_closed.store(true, Ordering::Release);
        emptied
    }
}
