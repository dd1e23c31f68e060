//! Functions of two runs of elements, the shorter of which is repeated: what a chain of elementwise
//! operators does to one block of a tensor.

use super::elementwise::Binary;
use super::gemm::Clamp;
use super::isa::{Isa, Task};
use super::minmax::Fold;
use super::simd::{LANES, Simd};
use crate::observation::Observation;

/// Applies `function` and the clamp to every pair of elements and folds the extremes; operands that are
/// shorter than the output are repeated.
///
/// # Panics
/// If the output is not a whole number of each operand.
pub fn binary(
    isa: Isa,
    function: Binary,
    operands: (&[f32], &[f32]),
    clamp: Clamp,
    output: &mut [f32],
) -> Observation {
    let fits = |operand: &[f32]| !operand.is_empty() && output.len().is_multiple_of(operand.len());
    assert!(fits(operands.0) && fits(operands.1), "whole operands");
    isa.dispatch(Cyclic { function, operands, clamp, output })
}

struct Cyclic<'a> {
    function: Binary,
    operands: (&'a [f32], &'a [f32]),
    clamp: Clamp,
    output: &'a mut [f32],
}

impl Task for Cyclic<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        // In each arm the function is known, so that `apply` has no match left in the loop.
        match self.function {
            Binary::Add => self.walk(s, Binary::Add),
            Binary::Sub => self.walk(s, Binary::Sub),
            Binary::Mul => self.walk(s, Binary::Mul),
            Binary::Div => self.walk(s, Binary::Div),
            Binary::Minimum => self.walk(s, Binary::Minimum),
            Binary::Maximum => self.walk(s, Binary::Maximum),
            Binary::SquaredDifference => self.walk(s, Binary::SquaredDifference),
        }
    }
}

impl Cyclic<'_> {
    /// Visits runs in which neither operand starts again, but for one that is a single element.
    #[inline(always)]
    fn walk<S: Simd>(self, s: S, function: Binary) -> Observation {
        let (a, b) = self.operands;
        let len =
            |operand: &[f32]| if operand.len() == 1 { self.output.len() } else { operand.len() };
        let run = len(a).min(len(b));
        let mut fold = Fold::new(s);
        let (mut at_a, mut at_b) = (0, 0);
        for to in self.output.chunks_exact_mut(run) {
            let from = |operand: &'_ [f32], at: usize| -> (usize, usize) {
                if operand.len() == 1 { (0, 1) } else { (at, at + run) }
            };
            let ((a0, a1), (b0, b1)) = (from(a, at_a), from(b, at_b));
            visit(s, function, (&a[a0..a1], &b[b0..b1]), self.clamp, to, &mut fold);
            at_a = if at_a + run >= a.len() { 0 } else { at_a + run };
            at_b = if at_b + run >= b.len() { 0 } else { at_b + run };
        }
        fold.finish(s)
    }
}

/// One run; an operand may be one element for all.
#[inline(always)]
fn visit<S: Simd>(
    s: S,
    function: Binary,
    (a, b): (&[f32], &[f32]),
    clamp: Clamp,
    to: &mut [f32],
    fold: &mut Fold<S>,
) {
    let (step_a, step_b) = (usize::from(a.len() > 1), usize::from(b.len() > 1));
    let (one_a, one_b) = (s.splat(a[0]), s.splat(b[0]));
    for (i, to) in to.chunks_mut(LANES).enumerate() {
        let range = i * LANES..i * LANES + to.len();
        let a = if step_a == 1 { s.load_up_to(&a[range.clone()]) } else { one_a };
        let b = if step_b == 1 { s.load_up_to(&b[range]) } else { one_b };
        let value = clamp.apply(s, function.apply(s, a, b));
        fold.push_first(s, value, to.len());
        s.store_up_to(value, to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::{assert_same_bits, ramp};

    #[test]
    fn shorter_operands_are_repeated() {
        let clamp = Clamp { low: -0.5, high: 1.0 };
        for isa in Isa::supported() {
            for (len, a_len, b_len) in
                [(48, 48, 48), (45, 45, 15), (45, 15, 45), (40, 1, 40), (7, 7, 1), (64, 32, 16)]
            {
                let (a, b) = (ramp(a_len, 1), ramp(b_len, 2));
                let mut output = vec![0.0; len];
                let observed = binary(isa, Binary::Sub, (&a, &b), clamp, &mut output);
                let expected: Vec<f32> =
                    (0..len).map(|i| (a[i % a_len] - b[i % b_len]).clamp(-0.5, 1.0)).collect();
                assert_same_bits(&output, &expected, isa.name());
                assert!(observed.same_bits(Observation::scan(&expected)));
            }
        }
    }
}
