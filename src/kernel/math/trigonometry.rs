//! Sine, cosine, and angles of points.

use std::f32::consts::{FRAC_2_PI, FRAC_PI_2, PI};

use super::polynomial;
use super::rounding::with_sign;
use crate::kernel::simd::{LANES, ROUND, Simd};

/// Largest error of [`sin`] and [`cos`], in units in the last place.
#[cfg(test)]
pub(super) const SIN_ULP: f64 = 1.75;
/// Largest error of [`atan2`], in units in the last place, where the result is a normal number.
#[cfg(test)]
pub(super) const ATAN2_ULP: f64 = 1.75;

/// Up to here three floats stand for pi / 2.
const FAR: f32 = 131_072.0;
/// The first 256 bits of 2 / pi after the point.
const TWO_OVER_PI: [u64; 4] =
    [0xa2f9_836e_4e44_1529, 0xfc27_57d1_f534_ddc0, 0xdb62_9599_3c43_9041, 0xfe51_63ab_debb_c561];

/// Sine.
#[inline(always)]
pub(crate) fn sin<S: Simd>(s: S, x: S::V) -> S::V {
    let (quarter, r) = reduce(s, x);
    sin_from(s, quarter, r)
}

/// Cosine.
#[inline(always)]
pub(crate) fn cos<S: Simd>(s: S, x: S::V) -> S::V {
    let (quarter, r) = reduce(s, x);
    sin_from(s, s.add_bits(quarter, s.splat(f32::from_bits(1))), r)
}

/// `x` as a number of quarter turns, whose last two bits are right, and an angle of at most an eighth of
/// a turn.
///
/// The reduction after Cody and Waite in three parts: with fused multiply-adds the first product is
/// exact, and what the parts leave out of pi / 2 is below 2e-23.
#[inline(always)]
fn reduce<S: Simd>(s: S, x: S::V) -> (S::V, S::V) {
    const PARTS: [f32; 3] = [FRAC_PI_2, -4.371_139e-8, -1.715_124_5e-15];
    let round = s.splat(ROUND);
    let quarter = s.fma(x, s.splat(FRAC_2_PI), round);
    let n = s.sub(quarter, round);
    let mut r = x;
    for part in PARTS {
        r = s.fma(n, s.splat(-part), r);
    }
    let is_far = s.lt(s.splat(FAR), s.abs(x));
    if !s.any(is_far) {
        return (quarter, r);
    }
    let (x, mut quarters, mut angles) = (s.to_array(x), s.to_array(quarter), s.to_array(r));
    for i in 0..LANES {
        if x[i].abs() > FAR {
            let (quarter, angle) = reduce_far(x[i]);
            (quarters[i], angles[i]) = (f32::from_bits(quarter), angle);
        }
    }
    (s.load(&quarters), s.load(&angles))
}

/// [`reduce`] of one number, however large, after Payne and Hanek: of 2 / pi, whole numbers of turns are
/// left out, and 96 bits are enough for what follows.
fn reduce_far(x: f32) -> (u32, f32) {
    if !x.is_finite() {
        return (0, f32::NAN);
    }
    // x = mantissa 2^exponent, with an exponent between -6 and 104.
    let mantissa = (x.to_bits() & 0x007f_ffff) | 0x0080_0000;
    let exponent = (x.to_bits() >> 23 & 0xff) as i32 - 150;
    let skipped = (exponent - 2).max(0) as usize;
    let product = u128::from(mantissa) * bits_of_two_over_pi(skipped);
    // The product is the number of quarters times 2^places; full turns may be missing.
    let places = 96 + skipped as i32 - exponent;
    let quarters = (product >> places) as u32;
    let rest = product & ((1 << places) - 1);
    let is_upper_half = rest >> (places - 1) == 1;
    let rest = rest as i128 - if is_upper_half { 1 << places } else { 0 };
    let share = rest as f64 / (1_u128 << places) as f64;
    let angle = (share * std::f64::consts::FRAC_PI_2) as f32;
    let quarters = quarters.wrapping_add(u32::from(is_upper_half));
    if x < 0.0 { (quarters.wrapping_neg(), -angle) } else { (quarters, angle) }
}

/// 96 bits of 2 / pi from one on.
fn bits_of_two_over_pi(first: usize) -> u128 {
    let (word, shift) = (first / 64, first % 64);
    let at = |i: usize| TWO_OVER_PI.get(word + i).copied().unwrap_or(0);
    let [a, b, c] = [at(0), at(1), at(2)];
    let high = u128::from(a) << 64 | u128::from(b);
    let bits = if shift == 0 { high } else { high << shift | u128::from(c >> (64 - shift)) };
    bits >> 32
}

/// The sine of a number of quarter turns and an angle of at most an eighth of a turn.
///
/// `sin r = r + r^3 p(r^2)` and `cos r = 1 - r^2 / 2 + r^4 q(r^2)`, both weighted minimax fits of degree 2,
/// with remainders below 4e-9 and 2e-10.
#[inline(always)]
fn sin_from<S: Simd>(s: S, quarter: S::V, r: S::V) -> S::V {
    const SIN: [f32; 3] = [-0.000_195_131_23, 0.008_332_145, -0.166_666_54];
    const COS: [f32; 3] = [2.443_068_8e-5, -0.001_388_729_5, 0.041_666_646];
    let one = s.splat(1.0);
    let z = s.mul(r, r);
    let sin = s.fma(s.mul(r, z), polynomial(s, SIN, z), r);
    let cos = s.fma(s.mul(z, z), polynomial(s, COS, z), s.fma(z, s.splat(-0.5), one));
    let is_odd = s.lt(s.or(s.shl_bits::<31>(quarter), one), s.splat(0.0));
    let sign = s.and(s.shl_bits::<30>(quarter), s.splat(-0.0));
    s.add_bits(s.select(is_odd, cos, sin), sign)
}

/// The angle of the point `(x, y)`, as C's `atan2` (C17, F.10.1.4).
///
/// The smaller coordinate over the larger is the tangent of an angle of at most an eighth of a turn:
/// `atan t = t + t^3 p(t^2)`, a weighted minimax fit of degree 8, whose remainder is below 3e-9.
#[inline(always)]
pub(crate) fn atan2<S: Simd>(s: S, y: S::V, x: S::V) -> S::V {
    const COEFFICIENTS: [f32; 9] = [
        -0.001_793_623,
        0.010_914_612,
        -0.031_177_856,
        0.057_957_605,
        -0.084_034_51,
        0.109_521_86,
        -0.142_642_42,
        0.199_985_49,
        -0.333_333,
    ];
    /// pi / 2 - `FRAC_PI_2`
    const FRAC_PI_2_LOW: f32 = -4.371_139e-8;
    /// pi - `PI`
    const PI_LOW: f32 = -8.742_278e-8;
    let (one, zero) = (s.splat(1.0), s.splat(0.0));
    let (height, width) = (s.abs(y), s.abs(x));
    let is_steep = s.lt(width, height);
    let above = s.select(is_steep, width, height);
    let below = s.select(is_steep, height, width);
    // Two infinities are as two equal numbers, and 0 / 0 is 0. NaN passes: it is the second operand.
    let both_infinite = s.lt(s.splat(f32::MAX), above);
    let above = s.select(both_infinite, one, above);
    let below = s.select(both_infinite, s.min(one, below), s.max(s.splat(1.0e-45), below));
    let t = s.div(above, below);
    let z = s.mul(t, t);
    let angle = s.fma(s.mul(t, z), polynomial(s, COEFFICIENTS, z), t);
    let complement = s.sub(s.splat(FRAC_PI_2), s.sub(angle, s.splat(FRAC_PI_2_LOW)));
    let angle = s.select(is_steep, complement, angle);
    let is_left = s.lt(with_sign(s, one, x), zero);
    let supplement = s.sub(s.splat(PI), s.sub(angle, s.splat(PI_LOW)));
    with_sign(s, s.select(is_left, supplement, angle), y)
}
