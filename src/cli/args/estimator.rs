use clap::{Args, ValueEnum};

use crate::error::Result;
use crate::stats::{ElementEstimator, Estimator, MovingAverageSettings};

/// How observations become one range per tensor.
#[derive(Args, Clone, Copy, Debug)]
pub(in crate::cli) struct EstimatorArgs {
    /// How observations become one range per tensor
    #[arg(long, value_enum, value_name = "MODE", default_value_t, help_heading = "Ranges")]
    pub mode: Mode,

    /// Percentile that becomes the range's minimum: of the minima in mode percentile [default: 1], of all
    /// elements in mode `element_percentile` [default: 0.01]
    #[arg(
        long,
        alias = "min_percentile",
        value_name = "P",
        allow_negative_numbers = true,
        help_heading = "Ranges"
    )]
    pub min_percentile: Option<f64>,

    /// Percentile that becomes the range's maximum: of the maxima in mode percentile [default: 99], of all
    /// elements in mode `element_percentile` [default: 99.99]
    #[arg(
        long,
        alias = "max_percentile",
        value_name = "P",
        allow_negative_numbers = true,
        help_heading = "Ranges"
    )]
    pub max_percentile: Option<f64>,

    /// Observations whose extremes enter a moving average together [default: 16]
    #[arg(long, alias = "moving_avg_batch", value_name = "N", help_heading = "Ranges")]
    pub moving_avg_batch: Option<u32>,

    /// Weight of a new batch in a moving average, 0 to 1 [default: 0.1]
    #[arg(
        long,
        alias = "moving_avg_const",
        value_name = "C",
        allow_negative_numbers = true,
        help_heading = "Ranges"
    )]
    pub moving_avg_const: Option<f32>,

    /// Share of the observations that a trimmed mean leaves out at each end, 0 to less than 0.5
    /// [default: 0.1]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, help_heading = "Ranges")]
    pub trim: Option<f64>,

    /// Standard deviations between mean and bound, if they are taken [default: 3]
    #[arg(long, value_name = "K", allow_negative_numbers = true, help_heading = "Ranges")]
    pub sigmas: Option<f64>,

    /// Bits of a quantized value, 2 to 16, in modes kl and mse [default: 8]
    #[arg(long, value_name = "N", help_heading = "Ranges")]
    pub bits: Option<u32>,
}

/// Name of an estimator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Mode {
    /// Moving average over batches of observations, in record order
    #[default]
    #[value(name = "moving_average", alias = "moving-average")]
    MovingAverage,
    /// Percentiles of the records' minima and maxima
    Percentile,
    /// Smallest minimum and largest maximum of all records
    #[value(name = "minmax")]
    MinMax,
    /// Mean of the records' minima, and of their maxima
    Mean,
    /// The same without the smallest and the largest of them
    #[value(name = "trimmed_mean", alias = "trimmed-mean")]
    TrimmedMean,
    /// Some standard deviations below the mean of the minima, and above that of the maxima
    #[value(name = "mean_std", alias = "mean-std")]
    MeanStd,
    /// Percentiles of all elements; needs a recording with --histogram, as the next two do
    #[value(name = "element_percentile", alias = "element-percentile")]
    ElementPercentile,
    /// Range that keeps most of the elements' distribution when they are quantized to --bits
    Kl,
    /// Range with the least squared error of the elements when they are quantized to --bits
    Mse,
}

impl EstimatorArgs {
    /// Settings of the moving average, which a recording keeps whatever the mode is.
    pub fn moving_average(&self) -> MovingAverageSettings {
        let usual = MovingAverageSettings::default();
        MovingAverageSettings {
            batch: self.moving_avg_batch.unwrap_or(usual.batch),
            constant: self.moving_avg_const.unwrap_or(usual.constant),
        }
    }

    /// The estimator, with all settings checked, also those of the other modes.
    ///
    /// # Errors
    /// [`Usage`](crate::error::ErrorKind::Usage) for settings out of range.
    pub fn estimator(&self) -> Result<Estimator> {
        let moving_average = Estimator::MovingAverage(self.moving_average());
        let percentile = Estimator::Percentile {
            min: self.min_percentile.unwrap_or(1.0) as f32,
            max: self.max_percentile.unwrap_or(99.0) as f32,
        };
        let element_percentile = Estimator::OfElements(ElementEstimator::Percentile {
            min: self.min_percentile.unwrap_or(0.01),
            max: self.max_percentile.unwrap_or(99.99),
        });
        let bits = self.bits.unwrap_or(8);
        let kl = Estimator::OfElements(ElementEstimator::Kl { bits });
        let mse = Estimator::OfElements(ElementEstimator::Mse { bits });
        let trimmed_mean = Estimator::TrimmedMean { trim: self.trim.unwrap_or(0.1) };
        let mean_std = Estimator::MeanStd { sigmas: self.sigmas.unwrap_or(3.0) };
        // Both have the same options, and other defaults.
        let percentiles =
            if self.mode == Mode::ElementPercentile { element_percentile } else { percentile };
        for estimator in [moving_average, percentiles, trimmed_mean, mean_std, kl] {
            estimator.validate()?;
        }
        Ok(match self.mode {
            Mode::MovingAverage => moving_average,
            Mode::Percentile => percentile,
            Mode::MinMax => Estimator::MinMax,
            Mode::Mean => Estimator::Mean,
            Mode::TrimmedMean => trimmed_mean,
            Mode::MeanStd => mean_std,
            Mode::ElementPercentile => element_percentile,
            Mode::Kl => kl,
            Mode::Mse => mse,
        })
    }

    /// All modes with the settings given, checked, in the order of the values of `--mode`.
    ///
    /// # Errors
    /// As [`estimator`](Self::estimator).
    pub fn all(&self) -> Result<Vec<(Mode, Estimator)>> {
        let with = |&mode: &Mode| Ok((mode, Self { mode, ..*self }.estimator()?));
        Mode::value_variants().iter().map(with).collect()
    }

    /// Options that were given but that the mode does not use.
    pub fn unused(&self) -> Vec<&'static str> {
        let percentiles = &[Mode::Percentile, Mode::ElementPercentile][..];
        let averages = &[Mode::MovingAverage][..];
        let given = [
            (percentiles, "--min-percentile", self.min_percentile.is_some()),
            (percentiles, "--max-percentile", self.max_percentile.is_some()),
            (averages, "--moving-avg-batch", self.moving_avg_batch.is_some()),
            (averages, "--moving-avg-const", self.moving_avg_const.is_some()),
            (&[Mode::TrimmedMean][..], "--trim", self.trim.is_some()),
            (&[Mode::MeanStd][..], "--sigmas", self.sigmas.is_some()),
            (&[Mode::Kl, Mode::Mse][..], "--bits", self.bits.is_some()),
        ];
        let unused = given.into_iter().filter(|(of, _, given)| *given && !of.contains(&self.mode));
        unused.map(|(_, name, _)| name).collect()
    }
}

impl Mode {
    /// The name as typed.
    pub fn name(self) -> &'static str {
        match self {
            Self::MovingAverage => "moving_average",
            Self::Percentile => "percentile",
            Self::MinMax => "minmax",
            Self::Mean => "mean",
            Self::TrimmedMean => "trimmed_mean",
            Self::MeanStd => "mean_std",
            Self::ElementPercentile => "element_percentile",
            Self::Kl => "kl",
            Self::Mse => "mse",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::error::ErrorKind;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        estimator: EstimatorArgs,
    }

    fn parse(line: &str) -> Result<EstimatorArgs, clap::Error> {
        let words = ["test"].into_iter().chain(line.split_whitespace());
        Only::try_parse_from(words).map(|only| only.estimator)
    }

    #[test]
    fn defaults() {
        let args = parse("").unwrap();
        assert_eq!(args.mode, Mode::MovingAverage);
        let settings = MovingAverageSettings { batch: 16, constant: 0.1 };
        assert_eq!(args.estimator().unwrap(), Estimator::MovingAverage(settings));
        assert!(args.unused().is_empty());
    }

    #[test]
    fn modes_and_settings_under_both_spellings() {
        for (line, expected) in [
            ("--mode percentile", Estimator::Percentile { min: 1.0, max: 99.0 }),
            (
                "--mode percentile --min-percentile 0.5 --max-percentile 99.9",
                Estimator::Percentile { min: 0.5, max: 99.9 },
            ),
            (
                "--mode percentile --min_percentile 0 --max_percentile 100",
                Estimator::Percentile { min: 0.0, max: 100.0 },
            ),
            ("--mode minmax", Estimator::MinMax),
            ("--mode mean", Estimator::Mean),
            ("--mode trimmed_mean", Estimator::TrimmedMean { trim: 0.1 }),
            ("--mode trimmed-mean --trim 0.25", Estimator::TrimmedMean { trim: 0.25 }),
            ("--mode mean_std", Estimator::MeanStd { sigmas: 3.0 }),
            ("--mode mean-std --sigmas 2.5", Estimator::MeanStd { sigmas: 2.5 }),
            (
                "--mode element_percentile",
                Estimator::OfElements(ElementEstimator::Percentile { min: 0.01, max: 99.99 }),
            ),
            (
                "--mode element-percentile --min-percentile 99.992 --max-percentile 99.999",
                Estimator::OfElements(ElementEstimator::Percentile { min: 99.992, max: 99.999 }),
            ),
            ("--mode kl", Estimator::OfElements(ElementEstimator::Kl { bits: 8 })),
            ("--mode mse --bits 4", Estimator::OfElements(ElementEstimator::Mse { bits: 4 })),
            (
                "--mode moving-average --moving_avg_batch 1 --moving-avg-const 0.01",
                Estimator::MovingAverage(MovingAverageSettings { batch: 1, constant: 0.01 }),
            ),
            (
                "--moving-avg-batch 256 --moving_avg_const 1",
                Estimator::MovingAverage(MovingAverageSettings { batch: 256, constant: 1.0 }),
            ),
        ] {
            assert_eq!(parse(line).unwrap().estimator().unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn settings_out_of_range_are_refused_in_every_mode() {
        for settings in [
            "--min-percentile -1",
            "--max-percentile 100.5",
            "--max-percentile nan",
            "--moving-avg-batch 0",
            "--moving-avg-const 1.5",
            "--moving-avg-const -0.1",
            "--trim 0.5",
            "--trim -0.1",
            "--trim nan",
            "--sigmas -1",
            "--sigmas inf",
            "--bits 1",
            "--bits 17",
        ] {
            for mode in ["moving_average", "percentile", "mean_std", "element_percentile", "kl"] {
                let line = format!("--mode {mode} {settings}");
                let error = parse(&line).unwrap().estimator().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Usage, "{line}");
            }
        }
        assert!(parse("--mode median").is_err());
        assert!(parse("--moving-avg-batch 1.5").is_err());
    }

    #[test]
    fn settings_of_other_modes_are_noticed() {
        let args = parse("--min-percentile 1 --moving-avg-batch 4").unwrap();
        assert_eq!(args.unused(), ["--min-percentile"]);
        let args = parse("--mode minmax --max-percentile 9 --moving-avg-const 0.5").unwrap();
        assert_eq!(args.unused(), ["--max-percentile", "--moving-avg-const"]);
        let args = parse("--mode mean_std --trim 0.2 --sigmas 2").unwrap();
        assert_eq!(args.unused(), ["--trim"]);
        let args = parse("--mode element_percentile --max-percentile 99 --bits 4").unwrap();
        assert_eq!(args.unused(), ["--bits"]);
        assert!(parse("--mode mse --bits 4").unwrap().unused().is_empty());
    }
}
