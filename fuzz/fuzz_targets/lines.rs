#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| midstate_fuzz::lines(data));
