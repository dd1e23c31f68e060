use serde::{Deserialize, Serialize};

use super::MovingAverageSettings;
use crate::observation::{Observation, RecordObservations};

/// Moving averages and absolute extremes of all tensors of a recording.
///
/// The observations of a tensor are taken in batches, in order. Batches are counted per tensor,
/// because the body of a loop is observed several times per record. With `a = 1 - constant`,
/// rounded to `f32`, and `b = 1 - a` in `f64`, a batch with the extreme `m` moves the average `s`
/// to
///
/// ```text
/// s = f32(f64(f32(s * a)) + f64(m) * b)
/// ```
///
/// The first batch is taken whole, and an incomplete last batch counts like a full one. That last
/// step is done on a copy whenever a range is asked for: where a recording was interrupted must not
/// change what comes after.
///
/// One array per number rather than one structure per tensor: adding a record is a walk over a few
/// arrays, without allocation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accumulator {
    settings: MovingAverageSettings,
    /// Closed batches.
    batches: Vec<u64>,
    average_min: Vec<f32>,
    average_max: Vec<f32>,
    /// Extremes of all closed batches.
    lowest: Vec<f32>,
    highest: Vec<f32>,
    /// Observations in the open batch; always fewer than a batch.
    open: Vec<u32>,
    open_min: Vec<f32>,
    open_max: Vec<f32>,
}

impl Accumulator {
    /// Bytes that the state of one tensor takes, here and in the recording.
    pub const BYTES_PER_TENSOR: usize = 36;

    /// The state before the first observation. `settings` must be valid.
    pub fn new(tensors: usize, settings: MovingAverageSettings) -> Self {
        let Observation { min, max } = Observation::EMPTY;
        Self {
            settings,
            batches: vec![0; tensors],
            average_min: vec![0.0; tensors],
            average_max: vec![0.0; tensors],
            lowest: vec![min; tensors],
            highest: vec![max; tensors],
            open: vec![0; tensors],
            open_min: vec![min; tensors],
            open_max: vec![max; tensors],
        }
    }

    /// Settings of the moving average.
    pub fn settings(&self) -> MovingAverageSettings {
        self.settings
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether a state that was read from a file can be worked with.
    pub fn is_consistent(&self) -> bool {
        let tensors = self.open.len();
        let floats = [&self.average_min, &self.average_max, &self.lowest, &self.highest];
        self.settings.validate().is_ok()
            && self.batches.len() == tensors
            && floats.iter().all(|it| it.len() == tensors)
            && [&self.open_min, &self.open_max].iter().all(|it| it.len() == tensors)
            && self.open.iter().all(|&open| open < self.settings.batch)
    }

    /// Adds the next observation of a tensor. Position and observation must be valid: below
    /// [`len`](Self::len), not empty, not NaN.
    #[inline]
    pub fn observe(&mut self, tensor: usize, observation: Observation) {
        if observation.min < self.open_min[tensor] {
            self.open_min[tensor] = observation.min;
        }
        if observation.max > self.open_max[tensor] {
            self.open_max[tensor] = observation.max;
        }
        self.open[tensor] += 1;
        if self.open[tensor] == self.settings.batch {
            self.close_batch(tensor);
        }
    }

    /// Adds a record: every tensor that was executed once, and the observations of the others.
    pub fn observe_record(&mut self, record: &RecordObservations) {
        for (tensor, &observation) in record.single.iter().enumerate() {
            if !observation.is_empty() {
                self.observe(tensor, observation);
            }
        }
        for (tensor, observations) in &record.repeated {
            for &observation in observations {
                self.observe(*tensor as usize, observation);
            }
        }
    }

    /// Adds consecutive observations of a tensor, given as minima and maxima.
    pub fn observe_column(&mut self, tensor: usize, min: &[f32], max: &[f32]) {
        for (&min, &max) in min.iter().zip(max) {
            self.observe(tensor, Observation { min, max });
        }
    }

    fn close_batch(&mut self, tensor: usize) {
        let batch = Observation { min: self.open_min[tensor], max: self.open_max[tensor] };
        let average = self.average_with(tensor, batch);
        self.average_min[tensor] = average.min;
        self.average_max[tensor] = average.max;
        let absolute = self.closed_extremes(tensor).union(batch);
        self.lowest[tensor] = absolute.min;
        self.highest[tensor] = absolute.max;
        self.batches[tensor] = self.batches[tensor].saturating_add(1);
        self.open[tensor] = 0;
        self.open_min[tensor] = Observation::EMPTY.min;
        self.open_max[tensor] = Observation::EMPTY.max;
    }

    fn average_with(&self, tensor: usize, batch: Observation) -> Observation {
        if self.batches[tensor] == 0 {
            return batch;
        }
        let keep = 1.0 - self.settings.constant;
        let gain = 1.0 - f64::from(keep);
        let moved = |average: f32, extreme: f32| {
            (f64::from(average * keep) + f64::from(extreme) * gain) as f32
        };
        Observation {
            min: moved(self.average_min[tensor], batch.min),
            max: moved(self.average_max[tensor], batch.max),
        }
    }

    fn closed_extremes(&self, tensor: usize) -> Observation {
        Observation { min: self.lowest[tensor], max: self.highest[tensor] }
    }

    /// Moving average of a tensor's minima and maxima, the open batch folded in on a copy; `None`
    /// if it was never observed.
    ///
    /// NaN where infinities of both signs met, or an infinity met a weight of zero.
    pub fn moving_average(&self, tensor: usize) -> Option<Observation> {
        if self.open[tensor] > 0 {
            let batch = Observation { min: self.open_min[tensor], max: self.open_max[tensor] };
            return Some(self.average_with(tensor, batch));
        }
        let average = Observation { min: self.average_min[tensor], max: self.average_max[tensor] };
        (self.batches[tensor] > 0).then_some(average)
    }

    /// Smallest minimum and largest maximum of a tensor; `None` if it was never observed.
    pub fn extremes(&self, tensor: usize) -> Option<Observation> {
        let open = Observation { min: self.open_min[tensor], max: self.open_max[tensor] };
        let observed = self.open[tensor] > 0 || self.batches[tensor] > 0;
        observed.then(|| self.closed_extremes(tensor).union(open))
    }

    /// Observations of a tensor so far.
    pub fn count(&self, tensor: usize) -> u64 {
        let closed = self.batches[tensor].saturating_mul(u64::from(self.settings.batch));
        closed.saturating_add(u64::from(self.open[tensor]))
    }
}
