//! Estimators: how the observations of a tensor become its range.
//!
//! | estimator | range |
//! |---|---|
//! | [`Estimator::MovingAverage`] | exponential average of the extremes of consecutive batches |
//! | [`Estimator::Percentile`] | a percentile of all minima, and one of all maxima |
//! | [`Estimator::MinMax`] | smallest minimum and largest maximum |
//! | [`Estimator::Mean`] | the mean of all minima, and that of all maxima |
//! | [`Estimator::TrimmedMean`] | the same of what remains when a share is cut from both ends |
//! | [`Estimator::MeanStd`] | some standard deviations below the one mean and above the other |
//! | [`Estimator::OfElements`] | see [`ElementEstimator`] |
//!
//! Moving averages and extremes need a few numbers per tensor, which an [`Accumulator`] keeps; the others
//! need every observation: [`Mean`] and [`Deviation`] once each, [`Ranked`] in memory or several times.
//! All give the same bits whoever computes them: every rounding step is part of the definition, and sums
//! are exact. `docs/estimators.md` has the formulas and their sources.
#![forbid(unsafe_code)]

mod accumulator;
mod elements;
mod mean;
mod percentile;
mod radix;
mod ranked;
mod sum;
#[cfg(test)]
mod tests;
mod trimmed;

pub use accumulator::Accumulator;
pub use elements::ElementEstimator;
pub use mean::{Deviation, Mean};
pub use percentile::Percentile;
pub use ranked::{Ranked, RankedStream};

use serde::{Deserialize, Serialize};

use self::percentile::check_percentiles;
use crate::error::{Error, Result};

/// Settings of the moving average.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MovingAverageSettings {
    /// Observations of a tensor whose extremes enter the average together; at least 1.
    pub batch: u32,
    /// Weight of a new batch, from 0 to 1.
    pub constant: f32,
}

impl Default for MovingAverageSettings {
    /// Batches of 16, constant 0.1: those of ONE.
    fn default() -> Self {
        Self { batch: 16, constant: 0.1 }
    }
}

impl MovingAverageSettings {
    /// Checks the ranges of both.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage), naming the value.
    pub fn validate(&self) -> Result<()> {
        if self.batch == 0 {
            return Err(Error::usage("the batch of the moving average is 0")
                .with_hint("give a batch of at least 1"));
        }
        if !(0.0..=1.0).contains(&self.constant) {
            return Err(Error::usage(format!(
                "the constant of the moving average is {}, not in 0 to 1",
                self.constant
            )));
        }
        Ok(())
    }
}

/// How the observations of a tensor become its range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Estimator {
    /// Exponential moving average of the extremes of consecutive batches, the first batch whole.
    MovingAverage(MovingAverageSettings),
    /// Percentiles, 0 to 100, linearly interpolated between neighbours.
    Percentile {
        /// Which one of the minima becomes the range's minimum.
        min: f32,
        /// Which one of the maxima becomes the range's maximum; not below `min`.
        max: f32,
    },
    /// Smallest minimum and largest maximum.
    MinMax,
    /// Mean of the minima and mean of the maxima.
    Mean,
    /// The same of the observations that remain when the extreme ones are cut off.
    TrimmedMean {
        /// Share that is cut from each end, 0 to less than 0.5.
        trim: f64,
    },
    /// Mean of the minima less, and mean of the maxima plus, a multiple of their standard deviations.
    MeanStd {
        /// The multiple; not negative.
        sigmas: f64,
    },
    /// From the histogram of all elements.
    OfElements(ElementEstimator),
}

impl Estimator {
    /// Checks the settings, so that a mistake in them is found before any work.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage), naming the value.
    pub fn validate(&self) -> Result<()> {
        match *self {
            Self::MovingAverage(settings) => settings.validate(),
            Self::Percentile { min, max } => check_percentiles(min, max),
            Self::OfElements(estimator) => estimator.validate(),
            Self::TrimmedMean { trim } if !(0.0..0.5).contains(&trim) => Err(Error::usage(format!(
                "the share that a trimmed mean cuts from each end is {trim}, not in 0 to less than 0.5"
            ))
            .with_hint("for the median, use --mode percentile with both percentiles 50")),
            Self::MeanStd { sigmas } if !(0.0..=f64::MAX).contains(&sigmas) => {
                Err(Error::usage(format!(
                    "the number of standard deviations is {sigmas}, not a number from 0 on"
                )))
            }
            Self::MinMax | Self::Mean | Self::TrimmedMean { .. } | Self::MeanStd { .. } => Ok(()),
        }
    }
}
