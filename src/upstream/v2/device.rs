//! What a pool is told that its miner is.

/// A device, as `SetupConnection` has it (specification, 3.6.1). Each text has [`Device::LONGEST`] bytes at most, and may be empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Who made it.
    pub vendor: String,
    /// What it is.
    pub hardware: String,
    /// What runs on it.
    pub firmware: String,
    /// Which of its kind it is. Empty, as the specification has it, for those who do not wish to be counted.
    pub id: String,
}

impl Device {
    /// So many bytes a text may have.
    pub const LONGEST: usize = 255;
}

impl Default for Device {
    fn default() -> Device {
        Device {
            vendor: "midstate".to_owned(),
            hardware: String::new(),
            firmware: env!("CARGO_PKG_VERSION").to_owned(),
            id: String::new(),
        }
    }
}
