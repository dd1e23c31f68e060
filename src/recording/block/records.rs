use std::ops::Range;

use super::super::codec::SkippedEntry;

/// Which records a block observed.
#[derive(Clone, Copy, Debug)]
pub struct BlockRecords<'a> {
    /// Position of the shard in the recording.
    pub shard: usize,
    /// Number of the block's first record in the shard, observed or left out.
    pub first_record: u64,
    /// How many it observed.
    pub observed: u64,
    /// How many were observed before it, from the beginning of the recording.
    pub before: u64,
    pub(in crate::recording) skipped: &'a [SkippedEntry],
}

impl BlockRecords<'_> {
    /// Numbers of its records in the shard, observed or left out.
    pub fn records(&self) -> Range<u64> {
        let records = self.observed + self.skipped.len() as u64;
        self.first_record..self.first_record + records
    }

    /// Number in the shard of an observed record, by its position among those of the block.
    pub fn record(&self, row: u64) -> u64 {
        let passed = |record: u64, skipped: &SkippedEntry| {
            if skipped.record <= record { Ok(record + 1) } else { Err(record) }
        };
        let record = self.first_record + row;
        self.skipped.iter().try_fold(record, passed).unwrap_or_else(|record| record)
    }
}
