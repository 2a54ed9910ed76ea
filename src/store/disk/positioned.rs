//! Positioned reads and writes: whole, without seeking, by platform.
//!
//! Interrupted and partial calls are taken up again. Offsets and lengths are bytes. Errors are the
//! system's.
//!
//! Source: preadv2(2) for `RWF_NOWAIT`, fallocate(2) for `PUNCH_HOLE`.

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};

use crate::store::storage::Wait;

/// Most slices that one call takes, on every Unix.
#[cfg(target_os = "linux")]
const MAX_SLICES: usize = 1024;

/// Fills `out`; gives the bytes read, fewer only at the end of the file. `WouldBlock` if they are
/// not in the cache.
pub(super) fn read(file: &File, offset: u64, out: &mut [u8], wait: Wait) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = out.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match read_once(file, advance(offset, filled), rest, wait) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Writes all of `data`, one slice after the other.
pub(super) fn write(file: &File, mut offset: u64, data: &[&[u8]]) -> io::Result<()> {
    let mut slices: Vec<IoSlice<'_>> =
        data.iter().filter(|part| !part.is_empty()).map(|part| IoSlice::new(part)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        match write_once(file, offset, rest) {
            Ok(0) => return Err(ErrorKind::StorageFull.into()),
            Ok(count) => {
                offset = advance(offset, count);
                IoSlice::advance_slices(&mut rest, count);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// An offset that no system accepts stays one: it does not wrap around.
fn advance(offset: u64, count: usize) -> u64 {
    offset.saturating_add(u64::try_from(count).unwrap_or(u64::MAX))
}

#[cfg(target_os = "linux")]
fn read_once(file: &File, offset: u64, out: &mut [u8], wait: Wait) -> io::Result<usize> {
    use rustix::io::{Errno, ReadWriteFlags, preadv2};
    if wait == Wait::CacheOnly {
        match preadv2(file, &mut [io::IoSliceMut::new(out)], offset, ReadWriteFlags::NOWAIT) {
            // This file system, or this kernel, cannot tell.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            answer => return Ok(answer?),
        }
    }
    std::os::unix::fs::FileExt::read_at(file, out, offset)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn read_once(file: &File, offset: u64, out: &mut [u8], _wait: Wait) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, out, offset)
}

#[cfg(windows)]
fn read_once(file: &File, offset: u64, out: &mut [u8], _wait: Wait) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, out, offset)
}

#[cfg(target_os = "linux")]
fn write_once(file: &File, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    Ok(rustix::io::pwritev(file, slices.get(..MAX_SLICES).unwrap_or(slices), offset)?)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn write_once(file: &File, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    slices.first().map_or(Ok(0), |slice| std::os::unix::fs::FileExt::write_at(file, slice, offset))
}

#[cfg(windows)]
fn write_once(file: &File, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    slices.first().map_or(Ok(0), |slice| std::os::windows::fs::FileExt::seek_write(file, slice, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_slices_than_one_call_takes() {
        let file = tempfile::tempfile().unwrap();
        let parts: Vec<Vec<u8>> = (0..3000usize).map(|i| vec![1; i % 3]).collect();
        write(&file, 5, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        let mut out = vec![9; 4000];
        assert_eq!(read(&file, 0, &mut out, Wait::Block).unwrap(), 3005);
        assert!(out[..5].iter().all(|&byte| byte == 0) && out[5..3005].iter().all(|&byte| byte == 1));
    }
}
