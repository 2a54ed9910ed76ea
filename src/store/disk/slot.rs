//! Slot: one file of a log, open or not.
//!
//! ```text
//! Unopened --first read, if it exists--> Open --the pool needs room--> Shut --next use--> Open        any --close--> Closed
//!     '--------first write, made if missing---^
//! ```
//! Who uses a file takes a clone of its handle, which keeps it open beyond `shut` and `close`.
//!
//! Invariant: the state's mutex is held while a file is opened, never while it is read or written.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

/// An open file.
pub(super) type Handle = Arc<fs::File>;

/// What it may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

#[derive(Debug, Default)]
pub(super) enum State {
    #[default]
    Unopened,
    Open(Handle, Access),
    /// It was open: this file, if the system tells.
    Shut(Access, Option<Identity>),
    Closed,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub state: Mutex<State>,
    was_used: AtomicBool,
}

impl Slot {
    /// It is used now.
    pub fn note_use(&self) {
        self.was_used.store(true, Ordering::Relaxed);
    }

    /// True if it was used since this was asked last.
    pub fn take_use(&self) -> bool {
        self.was_used.swap(false, Ordering::Relaxed)
    }

    /// Shuts it: gives the handle, to be dropped; None if it is not open.
    pub fn shut(&self) -> Result<Option<Handle>, Busy> {
        let mut state = self.state.try_lock().ok_or(Busy)?;
        let State::Open(handle, access) = &*state else { return Ok(None) };
        let (handle, access) = (handle.clone(), *access);
        *state = State::Shut(access, identity(&handle));
        Ok(Some(handle))
    }
}

/// It is being opened.
pub(super) struct Busy;

/// Device and number of a file.
pub(super) type Identity = (u64, u64);

/// Which file is open, whatever its name is by now.
#[cfg(unix)]
pub(super) fn identity(file: &fs::File) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    file.metadata().ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
pub(super) fn identity(_file: &fs::File) -> Option<Identity> {
    None
}
