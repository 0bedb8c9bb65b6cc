#![no_main]

#[path = "../src/coinbase.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| body::coinbase(bytes));
