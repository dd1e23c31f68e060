//! Reads any bytes as a model, and lists it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| record_minmax_fuzz::read_model(bytes));
