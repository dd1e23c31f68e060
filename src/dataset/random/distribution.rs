//! How random values are distributed.

use super::generator::SplitMix64;
use crate::tensor::{AlignedBuffer, DType};

/// How the values of an input are distributed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Uniform: from `low` (included) to `high` (not included) for floats, and whole numbers with both included for
    /// others.
    Uniform {
        /// Smallest value.
        low: f64,
        /// Largest value.
        high: f64,
    },
    /// Normal, rounded to whole numbers for integers, and cut off where the type ends.
    Normal {
        /// Mean.
        mean: f64,
        /// Standard deviation, not negative.
        std: f64,
    },
}

impl Distribution {
    /// What ONE's tools fill inputs with: floats from -5 to 5, integers from 0 to 100, bools of both kinds.
    pub fn default_of(dtype: DType) -> Self {
        match dtype {
            DType::F32 => Self::Uniform { low: -5.0, high: 5.0 },
            DType::Bool => Self::Uniform { low: 0.0, high: 1.0 },
            _ => Self::Uniform { low: 0.0, high: 100.0 },
        }
    }

    /// Checks that values of a type can be distributed like this.
    ///
    /// # Errors
    /// Why they cannot.
    pub(super) fn check(self, dtype: DType) -> Result<(), String> {
        let (a, b) = match self {
            Self::Uniform { low, high } => (low, high),
            Self::Normal { mean, std } => (mean, std),
        };
        if !a.is_finite() || !b.is_finite() {
            return Err(format!("{a} and {b} are not both finite"));
        }
        let (low, high) = match (self, dtype) {
            (Self::Normal { std, .. }, _) if std < 0.0 => {
                return Err(format!("the standard deviation {std} is negative"));
            }
            (Self::Normal { .. }, DType::Bool) => return Err("bools are not normal".to_owned()),
            (Self::Normal { .. }, _) => return Ok(()),
            (Self::Uniform { low, high }, _) if low > high => {
                return Err(format!("the smallest value {low} is above the largest, {high}"));
            }
            (Self::Uniform { low, high }, _) => (low, high),
        };
        let (first, last) = match dtype {
            DType::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
            // Whole numbers up to here are exact.
            DType::I64 => (-9_007_199_254_740_992.0, 9_007_199_254_740_992.0),
            DType::Bool => (0.0, 1.0),
            _ => (f64::from(f32::MIN) / 2.0, f64::from(f32::MAX) / 2.0),
        };
        if low < first || high > last {
            return Err(format!("{low} to {high} are not all values of {dtype}"));
        }
        if dtype != DType::F32 && (low.fract() != 0.0 || high.fract() != 0.0) {
            return Err(format!("{low} and {high} are not both whole numbers"));
        }
        Ok(())
    }

    /// Fills a buffer with values of a type that was checked.
    pub(super) fn fill(self, dtype: DType, numbers: &mut SplitMix64, buffer: &mut AlignedBuffer) {
        match dtype {
            DType::F32 => {
                buffer.as_mut_slice().iter_mut().for_each(|value| *value = self.float(numbers));
            }
            DType::I32 => {
                for value in buffer.as_mut_slice::<i32>() {
                    *value = self.whole(numbers).clamp(i32::MIN.into(), i32::MAX.into()) as i32;
                }
            }
            DType::I64 => {
                for value in buffer.as_mut_slice::<i64>() {
                    *value = self.whole(numbers);
                }
            }
            _ => {
                for value in buffer.bytes_mut() {
                    *value = self.whole(numbers) as u8;
                }
            }
        }
    }

    fn float(self, numbers: &mut SplitMix64) -> f32 {
        match self {
            Self::Uniform { low, high } => {
                let (low, high) = (low as f32, high as f32);
                let value = numbers.next_unit() * (high - low) + low;
                // Rounding may have reached the end.
                if value < high || low == high { value } else { high.next_down() }
            }
            Self::Normal { mean, std } => {
                let value = mean + std * numbers.next_normal();
                value.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32
            }
        }
    }

    fn whole(self, numbers: &mut SplitMix64) -> i64 {
        match self {
            Self::Uniform { low, high } => {
                let (low, high) = (low as i64, high as i64);
                low + numbers.next_below(high.abs_diff(low) + 1) as i64
            }
            // A cast takes the nearest value.
            Self::Normal { mean, std } => (mean + std * numbers.next_normal()).round() as i64,
        }
    }
}
