//! What the fuzz targets do, over inputs that once made them fail (`testdata/fuzz`), and over the models
//! of the conformance suite with some words changed: shapes, indices, options, axes.
#![forbid(unsafe_code)]

#[path = "../fuzz/src/lib.rs"]
mod record_minmax_fuzz;

use std::fs;
use std::path::Path;

use record_minmax_fuzz::{read_model, run_model};
use serde_json::Value;

fn testdata(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

#[test]
fn inputs_that_once_failed() {
    for entry in fs::read_dir(testdata("fuzz")).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        read_model(&bytes);
        run_model(&bytes);
    }
}

/// Models of single operators, from one file of the conformance suite.
fn models(family: &Path) -> Vec<Vec<u8>> {
    let file = hdf5::File::open(family).unwrap();
    let read = |name: &str| file.dataset(name).unwrap().read_raw::<u8>().unwrap();
    let (bytes, index) = (read("bytes"), read("index"));
    let cases: Vec<Value> = serde_json::from_slice(&index).unwrap();
    let model = |case: &Value| {
        let number = |i: usize| usize::try_from(case["model"][i].as_u64().unwrap()).unwrap();
        bytes[number(0)..][..number(1)].to_vec()
    };
    cases.iter().map(model).collect()
}

#[test]
fn changed_words_of_single_operators() {
    let words = [0_u32, 1, 2, 3, 7, 0x7fff_ffff, 0x8000_0000, u32::MAX, u32::MAX - 1, 0x0001_0000];
    for entry in fs::read_dir(testdata("conformance")).unwrap() {
        for (number, model) in models(&entry.unwrap().path()).into_iter().enumerate() {
            // Every word meets every value in some of the many models.
            for at in (number % 11..model.len() / 4).step_by(11) {
                let mut changed = model.clone();
                let word = words[(number + at) % words.len()];
                changed[at * 4..][..4].copy_from_slice(&word.to_le_bytes());
                run_model(&changed);
            }
        }
    }
}
