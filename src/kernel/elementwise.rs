//! Functions of one or two elements, over whole tensors.

use std::marker::PhantomData;

pub use self::functions::{Binary, Unary};
use self::functions::{Elements, OfOne};
pub(super) use self::functions::{OfTwo, Pairs};
pub use self::gate::{Gated, gate_in_place};
pub use self::known::{hard_swish_in_place, unary_in_place_knowing};
use super::broadcast::Broadcast;
use super::gemm::Clamp;
use super::isa::Isa;
use super::minmax::Fold;
use super::odometer::Odometer;
use super::simd::{LANES, Simd};
use crate::observation::Observation;

/// Vectors of a round, each with a fold of its own, where a vector is one register and values are replaced: those are mostly in
/// the cache, and come faster than a fold that waits for the one before. Memory is not the faster for it.
const ROUND: usize = 4;

/// Applies `function` to every element and folds the extremes of the results.
///
/// # Panics
/// If the lengths differ.
pub fn unary(isa: Isa, function: Unary, input: &[f32], output: &mut [f32]) -> Observation {
    assert_eq!(input.len(), output.len(), "one result an element");
    let (from, to, len) = (input.as_ptr(), output.as_mut_ptr(), output.len());
    function.walk(isa, UnaryWalk::<true, true> { from, to, len, lives: PhantomData })
}

/// Applies `function` to every element in place and folds the extremes of the results.
pub fn unary_in_place(isa: Isa, function: Unary, values: &mut [f32]) -> Observation {
    function.walk(isa, UnaryWalk::<true, true>::in_place(values))
}

/// From `len` elements to as many results, apart from them or in their place: one loop for both, since
/// every function has one of its own.
///
/// Folded are the extremes that matter; of the elements after whole vectors both, as that costs nothing.
struct UnaryWalk<'a, const MIN: bool, const MAX: bool> {
    from: *const f32,
    to: *mut f32,
    len: usize,
    lives: PhantomData<&'a mut [f32]>,
}

impl<'a, const MIN: bool, const MAX: bool> UnaryWalk<'a, MIN, MAX> {
    fn in_place(values: &'a mut [f32]) -> Self {
        let (to, len) = (values.as_mut_ptr(), values.len());
        Self { from: to, to, len, lives: PhantomData }
    }
}

impl<const MIN: bool, const MAX: bool> Elements for UnaryWalk<'_, MIN, MAX> {
    // No closures here and below: a closure that the compiler does not inline would be compiled without
    // the instructions.
    #[inline(always)]
    fn walk<S: Simd>(self, s: S, function: impl OfOne) -> Observation {
        let mut folds = [Fold::new(s); ROUND];
        let (whole, few) = (self.len / LANES * LANES, self.len % LANES);
        let in_rounds = if S::REGISTER_LANES == LANES && self.from.addr() == self.to.addr() {
            whole - whole % (ROUND * LANES)
        } else {
            0
        };
        // SAFETY: `unary` and `unary_in_place` have borrowed `len` elements at `from`, and at `to` mutably,
        // for as long as this lives. Where both are the same, each vector is read before it is written,
        // and no slice of the one is there while the other is used.
        unsafe {
            for at in (0..in_rounds).step_by(ROUND * LANES) {
                for (i, fold) in folds.iter_mut().enumerate() {
                    let at = at + i * LANES;
                    let y = function.apply(s, s.load_ptr(self.from.add(at)));
                    fold.push_for::<MIN, MAX>(s, y);
                    s.store_ptr(y, self.to.add(at));
                }
            }
            let [mut fold, others @ ..] = folds;
            for other in others {
                fold.join(s, other);
            }
            for at in (in_rounds..whole).step_by(LANES) {
                let y = function.apply(s, s.load_ptr(self.from.add(at)));
                fold.push_for::<MIN, MAX>(s, y);
                s.store_ptr(y, self.to.add(at));
            }
            if few > 0 {
                let x = s.load_partial(std::slice::from_raw_parts(self.from.add(whole), few));
                let y = function.apply(s, x);
                fold.push_first(s, y, few);
                s.store_partial(y, std::slice::from_raw_parts_mut(self.to.add(whole), few));
            }
            fold.finish(s)
        }
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
            let a = self.a[at_a..][..broadcast.run_len(0)].as_ptr();
            let b = self.b[at_b..][..broadcast.run_len(1)].as_ptr();
            let run = Run { function, a, b, clamp: self.clamp };
            // SAFETY: operands that advance have as many elements as `to`, which nothing else borrows.
            let seen = unsafe { run.visit(s, broadcast.advances, to.as_mut_ptr(), to.len()) };
            fold.join(s, seen);
            odometer.advance();
        }
        fold.finish(s)
    }
}

/// One inner run; an operand that does not advance is one element.
pub(super) struct Run<F> {
    pub(super) function: F,
    pub(super) a: *const f32,
    pub(super) b: *const f32,
    pub(super) clamp: Clamp,
}

impl<F: OfTwo> Run<F> {
    /// Computes `len` elements at `to`, with operands that advance or do not.
    ///
    /// # Safety
    /// Operands that advance must be readable for `len` elements, others for one, and `to` writable for
    /// `len`. The results may be apart from the operands, or in the place of one that advances.
    #[inline(always)]
    pub(super) unsafe fn visit<S: Simd>(
        &self,
        s: S,
        advances: [bool; 2],
        to: *mut f32,
        len: usize,
    ) -> Fold<S> {
        // SAFETY: as for this function.
        unsafe {
            match advances {
                _ if F::IS_LONG => self.visit_slowly(s, advances, to, len),
                [true, true] => self.visit_as::<S, true, true>(s, to, len),
                [true, false] => self.visit_as::<S, true, false>(s, to, len),
                [false, true] => self.visit_as::<S, false, true>(s, to, len),
                [false, false] => self.visit_as::<S, false, false>(s, to, len),
            }
        }
    }

    /// One loop whatever advances: functions of many instructions are not worth more copies of them.
    ///
    /// # Safety
    /// As for [`visit`](Self::visit).
    #[inline(always)]
    unsafe fn visit_slowly<S: Simd>(
        &self,
        s: S,
        advances: [bool; 2],
        to: *mut f32,
        len: usize,
    ) -> Fold<S> {
        let mut fold = Fold::new(s);
        // SAFETY: all that is read and written is below `len`, and no two slices are there at a time.
        unsafe {
            let (mut a, mut b) = (s.splat(*self.a), s.splat(*self.b));
            for at in (0..len).step_by(LANES) {
                let n = LANES.min(len - at);
                if advances[0] {
                    a = s.load_up_to(std::slice::from_raw_parts(self.a.add(at), n));
                }
                if advances[1] {
                    b = s.load_up_to(std::slice::from_raw_parts(self.b.add(at), n));
                }
                let y = self.clamp.apply(s, self.function.apply(s, a, b));
                fold.push_first(s, y, n);
                s.store_up_to(y, std::slice::from_raw_parts_mut(to.add(at), n));
            }
        }
        fold
    }

    /// The run has a fold of its own: one that outlives the run would stay in memory.
    ///
    /// # Safety
    /// As for [`visit`](Self::visit).
    #[inline(always)]
    unsafe fn visit_as<S: Simd, const A: bool, const B: bool>(
        &self,
        s: S,
        to: *mut f32,
        len: usize,
    ) -> Fold<S> {
        let mut fold = Fold::new(s);
        let (whole, few) = (len / LANES * LANES, len % LANES);
        // SAFETY: all that is read and written is below `len`, and no two slices are there at a time.
        unsafe {
            let (mut a, mut b) = (s.splat(*self.a), s.splat(*self.b));
            for at in (0..whole).step_by(LANES) {
                if A {
                    a = s.load_ptr(self.a.add(at));
                }
                if B {
                    b = s.load_ptr(self.b.add(at));
                }
                let y = self.clamp.apply(s, self.function.apply(s, a, b));
                fold.push(s, y);
                s.store_ptr(y, to.add(at));
            }
            if few > 0 {
                if A {
                    a = s.load_partial(std::slice::from_raw_parts(self.a.add(whole), few));
                }
                if B {
                    b = s.load_partial(std::slice::from_raw_parts(self.b.add(whole), few));
                }
                let y = self.clamp.apply(s, self.function.apply(s, a, b));
                fold.push_first(s, y, few);
                s.store_partial(y, std::slice::from_raw_parts_mut(to.add(whole), few));
            }
        }
        fold
    }
}

mod functions;
mod gate;
mod known;
#[cfg(test)]
mod tests;
