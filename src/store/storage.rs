//! The storage trait: six files, positioned reads and writes.
//!
//! Synchronous, for storages that live on the native side; those in JavaScript are reached through
//! `mailbox`. A storage decides nothing about the log: it is handed offsets in bytes and hands back
//! bytes or a `StoreError`.
//!
//! Invariant: what a write acknowledged, every later read sees. Operations on different ranges may
//! run at once.
//! Source: random-access-storage@1.4.3 index.js for the verbs.

use bytes::Bytes;

use super::error::StoreError;
use super::layout::File;

/// Whether a read may wait for a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// Wait as long as it takes.
    Block,
    /// Answer `WouldBlock` instead of waiting. A storage that cannot tell reads plainly.
    CacheOnly,
}

/// One write of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Where to.
    pub file: File,
    /// From which byte on.
    pub offset: u64,
    /// What, one after the other.
    pub data: Vec<Bytes>,
}

/// A place for the six files of one feed. Offsets and lengths are bytes.
pub trait Storage: Send + Sync {
    /// Takes the lock that keeps others out until `close` or drop. Without `create` nothing is
    /// made, so where nothing is there is nothing to lock. Errors: `Locked`.
    fn lock(&self, create: bool) -> Result<(), StoreError>;

    /// Fills `out` from `offset` on. Gives the bytes read: fewer only at the end of the file, 0 if
    /// there is no file.
    fn read(&self, file: File, offset: u64, out: &mut [u8], wait: Wait) -> Result<usize, StoreError>;

    /// Writes the slices one after the other from `offset` on. A gap before `offset` reads as
    /// zeros.
    fn write(&self, file: File, offset: u64, data: &[&[u8]]) -> Result<(), StoreError>;

    /// Length of the file, or None if it does not exist.
    fn len(&self, file: File) -> Result<Option<u64>, StoreError>;

    /// Gives space back. A range that reaches the end makes `offset` the new length, also where
    /// that is longer than before (Q5). Elsewhere the length stays, and the bytes may stay or
    /// become zeros.
    fn clear(&self, file: File, offset: u64, len: u64) -> Result<(), StoreError>;

    /// Makes the file `len` bytes long; new bytes are zeros.
    fn truncate(&self, file: File, len: u64) -> Result<(), StoreError>;

    /// Returns when the file's bytes, and its name if we made it, survive a power loss.
    fn sync(&self, file: File) -> Result<(), StoreError>;

    /// Gives up the lock and every descriptor. Afterwards all but `close` and `destroy` answer
    /// `Closed`.
    fn close(&self) -> Result<(), StoreError>;

    /// Removes the files and directories that this storage has made, and closes. What was there
    /// before stays, whatever was written to it.
    fn abandon(&self) -> Result<(), StoreError> {
        self.close()
    }

    /// Removes the six files, leaves the directory, and closes. After a `close` the lock is taken
    /// anew for it.
    fn destroy(&self) -> Result<(), StoreError>;
}
