//! Extremes of results that follow from those of the elements.

use super::functions::{HardSwish, Logistic, One};
use super::{Unary, UnaryWalk, unary_in_place};
use crate::kernel::isa::Isa;
use crate::observation::Observation;

/// The least value of [`Unary::HardSwish`], at -1.5 and around.
const HARD_SWISH_LEAST: f32 = -0.375;

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
            let least = if seen.min <= HARD_SWISH_LEAST {
                isa.dispatch(One(UnaryWalk::<false, false>::in_place(values), HardSwish))
            } else {
                isa.dispatch(One(UnaryWalk::<true, false>::in_place(values), HardSwish))
            };
            least.union(greatest)
        }
        _ => unary_in_place(isa, function, values),
    }
}
