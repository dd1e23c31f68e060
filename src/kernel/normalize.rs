//! Elements over a norm of their row, or of their neighbours in the row.
//!
//! Squares are summed in double precision: sixteen partial sums of every sixteenth element each, added
//! in halves.

use super::gemm::Clamp;
use super::isa::{Isa, Task};
use super::math;
use super::minmax::Fold;
use super::simd::{LANES, Simd};
use crate::observation::Observation;

/// What the elements of a row are divided by, and what follows.
#[derive(Clone, Copy, Debug)]
pub enum RowNorm<'a> {
    /// The square root of the sum of squares, or `least` if that is more.
    Euclidean {
        /// Smallest divisor.
        least: f32,
        /// Fused activation.
        clamp: Clamp,
    },
    /// The square root of the mean of squares and `epsilon`; then `gamma x + beta`, each of one value or of
    /// one an element of the row.
    RootMeanSquare {
        /// What is added to the mean.
        epsilon: f32,
        /// Factors.
        gamma: &'a [f32],
        /// Summands.
        beta: &'a [f32],
    },
}

impl RowNorm<'_> {
    /// Normalizes rows of `depth` elements and folds the extremes of the results.
    ///
    /// # Panics
    /// If the lengths differ or are not whole rows, or there are more or fewer factors or summands.
    pub fn run(self, isa: Isa, depth: usize, input: &[f32], output: &mut [f32]) -> Observation {
        assert_eq!(input.len(), output.len(), "one result an element");
        if input.is_empty() {
            return Observation::EMPTY;
        }
        assert_eq!(input.len() % depth, 0, "whole rows");
        if let Self::RootMeanSquare { gamma, beta, .. } = self {
            let fits = |values: &[f32]| values.len() == 1 || values.len() == depth;
            assert!(fits(gamma) && fits(beta), "one factor and summand, or one an element");
        }
        isa.dispatch(Rows { norm: self, depth, input, output })
    }
}

struct Rows<'a> {
    norm: RowNorm<'a>,
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
            let squares = sum_of_squares(from);
            let divisor = match self.norm {
                RowNorm::Euclidean { least, .. } => {
                    let norm = squares.sqrt() as f32;
                    if norm < least { least } else { norm }
                }
                RowNorm::RootMeanSquare { epsilon, .. } => {
                    (squares / self.depth as f64 + f64::from(epsilon)).sqrt() as f32
                }
            };
            let divisor = s.splat(divisor);
            for (i, (from, to)) in from.chunks(LANES).zip(to.chunks_mut(LANES)).enumerate() {
                let share = s.div(s.load_up_to(from), divisor);
                let result = match self.norm {
                    RowNorm::Euclidean { clamp, .. } => clamp.apply(s, share),
                    RowNorm::RootMeanSquare { gamma, beta, .. } => {
                        let gamma = load_or_repeat(s, gamma, i * LANES, to.len());
                        s.fma(share, gamma, load_or_repeat(s, beta, i * LANES, to.len()))
                    }
                };
                fold.push_first(s, result, to.len());
                s.store_up_to(result, to);
            }
        }
        fold.finish(s)
    }
}

/// `len` values from `at` on, or the only one.
#[inline(always)]
fn load_or_repeat<S: Simd>(s: S, values: &[f32], at: usize, len: usize) -> S::V {
    match values {
        &[only] => s.splat(only),
        _ => s.load_up_to(&values[at..at + len]),
    }
}

#[inline(always)]
fn sum_of_squares(row: &[f32]) -> f64 {
    let mut sums = [0.0; LANES];
    let (blocks, rest) = row.as_chunks::<LANES>();
    for block in blocks {
        for (sum, &x) in sums.iter_mut().zip(block) {
            *sum += f64::from(x) * f64::from(x);
        }
    }
    for (sum, &x) in sums.iter_mut().zip(rest) {
        *sum += f64::from(x) * f64::from(x);
    }
    sum_of_lanes(sums)
}

/// The sum in halves.
#[inline(always)]
pub(super) fn sum_of_lanes(mut lanes: [f64; LANES]) -> f64 {
    let mut n = LANES;
    while n > 1 {
        n /= 2;
        for i in 0..n {
            lanes[i] += lanes[i + n];
        }
    }
    lanes[0]
}

/// `x (bias + alpha sum)^-beta` with the sum of the squares of neighbours in a row, those up to `radius`
/// away, in ascending order.
#[derive(Clone, Copy, Debug)]
pub struct LocalResponse {
    /// How far neighbours are away.
    pub radius: usize,
    /// Summand.
    pub bias: f32,
    /// Factor of the sum.
    pub alpha: f32,
    /// Negative exponent.
    pub beta: f32,
}

impl LocalResponse {
    /// Floats of scratch memory for rows of `depth` elements.
    pub fn scratch_len(&self, depth: usize) -> usize {
        // A row of squares between zeros; the last vector reads beyond its elements.
        depth.next_multiple_of(LANES) + 2 * self.reach(depth)
    }

    /// What is farther away than a row is long does not count.
    fn reach(&self, depth: usize) -> usize {
        self.radius.min(depth)
    }

    /// Normalizes rows of `depth` elements and folds the extremes of the results.
    ///
    /// # Panics
    /// If the lengths differ or are not whole rows, or the scratch memory is too short.
    pub fn run(
        &self,
        isa: Isa,
        depth: usize,
        input: &[f32],
        output: &mut [f32],
        scratch: &mut [f32],
    ) -> Observation {
        assert_eq!(input.len(), output.len(), "one result an element");
        if input.is_empty() {
            return Observation::EMPTY;
        }
        assert_eq!(input.len() % depth, 0, "whole rows");
        let squares = &mut scratch[..self.scratch_len(depth)];
        isa.dispatch(LocalRows { response: self, depth, input, output, squares })
    }
}

struct LocalRows<'a> {
    response: &'a LocalResponse,
    depth: usize,
    input: &'a [f32],
    output: &'a mut [f32],
    squares: &'a mut [f32],
}

impl Task for LocalRows<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        let Self { response, depth, input, output, squares } = self;
        let reach = response.reach(depth);
        let (bias, alpha) = (s.splat(response.bias), s.splat(response.alpha));
        let exponent = s.splat(-response.beta);
        let mut fold = Fold::new(s);
        squares.fill(0.0);
        for (from, to) in input.chunks_exact(depth).zip(output.chunks_exact_mut(depth)) {
            for (to, from) in squares[reach..][..depth].iter_mut().zip(from) {
                *to = from * from;
            }
            for (i, (from, to)) in from.chunks(LANES).zip(to.chunks_mut(LANES)).enumerate() {
                let mut sum = s.splat(0.0);
                for neighbours in squares[i * LANES..].windows(LANES).take(2 * reach + 1) {
                    sum = s.add(sum, s.load_up_to(neighbours));
                }
                let factor = math::pow(s, s.fma(sum, alpha, bias), exponent);
                let result = s.mul(s.load_up_to(from), factor);
                fold.push_first(s, result, to.len());
                s.store_up_to(result, to);
            }
        }
        fold.finish(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::{assert_same_bits, ramp};

    fn check(expected: &[f64], run: impl Fn(Isa, &mut [f32]) -> Observation) {
        let mut reference: Option<Vec<f32>> = None;
        for isa in Isa::supported() {
            let mut output = vec![f32::NAN; expected.len()];
            let observed = run(isa, &mut output);
            assert!(observed.same_bits(Observation::scan(&output)), "{isa}");
            for (&found, expected) in output.iter().zip(expected) {
                assert!((f64::from(found) - expected).abs() <= 3.0e-7 * expected.abs(), "{isa}");
            }
            let reference = reference.get_or_insert_with(|| output.clone());
            assert_same_bits(&output, reference, isa.name());
        }
    }

    #[test]
    fn rows_equal_the_formula_in_double() {
        for depth in [1, 5, 16, 100] {
            let input = ramp(3 * depth, 2);
            let doubles: Vec<f64> = input.iter().map(|&x| x.into()).collect();
            let squares = |row: &[f64]| row.iter().map(|x| x * x).sum::<f64>();
            let rows = |f: &dyn Fn(&[f64], usize) -> f64| -> Vec<f64> {
                let rows = doubles.chunks(depth);
                rows.flat_map(|row| (0..depth).map(move |i| f(row, i))).collect()
            };
            let expected = rows(&|row, i| (row[i] / squares(row).sqrt()).min(0.25));
            check(&expected, |isa, output| {
                let clamp = Clamp { low: f32::NEG_INFINITY, high: 0.25 };
                RowNorm::Euclidean { least: 1.0e-6, clamp }.run(isa, depth, &input, output)
            });
            let gamma = ramp(depth, 8);
            let expected = rows(&|row, i| {
                let rms = (squares(row) / depth as f64 + f64::from(0.1_f32)).sqrt();
                f64::from(gamma[i]) * (row[i] / rms)
            });
            check(&expected, |isa, output| {
                RowNorm::RootMeanSquare { epsilon: 0.1, gamma: &gamma, beta: &[0.0] }
                    .run(isa, depth, &input, output)
            });
        }
    }

    #[test]
    fn neighbours_equal_the_formula_in_double() {
        for (depth, radius) in [(1, 0), (5, 2), (16, 1), (40, 7), (21, 1000)] {
            let input = ramp(3 * depth, 2);
            let response = LocalResponse { radius, bias: 1.5, alpha: 0.75, beta: 0.5 };
            let mut expected = Vec::new();
            for row in input.chunks(depth) {
                for i in 0..depth {
                    let near = &row[i.saturating_sub(radius)..(i + radius + 1).min(depth)];
                    let sum: f64 = near.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
                    expected.push(f64::from(row[i]) * (1.5 + 0.75 * sum).powf(-0.5));
                }
            }
            check(&expected, |isa, output| {
                let mut scratch = vec![f32::NAN; response.scratch_len(depth)];
                response.run(isa, depth, &input, output, &mut scratch)
            });
        }
    }
}
