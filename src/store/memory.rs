//! Memory: the six files in RAM.
//!
//! ```text
//! file:  page 0 | page 1 | (hole) | page 3 ...     64 KiB each; a page is as long as what was written to it
//! ```
//! What is not there reads as zeros up to the file's length. Clearing a whole page gives it back.
//! `Memory` holds the bytes and outlives its storages, as a directory does; a `MemoryStorage` is
//! one opening of it.
//!
//! Invariant: no byte beyond a file's length is kept, so a file that grows again grows with zeros.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::{Mutex, RwLock};

use super::error::StoreError;
use super::layout::{File, PerFile};
use super::storage::{Storage, Wait};

const PAGE: u64 = 64 * 1024;

/// The bytes, shared by those who open them one after the other.
#[derive(Debug, Default)]
pub struct Memory {
    files: PerFile<RwLock<Option<Pages>>>,
    locked: AtomicBool,
}

/// One opening of a `Memory`.
#[derive(Debug)]
pub struct MemoryStorage {
    memory: Arc<Memory>,
    state: Mutex<State>,
    made: PerFile<AtomicBool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    Locking,
    Closed,
}

impl MemoryStorage {
    /// Opens `memory`; what earlier storages wrote to it is there.
    pub fn new(memory: Arc<Memory>) -> Self {
        MemoryStorage { memory, state: Mutex::new(State::Open), made: PerFile::default() }
    }

    fn pages(&self, file: File) -> Result<&RwLock<Option<Pages>>, StoreError> {
        match *self.state.lock() {
            State::Closed => Err(StoreError::Closed),
            State::Open | State::Locking => Ok(self.memory.files.of(file)),
        }
    }

    fn change(&self, file: File, change: impl FnOnce(&mut Pages)) -> Result<(), StoreError> {
        let mut pages = self.pages(file)?.write();
        if pages.is_none() {
            self.made.of(file).store(true, Ordering::Release);
        }
        change(pages.get_or_insert_default());
        Ok(())
    }

    fn take_lock(&self) -> Result<(), StoreError> {
        match self.memory.locked.swap(true, Ordering::AcqRel) {
            true => Err(StoreError::Locked { path: File::Bitfield.name().into() }),
            false => Ok(()),
        }
    }
}

impl Storage for MemoryStorage {
    fn lock(&self, create: bool) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        match *state {
            State::Closed => return Err(StoreError::Closed),
            State::Locking => return Ok(()),
            State::Open => self.take_lock()?,
        }
        *state = State::Locking;
        drop(state);
        if create { self.change(File::Bitfield, |_| ()) } else { Ok(()) }
    }

    fn read(&self, file: File, offset: u64, out: &mut [u8], _wait: Wait) -> Result<usize, StoreError> {
        Ok(self.pages(file)?.read().as_ref().map_or(0, |pages| pages.read(offset, out)))
    }

    fn write(&self, file: File, mut offset: u64, data: &[&[u8]]) -> Result<(), StoreError> {
        self.change(file, |pages| {
            for part in data {
                pages.write(offset, part);
                offset = offset.saturating_add(bytes(part.len()));
            }
        })
    }

    fn len(&self, file: File) -> Result<Option<u64>, StoreError> {
        Ok(self.pages(file)?.read().as_ref().map(|pages| pages.len))
    }

    fn clear(&self, file: File, offset: u64, len: u64) -> Result<(), StoreError> {
        let end = offset.saturating_add(len);
        self.change(file, |pages| if end >= pages.len { pages.truncate(offset) } else { pages.zero(offset, end) })
    }

    fn truncate(&self, file: File, len: u64) -> Result<(), StoreError> {
        self.change(file, |pages| pages.truncate(len))
    }

    fn sync(&self, file: File) -> Result<(), StoreError> {
        self.pages(file).map(drop)
    }

    fn close(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        if *state == State::Locking {
            self.memory.locked.store(false, Ordering::Release);
        }
        *state = State::Closed;
        Ok(())
    }

    fn abandon(&self) -> Result<(), StoreError> {
        for file in File::ALL.into_iter().filter(|&file| self.made.of(file).load(Ordering::Acquire)) {
            *self.memory.files.of(file).write() = None;
        }
        self.close()
    }

    fn destroy(&self) -> Result<(), StoreError> {
        let mut state = self.state.lock();
        if *state != State::Locking {
            self.take_lock()?;
        }
        for file in File::ALL {
            *self.memory.files.of(file).write() = None;
        }
        self.memory.locked.store(false, Ordering::Release);
        *state = State::Closed;
        Ok(())
    }
}

impl Drop for MemoryStorage {
    fn drop(&mut self) {
        // Cannot fail: it only gives up the lock.
        let _ = self.close();
    }
}

#[derive(Debug, Default)]
struct Pages {
    len: u64,
    pages: BTreeMap<u64, Vec<u8>>,
}

impl Pages {
    fn read(&self, offset: u64, out: &mut [u8]) -> usize {
        let count = usize::try_from(self.len.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        let mut rest = out.get_mut(..count).unwrap_or_default();
        let mut offset = offset;
        while !rest.is_empty() {
            let (page, from) = place(offset);
            let (now, later) = rest.split_at_mut(rest.len().min(page_len() - from));
            let kept = self.pages.get(&page).and_then(|page| page.get(from..)).unwrap_or_default();
            let (whole, zeros) = now.split_at_mut(now.len().min(kept.len()));
            whole.copy_from_slice(kept.get(..whole.len()).unwrap_or_default());
            zeros.fill(0);
            offset += bytes(now.len());
            rest = later;
        }
        count
    }

    fn write(&mut self, mut offset: u64, mut data: &[u8]) {
        while !data.is_empty() {
            let (page, from) = place(offset);
            let (now, later) = data.split_at(data.len().min(page_len() - from));
            let page = self.pages.entry(page).or_default();
            if page.len() < from {
                page.resize(from, 0);
            }
            let (over, beyond) = now.split_at(now.len().min(page.len() - from));
            if let Some(to) = page.get_mut(from..from + over.len()) {
                to.copy_from_slice(over);
            }
            if page.capacity() - page.len() < beyond.len() {
                let wanted = (page.len() + beyond.len()).max(page.len() * 2).min(page_len());
                page.reserve_exact(wanted - page.len());
            }
            page.extend_from_slice(beyond);
            offset = offset.saturating_add(bytes(now.len()));
            data = later;
        }
        self.len = self.len.max(offset);
    }

    fn truncate(&mut self, len: u64) {
        let (last, keep) = place(len);
        drop(self.pages.split_off(&(last + 1)));
        if keep == 0 {
            self.pages.remove(&last);
        } else if let Some(page) = self.pages.get_mut(&last) {
            page.truncate(keep);
        }
        self.len = len;
    }

    /// Makes a range read as zeros; its end lies within the file.
    fn zero(&mut self, start: u64, end: u64) {
        let ((first, from), (last, to)) = (place(start), place(end));
        let inner: Vec<u64> = self.pages.range(first..=last).map(|(&page, _)| page).collect();
        for page in inner {
            let from = if page == first { from } else { 0 };
            let to = if page == last { to } else { page_len() };
            if to - from == page_len() {
                self.pages.remove(&page);
            } else if let Some(bytes) = self.pages.get_mut(&page) {
                let to = to.min(bytes.len());
                bytes.get_mut(from.min(to)..to).unwrap_or_default().fill(0);
            }
        }
    }
}

/// The page of a byte, and its place in it.
fn place(offset: u64) -> (u64, usize) {
    (offset / PAGE, usize::try_from(offset % PAGE).unwrap_or(0))
}

fn page_len() -> usize {
    usize::try_from(PAGE).unwrap_or(usize::MAX)
}

fn bytes(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outlives_its_storages_and_admits_one_at_a_time() {
        let memory = Arc::new(Memory::default());
        let first = MemoryStorage::new(memory.clone());
        first.lock(true).unwrap();
        first.write(File::Key, 0, &[b"key"]).unwrap();
        let second = MemoryStorage::new(memory.clone());
        assert_eq!(second.lock(true).unwrap_err().code(), Some("ELOCKED"));
        first.close().unwrap();
        second.lock(true).unwrap();
        first.close().unwrap();
        assert_eq!(second.len(File::Key), Ok(Some(3)));
        assert!(first.destroy().is_err());
        drop(second);
        first.destroy().unwrap();
        assert_eq!(MemoryStorage::new(memory).len(File::Key), Ok(None));
    }

    #[test]
    fn cleared_pages_are_given_back() {
        let mut pages = Pages::default();
        pages.write(0, &vec![1; 3 * page_len()]);
        pages.zero(1, 2 * PAGE + 1);
        assert_eq!((pages.pages.len(), pages.len), (2, 3 * PAGE));
        pages.truncate(PAGE);
        assert_eq!(pages.pages.len(), 1);
        pages.write(1 << 60, b"far");
        assert_eq!(pages.pages.len(), 2);
    }
}
