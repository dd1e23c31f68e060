//! Ranges from the blocks of a recording, in bounded memory.

use std::ops::Range;

use super::TensorEntry;
use super::block::ColumnBuffer;
use super::frame::Log;
use super::walk::{Depth, Walk};
use crate::error::{Error, Result};
use crate::observation::Observation;
use crate::stats::{Accumulator, Estimator, MovingAverageSettings, RadixSelect, percentile};

/// Ranges from the state that a run keeps: one entry per tensor.
///
/// # Errors
/// [`Recording`](crate::error::ErrorKind::Recording) if a moving average is not a number, naming
/// the tensor.
pub(super) fn from_state(
    state: &Accumulator,
    moving_average: bool,
    tensors: &[TensorEntry],
) -> Result<Vec<Option<Observation>>> {
    let range = |tensor| {
        if moving_average { state.moving_average(tensor) } else { state.extremes(tensor) }
    };
    checked((0..tensors.len()).map(range).collect(), tensors)
}

/// Ranges from all blocks, each checked: one entry per tensor. Percentiles take about
/// `memory_budget` bytes.
///
/// # Errors
/// [`Recording`](crate::error::ErrorKind::Recording) for damage, and if a range is not a number.
pub(super) fn from_blocks(
    log: &Log,
    tensors: &[TensorEntry],
    estimator: &Estimator,
    memory_budget: usize,
) -> Result<Vec<Option<Observation>>> {
    match *estimator {
        Estimator::MovingAverage(settings) => {
            from_state(&replay(log, tensors.len(), settings)?, true, tensors)
        }
        Estimator::MinMax => {
            let settings = MovingAverageSettings { batch: u32::MAX, constant: 0.0 };
            from_state(&replay(log, tensors.len(), settings)?, false, tensors)
        }
        Estimator::Percentile { min, max } => {
            let ranges = Percentiles { log, min, max, memory_budget }.ranges(tensors.len())?;
            checked(ranges, tensors)
        }
    }
}

/// The state that recording all blocks gives.
pub(super) fn replay(
    log: &Log,
    tensors: usize,
    settings: MovingAverageSettings,
) -> Result<Accumulator> {
    let mut state = Accumulator::new(tensors, settings);
    let mut buffer = ColumnBuffer::default();
    let mut walk = Walk::new(log, tensors, Depth::All);
    while let Some(block) = walk.next_block()? {
        block.columns(log, 0..tensors, &mut buffer, &mut |tensor, column| {
            state.observe_column(tensor, column.min, column.max);
            Ok(())
        })?;
    }
    Ok(state)
}

/// Takes a tensor's position and some of its minima and maxima.
type VisitColumn<'a> = dyn FnMut(usize, &[f32], &[f32]) + 'a;

struct Percentiles<'a> {
    log: &'a Log,
    min: f32,
    max: f32,
    memory_budget: usize,
}

impl Percentiles<'_> {
    fn ranges(&self, tensors: usize) -> Result<Vec<Option<Observation>>> {
        let counts = self.count(tensors)?;
        let mut ranges = Vec::with_capacity(tensors);
        let mut rest = counts.as_slice();
        while let Some(&count) = rest.first() {
            let start = ranges.len();
            let group = rest.len().min(self.group(rest));
            if group == 0 {
                ranges.push(self.select_streaming(start, count, tensors)?);
            } else {
                ranges.extend(self.select(start, &rest[..group], tensors)?);
            }
            rest = &rest[group.max(1)..];
        }
        Ok(ranges)
    }

    /// Observations of each tensor. Looks at everything but the columns.
    fn count(&self, tensors: usize) -> Result<Vec<u64>> {
        let mut counts = vec![0_u64; tensors];
        let mut walk = Walk::new(self.log, tensors, Depth::All);
        while let Some(block) = walk.next_block()? {
            for (count, column) in counts.iter_mut().zip(&block.frame.columns) {
                *count += u64::from(column.observations);
            }
        }
        Ok(counts)
    }

    /// How many of the next tensors fit into memory together.
    fn group(&self, counts: &[u64]) -> usize {
        let mut bytes = 0_u64;
        let fits = |&&count: &&u64| {
            bytes = bytes.saturating_add(count.saturating_mul(size_of::<Observation>() as u64));
            bytes <= self.memory_budget as u64
        };
        counts.iter().take_while(fits).count()
    }

    /// Collects the columns of some tensors, and selects.
    fn select(
        &self,
        start: usize,
        counts: &[u64],
        tensors: usize,
    ) -> Result<Vec<Option<Observation>>> {
        let reserve = |&count: &u64| Vec::with_capacity(count as usize);
        let mut minima: Vec<Vec<f32>> = counts.iter().map(reserve).collect();
        let mut maxima: Vec<Vec<f32>> = counts.iter().map(reserve).collect();
        self.visit(start..start + counts.len(), tensors, &mut |tensor, min, max| {
            if let (Some(minima), Some(maxima)) =
                (minima.get_mut(tensor - start), maxima.get_mut(tensor - start))
            {
                minima.extend_from_slice(min);
                maxima.extend_from_slice(max);
            }
        })?;
        let columns = minima.iter_mut().zip(&mut maxima);
        let ranges = columns.map(|(minima, maxima)| {
            let min = percentile(minima, self.min)?;
            let max = percentile(maxima, self.max)?;
            Some(Observation { min, max })
        });
        Ok(ranges.collect())
    }

    /// Selects from a tensor with too many observations for the memory, by reading them twice.
    fn select_streaming(
        &self,
        tensor: usize,
        count: u64,
        tensors: usize,
    ) -> Result<Option<Observation>> {
        let selects = (RadixSelect::new(count, self.min), RadixSelect::new(count, self.max));
        let (Some(mut minima), Some(mut maxima)) = selects else { return Ok(None) };
        let changed = || self.log.damaged(self.log.end(), "the file changed while it was read");
        for pass in 0..2 {
            if pass == 1 {
                minima.next_pass().and_then(|()| maxima.next_pass()).ok_or_else(changed)?;
            }
            self.visit(tensor..tensor + 1, tensors, &mut |_, min, max| {
                minima.visit(min);
                maxima.visit(max);
            })?;
        }
        let (min, max) = minima.finish().zip(maxima.finish()).ok_or_else(changed)?;
        Ok(Some(Observation { min, max }))
    }

    /// Shows the minima and maxima of some tensors, block by block.
    fn visit(
        &self,
        range: Range<usize>,
        tensors: usize,
        visit: &mut VisitColumn<'_>,
    ) -> Result<()> {
        let mut buffer = ColumnBuffer::default();
        let mut walk = Walk::new(self.log, tensors, Depth::Blocks);
        while let Some(block) = walk.next_block()? {
            block.columns(self.log, range.clone(), &mut buffer, &mut |tensor, column| {
                visit(tensor, column.min, column.max);
                Ok(())
            })?;
        }
        Ok(())
    }
}

/// Refuses ranges that are not numbers: infinities were observed, and the estimator has no answer.
fn checked(
    ranges: Vec<Option<Observation>>,
    tensors: &[TensorEntry],
) -> Result<Vec<Option<Observation>>> {
    let bad =
        |range: &Option<Observation>| range.is_some_and(|it| it.min.is_nan() || it.max.is_nan());
    let names = ranges.iter().zip(tensors).filter(|(range, _)| bad(range));
    let names: Vec<String> = names.map(|(_, tensor)| tensor.to_string()).collect();
    let Some(first) = names.first() else { return Ok(ranges) };
    let more = match names.len() - 1 {
        0 => String::new(),
        more => format!(" and of {more} more"),
    };
    Err(Error::recording(format!(
        "infinities were observed, and the range of tensor {first}{more} is not a number"
    ))
    .with_hint("estimate with --mode minmax to see which are infinite, and look at the dataset"))
}
