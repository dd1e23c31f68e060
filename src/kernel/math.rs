//! Elementary functions over sixteen lanes, with a fixed sequence of operations and so the same bits
//! on every instruction set. Error bounds are named constants, tested against `f64`.

use std::f32::consts::{LN_2, LOG2_E};

use super::simd::{ROUND, Simd};

/// Largest error of [`exp`], in units in the last place, where the result is a normal number.
#[cfg(test)]
const EXP_ULP: f64 = 1.0;
/// Largest error of [`logistic`], in units in the last place, from `LOGISTIC_LOW` on.
#[cfg(test)]
const LOGISTIC_ULP: f64 = 2.5;
/// The same below `LOGISTIC_LOW`, where the result is normal.
#[cfg(test)]
const LOGISTIC_LOW_ULP: f64 = 4.5;
/// Where the error in the reduction of the argument of [`logistic`] begins to show.
#[cfg(test)]
const LOGISTIC_LOW: f32 = -40.0;
/// Largest error of [`tanh`], in units in the last place.
#[cfg(test)]
const TANH_ULP: f64 = 2.5;
/// Largest error of [`erf`], in units in the last place, where the result is normal.
#[cfg(test)]
const ERF_ULP: f64 = 1.0;
/// Largest error of [`gelu`] and [`gelu_approximate`], as a share of the argument.
#[cfg(test)]
const GELU_ERROR: f64 = 1.2e-7;

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
    const LN2_HIGH: f32 = LN_2;
    /// ln 2 - `LN2_HIGH`
    const LN2_LOW: f32 = -1.904_654_3e-9;
    let round = s.splat(ROUND);
    let n = s.sub(s.fma(x, s.splat(LOG2_E), round), round);
    let r = s.fma(n, s.splat(-LN2_HIGH), x);
    let r = s.fma(n, s.splat(-LN2_LOW), r);
    let mut p = s.splat(1.0 / 5040.0);
    for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = s.fma(p, r, s.splat(c));
    }
    // n reaches from -150 to 128.
    s.scale(p, n)
}

/// `1 / (1 + e^-x)`.
#[inline(always)]
pub(crate) fn logistic<S: Simd>(s: S, x: S::V) -> S::V {
    logistics(s, [x])[0]
}

/// `1 / (1 + e^-x)` of several vectors, step by step, so that none waits for results of its own.
///
/// `x = r - n ln 2` with `|r| <= ln 2 / 2`, and `e^-r` is the fraction `(a - r / 2) / (a + r / 2)`,
/// so that one division is enough: `(a + r / 2) / ((a + r / 2) + 2^n (a - r / 2))`.
#[inline(always)]
pub(crate) fn logistics<S: Simd, const N: usize>(s: S, x: [S::V; N]) -> [S::V; N] {
    let round = s.splat(ROUND);
    let (mut r, mut rounded, mut a, mut result) = (x, x, x, x);
    // Above, the result is 1. At the lower bound r is 0 and 2^n infinite: the result is 0, as below it.
    // NaN passes: it is the second operand.
    for r in &mut r {
        *r = s.min(s.splat(40.0), s.max(s.splat(-128.0 * LN_2), *r));
    }
    for i in 0..N {
        rounded[i] = s.fma(r[i], s.splat(-LOG2_E), round);
    }
    // Exact, since the terms cancel; the error of ln 2 counts n times, as one of 3e-9 x would.
    for i in 0..N {
        r[i] = s.fma(s.sub(rounded[i], round), s.splat(LN_2), r[i]);
    }
    // r / 2 coth(r / 2): a weighted minimax fit, with which the fraction is off by 6e-10.
    for i in 0..N {
        result[i] = s.mul(r[i], r[i]);
    }
    for i in 0..N {
        a[i] = s.fma(result[i], s.splat(-0.001_382_975_7), s.splat(0.083_333_09));
    }
    for i in 0..N {
        a[i] = s.fma(result[i], a[i], s.splat(1.0));
    }
    for i in 0..N {
        result[i] = s.fma(r[i], s.splat(-0.5), a[i]);
    }
    for i in 0..N {
        a[i] = s.fma(r[i], s.splat(0.5), a[i]);
    }
    // The low bits of `rounded` are n, which is added to the exponent. A NaN need not stay one here,
    // but does in the other term.
    for i in 0..N {
        result[i] = s.add_bits(result[i], s.shl_bits::<23>(rounded[i]));
    }
    for i in 0..N {
        result[i] = s.add(a[i], result[i]);
    }
    for i in 0..N {
        result[i] = s.div(a[i], result[i]);
    }
    result
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

/// The error function, `2 / sqrt(pi)` times the integral of `e^(-t^2)` from 0 to `x`.
///
/// Below 0.9375 `x + x p(x^2)`, above it `1 - e^-(x + x q(x))`, with the sign put back; both polynomials
/// are weighted minimax fits of degree 6, with remainders of 6e-10. From 3.92 on the result is 1.
#[inline(always)]
pub(crate) fn erf<S: Simd>(s: S, x: S::V) -> S::V {
    const SMALL: [f32; 7] = [
        8.261_295e-5,
        -0.000_811_657_05,
        0.005_198_693,
        -0.026_858_44,
        0.112_836_78,
        -0.376_126_32,
        0.128_379_17,
    ];
    const LARGE: [f32; 7] = [
        1.215_001_3e-5,
        -0.000_331_983_3,
        0.003_679_711_1,
        -0.023_840_69,
        0.106_327_966,
        0.635_096_4,
        0.128_661_99,
    ];
    let magnitude = s.abs(x);
    let small = s.fma(x, polynomial(s, SMALL, s.mul(x, x)), x);
    // The fit ends at 4. NaN passes: it is the second operand.
    let t = s.min(s.splat(4.0), magnitude);
    let exponent = s.fma(t, polynomial(s, LARGE, t), t);
    let large = s.sub(s.splat(1.0), exp(s, s.neg(exponent)));
    let result = s.select(s.lt(magnitude, s.splat(0.9375)), small, large);
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
#[inline(always)]
pub(crate) fn gelu<S: Simd>(s: S, x: S::V) -> S::V {
    let erf = erf(s, s.mul(x, s.splat(std::f32::consts::FRAC_1_SQRT_2)));
    let half = s.mul(x, s.splat(0.5));
    s.fma(half, erf, half)
}

/// `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`
#[inline(always)]
pub(crate) fn gelu_approximate<S: Simd>(s: S, x: S::V) -> S::V {
    const SQRT_2_PI: f32 = 0.797_884_6;
    let factor = s.fma(s.mul(x, x), s.splat(SQRT_2_PI * 0.044_715), s.splat(SQRT_2_PI));
    let tanh = tanh(s, s.mul(x, factor));
    let half = s.mul(x, s.splat(0.5));
    s.fma(half, tanh, half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::isa::{Isa, Task};
    use crate::kernel::simd::LANES;

    #[derive(Clone, Copy)]
    enum Function {
        Exp,
        Logistic,
        Tanh,
        Erf,
        Gelu,
        GeluApproximate,
    }

    struct Map<'a>(Function, &'a [f32]);

    impl Task for Map<'_> {
        type Output = Vec<f32>;
        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> Vec<f32> {
            let mut out = Vec::new();
            for x in self.1.chunks(LANES) {
                let v = s.load_partial(x);
                let y = match self.0 {
                    Function::Exp => exp(s, v),
                    Function::Logistic => logistic(s, v),
                    Function::Tanh => tanh(s, v),
                    Function::Erf => erf(s, v),
                    Function::Gelu => gelu(s, v),
                    Function::GeluApproximate => gelu_approximate(s, v),
                };
                out.extend_from_slice(&s.to_array(y)[..x.len()]);
            }
            out
        }
    }

    fn any_inputs() -> Vec<f32> {
        let dense = (-200_000..200_000).map(|i| i as f32 * 5.0e-4);
        let tiny = (0..2000).flat_map(|i| {
            let x = f32::from_bits(i * 400_009 + 1);
            [x, -x]
        });
        dense.chain(tiny).collect()
    }

    /// The sum of `2 / sqrt(pi) e^(-x^2) 2^n x^(2n + 1) / (1 * 3 * .. * (2n + 1))`: no term cancels.
    fn erf_in_double(x: f64) -> f64 {
        if x.abs() > 6.0 {
            return x.signum();
        }
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= 2.0 * x * x / f64::from(2 * n + 1);
            sum += term;
        }
        std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
    }

    /// Error in units in the last place of the exact result.
    fn ulp(result: f32, exact: f64) -> f64 {
        let rounded = exact as f32;
        let unit = f64::from(rounded.abs().next_up()) - f64::from(rounded.abs());
        (f64::from(result) - exact).abs() / unit
    }

    fn check(function: Function, exact: fn(f64) -> f64, inputs: &[f32], bound: f64) {
        let reference = Isa::detect().dispatch(Map(function, inputs));
        let mut worst = (0.0, 0.0);
        for (&x, &y) in inputs.iter().zip(&reference) {
            let exact = exact(f64::from(x));
            if !(exact as f32).is_normal() {
                assert!((f64::from(y) - exact).abs() < 3.0e-45 || y == exact as f32, "{x} {y}");
                continue;
            }
            let error = ulp(y, exact);
            if error > worst.0 {
                worst = (error, x);
            }
        }
        assert!(worst.0 <= bound, "{} ulp at {}", worst.0, worst.1);
        for isa in Isa::supported() {
            let results = isa.dispatch(Map(function, inputs));
            let same = results.iter().zip(&reference).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{isa}");
        }
    }

    #[test]
    fn errors_are_within_their_bounds_and_bits_agree() {
        let inputs = any_inputs();
        check(Function::Exp, f64::exp, &inputs, EXP_ULP);
        check(Function::Tanh, f64::tanh, &inputs, TANH_ULP);
        check(Function::Erf, erf_in_double, &inputs, ERF_ULP);
        let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
        // Results that are not normal are no closer than their relation to e^x.
        let (low, rest): (Vec<f32>, Vec<f32>) = inputs.iter().partition(|&&x| x < LOGISTIC_LOW);
        let low: Vec<f32> = low.into_iter().filter(|&x| x > -87.3).collect();
        check(Function::Logistic, logistic, &rest, LOGISTIC_ULP);
        check(Function::Logistic, logistic, &low, LOGISTIC_LOW_ULP);
    }

    #[test]
    fn gelu_is_close_and_bits_agree() {
        let inputs = any_inputs();
        let exact = |x: f64| x / 2.0 * (1.0 + erf_in_double(x / std::f64::consts::SQRT_2));
        let approximate = |x: f64| {
            let inner = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3));
            x / 2.0 * (1.0 + inner.tanh())
        };
        let check = |function, formula: &dyn Fn(f64) -> f64| {
            let reference = Isa::detect().dispatch(Map(function, &inputs));
            for (&x, &y) in inputs.iter().zip(&reference) {
                // What is left of 1 where the sum cancels.
                let bound = GELU_ERROR * f64::from(x.abs()).max(1.0e-30);
                assert!((f64::from(y) - formula(f64::from(x))).abs() <= bound, "{x} {y}");
            }
            for isa in Isa::supported() {
                let results = isa.dispatch(Map(function, &inputs));
                let same = results.iter().zip(&reference).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{isa}");
            }
        };
        check(Function::Gelu, &exact);
        check(Function::GeluApproximate, &approximate);
    }

    #[test]
    fn special_values() {
        let inputs = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, f32::MIN, f32::MAX];
        for isa in Isa::supported() {
            let exp = isa.dispatch(Map(Function::Exp, &inputs));
            assert!(exp[0].is_nan());
            assert_eq!(exp[1..], [f32::INFINITY, 0.0, 1.0, 1.0, 0.0, f32::INFINITY]);
            let logistic = isa.dispatch(Map(Function::Logistic, &inputs));
            assert!(logistic[0].is_nan());
            assert_eq!(logistic[1..], [1.0, 0.0, 0.5, 0.5, 0.0, 1.0]);
            // Where the reduced exponential of the negative argument becomes infinite, and around it.
            let edge = [-88.722_84, -88.722_83, -88.0, 17.0, 40.0, f32::from_bits(0xffc0_0001)];
            let logistic = isa.dispatch(Map(Function::Logistic, &edge));
            assert_eq!(logistic[0], 0.0);
            assert!(logistic[1] > 0.0 && logistic[1] < logistic[2]);
            assert!(logistic[3] < 1.0 && logistic[4] == 1.0 && logistic[5].is_nan());
            let tanh = isa.dispatch(Map(Function::Tanh, &inputs));
            assert!(tanh[0].is_nan());
            assert_eq!(tanh[1..], [1.0, -1.0, 0.0, 0.0, -1.0, 1.0]);
            assert!(tanh[4].is_sign_negative());
            let erf = isa.dispatch(Map(Function::Erf, &inputs));
            assert!(erf[0].is_nan());
            assert_eq!(erf[1..], [1.0, -1.0, 0.0, 0.0, -1.0, 1.0]);
            assert!(erf[4].is_sign_negative());
            for function in [Function::Gelu, Function::GeluApproximate] {
                let gelu = isa.dispatch(Map(function, &inputs));
                // Of negative infinity it is infinity times zero, as in TFLite.
                assert!(gelu[0].is_nan() && gelu[2].is_nan());
                assert_eq!([gelu[1], gelu[3], gelu[4], gelu[5]], [f32::INFINITY, 0.0, 0.0, 0.0]);
                assert_eq!(gelu[6], f32::MAX);
            }
        }
    }
}
