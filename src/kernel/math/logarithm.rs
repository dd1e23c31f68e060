//! The natural logarithm, and powers through the binary one.

use std::f32::consts::{LN_2, LOG2_E, SQRT_2};

use super::rounding::{round, with_sign};
use super::{LN2_LOW, polynomial};
use crate::kernel::simd::{ROUND, Simd};

/// Largest error of [`log`], in units in the last place.
#[cfg(test)]
pub(super) const LOG_ULP: f64 = 1.0;
/// Largest error of [`pow`], in units in the last place, where the result is a normal number.
#[cfg(test)]
pub(super) const POW_ULP: f64 = 1.25;

/// `x = 2^n m` with `m` between `sqrt 1/2` and `sqrt 2`, for positive finite `x`.
#[inline(always)]
fn split<S: Simd>(s: S, x: S::V) -> (S::V, S::V) {
    const HALF_OCTAVE: u32 = (SQRT_2 / 2.0).to_bits();
    const ONE: u32 = 1.0_f32.to_bits();
    let bits = |bits: u32| s.splat(f32::from_bits(bits));
    // Denormals have no exponent of their own.
    let is_small = s.lt(x, s.splat(f32::MIN_POSITIVE));
    let x = s.select(is_small, s.mul(x, s.splat(8_388_608.0)), x);
    let bias = s.select(is_small, s.splat(127.0 + 23.0), s.splat(127.0));
    // Moved so that the exponent changes where the mantissa is that of sqrt 1/2.
    let moved = s.add_bits(x, bits(ONE - HALF_OCTAVE));
    let fraction = s.and(moved, bits(0x007f_ffff));
    // The exponent as the last bits of a float that is 2^23 too large.
    let exponent = s.or(s.shr_bits::<23>(moved), s.splat(8_388_608.0));
    (s.sub(s.sub(exponent, s.splat(8_388_608.0)), bias), s.add_bits(fraction, bits(HALF_OCTAVE)))
}

/// Natural logarithm.
///
/// `ln x = n ln 2 + ln(1 + f)` with `1 + f` between `sqrt 1/2` and `sqrt 2`, and
/// `ln(1 + f) = f - f^2 / 2 + f^3 p(f)` with a weighted minimax fit of degree 8, whose remainder is below
/// 8e-10.
#[inline(always)]
pub(crate) fn log<S: Simd>(s: S, x: S::V) -> S::V {
    const COEFFICIENTS: [f32; 9] = [
        0.067_575_715,
        -0.116_943_35,
        0.118_935_12,
        -0.124_030_836,
        0.142_185_54,
        -0.166_680_9,
        0.200_021_67,
        -0.250_000_1,
        0.333_333_1,
    ];
    let (n, m) = split(s, x);
    let f = s.sub(m, s.splat(1.0));
    let square = s.mul(f, f);
    let cubic = s.mul(s.mul(f, square), polynomial(s, COEFFICIENTS, f));
    let low = s.fma(n, s.splat(LN2_LOW), s.fma(square, s.splat(-0.5), cubic));
    let result = s.fma(n, s.splat(LN_2), s.add(f, low));
    // Infinity and NaN stay, zero becomes negative infinity, and what is below NaN.
    let result = s.select(s.lt(x, s.splat(f32::INFINITY)), result, x);
    let zero = s.splat(0.0);
    let infinite = s.add(x, s.splat(f32::NEG_INFINITY));
    let not_positive = s.select(s.lt(x, zero), s.splat(f32::NAN), infinite);
    s.select(s.lt(zero, x), result, not_positive)
}

/// `x^y`.
///
/// `2^(y log2 |x|)`, with the logarithm and its product with `y` as sums of two floats, and with the sign
/// of `x` for odd `y`. Special values are those of C's `pow` (C17, F.10.4.4).
#[inline(always)]
pub(crate) fn pow<S: Simd>(s: S, x: S::V, y: S::V) -> S::V {
    let (zero, one, infinity) = (s.splat(0.0), s.splat(1.0), s.splat(f32::INFINITY));
    let (high, low) = log2(s, s.abs(x));
    // An infinite power of 1 is 1; of all else a large one is 0 or infinity too.
    let bounded = s.min(s.splat(f32::MAX), s.max(s.splat(f32::MIN), y));
    let product = s.mul(bounded, high);
    let rest = s.fma(bounded, low, s.fma(bounded, high, s.neg(product)));
    // Where the result is 0 or infinity, what is left over may be no number.
    let limit = s.splat(200.0);
    let rest = s.select(s.lt(limit, s.abs(product)), zero, rest);
    let power = exp2(s, s.min(limit, s.max(s.neg(limit), product)), rest);

    let is_integer = s.eq(y, round(s, y));
    // An odd integer's half is no integer; an infinity minus itself is NaN, and so even.
    let half = s.mul(y, s.splat(0.5));
    let is_odd = s.lt(zero, s.abs(s.sub(half, round(s, half))));
    let odd_sign = s.select(is_integer, s.select(is_odd, x, zero), zero);
    let signed = with_sign(s, power, odd_sign);
    // Finite numbers below zero have integral powers only.
    let base = s.select(is_integer, zero, x);
    let is_root = s.lt(s.select(s.lt(s.neg(infinity), base), base, zero), zero);
    let result = s.select(is_root, s.splat(f32::NAN), signed);
    // Even where the other one is NaN.
    let result = s.select(s.eq(x, one), one, result);
    s.select(s.eq(y, zero), one, result)
}

/// The binary logarithm of numbers that are not negative, as a float and what is left of it.
///
/// `log2 x = n + 2 / ln 2 atanh(f / (2 + f))`, where `x = 2^n (1 + f)`, and
/// `atanh t = t + t (t^2 / 3 + t^4 p(t^2))` with a minimax fit of degree 2, whose remainder is below 4e-11.
/// The error is about 2^-40 of the result.
#[inline(always)]
fn log2<S: Simd>(s: S, x: S::V) -> (S::V, S::V) {
    const COEFFICIENTS: [f32; 3] = [0.116_712_72, 0.142_762_48, 0.200_000_32];
    const THIRD: f32 = 1.0 / 3.0;
    /// 1/3 - `THIRD`
    const THIRD_LOW: f32 = -9.934_108e-9;
    const FACTOR: f32 = 2.0 * LOG2_E;
    /// 2 / ln 2 - `FACTOR`
    const FACTOR_LOW: f32 = 3.851_926e-8;
    /// What the rounded product is off by.
    #[inline(always)]
    fn residue<S: Simd>(s: S, a: S::V, b: S::V, product: S::V) -> S::V {
        s.fma(a, b, s.neg(product))
    }
    let (n, m) = split(s, x);
    let f = s.sub(m, s.splat(1.0));
    // t = f / (2 + f)
    let below = s.add(s.splat(2.0), f);
    let below_low = s.sub(f, s.sub(below, s.splat(2.0)));
    let inverse = s.div(s.splat(1.0), below);
    let t = s.mul(f, inverse);
    let rest = s.fma(s.neg(t), below_low, s.fma(s.neg(t), below, f));
    let t_low = s.mul(rest, inverse);
    // t^2 / 3 + t^4 p(t^2)
    let z = s.mul(t, t);
    let z_low = s.fma(s.add(t, t), t_low, residue(s, t, t, z));
    let third = s.splat(THIRD);
    let w = s.mul(z, third);
    let tail = s.fma(z, polynomial(s, COEFFICIENTS, z), s.splat(THIRD_LOW));
    let w_low = s.fma(z, tail, s.fma(z_low, third, residue(s, z, third, w)));
    // atanh t
    let p = s.mul(t, w);
    let p_low = s.fma(t_low, w, s.fma(t, w_low, residue(s, t, w, p)));
    let a = s.add(t, p);
    let a_low = s.add(s.sub(p, s.sub(a, t)), s.add(t_low, p_low));
    // log2 m, log2 x
    let factor = s.splat(FACTOR);
    let l = s.mul(a, factor);
    let l_low = s.fma(a_low, factor, s.fma(a, s.splat(FACTOR_LOW), residue(s, a, factor, l)));
    let high = s.add(n, l);
    let low = s.add(s.sub(l, s.sub(high, n)), l_low);
    // Infinity and NaN stay, and zero becomes negative infinity.
    let infinity = s.splat(f32::INFINITY);
    let high = s.select(s.lt(x, infinity), high, x);
    (s.select(s.lt(s.splat(0.0), x), high, s.sub(x, infinity)), low)
}

/// `2^(high + low)` for a high part between -200 and 200, or NaN, and a low part that is much smaller.
///
/// `2^r = 1 + r p(r)` for `|r| <= 1/2`, with a weighted minimax fit of degree 5, whose remainder is below
/// 3e-9.
#[inline(always)]
fn exp2<S: Simd>(s: S, high: S::V, low: S::V) -> S::V {
    const COEFFICIENTS: [f32; 6] =
        [0.000_153_529_46, 0.001_339_939_1, 0.009_618_442_5, 0.055_503_312, 0.240_226_48, LN_2];
    let magic = s.splat(ROUND);
    let n = s.sub(s.add(high, magic), magic);
    let r = s.add(s.sub(high, n), low);
    s.scale(s.fma(r, polynomial(s, COEFFICIENTS, r), s.splat(1.0)), n)
}
