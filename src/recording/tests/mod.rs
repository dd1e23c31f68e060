//! Behaviour of writers and readers; faults, merging and random operations are in files of their
//! own.

mod faults;
mod histograms;
mod merging;
mod model;
mod parts;
mod support;

use std::path::Path;

use super::*;
use crate::error::ErrorKind;
use crate::observation::{Observation, RecordObservations};
use crate::stats::{Accumulator, Estimator, MovingAverageSettings};
use support::*;

fn observation(min: f32, max: f32) -> Observation {
    Observation { min, max }
}

#[test]
fn a_reader_sees_what_was_committed() {
    let storage = MemoryStorage::default();
    let mut writer = create(&storage);
    apply(&mut writer, &sample_ops()).unwrap();
    let before = open(&storage).unwrap();
    assert_eq!((before.records(), before.skipped()), (12, 2));
    let commit = writer.commit().unwrap();
    assert_eq!(commit.records, 17);
    assert_eq!(commit.byte_len, storage.durable().len() as u64);

    let reader = open(&storage).unwrap();
    assert_eq!((reader.records(), reader.skipped(), reader.uncommitted()), (17, 2, 0));
    assert_eq!(reader.header(), &header());
    assert_eq!(reader.settings(), SETTINGS);
    assert_eq!(reader.shards(), writer.shards());
    let done: Vec<u64> = reader.shards().iter().map(|it| it.records.end).collect();
    assert_eq!(done, [10, 4, 5]);
    assert_eq!(reader.shards()[0].info, shard(1, 12));
    let skipped = reader.skipped_records().unwrap();
    let skipped: Vec<_> =
        skipped.iter().map(|it| (it.shard, it.record, it.reason.as_str())).collect();
    assert_eq!(skipped, [(0, 4, "all NaN"), (1, 3, "cut")]);
    let summary = reader.check().unwrap();
    assert_eq!(summary.observations, reader.observation_counts().iter().sum::<u64>());
    assert_eq!(all_ranges(&reader), writer_ranges(&mut writer));
    // The reader from before still sees what it saw.
    assert_eq!(before.records(), 12);
    before.check().unwrap();
}

#[test]
fn columns_come_with_their_records() {
    let storage = MemoryStorage::default();
    let mut writer = create(&storage);
    apply(&mut writer, &sample_ops()).unwrap();
    writer.commit().unwrap();
    let reader = open(&storage).unwrap();

    let mut expected = Vec::new();
    for block in reader.blocks() {
        let block = block.unwrap();
        block
            .for_each_observed(&mut |number, observations| {
                for tensor in 1..3 {
                    let repeated = observations.repeated.iter().find(|it| it.0 == tensor as u32);
                    let single = [observations.single[tensor]];
                    let all = repeated.map_or(single.as_slice(), |it| it.1.as_slice());
                    expected.extend(all.iter().map(|it| (tensor, block.shard(), number, *it)));
                }
                Ok(())
            })
            .unwrap();
    }
    let (mut found, mut before) = (Vec::new(), Vec::new());
    reader
        .for_each_column(1..3, &mut |records, tensor, column| {
            if tensor == 1 {
                before.push(records.before);
            }
            let mut observations = column.min.iter().zip(column.max);
            for row in 0..records.observed {
                let count = column.counts.get(row as usize).map_or(1, |&it| it as usize);
                for (&min, &max) in observations.by_ref().take(count) {
                    let number = records.record(row);
                    found.push((tensor, records.shard, number, observation(min, max)));
                }
            }
            Ok(())
        })
        .unwrap();
    // One of them has nothing but a record that was left out.
    assert_eq!(before, [0, 6, 9, 9, 12]);
    // By block and tensor rather than by block and record.
    expected.sort_by_key(|it| (it.0, it.1, it.2));
    found.sort_by_key(|it| (it.0, it.1, it.2));
    assert_eq!(found, expected);
}

#[test]
fn ranges_are_those_of_the_observations_in_order() {
    let storage = MemoryStorage::default();
    let mut writer = create(&storage);
    let mut state = Accumulator::new(TENSORS, OTHER_SETTINGS);
    writer.begin_shard(&shard(1, 100), 0).unwrap();
    for number in 0..50 {
        writer.push(&record(1, number)).unwrap();
        state.observe_record(&record(1, number));
        if number % 7 == 0 {
            writer.commit().unwrap();
        }
    }
    let ranges = writer.ranges(&Estimator::MovingAverage(OTHER_SETTINGS)).unwrap();
    let expected: Vec<_> = (0..TENSORS).map(|tensor| state.moving_average(tensor)).collect();
    assert_eq!(bits(&ranges), bits(&expected));
    assert_eq!(ranges[4], None);
    assert!(ranges[2].is_some());
}

#[test]
fn percentiles_do_not_depend_on_the_memory_budget() {
    let storage = MemoryStorage::default();
    let mut writer = create(&storage);
    writer.begin_shard(&shard(1, 100), 0).unwrap();
    for number in 0..60 {
        writer.push(&record(1, number)).unwrap();
        if number % 7 == 0 {
            writer.commit().unwrap();
        }
    }
    writer.commit().unwrap();
    let reader = open(&storage).unwrap();
    for (min, max) in [(0.0, 100.0), (1.0, 99.0), (2.5, 50.0)] {
        for estimator in [
            Estimator::Percentile { min, max },
            Estimator::TrimmedMean { trim: f64::from(min) / 10.0 },
        ] {
            let expected = bits(&reader.ranges(&estimator, usize::MAX).unwrap());
            for budget in [0, 100, 500, 1000, 2000] {
                assert_eq!(bits(&reader.ranges(&estimator, budget).unwrap()), expected, "{budget}");
            }
        }
    }
}

#[test]
fn resuming_after_every_record_changes_nothing() {
    let whole = MemoryStorage::default();
    let mut writer = create(&whole);
    writer.begin_shard(&shard(1, 40), 0).unwrap();
    let stepwise = MemoryStorage::default();
    let mut other = create(&stepwise);
    other.begin_shard(&shard(1, 40), 0).unwrap();
    other.commit().unwrap();
    for number in 0..35 {
        writer.push(&record(1, number)).unwrap();
        let mut resumed = resume(&stepwise).unwrap().unwrap();
        assert_eq!(resumed.shards()[0].records.end, number);
        assert_eq!(resumed.recovered() > 0, number > 0);
        resumed.push(&record(1, number)).unwrap();
        resumed.commit().unwrap();
        // Lost: records after the commit.
        resumed.push(&record(9, number)).unwrap();
        resumed.ranges(&ESTIMATORS[3]).unwrap();
    }
    writer.commit().unwrap();
    let (whole, stepwise) = (open(&whole).unwrap(), open(&stepwise).unwrap());
    assert_eq!(all_ranges(&whole), all_ranges(&stepwise));
    assert_eq!(stepwise.check().unwrap().blocks, 35);
    assert_eq!(whole.check().unwrap().blocks, 1);
}

#[test]
fn other_settings_are_computed_from_the_blocks() {
    let storage = MemoryStorage::default();
    let mut writer = create(&storage);
    apply(&mut writer, &sample_ops()).unwrap();
    writer.commit().unwrap();
    let expected = bits(&writer.ranges(&ESTIMATORS[1]).unwrap());
    drop(writer);
    let path = Path::new(NAME);
    let resumed = Writer::resume_in(Box::new(storage.clone()), path, &header(), OTHER_SETTINGS);
    let mut resumed = resumed.unwrap().unwrap();
    assert_eq!(bits(&resumed.ranges(&ESTIMATORS[1]).unwrap()), expected);
    assert_eq!(open(&storage).unwrap().settings(), SETTINGS);
    resumed.commit().unwrap();
    let reader = open(&storage).unwrap();
    assert_eq!(reader.settings(), OTHER_SETTINGS);
    reader.check().unwrap();
}

#[test]
fn other_models_and_tensors_are_refused() {
    let storage = MemoryStorage::default();
    drop(create(&storage));
    let refused = |header: &Header| {
        let resumed =
            Writer::resume_in(Box::new(storage.clone()), Path::new(NAME), header, SETTINGS);
        let error = resumed.err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Recording);
        error.to_string()
    };
    let mut other = header();
    other.model.hash[0] = 1;
    assert!(refused(&other).contains("another model"));
    let mut other = header();
    other.tensors[3].name = "x".to_owned();
    let message = refused(&other);
    assert!(message.contains("tensor 3 is tensor3 (0:3), not x (0:3)"), "{message}");
    let mut other = header();
    other.tensors.pop();
    assert!(refused(&other).contains("5 tensors, not 4"));
    let mut other = header();
    "another version".clone_into(&mut other.tool);
    assert!(
        Writer::resume_in(Box::new(storage.clone()), Path::new(NAME), &other, SETTINGS).is_ok()
    );
}

#[test]
fn wrong_use_is_an_error_and_changes_nothing() {
    let storage = MemoryStorage::default();
    let mut writer = create(&storage);
    let good = record(1, 0);
    assert_eq!(writer.push(&good).unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(writer.skip("x").unwrap_err().kind(), ErrorKind::Internal);
    writer.begin_shard(&shard(1, 2), 0).unwrap();
    let mut bad = vec![good.clone(), good.clone(), good.clone(), good.clone(), good.clone()];
    bad[0].single.pop();
    bad[1].single[0] = Observation::EMPTY;
    bad[2].single[0] = observation(f32::NAN, 1.0);
    bad[3].repeated.push((0, Vec::new()));
    bad[4].repeated.push((9, vec![observation(0.0, 1.0)]));
    for bad in &bad {
        assert_eq!(writer.push(bad).unwrap_err().kind(), ErrorKind::Internal, "{bad:?}");
    }
    let twice = writer.begin_shard(&shard(1, 2), 0).unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::Recording);
    assert!(writer.continue_shard(1, &shard(2, 2)).is_err());
    assert!(writer.continue_shard(0, &shard(2, 2)).is_err());
    assert!(writer.continue_shard(0, &shard(1, 1)).is_err());
    writer.push(&good).unwrap();
    writer.push(&record(1, 1)).unwrap();
    assert_eq!(writer.push(&good).unwrap_err().kind(), ErrorKind::Internal);
    writer.continue_shard(0, &shard(1, 3)).unwrap();
    // What it was before it grew is recorded as well.
    assert!(writer.begin_shard(&shard(1, 2), 0).is_err());
    writer.push(&record(1, 2)).unwrap();
    writer.commit().unwrap();
    drop(writer);
    let mut writer = resume(&storage).unwrap().unwrap();
    assert!(writer.begin_shard(&shard(1, 2), 0).is_err());
    assert!(writer.begin_shard(&shard(1, 3), 0).is_err());
    assert_eq!(open(&storage).unwrap().records(), 3);
    open(&storage).unwrap().check().unwrap();
    for settings in [(0, 0.1), (1, 1.5), (1, -0.1), (1, f32::NAN)] {
        let settings = MovingAverageSettings { batch: settings.0, constant: settings.1 };
        let storage = Box::new(MemoryStorage::default());
        let error = Writer::create_in(storage, Path::new(NAME), header(), settings).err();
        assert_eq!(error.unwrap().kind(), ErrorKind::Usage);
    }
}

#[test]
fn infinities_are_ranges_or_errors_that_name_the_tensor() {
    let storage = MemoryStorage::default();
    let mut writer = create(&storage);
    writer.begin_shard(&shard(1, 4), 0).unwrap();
    for min in [f32::NEG_INFINITY, -1.0, -1.0] {
        let mut record = record(1, 0);
        record.single[3] = observation(min, 1.0);
        writer.push(&record).unwrap();
    }
    assert_eq!(
        writer.ranges(&Estimator::MinMax).unwrap()[3],
        Some(observation(-f32::INFINITY, 1.0))
    );
    let exact = writer.ranges(&Estimator::Percentile { min: 50.0, max: 100.0 }).unwrap();
    assert_eq!(exact[3], Some(observation(-1.0, 1.0)));
    let trimmed = writer.ranges(&Estimator::TrimmedMean { trim: 0.34 }).unwrap();
    assert_eq!(trimmed[3], Some(observation(-1.0, 1.0)));
    for estimator in
        [Estimator::Percentile { min: 1.0, max: 99.0 }, Estimator::MeanStd { sigmas: 1.0 }]
    {
        let error = writer.ranges(&estimator).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Recording);
        assert!(error.to_string().contains("tensor3"), "{error}");
    }
}

#[test]
fn blocks_are_bounded_and_reasons_too() {
    let storage = MemoryStorage::default();
    let mut writer = create(&storage);
    writer.begin_shard(&shard(1, 50_000), 0).unwrap();
    let long = "\u{e9}".repeat(10_000);
    for number in 0..20_000 {
        if number % 1000 == 0 { writer.skip(&long) } else { writer.push(&record(1, number % 50)) }
            .unwrap();
    }
    // A record with a loop that does not fit into a block.
    let mut looping = record(1, 0);
    looping.single[0] = Observation::EMPTY;
    looping.repeated.insert(0, (0, vec![observation(-1.0, 1.0); 1_000_000]));
    writer.push(&looping).unwrap();
    writer.commit().unwrap();
    let reader = open(&storage).unwrap();
    let blocks: Vec<_> = reader.blocks().map(|block| block.unwrap().records()).collect();
    let starts = [0, 4687, 9375, 14_062, 18_768, 20_001];
    let expected: Vec<_> = starts.windows(2).map(|it| it[0]..it[1]).collect();
    assert_eq!(blocks, expected, "256 KiB each");
    assert!(reader.skipped_records().unwrap().iter().all(|it| it.reason.len() == 1024));
    reader.check().unwrap();
}

#[test]
fn many_shards_are_resumed_and_commits_stay_small() {
    let storage = MemoryStorage::default();
    let mut writer = create(&storage);
    let mut identity = shard(1, 1);
    let mut lens = Vec::new();
    for number in 0..10_000_u64 {
        identity.identity.hash[8..16].copy_from_slice(&number.to_le_bytes());
        writer.begin_shard(&identity, 0).unwrap();
        writer.push(&record(1, number)).unwrap();
        if number % 100 == 0 {
            let before = writer.byte_len();
            writer.commit().unwrap();
            lens.push(writer.byte_len() - before);
        }
    }
    writer.commit().unwrap();
    assert!(lens.iter().all(|&len| len < 1000), "{lens:?}");
    let resumed = resume(&storage).unwrap().unwrap();
    assert_eq!(resumed.shards(), writer.shards());
    open(&storage).unwrap().check().unwrap();
}

#[test]
fn a_model_without_observed_tensors() {
    let storage = MemoryStorage::default();
    let mut none = header();
    none.tensors.clear();
    let path = Path::new(NAME);
    let mut writer = Writer::create_in(Box::new(storage.clone()), path, none, SETTINGS).unwrap();
    writer.begin_shard(&shard(1, 4), 0).unwrap();
    writer.push(&RecordObservations::default()).unwrap();
    writer.commit().unwrap();
    let reader = open(&storage).unwrap();
    assert_eq!(reader.check().unwrap().blocks, 1);
    for estimator in &ESTIMATORS {
        assert!(reader.ranges(estimator, 0).unwrap().is_empty());
    }
}

mod files {
    use std::fs;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn one_writer_at_a_time_and_readers_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rmm");
        let mut writer = Writer::create(&path, header(), SETTINGS).unwrap();
        apply(&mut writer, &[Op::Begin(1, 9), Op::Push(2), Op::Commit, Op::Push(2)]).unwrap();
        for second in [
            Writer::resume(&path, &header(), SETTINGS),
            Writer::overwrite(&path, header(), SETTINGS),
        ] {
            let error = second.err().expect("refused");
            assert!(error.to_string().contains("in use by another process"), "{error}");
        }
        assert_eq!(Reader::open(&path).unwrap().records(), 2);
        drop(writer);
        let error = Writer::create(&path, header(), SETTINGS).err().expect("refused");
        assert!(error.to_string().contains("exists already"), "{error}");
        assert!(error.hint().unwrap().contains("--resume"));
        assert_eq!(Writer::resume(&path, &header(), SETTINGS).unwrap().records(), 2);
        let old = Reader::open(&path).unwrap();
        assert_eq!(Writer::overwrite(&path, header(), SETTINGS).unwrap().records(), 0);
        assert_eq!(old.check().unwrap().commits, 2);
        assert_eq!(names(folder.path()), ["a.rmm"]);
    }

    #[test]
    fn creations_that_did_not_finish_are_started_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rmm");
        drop(Writer::create(&path, header(), SETTINGS).unwrap());
        let bytes = fs::read(&path).unwrap();
        // Every length is tried in memory; each of these syncs several times.
        for len in [0, 7, 23, 24, 100, bytes.len() - 1] {
            fs::write(&path, &bytes[..len]).unwrap();
            assert!(Reader::open(&path).is_err());
            let mut writer = Writer::resume(&path, &header(), SETTINGS).unwrap();
            apply(&mut writer, &[Op::Begin(1, 9), Op::Push(2), Op::Commit]).unwrap();
            assert_eq!(Reader::open(&path).unwrap().records(), 2);
        }
        assert_eq!(names(folder.path()), ["a.rmm"]);
    }

    #[test]
    fn other_files_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.rmm");
        fs::write(&path, "notes").unwrap();
        let error = Writer::resume(&path, &header(), SETTINGS).err().expect("refused");
        assert!(error.to_string().contains("not a recording"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"notes");
        let missing = folder.path().join("b.rmm");
        let error = Writer::resume(&missing, &header(), SETTINGS).err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Io);
        let nowhere = folder.path().join("none/b.rmm");
        let error = Writer::create(&nowhere, header(), SETTINGS).err().expect("refused");
        assert_eq!(error.kind(), ErrorKind::Io);
    }
}
