//! Reductions over any set of axes.
//!
//! Every result has one fixed order of additions: along a kept innermost axis, lanes run across the
//! results and the terms come in ascending order; along a reduced innermost axis, sixteen partial
//! sums take every sixteenth element each and are then added in halves.

use super::isa::{Isa, Task};
use super::minmax::Fold;
use super::odometer::{Loop, Odometer};
use super::simd::{LANES, Simd};
use crate::observation::Observation;

/// What elements are reduced to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their sum divided by their number.
    Mean,
    /// The largest; a NaN is passed over when another value follows.
    Max,
    /// The smallest; a NaN is passed over when another value follows.
    Min,
}

impl Reduction {
    fn start(self) -> f32 {
        match self {
            Self::Sum | Self::Mean => 0.0,
            Self::Max => f32::NEG_INFINITY,
            Self::Min => f32::INFINITY,
        }
    }

    #[inline(always)]
    fn join<S: Simd>(self, s: S, sum: S::V, v: S::V) -> S::V {
        match self {
            Self::Sum | Self::Mean => s.add(sum, v),
            Self::Max => s.max(v, sum),
            Self::Min => s.min(v, sum),
        }
    }
}

/// The loops of a reduction of one shape over one set of axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReducePlan {
    /// Loops around the innermost run, of neighbouring axes of the same kind merged: a reduced one
    /// does not move the output.
    outer: Vec<Loop<1>>,
    /// Length of the innermost run.
    inner: usize,
    /// Whether the innermost run is reduced.
    inner_reduced: bool,
    input_len: usize,
    output_len: usize,
    /// Elements per result.
    count: usize,
}

impl ReducePlan {
    /// The loops for a tensor of `shape` reduced over the axes for which `reduced` holds.
    pub fn new(shape: &[usize], reduced: impl Fn(usize) -> bool) -> Self {
        let mut loops: Vec<(usize, bool)> = Vec::new();
        for (axis, &n) in shape.iter().enumerate() {
            match loops.last_mut() {
                Some(last) if last.1 == reduced(axis) => last.0 *= n,
                _ => loops.push((n, reduced(axis))),
            }
        }
        let product = |kind: bool| loops.iter().filter(|l| l.1 == kind).map(|l| l.0).product();
        let (output_len, count) = (product(false), product(true));
        let (inner, inner_reduced) = loops.pop().unwrap_or((1, false));
        let mut stride = if inner_reduced { 1 } else { inner };
        let mut outer = Vec::with_capacity(loops.len());
        for (n, reduced) in loops.into_iter().rev() {
            outer.push((n, [if reduced { 0 } else { stride }]));
            stride *= if reduced { 1 } else { n };
        }
        outer.reverse();
        let input_len = shape.iter().product();
        Self { outer, inner, inner_reduced, input_len, output_len, count }
    }
}

/// Reduces `input` into `output` and folds the extremes of the results.
///
/// # Panics
/// If the lengths are not those of the plan.
pub fn reduce(
    isa: Isa,
    reduction: Reduction,
    plan: &ReducePlan,
    input: &[f32],
    output: &mut [f32],
) -> Observation {
    assert_eq!((input.len(), output.len()), (plan.input_len, plan.output_len), "lengths");
    isa.dispatch(ReduceTask { reduction, plan, input, output })
}

struct ReduceTask<'a> {
    reduction: Reduction,
    plan: &'a ReducePlan,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Task for ReduceTask<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        let Self { reduction, plan, input, output } = self;
        output.fill(reduction.start());
        if input.is_empty() {
            // Nothing to visit.
        } else if plan.inner_reduced {
            let mut odometer = Odometer::new(&plan.outer);
            for run in input.chunks_exact(plan.inner) {
                let [at] = odometer.at;
                let reduced = reduce_run(s, reduction, run);
                let joined = reduction.join(s, s.splat(output[at]), s.splat(reduced));
                output[at] = s.to_array(joined)[0];
                odometer.advance();
            }
        } else {
            // The loop around a kept run, if there is one, is a reduced one.
            let (n, outer) = plan.outer.split_last().map_or((1, &[][..]), |(l, rest)| (l.0, rest));
            let mut odometer = Odometer::new(outer);
            for runs in input.chunks_exact(n * plan.inner) {
                let [at] = odometer.at;
                reduce_runs(s, reduction, runs, &mut output[at..at + plan.inner]);
                odometer.advance();
            }
        }
        let count = s.splat(plan.count as f32);
        let mut fold = Fold::new(s);
        for to in output.chunks_mut(LANES) {
            let mut v = s.load_up_to(to);
            if reduction == Reduction::Mean {
                v = s.div(v, count);
            }
            fold.push_first(s, v, to.len());
            s.store_up_to(v, to);
        }
        fold.finish(s)
    }
}

/// Joins runs, one behind the other, elementwise to `to`, which has the length of one.
#[inline(always)]
fn reduce_runs<S: Simd>(s: S, reduction: Reduction, runs: &[f32], to: &mut [f32]) {
    let len = to.len();
    let (blocks, rest) = to.as_chunks_mut::<{ 4 * LANES }>();
    for (i, to) in blocks.iter_mut().enumerate() {
        let (to, _) = to.as_chunks_mut::<LANES>();
        let mut sums = [s.load(&to[0]), s.load(&to[1]), s.load(&to[2]), s.load(&to[3])];
        for run in runs.chunks_exact(len) {
            let (from, _) = run[i * 4 * LANES..][..4 * LANES].as_chunks::<LANES>();
            for (sum, from) in sums.iter_mut().zip(from) {
                *sum = reduction.join(s, *sum, s.load(from));
            }
        }
        for (sum, to) in sums.into_iter().zip(to) {
            s.store(sum, to);
        }
    }
    let rest_at = len - rest.len();
    for (i, to) in rest.chunks_mut(LANES).enumerate() {
        let mut sum = s.load_up_to(to);
        for run in runs.chunks_exact(len) {
            sum = reduction.join(s, sum, s.load_up_to(&run[rest_at + i * LANES..][..to.len()]));
        }
        s.store_up_to(sum, to);
    }
}

/// Reduces a contiguous run.
#[inline(always)]
pub(super) fn reduce_run<S: Simd>(s: S, reduction: Reduction, run: &[f32]) -> f32 {
    let start = s.splat(reduction.start());
    let mut sums = start;
    let (vectors, tail) = run.as_chunks::<LANES>();
    for v in vectors {
        sums = reduction.join(s, sums, s.load(v));
    }
    if !tail.is_empty() {
        let last = s.select(s.first(tail.len()), s.load_partial(tail), start);
        sums = reduction.join(s, sums, last);
    }
    let lanes = s.to_array(sums);
    match reduction {
        Reduction::Sum | Reduction::Mean => s.sum(sums),
        Reduction::Max => {
            lanes.into_iter().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a })
        }
        Reduction::Min => lanes.into_iter().fold(f32::INFINITY, |a, b| if b < a { b } else { a }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::ramp;

    #[test]
    fn reductions_equal_sums_in_double() {
        let shape = [3, 4, 5, 83];
        let input = ramp(shape.iter().product(), 9);
        for mask in 0..16_usize {
            let reduced = |axis: usize| mask >> axis & 1 == 1;
            let plan = ReducePlan::new(&shape, reduced);
            for reduction in [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min] {
                let mut expected = vec![None::<f64>; plan.output_len];
                for (i, &x) in input.iter().enumerate() {
                    let (mut rest, mut at, mut stride) = (i, 0, 1);
                    for axis in (0..4).rev() {
                        if !reduced(axis) {
                            at += rest % shape[axis] * stride;
                            stride *= shape[axis];
                        }
                        rest /= shape[axis];
                    }
                    let x = f64::from(x);
                    let joined = match (reduction, expected[at]) {
                        (_, None) => x,
                        (Reduction::Max, Some(y)) => y.max(x),
                        (Reduction::Min, Some(y)) => y.min(x),
                        (_, Some(y)) => x + y,
                    };
                    expected[at] = Some(joined);
                }
                let mut reference: Option<Vec<f32>> = None;
                for isa in Isa::supported() {
                    let mut output = vec![0.0; plan.output_len];
                    let observed = reduce(isa, reduction, &plan, &input, &mut output);
                    assert!(observed.same_bits(Observation::scan(&output)));
                    for (&result, expected) in output.iter().zip(&expected) {
                        let mut expected = expected.unwrap();
                        if reduction == Reduction::Mean {
                            expected /= plan.count as f64;
                        }
                        assert!(
                            (f64::from(result) - expected).abs() < 1.0e-4,
                            "{isa} {reduction:?}"
                        );
                    }
                    assert_eq!(&output, reference.get_or_insert_with(|| output.clone()), "{isa}");
                }
            }
        }
    }
}
