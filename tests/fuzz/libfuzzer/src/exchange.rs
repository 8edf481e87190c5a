//! `jit_fuzz::exchange` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _taken = jit_fuzz::exchange(bytes);
});
