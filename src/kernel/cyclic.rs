//! Functions of two runs of elements, the shorter of which is repeated: what a chain of elementwise
//! operators does to one block of a tensor.

use std::marker::PhantomData;

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
/// If the output is not a whole number of each operand, and the longer operand one of the shorter.
pub fn binary(
    isa: Isa,
    function: Binary,
    operands: (&[f32], &[f32]),
    clamp: Clamp,
    output: &mut [f32],
) -> Observation {
    let (a, b) = operands;
    let is_even = a.len().max(b.len()).is_multiple_of(a.len().min(b.len()).max(1));
    assert!(is_even && fits(a, output) && fits(b, output), "whole operands");
    let (to, len) = (output.as_mut_ptr(), output.len());
    let mut longer = [0.0; LONG];
    let (a, b) = if a.len() < b.len() {
        (Operand::lengthened(a, b.len(), &mut longer), Operand::of(b))
    } else {
        (Operand::of(a), Operand::lengthened(b, a.len(), &mut longer))
    };
    function.walk(isa, Cyclic { operands: (a, b), clamp, to, len, lives: PhantomData })
}

/// The same with results in the place of the left operand, or of the right one if `is_right`.
///
/// # Panics
/// If these are not a whole number of the other operand.
pub fn binary_in_place(
    isa: Isa,
    function: Binary,
    (other, is_right): (&[f32], bool),
    clamp: Clamp,
    values: &mut [f32],
) -> Observation {
    assert!(!values.is_empty() && fits(other, values), "whole operands");
    let (to, len) = (values.as_mut_ptr(), values.len());
    let mut longer = [0.0; LONG];
    let (own, other) = (Operand { first: to, len }, Operand::lengthened(other, len, &mut longer));
    let operands = if is_right { (other, own) } else { (own, other) };
    function.walk(isa, Cyclic { operands, clamp, to, len, lives: PhantomData })
}

/// Elements of a run that hide what begins and ends it.
const LONG: usize = 512;

fn fits(operand: &[f32], output: &[f32]) -> bool {
    !operand.is_empty() && output.len().is_multiple_of(operand.len())
}

/// Elements to read.
#[derive(Clone, Copy)]
struct Operand {
    first: *const f32,
    len: usize,
}

impl Operand {
    fn of(values: &[f32]) -> Self {
        Self { first: values.as_ptr(), len: values.len() }
    }

    /// `values`, several times in `longer` if they are few and repeated often, as a whole, over `len` elements.
    fn lengthened(values: &[f32], len: usize, longer: &mut [f32; LONG]) -> Self {
        let n = values.len();
        if n == 1 || n > LONG / 2 || len < 4 * LONG {
            return Self::of(values);
        }
        let times = 1 << (len / n).trailing_zeros().min((LONG / n).ilog2());
        for copy in longer.chunks_exact_mut(n).take(times) {
            copy.copy_from_slice(values);
        }
        Self { first: longer.as_ptr(), len: times * n }
    }
}

/// One loop for results apart from the operands and in the place of one, since every function has one of
/// its own.
struct Cyclic<'a> {
    operands: (Operand, Operand),
    clamp: Clamp,
    to: *mut f32,
    len: usize,
    lives: PhantomData<&'a mut [f32]>,
}

impl Pairs for Cyclic<'_> {
    /// Visits runs in which neither operand starts again, but for one that is a single element.
    #[inline(always)]
    fn walk<S: Simd>(self, s: S, function: impl OfTwo) -> Observation {
        let ((a, b), len) = (self.operands, self.len);
        let advances = [a.len > 1 || len == 1, b.len > 1 || len == 1];
        let run_a = if advances[0] { a.len } else { len };
        let run_b = if advances[1] { b.len } else { len };
        let n = run_a.min(run_b).max(1);
        let mut fold = Fold::new(s);
        let (mut at_a, mut at_b) = (0, 0);
        for at in (0..len / n * n).step_by(n) {
            // SAFETY: whoever made this has borrowed both operands and `len` results, mutably, and one of
            // the operands is apart from the results; operands that advance have `n` elements from where
            // they are, since both lengths divide that of the results, and the shorter one the longer.
            let seen = unsafe {
                let run = Run {
                    function,
                    a: if advances[0] { a.first.add(at_a) } else { a.first },
                    b: if advances[1] { b.first.add(at_b) } else { b.first },
                    clamp: self.clamp,
                };
                run.visit(s, advances, self.to.add(at), n)
            };
            fold.join(s, seen);
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
            for (len, a_len, b_len) in [
                (48, 48, 48),
                (45, 45, 15),
                (45, 15, 45),
                (40, 1, 40),
                (7, 7, 1),
                (64, 32, 16),
                (3136, 3136, 16),
                (3136, 49, 3136),
                (9216, 9216, 72),
                (9216, 4608, 18),
            ] {
                let (a, b) = (ramp(a_len, 1), ramp(b_len, 2));
                let mut output = vec![0.0; len];
                let observed = binary(isa, Binary::Sub, (&a, &b), clamp, &mut output);
                let expected: Vec<f32> =
                    (0..len).map(|i| (a[i % a_len] - b[i % b_len]).clamp(-0.5, 1.0)).collect();
                let check = |output: &[f32], observed: Observation| {
                    assert_same_bits(output, &expected, isa.name());
                    assert!(observed.same_bits(Observation::scan(&expected)));
                };
                check(&output, observed);
                for (values, other, is_right) in [(&a, &b, false), (&b, &a, true)] {
                    if values.len() == len {
                        let (mut values, other) = (values.clone(), (&other[..], is_right));
                        let observed = binary_in_place(isa, Binary::Sub, other, clamp, &mut values);
                        check(&values, observed);
                    }
                }
            }
        }
    }
}
