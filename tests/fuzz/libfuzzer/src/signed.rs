//! `jit_fuzz::signed` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _verified = jit_fuzz::signed(bytes);
});
