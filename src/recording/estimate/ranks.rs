//! Percentiles and trimmed means: as many tensors at a time as fit into memory, or one in constant memory.

use super::super::frame::Log;
use super::super::walk::{Depth, Walk};
use super::{fitting, visit};
use crate::error::Result;
use crate::observation::Observation;
use crate::stats::Ranked;

pub(super) struct Ranks<'a> {
    pub log: &'a Log,
    /// What of the minima becomes the range's minimum.
    pub min: Ranked,
    /// What of the maxima becomes its maximum.
    pub max: Ranked,
    /// About how many bytes of observations are held.
    pub memory_budget: usize,
}

impl Ranks<'_> {
    /// The ranges; `None` for a tensor that was never observed.
    pub fn ranges(&self, tensors: usize) -> Result<Vec<Option<Observation>>> {
        let counts = self.count(tensors)?;
        let mut ranges = Vec::with_capacity(tensors);
        let mut rest = counts.as_slice();
        while let Some(&count) = rest.first() {
            let start = ranges.len();
            let group = fitting(rest, self.memory_budget);
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
        let range = start..start + counts.len();
        visit(self.log, tensors, range, Depth::Blocks, &mut |tensor, min, max| {
            if let (Some(minima), Some(maxima)) =
                (minima.get_mut(tensor - start), maxima.get_mut(tensor - start))
            {
                minima.extend_from_slice(min);
                maxima.extend_from_slice(max);
            }
        })?;
        let columns = minima.iter_mut().zip(&mut maxima);
        let ranges = columns.map(|(minima, maxima)| {
            Some(Observation { min: self.min.of(minima)?, max: self.max.of(maxima)? })
        });
        Ok(ranges.collect())
    }

    /// Selects from a tensor with too many observations for the memory, by reading them several times.
    fn select_streaming(
        &self,
        tensor: usize,
        count: u64,
        tensors: usize,
    ) -> Result<Option<Observation>> {
        let (Some(mut minima), Some(mut maxima)) = (self.min.stream(count), self.max.stream(count))
        else {
            return Ok(None);
        };
        let changed = || self.log.damaged(self.log.end(), "the file changed while it was read");
        for pass in 0..self.min.passes() {
            if pass > 0 {
                minima.next_pass().and_then(|()| maxima.next_pass()).ok_or_else(changed)?;
            }
            visit(self.log, tensors, tensor..tensor + 1, Depth::Blocks, &mut |_, min, max| {
                minima.visit(min);
                maxima.visit(max);
            })?;
        }
        let (min, max) = minima.finish().zip(maxima.finish()).ok_or_else(changed)?;
        Ok(Some(Observation { min, max }))
    }
}
