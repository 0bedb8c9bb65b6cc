//! Vector units of the processor: one kernel, generic over a lane type, and a thin file for each instruction set.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod kernel;
mod lanes;
mod portable;

use super::{Backend, Cancel, Identity, SearchError};
use crate::sha256::Partial;
use crate::work::{Candidate, Work};
use kernel::Hits;

/// How many nonces pass between two looks at the cancel token: under 1 ms for vectors, some 4 ms for the portable form.
const CHUNK: u32 = 1 << 13;

/// A form of the kernel that this processor can run: the value is the proof that it was detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel(Form);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    /// The names of all forms, fastest first, whether or not this processor has them.
    pub const NAMES: [&str; 3] = ["avx512", "avx2", "portable"];

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
            "avx2" => Err("this processor has no AVX2"),
            "avx512" => Err("this processor has no AVX-512 F and BW"),
            _ => return None,
        })
    }

    /// The forms that this processor can run, fastest first.
    pub fn usable() -> impl Iterator<Item = Kernel> {
        Self::NAMES.into_iter().filter_map(|name| Self::detect(name)?.ok())
    }

    /// The name, as in `--kernel`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Form::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Form::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Form::Avx512 => "avx512",
        }
    }

    fn scan(self, partial: &Partial, first: u32, count: u32, limit: u32, hits: &mut Hits) {
        match self.0 {
            Form::Portable => portable::scan(partial, first, count, limit, hits),
            // SAFETY: `detect`, which alone makes this value, found AVX2.
            #[cfg(target_arch = "x86_64")]
            Form::Avx2 => unsafe { avx2::scan(partial, first, count, limit, hits) },
            // SAFETY: `detect`, which alone makes this value, found AVX-512 F and BW.
            #[cfg(target_arch = "x86_64")]
            Form::Avx512 => unsafe { avx512::scan(partial, first, count, limit, hits) },
        }
    }
}

/// One thread of the processor, searching with one form of the kernel.
#[derive(Debug)]
pub struct Cpu {
    identity: Identity,
    kernel: Kernel,
    hits: Hits,
}

impl Cpu {
    /// Searches with this form.
    pub fn new(kernel: Kernel) -> Cpu {
        let identity = Identity { backend: "cpu", kernel: kernel.name(), device: String::new() };
        // A chunk has at most this many hits, so the search itself never allocates.
        Cpu { identity, kernel, hits: Vec::with_capacity(CHUNK as usize) }
    }
}

impl Backend for Cpu {
    fn identity(&self) -> &Identity {
        &self.identity
    }

    fn search(&mut self, work: &Work, cancel: &Cancel, found: &mut dyn FnMut(Candidate)) -> Result<u64, SearchError> {
        let tail = work.tail();
        let limit = work.target().top_word();
        let mut hashes = 0;
        for (version, midstate) in work.midstates().enumerate() {
            let partial = Partial::new(midstate, &tail);
            let mut rest = work.range();
            while !rest.is_empty() {
                if cancel.is_cancelled() {
                    return Ok(hashes);
                }
                let chunk = rest.take_front(CHUNK.into());
                self.kernel.scan(&partial, chunk.first(), chunk.len() as u32, limit, &mut self.hits);
                for nonce in self.hits.drain(..) {
                    if work.target().is_met_by(&midstate.hash(&tail, nonce).0) {
                        found(Candidate { version, nonce });
                    }
                }
                hashes += chunk.len();
            }
        }
        Ok(hashes)
    }
}
