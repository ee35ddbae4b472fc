//! libFuzzer's way into [`fuzz::targets::payload`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::payload(data));
