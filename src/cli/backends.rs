//! The arguments that choose backends, shared by all commands that search.

use clap::builder::BoolishValueParser;
use midstate::backend::{self, Backend, GpuOptions, Kind, OpenError, Selection};
use midstate::config::Dispatch;
use thiserror::Error;

#[derive(clap::Args, Clone, Debug)]
pub(super) struct BackendArgs {
    /// What to search with: scalar, cpu or gpu; may be given several times [default: cpu]
    #[arg(id = "backend", long, value_name = "NAME", value_delimiter = ',')]
    pub backends: Vec<Kind>,
    /// The CPU kernel: sha-ni, avx512-asm, avx512, avx2, sse4.1, armv8-sha2, neon or portable [default: the fastest here, by a short measurement]
    #[arg(long, value_name = "NAME")]
    pub kernel: Option<String>,
    /// A GPU: its number in `midstate devices`, a part of its name, its PCI address, or all; may be given several times
    /// [default: every GPU that is hardware, or else one that is not]
    #[arg(id = "adapter", long, value_name = "NAME")]
    pub adapters: Vec<String>,
    #[command(flatten)]
    pub gpu: GpuArgs,
    /// Threads for the CPU [default: all that this process may use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
}

const GPU: &str = "GPU options (what is not given is measured when a GPU is first used, and remembered)";

/// How graphics processors are driven.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct GpuArgs {
    /// Invocations in a workgroup
    #[arg(help_heading = GPU, id = "gpu_workgroup", long = "gpu-workgroup", value_name = "N", value_parser = one_of(GpuOptions::WORKGROUPS))]
    pub workgroup: Option<u32>,
    /// Versions of a header that an invocation hashes
    #[arg(help_heading = GPU, id = "gpu_versions", long = "gpu-versions", value_name = "N", value_parser = one_of(GpuOptions::VERSIONS))]
    pub versions: Option<u32>,
    /// Nonces that an invocation hashes
    #[arg(help_heading = GPU, id = "gpu_nonces", long = "gpu-nonces", value_name = "N", value_parser = one_of(GpuOptions::NONCES))]
    pub nonces: Option<u32>,
    /// How long a dispatch takes, in milliseconds: longer costs less, shorter reacts sooner; for all GPUs, or for one. May be given
    /// several times [default: 20; 5 on software]
    #[arg(help_heading = GPU, id = "gpu_dispatch", long = "gpu-dispatch", value_name = "[NAME=]MS", value_delimiter = ',')]
    pub dispatch: Vec<Dispatch>,
    /// Measure anew, and on software too
    #[arg(help_heading = GPU, id = "gpu_tune", long = "gpu-tune", value_name = "YES", num_args = 0..=1, require_equals = true,
        default_missing_value = "true", hide_possible_values = true, value_parser = BoolishValueParser::new())]
    pub tune: Option<bool>,
}

/// Why a number is none of those that can be chosen.
#[derive(Debug, Error)]
#[error("expected one of {}", .0.iter().map(u32::to_string).collect::<Vec<_>>().join(", "))]
pub(super) struct NotOneOf(&'static [u32]);

/// Takes one of these numbers.
pub(super) fn one_of(numbers: &'static [u32]) -> impl Fn(&str) -> Result<u32, NotOneOf> + Clone {
    move |text| text.parse().ok().filter(|number| numbers.contains(number)).ok_or(NotOneOf(numbers))
}

impl BackendArgs {
    /// Opens everything that was asked for.
    pub(super) fn open(&self) -> Result<Vec<Box<dyn Backend>>, OpenError> {
        self.check()?;
        let chosen = if self.backends.is_empty() { &[Kind::Cpu][..] } else { &self.backends };
        let mut opened = Vec::new();
        for (i, &kind) in chosen.iter().enumerate() {
            if !chosen[..i].contains(&kind) {
                opened.extend(backend::open(&self.selection(kind))?);
            }
        }
        Ok(opened)
    }

    /// Refuses a kernel that no backend here would heed.
    pub(super) fn check(&self) -> Result<(), OpenError> {
        match (&self.kernel, self.backends.first()) {
            (Some(kernel), Some(&kind)) if !self.backends.contains(&Kind::Cpu) => {
                Err(OpenError::NoKernels { kind, kernel: kernel.clone() })
            }
            _ => Ok(()),
        }
    }

    /// These arguments, as far as they concern one kind.
    pub(super) fn selection(&self, kind: Kind) -> Selection {
        Selection {
            kind,
            kernel: self.kernel.clone().filter(|_| kind == Kind::Cpu),
            gpu: GpuOptions {
                adapters: self.adapters.clone(),
                workgroup: self.gpu.workgroup,
                versions: self.gpu.versions,
                nonces: self.gpu.nonces,
                dispatch: self.gpu.dispatch.iter().map(|of| (of.name.clone(), of.time)).collect(),
                tune: self.gpu.tune.unwrap_or_default(),
            },
            threads: self.threads.map(usize::from),
        }
    }
}
