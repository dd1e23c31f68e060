//! Random records, for trying a model without data.

use super::identity::{self, hash_records};
use super::{InputSpec, Record, RecordSource, check_inputs};
use crate::error::{Error, Result};
use crate::shard::ShardInfo;
use crate::tensor::{AlignedBuffer, DType};

/// Number of random records unless asked otherwise; that of ONE's `record-minmax`.
pub const DEFAULT_RANDOM_RECORDS: u64 = 3;

/// A source of one shard of `records` random records.
///
/// Elements are uniform: `f32` from -5 (included) to 5 (not included), `i32` and `i64` from 0 to
/// 100 (both included), bool 0 or 1. A record depends on `seed` and its position only, so that any
/// of them can be read at any time, and a source with more records starts with the same ones.
///
/// # Errors
/// [`ErrorKind::Usage`](crate::error::ErrorKind::Usage) for no records,
/// [`ErrorKind::Model`](crate::error::ErrorKind::Model) for inputs of other types and those that
/// [`open`](super::open) refuses.
pub fn random(inputs: &[InputSpec], records: u64, seed: u64) -> Result<Box<dyn RecordSource>> {
    check_inputs(inputs)?;
    if records == 0 {
        return Err(Error::usage("the number of random records must be at least 1"));
    }
    if let Some((index, input)) = inputs.iter().enumerate().find(|(_, i)| !is_supported(i)) {
        let InputSpec { name, input_type } = input;
        if input_type.is_open() {
            return Err(Error::model(format!(
                "input {index} (\"{name}\") of type {input_type} has no shape for random records"
            ))
            .with_hint(format!("choose it, for instance --input-shape {name}=1,16")));
        }
        return Err(Error::model(format!(
            "input {index} (\"{name}\") of type {input_type} cannot be filled with random values \
             (FLOAT32, INT32, INT64 and BOOL can)",
        ))
        .with_hint("give a dataset with --input-data"));
    }
    let mut scratch = Record::for_inputs(inputs)?;
    let mut read = |record, into: &mut Record| generate(inputs, seed, record, into);
    let identity = identity::identify(inputs, records, &mut scratch, &mut read)?;
    let bytes: u64 = scratch.inputs.iter().map(|input| input.len() as u64).sum();
    let info = ShardInfo {
        name: format!("random data (seed {seed})"),
        kind: "random".to_owned(),
        byte_len: bytes.saturating_mul(records),
        identity,
    };
    Ok(Box::new(RandomSource { inputs: inputs.to_vec(), seed, shards: [info], scratch }))
}

struct RandomSource {
    inputs: Vec<InputSpec>,
    seed: u64,
    shards: [ShardInfo; 1],
    scratch: Record,
}

impl RecordSource for RandomSource {
    fn shards(&self) -> &[ShardInfo] {
        &self.shards
    }

    fn read(&mut self, shard: usize, record: u64, into: &mut Record) -> Result<()> {
        let info = self.shards.get(shard);
        if info.is_none_or(|info| record >= info.identity.records) {
            return Err(Error::internal(format!("no record {record} in random shard {shard}")));
        }
        generate(&self.inputs, self.seed, record, into)
    }

    fn hash_sample(&mut self, shard: usize, positions: &[u64]) -> Result<[u8; 32]> {
        let records = self.shards.get(shard).map_or(0, |info| info.identity.records);
        if let Some(position) = positions.iter().find(|&&p| p >= records) {
            return Err(Error::internal(format!("no record {position} in random shard {shard}")));
        }
        let Self { inputs, seed, scratch, .. } = self;
        let mut read = |record, into: &mut Record| generate(inputs, *seed, record, into);
        hash_records(inputs, positions, scratch, &mut read)
    }
}

fn is_supported(input: &InputSpec) -> bool {
    let dtype = input.input_type.dtype;
    !input.input_type.is_open()
        && matches!(dtype, DType::F32 | DType::I32 | DType::I64 | DType::Bool)
}

fn generate(inputs: &[InputSpec], seed: u64, record: u64, into: &mut Record) -> Result<()> {
    super::check_buffers(inputs, into)?;
    for (index, (input, buffer)) in inputs.iter().zip(&mut into.inputs).enumerate() {
        let mut numbers = SplitMix64::for_stream(seed, record, index as u64);
        fill(input.input_type.dtype, &mut numbers, buffer);
    }
    Ok(())
}

fn fill(dtype: DType, numbers: &mut SplitMix64, buffer: &mut AlignedBuffer) {
    match dtype {
        DType::F32 => {
            for value in buffer.as_mut_slice::<f32>() {
                *value = numbers.next_unit() * 10.0 - 5.0;
            }
        }
        DType::I32 => {
            for value in buffer.as_mut_slice::<i32>() {
                *value = numbers.next_below(101) as i32;
            }
        }
        DType::I64 => {
            for value in buffer.as_mut_slice::<i64>() {
                *value = i64::from(numbers.next_below(101));
            }
        }
        _ => {
            for value in buffer.bytes_mut() {
                *value = numbers.next_below(2) as u8;
            }
        }
    }
}

/// The `SplitMix64` generator: a counter, and a mixing function over it (Steele, Lea, Flood: "Fast
/// splittable pseudorandom number generators", OOPSLA 2014; constants of Vigna's public domain
/// `splitmix64.c`).
struct SplitMix64(u64);

impl SplitMix64 {
    /// A stream of its own for each input of each record.
    fn for_stream(seed: u64, record: u64, input: u64) -> Self {
        let start = mix(seed ^ mix(record ^ mix(input)));
        Self(start)
    }

    fn next(&mut self) -> u64 {
        let word = mix(self.0);
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        word
    }

    /// Uniform in [0, 1), a multiple of 2^-24.
    fn next_unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1_u32 << 24) as f32
    }

    /// Uniform below `bound`, but for a bias of at most `bound` / 2^64.
    fn next_below(&mut self, bound: u32) -> u32 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u32
    }
}

/// The output of `SplitMix64` in the state before its increment.
fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::tensor::TensorType;

    fn inputs(types: &[(DType, &[usize])]) -> Vec<InputSpec> {
        let named = types.iter().enumerate();
        named
            .map(|(i, &(dtype, shape))| InputSpec {
                name: format!("input_{i}"),
                input_type: TensorType::new(dtype, shape).into(),
            })
            .collect()
    }

    #[test]
    fn generator_gives_the_published_sequence() {
        // First outputs of splitmix64.c for the state 1234567.
        let mut numbers = SplitMix64(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
        ];
        assert_eq!(expected.map(|_| numbers.next()), expected);
    }

    #[test]
    fn values_are_in_range_and_fill_it() {
        let inputs = inputs(&[
            (DType::F32, &[100, 100]),
            (DType::I32, &[10_000]),
            (DType::I64, &[10_000]),
            (DType::Bool, &[1000]),
        ]);
        let mut source = random(&inputs, 2, 7).unwrap();
        let mut record = Record::for_inputs(&inputs).unwrap();
        source.read(0, 1, &mut record).unwrap();

        let floats = record.inputs[0].as_slice::<f32>();
        assert!(floats.iter().all(|v| (-5.0..5.0).contains(v)));
        assert!(floats.iter().any(|&v| v < -4.99) && floats.iter().any(|&v| v > 4.99));
        let mean = floats.iter().sum::<f32>() / 10_000.0;
        assert!(mean.abs() < 0.1, "{mean}");
        let ints = record.inputs[1].as_slice::<i32>();
        assert_eq!((ints.iter().min(), ints.iter().max()), (Some(&0), Some(&100)));
        let longs = record.inputs[2].as_slice::<i64>();
        assert_eq!((longs.iter().min(), longs.iter().max()), (Some(&0), Some(&100)));
        let ones: u32 = record.inputs[3].bytes().iter().map(|&b| u32::from(b)).sum();
        assert!((400..600).contains(&ones), "{ones}");
        assert!(record.inputs[3].bytes().iter().all(|&b| b <= 1));
    }

    #[test]
    fn largest_float_is_below_five() {
        let largest = ((1_u32 << 24) - 1) as f32 / (1_u32 << 24) as f32;
        assert!(largest * 10.0 - 5.0 < 5.0);
    }

    #[test]
    fn a_record_depends_on_seed_and_position_only() {
        let inputs = inputs(&[(DType::F32, &[4]), (DType::F32, &[4])]);
        let mut record = Record::for_inputs(&inputs).unwrap();
        let mut read = |records, seed, position| {
            let mut source = random(&inputs, records, seed).unwrap();
            source.read(0, position, &mut record).unwrap();
            record.inputs.iter().map(|b| b.as_slice::<f32>().to_vec()).collect::<Vec<_>>()
        };
        let reference = read(3, 0, 2);
        assert_eq!(read(100, 0, 2), reference);
        assert_ne!(read(3, 1, 2), reference);
        assert_ne!(read(3, 0, 1), reference);
        assert_ne!(reference[0], reference[1]);
    }

    #[test]
    fn a_longer_source_is_recognised_by_its_old_part() {
        let inputs = inputs(&[(DType::I32, &[2])]);
        let short = random(&inputs, 20, 5).unwrap().shards()[0].identity.clone();
        let mut long = random(&inputs, 50, 5).unwrap();
        assert_eq!(long.hash_sample(0, &short.sample).unwrap(), short.hash);
        assert_ne!(long.shards()[0].identity.hash, short.hash);
        assert_eq!(long.hash_sample(0, &[50]).unwrap_err().kind(), ErrorKind::Internal);
    }

    #[test]
    fn other_types_and_no_records_are_refused() {
        let refused = random(&inputs(&[(DType::U8, &[2])]), 3, 0).err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::Model);
        assert_eq!(
            refused.to_string(),
            "input 0 (\"input_0\") of type UINT8 [2] cannot be filled with random values \
             (FLOAT32, INT32, INT64 and BOOL can)"
        );
        let none = random(&inputs(&[(DType::F32, &[2])]), 0, 0).err().unwrap();
        assert_eq!(none.kind(), ErrorKind::Usage);
    }
}
