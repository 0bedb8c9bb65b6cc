//! What several benches need.
#![allow(dead_code, reason = "each bench takes what it needs")]

use midstate::backend::cpu::{Cpu, Kernel, measure};
use midstate::backend::{Backend, Kind, Selection, open};
use midstate::sha256::Header;
use midstate::work::{NonceRange, Work};
use midstate_stratum::Target;

/// The header of Bitcoin's first block.
pub(crate) const HEADER: Header = Header(*include_bytes!("../../tests/data/header-000000.bin"));

/// Work over so many nonces with a target that no hash meets: all of it is searched, and nothing is found.
pub(crate) fn work(nonces: u64) -> Work {
    let range = NonceRange::new(0, nonces).expect("criterion asked for more nonces than there are");
    Work::new(HEADER, range, Target::from_be_bytes([0; 32]))
}

/// One backend of each kind and kernel that is usable here, tested as `midstate bench` tests it. The others are named
/// with what they lack: a bench is no test of the machine.
pub(crate) fn usable_backends() -> Vec<Box<dyn Backend>> {
    let one = |kind| Selection { threads: Some(1), ..Selection::of(kind) };
    let kernels = Kernel::NAMES.map(|name| Selection { kernel: Some(name.to_owned()), ..one(Kind::Cpu) });
    let selections = [one(Kind::Scalar)].into_iter().chain(kernels).chain([one(Kind::Gpu)]);
    let opened = selections.flat_map(|selection| {
        open(&selection).unwrap_or_else(|why| {
            eprintln!("left out: {why}");
            Vec::new()
        })
    });
    opened.collect()
}

/// A thread of the processor with the kernel that is fastest here.
pub(crate) fn fastest_cpu() -> Cpu {
    let fastest = measure(Kernel::usable()).into_iter().next().expect("the portable kernel is usable everywhere");
    Cpu::new(fastest.kernel, fastest.best.0)
}
