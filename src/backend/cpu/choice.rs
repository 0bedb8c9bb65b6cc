//! Which form of the kernel is fastest here, and with how many versions at once: measured, as no table could know.
//!
//! What is fastest differs between makers and generations of processors. A few milliseconds tell.

use super::{Cpu, Kernel};
use crate::backend::{Backend, Cancel};
use crate::sha256::Header;
use crate::work::{NonceRange, Work};
use midstate_stratum::Target;
use std::time::{Duration, Instant};

/// How long one reading takes at least.
const READING: Duration = Duration::from_micros(400);
/// How many readings are taken of each, in turns; the fastest counts, as a machine can only be disturbed into being slower.
const READINGS: usize = 3;

/// How fast a form of the kernel is on one thread of this machine.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The form.
    pub kernel: Kernel,
    /// Hashes a second on one version.
    pub single: f64,
    /// With how many versions in a work it is fastest, and its hashes a second then.
    pub best: (usize, f64),
}

/// A form with a number of versions, and its fastest reading so far.
struct Contestant {
    kernel: Kernel,
    cpu: Cpu,
    work: Work,
    hashes_per_second: f64,
}

/// Measures forms of the kernel against each other: some ten milliseconds. The fastest comes first.
pub fn measure(kernels: impl IntoIterator<Item = Kernel>) -> Vec<Measured> {
    let kernels: Vec<Kernel> = kernels.into_iter().collect();
    let of_kernel = |kernel: Kernel| kernel.0.versions.iter().map(move |k| Contestant::new(kernel, *k));
    let mut contestants: Vec<Contestant> = kernels.iter().copied().flat_map(of_kernel).collect();
    for _ in 0..READINGS {
        contestants.iter_mut().for_each(Contestant::read);
    }
    let summary = |kernel: &Kernel| {
        let own = contestants.iter().filter(|contestant| contestant.kernel == *kernel);
        let speeds: Vec<(usize, f64)> =
            own.map(|contestant| (contestant.cpu.versions(), contestant.hashes_per_second)).collect();
        let best = speeds.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((1, 0.0));
        let single = speeds.iter().find(|(versions, _)| *versions == 1).map_or(0.0, |(_, speed)| *speed);
        Measured { kernel: *kernel, single, best }
    };
    let mut measured: Vec<Measured> = kernels.iter().map(summary).collect();
    measured.sort_by(|a, b| b.best.1.total_cmp(&a.best.1));
    measured
}

impl Contestant {
    fn new(kernel: Kernel, versions: usize) -> Contestant {
        // Nothing meets this target: all is searched, and nothing found.
        let target = Target::from_be_bytes([0; 32]);
        let nonces = NonceRange::inclusive(0, 127);
        let work = Work::with_versions(Header([0; 80]), 0..versions as u32, nonces, target);
        Contestant { kernel, cpu: Cpu::new(kernel, versions), work, hashes_per_second: 0.0 }
    }

    /// Takes a reading; the work grows until it is long enough for one.
    fn read(&mut self) {
        loop {
            let started = Instant::now();
            // The processor's forms never fail.
            let hashes = self.cpu.search(&self.work, &Cancel::never(), &mut |_| {}).unwrap_or(0);
            let time = started.elapsed();
            if time >= READING {
                self.hashes_per_second = self.hashes_per_second.max(hashes as f64 / time.as_secs_f64());
                return;
            }
            let longer = NonceRange::inclusive(0, 2 * self.work.range().len() as u32 - 1);
            self.work = self.work.over(longer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_measured_and_the_fastest_comes_first() {
        let measured = measure(Kernel::usable());
        assert_eq!(measured.len(), Kernel::usable().count());
        for measured in &measured {
            assert!(Kernel::NAMES.contains(&measured.kernel.name()));
            assert!(measured.single > 0.0 && measured.best.1 >= measured.single);
            assert!(measured.kernel.0.versions.contains(&measured.best.0));
        }
        assert!(measured.is_sorted_by(|a, b| a.best.1 >= b.best.1));
    }
}
