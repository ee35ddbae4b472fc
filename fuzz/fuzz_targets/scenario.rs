//! libFuzzer's way into [`fuzz::targets::scenario`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::scenario(data));
