use serde::{Serialize, Serializer};

use super::Mode;
use super::collect::Collected;
use super::json::{number, optional_number};
use super::series::Series;
use crate::observation::Observation;
use crate::stats::Estimator;

/// Which percentiles of minima and maxima are reported.
pub const PERCENTILES: [f32; 9] = [0.0, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 100.0];

/// Positions of the quartiles and the median in [`PERCENTILES`].
const LOWER: usize = 3;
const MEDIAN: usize = 4;
const UPPER: usize = 5;

/// A range counts as settled if the last 10 % of the records moved it by no more than this part of its width.
pub const SETTLED: f64 = 0.05;

/// Probability that the largest of the maxima of a tensor without outliers is taken for one.
const FALSE_ALARM: f64 = 0.01;

/// What there is to know about one tensor.
#[derive(Clone, Debug, Serialize)]
pub struct TensorReport {
    /// Position of its subgraph in the model.
    pub subgraph: u32,
    /// Position in the subgraph.
    pub index: u32,
    /// Name in the model.
    pub name: String,
    /// The operator that computes it, or `INPUT`; if the model is given.
    pub operator: Option<String>,
    /// Element type, if the model is given.
    pub dtype: Option<String>,
    /// Dimensions, `null` for those known at run time only; if the model is given.
    pub shape: Option<Vec<Option<usize>>>,
    /// Number of observations; more than records for tensors in loops.
    pub observations: u64,
    /// Records with an observation.
    pub records: u64,
    /// Observations with an infinite minimum or maximum.
    pub infinite: u64,
    /// Why there are no observations, if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unobserved: Option<&'static str>,
    /// Its range under each mode.
    pub ranges: Vec<Option<ModeRange>>,
    /// Percentiles of its minima; empty without observations.
    #[serde(serialize_with = "super::json::numbers")]
    pub minima: Vec<f32>,
    /// Percentiles of its maxima.
    #[serde(serialize_with = "super::json::numbers")]
    pub maxima: Vec<f32>,
    /// The records with the smallest minima, at most three.
    pub lowest: Vec<Extreme>,
    /// The records with the largest maxima, at most three.
    pub highest: Vec<Extreme>,
    /// How far the extremes lie outside of the bulk of minima and maxima, in interquartile ranges (Tukey).
    #[serde(serialize_with = "optional_number")]
    pub outlier_score: Option<f64>,
    /// What the score of Gumbel distributed extremes exceeds in one of a hundred recordings.
    #[serde(serialize_with = "optional_number")]
    pub outlier_limit: Option<f64>,
    /// Width of all that was observed, in widths of what lies between the 1st percentile of minima and the
    /// 99th of maxima.
    #[serde(serialize_with = "optional_number")]
    pub stretch: Option<f64>,
    /// What stands out.
    pub flags: Vec<Flag>,
    /// Observations over the records.
    #[serde(skip)]
    pub series: Series,
}

/// A range and how stable it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ModeRange {
    /// Minimum.
    #[serde(serialize_with = "number")]
    pub min: f32,
    /// Maximum.
    #[serde(serialize_with = "number")]
    pub max: f32,
    /// How far the last 10 % of the records moved it: the larger movement of its two ends, in widths of
    /// the range. `None` if there were no observations before, or the range is not finite.
    #[serde(serialize_with = "optional_number")]
    pub moved: Option<f64>,
}

/// An extreme value and the record that had it first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Extreme {
    /// The value.
    #[serde(serialize_with = "number")]
    pub value: f32,
    /// Position of the shard in the recording.
    pub shard: usize,
    /// Number of the record in the shard.
    pub record: u64,
}

/// Something that stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flag {
    /// Never observed.
    Unobserved,
    /// Infinities were observed, or the range is not finite.
    Infinite,
    /// The last 10 % of the records moved the range of the chosen mode by more than 5 %.
    Moving,
    /// The outlier score is beyond its limit.
    Outlier,
    /// All observations are one number.
    Constant,
}

impl Flag {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unobserved => "unobserved",
            Self::Infinite => "infinite",
            Self::Moving => "moving",
            Self::Outlier => "outlier",
            Self::Constant => "constant",
        }
    }
}

impl Serialize for Flag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl TensorReport {
    /// Its shape as `1x224x224x3`, `?` for what is known at run time only.
    pub fn shape_text(&self) -> Option<String> {
        let dimension = |it: &Option<usize>| it.map_or("?".to_owned(), |it| it.to_string());
        Some(self.shape.as_ref()?.iter().map(dimension).collect::<Vec<_>>().join("x"))
    }
}

/// The range of a tensor under each mode; `elements` has that under modes of elements, by position.
pub(super) fn ranges(
    collected: &Collected,
    modes: &[Mode],
    elements: impl Fn(usize) -> Option<Observation>,
) -> Vec<Option<ModeRange>> {
    let Collected { tracker, minima, maxima } = collected;
    let mut numbers = 0;
    let ranges = modes.iter().enumerate().map(|(position, mode)| {
        let (early, whole) = match mode.estimator {
            Estimator::MovingAverage(_) => {
                (tracker.early_average(position), tracker.average(position))
            }
            Estimator::MinMax => {
                (tracker.early.as_ref().and_then(|it| it.extremes), tracker.extremes())
            }
            // Elements are counted between commits, and so those of the first records are not known.
            Estimator::OfElements(_) => (None, elements(position)),
            // Numbers of all observations, which come in the order of the modes.
            _ => {
                let place = numbers;
                numbers += 1;
                let range = |min: &[f32], max: &[f32], place: usize| {
                    Some(Observation { min: *min.get(place)?, max: *max.get(place)? })
                };
                (
                    range(&minima.early, &maxima.early, place),
                    range(&minima.whole, &maxima.whole, PERCENTILES.len() + place),
                )
            }
        };
        let Observation { min, max } = whole?;
        let moved = early.and_then(|early| movement(early, Observation { min, max }));
        Some(ModeRange { min, max, moved })
    });
    ranges.collect()
}

/// The larger movement of the two ends, in widths of the range that came of it.
fn movement(early: Observation, whole: Observation) -> Option<f64> {
    let apart = |a: f32, b: f32| (f64::from(a) - f64::from(b)).abs();
    let moved = max(apart(early.min, whole.min), apart(early.max, whole.max));
    let width = f64::from(whole.max) - f64::from(whole.min);
    match moved {
        0.0 if width.is_finite() => Some(0.0),
        _ => Some(moved / width).filter(|it| it.is_finite()),
    }
}

/// The larger of two numbers; NaN if one of them is.
fn max(a: f64, b: f64) -> f64 {
    if a > b || a.is_nan() { a } else { b }
}

/// How many interquartile ranges the extremes lie outside of the quartiles, at the worse of both ends: what
/// Tukey's box plot calls outside from 1.5 and far out from 3 (J. W. Tukey, Exploratory Data Analysis,
/// 1977). Where the quartiles coincide, the width between the medians of minima and maxima is the unit.
pub(super) fn outlier_score(minima: &[f32], maxima: &[f32]) -> Option<f64> {
    let (minima, maxima) = (numbers(minima)?, numbers(maxima)?);
    let typical_width = maxima[MEDIAN] - minima[MEDIAN];
    let score = |beyond: f64, quartiles: f64| {
        let unit = if quartiles > 0.0 { quartiles } else { typical_width };
        if beyond <= 0.0 { Some(0.0) } else { Some(beyond / unit).filter(|it| !it.is_nan()) }
    };
    let [.., highest] = maxima;
    let below = score(minima[LOWER] - minima[0], minima[UPPER] - minima[LOWER])?;
    let above = score(highest - maxima[UPPER], maxima[UPPER] - maxima[LOWER])?;
    Some(max(below, above))
}

/// The score that the largest of `count` values of a Gumbel distribution exceeds with the probability
/// [`FALSE_ALARM`]. The maximum of many elements tends to this distribution (R. A. Fisher and
/// L. H. C. Tippett, 1928; E. J. Gumbel, Statistics of Extremes, 1958), whose quantile at `q` is
/// `-ln(-ln(q))`.
pub(super) fn outlier_limit(count: u64) -> f64 {
    let quantile = |q: f64| -(-q.ln()).ln();
    let highest = (count as f64).ln() - (-(1.0 - FALSE_ALARM).ln()).ln();
    (highest - quantile(0.75)) / (quantile(0.75) - quantile(0.25))
}

/// How much wider everything is than the percentiles 1 to 99.
pub(super) fn stretch(minima: &[f32], maxima: &[f32]) -> Option<f64> {
    let (minima, maxima) = (numbers(minima)?, numbers(maxima)?);
    let [lowest, low, ..] = minima;
    let [.., high, highest] = maxima;
    if highest == lowest {
        return Some(1.0);
    }
    Some((highest - lowest) / (high - low)).filter(|it| !it.is_nan())
}

fn numbers(percentiles: &[f32]) -> Option<[f64; PERCENTILES.len()]> {
    let mut numbers = [0.0; PERCENTILES.len()];
    for (number, &percentile) in numbers.iter_mut().zip(percentiles.get(..PERCENTILES.len())?) {
        *number = f64::from(percentile);
    }
    Some(numbers)
}

/// What stands out about a tensor whose other fields are filled.
pub(super) fn flags(tensor: &TensorReport, chosen: usize) -> Vec<Flag> {
    if tensor.observations == 0 {
        return vec![Flag::Unobserved];
    }
    let range = tensor.ranges.get(chosen).copied().flatten();
    let is_finite = range.is_none_or(|it| it.min.is_finite() && it.max.is_finite());
    let is_constant = tensor.minima.first() == tensor.maxima.last();
    let conditions = [
        (Flag::Infinite, tensor.infinite > 0 || !is_finite),
        (Flag::Moving, range.and_then(|it| it.moved).is_some_and(|it| it > SETTLED)),
        (Flag::Outlier, tensor.outlier_score > tensor.outlier_limit),
        (Flag::Constant, is_constant),
    ];
    conditions.into_iter().filter(|it| it.1).map(|it| it.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_follow_the_definition() {
        // Quartiles 2 and 4 of the minima, 12 and 13 of the maxima.
        let minima = [-6.0, 1.0, 1.5, 2.0, 3.0, 4.0, 4.5, 5.0, 6.0];
        let maxima = [9.0, 10.0, 11.0, 12.0, 12.5, 13.0, 14.0, 15.0, 18.0];
        assert_eq!(outlier_score(&minima, &maxima), Some(5.0));
        assert_eq!(
            outlier_score(&minima.map(|it| it + 8.0 * f32::from(it < 0.0)), &maxima),
            Some(5.0)
        );
        assert_eq!(stretch(&minima, &maxima), Some(24.0 / 14.0));
        // Of a ReLU: all minima are 0.
        assert_eq!(outlier_score(&[0.0; 9], &maxima), Some(5.0));
        // The quartiles of the maxima are equal, the medians 6 apart.
        let mut maxima = [6.0; 9];
        assert_eq!(outlier_score(&[0.0; 9], &maxima), Some(0.0));
        maxima[8] = 9.0;
        assert_eq!(outlier_score(&[0.0; 9], &maxima), Some(0.5));
        maxima[8] = f32::INFINITY;
        assert_eq!(outlier_score(&[0.0; 9], &maxima), Some(f64::INFINITY));
        assert_eq!(outlier_score(&[], &[]), None);
        assert_eq!(stretch(&[2.0; 9], &[2.0; 9]), Some(1.0));
    }

    #[test]
    fn limits_are_those_of_gumbel_extremes() {
        // scipy.stats.gumbel_r: (ppf(0.99 ** (1 / n)) - ppf(0.75)) / (ppf(0.75) - ppf(0.25))
        for (count, expected) in
            [(10, 3.597_275), (100, 5.061_526), (100_000, 9.454_282), (1_000_000, 10.918_533)]
        {
            assert!((outlier_limit(count) - expected).abs() < 1e-6, "{count}");
        }
    }

    #[test]
    fn movement_is_in_widths() {
        let range = |min, max| Observation { min, max };
        assert_eq!(movement(range(0.0, 3.0), range(-0.5, 3.5)), Some(0.125));
        assert_eq!(movement(range(0.0, 0.0), range(0.0, 0.0)), Some(0.0));
        assert_eq!(movement(range(0.0, 1.0), range(1.0, 1.0)), None);
        assert_eq!(movement(range(0.0, 1.0), range(0.0, f32::INFINITY)), None);
        assert_eq!(movement(range(0.0, 1.0), range(f32::NAN, 1.0)), None);
    }
}
