//! Functions of one or two elements, over whole tensors.

pub use self::functions::{Binary, Unary};
use self::functions::{Elements, OfOne};
pub(super) use self::functions::{OfTwo, Pairs};
use super::broadcast::Broadcast;
use super::gemm::Clamp;
use super::isa::{Isa, Task};
use super::math;
use super::minmax::{Fold, RegisterFold};
use super::odometer::Odometer;
use super::simd::{LANES, Simd};
use crate::observation::Observation;

/// Applies `function` to every element and folds the extremes of the results.
///
/// # Panics
/// If the lengths differ.
pub fn unary(isa: Isa, function: Unary, input: &[f32], output: &mut [f32]) -> Observation {
    assert_eq!(input.len(), output.len(), "one result an element");
    function.walk(isa, UnaryWalk { input, output })
}

/// Applies `function` to every element in place and folds the extremes of the results.
pub fn unary_in_place(isa: Isa, function: Unary, values: &mut [f32]) -> Observation {
    // A cache-sized block at a time, through the out-of-place loop.
    let mut block = [0.0; 1024];
    values.chunks_mut(block.len()).fold(Observation::EMPTY, |all, values| {
        let block = &mut block[..values.len()];
        block.copy_from_slice(values);
        all.union(unary(isa, function, block, values))
    })
}

/// Replaces every `x` by `clamp(x * logistic(x))`, and folds the extremes of the gates `logistic(x)` and
/// of the products.
pub fn gate_in_place(isa: Isa, clamp: Clamp, values: &mut [f32]) -> (Observation, Observation) {
    isa.dispatch(Gate { clamp, values })
}

struct Gate<'a> {
    clamp: Clamp,
    values: &'a mut [f32],
}

impl Task for Gate<'_> {
    type Output = (Observation, Observation);

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Self::Output {
        // Bounds that cannot be reached are no part of the usual loop.
        match (self.clamp == Clamp::NONE, S::REGISTER_LANES == LANES) {
            (true, true) => self.gate::<S, 4, false>(s),
            (true, false) => self.gate::<S, 2, false>(s),
            (false, true) => self.gate::<S, 4, true>(s),
            (false, false) => self.gate::<S, 2, true>(s),
        }
    }
}

impl Gate<'_> {
    /// `N` vectors at a time: as many as hide the time of a division, and fit the registers.
    #[inline(always)]
    fn gate<S: Simd, const N: usize, const CLAMP: bool>(self, s: S) -> (Observation, Observation) {
        let (mut gates, mut products) = (RegisterFold::new(s), RegisterFold::new(s));
        let whole = self.values.len() / (N * LANES) * (N * LANES);
        let (groups, rest) = self.values.split_at_mut(whole);
        for group in groups.as_chunks_mut::<LANES>().0.as_chunks_mut::<N>().0 {
            let mut x = [s.splat(0.0); N];
            for (x, vector) in x.iter_mut().zip(&*group) {
                *x = s.load(vector);
            }
            let g = math::logistics(s, x);
            for i in 0..N {
                x[i] = s.mul(x[i], g[i]);
                if CLAMP {
                    x[i] = self.clamp.apply(s, x[i]);
                }
            }
            for i in 0..N {
                gates.push_vector(s, g[i]);
                products.push_vector(s, x[i]);
                s.store(x[i], &mut group[i]);
            }
        }
        for few in rest.chunks_mut(LANES) {
            let x = s.load_up_to(few);
            let g = math::logistic(s, x);
            let y = self.clamp.apply(s, s.mul(x, g));
            gates.push_first(s, g, few.len());
            products.push_first(s, y, few.len());
            s.store_up_to(y, few);
        }
        (gates.finish(s), products.finish(s))
    }
}

struct UnaryWalk<'a> {
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Elements for UnaryWalk<'_> {
    // No closures here and below: a closure that the compiler does not inline would be compiled without
    // the instructions.
    #[inline(always)]
    fn walk<S: Simd>(self, s: S, function: impl OfOne) -> Observation {
        let mut fold = Fold::new(s);
        let (from, from_tail) = self.input.as_chunks::<LANES>();
        let (to, to_tail) = self.output.as_chunks_mut::<LANES>();
        for (from, to) in from.iter().zip(to) {
            let y = function.apply(s, s.load(from));
            fold.push(s, y);
            s.store(y, to);
        }
        if !from_tail.is_empty() {
            let y = function.apply(s, s.load_partial(from_tail));
            fold.push_first(s, y, from_tail.len());
            s.store_partial(y, to_tail);
        }
        fold.finish(s)
    }
}

/// Applies `function` and the clamp to every pair of elements and folds the extremes.
///
/// # Panics
/// If the lengths are not those of the shapes that `broadcast` was made from.
pub fn binary(
    isa: Isa,
    function: Binary,
    broadcast: &Broadcast<2>,
    (a, b): (&[f32], &[f32]),
    clamp: Clamp,
    output: &mut [f32],
) -> Observation {
    assert_eq!(output.len(), broadcast.len(), "one result an element");
    assert_eq!([a.len(), b.len()], broadcast.lens, "operand lengths");
    if output.is_empty() {
        return Observation::EMPTY;
    }
    function.walk(isa, BinaryWalk { broadcast, a, b, clamp, output })
}

struct BinaryWalk<'a> {
    broadcast: &'a Broadcast<2>,
    a: &'a [f32],
    b: &'a [f32],
    clamp: Clamp,
    output: &'a mut [f32],
}

impl Pairs for BinaryWalk<'_> {
    /// Visits every inner run.
    #[inline(always)]
    fn walk<S: Simd>(self, s: S, function: impl OfTwo) -> Observation {
        let broadcast = self.broadcast;
        let mut fold = Fold::new(s);
        let mut odometer = Odometer::new(&broadcast.outer);
        for to in self.output.chunks_exact_mut(broadcast.inner) {
            let [at_a, at_b] = odometer.at;
            let run = Run {
                function,
                a: &self.a[at_a..][..broadcast.run_len(0)],
                b: &self.b[at_b..][..broadcast.run_len(1)],
                clamp: self.clamp,
            };
            let seen = run.visit(s, broadcast.advances, to);
            fold.join(s, seen);
            odometer.advance();
        }
        fold.finish(s)
    }
}

/// One inner run; an operand that does not advance is one element.
pub(super) struct Run<'a, F> {
    pub(super) function: F,
    pub(super) a: &'a [f32],
    pub(super) b: &'a [f32],
    pub(super) clamp: Clamp,
}

impl<F: OfTwo> Run<'_, F> {
    /// Computes `to`, with operands that advance or do not.
    #[inline(always)]
    pub(super) fn visit<S: Simd>(&self, s: S, advances: [bool; 2], to: &mut [f32]) -> Fold<S> {
        match advances {
            _ if F::IS_LONG => self.visit_slowly(s, advances, to),
            [true, true] => self.visit_as::<S, true, true>(s, to),
            [true, false] => self.visit_as::<S, true, false>(s, to),
            [false, true] => self.visit_as::<S, false, true>(s, to),
            [false, false] => self.visit_as::<S, false, false>(s, to),
        }
    }

    /// One loop whatever advances: functions of many instructions are not worth more copies of them.
    #[inline(always)]
    fn visit_slowly<S: Simd>(&self, s: S, advances: [bool; 2], to: &mut [f32]) -> Fold<S> {
        let mut fold = Fold::new(s);
        let (mut a, mut b) = (s.splat(self.a[0]), s.splat(self.b[0]));
        for (i, to) in to.chunks_mut(LANES).enumerate() {
            let at = i * LANES..i * LANES + to.len();
            if advances[0] {
                a = s.load_up_to(&self.a[at.clone()]);
            }
            if advances[1] {
                b = s.load_up_to(&self.b[at]);
            }
            let y = self.clamp.apply(s, self.function.apply(s, a, b));
            fold.push_first(s, y, to.len());
            s.store_up_to(y, to);
        }
        fold
    }

    // The run has a fold of its own: one that outlives the run would stay in memory.
    #[inline(always)]
    fn visit_as<S: Simd, const A: bool, const B: bool>(&self, s: S, to: &mut [f32]) -> Fold<S> {
        let mut fold = Fold::new(s);
        let (mut a, mut b) = (s.splat(self.a[0]), s.splat(self.b[0]));
        let (vectors, tail) = to.as_chunks_mut::<LANES>();
        let whole = vectors.len();
        let (vectors_a, tail_a) = self.a.as_chunks::<LANES>();
        let (vectors_b, tail_b) = self.b.as_chunks::<LANES>();
        let vectors_a = if A { &vectors_a[..whole] } else { &[] };
        let vectors_b = if B { &vectors_b[..whole] } else { &[] };
        for (i, to) in vectors.iter_mut().enumerate() {
            if A {
                a = s.load(&vectors_a[i]);
            }
            if B {
                b = s.load(&vectors_b[i]);
            }
            let y = self.clamp.apply(s, self.function.apply(s, a, b));
            fold.push(s, y);
            s.store(y, to);
        }
        if !tail.is_empty() {
            if A {
                a = s.load_partial(tail_a);
            }
            if B {
                b = s.load_partial(tail_b);
            }
            let y = self.clamp.apply(s, self.function.apply(s, a, b));
            fold.push_first(s, y, tail.len());
            s.store_partial(y, tail);
        }
        fold
    }
}

mod functions;
#[cfg(test)]
mod tests;
