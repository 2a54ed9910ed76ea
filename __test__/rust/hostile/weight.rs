//! Weight: the bytes that a thread has allocated and not given back. Bounds are checked with it,
//! whatever holds the bytes.

#![allow(unsafe_code, reason = "an allocator cannot be written without")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static WEIGHT: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator, with a counter for each thread.
pub struct Scale;

// SAFETY: all work is the system allocator's; the counter is a plain cell of the thread and
// allocates nothing.
unsafe impl GlobalAlloc for Scale {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        WEIGHT.with(|weight| weight.set(weight.get() + layout.size() as isize));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        WEIGHT.with(|weight| weight.set(weight.get() - layout.size() as isize));
        // SAFETY: the pointer came from `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// What the thread holds now, in bytes.
pub fn now() -> isize {
    WEIGHT.with(Cell::get)
}
