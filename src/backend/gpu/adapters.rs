//! Which adapters there are, and choosing some.

use super::tuning::Tuning;
use thiserror::Error;

/// An adapter, as `midstate devices` shows it.
#[derive(Clone, Debug)]
pub struct Adapter {
    /// Its name; where several are called so, with where it is plugged in.
    pub name: String,
    /// The interface: vulkan, metal or dx12.
    pub api: String,
    /// Whether it is a program and no device.
    pub software: bool,
    /// The driver's name and version.
    pub driver: String,
    /// Where on the PCI bus it is, such as `0000:01:00.0`; empty where that is not known.
    pub pci: String,
    /// Why it cannot be used, if it cannot.
    pub unusable: Option<String>,
}

impl Adapter {
    /// Whether it is what somebody asks for: by its place among all, by its address on the PCI bus, by a part of its name, or as one of
    /// `all`.
    pub(super) fn is_called(&self, place: usize, asked: &str) -> bool {
        let asked = asked.to_lowercase();
        match asked.parse::<usize>() {
            Ok(number) => number == place,
            Err(_) if asked.contains(':') => self.pci.to_lowercase().ends_with(&asked),
            Err(_) => asked == "all" || !asked.is_empty() && self.name.to_lowercase().contains(&asked),
        }
    }

    /// One line for people.
    pub fn details(&self) -> String {
        let kind = if self.software { "software, " } else { "" };
        let pci = if self.pci.is_empty() { String::new() } else { format!(", at {}", self.pci) };
        let tuning = Tuning::known(self).map_or("not measured yet".to_owned(), |tuning| tuning.to_string());
        format!("{kind}{}, driver {}{pci}; {tuning}", self.api, self.driver)
    }
}

/// Why a GPU could not be opened.
#[derive(Debug, Error)]
pub enum GpuError {
    /// No driver, or no device.
    #[error("adapter: none was found; expected a Vulkan, Metal or DX12 driver")]
    None,
    /// None is called so.
    #[error("adapter: none is {asked:?}, by number, part of its name or PCI address; there are: {there}", there = .there.join(", "))]
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

/// Fewest invocations in a workgroup that an adapter has to allow.
const SMALLEST_WORKGROUP: u32 = 64;

/// Every adapter, hardware first.
pub fn adapters() -> Vec<Adapter> {
    enumerate().into_iter().map(|(adapter, _)| adapter).collect()
}

/// Every adapter with its handle, hardware first. One device that has several interfaces is there once.
fn enumerate() -> Vec<(Adapter, wgpu::Adapter)> {
    // In the order in which they are preferred.
    let interfaces = [wgpu::Backends::VULKAN, wgpu::Backends::METAL, wgpu::Backends::DX12];
    let mut handles = Vec::new();
    for backends in interfaces {
        let descriptor =
            wgpu::InstanceDescriptor { backends, ..wgpu::InstanceDescriptor::new_without_display_handle() };
        let instance = wgpu::Instance::new(descriptor);
        handles.extend(pollster::block_on(instance.enumerate_adapters(backends)));
    }
    handles.sort_by_key(|handle| match handle.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu | wgpu::DeviceType::VirtualGpu => 1,
        wgpu::DeviceType::Other => 2,
        wgpu::DeviceType::Cpu => 3,
    });
    let mut all: Vec<(Adapter, wgpu::Adapter)> = Vec::new();
    for handle in handles {
        let adapter = describe(&handle);
        let known = |(other, _): &(Adapter, _)| !adapter.pci.is_empty() && other.pci == adapter.pci;
        if !all.iter().any(known) {
            all.push((adapter, handle));
        }
    }
    let names: Vec<String> = all.iter().map(|(adapter, _)| adapter.name.clone()).collect();
    for (place, (adapter, _)) in all.iter_mut().enumerate() {
        if names.iter().filter(|name| **name == adapter.name).count() > 1 {
            let place = if adapter.pci.is_empty() { format!("number {place}") } else { adapter.pci.clone() };
            adapter.name = format!("{} at {place}", adapter.name);
        }
    }
    all
}

fn describe(handle: &wgpu::Adapter) -> Adapter {
    let info = handle.get_info();
    let largest = handle.limits().max_compute_invocations_per_workgroup;
    Adapter {
        name: info.name,
        api: info.backend.to_string(),
        software: info.device_type == wgpu::DeviceType::Cpu,
        driver: [info.driver, info.driver_info].join(" ").trim().to_owned(),
        pci: info.device_pci_bus_id,
        unusable: (largest < SMALLEST_WORKGROUP)
            .then(|| format!("it allows {largest} invocations in a workgroup; {SMALLEST_WORKGROUP} are needed")),
    }
}

/// The adapters that are asked for, as [`Adapter::is_called`] says, each with its place in [`adapters`]. If nothing is asked for, all that are hardware, or else the first that is not.
pub(super) fn choose(asked: &[String]) -> Result<Vec<(usize, Adapter, wgpu::Adapter)>, GpuError> {
    let all = enumerate();
    let described: Vec<Adapter> = all.iter().map(|(adapter, _)| adapter.clone()).collect();
    let chosen = choose_among(&described, asked)?;
    let placed = all.into_iter().enumerate().map(|(place, (adapter, handle))| (place, adapter, handle));
    Ok(placed.filter(|(place, ..)| chosen.contains(place)).collect())
}

/// The places of the adapters that are asked for.
fn choose_among(all: &[Adapter], asked: &[String]) -> Result<Vec<usize>, GpuError> {
    let places = |wanted: &dyn Fn(usize, &Adapter) -> bool| -> Vec<usize> {
        all.iter().enumerate().filter(|(place, adapter)| wanted(*place, adapter)).map(|(place, _)| place).collect()
    };
    if all.is_empty() {
        return Err(GpuError::None);
    }
    if asked.is_empty() {
        let hardware = places(&|_, adapter| !adapter.software && adapter.unusable.is_none());
        return Ok(if hardware.is_empty() { vec![0] } else { hardware });
    }
    let mut chosen = Vec::new();
    for asked in asked {
        let found = places(&|place, adapter| adapter.is_called(place, asked));
        if found.is_empty() {
            let there = all.iter().map(|adapter| adapter.name.clone()).collect();
            return Err(GpuError::Unknown { asked: asked.clone(), there });
        }
        chosen.extend(found);
    }
    chosen.sort_unstable();
    chosen.dedup();
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(name: &str, pci: &str, software: bool) -> Adapter {
        let (name, pci) = (name.to_owned(), pci.to_owned());
        Adapter { name, api: "vulkan".into(), software, driver: String::new(), pci, unusable: None }
    }

    #[test]
    fn adapters_are_chosen_by_number_name_and_address() {
        let all = [
            adapter("NVIDIA L4 at 0000:01:00.0", "0000:01:00.0", false),
            adapter("NVIDIA L4 at 0000:02:00.0", "0000:02:00.0", false),
            adapter("AMD Radeon 780M", "0000:c3:00.0", false),
            adapter("llvmpipe", "", true),
        ];
        let chosen = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|asked| (*asked).to_owned()).collect();
            choose_among(&all, &asked).map_err(|error| error.to_string())
        };
        assert_eq!(chosen(&[]), Ok(vec![0, 1, 2]));
        assert_eq!(chosen(&["all"]), Ok(vec![0, 1, 2, 3]));
        assert_eq!(chosen(&["l4"]), Ok(vec![0, 1]));
        assert_eq!(chosen(&["02:00.0"]), Ok(vec![1]));
        assert_eq!(chosen(&["3", "radeon", "3"]), Ok(vec![2, 3]));
        for unknown in ["", "9", "intel", "09:00.0"] {
            assert!(chosen(&[unknown]).unwrap_err().contains("llvmpipe"), "{unknown}");
        }
        assert_eq!(choose_among(&all[3..], &[]).unwrap(), [0]);
        assert!(matches!(choose_among(&[], &[]), Err(GpuError::None)));
    }
}
