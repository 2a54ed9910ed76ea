//! Handles: the only place that opens files, and so the only one that locks.
//!
//! ```text
//! Unopened --first read, if it exists--> Reading --first write--> Writing        any --close--> Closed
//!     '-----------first write, made if missing----------------------^
//! ```
//! The lock is `flock(LOCK_EX | LOCK_NB)` on the bitfield (`LockFile` on Windows), so opening the
//! bitfield is locking. It is opened for writing at once where that is permitted: to reopen it
//! later would let go of the lock.
//!
//! What was made is remembered, so that an open that fails can take it away again. Between the
//! opening of the lock file and the locking somebody may do just that: a lock on a file that has no
//! name any more keeps nobody out, so it is not taken.
//!
//! Invariant: a slot's mutex is held while its file is opened, never while it is read or written.
//! Source: fsctl@1.0.0 binding.cc `fsctl_native_lock`; random-access-file@2.2.1 `open`.

use std::fs::{self, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::store::error::StoreError;
use crate::store::layout::{File, PerFile};
use crate::store::storage::Wait;

/// An open file. A clone in use keeps it open beyond `close`.
pub(super) type Handle = Arc<fs::File>;

#[derive(Debug)]
pub(super) struct Handles {
    directory: PathBuf,
    slots: PerFile<Mutex<Slot>>,
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

#[derive(Debug, Default)]
enum Slot {
    #[default]
    Unopened,
    Reading(Handle),
    Writing(Handle),
    Closed,
}

impl Handles {
    pub(super) fn new(directory: PathBuf) -> Self {
        Handles { directory, slots: PerFile::default(), made: Mutex::default() }
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn path(&self, file: File) -> PathBuf {
        self.directory.join(file.name())
    }

    /// A handle to read from, or None if there is no file. To open may wait, so with `CacheOnly`
    /// only open files are given.
    pub(super) fn reading(&self, file: File, wait: Wait) -> Result<Option<Handle>, StoreError> {
        let slot = self.slots.of(file);
        let mut slot = match wait {
            Wait::Block => slot.lock(),
            Wait::CacheOnly => slot.try_lock().ok_or(StoreError::WouldBlock)?,
        };
        match &*slot {
            Slot::Reading(handle) | Slot::Writing(handle) => return Ok(Some(handle.clone())),
            Slot::Closed => return Err(StoreError::Closed),
            Slot::Unopened if wait == Wait::CacheOnly => return Err(StoreError::WouldBlock),
            Slot::Unopened => *slot = self.open_existing(file)?,
        }
        match &*slot {
            Slot::Reading(handle) | Slot::Writing(handle) => Ok(Some(handle.clone())),
            Slot::Unopened | Slot::Closed => Ok(None),
        }
    }

    /// A handle to write to; makes file and directory if they are missing.
    pub(super) fn writing(&self, file: File) -> Result<Handle, StoreError> {
        let mut slot = self.slots.of(file).lock();
        match &*slot {
            Slot::Writing(handle) => return Ok(handle.clone()),
            Slot::Closed => return Err(StoreError::Closed),
            Slot::Unopened | Slot::Reading(_) => {}
        }
        let path = self.path(file);
        let opened = match read_write().open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => self.make(file, &path)?,
            opened => opened.map_err(|error| StoreError::system(&error, "open", &path))?,
        };
        // A read-only bitfield holds the lock against its own successor.
        *slot = Slot::Unopened;
        let handle = locked(file, opened, &path)?;
        *slot = Slot::Writing(handle.clone());
        Ok(handle)
    }

    pub(super) fn lock(&self, create: bool) -> Result<(), StoreError> {
        let held = self.reading(File::Bitfield, Wait::Block)?.is_some();
        if held || !create { Ok(()) } else { self.writing(File::Bitfield).map(drop) }
    }

    pub(super) fn close(&self) {
        for file in File::ALL {
            *self.slots.of(file).lock() = Slot::Closed;
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
        for directory in [Some(self.directory.as_path()), self.directory.parent()].into_iter().flatten() {
            let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
            let synced = fs::File::open(directory).and_then(|handle| handle.sync_all());
            synced.map_err(|error| StoreError::system(&error, "fsync", directory))?;
        }
        self.made.lock().is_unsynced = false;
        Ok(())
    }

    fn open_existing(&self, file: File) -> Result<Slot, StoreError> {
        let path = self.path(file);
        if file == File::Bitfield {
            match read_write().open(&path) {
                Err(error) if is_denied(&error) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Slot::Unopened),
                opened => {
                    let opened = opened.map_err(|error| StoreError::system(&error, "open", &path))?;
                    return locked(file, opened, &path).map(Slot::Writing);
                }
            }
        }
        match fs::File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Slot::Unopened),
            Err(error) => Err(StoreError::system(&error, "open", &path)),
            Ok(opened) => locked(file, opened, &path).map(Slot::Reading),
        }
    }

    fn make(&self, file: File, path: &Path) -> Result<fs::File, StoreError> {
        let missing =
            self.directory.ancestors().take_while(|directory| !directory.as_os_str().is_empty() && !directory.exists());
        self.made.lock().directories.extend(missing.map(Path::to_owned));
        fs::create_dir_all(&self.directory).map_err(|error| StoreError::system(&error, "mkdir", &self.directory))?;
        match read_write().create_new(true).open(path) {
            // Somebody else was faster: then it is not ours to remove.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => read_write().open(path),
            made => {
                let mut list = self.made.lock();
                list.is_unsynced = true;
                list.files.extend(made.is_ok().then_some(file));
                made
            }
        }
        .map_err(|error| StoreError::system(&error, "open", path))
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

fn locked(file: File, opened: fs::File, path: &Path) -> Result<Handle, StoreError> {
    if file == File::Bitfield {
        opened.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::Locked { path: path.to_owned() },
            TryLockError::Error(error) => StoreError::system(&error, "flock", path),
        })?;
        if !is_named(&opened, path) {
            return Err(StoreError::Locked { path: path.to_owned() });
        }
    }
    Ok(Arc::new(opened))
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
