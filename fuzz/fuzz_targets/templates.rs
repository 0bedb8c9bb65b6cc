//! A template server's frames, and its talk's state.
#![no_main]

#[path = "../src/templates.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::templates(data));
