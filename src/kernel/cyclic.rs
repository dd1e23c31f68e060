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
        let len = self.output.len();
        let run_a = if a.len() == 1 { len } else { a.len() };
        let run_b = if b.len() == 1 { len } else { b.len() };
        let run = run_a.min(run_b);
        let mut observed = Observation::EMPTY;
        let (mut at_a, mut at_b) = (0, 0);
        for to in self.output.chunks_exact_mut(run) {
            let a = if a.len() == 1 { a } else { &a[at_a..at_a + run] };
            let b = if b.len() == 1 { b } else { &b[at_b..at_b + run] };
            let clamp = self.clamp;
            let fold = match (a.len() == run, b.len() == run) {
                (true, true) => visit::<S, true, true>(s, function, (a, b), clamp, to),
                (true, false) => visit::<S, true, false>(s, function, (a, b), clamp, to),
                (false, true) => visit::<S, false, true>(s, function, (a, b), clamp, to),
                (false, false) => visit::<S, false, false>(s, function, (a, b), clamp, to),
            };
            observed = observed.union(fold.finish(s));
            at_a = (at_a + run) % run_a;
            at_b = (at_b + run) % run_b;
        }
        observed
    }
}

/// One run; an operand that does not advance is one element.
#[inline(always)]
fn visit<S: Simd, const A: bool, const B: bool>(
    s: S,
    function: Binary,
    (a, b): (&[f32], &[f32]),
    clamp: Clamp,
    to: &mut [f32],
) -> Fold<S> {
    let mut fold = Fold::new(s);
    let (mut x, mut y) = (s.splat(a[0]), s.splat(b[0]));
    let (vectors, tail) = to.as_chunks_mut::<LANES>();
    let (vectors_a, tail_a) = a.as_chunks::<LANES>();
    let (vectors_b, tail_b) = b.as_chunks::<LANES>();
    let vectors_a = if A { &vectors_a[..vectors.len()] } else { &[] };
    let vectors_b = if B { &vectors_b[..vectors.len()] } else { &[] };
    for (i, to) in vectors.iter_mut().enumerate() {
        if A {
            x = s.load(&vectors_a[i]);
        }
        if B {
            y = s.load(&vectors_b[i]);
        }
        let value = clamp.apply(s, function.apply(s, x, y));
        fold.push(s, value);
        s.store(value, to);
    }
    if !tail.is_empty() {
        let n = tail.len();
        if A {
            x = s.load_partial(&tail_a[..n]);
        }
        if B {
            y = s.load_partial(&tail_b[..n]);
        }
        let value = clamp.apply(s, function.apply(s, x, y));
        fold.push_first(s, value, n);
        s.store_partial(value, tail);
    }
    fold
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
