//! Extremes of results that follow from those of the elements.

use super::functions::{HardSwish, Logistic, OfOne, One};
use super::{Unary, UnaryWalk, unary_in_place};
use crate::kernel::isa::{Isa, Task};
use crate::kernel::minmax::{self, Fold};
use crate::kernel::simd::{LANES, Simd};
use crate::observation::Observation;

/// The least value of [`Unary::HardSwish`], at -1.5 and around.
const HARD_SWISH_LEAST: f32 = -0.375;

/// Values after which it is asked again whether the least result was seen, which one in 10,000 to 30,000 has where it
/// is that of elements near 0.
const PIECE: usize = 8 * 1024;

/// [`unary_in_place`], where `elements` are the extremes of the values, NaN aside, or [`Observation::ANY`], and
/// `seen` are those of earlier results. Gives extremes that lead to the same union with `seen`.
pub fn unary_in_place_knowing(
    isa: Isa,
    function: Unary,
    elements: Observation,
    seen: Observation,
    values: &mut [f32],
) -> Observation {
    let Observation { min, max } = elements;
    let is_known = elements != Observation::ANY && !elements.is_empty();
    match function {
        // No result is below that of a smaller element.
        Unary::Logistic if is_known => {
            let ends = unary_in_place(isa, function, &mut [min, max]);
            isa.dispatch(One(UnaryWalk::<false, false>::in_place(values), Logistic)).union(ends)
        }
        // From zero on no step of the computation falls, so that the greatest result is that of the greatest
        // element.
        Unary::HardSwish if is_known && max >= 0.0 && max.is_finite() => {
            let greatest = unary_in_place(isa, function, &mut [max]);
            let least = until_least(values, (HARD_SWISH_LEAST, seen.min), |values, matters| {
                if matters {
                    isa.dispatch(One(UnaryWalk::<true, false>::in_place(values), HardSwish))
                } else {
                    isa.dispatch(One(UnaryWalk::<false, false>::in_place(values), HardSwish))
                }
            });
            least.union(greatest)
        }
        _ => unary_in_place(isa, function, values),
    }
}

/// [`Unary::HardSwish`] of values whose extremes are not known, where `seen` are those of earlier results. Gives the extremes
/// of the values, NaN aside and the lowest float counted, and such of the results as lead to the same union with `seen`.
pub fn hard_swish_in_place(isa: Isa, seen: Observation, values: &mut [f32]) -> [Observation; 2] {
    let mut elements = Observation::EMPTY;
    let least = until_least(values, (HARD_SWISH_LEAST, seen.min), |values, matters| {
        let [folded, results] = if matters {
            isa.dispatch(Unknown::<true> { values })
        } else {
            isa.dispatch(Unknown::<false> { values })
        };
        elements = elements.union(folded);
        results
    });
    let mut max = [elements.max];
    let greatest = if max[0] >= 0.0 && max[0].is_finite() {
        unary_in_place(isa, Unary::HardSwish, &mut max)
    } else {
        minmax::scan(isa, values)
    };
    [elements, least.union(greatest)]
}

/// [`Unary::HardSwish`] of values, which are folded; of the results the least is, where that `MATTERS`.
struct Unknown<'a, const MATTERS: bool> {
    values: &'a mut [f32],
}

impl<const MATTERS: bool> Task for Unknown<'_, MATTERS> {
    type Output = [Observation; 2];

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Self::Output {
        if S::REGISTER_LANES == LANES { self.run::<S, 4>(s) } else { self.run::<S, 1>(s) }
    }
}

impl<const MATTERS: bool> Unknown<'_, MATTERS> {
    /// With `N` folds, that do not wait for each other.
    #[inline(always)]
    fn run<S: Simd, const N: usize>(self, s: S) -> [Observation; 2] {
        let (mut elements, mut results) = ([Fold::new(s); N], [Fold::new(s); N]);
        let (groups, rest) =
            self.values.split_at_mut(self.values.len() / (N * LANES) * (N * LANES));
        for group in groups.as_chunks_mut::<LANES>().0.as_chunks_mut::<N>().0 {
            for i in 0..N {
                let x = s.load(&group[i]);
                let y = HardSwish.apply(s, x);
                elements[i].push(s, x);
                if MATTERS {
                    results[i].push_for::<true, false>(s, y);
                }
                s.store(y, &mut group[i]);
            }
        }
        for few in rest.chunks_mut(LANES) {
            let x = s.load_up_to(few);
            let y = HardSwish.apply(s, x);
            elements[0].push_first(s, x, few.len());
            results[0].push_first(s, y, few.len());
            s.store_up_to(y, few);
        }
        for i in 1..N {
            let (element, result) = (elements[i], results[i]);
            elements[0].join(s, element);
            results[0].join(s, result);
        }
        [elements[0].finish(s), results[0].finish(s)]
    }
}

/// Runs over pieces of the values until the `least` result that there can be was seen, and then over all that are left.
/// `run` hears whether the least result matters, and gives what it has folded.
pub(super) fn until_least(
    mut values: &mut [f32],
    (least, mut seen): (f32, f32),
    mut run: impl FnMut(&mut [f32], bool) -> Observation,
) -> Observation {
    let mut observed = Observation::EMPTY;
    while !values.is_empty() {
        let matters = seen > least;
        let len = if matters { PIECE.min(values.len()) } else { values.len() };
        let (piece, left) = values.split_at_mut(len);
        observed = observed.union(run(piece, matters));
        seen = seen.min(observed.min);
        values = left;
    }
    observed
}
