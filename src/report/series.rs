use serde::Serialize;

use super::json::numbers;
use crate::observation::Observation;

/// Most buckets of a series: enough for a chart as wide as a page.
pub const MAX_BUCKETS: usize = 512;

/// Numbers that all series of a report have together at most; with more tensors there are fewer buckets.
const MAX_NUMBERS: usize = 1_100_000;

/// Numbers of a bucket.
const NUMBERS: usize = 6;

/// A tensor's observations over the records, downsampled: bucket `i` of `n` stands for the observed records
/// from `ceil(i * records / n)` on, counted through the whole recording. NaN where nothing was observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    /// Smallest minimum.
    #[serde(serialize_with = "numbers")]
    pub min_low: Vec<f32>,
    /// Largest minimum.
    #[serde(serialize_with = "numbers")]
    pub min_high: Vec<f32>,
    /// Smallest maximum.
    #[serde(serialize_with = "numbers")]
    pub max_low: Vec<f32>,
    /// Largest maximum.
    #[serde(serialize_with = "numbers")]
    pub max_high: Vec<f32>,
    /// Moving average of minima at the end of the bucket.
    #[serde(serialize_with = "numbers")]
    pub average_min: Vec<f32>,
    /// Moving average of maxima at the end of the bucket.
    #[serde(serialize_with = "numbers")]
    pub average_max: Vec<f32>,
}

/// How many buckets the series of a report have.
pub(super) fn bucket_count(records: u64, tensors: usize) -> usize {
    let affordable = MAX_NUMBERS / NUMBERS / tensors.max(1);
    let records = usize::try_from(records).unwrap_or(usize::MAX);
    let most = affordable.clamp(1, MAX_BUCKETS);
    // Buckets of a power of two can be merged in pairs, and keep their places.
    if records <= most { records.max(1) } else { 1 << most.ilog2() }
}

impl Series {
    /// A series of which nothing is known yet.
    pub(super) fn new(buckets: usize) -> Self {
        let empty = vec![f32::NAN; buckets];
        Self {
            min_low: empty.clone(),
            min_high: empty.clone(),
            max_low: empty.clone(),
            max_high: empty.clone(),
            average_min: empty.clone(),
            average_max: empty,
        }
    }

    /// Number of buckets.
    pub fn len(&self) -> usize {
        self.min_low.len()
    }

    /// Whether there are no buckets.
    pub fn is_empty(&self) -> bool {
        self.min_low.is_empty()
    }

    /// Adds an observation to a bucket, which must exist.
    pub(super) fn add(&mut self, bucket: usize, Observation { min, max }: Observation) {
        // Written so that what is there may be NaN, and gives way.
        let lower = |slot: &mut f32, value: f32| {
            if slot.is_nan() || value < *slot {
                *slot = value;
            }
        };
        let raise = |slot: &mut f32, value: f32| {
            if slot.is_nan() || value > *slot {
                *slot = value;
            }
        };
        lower(&mut self.min_low[bucket], min);
        raise(&mut self.min_high[bucket], min);
        lower(&mut self.max_low[bucket], max);
        raise(&mut self.max_high[bucket], max);
    }

    /// Sets the moving average at the end of some buckets.
    pub(super) fn set_average(
        &mut self,
        buckets: std::ops::Range<usize>,
        average: Option<Observation>,
    ) {
        let Some(Observation { min, max }) = average else { return };
        self.average_min[buckets.clone()].fill(min);
        self.average_max[buckets].fill(max);
    }

    /// The six columns, in the order in which they are stored.
    pub(super) fn columns(&self) -> [&[f32]; NUMBERS] {
        [
            &self.min_low,
            &self.min_high,
            &self.max_low,
            &self.max_high,
            &self.average_min,
            &self.average_max,
        ]
    }
}
