//! `jit_fuzz::request` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _read = jit_fuzz::request(bytes);
});
