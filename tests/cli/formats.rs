//! The same records in every format give the same output model.

use std::fmt::Write;
use std::fs;

use crate::support::{Folder, sample_data};

/// The records of the sample, as raw bytes.
fn sample_records() -> Vec<Vec<u8>> {
    let file = hdf5::File::open(sample_data()).unwrap();
    let value = file.group("value").unwrap();
    let records = 0..value.len();
    let read = |record| value.dataset(&format!("{record}/0")).unwrap().read_raw::<f32>().unwrap();
    records.map(|record| read(record).iter().flat_map(|x| x.to_ne_bytes()).collect()).collect()
}

/// An array as NumPy writes it.
fn npy(shape: &str, records: &[Vec<u8>]) -> Vec<u8> {
    let order = if cfg!(target_endian = "big") { '>' } else { '<' };
    let header = format!("{{'descr': '{order}f4', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(records.concat());
    bytes
}

#[test]
fn every_format_gives_the_same_bytes() {
    let folder = Folder::new();
    let records = sample_records();
    let len = records.len();
    let elements = records[0].len() / 4;
    fs::create_dir(folder.path("raw")).unwrap();
    let mut list = String::new();
    for (i, record) in records.iter().enumerate() {
        fs::write(folder.path(&format!("raw/{i}.bin")), record).unwrap();
        writeln!(list, "raw/{i}.bin").unwrap();
    }
    fs::write(folder.path("list.txt"), list).unwrap();
    let file = hdf5::File::open(sample_data()).unwrap();
    let shape = file.dataset("value/0/0").unwrap().shape();
    assert_eq!(shape.iter().product::<usize>(), elements);
    let shape: Vec<String> = [len].iter().chain(&shape).map(ToString::to_string).collect();
    let shape = format!("({})", shape.join(", "));
    fs::write(folder.path("data.npy"), npy(&shape, &records)).unwrap();
    // Resumed over the border of two shards.
    fs::create_dir(folder.path("shards")).unwrap();
    for (name, range) in [("1.npy", 0..7), ("2.npy", 7..len)] {
        let shape = shape.replacen(&len.to_string(), &range.len().to_string(), 1);
        fs::write(folder.path(&format!("shards/{name}")), npy(&shape, &records[range])).unwrap();
    }

    let model = "--input-model model.tflite";
    let h5 = sample_data();
    folder.run(&format!("{model} --input-data {} -o h5.circle", h5.display())).succeeds();
    for (name, data) in [
        ("npy", "data.npy"),
        ("list", "list.txt --input-data-format list"),
        ("directory", "raw --input-data-format directory"),
        ("shards", "shards"),
    ] {
        folder
            .run(&format!("{model} --input-data {data} -o {name}.circle"))
            .succeeds()
            .says(&format!("recorded {len} records"));
        assert_eq!(folder.read("h5.circle"), folder.read(&format!("{name}.circle")), "{name}");
    }
}

#[test]
fn a_list_that_has_grown_goes_on() {
    let folder = Folder::new();
    for (i, record) in sample_records().iter().take(6).enumerate() {
        fs::write(folder.path(&format!("{i}.bin")), record).unwrap();
    }
    let line = "record --input-model model.tflite --input-data list --input-data-format list \
                --checkpoint out.rmm --resume";
    fs::write(folder.path("list"), "0.bin\n1.bin\n2.bin\n3.bin\n").unwrap();
    folder.run(line).succeeds().says("recorded 4 records");
    fs::write(folder.path("list"), "0.bin\n1.bin\n2.bin\n3.bin\n4.bin\n5.bin\n").unwrap();
    folder.run(line).succeeds().says("recorded 2 records");
}
