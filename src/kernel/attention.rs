//! Attention of one query over rows of a cache: scores, and sums of rows with weights.

use super::isa::{Isa, Task};
use super::reduce::{Reduction, reduce_run};
use super::simd::{LANES, Simd};
use crate::arithmetic::Arithmetic;

/// Equally long rows of a buffer: the `i`-th begins at `i * stride`.
#[derive(Clone, Copy, Debug)]
pub struct StridedRows<'a> {
    /// From the first row on.
    pub values: &'a [f32],
    /// Elements from one row to the next.
    pub stride: usize,
}

impl<'a> StridedRows<'a> {
    fn row(&self, i: usize, len: usize) -> &'a [f32] {
        &self.values[i * self.stride..][..len]
    }
}

/// `to[i] = query . row i`. Every sum is made of sixteen partial sums of every sixteenth product each, which
/// are then added in halves.
///
/// # Panics
/// If there are fewer rows than results.
pub fn scores(
    isa: Isa,
    arithmetic: Arithmetic,
    query: &[f32],
    rows: StridedRows<'_>,
    to: &mut [f32],
) {
    isa.dispatch_products(arithmetic, Scores { query, rows, to });
}

struct Scores<'a> {
    query: &'a [f32],
    rows: StridedRows<'a>,
    to: &'a mut [f32],
}

impl Task for Scores<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (i, to) in self.to.iter_mut().enumerate() {
            let row = self.rows.row(i, self.query.len());
            let mut sums = s.splat(0.0);
            for (x, y) in self.query.chunks(LANES).zip(row.chunks(LANES)) {
                sums = s.fma(s.load_up_to(x), s.load_up_to(y), sums);
            }
            *to = reduce_run(s, Reduction::Sum, &s.to_array(sums));
        }
    }
}

/// Adds `weights[i] * row i` to `to`, in ascending order.
///
/// # Panics
/// If there are fewer rows than weights.
pub fn weighted_sum(
    isa: Isa,
    arithmetic: Arithmetic,
    weights: &[f32],
    rows: StridedRows<'_>,
    to: &mut [f32],
) {
    isa.dispatch_products(arithmetic, WeightedSum { weights, rows, to });
}

struct WeightedSum<'a> {
    weights: &'a [f32],
    rows: StridedRows<'a>,
    to: &'a mut [f32],
}

impl Task for WeightedSum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        for (i, &weight) in self.weights.iter().enumerate() {
            let row = self.rows.row(i, self.to.len());
            let weight = s.splat(weight);
            for (to, x) in self.to.chunks_mut(LANES).zip(row.chunks(LANES)) {
                let sum = s.fma(weight, s.load_up_to(x), s.load_up_to(to));
                s.store_up_to(sum, to);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::ramp;

    #[test]
    fn equal_sums_in_double() {
        for (len, count, stride) in [(1, 1, 1), (8, 3, 8), (35, 7, 70), (64, 40, 100)] {
            let (query, values) = (ramp(len, 5), ramp(count * stride, 7));
            let rows = StridedRows { values: &values, stride };
            let weights = ramp(count, 3);
            for arithmetic in [Arithmetic::Fast, Arithmetic::Reference] {
                let mut reference = None;
                for isa in Isa::supported() {
                    let (mut dots, mut sums) = (vec![0.0; count], vec![0.0; len]);
                    scores(isa, arithmetic, &query, rows, &mut dots);
                    weighted_sum(isa, arithmetic, &weights, rows, &mut sums);
                    for (i, &dot) in dots.iter().enumerate() {
                        let pairs = query.iter().zip(&values[i * stride..]);
                        let exact: f64 = pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum();
                        assert!((f64::from(dot) - exact).abs() < 1e-4, "{isa} {len}");
                    }
                    for (j, &sum) in sums.iter().enumerate() {
                        let terms = weights.iter().enumerate();
                        let exact: f64 = terms
                            .map(|(i, &w)| f64::from(w) * f64::from(values[i * stride + j]))
                            .sum();
                        assert!((f64::from(sum) - exact).abs() < 1e-4, "{isa} {len}");
                    }
                    let results = (dots, sums);
                    assert_eq!(&results, reference.get_or_insert_with(|| results.clone()), "{isa}");
                }
            }
        }
    }
}
