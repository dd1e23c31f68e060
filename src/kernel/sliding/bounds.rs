//! Bounds of outputs: what is known of the outputs before need not be done to those behind.

use super::Clamp;
use crate::kernel::minmax::RegisterFold;
use crate::kernel::simd::Simd;
use crate::kernel::simd::tiles::Ending;
use crate::observation::Observation;

/// The bounds, and what has to be done for them.
pub(super) struct Bounds<S: Simd> {
    clamp: Clamp,
    low: S::R,
    high: S::R,
    ending: Ending,
}

impl<S: Simd> Bounds<S> {
    #[inline(always)]
    pub(super) fn new(s: S, clamp: Clamp) -> Self {
        Self {
            clamp,
            low: s.register_splat(clamp.low),
            high: s.register_splat(clamp.high),
            ending: clamp.ending(Observation::EMPTY),
        }
    }

    /// Folds an output, and gives it within the bounds, or above them where [`Bounds::learn`] sees to that.
    #[inline(always)]
    pub(super) fn end(
        &self,
        s: S,
        output: S::R,
        mut fold: RegisterFold<S>,
    ) -> (S::R, RegisterFold<S>) {
        if self.ending == Ending::Plain {
            fold.push(s, output);
            return (output, fold);
        }
        let raised = s.register_max(self.low, output);
        if self.ending == Ending::LowKnownOnly {
            fold.push_for::<false, true>(s, raised);
            return (raised, fold);
        }
        let bounded = s.register_min(self.high, raised);
        fold.push(s, bounded);
        (bounded, fold)
    }

    /// Goes on with what was folded. Whether outputs up to here may be above the upper bound: those behind are not.
    #[inline(always)]
    #[must_use]
    pub(super) fn learn(&mut self, s: S, fold: &RegisterFold<S>) -> bool {
        match self.ending {
            Ending::Clamped if fold.reaches_down_to(s, self.low) && !self.is_high_seen(s, fold) => {
                self.ending = Ending::LowKnownOnly;
                false
            }
            Ending::LowKnownOnly if self.is_high_seen(s, fold) => {
                self.ending = Ending::Clamped;
                true
            }
            _ => false,
        }
    }

    #[inline(always)]
    fn is_high_seen(&self, s: S, fold: &RegisterFold<S>) -> bool {
        self.clamp.high < f32::INFINITY && fold.reaches_up_to(s, self.high)
    }

    /// Lowers outputs to the upper bound.
    #[inline(always)]
    pub(super) fn lower(&self, s: S, outputs: &mut [f32]) {
        self.clamp.lower(s, outputs);
    }

    /// The extremes of all outputs, of which these were folded.
    #[inline(always)]
    pub(super) fn bounded(&self, Observation { min, max }: Observation) -> Observation {
        Observation { min, max: max.min(self.clamp.high) }
    }
}
