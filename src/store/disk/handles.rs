//! Handles: the only place that opens files, and so the only one that locks.
//!
//! ```text
//! key, secret_key, tree, data, signatures    a slot each, open as long as the pool has room for it
//! bitfield                                   open, and locked, until the log is closed
//! ```
//! The lock is `flock(LOCK_EX | LOCK_NB)` on the bitfield (`LockFile` on Windows), so opening the
//! bitfield is locking. It is opened for writing at once where that is permitted: to reopen it
//! later would let go of the lock.
//!
//! A file is found again wherever the process has gone to meanwhile, and at once, also by who does
//! not want to wait: its name was just in use. One that is gone by then, or is another, is not ours: it
//! is not made anew, and that is an error.
//!
//! What was made is remembered, so that an open that fails can take it away again. Between the
//! opening of the lock file and the locking somebody may do just that: a lock on a file that has no
//! name any more keeps nobody out, so it is not taken.
//!
//! Invariant: the bitfield's slot is never shut.
//! Source: fsctl@1.0.0 binding.cc `fsctl_native_lock`; random-access-file@2.2.1 `open`.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::pool;
use super::slot::{Access, Handle, Identity, Slot, State, identity};
use crate::store::error::StoreError;
use crate::store::layout::{File, PerFile};
use crate::store::storage::Wait;

#[derive(Debug)]
pub(super) struct Handles {
    /// As it was given, for messages.
    directory: PathBuf,
    /// The same from the root.
    place: PathBuf,
    slots: PerFile<Arc<Slot>>,
    made: Mutex<Made>,
}

/// What was not there before.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub files: Vec<File>,
    /// The deepest first.
    pub directories: Vec<PathBuf>,
    /// A file was made, and the directory was not synced since.
    is_unsynced: bool,
}

impl Handles {
    pub(super) fn new(directory: PathBuf) -> Self {
        let place = std::path::absolute(&directory).unwrap_or_else(|_| directory.clone());
        Handles { directory, place, slots: PerFile::default(), made: Mutex::default() }
    }

    /// The same directory, with nothing open.
    pub(super) fn anew(&self) -> Self {
        let (directory, place) = (self.directory.clone(), self.place.clone());
        Handles { directory, place, slots: PerFile::default(), made: Mutex::default() }
    }

    pub(super) fn path(&self, file: File) -> PathBuf {
        self.directory.join(file.name())
    }

    /// A handle to read from, or None if there is no file. With `CacheOnly` only files are given
    /// that are open, or were.
    pub(super) fn reading(&self, file: File, wait: Wait) -> Result<Option<Handle>, StoreError> {
        let slot = self.slots.of(file);
        let mut state = match wait {
            Wait::Block => slot.state.lock(),
            Wait::CacheOnly => slot.state.try_lock().ok_or(StoreError::WouldBlock)?,
        };
        slot.note_use();
        let opened = match &*state {
            State::Open(handle, _) => return Ok(Some(handle.clone())),
            State::Closed => return Err(StoreError::Closed),
            State::Unopened if wait == Wait::CacheOnly => return Err(StoreError::WouldBlock),
            State::Unopened => self.open_existing(file)?,
            State::Shut(access, identity) => Some(self.open_again_to_read(file, *access, *identity)?),
        };
        let Some((handle, access)) = opened else { return Ok(None) };
        *state = State::Open(handle.clone(), access);
        self.keep(file);
        Ok(Some(handle))
    }

    /// A handle to write to; makes file and directory if they are missing.
    pub(super) fn writing(&self, file: File) -> Result<Handle, StoreError> {
        let slot = self.slots.of(file);
        let mut state = slot.state.lock();
        slot.note_use();
        let was_open = match &*state {
            State::Open(handle, Access::Write) => return Ok(handle.clone()),
            State::Closed => return Err(StoreError::Closed),
            State::Open(_, Access::Read) => true,
            State::Unopened | State::Shut(..) => false,
        };
        let handle = match &*state {
            State::Shut(_, identity) => {
                let handle = read_write().open(self.place(file));
                self.the_same(file, self.named(file, handle)?, *identity)?
            }
            _ => self.open_or_make(file, &mut state)?,
        };
        *state = State::Open(handle.clone(), Access::Write);
        if !was_open {
            self.keep(file);
        }
        Ok(handle)
    }

    pub(super) fn lock(&self, create: bool) -> Result<(), StoreError> {
        let held = self.reading(File::Bitfield, Wait::Block)?.is_some();
        if held || !create { Ok(()) } else { self.writing(File::Bitfield).map(drop) }
    }

    pub(super) fn close(&self) {
        for file in File::ALL {
            *self.slots.of(file).state.lock() = State::Closed;
        }
        pool::forget(File::ALL.iter().map(|file| self.slots.of(*file)));
    }

    fn keep(&self, file: File) {
        if file != File::Bitfield {
            pool::keep(self.slots.of(file));
        }
    }

    /// What was made so far; it is forgotten.
    pub(super) fn take_made(&self) -> Made {
        std::mem::take(&mut *self.made.lock())
    }

    /// Makes the names of new files, and of a new directory, survive a power loss.
    pub(super) fn sync_directory(&self) -> Result<(), StoreError> {
        if cfg!(windows) || !self.made.lock().is_unsynced {
            return Ok(());
        }
        for directory in [Some(self.place.as_path()), self.place.parent()].into_iter().flatten() {
            let synced = fs::File::open(directory).and_then(|handle| handle.sync_all());
            synced.map_err(|error| StoreError::system(&error, "fsync", directory))?;
        }
        self.made.lock().is_unsynced = false;
        Ok(())
    }

    fn open_existing(&self, file: File) -> Result<Option<(Handle, Access)>, StoreError> {
        if file == File::Bitfield {
            match read_write().open(self.place(file)) {
                Err(error) if is_denied(&error) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
                opened => return Ok(Some((self.locked(file, self.named(file, opened)?)?, Access::Write))),
            }
        }
        match fs::File::open(self.place(file)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            opened => Ok(Some((self.locked(file, self.named(file, opened)?)?, Access::Read))),
        }
    }

    /// One that was open before; as it was, where that is still permitted.
    fn open_again_to_read(
        &self,
        file: File,
        access: Access,
        identity: Option<Identity>,
    ) -> Result<(Handle, Access), StoreError> {
        let (opened, access) = match access {
            Access::Read => (fs::File::open(self.place(file)), Access::Read),
            Access::Write => match read_write().open(self.place(file)) {
                Err(error) if is_denied(&error) => (fs::File::open(self.place(file)), Access::Read),
                opened => (opened, Access::Write),
            },
        };
        Ok((self.the_same(file, self.named(file, opened)?, identity)?, access))
    }

    /// Another file of that name is not ours: the one that was is gone.
    fn the_same(&self, file: File, opened: fs::File, was: Option<Identity>) -> Result<Handle, StoreError> {
        if was.is_some() && identity(&opened) != was {
            return Err(StoreError::system(&ErrorKind::NotFound.into(), "open", &self.path(file)));
        }
        Ok(Arc::new(opened))
    }

    fn open_or_make(&self, file: File, state: &mut State) -> Result<Handle, StoreError> {
        let opened = match read_write().open(self.place(file)) {
            Err(error) if error.kind() == ErrorKind::NotFound => self.make(file)?,
            opened => self.named(file, opened)?,
        };
        if file == File::Bitfield {
            // A read-only one holds the lock against its own successor.
            *state = State::Unopened;
        }
        self.locked(file, opened)
    }

    /// Where the file is, from the root.
    pub(super) fn place(&self, file: File) -> PathBuf {
        self.place.join(file.name())
    }

    fn named<T>(&self, file: File, opened: io::Result<T>) -> Result<T, StoreError> {
        opened.map_err(|error| StoreError::system(&error, "open", &self.path(file)))
    }

    fn make(&self, file: File) -> Result<fs::File, StoreError> {
        let missing = self.place.ancestors().take_while(|directory| !directory.exists());
        self.made.lock().directories.extend(missing.map(Path::to_owned));
        fs::create_dir_all(&self.place).map_err(|error| StoreError::system(&error, "mkdir", &self.directory))?;
        let made = match read_write().create_new(true).open(self.place(file)) {
            // Somebody else was faster: then it is not ours to remove.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => read_write().open(self.place(file)),
            made => {
                let mut list = self.made.lock();
                list.is_unsynced = true;
                list.files.extend(made.is_ok().then_some(file));
                made
            }
        };
        self.named(file, made)
    }

    fn locked(&self, file: File, opened: fs::File) -> Result<Handle, StoreError> {
        if file == File::Bitfield {
            let locked = || StoreError::Locked { path: self.path(file) };
            opened.try_lock().map_err(|error| match error {
                TryLockError::WouldBlock => locked(),
                TryLockError::Error(error) => StoreError::system(&error, "flock", &self.path(file)),
            })?;
            if !is_named(&opened, &self.place(file)) {
                return Err(locked());
            }
        }
        Ok(Arc::new(opened))
    }
}

impl Drop for Handles {
    fn drop(&mut self) {
        self.close();
    }
}

fn read_write() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options
}

fn is_denied(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem)
}

/// False if another file, or none, has this name by now.
#[cfg(unix)]
fn is_named(opened: &fs::File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let place = |metadata: io::Result<fs::Metadata>| metadata.map(|metadata| (metadata.dev(), metadata.ino())).ok();
    place(opened.metadata()) == place(fs::metadata(path))
}

#[cfg(not(unix))]
fn is_named(_opened: &fs::File, path: &Path) -> bool {
    path.exists()
}
