//! Errors of storages, with what JavaScript wants to know of them.
//!
//! ```text
//! EACCES: permission denied, open '/feeds/tree'
//! code    text               syscall path
//! ```
//! All of them are the disk's fault, but `Closed`, which is the caller's. A file that does not
//! exist is no error: it is absent.
//!
//! Source: libuv's names and texts (uv.h), random-access-file@2.2.1 for `ELOCKED`.

use std::path::{Path, PathBuf};
use std::{fmt, io};

/// Why a storage could not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The system refused.
    System {
        /// Node's name of the error.
        code: &'static str,
        /// The system's number, negated as Node does; 0 if it has none.
        errno: i32,
        /// What was tried, as Node names it.
        syscall: &'static str,
        /// The file or directory.
        path: PathBuf,
    },
    /// Somebody else has this storage open.
    Locked {
        /// The file that holds the lock.
        path: PathBuf,
    },
    /// An error of a storage that lives in JavaScript, which keeps it under this number.
    Foreign(u64),
    /// The answer is not in the cache, and waiting was not wanted.
    WouldBlock,
    /// The storage was closed before.
    Closed,
}

impl StoreError {
    /// What `error` means for the one who tried `syscall` on `path`.
    pub fn system(error: &io::Error, syscall: &'static str, path: &Path) -> Self {
        if error.kind() == io::ErrorKind::WouldBlock {
            return StoreError::WouldBlock;
        }
        let errno = error.raw_os_error().map_or(0, |number| -number);
        StoreError::System { code: code_of(error), errno, syscall, path: path.to_owned() }
    }

    /// The stable code that the JavaScript error carries; None for a foreign error, which is handed
    /// over as it is.
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            StoreError::System { code, .. } => Some(code),
            StoreError::Locked { .. } => Some("ELOCKED"),
            StoreError::WouldBlock => Some("EAGAIN"),
            StoreError::Closed => Some("ECLOSED"),
            StoreError::Foreign(_) => None,
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::System { code, syscall, path, .. } => {
                write!(f, "{code}: {}, {syscall} '{}'", text_of(code), path.display())
            }
            StoreError::Locked { .. } => f.write_str("ELOCKED: File is locked"),
            StoreError::Foreign(number) => write!(f, "storage error {number}"),
            StoreError::WouldBlock => f.write_str("EAGAIN: resource temporarily unavailable"),
            StoreError::Closed => f.write_str("Closed"),
        }
    }
}

impl std::error::Error for StoreError {}

/// Number on every Unix, kind where the standard library has one (the only way on Windows), code,
/// text.
type Row = (i32, Option<io::ErrorKind>, &'static str, &'static str);

/// Below 35 all Unixes agree on the numbers; the rest is known by its kind, and has number 0 here.
const TABLE: &[Row] = &[
    (1, None, "EPERM", "operation not permitted"),
    (2, Some(io::ErrorKind::NotFound), "ENOENT", "no such file or directory"),
    (5, None, "EIO", "i/o error"),
    (9, None, "EBADF", "bad file descriptor"),
    (12, Some(io::ErrorKind::OutOfMemory), "ENOMEM", "not enough memory"),
    (13, Some(io::ErrorKind::PermissionDenied), "EACCES", "permission denied"),
    (16, Some(io::ErrorKind::ResourceBusy), "EBUSY", "resource busy or locked"),
    (17, Some(io::ErrorKind::AlreadyExists), "EEXIST", "file already exists"),
    (20, Some(io::ErrorKind::NotADirectory), "ENOTDIR", "not a directory"),
    (21, Some(io::ErrorKind::IsADirectory), "EISDIR", "illegal operation on a directory"),
    (22, Some(io::ErrorKind::InvalidInput), "EINVAL", "invalid argument"),
    (23, None, "ENFILE", "file table overflow"),
    (24, None, "EMFILE", "too many open files"),
    (27, Some(io::ErrorKind::FileTooLarge), "EFBIG", "file too large"),
    (28, Some(io::ErrorKind::StorageFull), "ENOSPC", "no space left on device"),
    (30, Some(io::ErrorKind::ReadOnlyFilesystem), "EROFS", "read-only file system"),
    (0, Some(io::ErrorKind::QuotaExceeded), "EDQUOT", "disk quota exceeded"),
    (0, Some(io::ErrorKind::InvalidFilename), "ENAMETOOLONG", "name too long"),
];

fn code_of(error: &io::Error) -> &'static str {
    let number = error.raw_os_error().filter(|_| cfg!(unix));
    let by_number = TABLE.iter().find(|row| Some(row.0) == number);
    let row = by_number.or_else(|| TABLE.iter().find(|row| row.1 == Some(error.kind())));
    row.map_or("UNKNOWN", |row| row.2)
}

fn text_of(code: &str) -> &'static str {
    TABLE.iter().find(|row| row.2 == code).map_or("unknown error", |row| row.3)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Node 20 says when it may not open the file.
    #[cfg(unix)]
    #[test]
    fn reads_like_nodes() {
        let error = StoreError::system(&io::Error::from_raw_os_error(13), "open", Path::new("/feeds/tree"));
        assert_eq!(error.to_string(), "EACCES: permission denied, open '/feeds/tree'");
        assert_eq!(error.code(), Some("EACCES"));
        assert!(matches!(error, StoreError::System { errno: -13, .. }));
        let odd = StoreError::system(&io::ErrorKind::TimedOut.into(), "read", Path::new("x"));
        assert_eq!(odd.to_string(), "UNKNOWN: unknown error, read 'x'");
    }
}
