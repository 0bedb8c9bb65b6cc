//! The arguments that choose backends, shared by all commands that search.

use midstate::backend::{self, Backend, Kind, OpenError, Selection};

#[derive(clap::Args, Clone, Debug)]
pub(super) struct BackendArgs {
    /// What to search with: scalar, cpu or gpu; may be given several times [default: cpu]
    #[arg(long = "backend", value_name = "NAME")]
    pub backends: Vec<Kind>,
    /// The CPU kernel: sha-ni, avx512, avx2, sse4.1, armv8-sha2, neon or portable [default: the fastest here, by a short measurement]
    #[arg(long, value_name = "NAME")]
    pub kernel: Option<String>,
    /// The GPU: a part of its name, or its number in `midstate devices` [default: the best]
    #[arg(long, value_name = "NAME")]
    pub adapter: Option<String>,
    /// Threads for the CPU [default: all that this process may use]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
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
            adapter: self.adapter.clone(),
            threads: self.threads.map(usize::from),
        }
    }
}
