//! Pool: how many files the process keeps open for all its logs.
//!
//! ```text
//! ring   slot  slot  slot ... <- the one opened last       too many: from the first on, who was used gets another
//!                                                          round, who was not is shut
//! ```
//! The lock of a log is not in the pool: it stays open as long as the log. What is shut is opened
//! again with its next use.
//!
//! Invariant: at most `max` files are open beside those that are in use this moment, and those that
//! were being opened when room was last made.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::slot::{Busy, Handle, Slot};

/// Files that are kept open unless somebody says otherwise.
pub const MAX_FILES: usize = 64;

static POOL: Mutex<Pool> = Mutex::new(Pool { ring: VecDeque::new(), max: MAX_FILES });

struct Pool {
    ring: VecDeque<Weak<Slot>>,
    max: usize,
}

/// How many files may be kept open from now on; the others are shut at once.
pub fn set_max_files(max: usize) {
    change(|pool| pool.max = max);
}

/// How many files may be kept open, and how many are.
pub fn files() -> (usize, usize) {
    let pool = POOL.lock();
    (pool.max, pool.ring.iter().filter(|slot| slot.strong_count() > 0).count())
}

/// A file was opened.
pub(super) fn keep(slot: &Arc<Slot>) {
    change(|pool| pool.ring.push_back(Arc::downgrade(slot)));
}

/// A log is closed: these need no room any more.
pub(super) fn forget<'a>(slots: impl Iterator<Item = &'a Arc<Slot>> + Clone) {
    let is_kept = |kept: &Weak<Slot>| !slots.clone().any(|slot| std::ptr::eq(kept.as_ptr(), Arc::as_ptr(slot)));
    POOL.lock().ring.retain(is_kept);
}

/// Changes the pool. The files that it has no room for any more are closed when it can be used
/// again: to close one may take long.
fn change(change: impl FnOnce(&mut Pool)) {
    let mut pool = POOL.lock();
    change(&mut pool);
    let shut = pool.shrink();
    drop(pool);
    drop(shut);
}

impl Pool {
    fn shrink(&mut self) -> Vec<Handle> {
        let mut shut = Vec::new();
        for _ in 0..2 * self.ring.len() {
            if self.ring.len() <= self.max {
                break;
            }
            let Some(slot) = self.ring.pop_front() else { break };
            let Some(open) = slot.upgrade() else { continue };
            match if open.take_use() { Err(Busy) } else { open.shut() } {
                Ok(handle) => shut.extend(handle),
                Err(Busy) => self.ring.push_back(slot),
            }
        }
        shut
    }
}
