//! Extremes of results that follow from those of the elements.

use super::functions::{HardSwish, One};
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
    // From zero on no step of the computation falls, so that the greatest result is that of the greatest element.
    let is_known = function == Unary::HardSwish && elements.max >= 0.0 && elements.max.is_finite();
    if !is_known {
        return unary_in_place(isa, function, values);
    }
    let greatest = unary_in_place(isa, function, &mut [elements.max]);
    let least = if seen.min <= HARD_SWISH_LEAST {
        isa.dispatch(One(UnaryWalk::<false, false>::in_place(values), HardSwish))
    } else {
        isa.dispatch(One(UnaryWalk::<true, false>::in_place(values), HardSwish))
    };
    least.union(greatest)
}
