//! Recordings of parts of shards, and how they are put together.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::super::{MemoryStorage, OnOverlap, Reader, RecordedShard, merge};
use super::support::*;
use crate::error::ErrorKind;

/// Writes a recording without waiting for the disk.
fn write(path: &Path, ops: &[Op]) -> PathBuf {
    let storage = MemoryStorage::default();
    let mut writer = create(&storage);
    apply(&mut writer, ops).unwrap();
    writer.commit().unwrap();
    fs::write(path, storage.live()).unwrap();
    path.to_owned()
}

/// Shard and number of every observed record, in order; what was observed is checked.
fn records(reader: &Reader) -> Vec<(u8, u64)> {
    reader.check().unwrap();
    let mut records = Vec::new();
    for block in reader.blocks() {
        let block = block.unwrap();
        let name = &reader.shards()[block.shard()].info.name;
        let seed: u8 = name.trim_end_matches(".h5").parse().unwrap();
        let mut visit = |number, observations: &_| {
            assert_eq!(*observations, record(seed, number));
            records.push((seed, number));
            Ok(())
        };
        block.for_each_observed(&mut visit).unwrap();
    }
    records
}

#[test]
fn a_shard_may_begin_anywhere_and_be_there_in_pieces() {
    let storage = MemoryStorage::default();
    let mut writer = create(&storage);
    let ops = [Op::BeginAt(1, 20, 12), Op::Push(3), Op::Commit, Op::BeginAt(1, 20, 4), Op::Push(2)];
    apply(&mut writer, &ops).unwrap();
    for first in [4, 5, 6, 12, 14, 15] {
        let refused = writer.begin_shard(&shard(1, 20), first).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Recording, "{first}");
    }
    assert_eq!(writer.begin_shard(&shard(2, 20), 21).unwrap_err().kind(), ErrorKind::Internal);
    writer.commit().unwrap();
    drop(writer);

    let mut writer = resume(&storage).unwrap().unwrap();
    // It goes on until what is there.
    apply(&mut writer, &[Op::Push(6)]).unwrap();
    assert_eq!(writer.push(&record(1, 12)).unwrap_err().kind(), ErrorKind::Internal);
    apply(&mut writer, &[Op::Continue(0, 1, 20), Op::Push(5), Op::Commit]).unwrap();
    assert_eq!(writer.push(&record(1, 20)).unwrap_err().kind(), ErrorKind::Internal);
    apply(&mut writer, &[Op::BeginAt(1, 20, 0), Op::Push(4), Op::Commit]).unwrap();
    let ranges: Vec<_> = writer.shards().iter().map(|it| it.records.clone()).collect();
    assert_eq!(ranges, [12..20, 4..12, 0..4]);
    let order: Vec<u64> = records(&open(&storage).unwrap()).iter().map(|it| it.1).collect();
    let expected: Vec<u64> = (12..15).chain(4..12).chain(15..20).chain(0..4).collect();
    assert_eq!(order, expected);
}

#[test]
fn parts_merge_into_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let whole = [Op::Begin(1, 20), Op::Push(20), Op::Begin(2, 7), Op::Push(6), Op::Skip("bad")];
    let whole = Reader::open(&write(&at("whole"), &whole)).unwrap();
    let parts = [
        write(&at("0"), &[Op::Begin(1, 20), Op::Push(5)]),
        write(&at("1"), &[Op::BeginAt(1, 20, 5), Op::Push(3), Op::Commit, Op::Push(9)]),
        write(&at("2"), &[Op::BeginAt(1, 20, 17), Op::Push(3), Op::Begin(2, 7), Op::Push(1)]),
        // A part without records.
        write(&at("3"), &[]),
        write(&at("4"), &[Op::BeginAt(2, 7, 1), Op::Push(5), Op::Skip("bad")]),
    ];
    let summary = merge(&parts, &at("merged"), false, OnOverlap::Stop).unwrap();
    assert_eq!((summary.records, summary.skipped, summary.shards), (26, 1, 2));
    assert!(summary.same_names.is_empty() && summary.overlaps.is_empty());
    let merged = Reader::open(&at("merged")).unwrap();
    assert_eq!(merged.shards(), whole.shards());
    assert_eq!(records(&merged), records(&whole));
    assert_eq!(merged.skipped_records().unwrap(), whole.skipped_records().unwrap());
    assert_eq!(all_ranges(&merged), all_ranges(&whole));
    // Byte for byte, but for the preamble's random number and what it is mixed into.
    assert_eq!(merged.byte_len(), whole.byte_len());
}

#[test]
fn overlaps_are_refused_by_name_or_taken_once() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let inputs = [
        write(&at("0"), &[Op::BeginAt(1, 20, 5), Op::Push(5)]),
        write(&at("1"), &[Op::Begin(2, 4), Op::Push(4), Op::Begin(1, 20), Op::Push(20)]),
        write(&at("2"), &[Op::Begin(2, 9), Op::Push(9)]),
    ];
    let error = merge(&inputs, &at("out"), false, OnOverlap::Stop).unwrap_err();
    let message = error.to_string();
    let expected =
        format!("1.h5 of {} is 1.h5 of {} (records 5 to 9)", at("1").display(), at("0").display());
    assert!(message.ends_with(&expected), "{message}");
    assert!(error.hint().unwrap().contains("--on-overlap skip"));
    assert!(!at("out").exists());

    let summary = merge(&inputs, &at("out"), false, OnOverlap::Skip).unwrap();
    assert_eq!((summary.doubles, summary.overlaps.len()), (5, 1));
    // Another file of the same name, or one that has grown: nobody can tell.
    assert_eq!(summary.same_names, ["2.h5"]);
    let merged = Reader::open(&at("out")).unwrap();
    let piece = |seed, range: Range<u64>| range.map(move |number| (seed, number));
    let expected = piece(1, 5..10).chain(piece(2, 0..4)).chain(piece(1, 0..5));
    let expected = expected.chain(piece(1, 10..20)).chain(piece(2, 0..9));
    assert_eq!(records(&merged), expected.collect::<Vec<_>>());
    // What went on where the first recording stopped is one with it.
    let ranges: Vec<_> = merged.shards().iter().map(|it| it.records.clone()).collect();
    assert_eq!(ranges, [5..20, 0..4, 0..5, 0..9]);
}

#[test]
fn a_shard_that_grew_in_one_input_is_the_same_shard() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let short = write(&at("short"), &[Op::Begin(1, 9), Op::Push(9)]);
    let grown = write(
        &at("grown"),
        &[Op::Begin(1, 9), Op::Push(6), Op::Commit, Op::Continue(0, 1, 12), Op::Push(6)],
    );
    for (inputs, doubles) in [([&short, &grown], 9), ([&grown, &short], 9)] {
        let inputs = inputs.map(Clone::clone);
        assert!(merge(&inputs, &at("out"), true, OnOverlap::Stop).is_err());
        let summary = merge(&inputs, &at("out"), true, OnOverlap::Skip).unwrap();
        assert_eq!((summary.doubles, summary.records, summary.shards), (doubles, 12, 1));
        let merged = Reader::open(&at("out")).unwrap();
        assert_eq!(merged.shards()[0].info, shard(1, 12));
        assert_eq!(records(&merged).len(), 12);
    }
}

#[test]
fn an_input_that_changes_meanwhile_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let first = write(&at("0"), &[Op::Begin(1, 20), Op::Push(5)]);
    let second = write(&at("1"), &[Op::Begin(2, 20), Op::Push(5)]);
    let inputs = [first, second.clone()];
    let survey = merge::survey(&inputs, &|| false).unwrap();
    write(&second, &[Op::Begin(2, 20), Op::Push(6)]);
    let error = merge::join(survey, &inputs, &at("out"), false, &|| false).unwrap_err();
    assert!(error.to_string().ends_with("1 changed while it was merged"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn a_thousand_recordings() {
    let folder = tempfile::tempdir().unwrap();
    let inputs: Vec<PathBuf> = (0..1000_u64)
        .map(|part| {
            let (seed, first) = (1 + (part / 100) as u8, part % 100 * 3);
            let ops = [Op::BeginAt(seed, 300, first), Op::Push(3)];
            write(&folder.path().join(format!("{part}")), &ops)
        })
        .collect();
    let output = folder.path().join("all");
    let summary = merge(&inputs, &output, false, OnOverlap::Stop).unwrap();
    assert_eq!((summary.records, summary.shards), (3000, 10));
    let mut whole = Vec::new();
    for seed in 1..=10 {
        whole.extend([Op::Begin(seed, 300), Op::Push(300)]);
    }
    let whole = Reader::open(&write(&folder.path().join("whole"), &whole)).unwrap();
    let merged = Reader::open(&output).unwrap();
    assert_eq!(merged.shards(), whole.shards());
    assert_eq!(all_ranges(&merged), all_ranges(&whole));
}

/// Pieces of three shards: seed, first record, length.
fn pieces() -> impl Strategy<Value = Vec<Vec<(u8, u64, u64)>>> {
    let piece = (1..4_u8, 0..20_u64, 1..8_u64);
    prop::collection::vec(prop::collection::vec(piece, 0..4), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn merging_with_overlaps_takes_every_record_once_in_order(pieces in pieces()) {
        const RECORDS: u64 = 30;
        let folder = tempfile::tempdir().unwrap();
        let mut inputs = Vec::new();
        let mut expected = Vec::new();
        let mut overlaps = false;
        for (input, pieces) in pieces.iter().enumerate() {
            let storage = MemoryStorage::default();
            let mut writer = create(&storage);
            let mut own = Vec::new();
            for &(seed, first, len) in pieces {
                // A recording holds nothing twice.
                if writer.begin_shard(&shard(seed, RECORDS), first).is_err() {
                    continue;
                }
                for number in first..first + len {
                    if writer.push(&record(seed, number)).is_err() {
                        break;
                    }
                    own.push((seed, number));
                }
            }
            writer.commit().unwrap();
            let path = folder.path().join(input.to_string());
            fs::write(&path, storage.live()).unwrap();
            inputs.push(path);
            overlaps |= own.iter().any(|it| expected.contains(it));
            let new: Vec<_> = own.into_iter().filter(|it| !expected.contains(it)).collect();
            expected.extend(new);
        }
        let output = folder.path().join("out");
        let strict = merge(&inputs, &output, true, OnOverlap::Stop);
        prop_assert_eq!(strict.is_err(), overlaps);
        let summary = merge(&inputs, &output, true, OnOverlap::Skip).unwrap();
        prop_assert_eq!(summary.records, expected.len() as u64);
        let merged = Reader::open(&output).unwrap();
        prop_assert_eq!(records(&merged), expected.clone());

        let storage = MemoryStorage::default();
        let mut writer = create(&storage);
        for (seed, number) in expected {
            let info = shard(seed, RECORDS);
            let goes_on = |it: &RecordedShard| {
                it.info == info && it.records.end == number
            };
            match writer.shards().iter().position(goes_on) {
                Some(place) => writer.continue_shard(place, &info).unwrap(),
                None => drop(writer.begin_shard(&info, number).unwrap()),
            }
            writer.push(&record(seed, number)).unwrap();
        }
        writer.commit().unwrap();
        prop_assert_eq!(all_ranges(&merged), all_ranges(&open(&storage).unwrap()));
    }
}
