//! What the fuzz targets do, over inputs that once made them fail (`testdata/fuzz`), and over the models
//! of the conformance suite with some words changed (shapes, indices, options, axes), and over changed
//! recordings.
#![forbid(unsafe_code)]

#[path = "../fuzz/src/lib.rs"]
mod record_minmax_fuzz;
#[path = "support/families.rs"]
mod support;

use std::fs;
use std::path::Path;

use record_minmax_fuzz::{read_model, read_recording, run_model};
use support::families;

fn testdata(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

#[test]
fn inputs_that_once_failed() {
    for entry in fs::read_dir(testdata("fuzz")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        read_model(&bytes);
        run_model(&bytes);
        read_recording(&bytes);
    }
    for entry in fs::read_dir(testdata("recordings/damaged")).unwrap() {
        read_recording(&fs::read(entry.unwrap().path()).unwrap());
    }
}

/// Bytes of small recordings in turn, behind checksums that fit: read, checked and estimated from,
/// or refused, and gone on with.
#[test]
fn changed_bytes_of_recordings() {
    let v1 = ["whole", "interrupted", "skipped", "pieces", "branches"].map(|it| ("v1", it));
    let v2 = ["histograms", "branches"].map(|it| ("v2", it));
    for (version, name) in v1.into_iter().chain(v2) {
        let bytes = fs::read(testdata(&format!("recordings/{version}/{name}.rmm"))).unwrap();
        read_recording(&bytes);
        for at in (0..bytes.len()).step_by(bytes.len() / 40 + 1) {
            let mut changed = bytes.clone();
            changed[at] ^= [1, 0x80, 0xff][at % 3];
            read_recording(&changed);
        }
    }
}

#[test]
fn changed_words_of_single_operators() {
    let words = [0_u32, 1, 2, 3, 7, 0x7fff_ffff, 0x8000_0000, u32::MAX, u32::MAX - 1, 0x0001_0000];
    for family in families() {
        for (number, case) in family.cases.iter().enumerate() {
            let model = family.at(&case["model"]);
            // Every word meets every value in some of the many models.
            for at in (number % 11..model.len() / 4).step_by(11) {
                let mut changed = model.to_vec();
                let word = words[(number + at) % words.len()];
                changed[at * 4..][..4].copy_from_slice(&word.to_le_bytes());
                run_model(&changed);
            }
        }
    }
}
