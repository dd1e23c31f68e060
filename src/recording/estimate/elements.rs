//! Estimators of elements: as many tensors at a time as have histograms that fit into memory.

use super::super::frame::Log;
use super::super::{Header, histograms};
use super::replay_extremes;
use crate::error::{Error, Result};
use crate::observation::Observation;
use crate::stats::ElementEstimator;

/// The range of each tensor; `None` for one that was never observed.
pub(super) fn ranges(
    log: &Log,
    header: &Header,
    estimator: ElementEstimator,
    memory_budget: usize,
) -> Result<Vec<Option<Observation>>> {
    let named = |error: Error| error.context(log.name().display());
    let mode = estimator.name();
    let limit = header.histograms.ok_or_else(|| {
        named(Error::recording(format!("mode {mode} needs the elements, which were not counted")))
            .with_hint("record again with --histogram")
    })?;
    estimator.check_bins(limit).map_err(named)?;
    let tensors = header.tensors.len();
    let extremes = replay_extremes(log, tensors)?;
    let group = (memory_budget / (limit.get() as usize * size_of::<u64>())).max(1);
    let mut ranges = Vec::with_capacity(tensors);
    while ranges.len() < tensors {
        let start = ranges.len();
        let end = tensors.min(start.saturating_add(group));
        for (tensor, histogram) in (start..).zip(histograms::all(log, tensors, start..end, limit)?)
        {
            let observed = extremes.extremes(tensor);
            ranges.push(observed.and_then(|observed| estimator.range(&histogram, observed)));
        }
    }
    Ok(ranges)
}
