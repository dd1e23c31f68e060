//! Sums without rounding.

use smallvec::SmallVec;

/// A sum of numbers that is rounded once, at the end, so that it does not depend on their order nor on how they
/// were grouped.
///
/// Kept are partial sums whose bits do not overlap and which have the exact sum together (J. R. Shewchuk, "Adaptive
/// Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates", 1997). Python's `math.fsum` gives
/// the same numbers. No partial sum may leave the range of `f64`: 2^64 values of `f32`, or squares of their
/// differences, do not.
#[derive(Clone, Debug, Default)]
pub(super) struct ExactSum {
    /// Ascending by magnitude, none of them zero.
    partials: SmallVec<[f64; 4]>,
    /// The infinities, summed: infinite, or NaN where both signs met.
    infinite: f64,
}

impl ExactSum {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, number: f64) {
        if !number.is_finite() {
            self.infinite += number;
            return;
        }
        let mut carried = number;
        let mut kept = 0;
        for at in 0..self.partials.len() {
            let partial = self.partials[at];
            let (large, small) =
                if carried.abs() < partial.abs() { (partial, carried) } else { (carried, partial) };
            let sum = large + small;
            let lost = small - (sum - large);
            if lost != 0.0 {
                self.partials[kept] = lost;
                kept += 1;
            }
            carried = sum;
        }
        self.partials.truncate(kept);
        if carried != 0.0 {
            self.partials.push(carried);
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
        let mut rest = self.partials.iter().rev().copied();
        let Some(mut sum) = rest.next() else { return 0.0 };
        let mut lost = 0.0;
        for partial in rest.by_ref() {
            let before = sum;
            sum = before + partial;
            lost = partial - (sum - before);
            if lost != 0.0 {
                break;
            }
        }
        // Half way between two numbers, what is left decides.
        let Some(next) = rest.next() else { return sum };
        if (lost < 0.0) == (next < 0.0) {
            let twice = lost * 2.0;
            let moved = sum + twice;
            if moved - sum == twice {
                return moved;
            }
        }
        sum
    }
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
