//! Plans any bytes as a model, and runs it over made-up records.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| record_minmax_fuzz::run_model(bytes));
