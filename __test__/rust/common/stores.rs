//! Stores: a storage in memory that fails when told, and remembers every change.
//!
//! ```text
//! Store  counts operations from 0; those that the fault names fail, a failing write may leave half of its bytes
//! Step   one change of one file; any choice of them makes an image of what a crash can leave
//! ```
//! Source: SQLite's failing VFS, "How SQLite Is Tested"; ALICE (OSDI '14).

use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex};

use hypercore::store::memory::{Memory, MemoryStorage};
use hypercore::store::storage::{Storage, Wait};
use hypercore::store::{File, StoreError};

/// What a fault answers.
pub const FAULT: StoreError = StoreError::Foreign(77);

/// Which operations fail.
#[derive(Clone, Debug)]
pub struct Fault {
    /// `n..=n` once, `n..=u64::MAX` from then on.
    pub at: RangeInclusive<u64>,
    /// A write that fails leaves the first half of its bytes.
    pub short_writes: bool,
}

/// One change.
#[derive(Clone, Debug)]
pub enum Step {
    Write(File, u64, Vec<u8>),
    Clear(File, u64, u64),
    Truncate(File, u64),
}

impl Step {
    /// The file that changes.
    pub fn file(&self) -> File {
        match self {
            Self::Write(file, ..) | Self::Clear(file, ..) | Self::Truncate(file, _) => *file,
        }
    }

    /// A crash in the middle of it: a write leaves its first half, all else leaves nothing.
    pub fn torn(&self) -> Option<Step> {
        match self {
            Self::Write(file, offset, data) => Some(Self::Write(*file, *offset, data[..data.len() / 2].to_vec())),
            _ => None,
        }
    }

    fn apply(&self, storage: &MemoryStorage) {
        match self {
            Self::Write(file, offset, data) => storage.write(*file, *offset, &[data]),
            Self::Clear(file, offset, len) => storage.clear(*file, *offset, *len),
            Self::Truncate(file, len) => storage.truncate(*file, *len),
        }
        .unwrap();
    }
}

/// What is on the disk after these steps.
pub fn image<'a>(steps: impl IntoIterator<Item = &'a Step>) -> Arc<Memory> {
    let memory = Arc::default();
    let storage = MemoryStorage::new(Arc::clone(&memory));
    steps.into_iter().for_each(|step| step.apply(&storage));
    memory
}

/// The whole content of all six files.
pub fn content(memory: &Arc<Memory>) -> Vec<(File, Vec<u8>)> {
    let storage = MemoryStorage::new(memory.clone());
    let read = |file: File| {
        let mut bytes = vec![0; storage.len(file).unwrap().unwrap_or(0) as usize];
        storage.read(file, 0, &mut bytes, Wait::Block).unwrap();
        (file, bytes)
    };
    File::ALL.map(read).into()
}

#[derive(Default)]
struct State {
    count: u64,
    fault: Option<Fault>,
    hits: u64,
    steps: Vec<Step>,
}

/// One opening of a memory.
pub struct Store {
    inner: MemoryStorage,
    state: Mutex<State>,
}

impl Store {
    /// A storage that does not fail yet.
    pub fn new(memory: &Arc<Memory>) -> Arc<Self> {
        Arc::new(Self { inner: MemoryStorage::new(memory.clone()), state: Mutex::default() })
    }

    /// Counts anew from 0, with this fault or none.
    pub fn arm(&self, fault: Option<Fault>) {
        let mut state = self.state.lock().unwrap();
        (state.count, state.hits, state.fault) = (0, 0, fault);
    }

    /// Operations that failed since the last `arm`.
    pub fn hits(&self) -> u64 {
        self.state.lock().unwrap().hits
    }

    /// All changes so far.
    pub fn steps(&self) -> Vec<Step> {
        self.state.lock().unwrap().steps.clone()
    }

    /// Counts an operation; Some if it is to fail, with whether it does half of its work.
    fn fails(&self) -> Option<bool> {
        let mut state = self.state.lock().unwrap();
        let number = state.count;
        state.count += 1;
        let fault = state.fault.clone().filter(|fault| fault.at.contains(&number))?;
        state.hits += 1;
        Some(fault.short_writes)
    }

    fn pass(&self) -> Result<&MemoryStorage, StoreError> {
        self.fails().map_or(Ok(&self.inner), |_| Err(FAULT))
    }

    fn change(&self, step: Step) -> Result<(), StoreError> {
        let fails = self.fails();
        let done = match fails {
            None => Some(step),
            Some(true) => step.torn(),
            Some(false) => None,
        };
        if let Some(step) = done {
            // A closed storage says so.
            self.inner.len(File::Data)?;
            step.apply(&self.inner);
            self.state.lock().unwrap().steps.push(step);
        }
        fails.map_or(Ok(()), |_| Err(FAULT))
    }
}

impl Storage for Store {
    fn lock(&self, create: bool) -> Result<(), StoreError> {
        self.pass()?.lock(create)
    }

    fn read(&self, file: File, offset: u64, out: &mut [u8], wait: Wait) -> Result<usize, StoreError> {
        self.pass()?.read(file, offset, out, wait)
    }

    fn write(&self, file: File, offset: u64, data: &[&[u8]]) -> Result<(), StoreError> {
        self.change(Step::Write(file, offset, data.concat()))
    }

    fn len(&self, file: File) -> Result<Option<u64>, StoreError> {
        self.pass()?.len(file)
    }

    fn clear(&self, file: File, offset: u64, len: u64) -> Result<(), StoreError> {
        self.change(Step::Clear(file, offset, len))
    }

    fn truncate(&self, file: File, len: u64) -> Result<(), StoreError> {
        self.change(Step::Truncate(file, len))
    }

    fn sync(&self, file: File) -> Result<(), StoreError> {
        self.pass()?.sync(file)
    }

    fn close(&self) -> Result<(), StoreError> {
        // The lock goes with the process, whatever the disk says.
        self.inner.close()
    }

    fn abandon(&self) -> Result<(), StoreError> {
        self.inner.abandon()
    }

    fn destroy(&self) -> Result<(), StoreError> {
        self.pass()?.destroy()
    }
}
