//! Random numbers: `RANDOM_UNIFORM`, `RANDOM_STANDARD_NORMAL`, `MULTINOMIAL`.
//!
//! Every evaluation begins with the seeds, so that a record's results do not depend on those before it; two
//! seeds of zero are seeds like any others. Semantics: the first evaluation of TFLite's `random_ops.cc`.

pub(super) mod bits;
mod philox;

use bytemuck::Pod;

use super::attributes::attributes;
use super::indices::{constant_count, constant_shape};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::elementwise::{Unary, unary};
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};
use philox::Philox;

#[derive(Clone, Copy)]
enum Distribution {
    Uniform,
    Normal,
}

pub(super) struct Random {
    distribution: Distribution,
    seeds: Philox,
}

/// The sequence that a node's seeds begin.
fn seeds(node: &Node) -> Result<Philox> {
    let options = attributes!(node, RandomOptions);
    Ok(Philox::seeded(options.seed, options.seed2))
}

impl Random {
    pub(super) fn uniform(node: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self { distribution: Distribution::Uniform, seeds: seeds(node)? }))
    }

    pub(super) fn normal(node: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self { distribution: Distribution::Normal, seeds: seeds(node)? }))
    }
}

impl Operator for Random {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::new(DType::F32, constant_shape(inputs, 0)?)])
    }

    fn prepare(&self, _: &PrepareContext<'_>) -> Result<Prepared> {
        let (distribution, seeds) = (self.distribution, self.seeds);
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let isa = context.isa();
            let mut numbers = seeds;
            for to in context.output::<f32>(0).chunks_mut(4) {
                let block = numbers.next().map(unit);
                let block = match distribution {
                    Distribution::Uniform => block,
                    Distribution::Normal => {
                        // Box and Muller, A note on the generation of random normal deviates, 1958.
                        let of = |function, x: [f32; 2]| {
                            let mut results = [0.0; 2];
                            unary(isa, function, &x, &mut results);
                            results
                        };
                        let [a, angle_a, b, angle_b] = block;
                        let logarithms = of(Unary::Log, [a, b].map(|x| x.max(1.0e-7)));
                        let [a, b] = logarithms.map(|log| (-2.0 * log).sqrt());
                        let angles = [angle_a, angle_b].map(|x| 2.0 * std::f32::consts::PI * x);
                        let (sines, cosines) = (of(Unary::Sin, angles), of(Unary::Cos, angles));
                        [sines[0] * a, cosines[0] * a, sines[1] * b, cosines[1] * b]
                    }
                };
                to.copy_from_slice(&block[..to.len()]);
            }
            Ok(())
        }))
    }
}

/// The bits as the fraction of a number in `[0, 1)`.
fn unit(bits: u32) -> f32 {
    f32::from_bits(1.0_f32.to_bits() | (bits & 0x7f_ffff)) - 1.0
}

pub(super) struct Multinomial {
    seeds: Philox,
}

impl Multinomial {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self { seeds: seeds(node)? }))
    }
}

impl Operator for Multinomial {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        inputs.expect_dtype(0, DType::F32)?;
        let [batch, classes] = inputs.shape_of_rank(0)?;
        if classes == 0 {
            return Err(Error::model("there are no classes to choose from"));
        }
        match inputs.declared(0)?.dtype {
            dtype @ (DType::I32 | DType::I64) => {
                Ok(vec![TensorType::new(dtype, [batch, constant_count(inputs, 1)?])])
            }
            other => Err(Error::model(format!("classes cannot be {other}"))),
        }
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let [_, classes] = context.inputs.shape_of_rank(0)?;
        let samples = context.outputs[0].shape[1];
        let choice = Choice { seeds: self.seeds, classes, samples };
        let is_wide = context.outputs[0].dtype == DType::I64;
        let scratch = classes
            .checked_mul(size_of::<f64>())
            .ok_or_else(|| Error::model("there are too many classes"))?;
        let prepared = Prepared::eval(Observe::Scan, move |context| {
            if is_wide {
                choice.sample(context, |class| class as i64);
            } else {
                choice.sample(context, |class| class as i32);
            }
            Ok(())
        });
        Ok(prepared.with_scratch(scratch))
    }
}

struct Choice {
    seeds: Philox,
    classes: usize,
    samples: usize,
}

impl Choice {
    fn sample<T: Pod>(&self, context: &mut EvalContext<'_>, to_output: fn(usize) -> T) {
        let logits = context.input::<f32>(0);
        let (output, scratch) = context.output_and_scratch::<T>();
        if output.is_empty() {
            return;
        }
        let bytes = self.classes * size_of::<f64>();
        let sums: &mut [f64] = bytemuck::cast_slice_mut(&mut scratch[..bytes]);
        let mut numbers = self.seeds;
        // Two numbers make one, and what is left is for the next row.
        let mut left = [0; 2];
        let mut is_left = false;
        let rows = output.chunks_exact_mut(self.samples).zip(logits.chunks_exact(self.classes));
        for (to, logits) in rows {
            let total = add_up(logits, sums);
            for to in to {
                let pair = if is_left {
                    left
                } else {
                    let [a, b, c, d] = numbers.next();
                    left = [c, d];
                    [a, b]
                };
                is_left = !is_left;
                let wanted = wide_unit(pair) * total;
                *to = to_output(sums.partition_point(|&sum| sum <= wanted));
            }
        }
    }
}

/// Sums of the exponentials of logits up to each, and that of all; those that are not finite count for
/// nothing.
fn add_up(logits: &[f32], sums: &mut [f64]) -> f64 {
    let finite = logits.iter().copied().filter(|x| x.is_finite());
    let largest = finite.fold(f32::MIN, |a, b| if b > a { b } else { a });
    let mut total = 0.0;
    for (to, &x) in sums.iter_mut().zip(logits) {
        if x.is_finite() {
            total += exp(f64::from(x) - f64::from(largest));
        }
        *to = total;
    }
    total
}

/// The bits as the fraction of a number in `[0, 1)`, upper part first.
fn wide_unit([high, low]: [u32; 2]) -> f64 {
    let fraction = u64::from(high & 0xf_ffff) << 32 | u64::from(low);
    f64::from_bits(1.0_f64.to_bits() | fraction) - 1.0
}

/// `e^x` for `x` up to 0, to about the last digit, and the same on every machine: `2^n e^r` with the series
/// of `e^r`.
fn exp(x: f64) -> f64 {
    const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    if x < -708.0 {
        return 0.0;
    }
    let n = (x * std::f64::consts::LOG2_E).round_ties_even();
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    let series = (1..=14).rev().fold(1.0, |sum, k| 1.0 + sum * r / f64::from(k));
    series * f64::from_bits(((1023 + n as i64) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials() {
        for x in [0.0, -1.0e-9, -0.3, -0.5, -1.0, -10.25, -300.0, -707.9, -709.0, -1.0e300] {
            let expected = if x < -708.0 { 0.0 } else { f64::exp(x) };
            assert!((exp(x) - expected).abs() <= 4.0e-16 * expected, "{x}");
        }
    }
}
