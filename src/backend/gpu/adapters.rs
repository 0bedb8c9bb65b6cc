//! Which adapters there are, and choosing one.

use thiserror::Error;

/// An adapter, as `midstate devices` shows it.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// Its name.
    pub name: String,
    /// The interface: vulkan, metal or dx12.
    pub api: String,
    /// Whether it is a program and no device.
    pub software: bool,
    /// The driver's name and version.
    pub driver: String,
    /// The most nonces that one dispatch can search.
    pub largest_dispatch: u64,
    /// Why it cannot be used, if it cannot.
    pub unusable: Option<String>,
}

impl Adapter {
    /// One line for people.
    pub fn details(&self) -> String {
        let kind = if self.software { "software, " } else { "" };
        format!("{kind}{}, driver {}, up to {} nonces a dispatch", self.api, self.driver, self.largest_dispatch)
    }
}

/// Why a GPU could not be opened.
#[derive(Debug, Error)]
pub enum GpuError {
    /// No driver, or no device.
    #[error("adapter: none was found; expected a Vulkan, Metal or DX12 driver")]
    None,
    /// None has that name.
    #[error("adapter: none is called {asked:?}; there are: {there}", there = .there.join(", "))]
    Unknown {
        /// What was asked for.
        asked: String,
        /// The names there are.
        there: Vec<String>,
    },
    /// The driver would not give a device.
    #[error("adapter {adapter}: {what}")]
    Device {
        /// Which.
        adapter: String,
        /// What the driver said.
        what: String,
    },
}

/// Every adapter, hardware first.
pub fn adapters() -> Vec<Adapter> {
    enumerate().iter().map(describe).collect()
}

pub(super) fn describe(adapter: &wgpu::Adapter) -> Adapter {
    let info = adapter.get_info();
    let limits = adapter.limits();
    let workgroups = u64::from(limits.max_compute_workgroups_per_dimension);
    let too_small = limits.max_compute_invocations_per_workgroup < super::shader::WORKGROUP_SIZE;
    Adapter {
        name: info.name,
        api: info.backend.to_string(),
        software: info.device_type == wgpu::DeviceType::Cpu,
        driver: [info.driver, info.driver_info].join(" ").trim().to_owned(),
        largest_dispatch: (workgroups * workgroups * u64::from(super::shader::WORKGROUP_SIZE)).min(1 << 32),
        unusable: too_small.then(|| {
            let (found, needed) = (limits.max_compute_invocations_per_workgroup, super::shader::WORKGROUP_SIZE);
            format!("it allows {found} invocations in a workgroup; {needed} are needed")
        }),
    }
}

fn enumerate() -> Vec<wgpu::Adapter> {
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let descriptor = wgpu::InstanceDescriptor { backends, ..wgpu::InstanceDescriptor::new_without_display_handle() };
    let instance = wgpu::Instance::new(descriptor);
    let mut adapters = pollster::block_on(instance.enumerate_adapters(backends));
    adapters.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu | wgpu::DeviceType::VirtualGpu => 1,
        wgpu::DeviceType::Other => 2,
        wgpu::DeviceType::Cpu => 3,
    });
    adapters
}

/// The adapter whose name contains `asked`, or whose number in [`adapters`] it is; the first if nothing is asked.
pub(super) fn choose(asked: Option<&str>) -> Result<wgpu::Adapter, GpuError> {
    let mut adapters = enumerate();
    let names: Vec<String> = adapters.iter().map(|adapter| adapter.get_info().name).collect();
    let Some(asked) = asked else {
        return adapters.into_iter().next().ok_or(GpuError::None);
    };
    let wanted = asked.to_lowercase();
    let by_name = names.iter().position(|name| name.to_lowercase().contains(&wanted));
    let by_number = || asked.parse().ok().filter(|number: &usize| *number < names.len());
    match by_name.or_else(by_number) {
        Some(index) => Ok(adapters.swap_remove(index)),
        None if names.is_empty() => Err(GpuError::None),
        None => Err(GpuError::Unknown { asked: asked.to_owned(), there: names }),
    }
}
