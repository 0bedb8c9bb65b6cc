//! What this machine can search with, and opening it by name.

use super::cpu::topology::spread;
use super::cpu::{Cores, Cpu, Kernel, Measured, measure};
use super::scalar::Scalar;
use super::{Backend, Identity, SelfTestError, self_test};
use std::fmt;
use std::str::FromStr;
use std::thread::available_parallelism;
use std::time::Duration;
use thiserror::Error;

/// The kinds of backend, as `--backend` takes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The reference in a loop.
    Scalar,
    /// The processor's vector units.
    Cpu,
    /// A graphics processor, through Vulkan, Metal or DX12.
    Gpu,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 3] = [Kind::Scalar, Kind::Cpu, Kind::Gpu];

    /// The name, as in `--backend`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Scalar => "scalar",
            Kind::Cpu => "cpu",
            Kind::Gpu => "gpu",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Kind {
    type Err = OpenError;

    fn from_str(name: &str) -> Result<Kind, OpenError> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| OpenError::UnknownBackend(name.to_owned()))
    }
}

/// Which backend to open, and how.
#[derive(Clone, Debug)]
pub struct Selection {
    /// The kind.
    pub kind: Kind,
    /// For the CPU, the form of the kernel; the fastest that runs here if `None`.
    pub kernel: Option<String>,
    /// For the GPU, which adapters, and how they are driven.
    pub gpu: GpuOptions,
    /// For the CPU and the reference, how many threads; what this process may use if `None`.
    pub threads: Option<usize>,
}

impl Selection {
    /// A kind with all defaults.
    pub fn of(kind: Kind) -> Selection {
        Selection { kind, kernel: None, gpu: GpuOptions::default(), threads: None }
    }
}

/// Which graphics processors to open, and how to drive them. What is not given is measured when a device is first used with its
/// driver, and remembered.
#[derive(Clone, Debug, Default)]
pub struct GpuOptions {
    /// Numbers, parts of names, or PCI addresses; all hardware if there are none, or else the first that is not.
    pub adapters: Vec<String>,
    /// Invocations in a workgroup: one of [`GpuOptions::WORKGROUPS`].
    pub workgroup: Option<u32>,
    /// Versions of a header an invocation: one of [`GpuOptions::VERSIONS`].
    pub versions: Option<u32>,
    /// Nonces an invocation: one of [`GpuOptions::NONCES`].
    pub nonces: Option<u32>,
    /// How long a dispatch should take; 50 ms at most, or a new tip waits too long. Each for the adapters of that number, name or
    /// address, or for all; the last that fits counts.
    pub dispatch: Vec<(Option<String>, Duration)>,
    /// Whether to measure what was measured before, and on software too.
    pub tune: bool,
}

impl GpuOptions {
    /// Invocations that a workgroup may have.
    pub const WORKGROUPS: &[u32] = &[64, 128, 256];
    /// Versions of a header that an invocation may hash.
    pub const VERSIONS: &[u32] = &[1, 2, 4, 8];
    /// Nonces that an invocation may hash.
    pub const NONCES: &[u32] = &[1, 2, 4, 8, 16];
}

/// Why a backend could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// No backend is called so.
    #[error("backend: no backend is called {0:?}; expected scalar, cpu or gpu")]
    UnknownBackend(String),
    /// No kernel is called so.
    #[error("kernel: no kernel is called {0:?}; expected one of {names}", names = Kernel::NAMES.join(", "))]
    UnknownKernel(String),
    /// The kernel is not for this processor.
    #[error("kernel: {name} cannot run here: {why}")]
    UnusableKernel {
        /// The kernel asked for.
        name: String,
        /// What is missing.
        why: &'static str,
    },
    /// A kernel was chosen for a backend that has but one.
    #[error("kernel: {kernel:?} was asked of backend {kind}, which has no choice of kernels; only cpu has")]
    NoKernels {
        /// The backend.
        kind: Kind,
        /// The kernel asked for.
        kernel: String,
    },
    /// This program was built without GPU support.
    #[error("backend: gpu is not in this build; build with the feature `gpu`")]
    NotBuilt,
    /// No usable adapter.
    #[cfg(feature = "gpu")]
    #[error(transparent)]
    Gpu(#[from] super::gpu::GpuError),
    /// It gave wrong answers.
    #[error("backend {backend} is refused: {source}")]
    Refused {
        /// Which.
        backend: Identity,
        /// What it got wrong.
        source: Box<SelfTestError>,
    },
}

/// Opens a backend and tests it: one [`Backend`] for each thread that should drive it.
pub fn open(selection: &Selection) -> Result<Vec<Box<dyn Backend>>, OpenError> {
    if let (Kind::Scalar | Kind::Gpu, Some(kernel)) = (selection.kind, &selection.kernel) {
        return Err(OpenError::NoKernels { kind: selection.kind, kernel: kernel.clone() });
    }
    let threads = selection.threads.unwrap_or_else(usable_threads);
    let mut backends: Vec<Box<dyn Backend>> = match selection.kind {
        Kind::Scalar => (0..threads).map(|_| Box::new(Scalar::new()) as _).collect(),
        Kind::Cpu => open_cpus(Cores::kinds(), threads, selection.kernel.as_deref())?,
        Kind::Gpu => open_gpus(&selection.gpu)?,
    };
    // Threads on the same kind of cores run the same code, and each graphics processor has a name of its own.
    for threads in backends.chunk_by_mut(|a, b| a.identity() == b.identity()) {
        let first = threads[0].as_mut();
        self_test(first)
            .map_err(|source| OpenError::Refused { backend: first.identity().clone(), source: Box::new(source) })?;
    }
    Ok(backends)
}

/// So many threads on cores of these kinds, each with the kernel of that name or the fastest on its kind.
fn open_cpus(kinds: Vec<Cores>, threads: usize, kernel: Option<&str>) -> Result<Vec<Box<dyn Backend>>, OpenError> {
    let mut cpus: Vec<Box<dyn Backend>> = Vec::new();
    for (cores, threads) in spread(kinds, threads) {
        let Measured { kernel, best: (versions, _), .. } = cores.run(|| choose_kernel(kernel))?;
        cpus.extend((0..threads).map(|_| Box::new(Cpu::new(kernel, versions).on(&cores)) as Box<dyn Backend>));
    }
    Ok(cpus)
}

/// The kernel of that name, or the fastest here; with how many versions at once it is fastest.
fn choose_kernel(name: Option<&str>) -> Result<Measured, OpenError> {
    let kernels: Vec<Kernel> = match name {
        None => Kernel::usable().collect(),
        Some(name) => {
            let detected = Kernel::detect(name).ok_or_else(|| OpenError::UnknownKernel(name.to_owned()))?;
            vec![detected.map_err(|why| OpenError::UnusableKernel { name: name.to_owned(), why })?]
        }
    };
    let fastest = measure(kernels).into_iter().next();
    fastest.ok_or_else(|| OpenError::UnknownKernel("portable".to_owned()))
}

#[cfg(feature = "gpu")]
fn open_gpus(options: &GpuOptions) -> Result<Vec<Box<dyn Backend>>, OpenError> {
    Ok(super::gpu::Gpu::open(options)?.into_iter().map(|gpu| Box::new(gpu) as Box<dyn Backend>).collect())
}

#[cfg(not(feature = "gpu"))]
fn open_gpus(_: &GpuOptions) -> Result<Vec<Box<dyn Backend>>, OpenError> {
    Err(OpenError::NotBuilt)
}

/// How many threads this process may use: cores, less what affinity and cgroups take away.
pub fn usable_threads() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// One way to search on this machine, usable or not.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its names.
    pub identity: Identity,
    /// How many threads would drive it.
    pub threads: usize,
    /// For kernels of the processor, what a measurement of some milliseconds said.
    pub measured: Option<Measured>,
    /// Whether it is what its backend takes if nothing is asked for.
    pub chosen: bool,
    /// The driver's name and version, of a GPU.
    pub driver: String,
    /// Where on the PCI bus it is, of a GPU, such as `0000:01:00.0`; empty where that is not known.
    pub pci: String,
    /// Facts for people.
    pub details: String,
    /// Why it cannot be used, if it cannot.
    pub unusable: Option<String>,
}

/// Everything that this program knows how to search with, with what this machine says of each. Measures the processor's
/// kernels for some ten milliseconds.
pub fn devices() -> Vec<Device> {
    let threads = usable_threads();
    let identity = |backend, kernel| Identity { backend, kernel, device: String::new() };
    let mut devices = vec![Device {
        identity: identity("scalar", "reference"),
        threads,
        measured: None,
        chosen: true,
        driver: String::new(),
        pci: String::new(),
        details: "one hash at a time; the judge of all others".to_owned(),
        unusable: None,
    }];
    for (cores, threads) in spread(Cores::kinds(), threads) {
        let measured = cores.run(|| measure(Kernel::usable()));
        for name in Kernel::NAMES {
            let detected = Kernel::detect(name).unwrap_or(Err("not in this build"));
            let place = detected.ok().and_then(|kernel| measured.iter().position(|measured| measured.kernel == kernel));
            devices.push(Device {
                identity: Identity { device: cores.name(), ..identity("cpu", name) },
                threads,
                measured: place.map(|place| measured[place].clone()),
                chosen: place == Some(0),
                driver: String::new(),
                pci: String::new(),
                details: String::new(),
                unusable: detected.err().map(str::to_owned),
            });
        }
    }
    devices.extend(gpu_devices());
    devices
}

#[cfg(feature = "gpu")]
fn gpu_devices() -> Vec<Device> {
    let adapters = super::gpu::adapters();
    if adapters.is_empty() {
        return vec![no_gpu("no adapter: no Vulkan, Metal or DX12 driver was found")];
    }
    let hardware = adapters.iter().any(|adapter| !adapter.software && adapter.unusable.is_none());
    adapters
        .into_iter()
        .enumerate()
        .map(|(index, adapter)| Device {
            identity: Identity { backend: "gpu", kernel: "wgsl", device: adapter.name.clone() },
            threads: 1,
            measured: None,
            chosen: adapter.unusable.is_none() && (!adapter.software || !hardware && index == 0),
            details: adapter.details(),
            driver: adapter.driver,
            pci: adapter.pci,
            unusable: adapter.unusable,
        })
        .collect()
}

#[cfg(not(feature = "gpu"))]
fn gpu_devices() -> Vec<Device> {
    vec![no_gpu("this program was built without the feature `gpu`")]
}

fn no_gpu(why: &str) -> Device {
    Device {
        identity: Identity { backend: "gpu", kernel: "wgsl", device: String::new() },
        threads: 0,
        measured: None,
        chosen: false,
        driver: String::new(),
        pci: String::new(),
        details: String::new(),
        unusable: Some(why.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::cpu::topology::Cores;
    use super::*;
    use crate::backend::Cancel;
    use crate::engine::search_once;
    use crate::testing::genesis;
    use crate::work::{Candidate, NonceRange, Work};
    use midstate_stratum::Target;

    #[test]
    fn each_kind_of_cores_has_its_own_threads() {
        let kinds = Cores::one_by_one();
        let (names, count): (Vec<String>, usize) = (kinds.iter().map(Cores::name).collect(), kinds.len());
        let mut cpus = open_cpus(kinds, 2 * count, None).unwrap();
        let devices: Vec<&str> = cpus.iter().map(|cpu| cpu.identity().device.as_str()).collect();
        let twice: Vec<&str> = names.iter().flat_map(|name| [name.as_str(); 2]).collect();
        assert_eq!(devices, twice);

        let nonce = genesis().nonce();
        let work = Work::new(genesis(), NonceRange::around(nonce, 10_000), Target::DIFFICULTY_1);
        let searched = search_once(&mut cpus, &work, &Cancel::never()).unwrap();
        assert_eq!(searched.candidates, [Candidate { version: 0, nonce }]);
        assert_eq!(searched.hashes, work.hashes());
    }
}
