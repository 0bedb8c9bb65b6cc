//! How much power a graphics processor draws, where its driver lets everybody read it.
//!
//! Linux has it as `power1_average` or `power1_input`, in microwatts, in the device's hwmon directory
//! (Documentation/hwmon/sysfs-interface): amdgpu and xe are such drivers, NVIDIA's is not.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// How often it is read. The drivers' own averages are over some tenths of a second.
const EVERY: Duration = Duration::from_millis(50);

/// The power of the device at this PCI address, in watts.
fn watts(devices: &Path, pci: &str) -> Option<f64> {
    let hwmon = fs::read_dir(devices.join(pci).join("hwmon")).ok()?;
    let read = |path: &Path| fs::read_to_string(path).ok()?.trim().parse::<f64>().ok();
    let of =
        |directory: &Path| ["power1_average", "power1_input"].into_iter().find_map(|name| read(&directory.join(name)));
    hwmon.flatten().find_map(|entry| of(&entry.path())).map(|microwatts| microwatts / 1e6)
}

/// Runs something, and gives beside its result the mean power of the device at this PCI address meanwhile, in watts, if it can
/// be read.
pub(super) fn while_running<R>(pci: &str, task: impl FnOnce() -> R) -> (R, Option<f64>) {
    let devices = Path::new("/sys/bus/pci/devices");
    if pci.is_empty() || watts(devices, pci).is_none() {
        return (task(), None);
    }
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut readings = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                thread::sleep(EVERY);
                readings.extend(watts(devices, pci));
            }
            (!readings.is_empty()).then(|| readings.iter().sum::<f64>() / readings.len() as f64)
        });
        let result = task();
        ended.store(true, Ordering::Relaxed);
        (result, reading.join().ok().flatten())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn power_is_read_where_it_can_be() {
        let devices = tempfile::tempdir().unwrap();
        let hwmon = devices.path().join("0000:03:00.0/hwmon/hwmon4");
        fs::create_dir_all(&hwmon).unwrap();
        assert_eq!(watts(devices.path(), "0000:03:00.0"), None);
        fs::write(hwmon.join("power1_input"), "nonsense\n").unwrap();
        assert_eq!(watts(devices.path(), "0000:03:00.0"), None);
        fs::write(hwmon.join("power1_average"), "212000000\n").unwrap();
        assert_eq!(watts(devices.path(), "0000:03:00.0"), Some(212.0));
        assert_eq!(watts(devices.path(), "0000:04:00.0"), None);
        assert_eq!(while_running("", || 7), (7, None));
    }
}
