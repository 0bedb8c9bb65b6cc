//! Vector units of the processor: one kernel, generic over a lane type, and a thin file for each instruction set.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod choice;
mod kernel;
mod lanes;
#[cfg(test)]
mod mutants;
mod portable;
#[cfg(target_arch = "x86_64")]
mod sha_ni;
#[cfg(target_arch = "x86_64")]
mod sse41;

pub use choice::{Measured, measure};

use super::{Backend, Cancel, Identity, SearchError};
use crate::sha256::{Midstate, Rounds, Schedule};
use crate::work::{Candidate, Work};
use kernel::{Hit, Hits};

/// How many hashes pass between two looks at the cancel token: a fraction of a millisecond for vectors, some 4 ms for the
/// portable form.
const CHUNK: usize = 1 << 13;

/// A form of the kernel that this processor can run: the value is the proof that it was detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel(Form);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Sse41,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    ShaNi,
}

impl Kernel {
    /// The names of all forms, whether or not this processor has them.
    pub const NAMES: [&str; 5] = ["sha-ni", "avx512", "avx2", "sse4.1", "portable"];

    /// The form of that name, or what it lacks here; `None` where no form is called so.
    pub fn detect(name: &str) -> Option<Result<Kernel, &'static str>> {
        Some(match name {
            "portable" => Ok(Kernel(Form::Portable)),
            #[cfg(target_arch = "x86_64")]
            "avx2" if is_x86_feature_detected!("avx2") => Ok(Kernel(Form::Avx2)),
            #[cfg(target_arch = "x86_64")]
            "avx512" if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") => {
                Ok(Kernel(Form::Avx512))
            }
            #[cfg(target_arch = "x86_64")]
            "sse4.1" if is_x86_feature_detected!("sse4.1") && is_x86_feature_detected!("ssse3") => {
                Ok(Kernel(Form::Sse41))
            }
            // The assembly uses the 128-bit forms of AVX.
            #[cfg(target_arch = "x86_64")]
            "sha-ni"
                if is_x86_feature_detected!("sha")
                    && is_x86_feature_detected!("sse4.1")
                    && is_x86_feature_detected!("ssse3")
                    && is_x86_feature_detected!("avx") =>
            {
                Ok(Kernel(Form::ShaNi))
            }
            "sha-ni" => Err("this processor has no SHA, SSSE3, SSE4.1 and AVX"),
            "sse4.1" => Err("this processor has no SSE4.1 and SSSE3"),
            "avx2" => Err("this processor has no AVX2"),
            "avx512" => Err("this processor has no AVX-512 F and BW"),
            _ => return None,
        })
    }

    /// The forms that this processor can run.
    pub fn usable() -> impl Iterator<Item = Kernel> {
        Self::NAMES.into_iter().filter_map(|name| Self::detect(name)?.ok())
    }

    /// The name, as in `--kernel`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Form::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Form::Sse41 => "sse4.1",
            #[cfg(target_arch = "x86_64")]
            Form::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Form::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Form::ShaNi => "sha-ni",
        }
    }

    /// How many versions at once are worth a try with this form: their first hashes share a schedule.
    fn versions_to_try(self) -> &'static [usize] {
        match self.0 {
            Form::Portable => &[1, 4],
            #[cfg(target_arch = "x86_64")]
            Form::Sse41 | Form::Avx2 | Form::Avx512 => &[1, 2, 4, 8],
            #[cfg(target_arch = "x86_64")]
            Form::ShaNi => &[1, 8, 32, 64],
        }
    }

    /// The search itself, with the memory that it works in: one for each thread.
    fn scan(self) -> Scan {
        match self.0 {
            Form::Portable => Box::new(portable::scan),
            // SAFETY: `detect`, which alone makes this value, found SSE4.1 and SSSE3.
            #[cfg(target_arch = "x86_64")]
            Form::Sse41 => Box::new(|s, v, first, count, limit, hits| unsafe {
                sse41::scan(s, v, first, count, limit, hits);
            }),
            // SAFETY: `detect`, which alone makes this value, found AVX2.
            #[cfg(target_arch = "x86_64")]
            Form::Avx2 => Box::new(|s, v, first, count, limit, hits| unsafe {
                avx2::scan(s, v, first, count, limit, hits);
            }),
            // SAFETY: `detect`, which alone makes this value, found AVX-512 F and BW.
            #[cfg(target_arch = "x86_64")]
            Form::Avx512 => Box::new(|s, v, first, count, limit, hits| unsafe {
                avx512::scan(s, v, first, count, limit, hits);
            }),
            #[cfg(target_arch = "x86_64")]
            Form::ShaNi => {
                let mut search = sha_ni::ShaNi::new();
                Box::new(move |s, v, first, count, limit, hits| {
                    // SAFETY: `detect`, which alone makes this value, found SHA, SSSE3, SSE4.1 and AVX.
                    unsafe { search.scan(s, v, first, count, limit, hits) };
                })
            }
        }
    }
}

/// Tests a number of nonces from a first one on, under each version, and puts those into the hits whose hash may meet a
/// target with the given most significant word. Exactly those.
type Scan = Box<dyn FnMut(&Schedule, &[Rounds], u32, u32, u32, &mut Hits) + Send>;

/// One thread of the processor, searching with one form of the kernel.
pub struct Cpu {
    identity: Identity,
    versions: usize,
    scan: Scan,
    hits: Hits,
}

impl Cpu {
    /// Searches with this form, which is fastest with so many versions in a work.
    pub fn new(kernel: Kernel, versions: usize) -> Cpu {
        let identity = Identity { backend: "cpu", kernel: kernel.name(), device: String::new() };
        // A chunk has at most this many hits, so the search itself never allocates.
        Cpu { identity, versions, scan: kernel.scan(), hits: Vec::with_capacity(CHUNK) }
    }
}

impl Backend for Cpu {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn versions(&self) -> usize {
        self.versions
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
