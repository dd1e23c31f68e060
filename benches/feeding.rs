//! Records per second through a [`RecordSource`], beside bare loops over the library.
//!
//! `cargo bench --bench feeding [-- RECORDS]`
#![allow(clippy::print_stdout, missing_docs)]

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use hdf5::file::{CacheDecreaseMode, CacheIncreaseMode, MetadataCacheConfig};
use record_minmax::dataset::{
    DataFormat, H5Layout, InputSpec, Record, RecordSource, open, random, write_h5,
};
use record_minmax::tensor::{DType, TensorType};

/// Elements of a record of one FLOAT32 input: 1 KiB.
const ELEMENTS: usize = 256;

const RECORD_BYTES: usize = 4 * ELEMENTS;

/// Records that one contestant reads before it is the next one's turn, so that whatever else the
/// machine does meets all of them alike.
const TURN: u64 = 1000;

/// Reads a range of records.
type Contestant<'a> = Box<dyn FnMut(Range<u64>) + 'a>;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let records = arguments.first().map_or(100_000, |a| a.parse().expect("a number of records"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tensor_type = TensorType::new(DType::F32, [ELEMENTS]);
    let inputs = [InputSpec { name: "x".to_owned(), input_type: tensor_type.into() }];
    record_layout(folder.path(), &inputs, records);
    packed_layout(folder.path(), &inputs, records);
}

fn record_layout(folder: &Path, inputs: &[InputSpec], records: u64) {
    println!("a group per record, {records} records of {RECORD_BYTES} bytes");
    let path = folder.join("records.h5");
    let mut source = random(inputs, records, 0).expect("random records");
    write_h5(&path, H5Layout::Records, inputs, &mut *source).expect("a shard");
    // The library shares its cache among all who have the same file open.
    let copy = |name: &str| -> PathBuf {
        let copy = folder.join(name);
        fs::copy(&path, &copy).expect("a copy");
        copy
    };
    let default = hdf5::File::open(copy("default.h5")).expect("the shard");
    let bare = open_with_small_cache(&copy("bare.h5")).expect("the shard");
    let rates = rates(
        records,
        TURN,
        vec![read_bare(&default), read_bare(&bare), read_through_source(&path, inputs)],
    );
    let [default, bare, source] = rates[..] else { return };
    println!("  bare loop                     {default:>9.0} records/s");
    println!("  bare loop, metadata not kept  {bare:>9.0} records/s");
    println!("  RecordSource                  {source:>9.0} records/s, {:.2} of it", source / bare);
}

fn packed_layout(folder: &Path, inputs: &[InputSpec], records: u64) {
    println!("packed, the same records");
    let path = folder.join("packed.h5");
    let mut source = random(inputs, records, 0).expect("random records");
    write_h5(&path, H5Layout::Packed, inputs, &mut *source).expect("a shard");
    let content = fs::read(&path).expect("the shard");
    let file = File::open(&path).expect("the shard");
    let rates = rates(
        records,
        10 * TURN,
        vec![copy_memory(&content), read_blocks(&file), read_through_source(&path, inputs)],
    );
    let gigabytes = |rate: f64| rate * RECORD_BYTES as f64 / 1e9;
    let [memory, file, source] = rates[..] else { return };
    println!("  memory copied, a record at a time  {:>6.2} GB/s", gigabytes(memory));
    println!("  file read, 512 KiB at a time       {:>6.2} GB/s", gigabytes(file));
    println!(
        "  RecordSource                       {:>6.2} GB/s, {:.2} and {:.2} of them",
        gigabytes(source),
        source / memory,
        source / file
    );
}

/// Copies records out of memory.
fn copy_memory(content: &[u8]) -> Contestant<'_> {
    let mut into = vec![0_u8; RECORD_BYTES];
    Box::new(move |records| {
        let bytes = records.start as usize * RECORD_BYTES..records.end as usize * RECORD_BYTES;
        for record in content[bytes].chunks_exact(RECORD_BYTES) {
            into.copy_from_slice(record);
            black_box(&into);
        }
    })
}

/// Reads the bytes of a file, which the system holds in memory.
fn read_blocks(mut file: &File) -> Contestant<'_> {
    let mut block = vec![0_u8; 1 << 19];
    Box::new(move |records| {
        let start = records.start * RECORD_BYTES as u64;
        let mut left = (records.end * RECORD_BYTES as u64 - start) as usize;
        file.seek(SeekFrom::Start(start)).expect("a place in the file");
        while left > 0 {
            let part = left.min(block.len());
            file.read_exact(&mut block[..part]).expect("its bytes");
            black_box(&block);
            left -= part;
        }
    })
}

/// What a program without checks would do.
fn read_bare(file: &hdf5::File) -> Contestant<'_> {
    let value = file.group("value").expect("records");
    let mut buffer = vec![0.0_f32; ELEMENTS];
    Box::new(move |records| {
        for record in records {
            let dataset = value.dataset(&format!("{record}/0")).expect("an input");
            dataset.read_into_raw(&mut buffer).expect("its values");
            black_box(&buffer);
        }
    })
}

fn read_through_source<'a>(path: &Path, inputs: &[InputSpec]) -> Contestant<'a> {
    let data = [path.display().to_string()];
    let mut source: Box<dyn RecordSource> = open(&data, DataFormat::H5, inputs).expect("a dataset");
    let mut into = Record::for_inputs(inputs).expect("buffers");
    Box::new(move |records| {
        for record in records {
            source.read(0, record, &mut into).expect("a record");
            black_box(&into);
        }
    })
}

/// Opens a file as a [`RecordSource`] does. With its default settings, the library keeps metadata
/// that is not needed again, which takes memory and time.
fn open_with_small_cache(path: &Path) -> hdf5::Result<hdf5::File> {
    let cache = MetadataCacheConfig {
        initial_size: 1 << 18,
        min_size: 1 << 18,
        incr_mode: CacheIncreaseMode::Off,
        decr_mode: CacheDecreaseMode::Off,
        ..MetadataCacheConfig::default()
    };
    hdf5::File::with_options().with_fapl(|access| access.mdc_config(&cache)).open(path)
}

/// Records per second of each contestant.
fn rates(records: u64, turn: u64, mut contestants: Vec<Contestant>) -> Vec<f64> {
    let mut seconds = vec![0.0; contestants.len()];
    for first in (0..records).step_by(turn as usize) {
        for (contestant, seconds) in contestants.iter_mut().zip(&mut seconds) {
            let start = Instant::now();
            contestant(first..records.min(first + turn));
            *seconds += start.elapsed().as_secs_f64();
        }
    }
    seconds.iter().map(|seconds| records as f64 / seconds).collect()
}
