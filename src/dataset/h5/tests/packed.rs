//! Tests of the packed layout.

use super::super::direct::Direct;
use super::super::element::Element;
use super::super::staging::{BLOCK_BYTES, BlockPlan};
use super::*;

/// A typed file with one FLOAT32 input `x`; every element of a record is its number.
fn write_numbers(
    path: &Path,
    records: usize,
    shape: &[usize],
    chunk: Option<&[usize]>,
) -> Vec<InputSpec> {
    let file = hdf5::File::create(path).unwrap();
    let value = file.create_group("value").unwrap();
    let packed: Vec<usize> = [&[records], shape].concat();
    let builder = value.new_dataset::<f32>().shape(packed);
    let dataset = match chunk {
        Some(chunk) => builder.chunk(chunk).deflate(1).create("0").unwrap(),
        None => builder.create("0").unwrap(),
    };
    let elements: usize = shape.iter().product();
    let values: Vec<f32> = (0..records * elements).map(|i| (i / elements) as f32).collect();
    dataset.write_raw(&values).unwrap();
    vec![input("x", DType::F32, shape)]
}

/// Reads records of [`write_numbers`] in the given order.
fn check_numbers(path: &Path, inputs: &[InputSpec], order: impl Iterator<Item = u64>) {
    let mut source = open_path(path, inputs).unwrap();
    let mut record = Record::for_inputs(inputs).unwrap();
    for position in order {
        source.read(0, position, &mut record).unwrap();
        let values = record.inputs[0].as_slice::<f32>();
        assert!(values.iter().all(|&v| v == position as f32), "record {position}: {values:?}");
    }
}

#[test]
fn packed_records_are_those_of_the_other_layout() {
    let inputs = mixed_inputs();
    let mut expected = open_files(&["types-le.h5"], &inputs).unwrap();
    for name in ["packed-le.h5", "packed-be.h5", "packed-names.h5"] {
        let mut source = open_files(&[name], &inputs).unwrap();
        let info = &source.shards()[0];
        assert_eq!((info.kind.as_str(), info.name.as_str()), ("h5-packed", name));
        assert_eq!(info.identity, expected.shards()[0].identity);
        for position in [0, 1, 2, 0] {
            let mut records = [&mut *source, &mut *expected].map(|source| {
                let mut record = Record::for_inputs(&inputs).unwrap();
                source.read(0, position, &mut record).unwrap();
                record.inputs.iter().map(|input| input.bytes().to_vec()).collect::<Vec<_>>()
            });
            let expected = std::mem::take(&mut records[1]);
            assert_eq!(records[0], expected, "{name}: record {position}");
        }
    }
}

#[test]
fn packed_scalars_and_raw_data() {
    let scalar = [input("x", DType::F32, &[])];
    let mut source = open_files(&["packed-scalar.h5"], &scalar).unwrap();
    let mut record = Record::for_inputs(&scalar).unwrap();
    source.read(0, 1, &mut record).unwrap();
    assert_eq!(record.inputs[0].as_slice::<f32>(), [1.5]);

    let raw = open_files(&["raw.h5"], &float_input()).unwrap().shards()[0].identity.clone();
    for name in ["packed-raw.h5", "packed-raw-int8.h5"] {
        let mut source = open_files(&[name], &float_input()).unwrap();
        assert_eq!(source.shards()[0].kind, "h5-packed-raw");
        assert_eq!(source.shards()[0].identity, raw);
        assert_eq!(read_floats(&mut *source, 1).unwrap(), expected_floats(1));
    }
    // Raw data feeds inputs of any type.
    let bytes = [input("x", DType::U8, &[4, 6])];
    assert_eq!(open_files(&["packed-raw.h5"], &bytes).unwrap().shards()[0].identity.records, 2);
}

#[test]
fn compressed_chunks_across_records() {
    let inputs = [input("x", DType::F32, &[8, 32])];
    let mut source = open_files(&["packed-gzip.h5"], &inputs).unwrap();
    let mut record = Record::for_inputs(&inputs).unwrap();
    for position in (0..10).chain([9, 0, 5, 3, 4]) {
        source.read(0, position, &mut record).unwrap();
        let first = 100.0 * position as f32;
        let expected: Vec<f32> = (0..256).map(|e| first + e as f32 / 4.0).collect();
        assert_eq!(record.inputs[0].as_slice::<f32>(), expected, "record {position}");
    }
}

#[test]
fn a_batch_of_one_may_be_left_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.h5");
    let batched = [input("x", DType::F32, &[1, 2, 3])];
    for shape in [&[2, 3][..], &[1, 2, 3]] {
        write_numbers(&path, 4, shape, None);
        check_numbers(&path, &batched, 0..4);
    }
    let lone = [input("x", DType::F32, &[1])];
    for shape in [&[][..], &[1]] {
        write_numbers(&path, 4, shape, None);
        check_numbers(&path, &lone, 0..4);
    }
    // A batch of another size is part of the record.
    let lines = problems(open_path(&path, &[input("x", DType::F32, &[2, 3])]), directory.path());
    assert_eq!(
        lines,
        ["a.h5: input 0 (\"x\"): has shape [4, 1], the model expects [N, 2, 3], where N is the \
          number of records"]
    );
}

#[test]
fn blocks_of_records() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.h5");
    // Blocks grow to more than a thousand records, of which the number is no multiple.
    let inputs = write_numbers(&path, 5001, &[64], None);
    check_numbers(&path, &inputs, 0..5001);
    check_numbers(&path, &inputs, 4321..5001);
    check_numbers(&path, &inputs, (0..5001).rev().step_by(97));
    // So do those of whole rows of chunks.
    let inputs = write_numbers(&path, 5001, &[8, 8], Some(&[7, 3, 8]));
    check_numbers(&path, &inputs, 0..5001);
    check_numbers(&path, &inputs, 4999..5001);
    check_numbers(&path, &inputs, (0..5001).rev().step_by(97));
    // A record that is larger than a block.
    let large = [BLOCK_BYTES / 4 + 1000];
    let inputs = write_numbers(&path, 3, &large, None);
    check_numbers(&path, &inputs, [0, 1, 2, 0, 2].into_iter());
    let inputs = write_numbers(&path, 3, &large, Some(&[2, 100_000]));
    check_numbers(&path, &inputs, [0, 1, 2, 0, 2].into_iter());
}

#[test]
fn blocks_hold_whole_rows_of_chunks_within_bounds() {
    let plan = |shape: &[usize], chunk: Option<&[usize]>| {
        let BlockPlan { row, most } = BlockPlan::new(shape, 4, chunk, 1 << 20);
        (row, most)
    };
    assert_eq!(plan(&[100_000, 256], None), (1, 1024));
    assert_eq!(plan(&[100, 600_000], None), (1, 1));
    assert_eq!(plan(&[100_000], None), (1, 1 << 18));
    assert_eq!(plan(&[100_000, 256], Some(&[100, 256])), (100, 1000));
    // A row that is larger than a block is read whole, up to a limit.
    assert_eq!(plan(&[1000, 224, 224, 3], Some(&[63, 14, 28, 1])), (63, 63));
    assert_eq!(plan(&[1000, 224, 224, 3], Some(&[1000, 14, 28, 1])), (111, 111));
    // Small chunks: not too many at once.
    assert_eq!(plan(&[100_000], Some(&[1])), (1, 1024));
    assert_eq!(plan(&[100_000, 256], Some(&[1, 1])), (1, 4));
    // Numbers from a damaged file.
    assert_eq!(plan(&[usize::MAX, usize::MAX, usize::MAX], Some(&[usize::MAX, 0, 1])), (1, 1));
    assert_eq!(plan(&[], Some(&[])), (1, 1 << 18));
}

/// Files and what is wrong with them for a model with the inputs of `inputs_of`.
const UNFIT: [(&str, &[&str]); 7] = [
    (
        "packed-mixed.h5",
        &[
            "/value mixes two layouts: \"1\" is a group, as for a record, but \"0\" is a dataset, as \
           for an input of all records",
        ],
    ),
    ("packed-none.h5", &["has no records: the first dimension of its datasets is 0"]),
    ("packed-stray.h5", &["/value holds more than the model's 1 input: \"labels\""]),
    (
        "packed-names.h5",
        &[
            "/value holds more than the model's 1 input: \"ids\", \"image\", \"keys\" and 1 more",
            "input 0 (\"x\"): is missing: /value has neither a dataset \"0\" nor \"x\"",
        ],
    ),
    ("packed-le.h5", &["/value holds more than the model's 1 input: \"1\", \"2\", \"3\""]),
    (
        "packed-gzip.h5",
        &["input 0 (\"x\"): has shape [10, 8, 32], the model expects [N, 2, 3], where N is the \
           number of records"],
    ),
    (
        "packed-scalar.h5",
        &["input 0 (\"x\"): has shape [2], the model expects [N, 2, 3], where N is the number of \
           records"],
    ),
];

#[test]
fn packed_headers_that_do_not_fit_are_described() {
    for (name, expected) in UNFIT {
        let lines = problems(open_files(&[name], &float_input()), &datasets());
        let expected: Vec<String> = expected.iter().map(|line| format!("{name}: {line}")).collect();
        assert_eq!(lines, expected);
        // Nothing of this is the fault of single records.
        let data = [text(testdata(name))];
        assert!(
            open_with(
                &data,
                &float_input(),
                OpenOptions {
                    format: DataFormat::Auto,
                    bad_records: BadRecords::Leave,
                    cast: false
                }
            )
            .is_err()
        );
    }
    let longer = [input("x", DType::F32, &[7])];
    let lines = problems(open_files(&["packed-raw.h5"], &longer), &datasets());
    assert_eq!(
        lines,
        ["packed-raw.h5: input 0 (\"x\"): has 24 bytes a record, the model expects 28 \
          (FLOAT32 [7])"]
    );
}

#[test]
fn all_problems_of_a_packed_file_are_listed() {
    let inputs = [
        input("a", DType::F32, &[1, 3, 2]),
        input("b", DType::I64, &[2]),
        input("c", DType::I64, &[3]),
        input("d", DType::U8, &[4]),
        input("e", DType::F32, &[1]),
    ];
    let lines = problems(open_files(&["packed-le.h5"], &inputs), &datasets());
    let lines: Vec<&str> =
        lines.iter().map(|l| l.strip_prefix("packed-le.h5: ").unwrap()).collect();
    assert_eq!(
        lines,
        [
            "input 0 (\"a\"): has shape [3, 2, 3], the model expects [N, 3, 2] or [N, 1, 3, 2], \
             where N is the number of records",
            "input 1 (\"b\"): has type INT32, the model expects INT64; values are \
             not cast silently: give --cast, or convert them",
            "input 3 (\"d\"): the model expects UINT8, which typed files cannot hold; store the \
             bytes and set the attribute rawData on /value",
            "input 4 (\"e\"): is missing: /value has no dataset \"4\"",
        ]
    );
}

#[test]
fn inputs_have_equally_many_records() {
    let inputs = ["a", "b", "c"].map(|name| input(name, DType::F32, &[2, 3]));
    let lines = problems(open_files(&["packed-counts.h5"], &inputs), &datasets());
    assert_eq!(
        lines,
        [
            "packed-counts.h5: input 1 (\"b\") has 2 records, but input 0 (\"a\") has 3",
            "packed-counts.h5: input 2 (\"c\") has 1 record, but input 0 (\"a\") has 3",
        ]
    );
}

#[test]
fn names_that_are_paths_find_nothing() {
    let inputs = ["mask/x", ".", ""].map(|name| input(name, DType::Bool, &[4]));
    let lines = problems(open_files(&["packed-names.h5"], &inputs), &datasets());
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[3].ends_with("/value has neither a dataset \"2\" nor \"\""), "{lines:?}");
    // Two inputs of one name cannot be told apart.
    let inputs = ["mask", "mask"].map(|name| input(name, DType::Bool, &[4]));
    assert!(open_files(&["packed-names.h5"], &inputs).is_err());
}

#[test]
fn damaged_chunks_are_errors_of_their_records_only() {
    let mut source = open_files(&["packed-bad-chunk.h5"], &float_input()).unwrap();
    for record in (0..8).chain([5, 6, 3, 4, 7]) {
        let result = read_floats(&mut *source, record);
        if matches!(record, 4 | 5) {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Record);
            let message = format!(
                "record {record}, input 0 (\"x\"): cannot be read: data error detected by \
                 Fletcher32 checksum"
            );
            assert!(error.to_string().ends_with(&message), "{error}");
        } else {
            assert_eq!(result.unwrap(), expected_floats(record as usize));
        }
    }
}

#[test]
fn a_bool_that_is_none_is_an_error_of_its_record_only() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.h5");
    let file = hdf5::File::create(&path).unwrap();
    let value = file.create_group("value").unwrap();
    value.new_attr::<u8>().create("rawData").unwrap();
    let bytes = [[0_u8, 1], [1, 3], [1, 0]];
    let dataset = value.new_dataset::<u8>().shape((3, 2)).create("0").unwrap();
    dataset.write_raw(bytes.as_flattened()).unwrap();
    drop((dataset, value, file));
    let inputs = [input("mask", DType::Bool, &[2])];
    let mut source = open_path(&path, &inputs).unwrap();
    let mut record = Record::for_inputs(&inputs).unwrap();
    source.read(0, 0, &mut record).unwrap();
    let error = source.read(0, 1, &mut record).unwrap_err();
    let message = "record 1, input 0 (\"mask\"): holds the byte 3, but a BOOL is 0 or 1";
    assert!(error.to_string().ends_with(message), "{error}");
    source.read(0, 2, &mut record).unwrap();
    assert_eq!(record.inputs[0].bytes(), [1, 0]);
}

#[test]
fn a_packed_shard_that_has_grown_is_recognised_by_its_old_part() {
    let (_directory, path) = copy("packed-gzip.h5");
    let inputs = [input("x", DType::F32, &[8, 32])];
    let old = open_path(&path, &inputs).unwrap().shards()[0].identity.clone();
    assert_eq!(old.sample, sample_positions(10));
    let file = hdf5::File::open_rw(&path).unwrap();
    file.dataset("value/0").unwrap().resize((13, 8, 32)).unwrap();
    drop(file);
    let mut grown = open_path(&path, &inputs).unwrap();
    assert_eq!(grown.shards()[0].identity.records, 13);
    assert_ne!(grown.shards()[0].identity.hash, old.hash);
    assert_eq!(grown.hash_sample(0, &old.sample).unwrap(), old.hash);
    assert_eq!(grown.hash_sample(0, &[13]).unwrap_err().kind(), ErrorKind::Dataset);
}

#[test]
fn a_packed_shard_that_changes_after_open_is_an_error() {
    let (_directory, path) = copy("packed-gzip.h5");
    let inputs = [input("x", DType::F32, &[8, 32])];
    let mut source = open_path(&path, &inputs).unwrap();
    let mut record = Record::for_inputs(&inputs).unwrap();
    fs::copy(testdata("packed-names.h5"), &path).unwrap();
    let error = source.read(0, 0, &mut record).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Dataset);
    assert!(error.to_string().contains("/value holds more than"), "{error}");
    assert!(error.to_string().contains("; input 0 (\"x\"): is missing"), "{error}");
}

#[test]
fn shards_of_both_layouts_go_together() {
    let inputs = mixed_inputs();
    let names = ["types-le.h5", "packed-be.h5", "types-be.h5", "packed-names.h5"];
    let mut source = open_files(&names, &inputs).unwrap();
    let mut record = Record::for_inputs(&inputs).unwrap();
    let in_order = (0..4).flat_map(|shard| (0..3).map(move |record| (shard, record)));
    for (shard, position) in in_order.chain([(1, 2), (0, 1), (3, 0), (1, 1)]) {
        source.read(shard, position, &mut record).unwrap();
        assert_eq!(record.inputs[0].as_slice::<f32>(), expected_floats(position as usize));
        let first_id = 100 * position as i32 + 10;
        assert_eq!(record.inputs[1].as_slice::<i32>(), [first_id, first_id + 1]);
    }
}

/// Plain datasets are read without the library, from wherever in the file they are.
#[test]
fn plain_datasets_are_read_from_their_place() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.h5");
    let is_direct = |path: &Path| {
        let dataset = hdf5::File::open(path).unwrap().dataset("value/0").unwrap();
        let shape = dataset.shape();
        Direct::of(path, &dataset, Element::F32, &shape).is_some()
    };
    write_numbers(&path, 10, &[64], None);
    assert!(is_direct(&path));
    write_numbers(&path, 10, &[64], Some(&[2, 64]));
    assert!(!is_direct(&path), "chunks");
    // Behind a block of the user's, other datasets and a hole.
    let options = hdf5::File::with_options().with_fcpl(|plist| plist.userblock(2048)).clone();
    let file = options.create(&path).unwrap();
    file.new_dataset::<u8>().shape(5).create("other").unwrap();
    let value = file.create_group("value").unwrap();
    let values: Vec<f32> = (0..30_u8).flat_map(|i| [f32::from(i); 64]).collect();
    value.new_dataset::<f32>().shape([30, 64]).create("0").unwrap().write_raw(&values).unwrap();
    drop((value, file));
    assert!(is_direct(&path));
    check_numbers(&path, &[input("x", DType::F32, &[64])], 0..30);
    // In another file.
    let link = directory.path().join("link.h5");
    let file = hdf5::File::create(&link).unwrap();
    file.link_external(&text(&path), "value", "value").unwrap();
    drop(file);
    assert!(!is_direct(&link), "a link");
    check_numbers(&link, &[input("x", DType::F32, &[64])], 0..30);
    // Nothing was ever written.
    let file = hdf5::File::create(&path).unwrap();
    let value = file.create_group("value").unwrap();
    value.new_dataset::<f32>().shape([4, 64]).create("0").unwrap();
    drop((value, file));
    assert!(!is_direct(&path), "no place");
    check_numbers(&path, &[input("x", DType::F32, &[64])], std::iter::once(0));
}

#[test]
fn a_file_that_loses_its_end_is_an_error_of_the_records_there() {
    for (shape, last) in [(64, 2999), (20_000, 39)] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.h5");
        let inputs = write_numbers(&path, last + 1, &[shape], None);
        let mut source = open_path(&path, &inputs).unwrap();
        let mut record = Record::for_inputs(&inputs).unwrap();
        source.read(0, 0, &mut record).unwrap();
        let len = fs::metadata(&path).unwrap().len();
        fs::File::options().write(true).open(&path).unwrap().set_len(len - 100).unwrap();
        for number in 1..last as u64 {
            source.read(0, number, &mut record).unwrap();
        }
        let error = source.read(0, last as u64, &mut record).unwrap_err();
        assert!(error.to_string().contains("the file ends before it"), "{error}");
    }
}
