//! Element histograms: what is in a recording, and what becomes of it when recordings are joined.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::{Header, MemoryStorage, OnOverlap, Reader, Writer, merge};
use super::support::*;
use crate::error::ErrorKind;
use crate::histogram::{BinLimit, Histogram};
use crate::observation::RecordObservations;
use crate::stats::Estimator;

/// Writes a recording without waiting for the disk.
fn write(path: &Path, header: Header, ops: &[Op]) -> PathBuf {
    let storage = MemoryStorage::default();
    let mut writer = create_with(&storage, header);
    apply(&mut writer, ops).unwrap();
    writer.commit().unwrap();
    fs::write(path, storage.live()).unwrap();
    path.to_owned()
}

fn counted(reader: &Reader) -> Vec<Histogram> {
    reader.check().unwrap();
    reader.histograms(0..TENSORS).unwrap().expect("there are histograms")
}

#[test]
fn only_recordings_with_histograms_have_another_version() {
    for (header, version) in headers().into_iter().zip([1, 2]) {
        let storage = MemoryStorage::default();
        drop(create_with(&storage, header.clone()));
        assert_eq!(storage.live()[8], version);
        assert_eq!(*open(&storage).unwrap().header(), header);
    }
}

#[test]
fn every_element_is_in_one_bin_however_records_are_committed() {
    let ops = sample_ops();
    let mut expected = None;
    for commits in 1..8 {
        let storage = MemoryStorage::default();
        let mut writer = create_with(&storage, counting_header());
        for (i, op) in ops.iter().filter(|op| !matches!(op, Op::Commit)).enumerate() {
            apply(&mut writer, std::slice::from_ref(op)).unwrap();
            if i % commits == 0 {
                writer.commit().unwrap();
                drop(writer);
                writer = resume(&storage).unwrap().unwrap();
            }
        }
        writer.commit().unwrap();
        let reader = open(&storage).unwrap();
        let found = (counted(&reader), all_ranges(&reader));
        assert_eq!(&found, expected.get_or_insert_with(|| found.clone()), "{commits}");
        // Nine elements for each observation.
        let observations = reader.observation_counts();
        let elements: Vec<u64> = found.0.iter().map(|it| it.finite() / 9).collect();
        assert_eq!(elements, observations);
        // Tensor by tensor is the same.
        for tensor in 0..TENSORS {
            let alone = reader.histograms(tensor..tensor + 1).unwrap().unwrap();
            assert_eq!(alone, found.0[tensor..=tensor]);
        }
        // Of some tensors at a time, as where memory is short.
        let estimator = Estimator::OfElements(ELEMENT_ESTIMATORS[0]);
        let small = bits(&reader.ranges(&estimator, 2 * 256 * 8).unwrap());
        assert_eq!(small, found.1[ESTIMATORS.len()]);
    }
}

#[test]
fn a_record_without_its_elements_is_refused() {
    let storage = MemoryStorage::default();
    let mut writer = create_with(&storage, counting_header());
    writer.begin_shard(&shard(1, 9), 0).unwrap();
    let error = writer.push(&record(1, 0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    // Behind the writer's back: the records of a commit must all be counted.
    push(&mut writer, 1, 0).unwrap();
    writer.commit().unwrap();
    writer.push_uncounted(&record(1, 1)).unwrap();
    writer.commit().unwrap();
    let error = open(&storage).unwrap().check().unwrap_err();
    assert!(error.to_string().contains("are in no histogram"), "{error}");
}

#[test]
fn without_histograms_there_are_no_ranges_of_elements() {
    let storage = MemoryStorage::default();
    let mut writer = create(&storage);
    apply(&mut writer, &sample_ops()).unwrap();
    writer.commit().unwrap();
    let reader = open(&storage).unwrap();
    assert_eq!(reader.histograms(0..TENSORS).unwrap(), None);
    for estimator in ELEMENT_ESTIMATORS.map(Estimator::OfElements) {
        for error in [reader.ranges(&estimator, 0), writer.ranges(&estimator)] {
            let error = error.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Recording);
            assert!(error.to_string().contains("which were not counted"), "{error}");
            assert_eq!(error.hint(), Some("record again with --histogram"));
        }
    }
    // Histograms of records are left alone.
    writer.continue_shard(2, &shard(3, 8)).unwrap();
    writer
        .push(&RecordObservations { histograms: vec![Histogram::default()], ..record(3, 5) })
        .unwrap();
}

#[test]
fn other_bins_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let wide = Header { histograms: Some(BinLimit::default()), ..header() };
    let (ops, other) = ([Op::Begin(1, 9), Op::Push(4)], [Op::Begin(2, 9), Op::Push(4)]);
    let first = write(&at("1"), counting_header(), &ops);
    for (i, header) in [header(), wide].into_iter().enumerate() {
        let error = Writer::resume(&first, &header, SETTINGS).err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Recording);
        assert!(error.to_string().contains("made with --histogram=256, not with"), "{error}");
        assert!(error.hint().unwrap().contains("go on with --histogram=256"), "{error:?}");
        let second = write(&at(&format!("other{i}")), header, &other);
        for inputs in [[first.clone(), second.clone()], [second, first.clone()]] {
            let error = merge(&inputs, &at("out"), true, OnOverlap::Stop).unwrap_err();
            assert!(error.to_string().contains("--histogram"), "{error}");
            assert!(!at("out").exists());
        }
    }
}

#[test]
fn merging_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let write = |name: &str, ops: &[Op]| write(&at(name), counting_header(), ops);
    let whole = [Op::Begin(1, 20), Op::Push(20), Op::Begin(2, 7), Op::Push(6), Op::Skip("bad")];
    let whole = Reader::open(&write("whole", &whole)).unwrap();
    let parts = [
        write("0", &[Op::Begin(1, 20), Op::Push(5)]),
        write("1", &[Op::BeginAt(1, 20, 5), Op::Push(3), Op::Commit, Op::Push(9)]),
        write("2", &[Op::BeginAt(1, 20, 17), Op::Push(3), Op::Begin(2, 7), Op::Push(1)]),
        write("3", &[]),
        write("4", &[Op::BeginAt(2, 7, 1), Op::Push(5), Op::Commit, Op::Skip("bad")]),
    ];
    merge(&parts, &at("merged"), false, OnOverlap::Stop).unwrap();
    let merged = Reader::open(&at("merged")).unwrap();
    assert_eq!(counted(&merged), counted(&whole));
    assert_eq!(all_ranges(&merged), all_ranges(&whole));
    // Byte for byte, but for the preamble's random number and what it is mixed into.
    assert_eq!(merged.byte_len(), whole.byte_len());
    // In another order there are other shards, and the same elements.
    let mut turned = parts.clone();
    turned.reverse();
    merge(&turned, &at("turned"), false, OnOverlap::Stop).unwrap();
    assert_eq!(counted(&Reader::open(&at("turned")).unwrap()), counted(&whole));
}

#[test]
fn what_was_counted_together_is_left_out_together() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let write = |name: &str, ops: &[Op]| write(&at(name), counting_header(), ops);
    let first = write("1", &[Op::Begin(1, 20), Op::Push(8)]);
    // The first eight records of shard 1 were counted by themselves.
    let apart =
        [Op::Begin(2, 4), Op::Push(4), Op::Begin(1, 20), Op::Push(8), Op::Commit, Op::Push(12)];
    let apart = write("2", &apart);
    let summary = merge(&[first.clone(), apart], &at("out"), false, OnOverlap::Skip).unwrap();
    assert_eq!((summary.doubles, summary.records), (8, 24));
    let whole = [
        Op::Begin(1, 20),
        Op::Push(8),
        Op::Begin(2, 4),
        Op::Push(4),
        Op::Continue(0, 1, 20),
        Op::Push(12),
    ];
    let whole = Reader::open(&write("whole", &whole)).unwrap();
    assert_eq!(counted(&Reader::open(&at("out")).unwrap()), counted(&whole));
    // Here they were not.
    let together = write("3", &[Op::Begin(1, 20), Op::Push(12), Op::Commit, Op::Push(8)]);
    let error =
        merge(&[first.clone(), together.clone()], &at("not"), false, OnOverlap::Skip).unwrap_err();
    let message = error.to_string();
    assert!(
        message.contains("3: elements of records 0 to 11 of 1.h5 were counted together"),
        "{message}"
    );
    assert!(error.hint().unwrap().contains("give this recording first"));
    assert!(!at("not").exists());
    merge(&[together, first], &at("not"), false, OnOverlap::Skip).unwrap();
}
