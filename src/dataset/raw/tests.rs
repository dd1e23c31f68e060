//! Tests of lists and folders that are made on the spot.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::dataset::tests::{float_input, input, problems, text};
use crate::dataset::{
    BadRecords, DataFormat, InputSpec, OpenOptions, Record, RecordSource, open, open_with,
};
use crate::error::{ErrorKind, Result};
use crate::tensor::{DType, InputType};

fn two_inputs() -> Vec<InputSpec> {
    vec![input("x", DType::F32, &[2]), input("flag", DType::Bool, &[1])]
}

/// Raw bytes of record `record`: both floats are its number, the flag whether it is odd.
fn x_of(record: usize) -> Vec<u8> {
    [record as f32; 2].iter().flat_map(|x| x.to_ne_bytes()).collect()
}

fn flag_of(record: usize) -> Vec<u8> {
    vec![(record % 2) as u8]
}

fn open_as(
    folder: &TempDir,
    name: &str,
    format: DataFormat,
    inputs: &[InputSpec],
) -> Result<Box<dyn RecordSource>> {
    open(&[text(folder.path().join(name))], format, inputs)
}

fn check(source: &mut dyn RecordSource, kind: &str, records: usize) {
    assert_eq!(source.shards()[0].kind, kind);
    assert_eq!(source.shards()[0].identity.records, records as u64);
    let mut record = Record::for_inputs(&two_inputs()).unwrap();
    for i in (0..records).chain((0..records).rev().step_by(3)) {
        source.read(0, i as u64, &mut record).unwrap();
        assert_eq!(record.inputs[0].as_slice::<f32>(), [i as f32; 2]);
        assert_eq!(record.inputs[1].bytes(), flag_of(i));
    }
}

fn put(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_list_names_a_file_per_input_or_one() {
    let folder = tempfile::tempdir().unwrap();
    // More lines than positions are kept of.
    let records = 600;
    let (mut apart, mut together, mut absolute) = (String::new(), String::new(), String::new());
    for i in 0..records {
        put(folder.path().join(format!("data/x {i}.bin")), x_of(i));
        put(folder.path().join(format!("data/flag{i}.bin")), flag_of(i));
        put(folder.path().join(format!("data/both{i}.bin")), [x_of(i), flag_of(i)].concat());
        write!(apart, "\"data/x {i}.bin\"\tdata/flag{i}.bin\r\n").unwrap();
        writeln!(together, "data/both{i}.bin").unwrap();
        let path = folder.path().join(format!("data/both{i}.bin"));
        writeln!(absolute, "{}", path.display()).unwrap();
    }
    for (name, lines) in [("apart", apart), ("together", together), ("absolute", absolute)] {
        put(folder.path().join(name), lines.trim_end());
        let mut source = open_as(&folder, name, DataFormat::List, &two_inputs()).unwrap();
        check(&mut *source, "list", records);
    }
}

#[test]
fn a_path_with_spaces_needs_no_quotes_if_it_is_alone() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path().join("my data.bin"), [0_u8; 24]);
    put(folder.path().join("list"), "my data.bin\n\"my data.bin\"\n");
    let source = open_as(&folder, "list", DataFormat::List, &float_input()).unwrap();
    assert_eq!(source.shards()[0].identity.records, 2);
}

#[test]
fn a_directory_is_in_natural_order() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..12 {
        put(folder.path().join(format!("together/r{i}")), [x_of(i), flag_of(i)].concat());
        put(folder.path().join(format!("apart/r{i}.0")), x_of(i));
        put(folder.path().join(format!("apart/r{i}.1")), flag_of(i));
    }
    put(folder.path().join("apart/.hidden"), "x");
    fs::create_dir(folder.path().join("apart/more")).unwrap();
    for name in ["together", "apart"] {
        let mut source = open_as(&folder, name, DataFormat::Directory, &two_inputs()).unwrap();
        check(&mut *source, "directory", 12);
    }
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let said = |name: &str, format, inputs: &[InputSpec]| {
        problems(open_as(&folder, name, format, inputs), folder.path()).join("\n")
    };
    put(folder.path().join("x"), x_of(1));
    put(folder.path().join("x.short"), &x_of(1)[1..]);
    put(folder.path().join("flag"), [1]);
    let two = two_inputs();
    for (lines, expected) in [
        ("", "has no records: it has no lines"),
        ("x flag\n\nx flag\n", "line 2 is empty"),
        ("x flag x\n", "record 0 has 3 paths, the model has 2 inputs"),
        ("x flag\nx flag x\n", "record 1 has 3 paths, the model has 2 inputs"),
        ("x flag\nx gone\n", "record 1, input 1 (\"flag\"): gone does not exist"),
        ("x.short flag\n", "input 0 (\"x\"): x.short has 7 bytes, the model expects 8"),
        ("x\n", "is the file x of 8 bytes; the model's 2 inputs one behind the other take 9"),
        (". flag\n", "is a directory"),
    ] {
        put(folder.path().join("list"), lines);
        let found = said("list", DataFormat::List, &two);
        assert!(found.contains(expected), "{lines:?}: {found}");
    }
    assert!(said("x", DataFormat::Directory, &two).contains("is not a directory"));
    assert!(said("gone", DataFormat::Directory, &two).contains("does not exist"));
    put(folder.path().join("d/a.0"), x_of(0));
    assert!(said("d", DataFormat::Directory, &two).contains("there is no file a.1"));
    fs::create_dir(folder.path().join("nothing")).unwrap();
    assert!(said("nothing", DataFormat::Directory, &two).contains("has no files"));
    assert!(said("nothing", DataFormat::Auto, &two).contains("--input-data-format directory"));
}

#[test]
fn bad_records_may_be_left_to_the_run() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..3 {
        put(folder.path().join(format!("d/{i}")), &[0_u8; 24][usize::from(i == 1)..]);
    }
    let data = [text(folder.path().join("d"))];
    let format = DataFormat::Directory;
    let refused = problems(open(&data, format, &float_input()), folder.path());
    assert!(refused[0].contains("record 1, input 0 (\"x\"): d/1 has 23 bytes"), "{refused:?}");
    let mut source = open_with(
        &data,
        &float_input(),
        OpenOptions { format, bad_records: BadRecords::Leave, cast: false },
    )
    .unwrap();
    let mut record = Record::for_inputs(&float_input()).unwrap();
    source.read(0, 0, &mut record).unwrap();
    assert_eq!(source.read(0, 1, &mut record).unwrap_err().kind(), ErrorKind::Record);
    source.read(0, 2, &mut record).unwrap();
}

#[test]
fn an_open_dimension_follows_from_the_size() {
    let folder = tempfile::tempdir().unwrap();
    for i in 1..4 {
        put(folder.path().join(format!("d/{i}")), x_of(0).repeat(i));
    }
    let input_type = InputType { dtype: DType::F32, shape: vec![Some(1), None, Some(2)] };
    let inputs = [InputSpec { name: "x".to_owned(), input_type }];
    let mut source = open_as(&folder, "d", DataFormat::Directory, &inputs).unwrap();
    let mut record = Record::for_inputs(&inputs).unwrap();
    for i in [0, 2, 1] {
        source.read(0, i, &mut record).unwrap();
        assert_eq!(record.shapes, [[1, i as usize + 1, 2]]);
    }
}
