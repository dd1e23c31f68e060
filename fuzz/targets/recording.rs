//! Reads any bytes as a recording, as they are and with checksums that fit them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| record_minmax_fuzz::read_recording(bytes));
