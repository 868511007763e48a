//! Runs [`reef_fuzz::quantity`] under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reef_fuzz::quantity(bytes));
