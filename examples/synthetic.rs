//! Writes a recording of made-up observations that has something of everything a report can show: several
//! shards, records left out, a broken record, drift, outliers, infinities, loops, branches.
//!
//! `cargo run --release --example synthetic -- FILE [RECORDS [TENSORS]]`
#![allow(clippy::print_stdout, missing_docs)]

use std::path::Path;

use record_minmax::arithmetic::Arithmetic;
use record_minmax::fingerprint::ModelFingerprint;
use record_minmax::observation::{Observation, RecordObservations};
use record_minmax::recording::{Header, TensorEntry, Writer};
use record_minmax::shard::{ShardIdentity, ShardInfo, sample_positions};
use record_minmax::stats::MovingAverageSettings;
use record_minmax::tensor::DType;

const SETTINGS: MovingAverageSettings = MovingAverageSettings { batch: 16, constant: 0.1 };

const SHARDS: u64 = 8;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, numbers @ ..] = arguments.as_slice() else {
        println!("usage: synthetic FILE [RECORDS [TENSORS]]");
        std::process::exit(2);
    };
    let number = |i: usize, otherwise: u64| {
        numbers.get(i).map_or(otherwise, |it| it.parse().expect("a number"))
    };
    let (records, tensors) = (number(0, 100_000), number(1, 300) as usize);
    write(Path::new(path), records, tensors);
    println!("{path}: {records} records of {tensors} tensors");
}

/// Names as a converter gives them.
fn name(tensor: usize) -> String {
    let (block, layer) = (tensor / 6, tensor % 6);
    let layer = [
        "expand_conv/Relu6",
        "depthwise/Relu6",
        "project/BiasAdd",
        "add/Add",
        "squeeze/Mean",
        "gate/Sigmoid",
    ][layer];
    format!("mobile_net/block_{block}_{layer};mobile_net/block_{block}_{layer}/FusedBatchNormV3")
}

fn shard(number: u64, records: u64) -> ShardInfo {
    let identity = ShardIdentity {
        records,
        inputs: vec![(DType::F32, vec![1, 224, 224, 3])],
        sample: sample_positions(records),
        hash: [number as u8 + 1; 32],
    };
    ShardInfo {
        name: format!("calibration-{number:02}.h5"),
        kind: "h5-packed".to_owned(),
        byte_len: records * 602_112,
        identity,
    }
}

/// A stream of random numbers (xorshift).
struct Random(u64);

impl Random {
    /// From 0 to 1, without either.
    fn uniform(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// The maximum of many: Gumbel distributed.
    fn extreme(&mut self) -> f64 {
        -(-self.uniform().ln()).ln()
    }
}

fn write(path: &Path, records: u64, tensors: usize) {
    let entry = |index: usize| TensorEntry {
        // The last two are in a branch that no record takes.
        subgraph: u32::from(index + 2 >= tensors),
        index: index as u32,
        name: name(index),
    };
    let header = Header {
        model: ModelFingerprint { hash: [0x5e; 32], byte_len: 13_978_240 },
        tensors: (0..tensors).map(entry).collect(),
        arithmetic: Arithmetic::Fast,
        tool: "synthetic".to_owned(),
        histograms: None,
    };
    let mut writer = Writer::create(path, header, SETTINGS).expect("a new file");
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut record = RecordObservations::default();
    for number in 0..records {
        let first = |shard: u64| shard * records / SHARDS;
        if let Some(at) = (0..SHARDS).find(|&it| first(it) == number && first(it + 1) > number) {
            writer.begin_shard(&shard(at, first(at + 1) - first(at)), 0).expect("a shard");
        }
        if number % 9973 == 500 {
            writer.skip("all elements of the input are NaN").expect("a record left out");
        } else {
            observe(number, records, tensors, &mut random, &mut record);
            writer.push(&record).expect("a record");
        }
        if number % 5000 == 4999 {
            writer.commit().expect("a commit");
        }
    }
    writer.commit().expect("a commit");
}

fn observe(
    number: u64,
    records: u64,
    tensors: usize,
    random: &mut Random,
    record: &mut RecordObservations,
) {
    record.single.clear();
    record.repeated.clear();
    // One image that is all white, and what comes of it.
    let broken = number == records / 3;
    for tensor in 0..tensors {
        let scale = 0.5 + 3.0 * ((tensor * 7919) % 97) as f64 / 97.0 * (1.0 + tensor as f64 / 60.0);
        let mut draw = || {
            let (low, high) = (random.extreme(), random.extreme());
            let mut observation = match tensor % 6 {
                0 | 1 => (0.0, (4.0 + 0.6 * high).clamp(0.0, 6.0)),
                5 => (0.5 / (1.0 + (2.0 + low).exp()), 1.0 / (1.0 + (-2.0 - high).exp())),
                _ => (-scale * (3.0 + 0.4 * low), scale * (4.0 + 0.5 * high)),
            };
            if broken && matches!(tensor % 6, 2..=4) {
                observation.1 *= 9.0;
            }
            // Later shards are brighter.
            if tensor % 41 == 3 {
                observation.1 *= 1.0 + number as f64 / records as f64;
            }
            if tensor == 88 && number % 20_011 == 77 {
                observation.1 = f64::INFINITY;
            }
            let (min, max) = (observation.0 as f32 + 0.0, observation.1 as f32 + 0.0);
            Observation { min, max: if max < min { min } else { max } }
        };
        let executions = match tensor {
            _ if tensor + 2 >= tensors => 0,
            // A loop of up to four rounds, and a branch that every other record takes.
            100 => 1 + number % 4,
            101 => number % 2,
            _ => 1,
        };
        if executions == 1 {
            record.single.push(draw());
        } else {
            record.single.push(Observation::EMPTY);
            record.repeated.push((tensor as u32, (0..executions).map(|_| draw()).collect()));
        }
    }
}
