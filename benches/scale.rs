//! A recording of many records of made-up observations: how fast it is written, what a commit costs, how long
//! opening takes after a crash, and estimating within a memory budget.
//!
//! `cargo bench --bench scale [-- RECORDS [FOLDER]]`; 10,000,000 records take 24 GB.
#![allow(clippy::print_stdout, missing_docs)]

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use record_minmax::arithmetic::Arithmetic;
use record_minmax::fingerprint::ModelFingerprint;
use record_minmax::observation::{Observation, RecordObservations};
use record_minmax::recording::{Header, MEMORY_BUDGET, Reader, TensorEntry, Writer};
use record_minmax::shard::{ShardIdentity, ShardInfo, sample_positions};
use record_minmax::stats::{Estimator, MovingAverageSettings};
use record_minmax::tensor::DType;

const TENSORS: usize = 300;

const SETTINGS: MovingAverageSettings = MovingAverageSettings { batch: 16, constant: 0.1 };

/// Records of a shard, and records between two commits.
const SHARD: u64 = 100_000;
const COMMIT: u64 = 20_000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let records = arguments.first().map_or(100_000, |a| a.parse().expect("a number of records"));
    let folder = match arguments.get(1) {
        Some(folder) => tempfile::tempdir_in(folder),
        None => tempfile::tempdir(),
    };
    let folder = folder.expect("a temporary folder");
    let path = folder.path().join("scale.rmm");
    println!("{records} records of {TENSORS} tensors");
    write(&path, records);
    recover(&path);
    estimate(&path, records);
    peak("all of it");
}

fn header() -> Header {
    let tensor = |index: usize| TensorEntry {
        subgraph: 0,
        index: index as u32,
        name: format!("model/layer_{index}/Relu"),
    };
    Header {
        model: ModelFingerprint { hash: [1; 32], byte_len: 1 },
        tensors: (0..TENSORS).map(tensor).collect(),
        arithmetic: Arithmetic::Fast,
        tool: "scale".to_owned(),
        histograms: None,
    }
}

fn shard(number: u64) -> ShardInfo {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&number.to_le_bytes());
    let identity = ShardIdentity {
        records: SHARD,
        inputs: vec![(DType::F32, vec![1, 224, 224, 3])],
        sample: sample_positions(SHARD),
        hash,
    };
    ShardInfo { name: format!("shard-{number}.h5"), kind: "h5".to_owned(), byte_len: 0, identity }
}

/// Fills a record with what a generator (xorshift) gives; cheap beside writing it.
fn observe(state: &mut u64, record: &mut RecordObservations) {
    record.single.clear();
    for _ in 0..TENSORS {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        let (low, high) = ((*state & 0xffff) as f32, (*state >> 16 & 0xffff) as f32);
        record.single.push(Observation { min: -low / 1000.0, max: high / 1000.0 });
    }
}

fn write(path: &Path, records: u64) {
    let mut writer = Writer::create(path, header(), SETTINGS).expect("a recording");
    let (mut random, mut record) = (0x9e37_79b9_7f4a_7c15, RecordObservations::default());
    let (mut commits, mut appending) = (Vec::new(), Duration::ZERO);
    let start = Instant::now();
    let mut since = start;
    for number in 0..records {
        if number % SHARD == 0 {
            writer.begin_shard(&shard(number / SHARD), 0).expect("a shard");
        }
        observe(&mut random, &mut record);
        writer.push(&record).expect("a record");
        if (number + 1) % COMMIT == 0 || number + 1 == records {
            appending += since.elapsed();
            since = Instant::now();
            writer.commit().expect("a commit");
            commits.push(since.elapsed());
            since = Instant::now();
        }
    }
    let bytes = writer.byte_len() as f64;
    println!(
        "appended {:.0} records/s, {:.0} MB/s, without commits {:.0} records/s; {:.2} GB, {:.1} bytes a record",
        records as f64 / start.elapsed().as_secs_f64(),
        bytes / start.elapsed().as_secs_f64() / 1e6,
        records as f64 / appending.as_secs_f64(),
        bytes / 1e9,
        bytes / records as f64
    );
    commits.sort();
    let at = |part: usize| commits[(commits.len() - 1) * part / 100].as_secs_f64() * 1e3;
    println!(
        "{} commits of {COMMIT} records: median {:.1} ms, 99% {:.1} ms, longest {:.1} ms",
        commits.len(),
        at(50),
        at(99),
        at(100)
    );
    // With nothing but the state to write.
    let (mut small, count) = (Duration::ZERO, 20_u32);
    for number in 0..count {
        writer.begin_shard(&shard(u64::MAX - u64::from(number)), 0).expect("a shard");
        writer.push(&record).expect("a record");
        let start = Instant::now();
        writer.commit().expect("a commit");
        small += start.elapsed();
    }
    println!("a commit of one record: {:.2} ms", (small / count).as_secs_f64() * 1e3);
    peak("writing");
}

/// After a crash: with a long tail that is no commit.
fn recover(path: &Path) {
    timed("opening", || drop(Reader::open(path).expect("a recording")));
    let mut file = OpenOptions::new().append(true).open(path).expect("the recording");
    let block: Vec<u8> =
        (0..1_u32 << 20).map(|i| (i.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
    for _ in 0..64 {
        file.write_all(&block).expect("a tail");
    }
    file.sync_all().expect("a tail");
    drop(file);
    timed("opening with 64 MiB behind the last commit", || {
        assert_eq!(Reader::open(path).expect("a recording").uncommitted(), 64 << 20);
    });
    timed("resuming from there", || {
        let writer = Writer::resume(path, &header(), SETTINGS).expect("a recording");
        assert_eq!(writer.recovered(), 64 << 20);
    });
    timed("resuming again", || {
        drop(Writer::resume(path, &header(), SETTINGS).expect("a recording"));
    });
    // A reader that would read everything could not do so from this.
    let len = fs::metadata(path).expect("the recording").len();
    let mut file = OpenOptions::new().write(true).open(path).expect("the recording");
    let at = len / 2;
    file.seek(SeekFrom::Start(at)).expect("the middle");
    let mut byte = [0];
    std::os::unix::fs::FileExt::read_exact_at(&fs::File::open(path).expect("it"), &mut byte, at)
        .expect("a byte");
    file.write_all(&[!byte[0]]).expect("damage");
    timed("resuming with damage in the middle, which is not looked at", || {
        drop(Writer::resume(path, &header(), SETTINGS).expect("a recording"));
    });
    file.seek(SeekFrom::Start(at)).expect("the middle");
    file.write_all(&byte).expect("repair");
}

fn estimate(path: &Path, records: u64) {
    let reader = Reader::open(path).expect("a recording");
    for (name, estimator) in [
        ("percentiles within 256 MiB", Estimator::Percentile { min: 1.0, max: 99.0 }),
        (
            "moving averages with other settings",
            Estimator::MovingAverage(MovingAverageSettings { batch: 8, constant: 0.2 }),
        ),
        ("extremes, as for `inspect`", Estimator::MinMax),
        ("means", Estimator::Mean),
        ("means and standard deviations", Estimator::MeanStd { sigmas: 3.0 }),
        ("trimmed means within 256 MiB", Estimator::TrimmedMean { trim: 0.1 }),
    ] {
        timed(name, || {
            let ranges = reader.ranges(&estimator, MEMORY_BUDGET).expect("ranges");
            assert!(ranges.iter().all(Option::is_some));
        });
        peak(name);
    }
    timed("the full check", || {
        let summary = reader.check().expect("a whole recording");
        assert!(summary.observations >= records * TENSORS as u64);
    });
}

fn timed(what: &str, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    println!("{what}: {:.3} s", start.elapsed().as_secs_f64());
}

/// Most memory that the process has had so far.
fn peak(after: &str) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!("  peak memory after {after}: {}", line.unwrap_or("?").trim());
}
