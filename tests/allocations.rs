//! The search loop allocates nothing: a search of many nonces makes as many allocations as a search of few.

use midstate::backend::{Cancel, Kind, Selection, cpu::Kernel, open};
use midstate::sha256::Header;
use midstate::work::{NonceRange, Work};
use midstate_stratum::Target;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it is the system's allocator, with a counter that allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the promises that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the promises that `System` asks for.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

#[test]
fn a_longer_search_allocates_no_more() {
    let header = Header(*include_bytes!("data/header-000000.bin"));
    // One hash in 65,536: what is found must not allocate either.
    let mut target = [0xff; 32];
    target[..2].fill(0);
    for kernel in Kernel::usable() {
        let name = Some(kernel.name().to_owned());
        let mut backend =
            open(&Selection { kernel: name, threads: Some(1), ..Selection::of(Kind::Cpu) }).unwrap().remove(0);
        for versions in [1, 64] {
            let mut allocations = |nonces: u32| {
                let versions = (0..versions).map(|rolled| header.version() ^ rolled << 13);
                let range = NonceRange::inclusive(0, nonces - 1);
                let work = Work::with_versions(header, versions, range, Target::from_be_bytes(target));
                let before = ALLOCATIONS.load(Ordering::Relaxed);
                let mut found = 0;
                backend.search(&work, &Cancel::never(), &mut |_| found += 1).unwrap();
                (ALLOCATIONS.load(Ordering::Relaxed) - before, found)
            };
            let (few, _) = allocations(1 << 8);
            let (many, found) = allocations((1 << 19) / versions);
            assert!(few <= 4 && many == few && found > 0, "{} on {versions}: {few}, {many}", kernel.name());
        }
    }
}
