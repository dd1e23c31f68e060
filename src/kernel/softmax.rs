//! Shares of the exponentials of a row, and their logarithms.
//!
//! The sum of a row is made of sixteen partial sums of every sixteenth element each, added in halves.

use super::isa::{Isa, Task};
use super::math;
use super::minmax::Fold;
use super::reduce::{Reduction, reduce_run};
use super::simd::{LANES, Simd};
use crate::observation::Observation;

/// What becomes of the elements of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Softmax {
    /// `e^(beta (x - max)) / sum`
    Share {
        /// Factor of the elements.
        beta: f32,
    },
    /// `(x - max) - ln sum`
    Logarithm,
}

impl Softmax {
    /// Computes rows of `depth` elements and folds the extremes of the results.
    ///
    /// # Panics
    /// If the lengths differ or are not whole rows.
    pub fn run(self, isa: Isa, depth: usize, input: &[f32], output: &mut [f32]) -> Observation {
        assert_eq!(input.len(), output.len(), "one result an element");
        if input.is_empty() {
            return Observation::EMPTY;
        }
        assert_eq!(input.len() % depth, 0, "whole rows");
        isa.dispatch(Rows { softmax: self, depth, input, output })
    }
}

struct Rows<'a> {
    softmax: Softmax,
    depth: usize,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Task for Rows<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        let mut fold = Fold::new(s);
        let rows = self.input.chunks_exact(self.depth);
        for (from, to) in rows.zip(self.output.chunks_exact_mut(self.depth)) {
            let max = s.splat(reduce_run(s, Reduction::Max, from));
            match self.softmax {
                Softmax::Share { beta } => shares(s, max, beta, from, to, &mut fold),
                Softmax::Logarithm => logarithms(s, max, from, to, &mut fold),
            }
        }
        fold.finish(s)
    }
}

#[inline(always)]
fn shares<S: Simd>(s: S, max: S::V, beta: f32, from: &[f32], to: &mut [f32], fold: &mut Fold<S>) {
    let beta = s.splat(beta);
    let mut sums = s.splat(0.0);
    for (from, to) in from.chunks(LANES).zip(to.chunks_mut(LANES)) {
        let e = math::exp(s, s.mul(s.sub(s.load_up_to(from), max), beta));
        s.store_up_to(e, to);
        sums = s.add(sums, first(s, e, to.len()));
    }
    let sum = s.splat(s.sum(sums));
    for to in to.chunks_mut(LANES) {
        let result = s.div(s.load_up_to(to), sum);
        fold.push_first(s, result, to.len());
        s.store_up_to(result, to);
    }
}

#[inline(always)]
fn logarithms<S: Simd>(s: S, max: S::V, from: &[f32], to: &mut [f32], fold: &mut Fold<S>) {
    let mut sums = s.splat(0.0);
    for from in from.chunks(LANES) {
        let e = math::exp(s, s.sub(s.load_up_to(from), max));
        sums = s.add(sums, first(s, e, from.len()));
    }
    let logarithm = math::log(s, s.splat(s.sum(sums)));
    for (from, to) in from.chunks(LANES).zip(to.chunks_mut(LANES)) {
        let result = s.sub(s.sub(s.load_up_to(from), max), logarithm);
        fold.push_first(s, result, to.len());
        s.store_up_to(result, to);
    }
}

/// The first `n` lanes; those beyond the row must not add.
#[inline(always)]
fn first<S: Simd>(s: S, v: S::V, n: usize) -> S::V {
    s.select(s.first(n), v, s.splat(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::{assert_same_bits, ramp};

    #[test]
    fn rows_equal_sums_in_double() {
        for depth in [1, 10, 16, 1001] {
            let input: Vec<f32> = ramp(depth * 3, 4).iter().map(|x| x * 30.0).collect();
            for softmax in [Softmax::Share { beta: 1.5 }, Softmax::Logarithm] {
                let beta = if let Softmax::Share { beta } = softmax { beta.into() } else { 1.0 };
                let mut expected = Vec::new();
                for row in input.chunks(depth) {
                    let max = f64::from(row.iter().copied().fold(f32::MIN, f32::max));
                    let scaled = row.iter().map(|&x| beta * (f64::from(x) - max));
                    let sum: f64 = scaled.clone().map(f64::exp).sum();
                    expected.extend(scaled.map(|x| match softmax {
                        Softmax::Share { .. } => x.exp() / sum,
                        Softmax::Logarithm => x - sum.ln(),
                    }));
                }
                let mut reference: Option<Vec<f32>> = None;
                for isa in Isa::supported() {
                    let mut output = vec![0.0; input.len()];
                    let observed = softmax.run(isa, depth, &input, &mut output);
                    assert!(observed.same_bits(Observation::scan(&output)));
                    for (&y, expected) in output.iter().zip(&expected) {
                        let bound = 1.0e-6 * expected.abs().max(1.0);
                        assert!((f64::from(y) - expected).abs() < bound, "{isa} {softmax:?}");
                    }
                    let reference = reference.get_or_insert_with(|| output.clone());
                    assert_same_bits(&output, reference, isa.name());
                }
            }
        }
    }
}
