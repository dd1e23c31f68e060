//! Extremes of results that follow from those of the elements.

use super::functions::{HardSwish, Logistic, One};
use super::{Unary, UnaryWalk, unary_in_place};
use crate::kernel::isa::Isa;
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
