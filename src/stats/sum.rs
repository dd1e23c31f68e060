//! Sums without rounding.

/// Digits of 32 bits that hold every `f64` and the carries of 2^64 of them.
const DIGITS: usize = 68;

/// Numbers after which carries are passed on, before a digit could overflow.
const ADDED: u32 = 1 << 30;

/// Exponent of the lowest bit of the lowest digit: that of the smallest `f64`.
const LOWEST_EXPONENT: i32 = -1074;

/// A sum of numbers that is rounded once, at the end, so that it does not depend on their order nor on how they
/// were grouped.
///
/// It is one long integer, in units of the smallest number (R. M. Neal, "Fast Exact Summation Using Small and
/// Large Superaccumulators", 2015). Python's `math.fsum` gives the same results.
#[derive(Clone, Debug)]
pub(super) struct ExactSum {
    /// Lowest first; each may hold more than 32 bits until carries are passed on.
    digits: [i64; DIGITS],
    /// Numbers added since then.
    added: u32,
    /// The infinities, summed: infinite, or NaN where both signs met.
    infinite: f64,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self { digits: [0; DIGITS], added: 0, infinite: 0.0 }
    }
}

impl ExactSum {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, number: f64) {
        if !number.is_finite() {
            self.infinite += number;
            return;
        }
        let bits = number.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as usize;
        let leading = u64::from(exponent > 0) << 52;
        let position = exponent.saturating_sub(1);
        let mantissa = u128::from(bits & ((1 << 52) - 1) | leading) << (position % 32);
        let sign = if bits >> 63 == 0 { 1 } else { -1 };
        let digits = self.digits[position / 32..].iter_mut();
        for (digit, shift) in digits.zip([0, 32, 64]) {
            *digit += sign * i64::from((mantissa >> shift) as u32);
        }
        self.added += 1;
        if self.added == ADDED {
            carry(&mut self.digits);
            self.added = 0;
        }
    }

    /// Adds a number several times.
    pub fn add_times(&mut self, number: f32, times: u64) {
        // A product with 20 bits at a time has at most 44.
        for shift in [0, 20, 40, 60] {
            let part = (times >> shift) & 0xf_ffff;
            if part != 0 {
                self.add(f64::from(number) * (part << shift) as f64);
            }
        }
    }

    /// The sum, rounded to nearest; NaN where infinities of both signs met.
    pub fn value(&self) -> f64 {
        if self.infinite != 0.0 {
            return self.infinite;
        }
        let mut digits = self.digits;
        carry(&mut digits);
        let is_negative = digits[DIGITS - 1] < 0;
        if is_negative {
            for digit in &mut digits {
                *digit = -*digit;
            }
            carry(&mut digits);
        }
        let Some(highest) = digits.iter().rposition(|&digit| digit != 0) else { return 0.0 };
        // The bits of the highest digits, and whether there are any below them.
        let (low, high) = digits.split_at(highest.saturating_sub(2));
        let upper = high.iter().take(3).rev().fold(0, |bits, &digit| bits << 32 | digit as u128);
        let has_more = low.iter().any(|&digit| digit != 0);
        let spare = upper.leading_zeros();
        let (rounded, lost) = ((upper << spare >> 64) as u64, upper << spare << 64);
        // More bits than `f64` has: the last one stands for all that are lost.
        let rounded = (rounded | u64::from(lost != 0 || has_more)) as f64;
        let exponent = 32 * low.len() as i32 + 64 - spare as i32 + LOWEST_EXPONENT;
        let half = exponent / 2;
        let magnitude = rounded * power_of_two(half) * power_of_two(exponent - half);
        if is_negative { -magnitude } else { magnitude }
    }
}

/// Leaves 32 bits in every digit; the highest one has the sign.
fn carry(digits: &mut [i64; DIGITS]) {
    let mut carried = 0;
    for digit in digits.iter_mut().take(DIGITS - 1) {
        let sum = *digit + carried;
        *digit = sum & 0xffff_ffff;
        carried = sum >> 32;
    }
    digits[DIGITS - 1] += carried;
}

/// 2 to the power of a small number.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(numbers: &[f64]) -> f64 {
        let mut sum = ExactSum::default();
        for &number in numbers {
            sum.add(number);
        }
        sum.value()
    }

    #[test]
    fn nothing_is_lost_but_the_last_rounding() {
        assert_eq!(sum(&[]), 0.0);
        assert_eq!(sum(&[0.1; 10]), 1.0);
        assert_eq!(sum(&[1e100, 1.0, -1e100, 1e-100, 1e50, -1.0, -1e50]), 1e-100);
        // The cases of half a unit in the last place, from the tests of Python's `math.fsum`.
        let two53 = 2.0_f64.powi(53);
        assert_eq!(sum(&[two53, -0.5, -(0.5_f64.powi(54))]), two53 - 1.0);
        assert_eq!(sum(&[two53, 1.0, 0.5_f64.powi(100)]), two53 + 2.0);
        assert_eq!(sum(&[two53 + 10.0, 1.0, 0.5_f64.powi(100)]), two53 + 12.0);
        assert_eq!(sum(&[two53 - 4.0, 0.5, 0.5_f64.powi(54)]), two53 - 3.0);
        assert!(sum(&[-0.0]).is_sign_positive());
        let tiny = f64::from_bits(1);
        for number in [tiny, -tiny, f64::MIN_POSITIVE, f64::MAX, f64::MIN, 1.0, -1.5] {
            assert_eq!(sum(&[number]), number);
            assert_eq!(sum(&[number, f64::MAX, 3.0 * tiny, -f64::MAX, -3.0 * tiny]), number);
        }
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
    }

    #[test]
    fn carries_are_passed_on_in_time() {
        let mut sum = ExactSum { added: ADDED - 2, ..ExactSum::default() };
        for _ in 0..5 {
            sum.add(-f64::MAX / 8.0);
        }
        assert!(sum.added < 5);
        assert_eq!(sum.value(), -f64::MAX / 8.0 * 5.0);
    }

    #[test]
    fn infinities() {
        let inf = f64::INFINITY;
        assert_eq!(sum(&[1.0, inf, -5.0, inf]), inf);
        assert_eq!(sum(&[-inf, 5.0]), -inf);
        assert!(sum(&[inf, 1.0, -inf]).is_nan());
    }

    #[test]
    fn many_times() {
        let mut many = ExactSum::default();
        many.add_times(f32::MIN_POSITIVE, u64::MAX);
        many.add_times(-f32::MIN_POSITIVE, u64::MAX - 3);
        assert_eq!(many.value(), 3.0 * f64::from(f32::MIN_POSITIVE));
        many.add_times(f32::INFINITY, 0);
        assert!(many.value().is_finite());
    }

    proptest! {
        #[test]
        fn order_does_not_matter(mut values in prop::collection::vec(any::<f32>(), 0..50)) {
            values.retain(|it| it.is_finite());
            let numbers: Vec<f64> = values.iter().map(|&it| f64::from(it)).collect();
            let mut sorted = numbers.clone();
            sorted.sort_by(f64::total_cmp);
            prop_assert_eq!(sum(&numbers), sum(&sorted));
            sorted.reverse();
            prop_assert_eq!(sum(&numbers), sum(&sorted));
        }
    }
}
