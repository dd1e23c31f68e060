//! Records that cannot be used: all NaN, of another shape, incomplete, or damaged in the file.

use std::fs;
use std::path::Path;

use crate::support::{Folder, change_files};

const LINE: &str = "--input-model model.tflite --input-data data.h5 -o out.circle --resume";

/// Values that are nowhere else in the file.
const MARK: f32 = 12_345.678;

/// A dataset of 20 records with 4 unusable ones: 3, 8, 11, 15.
fn folder_with_bad_records() -> Folder {
    let folder = Folder::new();
    folder.make_data("data.h5", 20, 0);
    let path = folder.path("data.h5");
    change_files(|| spoil(&path));

    let mut bytes = fs::read(&path).unwrap();
    let mark = [MARK.to_le_bytes(), MARK.to_le_bytes()].concat();
    let at = bytes.windows(8).position(|it| it == mark).expect("the chunk");
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    folder
}

/// Makes the four unusable.
fn spoil(path: &Path) {
    let file = hdf5::File::open_rw(path).unwrap();
    let shape = file.dataset("value/3/0").unwrap().shape();
    let len = shape.iter().product();
    file.dataset("value/3/0").unwrap().write_raw(&vec![f32::NAN; len]).unwrap();

    let value = file.group("value").unwrap();
    value.unlink("8/0").unwrap();
    value.new_dataset::<f32>().shape([1, 2, 3]).create("8/0").unwrap();
    value.unlink("11/0").unwrap();
    value.unlink("15/0").unwrap();
    let checked = value.new_dataset::<f32>().chunk(shape.clone()).fletcher32().shape(shape);
    checked.create("15/0").unwrap().write_raw(&vec![MARK; len]).unwrap();
}

#[test]
fn unusable_records_of_every_kind_are_left_out_and_named() {
    let folder = folder_with_bad_records();
    let line = format!("{LINE} --on-bad-record skip");
    let run = folder
        .run(&line)
        .succeeds()
        .says("recorded 16 records")
        .says("left out: 4 unusable records: data.h5, record 3; data.h5, record 8; ")
        .says("data.h5, record 11; data.h5, record 15\n")
        .says("out.rmm: 16 records of 9 tensors, 4 left out (`inspect` names them)");
    let listing = folder.run("inspect out.rmm").succeeds().stdout;
    assert!(listing.contains("\nrecords left out (4)\n"), "{listing}");
    for (record, reason) in [
        (3, "has only elements that are NaN or the lowest float"),
        (8, "[1, 2, 3]"),
        (11, "has 0 inputs"),
        (15, "Fletcher32 checksum"),
    ] {
        for said in [&listing, &run.stderr] {
            let place = format!("record {record}");
            let names = |it: &&str| it.contains("data.h5") && it.contains(&place);
            let line = said.lines().filter(names).find(|it| it.contains(reason));
            assert!(line.is_some(), "{place}: {reason}: {said}");
        }
    }
    let json = folder.run("inspect out.rmm --json").succeeds().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let skipped = json["skipped"].as_array().unwrap();
    let numbers: Vec<_> = skipped.iter().map(|it| it["record"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [3, 8, 11, 15]);
    assert_eq!(skipped[0]["shard"], "data.h5");
}

#[test]
fn no_more_of_them_than_allowed() {
    let folder = folder_with_bad_records();
    let line = format!("{LINE} --on-bad-record skip --max-bad-records");
    for (most, record, kept) in [(0, 3, 3), (2, 11, 9), (2, 11, 9), (3, 15, 12)] {
        folder
            .run(&format!("{line} {most}"))
            .exits_with(1)
            .says(&format!("error: more than {most} unusable records (--max-bad-records), "))
            .says(&format!("record {record}"))
            .says("mend the dataset, or allow more")
            .says(&format!("out.rmm keeps {kept} records"));
        assert!(!folder.exists("out.circle"));
    }
    folder.run(&format!("{line} 4")).succeeds();
    folder
        .run(&format!("{LINE} --on-bad-record skip -o at-once.circle").replace("-o out.circle", ""))
        .succeeds();
    assert_eq!(folder.read("out.circle"), folder.read("at-once.circle"));
    folder.run(&format!("{LINE} --max-bad-records 1")).exits_with(2).says("--on-bad-record skip");
}
