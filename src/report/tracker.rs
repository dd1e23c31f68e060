use super::Mode;
use super::series::Series;
use super::statistics::Extreme;
use crate::observation::Observation;
use crate::recording::{BlockRecords, Column};
use crate::stats::{Accumulator, Estimator};

/// Records kept at each end of a tensor's observations.
pub(super) const KEPT_EXTREMES: usize = 3;

/// How records are divided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Division {
    /// Records observed.
    pub records: u64,
    /// The first 90 % of them: those before the last tenth, rounded up.
    pub early: u64,
    /// Buckets of the series.
    pub buckets: usize,
}

impl Division {
    pub fn new(records: u64, buckets: usize) -> Self {
        Self { records, early: records - records.div_ceil(10), buckets }
    }

    fn bucket(&self, record: u64) -> usize {
        let bucket = u128::from(record) * self.buckets as u128 / u128::from(self.records.max(1));
        usize::try_from(bucket).unwrap_or(usize::MAX).min(self.buckets - 1)
    }
}

/// What is followed of one tensor, observation by observation.
pub(super) struct Tracker {
    division: Division,
    pub series: Series,
    /// First bucket whose moving average is open.
    bucket: usize,
    /// One for each mode that is a moving average, by its position.
    averages: Vec<(usize, Accumulator)>,
    /// As it was after the first 90 % of the records.
    pub early: Option<Early>,
    /// Smallest minima, the smallest first; of equal ones, the first record's.
    pub lowest: Vec<Extreme>,
    /// Largest maxima, likewise.
    pub highest: Vec<Extreme>,
    pub observations: u64,
    /// Records with an observation.
    pub records: u64,
    /// Observations with an infinite minimum or maximum.
    pub infinite: u64,
}

/// What the first 90 % of the records gave.
pub(super) struct Early {
    pub observations: u64,
    pub averages: Vec<Option<Observation>>,
    pub extremes: Option<Observation>,
}

impl Tracker {
    pub fn new(division: Division, modes: &[Mode]) -> Self {
        let average = |(position, mode): (usize, &Mode)| match mode.estimator {
            Estimator::MovingAverage(settings) => Some((position, Accumulator::new(1, settings))),
            _ => None,
        };
        Self {
            division,
            series: Series::new(division.buckets),
            bucket: 0,
            averages: modes.iter().enumerate().filter_map(average).collect(),
            early: None,
            lowest: Vec::with_capacity(KEPT_EXTREMES),
            highest: Vec::with_capacity(KEPT_EXTREMES),
            observations: 0,
            records: 0,
            infinite: 0,
        }
    }

    /// Adds what one block has of the tensor.
    pub fn add(&mut self, block: &BlockRecords<'_>, column: Column<'_>) {
        let mut observations = column.min.iter().zip(column.max);
        for row in 0..block.observed {
            let record = block.before + row;
            if record >= self.division.early && self.early.is_none() {
                self.early = Some(self.now());
            }
            let count = match column.counts {
                [] => 1,
                counts => counts.get(row as usize).map_or(0, |&count| count as usize),
            };
            if count == 0 {
                continue;
            }
            self.records += 1;
            let bucket = self.division.bucket(record);
            if bucket > self.bucket {
                self.close_buckets(bucket);
            }
            for (&min, &max) in observations.by_ref().take(count) {
                self.observe(Observation { min, max }, bucket, block, row);
            }
        }
    }

    fn observe(
        &mut self,
        observation: Observation,
        bucket: usize,
        block: &BlockRecords<'_>,
        row: u64,
    ) {
        let Observation { min, max } = observation;
        self.observations += 1;
        self.infinite += u64::from(min.is_infinite() || max.is_infinite());
        for (_, average) in &mut self.averages {
            average.observe(0, observation);
        }
        self.series.add(bucket, observation);
        let place = |value| Extreme { value, shard: block.shard, record: block.record(row) };
        if makes_way(&self.lowest, |last| min < last) {
            keep(&mut self.lowest, place(min), |a, b| a < b);
        }
        if makes_way(&self.highest, |last| max > last) {
            keep(&mut self.highest, place(max), |a, b| a > b);
        }
    }

    /// Ends the buckets before `next`.
    fn close_buckets(&mut self, next: usize) {
        let average = self.averages.first().and_then(|(_, it)| it.moving_average(0));
        self.series.set_average(self.bucket..next, average);
        self.bucket = next;
    }

    /// Ends all buckets.
    pub fn finish(&mut self) {
        self.close_buckets(self.division.buckets);
    }

    /// Smallest minimum and largest maximum.
    pub fn extremes(&self) -> Option<Observation> {
        let (lowest, highest) = (self.lowest.first()?, self.highest.first()?);
        Some(Observation { min: lowest.value, max: highest.value })
    }

    /// The moving average of the mode at a position.
    pub fn average(&self, position: usize) -> Option<Observation> {
        self.averages.iter().find(|it| it.0 == position)?.1.moving_average(0)
    }

    /// The moving average of that mode after the first 90 % of the records.
    pub fn early_average(&self, position: usize) -> Option<Observation> {
        let place = self.averages.iter().position(|it| it.0 == position)?;
        *self.early.as_ref()?.averages.get(place)?
    }

    /// Observations of the first 90 % of the records.
    pub fn early_observations(&self) -> u64 {
        self.early.as_ref().map_or(0, |it| it.observations)
    }

    fn now(&self) -> Early {
        Early {
            observations: self.observations,
            averages: self.averages.iter().map(|(_, it)| it.moving_average(0)).collect(),
            extremes: self.extremes(),
        }
    }
}

/// Whether a value belongs to the kept ones, by how it compares with the last of them.
fn makes_way(kept: &[Extreme], beats: impl Fn(f32) -> bool) -> bool {
    kept.len() < KEPT_EXTREMES || kept.last().is_some_and(|last| beats(last.value))
}

/// Keeps an extreme; of one record only the best.
fn keep(kept: &mut Vec<Extreme>, extreme: Extreme, beats: impl Fn(f32, f32) -> bool) {
    let same = |it: &Extreme| (it.shard, it.record) == (extreme.shard, extreme.record);
    if let Some(position) = kept.iter().position(same) {
        if !beats(extreme.value, kept[position].value) {
            return;
        }
        kept.remove(position);
    }
    // Behind its equals, which came before it.
    let place = kept.iter().position(|it| beats(extreme.value, it.value)).unwrap_or(kept.len());
    kept.insert(place, extreme);
    kept.truncate(KEPT_EXTREMES);
}
