//! `x * logistic(x)` in one pass, with what that gate and the product are observed to be.

use crate::kernel::gemm::Clamp;
use crate::kernel::isa::{Isa, Task};
use crate::kernel::math::{self, LOGISTIC_BOUND};
use crate::kernel::minmax::RegisterFold;
use crate::kernel::simd::{LANES, Simd};
use crate::observation::Observation;

/// How far results of the logistic function, and products with it, may lie on the wrong side of the result at a
/// bound of the arguments, as a share: it rises, but its last bits do not, and products round. Over all floats
/// between the bounds of the function neither falls by more than 1.2 epsilon.
const MARGIN: f32 = 16.0 * f32::EPSILON;

/// Extremes of the gates `logistic(x)` and of the products.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gated {
    /// Of `logistic(x)`.
    pub gates: Observation,
    /// Of `x * logistic(x)`, clamped.
    pub products: Observation,
}

impl Gated {
    /// Nothing seen yet.
    pub const EMPTY: Self = Self { gates: Observation::EMPTY, products: Observation::EMPTY };

    /// Those of both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self { gates: self.gates.union(other.gates), products: self.products.union(other.products) }
    }

    /// Whether arguments within `bounds` can move nothing but the least product.
    fn stays(self, isa: Isa, bounds: Observation) -> bool {
        let Observation { min, max } = bounds;
        let mut ends = [min, max];
        super::unary_in_place(isa, super::Unary::Logistic, &mut ends);
        let [low, high] = ends;
        let (low, high) = (low * (1.0 - MARGIN), (high * (1.0 + MARGIN)).min(1.0));
        // Of arguments below zero, no product is above it.
        let product = (max * high * (1.0 + MARGIN)).max(0.0);
        self.gates.min <= low && self.gates.max >= high && self.products.max >= product
    }
}

/// Replaces every `x` by `clamp(x * logistic(x))`, and gives the extremes of the gates `logistic(x)` and
/// of the products, as far as they are beyond those in `seen`.
///
/// The values, NaN aside, lie within `bounds`: most blocks of a tensor hold nothing that could move an extreme, and
/// are not looked at then.
pub fn gate_in_place(
    isa: Isa,
    clamp: Clamp,
    values: &mut [f32],
    bounds: Observation,
    seen: Gated,
) -> Gated {
    let is_bounded = bounds.min >= -LOGISTIC_BOUND && bounds.max <= LOGISTIC_BOUND;
    // Without a value that counts, nothing is known.
    if clamp != Clamp::NONE {
        isa.dispatch(Pass::<true, false, false> { clamp, values })
    } else if !is_bounded || bounds.is_empty() {
        isa.dispatch(Pass::<false, false, false> { clamp, values })
    } else if seen.stays(isa, bounds) {
        isa.dispatch(Pass::<false, true, true> { clamp, values })
    } else {
        isa.dispatch(Pass::<false, true, false> { clamp, values })
    }
}

/// A pass with bounds of the products or without, over values within the bounds of the logistic function or any,
/// that folds the least product only or all extremes.
struct Pass<'a, const CLAMP: bool, const BOUNDED: bool, const LEAST: bool> {
    clamp: Clamp,
    values: &'a mut [f32],
}

impl<const CLAMP: bool, const BOUNDED: bool, const LEAST: bool> Task
    for Pass<'_, CLAMP, BOUNDED, LEAST>
{
    type Output = Gated;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Gated {
        if S::REGISTER_LANES == LANES { self.run::<S, 4>(s) } else { self.run::<S, 3>(s) }
    }
}

impl<const CLAMP: bool, const BOUNDED: bool, const LEAST: bool> Pass<'_, CLAMP, BOUNDED, LEAST> {
    /// `N` vectors at a time: as many as hide the time of a division, and fit the registers.
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self, s: S) -> Gated {
        let (mut gates, mut products) = (RegisterFold::new(s), RegisterFold::new(s));
        let whole = self.values.len() / (N * LANES) * (N * LANES);
        let (groups, rest) = self.values.split_at_mut(whole);
        for group in groups.as_chunks_mut::<LANES>().0.as_chunks_mut::<N>().0 {
            let mut x = [s.splat(0.0); N];
            for (x, vector) in x.iter_mut().zip(&*group) {
                *x = s.load(vector);
            }
            let g = if BOUNDED { math::logistics_within(s, x) } else { math::logistics(s, x) };
            for i in 0..N {
                x[i] = s.mul(x[i], g[i]);
                if CLAMP {
                    x[i] = self.clamp.apply(s, x[i]);
                }
            }
            for i in 0..N {
                if LEAST {
                    products.push_vector_for::<true, false>(s, x[i]);
                } else {
                    gates.push_vector(s, g[i]);
                    products.push_vector(s, x[i]);
                }
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
        Gated { gates: gates.finish(s), products: products.finish(s) }
    }
}
