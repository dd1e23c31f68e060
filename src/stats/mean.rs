//! Means and standard deviations of a tensor's minima or maxima.

use super::sum::ExactSum;

/// The mean of values: their exact sum, rounded to `f64`, divided by their number.
#[derive(Clone, Debug, Default)]
pub struct Mean {
    sum: ExactSum,
    count: u64,
}

impl Mean {
    /// Adds values.
    pub fn visit(&mut self, values: &[f32]) {
        for &value in values {
            self.sum.add(f64::from(value));
        }
        self.count += values.len() as u64;
    }

    /// The mean; `None` of nothing, NaN where infinities of both signs met.
    pub fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum.value() / self.count as f64)
    }
}

/// The standard deviation of values whose mean `m` is known, that of a population:
///
/// ```text
/// f64(sqrt(sum((f64(value) - m)^2) / n))
/// ```
///
/// Every difference, square, quotient and root is rounded to `f64`; the sum is exact and rounded once.
#[derive(Clone, Debug)]
pub struct Deviation {
    mean: f64,
    squares: ExactSum,
    count: u64,
}

impl Deviation {
    /// Measures deviations from `mean`.
    pub fn new(mean: f64) -> Self {
        Self { mean, squares: ExactSum::default(), count: 0 }
    }

    /// Adds values: the same of which the mean was taken.
    pub fn visit(&mut self, values: &[f32]) {
        for &value in values {
            let difference = f64::from(value) - self.mean;
            self.squares.add(difference * difference);
        }
        self.count += values.len() as u64;
    }

    /// The number that lies `sigmas` standard deviations above the mean, below it if negative; `None` of
    /// nothing, NaN if a value was infinite.
    pub fn at(&self, sigmas: f64) -> Option<f32> {
        let deviation = (self.squares.value() / self.count as f64).sqrt();
        (self.count > 0).then_some((self.mean + sigmas * deviation) as f32)
    }
}
