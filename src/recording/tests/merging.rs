use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use super::super::{OnOverlap, Reader, Writer, merge, merge_until};
use super::support::*;
use crate::error::ErrorKind;

fn write(path: &Path, ops: &[Op]) -> PathBuf {
    let mut writer = Writer::create(path, header(), SETTINGS).unwrap();
    apply(&mut writer, ops).unwrap();
    writer.commit().unwrap();
    path.to_owned()
}

/// What a reader sees, whatever its blocks are.
fn content(reader: &Reader) -> String {
    reader.check().unwrap();
    let skipped = reader.skipped_records().unwrap();
    format!("{:?} {:?} {skipped:?} {:?}", reader.header(), reader.shards(), all_ranges(reader))
}

#[test]
fn a_merge_equals_one_recording() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let first = sample_ops();
    let second = [
        Op::Begin(4, 20),
        Op::Push(5),
        Op::Commit,
        Op::Push(12),
        Op::Begin(5, 3),
        Op::Commit,
        Op::Continue(0, 4, 30),
    ];
    let third = [Op::Begin(6, 3), Op::Push(1), Op::Skip("x"), Op::Skip("y")];
    let inputs = [write(&at("1"), &first), write(&at("2"), &second), write(&at("3"), &third)];
    let mut whole = first.clone();
    let mut moved = second.to_vec();
    moved[6] = Op::Continue(3, 4, 30);
    whole.extend(moved);
    whole.extend(third);
    let whole = Reader::open(&write(&at("whole"), &whole)).unwrap();

    let summary = merge(&inputs, &at("merged"), false, OnOverlap::Stop).unwrap();
    let merged = Reader::open(&at("merged")).unwrap();
    assert_eq!(content(&merged), content(&whole));
    assert_eq!(summary.records, 35);
    assert_eq!((summary.skipped, summary.shards), (4, 6));
    assert_eq!(summary.byte_len, fs::metadata(at("merged")).unwrap().len());
    assert!(summary.same_names.is_empty());
    assert_eq!(merged.check().unwrap().commits, 2);

    // The output may be an input, and can be gone on with.
    merge(&[at("merged")], &at("merged"), true, OnOverlap::Stop).unwrap();
    assert_eq!(content(&Reader::open(&at("merged")).unwrap()), content(&whole));
    let mut writer = Writer::resume(&at("merged"), &header(), SETTINGS).unwrap();
    apply(&mut writer, &[Op::Continue(3, 4, 30), Op::Push(2), Op::Commit]).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let first = write(&at("1"), &sample_ops());
    let refused = |inputs: &[PathBuf]| {
        let error = merge(inputs, &at("out"), true, OnOverlap::Stop).unwrap_err();
        assert!(!at("out").exists());
        error
    };
    assert_eq!(refused(&[]).kind(), ErrorKind::Usage);

    let same = write(&at("2"), &[Op::Begin(3, 8), Op::Push(1)]);
    let message = refused(&[first.clone(), same]).to_string();
    assert!(message.contains("3.h5 of") && message.contains("in two recordings"), "{message}");
    // The other has the shard as it was before it grew.
    let grown = write(&at("3"), &[Op::Begin(1, 9), Op::Push(1)]);
    let message = refused(&[grown, first.clone()]).to_string();
    assert!(message.contains("1.h5 of"), "{message}");

    let mut other = header();
    other.model.byte_len = 3;
    drop(Writer::create(&at("4"), other, SETTINGS).unwrap());
    let message = refused(&[first.clone(), at("4")]).to_string();
    assert!(message.contains("another model"), "{message}");

    let mut bytes = fs::read(&first).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(at("5"), bytes).unwrap();
    assert!(refused(&[at("5")]).to_string().contains("damaged"));

    let named = write(&at("6"), &[Op::Begin(3, 7), Op::Push(1)]);
    let summary = merge(&[first.clone(), named], &at("out"), false, OnOverlap::Stop).unwrap();
    assert_eq!(summary.same_names, ["3.h5"]);
    let error = merge(&[first], &at("out"), false, OnOverlap::Stop).unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
}

#[test]
fn settings_of_the_first_input_hold() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let first = write(&at("1"), &[Op::Begin(1, 9), Op::Push(4)]);
    let mut writer = Writer::create(&at("2"), header(), OTHER_SETTINGS).unwrap();
    apply(&mut writer, &[Op::Begin(2, 9), Op::Push(4), Op::Commit]).unwrap();
    merge(&[at("2"), first], &at("out"), false, OnOverlap::Stop).unwrap();
    let merged = Reader::open(&at("out")).unwrap();
    assert_eq!(merged.settings(), OTHER_SETTINGS);
    merged.check().unwrap();
}

#[test]
fn a_merge_that_is_stopped_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let ops = |shard| [Op::Begin(shard, 4), Op::Push(2), Op::Commit, Op::Push(2), Op::Commit];
    let inputs = [write(&at("1"), &ops(1)), write(&at("2"), &ops(2))];
    let asked = Cell::new(0);
    for limit in 1.. {
        asked.set(0);
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() >= limit
        };
        let merged = merge_until(&inputs, &at("out"), false, OnOverlap::Stop, &stop).unwrap();
        if let Some(summary) = merged {
            assert_eq!(summary.records, 8);
            // After each input, twice, and before each block.
            assert!(limit > 6, "{limit}");
            break;
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "{limit}");
    }
    assert!(at("out").exists());
}
