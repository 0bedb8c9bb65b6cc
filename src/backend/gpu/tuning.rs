//! Which form of the shader is fastest on a device: measured when a device is first used with its driver, and remembered.

use super::GpuError;
use super::adapters::Adapter;
use super::cache;
use super::device::{Device, Dispatch, Request};
use super::known::Known;
use super::shader::Dialect;
use crate::backend::GpuOptions;
use crate::sha256::{Header, Rounds, Schedule};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a dispatch that counts takes at least, and how many of them are timed; the fastest counts.
const READING: Duration = Duration::from_millis(15);
const READINGS: usize = 3;
/// The file of what was measured.
const FILE: &str = "gpu-tuning.json";

/// How the shader is written and cut up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tuning {
    /// Invocations in a workgroup.
    pub(super) workgroup: u32,
    /// How many versions of a header an invocation hashes.
    pub(super) versions: u32,
    /// How many nonces an invocation hashes.
    pub(super) nonces: u32,
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tuning { workgroup, versions, nonces } = self;
        write!(f, "workgroup {workgroup}, versions {versions}, nonces {nonces}")
    }
}

impl Tuning {
    /// Where nothing was measured.
    const USUAL: Tuning = Tuning { workgroup: 256, versions: 2, nonces: 1 };
    /// For llvmpipe and its like. Two versions would be 7 % faster there, and take twice as long to compile.
    const SOFTWARE: Tuning = Tuning { workgroup: 64, versions: 1, nonces: 1 };

    /// The best for this device: what the options force; else what was measured before; else, on hardware, what is measured
    /// now.
    pub(super) fn choose(adapter: &Adapter, handle: &wgpu::Adapter, options: &GpuOptions) -> Result<Tuning, GpuError> {
        let forced = |tuning: Tuning| Tuning {
            workgroup: options.workgroup.unwrap_or(tuning.workgroup),
            versions: options.versions.unwrap_or(tuning.versions),
            nonces: options.nonces.unwrap_or(tuning.nonces),
        };
        let all_forced = options.workgroup.and(options.versions).and(options.nonces).is_some();
        if all_forced {
            return Ok(forced(Tuning::USUAL));
        }
        if !options.tune
            && let Some(tuning) = Tuning::known(adapter)
        {
            return Ok(forced(tuning));
        }
        let tuning = measure(adapter, handle, options)?;
        if let (Some(file), None) = (file(), options.workgroup.or(options.versions).or(options.nonces)) {
            remember(&file, key(adapter), tuning);
        }
        Ok(tuning)
    }

    /// What was measured before; for software, what is taken without measuring.
    pub(super) fn known(adapter: &Adapter) -> Option<Tuning> {
        let before = file().and_then(|file| remembered(&file).remove(&key(adapter)));
        before.or(adapter.software.then_some(Tuning::SOFTWARE))
    }
}

fn file() -> Option<PathBuf> {
    Some(cache::directory()?.join(FILE))
}

/// Another driver, or another version of the shader, is another matter.
fn key(adapter: &Adapter) -> String {
    format!("{} / {} / {}", adapter.name, adapter.driver, env!("CARGO_PKG_VERSION"))
}

/// What was measured before, by device and driver. What a file holds that makes no sense was not measured.
fn remembered(file: &Path) -> BTreeMap<String, Tuning> {
    let mut all: BTreeMap<String, Tuning> =
        fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    all.retain(|_, tuning| {
        GpuOptions::WORKGROUPS.contains(&tuning.workgroup)
            && GpuOptions::VERSIONS.contains(&tuning.versions)
            && GpuOptions::NONCES.contains(&tuning.nonces)
    });
    all
}

fn remember(file: &Path, key: String, tuning: Tuning) {
    let mut all = remembered(file);
    all.insert(key, tuning);
    if let Ok(text) = serde_json::to_vec_pretty(&all) {
        cache::write(file, &text);
    }
}

/// Tries one thing after the other, each with the best found of those before. A form that fails or gives wrong answers is out.
fn measure(adapter: &Adapter, handle: &wgpu::Adapter, options: &GpuOptions) -> Result<Tuning, GpuError> {
    let choices = |forced: Option<u32>, choices: &[u32]| forced.map_or(choices.to_vec(), |forced| vec![forced]);
    let mut best = Tuning { workgroup: options.workgroup.unwrap_or(Tuning::USUAL.workgroup), versions: 1, nonces: 1 };
    let mut fastest = None;
    let mut failure = None;
    let mut attempt = |tuning: Tuning, best: &mut Tuning| match hashes_per_second(adapter, handle, tuning) {
        Ok(speed) if fastest.is_none_or(|fastest| speed > fastest) => {
            fastest = Some(speed);
            *best = tuning;
        }
        Ok(_) => {}
        Err(error) => failure = Some(error),
    };
    for versions in choices(options.versions, GpuOptions::VERSIONS) {
        attempt(Tuning { versions, ..best }, &mut best);
    }
    for workgroup in choices(options.workgroup, GpuOptions::WORKGROUPS) {
        attempt(Tuning { workgroup, ..best }, &mut best);
    }
    for nonces in choices(options.nonces, &[1, 4, 16]) {
        attempt(Tuning { nonces, ..best }, &mut best);
    }
    match (fastest, failure) {
        (None, Some(error)) => Err(error),
        _ => Ok(best),
    }
}

fn hashes_per_second(adapter: &Adapter, handle: &wgpu::Adapter, tuning: Tuning) -> Result<f64, GpuError> {
    let error = |what: String| GpuError::Device { adapter: adapter.name.clone(), what };
    let mut device = Device::open(adapter, handle, Dialect::of(&adapter.driver), tuning, 1)?;
    Known::new(tuning.versions).check(&mut device).map_err(error)?;
    let header = Header([0; 80]);
    let schedule = Schedule::new(&header.tail());
    let versions: Vec<Rounds> = vec![schedule.rounds(&header.midstate()); tuning.versions as usize];
    let mut count = 1 << 14;
    let mut best = 0.0;
    let mut readings = 0;
    while readings < READINGS {
        let started = Instant::now();
        device.submit(0, &Request { schedule: &schedule, versions: &versions, first: 0, count, limit: 0 });
        let (_, time) = device.wait(0).map_err(error)?;
        let time = time.unwrap_or(started.elapsed());
        if time < READING && u64::from(count) * 2 <= device.largest() {
            count *= 2;
            continue;
        }
        best = f64::max(best, f64::from(count) * f64::from(tuning.versions) / time.as_secs_f64());
        readings += 1;
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::super::adapters::choose;
    use super::*;

    /// Whatever a driver prefers, all compute both.
    #[test]
    fn every_dialect_gives_the_known_answer() {
        for (_, adapter, handle) in choose(&[]).unwrap() {
            for dialect in [Dialect::Usual, Dialect::Radv] {
                let mut device = Device::open(&adapter, &handle, dialect, Tuning::USUAL, 1).unwrap();
                Known::new(Tuning::USUAL.versions).check(&mut device).unwrap();
            }
        }
    }

    #[test]
    fn what_is_measured_is_remembered_and_what_is_forced_is_taken() {
        let (_, adapter, handle) = choose(&[]).unwrap().remove(0);
        let forced = GpuOptions { workgroup: Some(64), versions: Some(1), tune: true, ..GpuOptions::default() };
        let tuning = Tuning::choose(&adapter, &handle, &forced).unwrap();
        assert_eq!((tuning.workgroup, tuning.versions), (64, 1));
        assert!(GpuOptions::NONCES.contains(&tuning.nonces));

        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join(FILE);
        assert_eq!(remembered(&file), BTreeMap::new());
        remember(&file, "one".to_owned(), tuning);
        remember(&file, "two".to_owned(), Tuning::USUAL);
        // Neither nonsense nor a number that no form has is taken.
        remember(&file, "three".to_owned(), Tuning { workgroup: 7, ..Tuning::USUAL });
        let expected = [("one".to_owned(), tuning), ("two".to_owned(), Tuning::USUAL)];
        assert_eq!(remembered(&file), BTreeMap::from(expected));
        fs::write(&file, "{").unwrap();
        assert_eq!(remembered(&file), BTreeMap::new());
    }
}
