#![no_main]

#[path = "../src/template.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|answer: &[u8]| body::template(answer));
