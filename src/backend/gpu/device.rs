//! An open device: the compiled shaders, and slots for dispatches in flight.

use super::adapters::{Adapter, GpuError};
use super::cache;
use super::shader::{CAPACITY, Dialect, Form};
use super::tuning::Tuning;
use crate::sha256::{Rounds, Schedule};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use wgpu::BufferUsages as Usage;

/// A dispatch that takes longer is taken for hung. Drivers that watch over their devices reset them sooner.
const HANG: Duration = Duration::from_secs(20);
/// Bytes of a dispatch's candidates: their count, padding, and room for nonces with their versions.
const CANDIDATES_SIZE: u64 = 8 * (1 + CAPACITY as u64);
/// Bytes of the two times, of a dispatch's begin and end, that follow the candidates.
const TIMES_SIZE: u64 = 16;
/// Words of a version and of everything else in the shader's `Params`.
const VERSION_WORDS: usize = 20;
const REST_WORDS: usize = 12;

/// What a search asks of a device. Between the two, tests put a layer of faults.
pub(super) trait Dispatch: Send {
    /// The most nonces in one dispatch.
    fn largest(&self) -> u64;

    /// Sends a dispatch on its way, in one of the slots. The slot is taken until [`Dispatch::wait`] gives its result.
    fn submit(&mut self, slot: usize, request: &Request);

    /// Waits for the dispatch in a slot, without spinning. Gives what it found, and how long the device worked on it where the
    /// device can tell.
    ///
    /// # Errors
    /// What the driver says of a device that fails, is lost, or hangs. No more is to be asked of it then.
    fn wait(&mut self, slot: usize) -> Result<(Found, Option<Duration>), String>;
}

/// One dispatch: nonces under one version, or under as many as the shader takes at once.
pub(super) struct Request<'a> {
    pub(super) schedule: &'a Schedule,
    pub(super) versions: &'a [Rounds],
    pub(super) first: u32,
    pub(super) count: u32,
    /// The target's most significant word.
    pub(super) limit: u32,
}

/// What a dispatch found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Nonces, each with the index of its version.
    Candidates(Vec<(u32, u32)>),
    /// More than fit.
    TooMany,
}

impl Found {
    /// The shader's `Candidates`.
    fn read(bytes: &[u8]) -> Found {
        let words: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(|bytes| u32::from_ne_bytes(*bytes)).collect();
        match words.as_slice() {
            [count, _, found @ ..] if *count <= CAPACITY => {
                let found = found.as_chunks::<2>().0.iter().take(*count as usize);
                Found::Candidates(found.map(|[nonce, version]| (*nonce, *version)).collect())
            }
            _ => Found::TooMany,
        }
    }
}

/// A real device.
pub(super) struct Device {
    tuning: Tuning,
    /// Workgroups in a dimension.
    widest: u32,
    gpu: wgpu::Device,
    queue: wgpu::Queue,
    /// For as many versions as an invocation takes.
    several: wgpu::ComputePipeline,
    /// For one version. Few works have any left over, so it is compiled when one does.
    single: Option<wgpu::ComputePipeline>,
    compile: Compile,
    slots: Vec<Slot>,
    /// The first error that a callback was told of.
    failure: Arc<Mutex<Option<String>>>,
}

/// Buffers for one dispatch at a time.
struct Slot {
    params: wgpu::Buffer,
    candidates: wgpu::Buffer,
    /// Where the host reads the candidates, and the times behind them.
    staging: wgpu::Buffer,
    bindings: wgpu::BindGroup,
    /// Where the device has a clock: its readings, and a buffer that takes them.
    clock: Option<(wgpu::QuerySet, wgpu::Buffer)>,
    flying: Option<wgpu::SubmissionIndex>,
}

impl Device {
    /// Opens a device and compiles its shaders.
    pub(super) fn open(
        adapter: &Adapter,
        handle: &wgpu::Adapter,
        dialect: Dialect,
        tuning: Tuning,
        slots: usize,
    ) -> Result<Device, GpuError> {
        let error = |what: String| GpuError::Device { adapter: adapter.name.clone(), what };
        if let Some(why) = &adapter.unusable {
            return Err(error(why.clone()));
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("midstate"),
            required_features: handle.features() & (wgpu::Features::PIPELINE_CACHE | wgpu::Features::TIMESTAMP_QUERY),
            required_limits: wgpu::Limits::downlevel_defaults(),
            ..wgpu::DeviceDescriptor::default()
        };
        let (gpu, queue) = pollster::block_on(handle.request_device(&descriptor)).map_err(|e| error(e.to_string()))?;

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

        let compile = Compile::new(&gpu, handle.get_info(), dialect, tuning);
        let several = compile.pipeline(&gpu, tuning.versions);
        let single = (tuning.versions == 1).then(|| several.clone());
        let widest = gpu.limits().max_compute_workgroups_per_dimension;
        let slots = (0..slots).map(|_| Slot::new(&gpu, &compile.bindings, tuning.versions)).collect();
        let device = Device { tuning, widest, gpu, queue, several, single, compile, slots, failure };
        device.check().map_err(error)?;
        Ok(device)
    }

    fn check(&self) -> Result<(), String> {
        match self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(what) => Err(what),
            None => Ok(()),
        }
    }

    /// The time between two readings of the device's clock. One that does not go forwards tells nothing; without a clock both
    /// are zero.
    fn time(&self, ticks: &[u64]) -> Option<Duration> {
        let [begin, end] = ticks else { return None };
        let ticks = end.checked_sub(*begin).filter(|ticks| *ticks > 0)?;
        Some(Duration::from_nanos((ticks as f64 * f64::from(self.queue.get_timestamp_period())) as u64))
    }

    /// Nonces of a workgroup.
    fn nonces_of_group(&self) -> u32 {
        self.tuning.workgroup * self.tuning.nonces
    }
}

impl Dispatch for Device {
    fn largest(&self) -> u64 {
        let groups = u64::from(self.widest) * u64::from(self.widest);
        // One row of workgroups less than all nonces, so that no index wraps.
        let row = u64::from(self.widest) * u64::from(self.nonces_of_group());
        (groups * u64::from(self.nonces_of_group())).min(u64::from(u32::MAX) - row)
    }

    fn submit(&mut self, slot: usize, request: &Request) {
        let groups = request.count.div_ceil(self.nonces_of_group());
        let pipeline = match request.versions {
            [_] => self.single.get_or_insert_with(|| self.compile.pipeline(&self.gpu, 1)),
            _ => &self.several,
        };
        let slot = &mut self.slots[slot];
        self.queue.write_buffer(&slot.params, 0, &request.to_bytes());
        let mut encoder = self.gpu.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: None });
        encoder.clear_buffer(&slot.candidates, 0, Some(4));
        {
            let timestamp_writes = slot.clock.as_ref().map(|(query_set, _)| wgpu::ComputePassTimestampWrites {
                query_set,
                beginning_of_pass_write_index: Some(0),
                end_of_pass_write_index: Some(1),
            });
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor { label: None, timestamp_writes });
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, &slot.bindings, &[]);
            let rows = groups.div_ceil(self.widest).max(1);
            pass.dispatch_workgroups(groups.div_ceil(rows), rows, 1);
        }
        encoder.copy_buffer_to_buffer(&slot.candidates, 0, &slot.staging, 0, CANDIDATES_SIZE);
        if let Some((set, buffer)) = &slot.clock {
            encoder.resolve_query_set(set, 0..2, buffer, 0);
            encoder.copy_buffer_to_buffer(buffer, 0, &slot.staging, CANDIDATES_SIZE, TIMES_SIZE);
        }
        slot.flying = Some(self.queue.submit([encoder.finish()]));
        // What goes wrong with the mapping shows when its range is read.
        slot.staging.slice(..).map_async(wgpu::MapMode::Read, |_| {});
    }

    fn wait(&mut self, slot: usize) -> Result<(Found, Option<Duration>), String> {
        let Some(index) = self.slots[slot].flying.take() else {
            return Err("nothing was sent in this slot".to_owned());
        };
        let poll = wgpu::PollType::Wait { submission_index: Some(index), timeout: Some(HANG) };
        let polled = self.gpu.poll(poll);
        self.check()?;
        polled.map_err(|error| error.to_string())?;
        let staging = &self.slots[slot].staging;
        let result = {
            let view = staging.slice(..).get_mapped_range().map_err(|error| error.to_string())?;
            let (candidates, times) = view.split_at(CANDIDATES_SIZE as usize);
            let ticks: Vec<u64> = times.as_chunks::<8>().0.iter().map(|bytes| u64::from_ne_bytes(*bytes)).collect();
            (Found::read(candidates), self.time(&ticks))
        };
        staging.unmap();
        Ok(result)
    }
}

impl Slot {
    fn new(gpu: &wgpu::Device, layout: &wgpu::BindGroupLayout, versions: u32) -> Slot {
        let buffer = |label, size, usage| {
            let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
            gpu.create_buffer(&descriptor)
        };
        let params_size = 4 * (VERSION_WORDS * versions as usize + REST_WORDS) as u64;
        let params = buffer("params", params_size, Usage::UNIFORM | Usage::COPY_DST);
        let candidates = buffer("candidates", CANDIDATES_SIZE, Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST);
        let staging = buffer("staging", CANDIDATES_SIZE + TIMES_SIZE, Usage::MAP_READ | Usage::COPY_DST);
        let bindings = gpu.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("sha256d"),
            layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: params.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: candidates.as_entire_binding() },
            ],
        });
        let clock = gpu.features().contains(wgpu::Features::TIMESTAMP_QUERY).then(|| {
            let set = wgpu::QuerySetDescriptor { label: Some("times"), ty: wgpu::QueryType::Timestamp, count: 2 };
            (gpu.create_query_set(&set), buffer("times", TIMES_SIZE, Usage::QUERY_RESOLVE | Usage::COPY_SRC))
        });
        Slot { params, candidates, staging, bindings, clock, flying: None }
    }
}

/// The same for all shaders, so that a slot serves each of them.
fn bind_group_layout(gpu: &wgpu::Device) -> wgpu::BindGroupLayout {
    let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    };
    gpu.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some("sha256d"),
        entries: &[
            entry(0, wgpu::BufferBindingType::Uniform),
            entry(1, wgpu::BufferBindingType::Storage { read_only: false }),
        ],
    })
}

/// What compiling takes.
struct Compile {
    adapter: wgpu::AdapterInfo,
    dialect: Dialect,
    tuning: Tuning,
    bindings: wgpu::BindGroupLayout,
    layout: wgpu::PipelineLayout,
}

impl Compile {
    fn new(gpu: &wgpu::Device, adapter: wgpu::AdapterInfo, dialect: Dialect, tuning: Tuning) -> Compile {
        let bindings = bind_group_layout(gpu);
        let layout = gpu.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("sha256d"),
            bind_group_layouts: &[Some(&bindings)],
            immediate_size: 0,
        });
        Compile { adapter, dialect, tuning, bindings, layout }
    }

    /// The shader for so many versions.
    fn pipeline(&self, gpu: &wgpu::Device, versions: u32) -> wgpu::ComputePipeline {
        let Compile { dialect, tuning: Tuning { workgroup, nonces, .. }, .. } = *self;
        let source = Form { dialect, workgroup, versions, nonces }.source();
        let descriptor =
            wgpu::ShaderModuleDescriptor { label: Some("sha256d"), source: wgpu::ShaderSource::Wgsl(source.into()) };
        // SAFETY: without its checks a shader must not index out of bounds, loop for ever or divide by zero. This one
        // indexes by constants, which naga checks at compile time, and once by `place`, below CAPACITY by the `if` around
        // it, in a buffer that has that much room; it loops a constant number of times; it divides nothing. A test of
        // `shader` sees to it that this stays so.
        let module = unsafe { gpu.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) };
        let cache = cache::Pipelines::open(gpu, &self.adapter);
        let pipeline = gpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("sha256d"),
            layout: Some(&self.layout),
            module: &module,
            entry_point: Some("search"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: cache.get(),
        });
        cache.save();
        pipeline
    }
}

impl Request<'_> {
    /// The shader's `Params`.
    fn to_bytes(&self) -> Vec<u8> {
        let version = |rounds: &Rounds| {
            let Rounds { midstate, after_round_2, round_3_a, round_3_e } = *rounds;
            midstate.into_iter().chain(after_round_2).chain([round_3_a, round_3_e, 0, 0])
        };
        let Schedule { w16, w17, w18_base, w19_base, w31_base, w32_base, .. } = *self.schedule;
        let words = [w16, w17, w18_base, w19_base, w31_base, w32_base, self.first, self.count, self.limit, 0, 0, 0];
        let words = self.versions.iter().flat_map(version).chain(words);
        words.flat_map(u32::to_ne_bytes).collect()
    }
}
