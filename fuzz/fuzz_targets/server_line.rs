#![no_main]

libfuzzer_sys::fuzz_target!(|line: &str| midstate_fuzz::server_line(line));
