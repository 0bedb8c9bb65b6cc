//! `midstate devices`: what can search here.

use super::CliError;
#[cfg(feature = "gpu")]
use super::backends::one_of;
use super::report::hashrate;
#[cfg(feature = "gpu")]
use midstate::backend::GpuOptions;
#[cfg(feature = "gpu")]
use midstate::backend::gpu::{Dialect, Form};
use midstate::backend::{Device, devices};
use serde::Serialize;
use std::io::{Write, stdout};

/// List what can search on this machine, and what cannot and why
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  midstate devices
  midstate devices --json | jq '.devices[] | select(.usable)'
  midstate devices --dump-shader > sha256d.wgsl

With --json, one object: {\"arch\",\"instruction_sets\",\"devices\":[{\"backend\",\"kernel\",\"device\",\"threads\",\"usable\",
\"reason\",\"details\",\"driver\",\"pci\",\"chosen\",\"hashes_per_second_single\",\"hashes_per_second\",\"versions\"}]}; `reason` says why a device is not
usable, and is null where it is. The processor's kernels were measured for some milliseconds on one thread: on one version
of a header, and on as many `versions` at once as suit them; the fastest is chosen.")]
pub(super) struct Args {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print the GPU's shader and end: as most compilers get it, or as Mesa's RADV does
    #[cfg(feature = "gpu")]
    #[arg(long, value_name = "DIALECT", num_args = 0..=1, default_missing_value = "usual", conflicts_with = "json")]
    dump_shader: Option<ShaderDialect>,
    /// Versions of a header that an invocation of the shader hashes
    #[cfg(feature = "gpu")]
    #[arg(long, value_name = "N", default_value_t = 1, requires = "dump_shader", value_parser = one_of(GpuOptions::VERSIONS))]
    gpu_versions: u32,
}

#[cfg(feature = "gpu")]
#[derive(Clone, Copy, clap::ValueEnum)]
enum ShaderDialect {
    Usual,
    Radv,
}

#[derive(Serialize)]
struct Listing {
    arch: &'static str,
    instruction_sets: Vec<&'static str>,
    devices: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    backend: &'static str,
    kernel: &'static str,
    device: String,
    threads: usize,
    usable: bool,
    reason: Option<String>,
    details: String,
    driver: String,
    pci: String,
    chosen: bool,
    hashes_per_second_single: Option<f64>,
    hashes_per_second: Option<f64>,
    versions: Option<usize>,
}

impl From<Device> for Row {
    fn from(device: Device) -> Row {
        Row {
            backend: device.identity.backend,
            kernel: device.identity.kernel,
            device: device.identity.device,
            threads: device.threads,
            usable: device.unusable.is_none(),
            reason: device.unusable,
            details: device.details,
            driver: device.driver,
            pci: device.pci,
            chosen: device.chosen,
            hashes_per_second_single: device.measured.as_ref().map(|measured| measured.single),
            hashes_per_second: device.measured.as_ref().map(|measured| measured.best.1),
            versions: device.measured.as_ref().map(|measured| measured.best.0),
        }
    }
}

pub(super) fn run(args: &Args) -> Result<(), CliError> {
    #[cfg(feature = "gpu")]
    if let Some(dialect) = args.dump_shader {
        let dialect = match dialect {
            ShaderDialect::Usual => Dialect::Usual,
            ShaderDialect::Radv => Dialect::Radv,
        };
        let form = Form { dialect, workgroup: 256, versions: args.gpu_versions, nonces: 1 };
        return Ok(stdout().lock().write_all(form.source().as_bytes())?);
    }
    let listing = Listing {
        arch: std::env::consts::ARCH,
        instruction_sets: instruction_sets(),
        devices: devices().into_iter().map(Row::from).collect(),
    };
    let mut out = stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &listing).map_err(std::io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    writeln!(out, "{} with {}\n", listing.arch, listing.instruction_sets.join(", "))?;
    writeln!(out, "{:<8} {:<10} {:>7}  {:<6} notes", "backend", "kernel", "threads", "usable")?;
    for row in listing.devices {
        let speed = row.hashes_per_second_single.zip(row.hashes_per_second).zip(row.versions);
        let speed = speed.map(|((single, best), versions)| {
            let (single, best) = (hashrate(single), hashrate(best));
            if versions == 1 {
                format!("{single} a thread")
            } else {
                format!("{single} a thread, {best} on {versions} versions")
            }
        });
        let chosen = (row.chosen && row.backend == "cpu").then(|| "chosen as the fastest".to_owned());
        let notes = [Some(row.device), Some(row.details), row.reason, speed, chosen];
        let notes: Vec<_> = notes.into_iter().flatten().filter(|note| !note.is_empty()).collect();
        let usable = if row.usable { "yes" } else { "no" };
        writeln!(out, "{:<8} {:<10} {:>7}  {usable:<6} {}", row.backend, row.kernel, row.threads, notes.join("; "))?;
    }
    Ok(())
}

/// The instruction sets of this processor that matter to SHA-256.
#[cfg(target_arch = "x86_64")]
fn instruction_sets() -> Vec<&'static str> {
    let sets = [
        ("sse2", is_x86_feature_detected!("sse2")),
        ("ssse3", is_x86_feature_detected!("ssse3")),
        ("sse4.1", is_x86_feature_detected!("sse4.1")),
        ("sha", is_x86_feature_detected!("sha")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512bw", is_x86_feature_detected!("avx512bw")),
        ("avx512vl", is_x86_feature_detected!("avx512vl")),
    ];
    sets.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn instruction_sets() -> Vec<&'static str> {
    Vec::new()
}
