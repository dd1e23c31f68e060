//! Functions of two runs of elements, the shorter of which is repeated: what a chain of elementwise
//! operators does to one block of a tensor.

use super::elementwise::{Binary, OfTwo, Pairs, Run};
use super::gemm::Clamp;
use super::isa::Isa;
use super::minmax::Fold;
use super::simd::Simd;
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
    function.walk(isa, Cyclic { operands, clamp, output })
}

struct Cyclic<'a> {
    operands: (&'a [f32], &'a [f32]),
    clamp: Clamp,
    output: &'a mut [f32],
}

impl Pairs for Cyclic<'_> {
    /// Visits runs in which neither operand starts again, but for one that is a single element.
    #[inline(always)]
    fn walk<S: Simd>(self, s: S, function: impl OfTwo) -> Observation {
        let (a, b) = self.operands;
        let len = self.output.len();
        let advances = [a.len() > 1 || len == 1, b.len() > 1 || len == 1];
        let run_a = if advances[0] { a.len() } else { len };
        let run_b = if advances[1] { b.len() } else { len };
        let n = run_a.min(run_b);
        let mut fold = Fold::new(s);
        let (mut at_a, mut at_b) = (0, 0);
        for to in self.output.chunks_exact_mut(n) {
            let a = if advances[0] { &a[at_a..at_a + n] } else { a };
            let b = if advances[1] { &b[at_b..at_b + n] } else { b };
            let run = Run { function, a, b, clamp: self.clamp };
            fold.join(s, run.visit(s, advances, to));
            at_a = (at_a + n) % run_a;
            at_b = (at_b + n) % run_b;
        }
        fold.finish(s)
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
