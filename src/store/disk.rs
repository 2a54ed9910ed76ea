//! Disk: a feed's six files in a directory.
//!
//! ```text
//! disk           the storage trait
//!   handles        opens files when they are needed, holds the lock
//!     slot, pool     a file that is open or not; how many are, in the whole process
//!   positioned     reads and writes at an offset, by platform
//! ```
//! Nothing is made before the first write or a creating lock. A directory that may not be written
//! opens for reading. Errors are the disk's, named as Node names them.
//!
//! Invariant: no two storages, in any processes, stock's included, have the bitfield of one
//! directory open at once.
//! Source: random-access-file@2.2.1 index.js, hypercore-default-storage@1.1.1, fsctl@1.0.0
//! binding.cc.

mod handles;
mod pool;
mod positioned;
mod slot;

use std::io;
use std::path::PathBuf;

use self::handles::Handles;
pub use self::pool::{MAX_FILES, files, set_max_files};
use super::error::StoreError;
use super::layout::File;
use super::storage::{Storage, Wait};

/// A directory with six files.
#[derive(Debug)]
pub struct Disk {
    handles: Handles,
}

impl Disk {
    /// The storage in this directory; touches nothing yet.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Disk { handles: Handles::new(directory.into()) }
    }

    fn at(&self, file: File, syscall: &'static str) -> impl Fn(io::Error) -> StoreError {
        move |error| StoreError::system(&error, syscall, &self.handles.path(file))
    }

    fn remove(&self, file: File) -> Result<(), StoreError> {
        match std::fs::remove_file(self.handles.place(file)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.at(file, "unlink")(error)),
            _ => Ok(()),
        }
    }
}

impl Storage for Disk {
    fn lock(&self, create: bool) -> Result<(), StoreError> {
        self.handles.lock(create)
    }

    fn read(&self, file: File, offset: u64, out: &mut [u8], wait: Wait) -> Result<usize, StoreError> {
        let Some(handle) = self.handles.reading(file, wait)? else { return Ok(0) };
        positioned::read(&handle, offset, out, wait).map_err(self.at(file, "read"))
    }

    fn write(&self, file: File, offset: u64, data: &[&[u8]]) -> Result<(), StoreError> {
        let handle = self.handles.writing(file)?;
        positioned::write(&handle, offset, data).map_err(self.at(file, "write"))
    }

    fn len(&self, file: File) -> Result<Option<u64>, StoreError> {
        let Some(handle) = self.handles.reading(file, Wait::Block)? else { return Ok(None) };
        let metadata = handle.metadata().map_err(self.at(file, "fstat"))?;
        Ok(Some(metadata.len()))
    }

    fn clear(&self, file: File, offset: u64, len: u64) -> Result<(), StoreError> {
        let handle = self.handles.writing(file)?;
        let end = handle.metadata().map_err(self.at(file, "fstat"))?.len();
        if offset.saturating_add(len) >= end {
            handle.set_len(offset).map_err(self.at(file, "ftruncate"))?;
        }
        Ok(())
    }

    fn truncate(&self, file: File, len: u64) -> Result<(), StoreError> {
        self.handles.writing(file)?.set_len(len).map_err(self.at(file, "ftruncate"))
    }

    fn sync(&self, file: File) -> Result<(), StoreError> {
        let Some(handle) = self.handles.reading(file, Wait::Block)? else { return Ok(()) };
        handle.sync_data().map_err(self.at(file, "fdatasync"))?;
        self.handles.sync_directory()
    }

    fn close(&self) -> Result<(), StoreError> {
        self.handles.close();
        Ok(())
    }

    fn abandon(&self) -> Result<(), StoreError> {
        let made = self.handles.take_made();
        // The last made goes first, for a secret key must not be gone before its public key. The
        // bitfield goes last: it is the lock. Directories go when nothing is open in them.
        let (lock, files): (Vec<File>, Vec<File>) = made.files.iter().rev().partition(|&&file| file == File::Bitfield);
        let removed = files.into_iter().chain(lock).map(|file| self.remove(file)).fold(Ok(()), Result::and);
        self.close()?;
        for directory in &made.directories {
            // Somebody else may have put something there meanwhile; then it stays.
            std::fs::remove_dir(directory).ok();
        }
        removed
    }

    fn destroy(&self) -> Result<(), StoreError> {
        let after_close = self.handles.anew();
        match self.handles.lock(false) {
            Err(StoreError::Closed) => after_close.lock(false)?,
            held => held?,
        }
        // The bitfield goes last: it is the lock.
        for file in File::ALL.into_iter().filter(|&file| file != File::Bitfield).chain([File::Bitfield]) {
            self.remove(file)?;
        }
        self.close()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn write(disk: &Disk, file: File, text: &str) {
        disk.write(file, 0, &[text.as_bytes()]).unwrap();
    }

    #[test]
    fn the_lock_keeps_everybody_out_until_the_end() {
        let temp = tempfile::tempdir().unwrap();
        let directory = temp.path().join("a/b");
        let first = Disk::new(&directory);
        first.lock(false).unwrap();
        assert!(!directory.exists());
        first.lock(true).unwrap();
        let second = Disk::new(&directory);
        let locked = Err(StoreError::Locked { path: directory.join("bitfield") });
        assert_eq!(second.lock(true), locked);
        assert_eq!(second.read(File::Bitfield, 0, &mut [0; 1], Wait::Block).map(drop), locked);
        // As another process, stock among them, sees it.
        let stranger = fs::File::open(directory.join("bitfield")).unwrap();
        assert!(stranger.try_lock().is_err());
        first.close().unwrap();
        stranger.try_lock().unwrap();
        assert_eq!(second.lock(true), locked);
        drop(stranger);
        second.lock(true).unwrap();
        assert_eq!(first.destroy(), locked);
        drop(second);
        first.destroy().unwrap();
        assert_eq!((fs::read_dir(&directory).unwrap().count(), first.lock(true)), (0, Err(StoreError::Closed)));
    }

    #[test]
    fn errors_are_not_absence() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join("file"), "x").unwrap();
        fs::create_dir(temp.path().join("key")).unwrap();
        let below_a_file = Disk::new(temp.path().join("file"));
        assert_eq!(below_a_file.len(File::Key).unwrap_err().code(), Some("ENOTDIR"));
        let disk = Disk::new(temp.path());
        assert_eq!(disk.read(File::Key, 0, &mut [0; 1], Wait::Block).unwrap_err().code(), Some("EISDIR"));
        assert_eq!(disk.len(File::SecretKey), Ok(None));
    }

    /// Proves nothing for root, who may write everywhere.
    #[cfg(unix)]
    #[test]
    fn what_may_not_be_written_opens_for_reading() {
        use std::os::unix::fs::PermissionsExt;
        let temp = tempfile::tempdir().unwrap();
        let chmod = |mode| {
            let files = File::ALL.map(|file| temp.path().join(file.name()));
            files.iter().for_each(|path| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap());
        };
        let disk = Disk::new(temp.path());
        File::ALL.into_iter().for_each(|file| write(&disk, file, "x"));
        drop(disk);
        chmod(0o444);
        let disk = Disk::new(temp.path());
        disk.lock(true).unwrap();
        assert_eq!(disk.read(File::Bitfield, 0, &mut [0; 1], Wait::Block), Ok(1));
        if fs::OpenOptions::new().write(true).open(temp.path().join("key")).is_err() {
            assert_eq!(disk.write(File::Bitfield, 0, &[b"y"]).unwrap_err().code(), Some("EACCES"));
        }
        let locked = Disk::new(temp.path()).lock(true).unwrap_err();
        assert_eq!(locked.code(), Some("ELOCKED"));
        chmod(0o644);
        disk.write(File::Bitfield, 0, &[b"y"]).unwrap();
        assert_eq!(Disk::new(temp.path()).lock(true).unwrap_err().code(), Some("ELOCKED"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn descriptors_return_to_the_baseline() {
        let temp = tempfile::tempdir().unwrap();
        let open = || {
            let links =
                fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
            links.filter(|target| target.starts_with(temp.path())).count()
        };
        let disk = Disk::new(temp.path());
        File::ALL.into_iter().for_each(|file| write(&disk, file, "x"));
        assert_eq!(open(), 6);
        assert!(Disk::new(temp.path()).lock(true).is_err());
        assert_eq!(open(), 6);
        disk.close().unwrap();
        assert_eq!(open(), 0);
    }

    #[test]
    fn cached_reads_do_not_wait_and_unopened_files_do() {
        let temp = tempfile::tempdir().unwrap();
        let disk = Disk::new(temp.path());
        write(&disk, File::Data, "hello");
        let mut out = [0; 8];
        assert_eq!(disk.read(File::Data, 1, &mut out, Wait::CacheOnly), Ok(4));
        assert_eq!(&out[..4], b"ello");
        let again = Disk::new(temp.path());
        assert_eq!(again.read(File::Data, 0, &mut out, Wait::CacheOnly), Err(StoreError::WouldBlock));
    }
}
