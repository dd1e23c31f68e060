//! Tests of inputs that are left in their files.

use super::super::direct::LARGE;
use super::*;
use crate::tensor::AlignedBuffer;

/// Elements of a large input.
const LEN: usize = LARGE / size_of::<f32>() + 5;

fn inputs() -> Vec<InputSpec> {
    vec![input("x", DType::F32, &[LEN]), input("n", DType::F32, &[2])]
}

fn values(record: usize) -> Vec<f32> {
    (0..LEN).map(|e| (record * LEN + e) as f32).collect()
}

/// Two records with a group each; `create` makes the large datasets.
fn write_groups(path: &Path, create: impl Fn(&hdf5::Group, usize)) {
    let file = hdf5::File::create(path).unwrap();
    let value = file.create_group("value").unwrap();
    for record in 0..2 {
        let group = value.create_group(&record.to_string()).unwrap();
        create(&group, record);
        let small = group.new_dataset::<f32>().shape(2).create("1").unwrap();
        small.write_raw(&[record as f32; 2]).unwrap();
    }
}

fn in_one_piece(group: &hdf5::Group, record: usize) {
    group.new_dataset::<f32>().shape(LEN).create("0").unwrap().write_raw(&values(record)).unwrap();
}

/// The values of a record that was located, and whether the inputs were left.
fn locate(source: &mut dyn RecordSource, position: u64, record: &mut Record) -> [bool; 2] {
    for input in &mut record.inputs {
        input.bytes_mut().fill(0xff);
    }
    source.locate(0, position, record).unwrap();
    let left = [0, 1].map(|i| record.unread[i].is_some());
    // The memory is used again.
    let mut memory = [1, 0].map(AlignedBuffer::zeroed);
    for _ in 0..2 {
        let bytes = record.bytes(&mut memory).unwrap();
        let floats = |i: usize| bytemuck::cast_slice::<u8, f32>(bytes[i]);
        assert_eq!(floats(0), values(position as usize));
        assert_eq!(floats(1), [position as f32; 2]);
    }
    left
}

#[test]
fn large_inputs_in_one_piece_are_left_in_their_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    write_groups(&path("whole.h5"), in_one_piece);
    write_groups(&path("chunked.h5"), |group, record| {
        let dataset = group.new_dataset::<f32>().shape(LEN).chunk(100).deflate(1).create("0");
        dataset.unwrap().write_raw(&values(record)).unwrap();
    });
    write_groups(&path("linked.h5"), |group, record| {
        group.link_external("whole.h5", &format!("value/{record}/0"), "0").unwrap();
    });
    write_groups(&path("doubles.h5"), |group, record| {
        let values: Vec<f64> = values(record).into_iter().map(f64::from).collect();
        let dataset = group.new_dataset::<f64>().shape(LEN).create("0").unwrap();
        dataset.write_raw(&values).unwrap();
    });
    write_groups(&path("mixed.h5"), |group, record| {
        if record == 0 {
            in_one_piece(group, 0);
        } else {
            let dataset = group.new_dataset::<f32>().shape(LEN).chunk(LEN).create("0").unwrap();
            dataset.write_raw(&values(record)).unwrap();
        }
    });
    let packed = hdf5::File::create(path("packed.h5")).unwrap();
    let value = packed.create_group("value").unwrap();
    let all = [values(0), values(1)].concat();
    let dataset = value.new_dataset::<f32>().shape([2, LEN]).create("0").unwrap();
    dataset.write_raw(&all).unwrap();
    let dataset = value.new_dataset::<f32>().shape([2, 2]).create("1").unwrap();
    dataset.write_raw(&[0.0_f32, 0.0, 1.0, 1.0]).unwrap();
    drop((dataset, value));
    packed.close().unwrap();

    let mut record = Record::for_inputs(&inputs()).unwrap();
    for (name, left) in [
        ("whole.h5", [true, true]),
        ("chunked.h5", [false, false]),
        ("linked.h5", [false, false]),
        ("doubles.h5", [false, false]),
        ("mixed.h5", [true, false]),
        ("packed.h5", [true, true]),
    ] {
        let options = OpenOptions { cast: true, ..OpenOptions::default() };
        let mut source = open_with(&[text(path(name))], &inputs(), options).unwrap();
        // The first of a group's datasets is compared with what the library reads.
        let compared = locate(&mut *source, 0, &mut record);
        assert_eq!(compared, [name == "packed.h5", false], "{name}");
        for position in [0, 1, 0] {
            let found = locate(&mut *source, position, &mut record);
            assert_eq!(found, [left[position as usize], false], "{name}, record {position}");
        }
        // Nothing is left of what was located before.
        source.read(0, 1, &mut record).unwrap();
        assert!(record.unread.iter().all(Option::is_none));
        assert_eq!(record.inputs[0].as_slice::<f32>(), values(1));
    }
}

#[test]
fn masks_are_read_since_not_all_bytes_are_values() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("raw.h5");
    let inputs = vec![input("mask", DType::Bool, &[LARGE])];
    let file = hdf5::File::create(&path).unwrap();
    let value = file.create_group("value").unwrap();
    value.new_attr::<i32>().create("rawData").unwrap().write_scalar(&1).unwrap();
    let group = value.create_group("0").unwrap();
    let dataset = group.new_dataset::<u8>().shape(LARGE).create("0").unwrap();
    dataset.write_raw(&vec![1_u8; LARGE]).unwrap();
    drop((dataset, group, value));
    file.close().unwrap();
    let mut source = open_path(&path, &inputs).unwrap();
    let mut record = Record::for_inputs(&inputs).unwrap();
    for _ in 0..3 {
        source.locate(0, 0, &mut record).unwrap();
        assert!(record.unread[0].is_none());
        assert!(record.inputs[0].bytes().iter().all(|&it| it == 1));
    }
}

#[test]
fn a_file_that_loses_its_end_is_an_error_of_the_input() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("cut.h5");
    write_groups(&path, in_one_piece);
    let mut source = open_path(&path, &inputs()).unwrap();
    let mut record = Record::for_inputs(&inputs()).unwrap();
    locate(&mut *source, 0, &mut record);
    let left = locate(&mut *source, 1, &mut record);
    assert_eq!(left, [true, false]);
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(LARGE as u64 / 2).unwrap();
    let mut memory = [0; 2].map(AlignedBuffer::zeroed);
    let (input, why) = record.bytes(&mut memory).unwrap_err();
    assert_eq!((input, &*why), (0, "cannot be read: the file ends before it"));
}
