//! Runs [`reef_fuzz::manifest`] under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reef_fuzz::manifest(bytes));
