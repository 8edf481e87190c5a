//! `jit_fuzz::text` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _allowed = jit_fuzz::text(bytes);
});
