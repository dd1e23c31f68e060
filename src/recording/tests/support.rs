//! Small recordings with observations that depend on shard and record only.

use std::fmt::Write;
use std::path::Path;

use super::super::{Header, MemoryStorage, Reader, TensorEntry, Writer};
use crate::arithmetic::Arithmetic;
use crate::fingerprint::ModelFingerprint;
use crate::histogram::{BinLimit, Histogram};
use crate::kernel::Isa;
use crate::kernel::histogram::Counter;
use crate::observation::{Observation, RecordObservations};
use crate::shard::{ShardIdentity, ShardInfo, sample_positions};
use crate::stats::{ElementEstimator, Estimator, MovingAverageSettings};
use crate::tensor::DType;

pub const SETTINGS: MovingAverageSettings = MovingAverageSettings { batch: 3, constant: 0.1 };

pub const OTHER_SETTINGS: MovingAverageSettings = MovingAverageSettings { batch: 2, constant: 0.5 };

pub const ESTIMATORS: [Estimator; 10] = [
    Estimator::MovingAverage(SETTINGS),
    Estimator::MovingAverage(OTHER_SETTINGS),
    Estimator::MovingAverage(MovingAverageSettings { batch: 1, constant: 0.01 }),
    Estimator::Percentile { min: 1.0, max: 99.0 },
    Estimator::Percentile { min: 0.0, max: 50.0 },
    Estimator::MinMax,
    Estimator::Mean,
    Estimator::TrimmedMean { trim: 0.1 },
    Estimator::TrimmedMean { trim: 0.0 },
    Estimator::MeanStd { sigmas: 2.5 },
];

/// Tensor 0 is ordinary, 1 is in a branch, 2 in a loop, 3 ordinary, 4 is never observed.
pub const TENSORS: usize = 5;

pub fn header() -> Header {
    let tensor =
        |i: usize| TensorEntry { subgraph: 0, index: i as u32, name: format!("tensor{i}") };
    Header {
        arithmetic: Arithmetic::Fast,
        model: ModelFingerprint { hash: [7; 32], byte_len: 1000 },
        tensors: (0..TENSORS).map(tensor).collect(),
        tool: "test".to_owned(),
        histograms: None,
    }
}

/// For a recording with histograms.
pub fn counting_header() -> Header {
    Header { histograms: Some(BinLimit::new(256).unwrap()), ..header() }
}

/// Without histograms, and with them.
pub fn headers() -> [Header; 2] {
    [header(), counting_header()]
}

/// Modes that need histograms.
pub const ELEMENT_ESTIMATORS: [ElementEstimator; 3] = [
    ElementEstimator::Percentile { min: 0.5, max: 99.0 },
    ElementEstimator::Kl { bits: 5 },
    ElementEstimator::Mse { bits: 8 },
];

/// A shard whose content is `seed`, with some records.
pub fn shard(seed: u8, records: u64) -> ShardInfo {
    let mut hash = [seed; 32];
    hash[..8].copy_from_slice(&records.to_le_bytes());
    ShardInfo {
        name: format!("{seed}.h5"),
        kind: "h5".to_owned(),
        byte_len: records * 100,
        identity: ShardIdentity {
            records,
            inputs: vec![(DType::F32, vec![1, 2])],
            sample: sample_positions(records),
            hash,
        },
    }
}

/// The observations of a record.
pub fn record(seed: u8, record: u64) -> RecordObservations {
    let mut state = (u64::from(seed) << 32 | record).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state >> 29;
        state = state.wrapping_mul(0xbf58_476d_1ce4_e5b9);
        state ^= state >> 32;
        (state % 20_011) as f32 / 997.0 - 10.0
    };
    let mut observation = || {
        let (a, b) = (next(), next());
        Observation { min: if a < b { a } else { b }, max: if a < b { b } else { a } }
    };
    let mut record = RecordObservations {
        single: vec![observation(), observation(), Observation::EMPTY, observation()],
        repeated: Vec::new(),
        histograms: Vec::new(),
    };
    let choice = (observation().min * 7.0).abs() as usize;
    if choice.is_multiple_of(3) {
        record.single[1] = Observation::EMPTY;
        record.repeated.push((1, Vec::new()));
    }
    if choice % 5 == 1 {
        record.single[2] = observation();
    } else {
        record.repeated.push((2, (0..choice % 5).map(|_| observation()).collect()));
    }
    record.single.push(Observation::EMPTY);
    record.repeated.push((4, Vec::new()));
    record
}

/// The same with the elements of each tensor: some for each observation, its extremes among them.
pub fn counted_record(seed: u8, number: u64) -> RecordObservations {
    let mut record = record(seed, number);
    let mut counter = Counter::new(Isa::detect(), BinLimit::new(256).unwrap());
    for (tensor, single) in record.single.iter().enumerate() {
        let repeated = record.repeated.iter().filter(|it| it.0 as usize == tensor);
        let single = Some(single).filter(|it| !it.is_empty());
        let mut histogram = Histogram::default();
        for &it in single.into_iter().chain(repeated.flat_map(|it| &it.1)) {
            let between = |i: u8| it.min + (it.max - it.min) * f32::from(i) / 8.0;
            let mut elements: Vec<f32> = (0..8).map(between).collect();
            elements.push(it.max);
            counter.count(&elements, Observation::scan(&elements), &mut histogram);
        }
        record.histograms.push(histogram);
    }
    record
}

/// Adds the next record of a shard.
pub fn push(writer: &mut Writer, seed: u8, number: u64) -> crate::error::Result<()> {
    if writer.header().histograms.is_some() {
        writer.push(&counted_record(seed, number))
    } else {
        writer.push(&record(seed, number))
    }
}

/// What is done to a writer.
#[derive(Clone, Debug)]
pub enum Op {
    /// Begins a shard of a seed and length.
    Begin(u8, u64),
    /// The same, from a record on.
    BeginAt(u8, u64, u64),
    /// Goes on with the shard at a position, which is of a seed and has a length by now.
    Continue(usize, u8, u64),
    /// Records of the current shard.
    Push(u64),
    Skip(&'static str),
    Commit,
}

/// Every kind of frame and column in a few commits.
pub fn sample_ops() -> Vec<Op> {
    vec![
        Op::Begin(1, 9),
        Op::Push(4),
        Op::Skip("all NaN"),
        Op::Push(2),
        Op::Commit,
        Op::Begin(2, 4),
        Op::Push(3),
        Op::Commit,
        Op::Skip("cut"),
        Op::Continue(0, 1, 12),
        Op::Push(3),
        Op::Commit,
        Op::Begin(3, 8),
        Op::Push(5),
    ]
}

/// Applies operations. `seed` and next record of the current shard are those of `shards`.
pub fn apply(writer: &mut Writer, ops: &[Op]) -> crate::error::Result<()> {
    for op in ops {
        match *op {
            Op::Begin(seed, records) => drop(writer.begin_shard(&shard(seed, records), 0)?),
            Op::BeginAt(seed, records, first) => {
                writer.begin_shard(&shard(seed, records), first)?;
            }
            Op::Continue(position, seed, records) => {
                writer.continue_shard(position, &shard(seed, records))?;
            }
            Op::Push(records) => {
                for _ in 0..records {
                    let (seed, next) = current(writer);
                    push(writer, seed, next)?;
                }
            }
            Op::Skip(reason) => writer.skip(reason)?,
            Op::Commit => drop(writer.commit()?),
        }
    }
    Ok(())
}

/// Seed of the current shard and its next record.
fn current(writer: &Writer) -> (u8, u64) {
    let position = writer.current_shard().expect("a shard was begun");
    let shard = &writer.shards()[position];
    (shard.info.name.trim_end_matches(".h5").parse().expect("a seed"), shard.records.end)
}

pub const NAME: &str = "memory.rmm";

pub fn create(storage: &MemoryStorage) -> Writer {
    create_with(storage, header())
}

pub fn create_with(storage: &MemoryStorage, header: Header) -> Writer {
    Writer::create_in(Box::new(storage.clone()), Path::new(NAME), header, SETTINGS).unwrap()
}

/// With the header that it has.
pub fn resume(storage: &MemoryStorage) -> crate::error::Result<Option<Writer>> {
    let header = if storage.live().get(8) == Some(&2) { counting_header() } else { header() };
    Writer::resume_in(Box::new(storage.clone()), Path::new(NAME), &header, SETTINGS)
}

pub fn open(storage: &MemoryStorage) -> crate::error::Result<Reader> {
    Reader::open_in(Box::new(storage.clone()), Path::new(NAME))
}

/// The bits of a reader's ranges by all estimators.
pub fn all_ranges(reader: &Reader) -> Vec<Vec<Option<(u32, u32)>>> {
    let ranges = |estimator: Estimator| bits(&reader.ranges(&estimator, 1 << 20).unwrap());
    estimators(reader.header()).map(ranges).collect()
}

/// The bits of a writer's ranges by all estimators.
pub fn writer_ranges(writer: &mut Writer) -> Vec<Vec<Option<(u32, u32)>>> {
    let estimators: Vec<Estimator> = estimators(writer.header()).collect();
    estimators.iter().map(|estimator| bits(&writer.ranges(estimator).unwrap())).collect()
}

/// All estimators that a recording has the observations for.
fn estimators(header: &Header) -> impl Iterator<Item = Estimator> + use<> {
    let of_elements = header.histograms.map(|_| ELEMENT_ESTIMATORS.map(Estimator::OfElements));
    ESTIMATORS.into_iter().chain(of_elements.into_iter().flatten())
}

pub fn bits(ranges: &[Option<Observation>]) -> Vec<Option<(u32, u32)>> {
    ranges.iter().map(|it| it.map(|it| (it.min.to_bits(), it.max.to_bits()))).collect()
}

/// Everything that a reader sees, in a form that compares.
pub fn everything(reader: &Reader) -> String {
    reader.check().unwrap();
    let mut text = format!("{:?} {:?}\n", reader.header(), reader.shards());
    for block in reader.blocks() {
        writeln!(text, "{:?}", block.unwrap()).unwrap();
    }
    let histograms = reader.histograms(0..TENSORS).unwrap();
    text + &format!("{histograms:?} {:?}", all_ranges(reader))
}
