//! Blocks in memory: the records again, row by row.

use std::ops::Range;

use super::super::SkippedRecord;
use super::super::codec::SkippedEntry;
use super::super::frame::Log;
use super::{Column, ColumnBuffer, StoredBlock};
use crate::error::Result;
use crate::observation::{Observation, RecordObservations};

/// Observations of consecutive records of one shard.
#[derive(Clone, Debug)]
pub struct Block {
    shard: usize,
    first_record: u64,
    observed: usize,
    skipped: Vec<SkippedRecord>,
    columns: Vec<OwnedColumn>,
}

#[derive(Clone, Debug)]
struct OwnedColumn {
    counts: Vec<u32>,
    min: Vec<f32>,
    max: Vec<f32>,
}

/// A record of a block.
pub(in crate::recording) enum BlockRecord<'a> {
    Observed(&'a RecordObservations),
    Skipped(&'a str),
}

impl Block {
    /// Position of the shard in the recording.
    pub fn shard(&self) -> usize {
        self.shard
    }

    /// Numbers of its records in the shard, observed or left out.
    pub fn records(&self) -> Range<u64> {
        self.first_record..self.first_record + (self.observed + self.skipped.len()) as u64
    }

    /// Number of records observed.
    pub fn observed(&self) -> usize {
        self.observed
    }

    /// Records that were left out, ascending.
    pub fn skipped(&self) -> &[SkippedRecord] {
        &self.skipped
    }

    /// The observations of a tensor of the tensor table; `None` beyond its end.
    pub fn column(&self, tensor: usize) -> Option<Column<'_>> {
        let OwnedColumn { counts, min, max } = self.columns.get(tensor)?;
        Some(Column { counts, min, max })
    }

    /// Shows the observed records in order: (number in the shard, observations).
    ///
    /// # Errors
    /// Those of `visit`.
    pub fn for_each_observed(
        &self,
        visit: &mut dyn FnMut(u64, &RecordObservations) -> Result<()>,
    ) -> Result<()> {
        let mut number = self.first_record;
        self.for_each_record(&mut |record| {
            let this = number;
            number += 1;
            match record {
                BlockRecord::Observed(observations) => visit(this, observations),
                BlockRecord::Skipped(_) => Ok(()),
            }
        })
    }

    /// Shows the records in order, as they were pushed.
    pub(in crate::recording) fn for_each_record(
        &self,
        visit: &mut dyn FnMut(BlockRecord<'_>) -> Result<()>,
    ) -> Result<()> {
        let mut record = RecordObservations::default();
        let mut starts = vec![0; self.columns.len()];
        let mut skipped = self.skipped.iter().peekable();
        let mut row = 0;
        for number in self.records() {
            if let Some(skipped) = skipped.next_if(|it| it.record == number) {
                visit(BlockRecord::Skipped(&skipped.reason))?;
                continue;
            }
            self.fill_record(row, &mut starts, &mut record);
            visit(BlockRecord::Observed(&record))?;
            row += 1;
        }
        Ok(())
    }

    /// Rebuilds the record in `row`; `starts` is where each column's next observations are.
    fn fill_record(&self, row: usize, starts: &mut [usize], record: &mut RecordObservations) {
        record.single.clear();
        record.repeated.clear();
        for ((tensor, column), start) in (0_u32..).zip(&self.columns).zip(starts) {
            let count = column.counts.get(row).map_or(1, |&count| count as usize);
            let place = *start..*start + count;
            *start += count;
            let min = column.min.get(place.clone()).unwrap_or_default();
            let max = column.max.get(place).unwrap_or_default();
            let mut all = min.iter().zip(max).map(|(&min, &max)| Observation { min, max });
            if count == 1 {
                record.single.push(all.next().unwrap_or(Observation::EMPTY));
            } else {
                record.single.push(Observation::EMPTY);
                record.repeated.push((tensor, all.collect()));
            }
        }
    }
}

impl StoredBlock {
    /// Reads all columns.
    pub fn load(self, log: &Log) -> Result<Block> {
        let mut block = Block {
            shard: self.frame.shard as usize,
            first_record: self.frame.first_record,
            observed: self.frame.observed as usize,
            skipped: Vec::new(),
            columns: Vec::with_capacity(self.frame.columns.len()),
        };
        self.columns(
            log,
            0..self.frame.columns.len(),
            &mut ColumnBuffer::default(),
            &mut |_, it| {
                block.columns.push(OwnedColumn {
                    counts: it.counts.to_vec(),
                    min: it.min.to_vec(),
                    max: it.max.to_vec(),
                });
                Ok(())
            },
        )?;
        let shard = block.shard;
        let skipped = self.frame.skipped.into_iter();
        block.skipped = skipped
            .map(|SkippedEntry { record, reason }| SkippedRecord { shard, record, reason })
            .collect();
        Ok(block)
    }
}
