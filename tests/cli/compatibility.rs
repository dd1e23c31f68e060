//! Recordings that earlier versions wrote (`testdata/recordings`) stay readable. How the files were made is
//! said there; a format that is released never changes, so they are never made again.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Folder;

fn fixture(name: &str) -> PathBuf {
    recordings("v1").join(name)
}

/// The recordings of a format version.
fn recordings(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/recordings").join(version)
}

/// A folder with a copy of a recording.
fn folder_with(name: &str) -> Folder {
    let folder = Folder::new();
    fs::copy(fixture(name), folder.path(name)).unwrap();
    folder
}

#[test]
fn version_1_is_read() {
    for name in ["whole", "interrupted", "skipped", "pieces", "branches"] {
        let file = format!("{name}.rmm");
        let folder = folder_with(&file);
        for mode in ["moving_average --moving-avg-batch 4", "percentile", "minmax"] {
            let listing = folder.run(&format!("inspect {file} --mode {mode}")).succeeds().stdout;
            let mode = mode.split(' ').next().unwrap();
            insta::assert_snapshot!(format!("v1-{name}-{mode}"), listing);
        }
        assert_eq!(folder.read(&file), fs::read(fixture(&file)).unwrap());
    }
}

#[test]
fn version_1_is_gone_on_with() {
    let folder = folder_with("interrupted.rmm");
    let data = crate::support::sample_data();
    let line = format!("--input-model model.tflite --input-data {} --resume", data.display());
    folder
        .run(&format!("{line} --checkpoint interrupted.rmm -o a.circle --verbose"))
        .succeeds()
        .says("interrupted.rmm: dropped ")
        .says("recorded 24 records");
    folder.run(&format!("{line} -o b.circle")).succeeds();
    assert_eq!(folder.read("a.circle"), folder.read("b.circle"));
    let folder = folder_with("whole.rmm");
    fs::copy(fixture("skipped.rmm"), folder.path("skipped.rmm")).unwrap();
    folder.run("merge whole.rmm skipped.rmm -o all.rmm --on-overlap skip").succeeds();
}

#[test]
fn version_2_is_read_and_gone_on_with() {
    for name in ["histograms", "branches"] {
        let (folder, file) = (Folder::new(), format!("{name}.rmm"));
        fs::copy(recordings("v2").join(&file), folder.path(&file)).unwrap();
        for mode in ["minmax", "element_percentile", "kl --bits 6", "mse --bits 4"] {
            let listing = folder.run(&format!("inspect {file} --mode {mode}")).succeeds().stdout;
            let mode = mode.split(' ').next().unwrap();
            insta::assert_snapshot!(format!("v2-{name}-{mode}"), listing);
        }
        assert_eq!(folder.read(&file), fs::read(recordings("v2").join(&file)).unwrap());
    }
    let folder = Folder::new();
    fs::copy(recordings("v2").join("histograms.rmm"), folder.path("r.rmm")).unwrap();
    let data = crate::support::sample_data();
    let line =
        format!("--input-model model.tflite --input-data {} --histogram=256", data.display());
    let mode = "--mode mse --bits 4 --progress none";
    folder.run(&format!("{line} {mode} --checkpoint r.rmm --resume -o a.circle")).succeeds();
    folder.run(&format!("{line} {mode} -o b.circle")).succeeds();
    assert_eq!(folder.read("a.circle"), folder.read("b.circle"));
}

#[test]
fn a_newer_version_is_refused() {
    let folder = folder_with("whole.rmm");
    let mut bytes = folder.read("whole.rmm");
    bytes[8] = 3;
    let checksum = crc32fast::hash(&bytes[..20]);
    bytes[20..24].copy_from_slice(&checksum.to_le_bytes());
    fs::write(folder.path("newer.rmm"), &bytes).unwrap();
    for line in [
        "inspect newer.rmm",
        "embed --input-model model.tflite --recording newer.rmm -o out.circle",
        "merge whole.rmm newer.rmm -o all.rmm",
        "--input-model model.tflite --checkpoint newer.rmm -o out.circle --resume",
    ] {
        folder
            .run(line)
            .exits_with(1)
            .says("newer.rmm: a recording of format version 3, and this program knows versions 1 and 2")
            .says("hint: use the version of record-minmax that made it, or a newer one");
    }
    assert_eq!(folder.read("newer.rmm"), bytes);
}
