//! The same records in every format give the same output model.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;

use crate::support::{Folder, sample_data, sample_records};

/// An array as NumPy writes it.
fn npy(dtype: &str, shape: &[usize], values: &[u8]) -> Vec<u8> {
    let order = if cfg!(target_endian = "big") { '>' } else { '<' };
    let shape: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let shape = format!("({})", shape.join(", "));
    let header =
        format!("{{'descr': '{order}{dtype}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    bytes
}

/// An archive with one array.
fn npz(name: &str, array: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file(name, stored).unwrap();
    archive.write_all(array).unwrap();
    archive.finish().unwrap().into_inner()
}

/// The sample in every format: a name, and options that read it.
fn sample_in_every_format(folder: &Folder) -> Vec<(&'static str, &'static str)> {
    let records = sample_records();
    fs::copy(sample_data(), folder.path("sample.h5")).unwrap();
    fs::create_dir(folder.path("raw")).unwrap();
    let mut list = String::new();
    for (i, record) in records.iter().enumerate() {
        fs::write(folder.path(&format!("raw/{i}.bin")), record).unwrap();
        writeln!(list, "raw/{i}.bin").unwrap();
    }
    fs::write(folder.path("list.txt"), list).unwrap();
    let file = hdf5::File::open(sample_data()).unwrap();
    let of_record = file.dataset("value/0/0").unwrap().shape();
    assert_eq!(of_record.iter().product::<usize>(), records[0].len() / 4);
    let shape = |records: usize| [&[records], of_record.as_slice()].concat();
    let all = records.concat();
    let array = npy("f4", &shape(records.len()), &all);
    fs::write(folder.path("data.npz"), npz("arr_0.npy", &array)).unwrap();
    fs::write(folder.path("data.npy"), array).unwrap();
    let floats = all.chunks_exact(4).map(bytemuck::pod_read_unaligned::<f32>);
    let doubles: Vec<u8> =
        floats.flat_map(|x| bytemuck::bytes_of(&f64::from(x)).to_vec()).collect();
    fs::write(folder.path("f64.npy"), npy("f8", &shape(records.len()), &doubles)).unwrap();
    let view =
        safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape(records.len()), &all);
    let tensors = safetensors::serialize([("0", view.unwrap())], None).unwrap();
    fs::write(folder.path("data.safetensors"), tensors).unwrap();
    // Resumed over the border of two shards.
    fs::create_dir(folder.path("shards")).unwrap();
    for (name, range) in [("1.npy", 0..7), ("2.npy", 7..records.len())] {
        let array = npy("f4", &shape(range.len()), &records[range].concat());
        fs::write(folder.path(&format!("shards/{name}")), array).unwrap();
    }
    vec![
        ("h5", "sample.h5"),
        ("npy", "data.npy"),
        ("npz", "data.npz"),
        ("f64", "f64.npy --cast"),
        ("safetensors", "data.safetensors"),
        ("list", "list.txt --input-data-format list"),
        ("directory", "raw --input-data-format directory"),
        ("shards", "shards"),
    ]
}

#[test]
fn every_format_gives_the_same_bytes() {
    let folder = Folder::new();
    let model = "--input-model model.tflite";
    let mut expected = None;
    for (name, data) in sample_in_every_format(&folder) {
        folder
            .run(&format!("{model} --input-data {data} -o {name}.circle"))
            .succeeds()
            .says("recorded 40 records");
        let written = folder.read(&format!("{name}.circle"));
        assert_eq!(*expected.get_or_insert_with(|| written.clone()), written, "{name}");
    }
}

#[test]
fn packed_from_every_format_is_the_same_file() {
    let folder = Folder::new();
    let formats = sample_in_every_format(&folder);
    let model = "--input-model model.tflite";
    folder.run(&format!("{model} --input-data sample.h5 -o sample.circle")).succeeds();
    for layout in ["records", "packed"] {
        let mut expected = None;
        for (name, data) in &formats {
            let file = format!("{name}-{layout}.h5");
            folder
                .run(&format!(
                    "dataset pack {model} --input-data {data} -o {file} --layout {layout}"
                ))
                .succeeds()
                .says(&format!("{file}: 40 records"));
            let written = folder.read(&file);
            assert_eq!(*expected.get_or_insert_with(|| written.clone()), written, "{file}");
        }
        let data = format!("npz-{layout}.h5");
        folder.run(&format!("{model} --input-data {data} -o {layout}.circle")).succeeds();
        assert_eq!(folder.read("sample.circle"), folder.read(&format!("{layout}.circle")));
        // It is the same shard to a recording.
        folder
            .run(&format!("{model} --input-data {data} -o sample.circle --resume"))
            .succeeds()
            .says("everything is recorded already");
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
