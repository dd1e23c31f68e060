//! Functions of `f64` with the same bits on every platform, which those of a system's library have not.
//!
//! For tables and for the few operators that LiteRT computes in double precision. Errors are a few units in
//! the last place, so that results rounded to `f32` are nearly always the nearest.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_4, LN_2, LOG2_E};

/// `ln 2` in two parts; the first has so few bits that its products with exponents are exact.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// `2^n`, for exponents of normal numbers.
fn pow2(n: i32) -> f64 {
    f64::from_bits(((n + 1023) as u64) << 52)
}

/// A polynomial in `x`, coefficients in descending order.
fn polynomial(x: f64, coefficients: &[f64]) -> f64 {
    coefficients.iter().fold(0.0, |sum, c| sum * x + c)
}

/// `e^x`
pub fn exp(x: f64) -> f64 {
    if x.is_nan() || x > 710.0 {
        return if x > 0.0 { f64::INFINITY } else { x };
    }
    if x < -746.0 {
        return 0.0;
    }
    let n = (x * LOG2_E + 0.5).floor();
    let r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    // Taylor; |r| is at most ln 2 / 2, and r^14 / 14! below 1e-17.
    let mut terms = [1.0; 14];
    for i in (0..13).rev() {
        terms[i] = terms[i + 1] / (13 - i) as f64;
    }
    let power = polynomial(r, &terms);
    // In two steps, since the result may be subnormal.
    let (n, half) = (n as i32, n as i32 / 2);
    power * pow2(half) * pow2(n - half)
}

/// `ln x`
pub fn ln(x: f64) -> f64 {
    if x.is_nan() || x < 0.0 {
        return f64::NAN;
    }
    if x == 0.0 || x == f64::INFINITY {
        return if x == 0.0 { f64::NEG_INFINITY } else { x };
    }
    if x < f64::MIN_POSITIVE {
        return ln(x * pow2(54)) - 54.0 * LN_2;
    }
    // x = m 2^n, m between sqrt(1/2) and sqrt(2).
    let bits = x.to_bits();
    let mut n = (bits >> 52) as i32 - 1022;
    let mut m = f64::from_bits((bits & ((1 << 52) - 1)) | (1022 << 52));
    if m < FRAC_1_SQRT_2 {
        (m, n) = (2.0 * m, n - 1);
    }
    // ln m = 2 (s + s^3 / 3 + s^5 / 5 ..), |s| below 0.172.
    let s = (m - 1.0) / (m + 1.0);
    let mut terms = [0.0; 11];
    for (i, term) in terms.iter_mut().rev().enumerate() {
        *term = 2.0 / (2 * i + 3) as f64;
    }
    let tail = s * (s * s) * polynomial(s * s, &terms);
    f64::from(n) * LN_2_HIGH + (2.0 * s + (tail + f64::from(n) * LN_2_LOW))
}

/// `sqrt(x^2 + y^2)` without overflow on the way; an infinity wins over NaN, as in C.
///
/// The root is corrected by the error of its square, which a fused multiply-add tells (Borges, "An improved
/// algorithm for hypot(a, b)", 2019): nearly always the nearest number, as the C library's is.
pub fn hypot(x: f64, y: f64) -> f64 {
    let (large, small) = (x.abs().max(y.abs()), x.abs().min(y.abs()));
    if x.is_infinite() || y.is_infinite() {
        return f64::INFINITY;
    }
    if x.is_nan() || y.is_nan() {
        return f64::NAN;
    }
    // What is so much smaller does not count.
    if small <= large * f64::EPSILON / 2.0 {
        return large;
    }
    // Scaled to where squares are normal numbers; powers of two are exact.
    let scale = match large {
        _ if large > pow2(500) => pow2(-600),
        _ if large < pow2(-400) => pow2(600),
        _ => 1.0,
    };
    let (a, b) = (large * scale, small * scale);
    let h = a.mul_add(a, b * b).sqrt();
    let (h_squared, a_squared) = (h * h, a * a);
    let correction = (-b).mul_add(b, h_squared - a_squared) + h.mul_add(h, -h_squared)
        - a.mul_add(a, -a_squared);
    (h - correction / (2.0 * h)) / scale
}

/// Cosine and sine of `numerator / denominator` of a full turn; the reduction is exact.
///
/// # Panics
/// If the denominator is zero.
pub fn turn(numerator: u64, denominator: u64) -> (f64, f64) {
    let eighths = 8 * u128::from(numerator % denominator);
    let (octant, rest) = (eighths / u128::from(denominator), eighths % u128::from(denominator));
    // Odd octants are counted from their end.
    let rest = if octant % 2 == 0 { rest } else { u128::from(denominator) - rest };
    let x = FRAC_PI_4 * (rest as f64 / denominator as f64);
    let (mut cos_terms, mut sin_terms) = ([1.0; 10], [1.0; 10]);
    for i in (0..9).rev() {
        let k = (2 * (9 - i)) as f64;
        cos_terms[i] = -cos_terms[i + 1] / (k * (k - 1.0));
        sin_terms[i] = -sin_terms[i + 1] / (k * (k + 1.0));
    }
    let (cos, sin) = (polynomial(x * x, &cos_terms), x * polynomial(x * x, &sin_terms));
    match octant {
        0 => (cos, sin),
        1 => (sin, cos),
        2 => (-sin, cos),
        3 => (-cos, sin),
        4 => (-cos, -sin),
        5 => (-sin, -cos),
        6 => (sin, -cos),
        _ => (cos, -sin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(found: f64, expected: f64, what: &str) {
        let error = (found - expected).abs();
        assert!(
            error <= 4.0 * f64::EPSILON * expected.abs().max(1e-300),
            "{what}: {found} {expected}"
        );
    }

    #[test]
    fn agree_with_the_library() {
        for i in -7000..7000 {
            let x = f64::from(i) / 10.0 + 0.001;
            assert_close(exp(x), x.exp(), "exp");
            if x > 0.0 {
                assert_close(ln(x), x.ln(), "ln");
                assert_close(ln(exp(-x)), exp(-x).ln(), "ln");
            }
        }
        for denominator in [1, 2, 3, 7, 8, 12, 400, 1 << 20] {
            for numerator in (0..2 * denominator).step_by((denominator / 400).max(1) as usize) {
                let x = std::f64::consts::TAU * numerator as f64 / denominator as f64;
                let (cos, sin) = turn(numerator, denominator);
                assert!((cos - x.cos()).abs() < 4e-15, "cos {numerator} / {denominator}");
                assert!((sin - x.sin()).abs() < 4e-15, "sin {numerator} / {denominator}");
            }
        }
    }

    #[test]
    fn hypotenuses() {
        for i in 0..2000 {
            let (x, y) = (f64::from(i * 37 % 1009) * 0.731, f64::from(i * 71 % 503) * 1.3 - 200.0);
            for scale in [1.0, pow2(1000), pow2(-1000)] {
                let (x, y) = (x * scale, y * scale);
                assert_close(hypot(x, y), x.hypot(y), "hypot");
            }
        }
        assert_eq!((hypot(3e300, -4e300), hypot(0.0, -0.0), hypot(-5.0, 1e-20)), (5e300, 0.0, 5.0));
        assert_eq!(hypot(f64::NAN, f64::NEG_INFINITY), f64::INFINITY);
        assert!(hypot(f64::NAN, 1.0).is_nan() && hypot(0.0, f64::NAN).is_nan());
    }

    #[test]
    fn special_values() {
        assert_eq!(
            (exp(f64::INFINITY), exp(f64::NEG_INFINITY), exp(0.0)),
            (f64::INFINITY, 0.0, 1.0)
        );
        assert!(exp(f64::NAN).is_nan() && ln(f64::NAN).is_nan() && ln(-1.0).is_nan());
        assert_eq!((ln(0.0), ln(1.0), ln(f64::INFINITY)), (f64::NEG_INFINITY, 0.0, f64::INFINITY));
        assert_eq!((turn(0, 5), turn(1, 4), turn(3, 2)), ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)));
        assert!((exp(-740.0) / (-740.0_f64).exp() - 1.0).abs() < 0.1);
        assert!((ln(5e-324) / 5e-324_f64.ln() - 1.0).abs() < 1e-15);
    }
}
