//! Quotients by one divisor, which divisions take several times as long for.

use std::ops::RangeInclusive;

use crate::kernel::simd::Simd;

/// Divisors that have quotients without a division.
const DIVISORS: RangeInclusive<f32> = 1.0..=16_777_216.0;

/// The least dividend, 2^-96, that they are correct for: remainders are multiples of 2^-142 then, and no float is finer than
/// 2^-149.
const LEAST_DIVIDEND: f32 = f32::from_bits((127 - 96) << 23);

/// Divides by one number, to the bit as [`Simd::div`].
#[derive(Clone, Copy)]
pub(crate) struct Quotients<S: Simd> {
    divisor: S::V,
    negative: S::V,
    reciprocal: S::V,
    is_ordinary: bool,
}

impl<S: Simd> Quotients<S> {
    #[inline(always)]
    pub(crate) fn by(s: S, divisor: f32) -> Self {
        Self {
            divisor: s.splat(divisor),
            negative: s.splat(-divisor),
            reciprocal: s.splat(1.0 / divisor),
            is_ordinary: DIVISORS.contains(&divisor),
        }
    }

    /// `a / divisor`, for `a` no greater than the divisor.
    ///
    /// After Markstein ("Computation of elementary functions on the IBM RISC System/6000 processor", 1990): if the
    /// reciprocal is correctly rounded and a quotient off by less than a unit in the last place, the quotient
    /// corrected by its remainder, which is exact, is correctly rounded. A product with the reciprocal is nearly so good;
    /// corrected once, it is.
    #[inline(always)]
    pub(crate) fn of(&self, s: S, a: S::V) -> S::V {
        if !self.is_ordinary || s.any(s.lt(a, s.splat(LEAST_DIVIDEND))) {
            return s.div(a, self.divisor);
        }
        let product = s.mul(a, self.reciprocal);
        let quotient = s.fma(s.fma(product, self.negative, a), self.reciprocal, product);
        s.fma(s.fma(quotient, self.negative, a), self.reciprocal, quotient)
    }
}
