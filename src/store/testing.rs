//! A storage that fails when told: for tests.
//!
//! Operations are counted from 0 over all files; the chosen one fails, or all from it on.
//! Source: SQLite's failing VFS, "How SQLite Is Tested".

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::error::StoreError;
use super::layout::File;
use super::storage::{Storage, Wait};

/// Which operations fail, and how.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The numbers of those that fail: `n..=n` once, `n..=u64::MAX` from then on.
    pub at: RangeInclusive<u64>,
    /// What they answer.
    pub error: StoreError,
    /// A write that fails leaves the first half of its bytes.
    pub short_writes: bool,
}

/// Wraps a storage, counts its operations and fails some.
pub struct Faulty {
    inner: Arc<dyn Storage>,
    count: AtomicU64,
    fault: Mutex<Option<Fault>>,
}

impl Faulty {
    /// A storage that does not fail yet.
    pub fn new(inner: Arc<dyn Storage>) -> Self {
        Faulty { inner, count: AtomicU64::new(0), fault: Mutex::new(None) }
    }

    /// Counts anew from 0, with this fault or none.
    pub fn arm(&self, fault: Option<Fault>) {
        *self.fault.lock() = fault;
        self.count.store(0, Ordering::SeqCst);
    }

    /// Operations since the last `arm`, failed ones included.
    pub fn operations(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    fn step(&self) -> Option<Fault> {
        let number = self.count.fetch_add(1, Ordering::SeqCst);
        self.fault.lock().clone().filter(|fault| fault.at.contains(&number))
    }

    fn pass(&self) -> Result<&dyn Storage, StoreError> {
        self.step().map_or(Ok(self.inner.as_ref()), |fault| Err(fault.error))
    }
}

impl Storage for Faulty {
    fn lock(&self, create: bool) -> Result<(), StoreError> {
        self.pass()?.lock(create)
    }

    fn read(&self, file: File, offset: u64, out: &mut [u8], wait: Wait) -> Result<usize, StoreError> {
        self.pass()?.read(file, offset, out, wait)
    }

    fn write(&self, file: File, offset: u64, data: &[&[u8]]) -> Result<(), StoreError> {
        let Some(fault) = self.step() else { return self.inner.write(file, offset, data) };
        if fault.short_writes {
            let whole = data.concat();
            self.inner.write(file, offset, &[whole.get(..whole.len() / 2).unwrap_or_default()])?;
        }
        Err(fault.error)
    }

    fn len(&self, file: File) -> Result<Option<u64>, StoreError> {
        self.pass()?.len(file)
    }

    fn clear(&self, file: File, offset: u64, len: u64) -> Result<(), StoreError> {
        self.pass()?.clear(file, offset, len)
    }

    fn truncate(&self, file: File, len: u64) -> Result<(), StoreError> {
        self.pass()?.truncate(file, len)
    }

    fn sync(&self, file: File) -> Result<(), StoreError> {
        self.pass()?.sync(file)
    }

    fn close(&self) -> Result<(), StoreError> {
        self.pass()?.close()
    }

    fn destroy(&self) -> Result<(), StoreError> {
        self.pass()?.destroy()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStorage;

    #[test]
    fn fails_the_chosen_one() {
        let faulty = Faulty::new(Arc::new(MemoryStorage::new(Arc::default())));
        faulty.arm(Some(Fault { at: 1..=1, error: StoreError::Closed, short_writes: true }));
        faulty.write(File::Data, 0, &[b"ab"]).unwrap();
        assert_eq!(faulty.write(File::Data, 2, &[b"cd", b"ef"]), Err(StoreError::Closed));
        assert_eq!((faulty.len(File::Data), faulty.operations()), (Ok(Some(4)), 3));
    }
}
