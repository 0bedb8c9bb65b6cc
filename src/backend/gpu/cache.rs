//! Files that spare a later start some work: compiled pipelines, and which form of the shader is fastest.
//!
//! They lie in the user's cache directory, or where `MIDSTATE_CACHE` says, and may be deleted at any time. What cannot be
//! read or written is done without.

use std::fs;
use std::path::{Path, PathBuf};

/// The directory for this program's files, if the system has one for such.
pub(super) fn directory() -> Option<PathBuf> {
    match std::env::var_os("MIDSTATE_CACHE") {
        Some(directory) => Some(directory.into()),
        None => Some(dirs::cache_dir()?.join("midstate")),
    }
}

/// Writes a file so that others see it whole or not at all. A cache that cannot be written is none.
pub(super) fn write(path: &Path, bytes: &[u8]) {
    let temporary = path.with_extension(format!("{}.temporary", std::process::id()));
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&temporary, bytes));
    if written.and_then(|()| fs::rename(&temporary, path)).is_err() {
        let _ = fs::remove_file(&temporary);
    }
}

/// Pipelines that the driver compiled before, where it takes them back.
pub(super) struct Pipelines {
    cache: Option<(wgpu::PipelineCache, PathBuf)>,
    before: Vec<u8>,
}

impl Pipelines {
    pub(super) fn open(gpu: &wgpu::Device, adapter: &wgpu::AdapterInfo) -> Pipelines {
        let path = directory().zip(wgpu::util::pipeline_cache_key(adapter)).map(|(directory, key)| directory.join(key));
        let path = path.filter(|_| gpu.features().contains(wgpu::Features::PIPELINE_CACHE));
        let before = path.as_ref().and_then(|path| fs::read(path).ok()).unwrap_or_default();
        let data = (!before.is_empty()).then_some(before.as_slice());
        let descriptor = wgpu::PipelineCacheDescriptor { label: Some("midstate"), data, fallback: true };
        let cache = path.map(|path| {
            // SAFETY: the data was written by `save` below, which had it from `get_data`, in a file of the user's own; wgpu
            // checks that it is for this driver and device, and begins anew if it is not.
            (unsafe { gpu.create_pipeline_cache(&descriptor) }, path)
        });
        Pipelines { cache, before }
    }

    pub(super) fn get(&self) -> Option<&wgpu::PipelineCache> {
        self.cache.as_ref().map(|(cache, _)| cache)
    }

    /// Keeps what was compiled, if that is anything new.
    pub(super) fn save(&self) {
        if let Some((cache, path)) = &self.cache
            && let Some(data) = cache.get_data()
            && data != self.before
        {
            write(path, &data);
        }
    }
}
