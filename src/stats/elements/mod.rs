//! Estimators of single elements, from a tensor's [histogram](crate::histogram).
//!
//! | estimator | range |
//! |---|---|
//! | [`ElementEstimator::Percentile`] | a percentile of all elements at each end |
//! | [`ElementEstimator::Kl`] | the one whose quantized distribution diverges least |
//! | [`ElementEstimator::Mse`] | the one whose squared errors are smallest |
//!
//! No range is wider than what was observed. All arithmetic is in double precision and in one order, so that
//! the bits are the same on every machine. `docs/estimators.md` has the definitions and their sources.

mod kl;
mod mse;
mod percentile;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;

use super::percentile::check_percentiles;
use crate::error::{Error, Result};
use crate::histogram::{BinLimit, Histogram};
use crate::observation::Observation;

/// Widths of quantized values that a range can be chosen for.
const BITS: RangeInclusive<u32> = 2..=16;

/// How the elements of a tensor become its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ElementEstimator {
    /// Percentiles, 0 to 100, of all elements; linear within a bin.
    Percentile {
        /// Which one becomes the range's minimum.
        min: f64,
        /// Which one becomes the range's maximum; not below `min`.
        max: f64,
    },
    /// The range symmetric around 0, as far as there are elements, that keeps most of the information when
    /// values have so many bits.
    Kl {
        /// Width of a quantized value, 2 to 16.
        bits: u32,
    },
    /// The range with the least mean squared error when values have so many bits.
    Mse {
        /// Width of a quantized value, 2 to 16.
        bits: u32,
    },
}

impl ElementEstimator {
    /// The name of its mode.
    pub fn name(self) -> &'static str {
        match self {
            Self::Percentile { .. } => "element_percentile",
            Self::Kl { .. } => "kl",
            Self::Mse { .. } => "mse",
        }
    }

    /// Checks the settings.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage), naming the value.
    pub fn validate(self) -> Result<()> {
        match self {
            Self::Percentile { min, max } => check_percentiles(min, max),
            Self::Kl { bits } | Self::Mse { bits } if BITS.contains(&bits) => Ok(()),
            Self::Kl { bits } | Self::Mse { bits } => {
                let (least, most) = (BITS.start(), BITS.end());
                Err(Error::usage(format!(
                    "quantized values have {least} to {most} bits, not {bits}"
                )))
            }
        }
    }

    /// Checks that histograms of so many bins tell enough.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage) if they do not.
    pub fn check_bins(self, limit: BinLimit) -> Result<()> {
        let Self::Kl { bits } = self else { return Ok(()) };
        let needed = kl::BINS_PER_LEVEL << bits;
        if needed <= limit.get() {
            return Ok(());
        }
        let hint = if needed <= *BinLimit::RANGE.end() {
            format!("record again with --histogram={needed}, or use fewer --bits, or --mode mse")
        } else {
            "use fewer --bits, or --mode mse".to_owned()
        };
        Err(Error::usage(format!(
            "mode kl with {bits} bits needs {needed} bins, and there are {limit}"
        ))
        .with_hint(hint))
    }

    /// The range of a tensor, by its elements and the extremes of its observations; `None` without elements.
    pub fn range(self, histogram: &Histogram, observed: Observation) -> Option<Observation> {
        let (min, max) = match self {
            _ if histogram.is_empty() => return None,
            Self::Percentile { min, max } => {
                (percentile::percentile(histogram, min), percentile::percentile(histogram, max))
            }
            // Infinities alone are beyond any range.
            _ if histogram.counts().is_empty() => return Some(observed),
            Self::Kl { bits } => kl::range(histogram, bits),
            Self::Mse { bits } => mse::range(histogram, finite(histogram, observed), bits),
        };
        // The ends of bins are floats, and what lies between them is rounded once.
        let (min, max) = (min as f32, max as f32);
        Some(Observation {
            min: min.clamp(observed.min, observed.max),
            max: max.clamp(observed.min, observed.max),
        })
    }
}

/// The extremes of the finite elements: those observed, or the ends of the bins where infinities were.
fn finite(histogram: &Histogram, observed: Observation) -> (f64, f64) {
    let or_else = |end: f32, edge: f64| if end.is_finite() { f64::from(end) } else { edge };
    let last = histogram.counts().len();
    (or_else(observed.min, histogram.edge(0)), or_else(observed.max, histogram.edge(last)))
}
