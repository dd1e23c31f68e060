//! Ranges from the blocks of a recording, in bounded memory.

mod elements;
mod means;
mod ranks;

use std::ops::Range;

use self::ranks::Ranks;
use super::block::ColumnBuffer;
use super::frame::Log;
use super::walk::{Depth, Walk};
use super::{Header, TensorEntry};
use crate::error::{Error, Result};
use crate::observation::Observation;
use crate::stats::{Accumulator, Estimator, MovingAverageSettings, Ranked};

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

/// Ranges from all blocks, each checked: one entry per tensor. Percentiles and trimmed means
/// take about `memory_budget` bytes, and so do histograms.
///
/// # Errors
/// [`Recording`](crate::error::ErrorKind::Recording) for damage, if a range is not a number, and if elements
/// are needed that were not counted; [`Usage`](crate::error::ErrorKind::Usage) if they were counted in too few
/// bins.
pub(super) fn from_blocks(
    log: &Log,
    header: &Header,
    estimator: &Estimator,
    memory_budget: usize,
) -> Result<Vec<Option<Observation>>> {
    let tensors = &header.tensors;
    let ranked = |min, max| Ranks { log, min, max, memory_budget }.ranges(tensors.len());
    let ranges = match *estimator {
        Estimator::MovingAverage(settings) => {
            return from_state(&replay(log, tensors.len(), settings)?, true, tensors);
        }
        Estimator::MinMax => {
            return from_state(&replay_extremes(log, tensors.len())?, false, tensors);
        }
        Estimator::Percentile { min, max } => {
            ranked(Ranked::Percentile(min), Ranked::Percentile(max))
        }
        Estimator::TrimmedMean { trim } => {
            ranked(Ranked::TrimmedMean(trim), Ranked::TrimmedMean(trim))
        }
        Estimator::Mean => means::means(log, tensors.len()),
        Estimator::MeanStd { sigmas } => means::means_and_deviations(log, tensors.len(), sigmas),
        Estimator::OfElements(estimator) => elements::ranges(log, header, estimator, memory_budget),
    }?;
    checked(ranges, tensors)
}

/// The state that recording all blocks gives.
pub(super) fn replay(
    log: &Log,
    tensors: usize,
    settings: MovingAverageSettings,
) -> Result<Accumulator> {
    let mut state = Accumulator::new(tensors, settings);
    visit(log, tensors, 0..tensors, Depth::All, &mut |tensor, min, max| {
        state.observe_column(tensor, min, max);
    })?;
    Ok(state)
}

/// The state for extremes alone: with the longest batches, moving averages are least work.
fn replay_extremes(log: &Log, tensors: usize) -> Result<Accumulator> {
    replay(log, tensors, MovingAverageSettings { batch: u32::MAX, constant: 0.0 })
}

/// Takes a tensor's position and some of its minima and maxima.
type VisitColumn<'a> = dyn FnMut(usize, &[f32], &[f32]) + 'a;

/// Shows the minima and maxima of some of the tensors, block by block.
fn visit(
    log: &Log,
    tensors: usize,
    range: Range<usize>,
    depth: Depth,
    visit: &mut VisitColumn<'_>,
) -> Result<()> {
    let mut buffer = ColumnBuffer::default();
    let mut walk = Walk::new(log, tensors, depth);
    while let Some(block) = walk.next_block()? {
        block.columns(log, range.clone(), &mut buffer, &mut |tensor, column| {
            visit(tensor, column.min, column.max);
            Ok(())
        })?;
    }
    Ok(())
}

/// How many of the next tensors, of so many observations each, fit into memory together.
pub(crate) fn fitting(counts: &[u64], memory_budget: usize) -> usize {
    let mut bytes = 0_u64;
    let fits = |&&count: &&u64| {
        bytes = bytes.saturating_add(count.saturating_mul(size_of::<Observation>() as u64));
        bytes <= memory_budget as u64
    };
    counts.iter().take_while(fits).count()
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
