//! libFuzzer's way into [`fuzz::targets::log`].
#![no_main]
#![expect(unsafe_code, reason = "libFuzzer calls an unmangled function")]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::targets::log(data));
