//! Extremes: folded by kernels while values are in registers, or scanned afterwards.

use super::isa::{Isa, Task};
use super::simd::{LANES, Simd};
use crate::observation::{LOWEST, Observation};

/// Running extremes of sixteen lanes. NaN is skipped because `min` and `max` return their second
/// operand, the accumulator, when the new value is NaN.
#[derive(Clone, Copy)]
pub(crate) struct Fold<S: Simd> {
    min: S::V,
    max: S::V,
}

impl<S: Simd> Fold<S> {
    /// Nothing seen yet.
    #[inline(always)]
    pub(crate) fn new(s: S) -> Self {
        Self { min: s.splat(f32::INFINITY), max: s.splat(f32::NEG_INFINITY) }
    }

    /// Sees sixteen values.
    #[inline(always)]
    pub(crate) fn push(&mut self, s: S, v: S::V) {
        self.push_for::<true, true>(s, v);
    }

    /// Sees sixteen values, for the extremes that matter.
    #[inline(always)]
    pub(crate) fn push_for<const MIN: bool, const MAX: bool>(&mut self, s: S, v: S::V) {
        if cfg!(feature = "unobserved") {
            return;
        }
        if MIN {
            self.min = s.min(v, self.min);
        }
        if MAX {
            self.max = s.max(v, self.max);
        }
    }

    /// Sees what another has seen.
    #[inline(always)]
    pub(crate) fn join(&mut self, s: S, other: Self) {
        self.min = s.min(other.min, self.min);
        self.max = s.max(other.max, self.max);
    }

    /// The least and the largest value of each lane.
    #[inline(always)]
    pub(crate) fn extremes(self) -> [S::V; 2] {
        [self.min, self.max]
    }

    /// Has seen these.
    #[inline(always)]
    pub(crate) fn of_extremes([min, max]: [S::V; 2]) -> Self {
        Self { min, max }
    }

    /// What the upper eight lanes have seen, in the lower ones.
    #[inline(always)]
    pub(crate) fn upper_to_lower(self, s: S) -> Self {
        let turn = |v| {
            let mut lanes = s.to_array(v);
            lanes.rotate_left(LANES / 2);
            s.load(&lanes)
        };
        Self { min: turn(self.min), max: turn(self.max) }
    }

    /// Sees the first `n` of sixteen values.
    #[inline(always)]
    pub(crate) fn push_first(&mut self, s: S, v: S::V, n: usize) {
        if n >= LANES {
            return self.push(s, v);
        }
        self.push(s, s.select(s.first(n), v, s.splat(f32::NAN)));
    }

    /// The extremes of the first `n` lanes. [`LOWEST`] is counted: see
    /// [`Observation::needs_rescan`].
    #[inline(always)]
    pub(crate) fn finish_first(self, s: S, n: usize) -> Observation {
        let Self { mut min, mut max } = self;
        if n < LANES {
            min = s.select(s.first(n), min, s.splat(f32::INFINITY));
            max = s.select(s.first(n), max, s.splat(f32::NEG_INFINITY));
        }
        let (min, max) = (extreme::<false>(s.to_array(min)), extreme::<true>(s.to_array(max)));
        Observation { min, max }.with_positive_zeros()
    }

    /// The extremes of all lanes.
    #[inline(always)]
    pub(crate) fn finish(self, s: S) -> Observation {
        self.finish_first(s, LANES)
    }
}

/// The greatest of all lanes, or the least. Halves are compared until one lane is left: one after the other, lanes wait for
/// each other.
#[inline(always)]
pub(super) fn extreme<const GREATEST: bool>(mut lanes: [f32; LANES]) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for i in 0..half {
            let other = lanes[half + i];
            let wins = if GREATEST { other > lanes[i] } else { other < lanes[i] };
            lanes[i] = if wins { other } else { lanes[i] };
        }
        half /= 2;
    }
    lanes[0]
}

/// Running extremes of a register's lanes, with the rules of [`Fold`].
#[derive(Clone, Copy)]
pub(crate) struct RegisterFold<S: Simd> {
    min: S::R,
    max: S::R,
}

impl<S: Simd> RegisterFold<S> {
    /// Nothing seen yet.
    #[inline(always)]
    pub(crate) fn new(s: S) -> Self {
        Self { min: s.register_splat(f32::INFINITY), max: s.register_splat(f32::NEG_INFINITY) }
    }

    /// Sees a register.
    #[inline(always)]
    pub(crate) fn push(&mut self, s: S, r: S::R) {
        self.push_for::<true, true>(s, r);
    }

    /// Sees a register, for the extremes that matter.
    #[inline(always)]
    pub(crate) fn push_for<const MIN: bool, const MAX: bool>(&mut self, s: S, r: S::R) {
        if cfg!(feature = "unobserved") {
            return;
        }
        if MIN {
            self.min = s.register_min(r, self.min);
        }
        if MAX {
            self.max = s.register_max(r, self.max);
        }
    }

    /// What both have seen.
    #[inline(always)]
    pub(crate) fn united(s: S, [a, b]: [Self; 2]) -> Self {
        Self { min: s.register_min(b.min, a.min), max: s.register_max(b.max, a.max) }
    }

    /// Whether some lane has seen a value that is no greater than `bound`'s.
    #[inline(always)]
    pub(crate) fn reaches_down_to(&self, s: S, bound: S::R) -> bool {
        s.register_any_le(self.min, bound)
    }

    /// Whether some lane has seen a value that is no less than `bound`'s.
    #[inline(always)]
    pub(crate) fn reaches_up_to(&self, s: S, bound: S::R) -> bool {
        s.register_any_le(bound, self.max)
    }

    /// Sees the first `n` of a vector's values.
    #[inline(always)]
    pub(crate) fn push_first(&mut self, s: S, v: S::V, n: usize) {
        self.push_vector(s, s.select(s.first(n), v, s.splat(f32::NAN)));
    }

    /// Sees a vector.
    #[inline(always)]
    pub(crate) fn push_vector(&mut self, s: S, v: S::V) {
        self.push_vector_for::<true, true>(s, v);
    }

    /// Sees a vector, for the extremes that matter.
    #[inline(always)]
    pub(crate) fn push_vector_for<const MIN: bool, const MAX: bool>(&mut self, s: S, v: S::V) {
        if cfg!(feature = "unobserved") {
            return;
        }
        if MIN {
            self.min = s.min_across(v, self.min);
        }
        if MAX {
            self.max = s.max_across(v, self.max);
        }
    }

    /// The extremes of all lanes.
    #[inline(always)]
    pub(crate) fn finish(self, s: S) -> Observation {
        // Lanes beyond the register have seen nothing.
        let (mut min, mut max) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
        // SAFETY: both have room for 16, and a register has no more lanes than that.
        unsafe {
            s.register_store(self.min, min.as_mut_ptr());
            s.register_store(self.max, max.as_mut_ptr());
        }
        Fold::<S> { min: s.load(&min), max: s.load(&max) }.finish(s)
    }
}

struct Scan<'a> {
    values: &'a [f32],
    skip_lowest: bool,
}

impl Scan<'_> {
    /// What is folded in place of `v`: skipping is rare, so it may cost.
    #[inline(always)]
    fn counted<S: Simd>(&self, s: S, v: S::V) -> S::V {
        if !self.skip_lowest {
            return v;
        }
        // The lowest float becomes NaN, everything else stays.
        let lowest = s.splat(LOWEST);
        let below = s.select(s.lt(v, lowest), v, s.splat(f32::NAN));
        s.select(s.lt(lowest, v), v, below)
    }
}

impl Task for Scan<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        // Four accumulators hide the latency of the comparison.
        let mut folds = [Fold::new(s); 4];
        let (vectors, tail) = self.values.as_chunks::<LANES>();
        let (quads, rest) = vectors.as_chunks::<4>();
        for quad in quads {
            for (fold, v) in folds.iter_mut().zip(quad) {
                fold.push(s, self.counted(s, s.load(v)));
            }
        }
        for v in rest {
            folds[0].push(s, self.counted(s, s.load(v)));
        }
        folds[1].push_first(s, self.counted(s, s.load_partial(tail)), tail.len());
        let mut observed = Observation::EMPTY;
        for fold in folds {
            observed = observed.union(fold.finish(s));
        }
        observed
    }
}

/// The observation of `values`: the bits of [`Observation::scan`], at memory speed.
pub fn scan(isa: Isa, values: &[f32]) -> Observation {
    if cfg!(feature = "unobserved") {
        return Observation::EMPTY;
    }
    let folded = isa.dispatch(Scan { values, skip_lowest: false });
    if folded.needs_rescan() {
        return isa.dispatch(Scan { values, skip_lowest: true });
    }
    folded
}

/// The observation of `values`, of which a kernel has folded these extremes.
pub fn settle(isa: Isa, folded: Observation, values: &[f32]) -> Observation {
    if folded.needs_rescan() { scan(isa, values) } else { folded }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kernel::testing::any_value;

    proptest! {
        #[test]
        fn equals_the_definition(values in prop::collection::vec(any_value(), 0..200)) {
            let expected = Observation::scan(&values);
            for isa in Isa::supported() {
                let scanned = scan(isa, &values);
                prop_assert!(scanned.same_bits(expected), "{isa}: {scanned:?} {expected:?}");
            }
        }
    }
}
