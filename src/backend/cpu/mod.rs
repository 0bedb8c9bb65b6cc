//! Vector units of the processor: one kernel, generic over a lane type, and a thin file for each instruction set.

#[cfg(target_arch = "aarch64")]
mod armv8_sha2;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_asm;
mod choice;
#[cfg(all(test, target_arch = "x86_64"))]
mod generated;
mod kernel;
mod lanes;
#[cfg(test)]
mod mutants;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod sha_ni;
#[cfg(target_arch = "x86_64")]
mod sse41;
pub(super) mod topology;

pub use choice::{Measured, measure};
pub use topology::Cores;

use super::{Backend, Cancel, Identity, SearchError};
use crate::sha256::{Midstate, Rounds, Schedule};
use crate::work::{Candidate, Work};
use kernel::{Hit, Hits};
#[cfg(target_arch = "aarch64")]
use std::arch::is_aarch64_feature_detected;

/// How many hashes pass between two looks at the cancel token: a fraction of a millisecond for vectors, some 4 ms for the
/// portable form.
const CHUNK: usize = 1 << 13;

/// A form of the kernel that this processor can run: the value is the proof that it was detected.
#[derive(Clone, Copy)]
pub struct Kernel(&'static Form);

/// A form of the kernel, for an instruction set.
struct Form {
    /// As in `--kernel`.
    name: &'static str,
    /// What is said where it cannot run.
    lack: &'static str,
    detect: fn() -> bool,
    /// How many versions at once are worth a try: their first hashes share a schedule.
    versions: &'static [usize],
    /// The search itself, with the memory that it works in: one for each thread.
    scan: fn() -> Scan,
}

/// What is worth a try with lanes: the shared schedule is soon a small part of a hash.
const FEW: &[usize] = &[1, 2, 4, 8];
/// What is worth a try where what a version costs beside its hashes is little.
const MANY: &[usize] = &[1, 8, 32, 64];

/// All forms of this program's architecture.
static FORMS: &[Form] = &[
    #[cfg(target_arch = "x86_64")]
    Form {
        name: "sha-ni",
        lack: "this processor has no SHA, SSSE3, SSE4.1 and AVX",
        // The assembly uses the 128-bit forms of AVX.
        detect: || {
            is_x86_feature_detected!("sha")
                && is_x86_feature_detected!("ssse3")
                && is_x86_feature_detected!("sse4.1")
                && is_x86_feature_detected!("avx")
        },
        versions: MANY,
        scan: || {
            let mut search = sha_ni::ShaNi::new();
            // SAFETY: a `Kernel` is made by `Kernel::detect` alone, which found what `detect` above asks for.
            Box::new(move |s, v, first, count, limit, hits| unsafe { search.scan(s, v, first, count, limit, hits) })
        },
    },
    #[cfg(target_arch = "x86_64")]
    Form {
        name: "avx512-asm",
        lack: "this processor has no AVX-512 F and BW",
        detect: || is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw"),
        versions: MANY,
        scan: || {
            let mut search = avx512_asm::Avx512Asm::new();
            // SAFETY: a `Kernel` is made by `Kernel::detect` alone, which found what `detect` above asks for.
            Box::new(move |s, v, first, count, limit, hits| unsafe { search.scan(s, v, first, count, limit, hits) })
        },
    },
    #[cfg(target_arch = "x86_64")]
    Form {
        name: "avx512",
        lack: "this processor has no AVX-512 F and BW",
        detect: || is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw"),
        versions: FEW,
        // SAFETY: a `Kernel` is made by `Kernel::detect` alone, which found what `detect` above asks for.
        scan: || Box::new(|s, v, first, count, limit, hits| unsafe { avx512::scan(s, v, first, count, limit, hits) }),
    },
    #[cfg(target_arch = "x86_64")]
    Form {
        name: "avx2",
        lack: "this processor has no AVX2",
        detect: || is_x86_feature_detected!("avx2"),
        versions: FEW,
        // SAFETY: a `Kernel` is made by `Kernel::detect` alone, which found what `detect` above asks for.
        scan: || Box::new(|s, v, first, count, limit, hits| unsafe { avx2::scan(s, v, first, count, limit, hits) }),
    },
    #[cfg(target_arch = "x86_64")]
    Form {
        name: "sse4.1",
        lack: "this processor has no SSE4.1 and SSSE3",
        detect: || is_x86_feature_detected!("sse4.1") && is_x86_feature_detected!("ssse3"),
        versions: FEW,
        // SAFETY: a `Kernel` is made by `Kernel::detect` alone, which found what `detect` above asks for.
        scan: || Box::new(|s, v, first, count, limit, hits| unsafe { sse41::scan(s, v, first, count, limit, hits) }),
    },
    #[cfg(target_arch = "aarch64")]
    Form {
        name: "armv8-sha2",
        lack: "this processor has no SHA-256 instructions of ARMv8",
        detect: || is_aarch64_feature_detected!("neon") && is_aarch64_feature_detected!("sha2"),
        versions: FEW,
        scan: || {
            // SAFETY: a `Kernel` is made by `Kernel::detect` alone, which found what `detect` above asks for.
            Box::new(|s, v, first, count, limit, hits| unsafe { armv8_sha2::scan(s, v, first, count, limit, hits) })
        },
    },
    #[cfg(target_arch = "aarch64")]
    Form {
        name: "neon",
        lack: "this processor has no NEON",
        detect: || is_aarch64_feature_detected!("neon"),
        versions: FEW,
        // SAFETY: a `Kernel` is made by `Kernel::detect` alone, which found what `detect` above asks for.
        scan: || Box::new(|s, v, first, count, limit, hits| unsafe { neon::scan(s, v, first, count, limit, hits) }),
    },
    Form { name: "portable", lack: "", detect: || true, versions: FEW, scan: || Box::new(portable::scan) },
];

impl Kernel {
    /// The names of all forms, whether or not this processor has them.
    pub const NAMES: [&str; 8] = ["sha-ni", "avx512-asm", "avx512", "avx2", "sse4.1", "armv8-sha2", "neon", "portable"];

    /// The form of that name, or what it lacks here; `None` where no form is called so.
    pub fn detect(name: &str) -> Option<Result<Kernel, &'static str>> {
        match FORMS.iter().find(|form| form.name == name) {
            Some(form) if (form.detect)() => Some(Ok(Kernel(form))),
            Some(form) => Some(Err(form.lack)),
            None => Self::NAMES.contains(&name).then_some(Err("it is for processors of another architecture")),
        }
    }

    /// The forms that this processor can run.
    pub fn usable() -> impl Iterator<Item = Kernel> {
        FORMS.iter().filter_map(|form| Self::detect(form.name)?.ok())
    }

    /// The name, as in `--kernel`.
    pub fn name(self) -> &'static str {
        self.0.name
    }
}

impl PartialEq for Kernel {
    fn eq(&self, other: &Kernel) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Kernel {}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Kernel").field(&self.name()).finish()
    }
}

/// Tests a number of nonces from a first one on, under each version, and puts those into the hits whose hash may meet a
/// target with the given most significant word. Exactly those.
type Scan = Box<dyn FnMut(&Schedule, &[Rounds], u32, u32, u32, &mut Hits) + Send>;

/// One thread of the processor, searching with one form of the kernel.
pub struct Cpu {
    identity: Identity,
    versions: usize,
    cores: Cores,
    scan: Scan,
    hits: Hits,
}

impl Cpu {
    /// Searches with this form, which is fastest with so many versions in a work.
    pub fn new(kernel: Kernel, versions: usize) -> Cpu {
        Cpu::with(kernel.name(), versions, (kernel.0.scan)())
    }

    fn with(kernel: &'static str, versions: usize, scan: Scan) -> Cpu {
        let identity = Identity { backend: "cpu", kernel, device: String::new() };
        // A chunk has at most this many hits, so the search itself never allocates.
        Cpu { identity, versions, cores: Cores::ANY, scan, hits: Vec::with_capacity(CHUNK) }
    }

    /// Keeps the thread that drives it on these cores.
    #[must_use]
    pub fn on(mut self, cores: &Cores) -> Cpu {
        self.identity.device = cores.name();
        self.cores = cores.clone();
        self
    }
}

impl Backend for Cpu {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn versions(&self) -> usize {
        self.versions
    }

    fn enter_thread(&mut self) {
        self.cores.enter();
    }

    fn search(&mut self, work: &Work, cancel: &Cancel, found: &mut dyn FnMut(Candidate)) -> Result<u64, SearchError> {
        let tail = work.tail();
        let limit = work.target().top_word();
        let schedule = Schedule::new(&tail);
        let midstates: Vec<&Midstate> = work.midstates().collect();
        let rounds: Vec<Rounds> = midstates.iter().map(|midstate| schedule.rounds(midstate)).collect();
        // More versions than a chunk has room for are searched one group after the other.
        let groups = (0..).step_by(CHUNK).zip(rounds.chunks(CHUNK));
        let mut hashes = 0;
        for (first_version, rounds) in groups {
            let mut rest = work.range();
            while !rest.is_empty() {
                if cancel.is_cancelled() {
                    return Ok(hashes);
                }
                let chunk = rest.take_front((CHUNK / rounds.len()) as u64);
                (self.scan)(&schedule, rounds, chunk.first(), chunk.len() as u32, limit, &mut self.hits);
                for Hit { version, nonce } in self.hits.drain(..) {
                    let version = first_version + version;
                    if work.target().is_met_by(&midstates[version].hash(&tail, nonce).0) {
                        found(Candidate { version, nonce });
                    }
                }
                hashes += chunk.len() * rounds.len() as u64;
            }
        }
        Ok(hashes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::genesis;
    use crate::work::NonceRange;

    /// Small enough for Miri, which runs the forms made of intrinsics; see `scripts/sanitize`.
    #[test]
    fn every_form_finds_a_real_nonce() {
        let header = genesis();
        let target = midstate_stratum::Target::from_compact(header.nbits()).unwrap();
        // Miri knows no assembly.
        let assembly = |kernel: &Kernel| ["sha-ni", "avx512-asm"].contains(&kernel.name());
        for kernel in Kernel::usable().filter(|kernel| !cfg!(miri) || !assembly(kernel)) {
            for versions in [1, 3] {
                let rolled = (0..versions).map(|rolled| header.version() ^ rolled << 13);
                let work = Work::with_versions(header, rolled, NonceRange::around(header.nonce(), 8), target);
                let mut found = Vec::new();
                let hashes = Cpu::new(kernel, versions as usize)
                    .search(&work, &Cancel::never(), &mut |candidate| found.push(candidate))
                    .unwrap();
                assert_eq!(found, [Candidate { version: 0, nonce: header.nonce() }], "{kernel:?}");
                assert_eq!(hashes, work.hashes(), "{kernel:?}");
            }
            println!("{}", kernel.name());
        }
    }
}
