//! `jit_fuzz::story` under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _allowed = jit_fuzz::story(bytes);
});
