//! An open device: the compiled shader, and slots for dispatches in flight.

use super::adapters::{GpuError, choose, describe};
use super::shader::{CAPACITY, WORKGROUP_SIZE, source};
use crate::sha256::{Rounds, Schedule};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wgpu::BufferUsages as Usage;

/// A dispatch that takes longer is taken for hung.
const HANG: Duration = Duration::from_secs(20);
/// Bytes of a dispatch's candidates: their count, and room for nonces.
const CANDIDATES_SIZE: u64 = 4 * (1 + CAPACITY as u64);
/// Bytes of [`Request`] as the shader reads it.
const PARAMS_SIZE: u64 = 28 * 4;

pub(super) struct Device {
    pub(super) name: String,
    /// The most nonces in one dispatch.
    pub(super) largest_dispatch: u64,
    widest: u32,
    gpu: wgpu::Device,
    queue: wgpu::Queue,
    pipeline: wgpu::ComputePipeline,
    /// The first error that a callback was told of.
    failure: Arc<Mutex<Option<String>>>,
}

/// Buffers for one dispatch at a time.
pub(super) struct Slot {
    params: wgpu::Buffer,
    candidates: wgpu::Buffer,
    /// Where the host reads the candidates.
    staging: wgpu::Buffer,
    bindings: wgpu::BindGroup,
}

/// One dispatch: nonces under a midstate.
pub(super) struct Request<'a> {
    pub(super) schedule: &'a Schedule,
    pub(super) rounds: &'a Rounds,
    pub(super) first: u32,
    pub(super) count: u32,
    /// The target's most significant word.
    pub(super) limit: u32,
}

/// What a dispatch found: the nonces, or that there were more than fit.
pub(super) enum Found {
    Nonces(Vec<u32>),
    TooMany,
}

impl Device {
    pub(super) fn open(asked: Option<&str>) -> Result<Device, GpuError> {
        let adapter = choose(asked)?;
        let described = describe(&adapter);
        let name = described.name;
        let error = |what: String| GpuError::Device { adapter: name.clone(), what };
        if let Some(why) = described.unusable {
            return Err(error(why));
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("midstate"),
            required_limits: wgpu::Limits { ..wgpu::Limits::downlevel_defaults() },
            ..wgpu::DeviceDescriptor::default()
        };
        let (gpu, queue) = pollster::block_on(adapter.request_device(&descriptor)).map_err(|e| error(e.to_string()))?;

        // Without handlers, wgpu ends the program where a driver fails.
        let failure = Arc::new(Mutex::new(None));
        let note = |failure: &Arc<Mutex<Option<String>>>, what: String| {
            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
        };
        let to = Arc::clone(&failure);
        gpu.on_uncaptured_error(Arc::new(move |error: wgpu::Error| note(&to, error.to_string())));
        let to = Arc::clone(&failure);
        gpu.set_device_lost_callback(move |reason, message| {
            // Told too when the device is dropped in good order; nobody reads it then.
            note(&to, format!("device lost ({reason:?}): {message}"));
        });

        let module = gpu.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("sha256d"),
            source: wgpu::ShaderSource::Wgsl(source().into()),
        });
        let pipeline = gpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("sha256d"),
            layout: None,
            module: &module,
            entry_point: Some("search"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let widest = gpu.limits().max_compute_workgroups_per_dimension;
        let largest_dispatch =
            (u64::from(widest) * u64::from(widest) * u64::from(WORKGROUP_SIZE)).min(u64::from(u32::MAX));
        let device = Device { name, largest_dispatch, widest, gpu, queue, pipeline, failure };
        match device.check() {
            Ok(()) => Ok(device),
            Err(what) => Err(GpuError::Device { adapter: device.name, what }),
        }
    }

    pub(super) fn slot(&self) -> Slot {
        let buffer = |label, size, usage| {
            let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
            self.gpu.create_buffer(&descriptor)
        };
        let params = buffer("params", PARAMS_SIZE, Usage::UNIFORM | Usage::COPY_DST);
        let candidates = buffer("candidates", CANDIDATES_SIZE, Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST);
        let staging = buffer("staging", CANDIDATES_SIZE, Usage::MAP_READ | Usage::COPY_DST);
        let bindings = self.gpu.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("sha256d"),
            layout: &self.pipeline.get_bind_group_layout(0),
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: params.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: candidates.as_entire_binding() },
            ],
        });
        Slot { params, candidates, staging, bindings }
    }

    /// Sends a dispatch on its way. The slot is taken until [`Device::wait`] gives its result.
    pub(super) fn submit(&self, slot: &Slot, request: &Request) -> wgpu::SubmissionIndex {
        self.queue.write_buffer(&slot.params, 0, &request.to_bytes());
        let mut encoder = self.gpu.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: None });
        encoder.clear_buffer(&slot.candidates, 0, Some(4));
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &slot.bindings, &[]);
            let groups = request.count.div_ceil(WORKGROUP_SIZE);
            let rows = groups.div_ceil(self.widest).max(1);
            pass.dispatch_workgroups(groups.div_ceil(rows), rows, 1);
        }
        encoder.copy_buffer_to_buffer(&slot.candidates, 0, &slot.staging, 0, CANDIDATES_SIZE);
        let index = self.queue.submit([encoder.finish()]);
        // What goes wrong with the mapping shows when its range is read.
        slot.staging.slice(..).map_async(wgpu::MapMode::Read, |_| {});
        index
    }

    /// Waits for a dispatch, without spinning.
    pub(super) fn wait(&self, slot: &Slot, index: wgpu::SubmissionIndex) -> Result<Found, String> {
        let poll = wgpu::PollType::Wait { submission_index: Some(index), timeout: Some(HANG) };
        self.gpu.poll(poll).map_err(|error| error.to_string())?;
        self.check()?;
        let found = {
            let view = slot.staging.slice(..).get_mapped_range().map_err(|error| error.to_string())?;
            let mut words = view.as_chunks::<4>().0.iter().map(|bytes| u32::from_ne_bytes(*bytes));
            match words.next() {
                Some(count) if count <= CAPACITY => Found::Nonces(words.take(count as usize).collect()),
                _ => Found::TooMany,
            }
        };
        slot.staging.unmap();
        Ok(found)
    }

    fn check(&self) -> Result<(), String> {
        match self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(what) => Err(what),
            None => Ok(()),
        }
    }
}

impl Request<'_> {
    /// The shader's `Params`.
    fn to_bytes(&self) -> Vec<u8> {
        let Rounds { midstate, after_round_2, round_3_a, round_3_e } = *self.rounds;
        let Schedule { w16, w17, w18_base, w19_base, w31_base, w32_base, .. } = *self.schedule;
        let rest = [
            round_3_a, round_3_e, w16, w17, w18_base, w19_base, w31_base, w32_base, self.first, self.count, self.limit,
            0,
        ];
        let words = midstate.into_iter().chain(after_round_2).chain(rest);
        words.flat_map(u32::to_ne_bytes).collect()
    }
}
