//! Runs [`reef_fuzz::qmp`] under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reef_fuzz::qmp(bytes));
