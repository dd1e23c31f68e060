//! Neighbouring integers, and signs.

use crate::kernel::simd::Simd;

/// From here on every float is an integer.
const ALL_INTEGERS: f32 = 8_388_608.0;

/// The nearest integer, the even one of two.
#[inline(always)]
pub(crate) fn round<S: Simd>(s: S, x: S::V) -> S::V {
    let (magnitude, integers) = (s.abs(x), s.splat(ALL_INTEGERS));
    let rounded = s.sub(s.add(magnitude, integers), integers);
    s.select(s.lt(magnitude, integers), with_sign(s, rounded, x), x)
}

/// The next integer that is not above.
#[inline(always)]
pub(crate) fn floor<S: Simd>(s: S, x: S::V) -> S::V {
    let nearest = round(s, x);
    s.select(s.lt(x, nearest), s.sub(nearest, s.splat(1.0)), nearest)
}

/// The next integer that is not below.
#[inline(always)]
pub(crate) fn ceil<S: Simd>(s: S, x: S::V) -> S::V {
    let nearest = round(s, x);
    // Between -1 and 0 the result is -0.
    let above = with_sign(s, s.add(nearest, s.splat(1.0)), x);
    s.select(s.lt(nearest, x), above, nearest)
}

/// 1, 0 or -1; NaN stays.
#[inline(always)]
pub(crate) fn sign<S: Simd>(s: S, x: S::V) -> S::V {
    let zero = s.splat(0.0);
    let not_above = s.select(s.lt(x, zero), s.splat(-1.0), x);
    s.select(s.lt(zero, x), s.splat(1.0), not_above)
}

/// A value with the sign of another too: it must be positive or have that sign already.
#[inline(always)]
pub(super) fn with_sign<S: Simd>(s: S, magnitude: S::V, sign: S::V) -> S::V {
    s.or(magnitude, s.and(sign, s.splat(-0.0)))
}
