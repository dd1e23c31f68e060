//! Elementary functions over sixteen lanes, with a fixed sequence of operations and so the same bits
//! on every instruction set. Error bounds are named constants, tested against `f64`.

use super::simd::{ROUND, Simd};

/// Largest error of [`exp`], in units in the last place, where the result is a normal number.
#[cfg(test)]
const EXP_ULP: f64 = 1.0;
/// Largest error of [`logistic`], in units in the last place, where the result is normal.
#[cfg(test)]
const LOGISTIC_ULP: f64 = 2.5;
/// Largest error of [`tanh`], in units in the last place.
#[cfg(test)]
const TANH_ULP: f64 = 2.5;

/// `e^x`.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2` (two-part reduction after Cody and Waite), then the Taylor
/// polynomial of degree 7, whose remainder is below 6e-9 there.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::V) -> S::V {
    const LN2_HIGH: f32 = std::f32::consts::LN_2;
    /// ln 2 - `LN2_HIGH`
    const LN2_LOW: f32 = -1.904_654_3e-9;
    // Beyond these bounds the result is 0 or infinity anyway. NaN passes: it is the second operand.
    let x = s.min(s.splat(89.0), s.max(s.splat(-104.0), x));
    let round = s.splat(ROUND);
    let n = s.sub(s.fma(x, s.splat(std::f32::consts::LOG2_E), round), round);
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
    // With the exponential of a negative value nothing overflows, and small results stay exact.
    let one = s.splat(1.0);
    let e = exp(s, s.neg(s.abs(x)));
    let numerator = s.select(s.lt(x, s.splat(0.0)), e, one);
    s.div(numerator, s.add(one, e))
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
    let mut p = s.splat(COEFFICIENTS[0]);
    for &c in &COEFFICIENTS[1..] {
        p = s.fma(p, z, s.splat(c));
    }
    let small = s.fma(s.mul(p, z), x, x);
    let e = exp(s, s.add(magnitude, magnitude));
    let one = s.splat(1.0);
    let large = s.sub(one, s.div(s.splat(2.0), s.add(e, one)));
    let result = s.select(s.lt(magnitude, s.splat(0.625)), small, large);
    s.or(result, s.and(x, s.splat(-0.0)))
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
                };
                out.extend_from_slice(&s.to_array(y)[..x.len()]);
            }
            out
        }
    }

    fn inputs() -> Vec<f32> {
        let dense = (-200_000..200_000).map(|i| i as f32 * 5.0e-4);
        let tiny = (0..2000).flat_map(|i| {
            let x = f32::from_bits(i * 400_009 + 1);
            [x, -x]
        });
        dense.chain(tiny).collect()
    }

    /// Error in units in the last place of the exact result.
    fn ulp(result: f32, exact: f64) -> f64 {
        let rounded = exact as f32;
        let unit = f64::from(rounded.abs().next_up()) - f64::from(rounded.abs());
        (f64::from(result) - exact).abs() / unit
    }

    fn check(function: Function, exact: fn(f64) -> f64, bound: f64) {
        let inputs = inputs();
        let reference = Isa::detect().dispatch(Map(function, &inputs));
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
            let results = isa.dispatch(Map(function, &inputs));
            let same = results.iter().zip(&reference).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{isa}");
        }
    }

    #[test]
    fn errors_are_within_their_bounds_and_bits_agree() {
        check(Function::Exp, f64::exp, EXP_ULP);
        check(Function::Logistic, |x| 1.0 / (1.0 + (-x).exp()), LOGISTIC_ULP);
        check(Function::Tanh, f64::tanh, TANH_ULP);
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
            let tanh = isa.dispatch(Map(Function::Tanh, &inputs));
            assert!(tanh[0].is_nan());
            assert_eq!(tanh[1..], [1.0, -1.0, 0.0, 0.0, -1.0, 1.0]);
            assert!(tanh[4].is_sign_negative());
        }
    }
}
