//! Trimmed means of a tensor's minima or maxima.

use std::cmp::Ordering;

use super::sum::ExactSum;

/// Which of the sorted values remain when the same share is cut from both ends: of `n` values,
/// `floor(f64(n) * trim)` at each end go, as `scipy.stats.trim_mean` does. At least one remains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trimmed {
    /// Rank of the first value that remains, from 0.
    pub first: u64,
    /// Rank of the last one.
    pub last: u64,
}

impl Trimmed {
    /// Cuts the share `trim`, 0 to less than 0.5; `None` of nothing.
    pub fn new(count: u64, trim: f64) -> Option<Self> {
        let last = count.checked_sub(1)?;
        let cut = ((count as f64 * trim) as u64).min(last / 2);
        Some(Self { first: cut, last: last - cut })
    }

    fn count(self) -> u64 {
        self.last - self.first + 1
    }

    fn mean(self, sum: &ExactSum) -> f32 {
        (sum.value() / self.count() as f64) as f32
    }
}

/// The trimmed mean of `values`, which are reordered; `None` if there are none.
pub(super) fn trimmed_mean(values: &mut [f32], trim: f64) -> Option<f32> {
    let place = Trimmed::new(values.len() as u64, trim)?;
    let (first, last) = (place.first as usize, place.last as usize);
    values.select_nth_unstable_by(first, f32::total_cmp);
    let rest = values.get_mut(first..)?;
    rest.select_nth_unstable_by(last - first, f32::total_cmp);
    let mut sum = ExactSum::default();
    for &value in rest.iter().take(last - first + 1) {
        sum.add(f64::from(value));
    }
    Some(place.mean(&sum))
}

/// Sums what remains, once the first and the last value that do are known, by looking at all values in any
/// order.
#[derive(Debug)]
pub(super) struct TrimmedSum {
    place: Trimmed,
    bounds: [f32; 2],
    /// Values below the first that remains, equal to it, and below the last.
    below_first: u64,
    at_first: u64,
    below_last: u64,
    /// Of the values between.
    sum: ExactSum,
}

impl TrimmedSum {
    pub fn new(place: Trimmed, bounds: [f32; 2]) -> Self {
        let sum = ExactSum::default();
        Self { place, bounds, below_first: 0, at_first: 0, below_last: 0, sum }
    }

    pub fn visit(&mut self, values: &[f32]) {
        let [first, last] = self.bounds;
        for value in values {
            let below_last = value.total_cmp(&last) == Ordering::Less;
            self.below_last += u64::from(below_last);
            match value.total_cmp(&first) {
                Ordering::Less => self.below_first += 1,
                Ordering::Equal => self.at_first += 1,
                Ordering::Greater if below_last => self.sum.add(f64::from(*value)),
                Ordering::Greater => {}
            }
        }
    }

    /// The trimmed mean; `None` if the values were not those of which the bounds were taken.
    pub fn finish(mut self) -> Option<f32> {
        let Trimmed { first, last } = self.place;
        let [low, high] = self.bounds;
        if low.to_bits() == high.to_bits() {
            self.sum.add_times(low, self.place.count());
        } else {
            self.sum.add_times(low, (self.below_first + self.at_first).checked_sub(first)?);
            self.sum.add_times(high, (last + 1).checked_sub(self.below_last)?);
        }
        Some(self.place.mean(&self.sum))
    }
}
