//! What miners of Stratum V2 say to the pool.
#![no_main]

#[path = "../src/v2_client.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::v2_client(data));
