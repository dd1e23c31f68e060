//! Tests of HDF5 shards, over the files that `tests/reference/make_datasets.py` makes.

mod packed;
mod unread;

use std::fs;
use std::path::{Path, PathBuf};

use super::{H5Writer, write_h5};
use crate::dataset::shard_file::evenly_spaced;
use crate::dataset::tests::{datasets, float_input, input, open_files, problems, testdata, text};
use crate::dataset::{BadRecords, DataFormat, H5Layout, InputSpec, Record, RecordSource};
use crate::dataset::{H5Options, OpenOptions, open, open_with, random};
use crate::error::{ErrorKind, Result};
use crate::shard::sample_positions;
use crate::tensor::{DType, InputType};

/// The floats of record `record` in files with [`float_input`].
fn expected_floats(record: usize) -> [f32; 6] {
    [0, 1, 2, 3, 4, 5].map(|e| 100.0 * record as f32 + e as f32 / 4.0)
}

fn open_path(path: &Path, inputs: &[InputSpec]) -> Result<Box<dyn RecordSource>> {
    open(&[text(path)], DataFormat::H5, inputs)
}

fn read_floats(source: &mut dyn RecordSource, record: u64) -> Result<Vec<f32>> {
    let mut into = Record::for_inputs(&float_input()).unwrap();
    source.read(0, record, &mut into)?;
    Ok(into.inputs[0].as_slice::<f32>().to_vec())
}

#[test]
fn records_of_an_open_shape() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("lengths.h5");
    let file = hdf5::File::create(&path).unwrap();
    let value = file.create_group("value").unwrap();
    let lengths = [3, 1, 7, 2];
    for (i, &length) in lengths.iter().enumerate() {
        let group = value.create_group(&i.to_string()).unwrap();
        let dataset = group.new_dataset::<f32>().shape([1, length, 2]).create("0").unwrap();
        let values: Vec<f32> = (0..2 * length).map(|e| (10 * i + e) as f32).collect();
        dataset.write_raw(&values).unwrap();
    }
    file.close().unwrap();
    let open_input = |shape: &[Option<usize>]| {
        let input_type = InputType { dtype: DType::F32, shape: shape.to_vec() };
        vec![InputSpec { name: "x".to_owned(), input_type }]
    };
    let inputs = open_input(&[Some(1), None, Some(2)]);
    let mut source = open_path(&path, &inputs).unwrap();
    let mut record = Record::for_inputs(&inputs).unwrap();
    for i in [0, 2, 1, 3, 0] {
        source.read(0, i as u64, &mut record).unwrap();
        assert_eq!(record.shapes, [[1, lengths[i], 2]]);
        let expected: Vec<f32> = (0..2 * lengths[i]).map(|e| (10 * i + e) as f32).collect();
        assert_eq!(record.inputs[0].as_slice::<f32>(), expected);
    }
    let other = problems(open_path(&path, &open_input(&[None, None])), directory.path());
    assert_eq!(other.len(), lengths.len());
    assert_eq!(
        other[0],
        "lengths.h5: record 0, input 0 (\"x\"): has shape [1, 3, 2], the model expects [?, ?]"
    );
}

fn mixed_inputs() -> Vec<InputSpec> {
    vec![
        input("image", DType::F32, &[2, 3]),
        input("ids", DType::I32, &[2]),
        input("keys", DType::I64, &[3]),
        input("mask", DType::Bool, &[4]),
    ]
}

/// A copy of a test file that may be changed.
fn copy(name: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    fs::copy(testdata(name), &path).unwrap();
    (directory, path)
}

#[test]
fn records_are_read_in_any_order() {
    let mut source = open_files(&["many.h5"], &float_input()).unwrap();
    assert_eq!(source.shards()[0].identity.records, 12);
    for record in [11, 0, 3, 3, 10, 2, 1] {
        let values = read_floats(&mut *source, record).unwrap();
        assert_eq!(values, expected_floats(record as usize));
    }
}

#[test]
fn every_storage_form_gives_the_same_values_and_identity() {
    let identity = |names| {
        let mut source = open_files(names, &float_input()).unwrap();
        for record in 0..source.shards()[0].identity.records {
            let values = read_floats(&mut *source, record).unwrap();
            assert_eq!(values, expected_floats(record as usize), "{names:?}");
        }
        let info = source.shards()[0].clone();
        (info.kind, info.identity)
    };
    assert_eq!(identity(&["many.h5"]), identity(&["dense-links.h5"]));
    let (raw, signed) = (identity(&["raw.h5"]), identity(&["raw-int8.h5"]));
    assert_eq!(raw, signed);
    assert_eq!(raw.0, "h5-raw");
}

#[test]
fn all_types_in_both_byte_orders() {
    let inputs = mixed_inputs();
    let mut hashes = Vec::new();
    for name in ["types-le.h5", "types-be.h5"] {
        let mut source = open_files(&[name], &inputs).unwrap();
        let mut record = Record::for_inputs(&inputs).unwrap();
        source.read(0, 1, &mut record).unwrap();
        assert_eq!(record.inputs[0].as_slice::<f32>(), expected_floats(1));
        assert_eq!(record.inputs[1].as_slice::<i32>(), [110, 111]);
        let keys = [120_i64 << 32, 121 << 32, 122 << 32];
        assert_eq!(record.inputs[2].as_slice::<i64>(), keys);
        assert_eq!(record.inputs[3].bytes(), [1, 0, 1, 0]);
        let info = &source.shards()[0];
        assert_eq!((info.kind.as_str(), info.name.as_str()), ("h5", name));
        assert_eq!(info.byte_len, fs::metadata(testdata(name)).unwrap().len());
        assert_eq!(info.identity.inputs[2], (DType::I64, vec![3]));
        hashes.push(info.identity.hash);
    }
    assert_eq!(hashes[0], hashes[1]);
}

#[test]
fn scalars_and_compressed_chunks() {
    let scalar = [input("x", DType::F32, &[])];
    let mut source = open_files(&["scalar.h5"], &scalar).unwrap();
    let mut record = Record::for_inputs(&scalar).unwrap();
    source.read(0, 1, &mut record).unwrap();
    assert_eq!(record.inputs[0].as_slice::<f32>(), [1.5]);

    let chunked = [input("x", DType::F32, &[8, 32])];
    let mut source = open_files(&["chunked-gzip.h5"], &chunked).unwrap();
    let mut record = Record::for_inputs(&chunked).unwrap();
    source.read(0, 1, &mut record).unwrap();
    let expected: Vec<f32> = (0..256).map(|e| 100.0 + e as f32 / 4.0).collect();
    assert_eq!(record.inputs[0].as_slice::<f32>(), expected);
}

#[test]
fn raw_data_feeds_inputs_of_any_type() {
    let bytes = [input("x", DType::U8, &[4, 6])];
    let mut source = open_files(&["raw.h5"], &bytes).unwrap();
    let mut record = Record::for_inputs(&bytes).unwrap();
    source.read(0, 0, &mut record).unwrap();
    assert_eq!(record.inputs[0].as_slice::<f32>(), expected_floats(0));
}

/// File, problems of it, and whether the error says that bad records can be skipped.
type Case = (&'static str, &'static [&'static str], bool);

const UNFIT: [Case; 22] = [
    ("no-value.h5", &["has no group /value, which holds the records"], false),
    ("value-is-dataset.h5", &["/value cannot be opened as a group: not a group"], false),
    ("empty.h5", &["has no records: /value holds none"], false),
    (
        "gap.h5",
        &["the numbering of records has a gap: there is no record 2, \
               but 3 records up to record 3"],
        false,
    ),
    (
        "padded-names.h5",
        &["/value holds more than records (named 0, 1, 2, ...): \"00\", \"01\", \"02\""],
        false,
    ),
    (
        "extra-object.h5",
        &["/value mixes two layouts: \"0\" is a group, as for a record, but \"labels\" is a \
           dataset, as for an input of all records"],
        false,
    ),
    (
        "float64.h5",
        &["record 0, input 0 (\"x\"): has type FLOAT64, the model expects FLOAT32; values are \
             not cast silently: give --cast, or convert them \
               (the same in 1 more record)"],
        false,
    ),
    (
        "float16.h5",
        &["record 0, input 0 (\"x\"): has type FLOAT16, the model expects FLOAT32; values are \
             not cast silently: give --cast, or convert them \
               (the same in 1 more record)"],
        false,
    ),
    (
        "uint8.h5",
        &["record 0, input 0 (\"x\"): has type UINT8, the model expects FLOAT32; values are \
             not cast silently: give --cast, or convert them \
               (the same in 1 more record)"],
        false,
    ),
    (
        "strings.h5",
        &["record 0, input 0 (\"x\"): has the unsupported type string (len 2), the model expects \
             FLOAT32; values are not cast silently: convert the dataset"],
        false,
    ),
    (
        "long-strings.h5",
        &["record 0, input 0 (\"x\"): has the unsupported type with 13-byte elements (text, \
           compounds, ...), the model expects FLOAT32; values are not cast silently: convert the \
           dataset"],
        false,
    ),
    (
        "scalar.h5",
        &["record 0, input 0 (\"x\"): has shape [], the model expects [2, 3] \
               (the same in 1 more record)"],
        false,
    ),
    (
        "types-be.h5",
        &["record 0 has 4 inputs, the model has 1 (the same in 2 more records)"],
        false,
    ),
    (
        "raw-floats.h5",
        &["record 0, input 0 (\"x\"): has type FLOAT32, but /value has the attribute \
               rawData, which says that the data is bytes (the same in 1 more record)"],
        false,
    ),
    (
        "raw-short.h5",
        &["record 0, input 0 (\"x\"): has 23 bytes, the model expects 24 (FLOAT32 [2, 3])"],
        true,
    ),
    (
        "one-wrong-shape.h5",
        &["record 2, input 0 (\"x\"): has shape [3, 2], the model expects [2, 3]"],
        true,
    ),
    (
        "one-wrong-rank.h5",
        &["record 3, input 0 (\"x\"): has shape [6], the model expects [2, 3]"],
        true,
    ),
    (
        "one-wrong-type.h5",
        &["record 1, input 0 (\"x\"): has type INT32, the model expects FLOAT32; values are \
             not cast silently: give --cast, or convert them"],
        true,
    ),
    ("one-wrong-count.h5", &["record 1 has 2 inputs, the model has 1"], true),
    (
        "misnamed-input.h5",
        &["record 0, input 0 (\"x\"): is missing: the record has no dataset \"0\""],
        false,
    ),
    (
        "record-is-dataset.h5",
        &["/value mixes two layouts: \"0\" is a group, as for a record, but \"1\" is a dataset, \
           as for an input of all records"],
        false,
    ),
    (
        "null-space.h5",
        &["record 0, input 0 (\"x\"): has no data, the model expects FLOAT32 [2, 3]"],
        false,
    ),
];

#[test]
fn headers_that_do_not_fit_are_described() {
    for (name, expected, skippable) in UNFIT {
        let result = open_files(&[name], &float_input());
        let hint = result.as_ref().err().and_then(|e| e.hint()).map(str::to_owned);
        let place = format!("{name}: ");
        let lines = problems(result, &datasets());
        let expected: Vec<String> = expected.iter().map(|line| format!("{place}{line}")).collect();
        assert_eq!(lines, expected);
        assert_eq!(hint.is_some(), skippable, "{name}: {hint:?}");
    }
}

#[test]
fn all_problems_of_a_record_are_listed() {
    let inputs = [
        input("a", DType::F32, &[3, 2]),
        input("b", DType::I64, &[2]),
        input("c", DType::I64, &[3]),
        input("d", DType::U8, &[4]),
        input("e", DType::F32, &[1]),
    ];
    let lines = problems(open_files(&["types-le.h5"], &inputs), &datasets());
    let lines: Vec<&str> = lines.iter().map(|l| l.strip_prefix("types-le.h5: ").unwrap()).collect();
    assert_eq!(
        lines,
        [
            "record 0 has 4 inputs, the model has 5 (the same in 2 more records)",
            "record 0, input 0 (\"a\"): has shape [2, 3], the model expects [3, 2] \
             (the same in 2 more records)",
            "record 0, input 1 (\"b\"): has type INT32, the model expects INT64; values are \
             not cast silently: give --cast, or convert them \
             (the same in 2 more records)",
            "record 0, input 3 (\"d\"): the model expects UINT8, which typed files cannot hold; \
             store the bytes and set the attribute rawData on /value (the same in 2 more records)",
        ]
    );
}

#[test]
fn distinct_problems_of_a_shard_are_capped() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.h5");
    let file = hdf5::File::create(&path).unwrap();
    for record in 0..12 {
        let group = file.create_group(&format!("value/{record}")).unwrap();
        group.new_dataset::<f32>().shape(record + 7).create("0").unwrap();
    }
    drop(file);
    let lines = problems(open_path(&path, &float_input()), directory.path());
    assert_eq!(lines.len(), 9);
    assert_eq!(
        lines[7],
        "a.h5: record 7, input 0 (\"x\"): has shape [14], the model expects [2, 3]"
    );
    assert_eq!(lines[8], "a.h5: ... and 4 more");
}

#[test]
fn bad_records_may_be_left_to_reading() {
    let leave = |name: &str| {
        let data = [text(testdata(name))];
        open_with(
            &data,
            &float_input(),
            OpenOptions { bad_records: BadRecords::Leave, ..OpenOptions::default() },
        )
    };
    let mut source = leave("one-wrong-shape.h5").unwrap();
    assert_eq!(source.shards()[0].identity.records, 4);
    let error = read_floats(&mut *source, 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Record);
    let place = testdata("one-wrong-shape.h5");
    assert_eq!(
        error.to_string(),
        format!(
            "{}: record 2, input 0 (\"x\"): has shape [3, 2], the model expects [2, 3]",
            place.display()
        )
    );
    assert_eq!(read_floats(&mut *source, 3).unwrap(), expected_floats(3));
    // What was made for another model, or has structural problems, is still refused.
    assert!(leave("float64.h5").is_err());
    assert!(leave("gap.h5").is_err());
}

#[test]
fn damaged_data_is_an_error_of_its_record_only() {
    let mut source = open_files(&["bad-chunk.h5"], &float_input()).unwrap();
    let error = read_floats(&mut *source, 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Record);
    let message = "record 1, input 0 (\"x\"): cannot be read: \
                   data error detected by Fletcher32 checksum";
    assert!(error.to_string().ends_with(message), "{error}");
    assert_eq!(read_floats(&mut *source, 2).unwrap(), expected_floats(2));

    let inputs = [input("mask", DType::Bool, &[4])];
    let mut source = open_files(&["bad-bool.h5"], &inputs).unwrap();
    let mut record = Record::for_inputs(&inputs).unwrap();
    source.read(0, 0, &mut record).unwrap();
    let error = source.read(0, 1, &mut record).unwrap_err();
    let message = "record 1, input 0 (\"mask\"): holds the byte 2, but a BOOL is 0 or 1";
    assert!(error.to_string().ends_with(message), "{error}");
}

#[test]
fn records_that_were_not_checked_at_open_are_checked_when_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.h5");
    let inputs = [input("x", DType::F32, &[1])];
    write_h5(&path, H5Layout::Records, &inputs, &mut *random(&inputs, 4200, 0).unwrap()).unwrap();
    let checked: Vec<u64> = evenly_spaced(4200, 1024).collect();
    let unchecked = (0..4200).find(|record| !checked.contains(record)).unwrap();
    let file = hdf5::File::open_rw(&path).unwrap();
    let group = file.group(&format!("value/{unchecked}")).unwrap();
    group.unlink("0").unwrap();
    group.new_dataset::<f64>().shape(1).create("0").unwrap();
    drop((group, file));

    let mut source = open_path(&path, &inputs).unwrap();
    let mut record = Record::for_inputs(&inputs).unwrap();
    let error = source.read(0, unchecked, &mut record).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Record);
    assert!(error.to_string().contains("has type FLOAT64"), "{error}");
    source.read(0, unchecked + 1, &mut record).unwrap();
}

#[test]
fn checked_records_have_both_ends_and_no_doubles() {
    for (records, count) in [(0, 8), (1, 8), (2, 8), (8, 8), (9, 8), (5000, 4096), (u64::MAX, 9)] {
        let positions: Vec<u64> = evenly_spaced(records, count).collect();
        assert_eq!(positions.len() as u64, records.min(count));
        assert!(positions.windows(2).all(|pair| pair[0] < pair[1]));
        if records > 0 {
            assert_eq!((positions[0], *positions.last().unwrap()), (0, records - 1));
        }
    }
}

#[test]
fn a_grown_shard_is_recognised_by_its_old_part() {
    let (_directory, path) = copy("many.h5");
    let old = open_path(&path, &float_input()).unwrap().shards()[0].identity.clone();
    assert_eq!(old.sample, sample_positions(12));
    let append = |name: &str, value: f32| {
        let file = hdf5::File::open_rw(&path).unwrap();
        let group = file.create_group(name).unwrap();
        let dataset = group.new_dataset::<f32>().shape((2, 3)).create("0").unwrap();
        dataset.write_raw(&[value; 6]).unwrap();
    };
    append("value/12", 1.0);
    let mut grown = open_path(&path, &float_input()).unwrap();
    assert_eq!(grown.shards()[0].identity.records, 13);
    assert_ne!(grown.shards()[0].identity.hash, old.hash);
    assert_eq!(grown.hash_sample(0, &old.sample).unwrap(), old.hash);
    assert_eq!(grown.hash_sample(0, &[13]).unwrap_err().kind(), ErrorKind::Dataset);
    drop(grown);

    let file = hdf5::File::open_rw(&path).unwrap();
    file.dataset("value/11/0").unwrap().write_raw(&[0.0_f32; 6]).unwrap();
    drop(file);
    let mut changed = open_path(&path, &float_input()).unwrap();
    assert_ne!(changed.hash_sample(0, &old.sample).unwrap(), old.hash);
}

#[test]
fn a_shard_that_changes_after_open_is_an_error() {
    let (_directory, path) = copy("many.h5");
    let mut source = open_path(&path, &float_input()).unwrap();
    fs::copy(testdata("f32.h5"), &path).unwrap();
    let error = read_floats(&mut *source, 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dataset);
    let message = "has 4 records now, but had 12 when the run started";
    assert!(error.to_string().ends_with(message), "{error}");
    fs::remove_file(&path).unwrap();
    let error = read_floats(&mut *source, 0).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: does not exist", path.display()));
    assert_eq!(error.kind(), ErrorKind::Dataset);
}

#[test]
fn one_file_is_open_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    for i in 0..20 {
        fs::copy(testdata("raw.h5"), directory.path().join(format!("{i}.h5"))).unwrap();
    }
    let mut source = open_path(directory.path(), &float_input()).unwrap();
    let mut record = Record::for_inputs(&float_input()).unwrap();
    for shard in (0..20).chain([3, 17]) {
        source.read(shard, 1, &mut record).unwrap();
        assert_eq!(record.inputs[0].as_slice::<f32>(), expected_floats(1));
        let Ok(descriptors) = fs::read_dir("/proc/self/fd") else { continue };
        let open = descriptors.filter_map(|d| fs::read_link(d.ok()?.path()).ok());
        assert_eq!(open.filter(|target| target.starts_with(directory.path())).count(), 1);
    }
    assert_eq!(source.read(20, 0, &mut record).unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn a_record_of_other_sizes_is_a_defect() {
    let mut source = open_files(&["f32.h5"], &float_input()).unwrap();
    let mut other = Record::for_inputs(&[input("x", DType::F32, &[7])]).unwrap();
    assert_eq!(source.read(0, 0, &mut other).unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn written_records_are_read_back() {
    let directory = tempfile::tempdir().unwrap();
    let mut inputs = mixed_inputs();
    inputs.push(input("scale", DType::F32, &[]));
    let mut source = random(&inputs, 5, 42).unwrap();
    for (layout, kind) in [(H5Layout::Records, "h5"), (H5Layout::Packed, "h5-packed")] {
        let path = directory.path().join(kind);
        assert_eq!(write_h5(&path, layout, &inputs, &mut *source).unwrap(), 5);
        let mut read_back = open_path(&path, &inputs).unwrap();
        assert_eq!(read_back.shards()[0].identity, source.shards()[0].identity);
        assert_eq!(read_back.shards()[0].kind, kind);

        // The same records give the same bytes, and a file that exists is kept.
        let again = directory.path().join(format!("{kind}-again"));
        write_h5(&again, layout, &inputs, &mut *read_back).unwrap();
        assert_eq!(fs::read(&again).unwrap(), fs::read(&path).unwrap());
        let error = write_h5(&path, layout, &inputs, &mut *source).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(error.to_string().ends_with(" exists already"), "{error}");
    }
}

#[test]
fn types_that_typed_files_do_not_have_are_written_as_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let inputs = [input("x", DType::U8, &[24])];
    let mut source = open_files(&["raw.h5"], &inputs).unwrap();
    for (layout, kind) in [(H5Layout::Records, "h5-raw"), (H5Layout::Packed, "h5-packed-raw")] {
        let path = directory.path().join(kind);
        write_h5(&path, layout, &inputs, &mut *source).unwrap();
        let read_back = open_path(&path, &inputs).unwrap();
        assert_eq!(read_back.shards()[0].kind, kind);
        assert_eq!(read_back.shards()[0].identity, source.shards()[0].identity);
    }
}

#[test]
fn packed_files_of_unknown_length_are_cut_to_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let inputs = mixed_inputs();
    let mut source = random(&inputs, 70, 1).unwrap();
    let path = directory.path().join("a.h5");
    let options = H5Options { layout: H5Layout::Packed, ..H5Options::default() };
    let mut writer = H5Writer::create(&path, &inputs, options).unwrap();
    let mut record = Record::for_inputs(&inputs).unwrap();
    for number in 0..70 {
        source.read(0, number, &mut record).unwrap();
        writer.write(&record).unwrap();
        assert!(!path.exists());
    }
    assert_eq!(writer.finish().unwrap(), 70);
    let read_back = open_path(&path, &inputs).unwrap();
    assert_eq!(read_back.shards()[0].identity, source.shards()[0].identity);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);

    // One that is not finished leaves nothing behind.
    let options = H5Options { overwrite: true, ..options };
    drop(H5Writer::create(&path, &inputs, options).unwrap());
    assert_eq!(open_path(&path, &inputs).unwrap().shards()[0].identity.records, 70);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn shapes_may_differ_from_record_to_record_in_groups_only() {
    let directory = tempfile::tempdir().unwrap();
    let mut open = input("x", DType::F32, &[2, 3]);
    open.input_type.shape[0] = None;
    let inputs = [open];
    let path = directory.path().join("a.h5");
    let mut writer = H5Writer::create(&path, &inputs, H5Options::default()).unwrap();
    let mut record = Record::for_inputs(&inputs).unwrap();
    for rows in [2, 5, 1] {
        record.inputs[0].resize(rows * 12);
        record.shapes[0] = vec![rows, 3];
        writer.write(&record).unwrap();
    }
    writer.finish().unwrap();
    let mut read_back = open_path(&path, &inputs).unwrap();
    read_back.read(0, 1, &mut record).unwrap();
    assert_eq!((record.shapes[0].as_slice(), record.inputs[0].len()), (&[5, 3][..], 60));
    let packed = H5Options { layout: H5Layout::Packed, ..H5Options::default() };
    let error = H5Writer::create(&directory.path().join("b.h5"), &inputs, packed).err().unwrap();
    assert!(error.hint().unwrap().contains("--input-shape x="), "{error}");
}

#[test]
fn other_numbers_are_cast_if_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let numbers = [0.5, -2.0, 65504.0, 6.0, 0.1, -0.0];
    let expected = numbers.map(|x: f64| x as f32);
    let halves = numbers.map(half::f16::from_f64);
    let of_halves = halves.map(half::f16::to_f32);
    let inputs = float_input();
    for packed in [false, true] {
        let path = directory.path().join(format!("{packed}.h5"));
        let file = hdf5::File::create(&path).unwrap();
        let value = file.create_group("value").unwrap();
        let shape: &[usize] = if packed { &[2, 2, 3] } else { &[2, 3] };
        let twice = if packed { 2 } else { 1 };
        let name = |record| if packed { "0".to_owned() } else { format!("{record}/0") };
        let builder = value.new_dataset::<half::f16>().shape(shape);
        builder.create(name(0).as_str()).unwrap().write_raw(&halves.repeat(twice)).unwrap();
        if !packed {
            let builder = value.new_dataset::<f64>().shape(shape);
            builder.create("1/0").unwrap().write_raw(&numbers).unwrap();
        }
        drop(file);
        open_path(&path, &inputs).err().expect("nothing is cast silently");
        let options = OpenOptions { cast: true, ..OpenOptions::default() };
        let mut source = open_with(&[text(&path)], &inputs, options).unwrap();
        assert_eq!(read_floats(&mut *source, 0).unwrap(), of_halves);
        let second = if packed { of_halves } else { expected };
        assert_eq!(read_floats(&mut *source, 1).unwrap(), second);
    }
    // As h5py wrote it.
    let options = OpenOptions { cast: true, ..OpenOptions::default() };
    let mut source = open_with(&[text(testdata("float16.h5"))], &inputs, options).unwrap();
    assert_eq!(read_floats(&mut *source, 1).unwrap(), expected_floats(1));
}
