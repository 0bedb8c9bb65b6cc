//! Frames of Stratum V2, and a session's state.
#![no_main]

#[path = "../src/v2.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::v2(data));
