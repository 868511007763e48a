//! Runs [`reef_fuzz::qemu`] under libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reef_fuzz::qemu(bytes));
