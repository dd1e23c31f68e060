//! Elementary functions over sixteen lanes, with a fixed sequence of operations and so the same bits
//! on every instruction set. Error bounds are named constants, tested against `f64`.

use std::f32::consts::{LN_2, LOG2_E};

pub(crate) use self::logarithm::{log, pow};
pub(crate) use self::logistic::{LOGISTIC_BOUND, logistic, logistics, logistics_within};
pub(crate) use self::quotient::Quotients;
pub(crate) use self::rounding::{ceil, floor, round, sign};
pub(crate) use self::trigonometry::{atan2, cos, sin};
use super::simd::{ROUND, Simd, pow2};

/// ln 2 less the float next to it.
const LN2_LOW: f32 = -1.904_654_3e-9;

/// Largest error of [`exp`], in units in the last place, where the result is a normal number.
#[cfg(test)]
const EXP_ULP: f64 = 1.0;
/// Largest error of [`elu`], in units in the last place.
#[cfg(test)]
const ELU_ULP: f64 = 1.0;
/// Largest error of [`tanh`], in units in the last place.
#[cfg(test)]
const TANH_ULP: f64 = 2.5;
/// Largest error of [`gelu`], as a share of the argument.
#[cfg(test)]
const GELU_ERROR: f64 = 1.3e-7;
/// Largest error of [`gelu_approximate`], as a share of the argument.
#[cfg(test)]
const GELU_APPROXIMATE_ERROR: f64 = 1.6e-7;

/// `e^x`.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2` (two-part reduction after Cody and Waite), then the Taylor
/// polynomial of degree 7, whose remainder is below 6e-9 there.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    // Beyond these bounds the result is 0 or infinity anyway. NaN passes: it is the second operand.
    exp_below(s, s.min(s.splat(89.0), s.max(s.splat(-104.0), x)))
}

/// `e^x` of values between -104 and 89, or NaN.
#[inline(always)]
fn exp_below<S: Simd>(s: S, x: S::V) -> S::V {
    let round = s.splat(ROUND);
    let n = s.sub(s.fma(x, s.splat(LOG2_E), round), round);
    let r = s.fma(n, s.splat(-LN_2), x);
    let r = s.fma(n, s.splat(-LN2_LOW), r);
    let mut p = s.splat(1.0 / 5040.0);
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = s.fma(p, r, s.splat(c));
    }
    // n reaches from -150 to 128.
    s.scale(p, n)
}

/// `x < 0 ? e^x - 1 : x`.
///
/// `e^x - 1 = 2^n (e^r - 1) + (2^n - 1)`, with `n` and `r` as in [`exp`], and
/// `e^r - 1 = r + r^2 p(r)` with a weighted minimax fit of degree 5, whose remainder is below 3e-10.
#[inline(always)]
pub(crate) fn elu<S: Simd>(s: S, x: S::V) -> S::V {
    const COEFFICIENTS: [f32; 6] =
        [0.000_198_458_87, 0.001_394_074_4, 0.008_333_39, 0.041_666_36, 0.166_666_66, 0.5];
    let (zero, one, magic) = (s.splat(0.0), s.splat(1.0), s.splat(ROUND));
    // Below, the result is -1.
    let bounded = s.min(zero, s.max(s.splat(-20.0), x));
    let n = s.sub(s.fma(bounded, s.splat(LOG2_E), magic), magic);
    let r = s.fma(n, s.splat(-LN2_LOW), s.fma(n, s.splat(-LN_2), bounded));
    let p = s.fma(s.mul(r, r), polynomial(s, COEFFICIENTS, r), r);
    let factor = pow2(s, n);
    s.select(s.lt(x, zero), s.fma(p, factor, s.sub(factor, one)), x)
}

/// Hyperbolic tangent.
///
/// Below 0.625 an odd polynomial (Chebyshev fit of degree 6 in `x^2`, remainder 3e-9), above it
/// `1 - 2 / (e^2x + 1)`, with the sign put back.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(s: S, x: S::V) -> S::V {
    const COEFFICIENTS: [f32; 7] = [
        -0.000_863_381_25,
        0.003_307_616,
        -0.008_791_608,
        0.021_860_018,
        -0.053_967_65,
        0.133_333_33,
        -0.333_333_34,
    ];
    let magnitude = s.abs(x);
    let z = s.mul(x, x);
    let p = polynomial(s, COEFFICIENTS, z);
    let small = s.fma(s.mul(p, z), x, x);
    let e = exp(s, s.add(magnitude, magnitude));
    let one = s.splat(1.0);
    let large = s.sub(one, s.div(s.splat(2.0), s.add(e, one)));
    let result = s.select(s.lt(magnitude, s.splat(0.625)), small, large);
    s.or(result, s.and(x, s.splat(-0.0)))
}

/// The polynomial with these coefficients, that of the highest power first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(s: S, coefficients: [f32; N], x: S::V) -> S::V {
    let mut p = s.splat(coefficients[0]);
    for &c in &coefficients[1..] {
        p = s.fma(p, x, s.splat(c));
    }
    p
}

/// `x / 2 (1 + erf(x / sqrt 2))`
///
/// The factor of `x`, the normal distribution function, is `e^(t p(t)) / 2` at `t = -|x|`, less than that of 1 on
/// the other side; `p` is a minimax fit of degree 7 down to -6, with which the factor is off by 8e-9. Beyond, the
/// exponent falls on.
#[inline(always)]
pub(crate) fn gelu<S: Simd>(s: S, x: S::V) -> S::V {
    const COEFFICIENTS: [f32; 8] = [
        -1.965_011_7e-6,
        -2.729_453_7e-5,
        -0.000_129_050_31,
        9.491_704e-5,
        0.004_895_99,
        0.036_387_578,
        -0.318_298_88,
        0.797_885_3,
    ];
    let t = s.or(x, s.splat(-0.0));
    let exponent = s.mul(t, polynomial(s, COEFFICIENTS, t));
    // Below, the result is 0 anyway. NaN passes: it is the second operand.
    let e = exp_below(s, s.max(s.splat(-104.0), exponent));
    let lower = s.mul(e, s.splat(0.5));
    let upper = s.fma(e, s.splat(-0.5), s.splat(1.0));
    s.mul(x, s.select(s.lt(x, s.splat(0.0)), lower, upper))
}

/// `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`, which is `x` times a logistic function.
#[inline(always)]
pub(crate) fn gelu_approximate<S: Simd>(s: S, x: S::V) -> S::V {
    const TWICE_SQRT_2_PI: f32 = 1.595_769_2;
    let factor = s.fma(s.mul(x, x), s.splat(TWICE_SQRT_2_PI * 0.044_715), s.splat(TWICE_SQRT_2_PI));
    s.mul(x, logistic(s, s.mul(x, factor)))
}

mod logarithm;
mod logistic;
mod quotient;
mod rounding;
#[cfg(test)]
mod tests;
mod trigonometry;
