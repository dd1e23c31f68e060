//! The logistic function, which does not fall to the bit: the extremes of its results are the results of the
//! extremes.

use std::f32::consts::{LN_2, LOG2_E};

use crate::kernel::simd::{ROUND, Simd};

/// From here on the logistic function is 1.
pub(crate) const LOGISTIC_BOUND: f32 = 40.0;

/// Largest error, in units in the last place, from `LOW` on.
#[cfg(test)]
pub(super) const ULP: f64 = 3.5;
/// The same below `LOW`, where the result is normal.
#[cfg(test)]
pub(super) const LOW_ULP: f64 = 6.0;
/// Where the error in the reduction of the argument begins to show.
#[cfg(test)]
pub(super) const LOW: f32 = -17.0;

/// `2^(j / 8)` with `j` taken from the lowest three bits of the exponent.
const EIGHTHS: [f32; 8] = {
    let bits: [u32; 8] = [
        0x3f80_0000,
        0x3f8b_95c2,
        0x3f98_37f0,
        0x3fa5_fed7,
        0x3fb5_04f3,
        0x3fc5_672a,
        0x3fd7_44fd,
        0x3fea_c0c7,
    ];
    let mut values = [0.0; 8];
    let mut j = 0;
    while j < 8 {
        values[j] = f32::from_bits(bits[j] - ((j as u32) << 20));
        j += 1;
    }
    values
};

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn logistic<S: Simd>(s: S, x: S::V) -> S::V {
    logistics(s, [x])[0]
}

/// `1 / (1 + e^-x)` of several vectors, step by step, so that none waits for results of its own.
///
/// `x = r - m ln 2 / 8` with `|r| <= ln 2 / 16`, and `e^-x = 2^(m / 8) e^-r`: powers of eighths are in a table,
/// and `e^-r` is a minimax polynomial of degree 3, which is off by 2.8e-8.
///
/// No result is below that of a smaller argument. That of an infinite one is 0 or 1.
#[inline(always)]
pub(crate) fn logistics<S: Simd, const N: usize>(s: S, mut x: [S::V; N]) -> [S::V; N] {
    // Above, the result is 1. At the lower bound 2^(m / 8) is infinite, and from -88.68 on: the result is 0, as below it.
    // NaN passes: it is the second operand.
    for x in &mut x {
        *x = s.min(s.splat(LOGISTIC_BOUND), s.max(s.splat(-128.0 * LN_2), *x));
    }
    logistics_within(s, x)
}

/// [`logistics`] of values of which none is beyond [`LOGISTIC_BOUND`], on either side.
#[inline(always)]
pub(crate) fn logistics_within<S: Simd, const N: usize>(s: S, x: [S::V; N]) -> [S::V; N] {
    let (round, one) = (s.splat(ROUND), s.splat(1.0));
    let (mut rounded, mut r, mut result) = (x, x, x);
    for i in 0..N {
        rounded[i] = s.fma(x[i], s.splat(-8.0 * LOG2_E), round);
    }
    // Exact but for the error of ln 2, which counts as one of 3e-9 x.
    for i in 0..N {
        r[i] = s.fma(s.sub(rounded[i], round), s.splat(LN_2 / 8.0), x[i]);
    }
    // Rounded to these, as they are, coefficients and powers let no result fall: there is little room for others.
    for i in 0..N {
        result[i] = s.fma(r[i], s.splat(-0.166_642_98), s.splat(0.500_064_8));
    }
    for i in 0..N {
        result[i] = s.fma(r[i], result[i], s.splat(-1.0));
    }
    for i in 0..N {
        result[i] = s.fma(r[i], result[i], one);
    }
    // The low bits of `rounded` are m: three choose the power of an eighth, whose exponent all are added to.
    for power in &mut rounded {
        *power = s.add_bits(s.choose(&EIGHTHS, *power), s.shl_bits::<20>(*power));
    }
    for i in 0..N {
        result[i] = s.fma(rounded[i], result[i], one);
    }
    for result in &mut result {
        *result = s.div(one, *result);
    }
    result
}
