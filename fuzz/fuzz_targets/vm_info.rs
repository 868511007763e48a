//! Runs [`reef_fuzz::vm_info`] under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reef_fuzz::vm_info(bytes));
