//! How much memory a thread holds: what it allocated and did not free yet.
//!
//! Each scenario's miner has a thread of its own, with all its tasks, so that a hundred of them can be told apart.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

#[global_allocator]
static COUNTING: Counting = Counting;

/// The system's allocator, which counts for each thread.
struct Counting;

thread_local! {
    /// May be less than nothing, where a thread frees what it was given.
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // At a thread's end they are gone, and nobody asks any more.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = MOST.try_with(|most| most.set(most.get().max(live.get())));
    });
}

// SAFETY: it is the system's allocator, with counters that allocate nothing: they are constants to begin with, and need no destructor.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: the caller keeps the promises that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: the caller keeps the promises that `System` asks for.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// What something needed at its worst, and what it left behind, in bytes of this thread.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    pub(crate) most: isize,
    pub(crate) left: isize,
}

/// Does something, and says what it needed.
pub(crate) fn measured<T>(something: impl FnOnce() -> T) -> (T, Needs) {
    let before = LIVE.get();
    MOST.set(before);
    let result = something();
    (result, Needs { most: MOST.get() - before, left: LIVE.get() - before })
}
