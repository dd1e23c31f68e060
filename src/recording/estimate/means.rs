//! Means and standard deviations: a few numbers per tensor, one pass over the blocks for each.

use super::super::frame::Log;
use super::super::walk::Depth;
use super::visit;
use crate::error::Result;
use crate::observation::Observation;
use crate::stats::{Deviation, Mean};

/// The mean of the minima and that of the maxima; `None` for a tensor that was never observed.
pub(super) fn means(log: &Log, tensors: usize) -> Result<Vec<Option<Observation>>> {
    let means = precise_means(log, tensors)?;
    let rounded = means.into_iter().map(|mean| {
        let (min, max) = mean?;
        Some(Observation { min: min as f32, max: max as f32 })
    });
    Ok(rounded.collect())
}

/// Ends `sigmas` standard deviations below the mean of the minima and above that of the maxima.
pub(super) fn means_and_deviations(
    log: &Log,
    tensors: usize,
    sigmas: f64,
) -> Result<Vec<Option<Observation>>> {
    let means = precise_means(log, tensors)?.into_iter();
    let deviations = means.map(|mean| {
        let (min, max) = mean?;
        Some((Deviation::new(min), Deviation::new(max)))
    });
    let mut deviations: Vec<_> = deviations.collect();
    visit(log, tensors, 0..tensors, Depth::Blocks, &mut |tensor, min, max| {
        if let Some(Some((minima, maxima))) = deviations.get_mut(tensor) {
            minima.visit(min);
            maxima.visit(max);
        }
    })?;
    let ranges = deviations.into_iter().map(|deviations| {
        let (minima, maxima) = deviations?;
        Some(Observation { min: minima.at(-sigmas)?, max: maxima.at(sigmas)? })
    });
    Ok(ranges.collect())
}

fn precise_means(log: &Log, tensors: usize) -> Result<Vec<Option<(f64, f64)>>> {
    let mut means = vec![(Mean::default(), Mean::default()); tensors];
    visit(log, tensors, 0..tensors, Depth::All, &mut |tensor, min, max| {
        if let Some((minima, maxima)) = means.get_mut(tensor) {
            minima.visit(min);
            maxima.visit(max);
        }
    })?;
    Ok(means.into_iter().map(|(minima, maxima)| minima.value().zip(maxima.value())).collect())
}
