//! libFuzzer's way into [`fuzz::targets::trace_patch`].
#![no_main]
#![expect(unsafe_code, reason = "libFuzzer calls an unmangled function")]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::trace_patch(data));
