//! libFuzzer's way into [`fuzz::targets::ranges`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::ranges(data));
