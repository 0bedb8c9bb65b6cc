//! Scripts for fuzz targets of Stratum V2: frames of a type, an extension, a length of two bytes and so many of payload, and other
//! things that happen, told by types that are no messages.

use binary_sv2::{GetSize, Serialize, to_bytes};
use proptest::sample::Index;

pub(crate) fn frame(kind: u8, message: impl Serialize + GetSize) -> Vec<u8> {
    let payload = to_bytes(message).unwrap();
    [&[kind, 0], &(payload.len() as u16).to_le_bytes()[..], &payload].concat()
}

/// What happens beside the frames.
pub(crate) fn act(kind: u8) -> Vec<u8> {
    vec![kind, 0, 0, 0]
}

/// The script with some frames in other places, twice, or left out, by from where, to where and which of the three.
pub(crate) fn moved(mut frames: Vec<Vec<u8>>, changes: Vec<(Index, Index, u8)>) -> Vec<u8> {
    for (from, to, what) in changes {
        let (from, to) = (from.index(frames.len()), to.index(frames.len()));
        match what {
            0 => frames.swap(from, to),
            1 => frames.insert(to, frames[from].clone()),
            _ if frames.len() > 2 => drop(frames.remove(from)),
            _ => {}
        }
    }
    frames.concat()
}
