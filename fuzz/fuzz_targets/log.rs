//! libFuzzer's way into [`fuzz::targets::log`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::log(data));
