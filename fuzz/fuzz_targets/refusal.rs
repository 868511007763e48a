//! Runs [`reef_fuzz::refusal`] under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reef_fuzz::refusal(bytes));
