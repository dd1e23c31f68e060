//! Shares of the exponentials of a row, and their logarithms.
//!
//! The sum of a row is made of sixteen partial sums of every sixteenth element each, added in halves.

use super::isa::{Isa, Task};
use super::math::{self, Quotients};
use super::minmax::{Fold, extreme};
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

/// Rows that take each step together: the steps of one wait for each other.
const TOGETHER: usize = 4;

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
        let depth = self.depth;
        let mut fold = Fold::new(s);
        let some = self.input.chunks(TOGETHER * depth);
        for (from, to) in some.zip(self.output.chunks_mut(TOGETHER * depth)) {
            let (mut greatest, mut sums) = ([0.0; TOGETHER], [0.0; TOGETHER]);
            for (row, greatest) in from.chunks_exact(depth).zip(&mut greatest) {
                *greatest = find_greatest(s, row);
            }
            let rows = from.chunks_exact(depth).zip(to.chunks_exact_mut(depth));
            for ((row, to), (greatest, sum)) in rows.zip(greatest.into_iter().zip(&mut sums)) {
                *sum = match self.softmax {
                    Softmax::Share { beta } => exponentials(s, (greatest, beta), row, to),
                    Softmax::Logarithm => exponentials(s, (greatest, 1.0), row, to),
                };
            }
            let rows = from.chunks_exact(depth).zip(to.chunks_exact_mut(depth));
            for ((row, to), (greatest, sum)) in rows.zip(greatest.into_iter().zip(sums)) {
                match self.softmax {
                    Softmax::Share { .. } => divide(s, sum, to, &mut fold),
                    Softmax::Logarithm => logarithms(s, (greatest, sum), row, to, &mut fold),
                }
            }
        }
        fold.finish(s)
    }
}

/// The greatest element.
#[inline(always)]
fn find_greatest<S: Simd>(s: S, row: &[f32]) -> f32 {
    let lowest = s.splat(f32::NEG_INFINITY);
    let mut greatest = lowest;
    let (vectors, tail) = row.as_chunks::<LANES>();
    for v in vectors {
        greatest = s.max(s.load(v), greatest);
    }
    let tail = s.select(s.first(tail.len()), s.load_partial(tail), lowest);
    extreme::<true>(s.to_array(s.max(tail, greatest)))
}

/// The exponentials of a row's elements less the greatest, times `beta`, and their sum.
#[inline(always)]
fn exponentials<S: Simd>(s: S, (greatest, beta): (f32, f32), from: &[f32], to: &mut [f32]) -> f32 {
    let (greatest, beta) = (s.splat(greatest), s.splat(beta));
    let mut sums = s.splat(0.0);
    let (vectors, tail) = from.as_chunks::<LANES>();
    let (results, last) = to.as_chunks_mut::<LANES>();
    for (from, to) in vectors.iter().zip(results) {
        let e = math::exp(s, s.mul(s.sub(s.load(from), greatest), beta));
        s.store(e, to);
        sums = s.add(sums, e);
    }
    if !tail.is_empty() {
        let e = math::exp(s, s.mul(s.sub(s.load_partial(tail), greatest), beta));
        s.store_partial(e, last);
        // Lanes beyond the row must not add.
        sums = s.add(sums, s.select(s.first(tail.len()), e, s.splat(0.0)));
    }
    s.sum(sums)
}

#[inline(always)]
fn divide<S: Simd>(s: S, sum: f32, to: &mut [f32], fold: &mut Fold<S>) {
    let quotients = Quotients::by(s, sum);
    let (vectors, last) = to.as_chunks_mut::<LANES>();
    for to in vectors {
        let result = quotients.of(s, s.load(to));
        fold.push(s, result);
        s.store(result, to);
    }
    if !last.is_empty() {
        let result = quotients.of(s, s.load_partial(last));
        fold.push_first(s, result, last.len());
        s.store_partial(result, last);
    }
}

#[inline(always)]
fn logarithms<S: Simd>(
    s: S,
    (greatest, sum): (f32, f32),
    from: &[f32],
    to: &mut [f32],
    fold: &mut Fold<S>,
) {
    let (greatest, logarithm) = (s.splat(greatest), math::log(s, s.splat(sum)));
    for (from, to) in from.chunks(LANES).zip(to.chunks_mut(LANES)) {
        let result = s.sub(s.sub(s.load_up_to(from), greatest), logarithm);
        fold.push_first(s, result, to.len());
        s.store_up_to(result, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::{assert_same_bits, ramp};

    #[test]
    fn rows_equal_sums_in_double() {
        for (depth, rows) in [(1, 3), (10, 4), (16, 9), (128, 6), (1001, 3)] {
            let input: Vec<f32> = ramp(depth * rows, 4).iter().map(|x| x * 30.0).collect();
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
