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

/// The same where rows of `row` elements of the left operand are `pitch` elements apart, and the right operand is
/// repeated in each.
///
/// # Panics
/// If the output is not a whole number of rows, a row of the right operand, or rows are missing.
pub fn binary_of_rows(
    isa: Isa,
    function: Binary,
    (a, row, pitch): (&[f32], usize, usize),
    b: &[f32],
    clamp: Clamp,
    output: &mut [f32],
) -> Observation {
    let (to, len) = (output.as_mut_ptr(), output.len());
    assert!(len > 0 && len.is_multiple_of(row), "whole rows");
    assert!(!b.is_empty() && row.is_multiple_of(b.len()), "whole operands");
    assert!(pitch >= row && (len / row - 1) * pitch + row <= a.len(), "all rows");
    let mut longer = [0.0; LONG];
    let a = Operand { first: a.as_ptr(), len, row, pitch };
    let b = Operand::lengthened(b, row, &mut longer);
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
    let own = Operand { first: to, len, row: len, pitch: len };
    let other = Operand::lengthened(other, len, &mut longer);
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
    /// Elements side by side, and from their first to that of the next.
    row: usize,
    pitch: usize,
}

impl Operand {
    fn of(values: &[f32]) -> Self {
        let len = values.len();
        Self { first: values.as_ptr(), len, row: len, pitch: len }
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
        Self::of(&longer[..times * n])
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
    /// Visits runs in which neither operand starts again or skips elements, but for one that is a single element.
    #[inline(always)]
    fn walk<S: Simd>(self, s: S, function: impl OfTwo) -> Observation {
        let ((a, b), len) = (self.operands, self.len);
        let advances = [a.len > 1 || len == 1, b.len > 1 || len == 1];
        let row_a = if advances[0] { a.row } else { len };
        let row_b = if advances[1] { b.row } else { len };
        let n = row_a.min(row_b).max(1);
        let mut fold = Fold::new(s);
        let (mut at_a, mut at_b) = (Place::default(), Place::default());
        for at in (0..len / n * n).step_by(n) {
            // SAFETY: whoever made this has borrowed both operands and `len` results, mutably, and one of
            // the operands is apart from the results; operands that advance have `n` elements from where
            // they are, since both lengths divide that of the results, and the shorter row the longer.
            let seen = unsafe {
                let run = Run {
                    function,
                    a: a.first.add(at_a.offset),
                    b: b.first.add(at_b.offset),
                    clamp: self.clamp,
                };
                run.visit(s, advances, self.to.add(at), n)
            };
            fold.join(s, seen);
            if advances[0] {
                at_a.advance(&a, n);
            }
            if advances[1] {
                at_b.advance(&b, n);
            }
        }
        fold.finish(s)
    }
}

/// Where an operand is read.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Elements behind the first.
    offset: usize,
    /// Elements of the row that were read.
    column: usize,
    /// Elements that were read.
    done: usize,
}

impl Place {
    /// Goes on by `n` elements, of which a row is a whole number.
    #[inline(always)]
    fn advance(&mut self, operand: &Operand, n: usize) {
        *self = Self { offset: self.offset + n, column: self.column + n, done: self.done + n };
        if self.column == operand.row {
            self.offset += operand.pitch - operand.row;
            self.column = 0;
        }
        if self.done == operand.len {
            *self = Self::default();
        }
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

    #[test]
    fn rows_are_apart() {
        let clamp = Clamp { low: -0.5, high: 1.0 };
        for isa in Isa::supported() {
            for (rows, row, pitch, b_len) in [
                (5, 32, 48, 32),
                (3, 48, 100, 16),
                (7, 18, 19, 1),
                (1, 7, 900, 7),
                (4, 1, 3, 1),
                (2, 2048, 2050, 8),
            ] {
                let (a, b) = (ramp((rows - 1) * pitch + row, 1), ramp(b_len, 2));
                let mut output = vec![0.0; rows * row];
                let observed =
                    binary_of_rows(isa, Binary::Sub, (&a, row, pitch), &b, clamp, &mut output);
                let element = |i: usize| a[i / row * pitch + i % row] - b[i % b_len];
                let expected: Vec<f32> =
                    (0..rows * row).map(|i| element(i).clamp(-0.5, 1.0)).collect();
                assert_same_bits(&output, &expected, isa.name());
                assert!(observed.same_bits(Observation::scan(&expected)));
            }
        }
    }
}
