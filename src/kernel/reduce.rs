//! Reductions over any set of axes.
//!
//! Every result has one fixed order of additions: along a kept innermost axis, lanes run across the
//! results and the terms come in ascending order; along a reduced innermost axis, sixteen partial
//! sums take every sixteenth element each and are then added in halves. [`Arithmetic::Reference`] has the
//! terms in ascending order there too.

use super::isa::{Isa, Task};
use super::minmax::Fold;
use super::odometer::{Loop, Odometer};
use super::simd::{LANES, Simd};
use crate::arithmetic::Arithmetic;
use crate::observation::Observation;

/// What elements are reduced to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their sum divided by their number.
    Mean,
    /// Their product.
    Product,
    /// The largest after the last NaN, as comparisons one after the other have it; NaN if that comes last.
    Max,
    /// The smallest, likewise.
    Min,
}

impl Reduction {
    /// What every number joins without a change.
    fn start(self) -> f32 {
        match self {
            Self::Sum | Self::Mean => 0.0,
            Self::Product => 1.0,
            Self::Max => f32::NEG_INFINITY,
            Self::Min => f32::INFINITY,
        }
    }

    /// What no elements give.
    fn of_none(self) -> f32 {
        match self {
            Self::Max => f32::MIN,
            Self::Min => f32::MAX,
            Self::Sum | Self::Mean | Self::Product => self.start(),
        }
    }

    fn is_extreme(self) -> bool {
        matches!(self, Self::Max | Self::Min)
    }

    /// The sum or the product.
    #[inline(always)]
    fn join_one(self, sum: f32, x: f32) -> f32 {
        if self == Self::Product { sum * x } else { sum + x }
    }

    #[inline(always)]
    fn join<S: Simd>(self, s: S, sum: S::V, v: S::V) -> S::V {
        match self {
            Self::Sum | Self::Mean => s.add(sum, v),
            Self::Product => s.mul(sum, v),
            Self::Max => s.max(sum, v),
            Self::Min => s.min(sum, v),
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
    /// The loops for a tensor of `shape` reduced over the axes for which `reduced` holds; `None` if there
    /// are too many elements to count.
    pub fn new(shape: &[usize], reduced: impl Fn(usize) -> bool) -> Option<Self> {
        let mut loops: Vec<(usize, bool)> = Vec::new();
        for (axis, &n) in shape.iter().enumerate() {
            match loops.last_mut() {
                Some(last) if last.1 == reduced(axis) => last.0 = last.0.checked_mul(n)?,
                _ => loops.push((n, reduced(axis))),
            }
        }
        let product = |kind: bool| {
            let mut of_kind = loops.iter().filter(|l| l.1 == kind).map(|l| l.0);
            of_kind.try_fold(1, usize::checked_mul)
        };
        let (output_len, count) = (product(false)?, product(true)?);
        let (inner, inner_reduced) = loops.pop().unwrap_or((1, false));
        let mut stride = if inner_reduced { 1 } else { inner };
        let mut outer = Vec::with_capacity(loops.len());
        for (n, reduced) in loops.into_iter().rev() {
            outer.push((n, [if reduced { 0 } else { stride }]));
            stride *= if reduced { 1 } else { n };
        }
        outer.reverse();
        let input_len = output_len.checked_mul(count)?;
        Some(Self { outer, inner, inner_reduced, input_len, output_len, count })
    }

    /// Number of results.
    pub fn output_len(&self) -> usize {
        self.output_len
    }

    /// Elements per result.
    pub fn count(&self) -> usize {
        self.count
    }
}

/// Joins the elements of each result to `start`, in ascending order.
///
/// # Panics
/// If the lengths are not those of the plan.
pub fn fold<T: Copy, R: Copy>(
    plan: &ReducePlan,
    input: &[T],
    output: &mut [R],
    start: R,
    join: impl Fn(R, T) -> R,
) {
    assert_eq!((input.len(), output.len()), (plan.input_len, plan.output_len), "lengths");
    output.fill(start);
    if input.is_empty() {
        return;
    }
    let mut odometer = Odometer::new(&plan.outer);
    for run in input.chunks_exact(plan.inner) {
        let [at] = odometer.at;
        if plan.inner_reduced {
            output[at] = run.iter().fold(output[at], |sum, &x| join(sum, x));
        } else {
            let pairs = output[at..][..plan.inner].iter_mut().zip(run);
            pairs.for_each(|(to, &x)| *to = join(*to, x));
        }
        odometer.advance();
    }
}

/// Reduces `input` into `output` and folds the extremes of the results.
///
/// # Panics
/// If the lengths are not those of the plan.
pub fn reduce(
    isa: Isa,
    arithmetic: Arithmetic,
    reduction: Reduction,
    plan: &ReducePlan,
    input: &[f32],
    output: &mut [f32],
) -> Observation {
    assert_eq!((input.len(), output.len()), (plan.input_len, plan.output_len), "lengths");
    let in_order = arithmetic == Arithmetic::Reference;
    isa.dispatch(ReduceTask { in_order, reduction, plan, input, output })
}

struct ReduceTask<'a> {
    /// Whether terms are added one after the other.
    in_order: bool,
    reduction: Reduction,
    plan: &'a ReducePlan,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Task for ReduceTask<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        let Self { in_order, reduction, plan, input, output } = self;
        output.fill(match reduction {
            // Whatever is compared to NaN takes its place.
            Reduction::Max | Reduction::Min if plan.count > 0 => f32::NAN,
            _ => reduction.of_none(),
        });
        if input.is_empty() {
            // Nothing to visit.
        } else if plan.inner_reduced {
            let mut odometer = Odometer::new(&plan.outer);
            for run in input.chunks_exact(plan.inner) {
                let [at] = odometer.at;
                let before = output[at];
                output[at] = if reduction.is_extreme() {
                    extreme_of_run(s, reduction, before, run)
                } else if in_order {
                    run.iter().fold(before, |sum, &x| reduction.join_one(sum, x))
                } else {
                    let reduced = s.splat(reduce_run(s, reduction, run));
                    s.to_array(reduction.join(s, s.splat(before), reduced))[0]
                };
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
    join_lanes(s, reduction, sums)
}

#[inline(always)]
fn join_lanes<S: Simd>(s: S, reduction: Reduction, sums: S::V) -> f32 {
    let lanes = s.to_array(sums).into_iter();
    match reduction {
        Reduction::Sum | Reduction::Mean => s.sum(sums),
        Reduction::Product => lanes.fold(1.0, |a, b| a * b),
        Reduction::Max => lanes.fold(f32::NEG_INFINITY, larger),
        Reduction::Min => lanes.fold(f32::INFINITY, smaller),
    }
}

fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// The extreme of `before` and a contiguous run after it. With a NaN in the run the order matters, and
/// elements are compared one after the other.
#[inline(always)]
fn extreme_of_run<S: Simd>(s: S, reduction: Reduction, before: f32, run: &[f32]) -> f32 {
    // Without its sign, only a NaN is so large a number that this turns the first bit on.
    let to_sign = s.splat(f32::from_bits(0x007f_ffff));
    let start = s.splat(reduction.start());
    let (mut extremes, mut nans) = (start, s.splat(0.0));
    let (vectors, tail) = run.as_chunks::<LANES>();
    for v in vectors {
        let v = s.load(v);
        extremes = reduction.join(s, extremes, v);
        nans = s.or(nans, s.add_bits(s.abs(v), to_sign));
    }
    if !tail.is_empty() {
        let v = s.select(s.first(tail.len()), s.load_partial(tail), start);
        extremes = reduction.join(s, extremes, v);
        nans = s.or(nans, s.add_bits(s.abs(v), to_sign));
    }
    let scalar = if reduction == Reduction::Max { larger } else { smaller };
    if s.to_array(nans).into_iter().any(f32::is_sign_negative) {
        return run.iter().fold(before, |a, &b| scalar(a, b));
    }
    scalar(before, join_lanes(s, reduction, extremes))
}

/// The extreme of a row, NaN left out; one beyond all numbers if nothing else is there.
pub fn extreme(isa: Isa, reduction: Reduction, row: &[f32]) -> f32 {
    isa.dispatch(ExtremeTask { reduction, row })
}

struct ExtremeTask<'a> {
    reduction: Reduction,
    row: &'a [f32],
}

impl Task for ExtremeTask<'_> {
    type Output = f32;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f32 {
        // The other order of operands: a NaN is never the first.
        let join = |extreme, v| self.reduction.join(s, v, extreme);
        let start = s.splat(self.reduction.start());
        let (vectors, tail) = self.row.as_chunks::<LANES>();
        let mut extremes = start;
        for v in vectors {
            extremes = join(extremes, s.load(v));
        }
        if !tail.is_empty() {
            extremes = join(extremes, s.select(s.first(tail.len()), s.load_partial(tail), start));
        }
        join_lanes(s, self.reduction, extremes)
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
            let plan = ReducePlan::new(&shape, reduced).unwrap();
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
                let mut references = [const { None::<Vec<f32>> }; 2];
                let kinds = [Arithmetic::Fast, Arithmetic::Reference].into_iter().enumerate();
                for (isa, (kind, arithmetic)) in Isa::supported()
                    .into_iter()
                    .flat_map(|isa| kinds.clone().map(move |k| (isa, k)))
                {
                    let mut output = vec![0.0; plan.output_len];
                    let observed = reduce(isa, arithmetic, reduction, &plan, &input, &mut output);
                    assert!(observed.same_bits(Observation::scan(&output)));
                    for (&result, expected) in output.iter().zip(&expected) {
                        let mut expected = expected.unwrap();
                        if reduction == Reduction::Mean {
                            expected /= plan.count as f64;
                        }
                        assert!(
                            (f64::from(result) - expected).abs() < [1.0e-4, 1.0e-3][kind],
                            "{isa} {reduction:?}"
                        );
                    }
                    let reference = references[kind].get_or_insert_with(|| output.clone());
                    assert_eq!(&output, reference, "{isa}");
                }
            }
        }
    }

    #[test]
    fn extremes_come_after_the_last_nan() {
        let shape = [3, 2, 37];
        for at in [0, 5, 36, 37, 70, 100, 221] {
            let mut input = ramp(shape.iter().product(), 3);
            input[at] = f32::NAN;
            input[at / 2] = f32::NEG_INFINITY;
            for mask in 0..8_usize {
                let plan = ReducePlan::new(&shape, |axis| mask >> axis & 1 == 1).unwrap();
                let mut expected = vec![0.0; plan.output_len];
                fold(&plan, &input, &mut expected, f32::NAN, larger);
                for isa in Isa::supported() {
                    let mut output = vec![0.0; plan.output_len];
                    reduce(isa, Arithmetic::Fast, Reduction::Max, &plan, &input, &mut output);
                    let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                    assert_eq!(bits(&output), bits(&expected), "{isa} {mask} {at}");
                }
            }
        }
        assert!(ReducePlan::new(&[1 << 40, 1 << 40, 0], |_| true).is_none());
    }
}
