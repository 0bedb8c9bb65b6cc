//! What settings are made of, and how each is read. Errors say what came and what was expected.

use crate::backend::cpu::Kernel;
use crate::backend::{GpuOptions, OpenError};
#[cfg(feature = "v2")]
use crate::upstream::{ChannelCount, Device};
#[cfg(feature = "solo")]
use crate::upstream::{MAX_TAG, NodeUrl};
use crate::upstream::{PoolUrl, UrlError};
#[cfg(feature = "solo")]
use bitcoin::{Address, address::NetworkUnchecked};
use midstate_stratum::Difficulty;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use std::fmt::{self, Display};
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;
use thiserror::Error;

/// Where a pool or a node is: `stratum+tcp://HOST:PORT` or `stratum+ssl://HOST:PORT`, `stratum2+tcp://HOST:PORT/KEY`, or
/// `http://HOST:PORT` for a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceUrl {
    /// A pool.
    Pool(PoolUrl),
    /// A node.
    #[cfg(feature = "solo")]
    Node(NodeUrl),
}

impl FromStr for SourceUrl {
    type Err = UrlError;

    fn from_str(url: &str) -> Result<SourceUrl, UrlError> {
        #[cfg(feature = "solo")]
        if url.starts_with("http://") {
            return url.parse().map(SourceUrl::Node);
        }
        url.parse().map(SourceUrl::Pool)
    }
}

impl Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SourceUrl::Pool(url) => url.fmt(f),
            #[cfg(feature = "solo")]
            SourceUrl::Node(url) => url.fmt(f),
        }
    }
}

/// How long a dispatch takes: `MS` for all GPUs, or `NAME=MS` for one; 1 to 50 milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dispatch {
    /// Of which GPU: its number, a part of its name, or its address.
    pub name: Option<String>,
    /// How long, in whole milliseconds.
    pub time: Duration,
}

/// Why a dispatch cannot take that long.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?}; expected 1 to 50 milliseconds, for all or as NAME=MS")]
pub struct DispatchError(String);

impl FromStr for Dispatch {
    type Err = DispatchError;

    fn from_str(text: &str) -> Result<Dispatch, DispatchError> {
        let (name, ms) = match text.rsplit_once('=') {
            Some((name, ms)) => (Some(name.to_owned()), ms),
            None => (None, text),
        };
        let ms = ms.parse().ok().filter(|ms| (1..=50).contains(ms));
        let time = Duration::from_millis(ms.ok_or_else(|| DispatchError(text.to_owned()))?);
        Ok(Dispatch { name, time })
    }
}

impl Display for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.time.as_millis();
        match &self.name {
            Some(name) => write!(f, "{name}={ms}"),
            None => write!(f, "{ms}"),
        }
    }
}

/// A text that says what a flag would.
pub(super) fn text<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(from: D) -> Result<Option<T>, D::Error> {
    String::deserialize(from)?.parse().map(Some).map_err(D::Error::custom)
}

/// A list of such texts.
pub(super) fn texts<'de, D: Deserializer<'de>, T: FromStr<Err: Display>>(from: D) -> Result<Option<Vec<T>>, D::Error> {
    let texts = Vec::<String>::deserialize(from)?;
    texts.iter().map(|text| text.parse()).collect::<Result<_, _>>().map(Some).map_err(D::Error::custom)
}

pub(super) fn not_empty<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() { Err(D::Error::custom("\"\"; expected a text that is not empty")) } else { Ok(Some(text)) }
}

/// A text of 255 bytes at most, as Stratum V2 has room for.
#[cfg(feature = "v2")]
pub(super) fn short<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    if text.len() <= Device::LONGEST {
        return Ok(Some(text));
    }
    Err(D::Error::custom(format!("{} bytes; expected {} at most", text.len(), Device::LONGEST)))
}

pub(super) fn difficulty<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Difficulty>, D::Error> {
    Difficulty::new(f64::deserialize(from)?).map(Some).map_err(D::Error::custom)
}

pub(super) fn kernel<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(from)?;
    if Kernel::NAMES.contains(&name.as_str()) {
        return Ok(Some(name));
    }
    Err(D::Error::custom(OpenError::UnknownKernel(name)))
}

#[cfg(feature = "solo")]
pub(super) fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Address<NetworkUnchecked>>, D::Error> {
    let text = String::deserialize(from)?;
    let wrong = |error| D::Error::custom(format!("{text:?}: {error}; expected a Bitcoin address"));
    text.parse().map(Some).map_err(wrong)
}

#[cfg(feature = "solo")]
pub(super) fn tag<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let tag = String::deserialize(from)?;
    if tag.len() <= MAX_TAG {
        return Ok(Some(tag));
    }
    Err(D::Error::custom(format!("{} bytes; expected {MAX_TAG} at most", tag.len())))
}

pub(super) fn quota<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NonZeroU32>, D::Error> {
    Ok(whole(from, 1..=u32::MAX)?.and_then(NonZeroU32::new))
}

pub(super) fn threads<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u16>, D::Error> {
    whole(from, 1..=u16::MAX)
}

#[cfg(feature = "v2")]
pub(super) fn channels<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ChannelCount>, D::Error> {
    Ok(whole(from, 1..=ChannelCount::MOST)?.and_then(ChannelCount::new))
}

pub(super) fn seed<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    // As far as TOML's whole numbers go.
    whole(from, 0..=i64::MAX.unsigned_abs())
}

pub(super) fn workgroup<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    one_of(from, GpuOptions::WORKGROUPS)
}

pub(super) fn versions<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    one_of(from, GpuOptions::VERSIONS)
}

pub(super) fn nonces<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
    one_of(from, GpuOptions::NONCES)
}

fn whole<'de, D: Deserializer<'de>, T>(from: D, range: RangeInclusive<T>) -> Result<Option<T>, D::Error>
where
    T: TryFrom<i64> + PartialOrd + Display,
{
    let number = i64::deserialize(from)?;
    let fits = T::try_from(number).ok().filter(|number| range.contains(number));
    let (start, end) = (range.start(), range.end());
    let wrong = || D::Error::custom(format!("{number}; expected a whole number from {start} to {end}"));
    fits.map(Some).ok_or_else(wrong)
}

fn one_of<'de, D: Deserializer<'de>>(from: D, numbers: &[u32]) -> Result<Option<u32>, D::Error> {
    let number = i64::deserialize(from)?;
    let fits = u32::try_from(number).ok().filter(|number| numbers.contains(number));
    let expected = || numbers.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    fits.map(Some).ok_or_else(|| D::Error::custom(format!("{number}; expected one of {}", expected())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dispatches_are_for_one_or_for_all() {
        let read = |text: &str| text.parse::<Dispatch>();
        assert_eq!(read("20").unwrap(), Dispatch { name: None, time: Duration::from_millis(20) });
        let one = Dispatch { name: Some("0000:01:00.0".to_owned()), time: Duration::from_millis(5) };
        assert_eq!(read("0000:01:00.0=5").unwrap(), one);
        for wrong in ["", "0", "51", "x", "L4=", "L4=0"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
