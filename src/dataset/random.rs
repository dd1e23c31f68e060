//! Random records, for trying a model without data.

mod distribution;
mod generator;

use self::generator::SplitMix64;
use super::{InputSpec, Record, RecordSource, check_inputs, function};
use crate::error::{Error, Result};
use crate::tensor::DType;

pub use self::distribution::Distribution;

/// Number of random records unless asked otherwise; that of ONE's `record-minmax`.
pub const DEFAULT_RANDOM_RECORDS: u64 = 3;

/// A source of one shard of `records` random records, with the values of [`Distribution::default_of`] the inputs'
/// types.
///
/// # Errors
/// As for [`random_with`].
pub fn random(inputs: &[InputSpec], records: u64, seed: u64) -> Result<Box<dyn RecordSource>> {
    random_with(inputs, &vec![None; inputs.len()], records, seed)
}

/// A source of one shard of `records` random records, with a distribution for each input, or none for that
/// of [`random`]. A record depends on `seed` and its position only, so that any
/// of them can be read at any time, and a source with more records starts with the same ones.
///
/// # Errors
/// [`ErrorKind::Usage`](crate::error::ErrorKind::Usage) for no records and for distributions that the type of
/// their input cannot have,
/// [`ErrorKind::Model`](crate::error::ErrorKind::Model) for inputs of other types and those that
/// [`open`](super::open) refuses.
pub fn random_with(
    inputs: &[InputSpec],
    distributions: &[Option<Distribution>],
    records: u64,
    seed: u64,
) -> Result<Box<dyn RecordSource>> {
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
    let distributions = chosen(inputs, distributions)?;
    let (name, own) = (format!("random data (seed {seed})"), inputs.to_vec());
    function::source(inputs, (&name, "random"), records, move |record, into| {
        generate(&own, &distributions, seed, record, into);
        Ok(())
    })
}

/// The distribution of each input.
fn chosen(
    inputs: &[InputSpec],
    distributions: &[Option<Distribution>],
) -> Result<Vec<Distribution>> {
    if inputs.len() != distributions.len() {
        return Err(Error::internal("there is not one distribution for each input"));
    }
    let chosen = inputs.iter().zip(distributions).map(|(input, distribution)| {
        let dtype = input.input_type.dtype;
        let Some(distribution) = distribution else { return Ok(Distribution::default_of(dtype)) };
        distribution.check(dtype).map_err(|why| {
            Error::usage(format!("input \"{}\" of type {dtype}: {why}", input.name))
        })?;
        Ok(*distribution)
    });
    chosen.collect()
}

fn is_supported(input: &InputSpec) -> bool {
    let dtype = input.input_type.dtype;
    !input.input_type.is_open()
        && matches!(dtype, DType::F32 | DType::I32 | DType::I64 | DType::Bool)
}

fn generate(
    inputs: &[InputSpec],
    distributions: &[Distribution],
    seed: u64,
    record: u64,
    into: &mut Record,
) {
    let buffers = inputs.iter().zip(distributions).zip(&mut into.inputs);
    for (index, ((input, distribution), buffer)) in buffers.enumerate() {
        let mut numbers = SplitMix64::for_stream(seed, record, index as u64);
        distribution.fill(input.input_type.dtype, &mut numbers, buffer);
    }
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
    fn every_input_has_its_distribution() {
        let inputs = inputs(&[
            (DType::F32, &[100, 100]),
            (DType::F32, &[100, 100]),
            (DType::I32, &[10_000]),
            (DType::I64, &[10_000]),
        ]);
        let distributions = [
            Some(Distribution::Normal { mean: 10.0, std: 2.0 }),
            Some(Distribution::Uniform { low: 0.0, high: 1.0 }),
            Some(Distribution::Normal { mean: -3.0, std: 1.5 }),
            Some(Distribution::Uniform { low: -5.0, high: 7.0 }),
        ];
        let mut source = random_with(&inputs, &distributions, 2, 7).unwrap();
        let mut record = Record::for_inputs(&inputs).unwrap();
        source.read(0, 1, &mut record).unwrap();
        let moments = |values: Vec<f64>| {
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let of_power = |p| values.iter().map(|v| (v - mean).powi(p)).sum::<f64>() / n;
            (mean, of_power(2).sqrt(), of_power(4) / of_power(2).powi(2))
        };
        let wide = |values: &[f32]| values.iter().map(|&it| f64::from(it)).collect::<Vec<_>>();
        // Mean, standard deviation and kurtosis: 3 for normal, 1.8 for uniform numbers.
        let near = |(a, b, c): (f64, f64, f64), (x, y, z): (f64, f64, f64)| {
            assert!((a - x).abs() < 0.1 && (b - y).abs() < 0.05, "{a} {b}");
            assert!((c - z).abs() < 0.15, "{c}");
        };
        near(moments(wide(record.inputs[0].as_slice())), (10.0, 2.0, 3.0));
        near(moments(wide(record.inputs[1].as_slice())), (0.5, 0.289, 1.8));
        let ints = record.inputs[2].as_slice::<i32>().iter().map(|&it| f64::from(it)).collect();
        near(moments(ints), (-3.0, 1.528, 3.0));
        let longs = record.inputs[3].as_slice::<i64>();
        assert_eq!((longs.iter().min(), longs.iter().max()), (Some(&-5), Some(&7)));
    }

    #[test]
    fn distributions_that_do_not_fit_are_refused() {
        let inputs = inputs(&[(DType::I32, &[2])]);
        for (distribution, expected) in [
            (Distribution::Uniform { low: 1.0, high: 0.0 }, "above"),
            (Distribution::Uniform { low: 0.5, high: 3.0 }, "whole numbers"),
            (Distribution::Uniform { low: 0.0, high: 3e9 }, "INT32"),
            (Distribution::Normal { mean: 0.0, std: -1.0 }, "negative"),
            (Distribution::Normal { mean: f64::NAN, std: 1.0 }, "finite"),
        ] {
            let refused = random_with(&inputs, &[Some(distribution)], 3, 0).err().unwrap();
            assert_eq!(refused.kind(), ErrorKind::Usage);
            assert!(refused.to_string().contains(expected), "{refused}");
        }
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
