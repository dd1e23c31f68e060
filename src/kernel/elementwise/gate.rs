//! `x * logistic(x)` in one pass, with what that gate and the product are observed to be.

use super::known::until_least;
use crate::kernel::gemm::Clamp;
use crate::kernel::isa::{Isa, Task};
use crate::kernel::math::{self, LOGISTIC_BOUND};
use crate::kernel::minmax::RegisterFold;
use crate::kernel::simd::{LANES, Simd};
use crate::observation::Observation;

/// The least product of all floats, near -1.2785.
const LEAST_PRODUCT: f32 = -0.278_464_56;

/// Extremes of the gates `logistic(x)` and of the products.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gated {
    /// Of `logistic(x)`.
    pub gates: Observation,
    /// Of `x * logistic(x)`, clamped.
    pub products: Observation,
}

/// Replaces every `x` by `clamp(x * logistic(x))`, where `elements` are the extremes of the values, NaN aside, or
/// [`Observation::ANY`], and `seen` are those of earlier products. Gives extremes that lead to the same union with these.
///
/// The logistic function does not fall, nor do the products from zero on. So all extremes but the least product are
/// the results of those of the elements.
pub fn gate_in_place(
    isa: Isa,
    clamp: Clamp,
    values: &mut [f32],
    elements: Observation,
    seen: Observation,
) -> Gated {
    let Observation { min, max } = elements;
    let is_known = min >= -LOGISTIC_BOUND && (0.0..=LOGISTIC_BOUND).contains(&max);
    if clamp != Clamp::NONE || !is_known {
        return isa.dispatch(Pass::<false, true> { clamp, values });
    }
    let ends = isa.dispatch(Pass::<false, true> { clamp, values: &mut [min, max] });
    let least = until_least(values, (LEAST_PRODUCT, seen.min), |values, matters| {
        if matters {
            isa.dispatch(Pass::<true, true> { clamp, values }).products
        } else {
            isa.dispatch(Pass::<true, false> { clamp, values }).products
        }
    });
    Gated { gates: ends.gates, products: ends.products.union(least) }
}

/// A pass over any values, which folds all extremes, or over such within the bounds of the logistic function, of
/// which it folds the least product where that `MATTERS`.
struct Pass<'a, const BOUNDED: bool, const MATTERS: bool> {
    clamp: Clamp,
    values: &'a mut [f32],
}

impl<const BOUNDED: bool, const MATTERS: bool> Task for Pass<'_, BOUNDED, MATTERS> {
    type Output = Gated;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Gated {
        if S::REGISTER_LANES == LANES { self.run::<S, 4>(s) } else { self.run::<S, 3>(s) }
    }
}

impl<const BOUNDED: bool, const MATTERS: bool> Pass<'_, BOUNDED, MATTERS> {
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
                if BOUNDED {
                    if MATTERS {
                        products.push_vector_for::<true, false>(s, x[i]);
                    }
                } else {
                    x[i] = self.clamp.apply(s, x[i]);
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
