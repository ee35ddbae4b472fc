//! libFuzzer's way into [`fuzz::targets::trace_patch`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::trace_patch(data));
