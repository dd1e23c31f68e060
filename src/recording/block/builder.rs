//! Rows of records on their way to the columns of a block.

use std::mem::size_of;

use super::super::codec::{BlockFrame, ColumnEntry, SkippedEntry};
use crate::observation::{Observation, RecordObservations};

/// Records of a block at most, observed or left out.
const MAX_RECORDS: usize = 1 << 14;

/// Bytes of observations and reasons after which a block is written. One record may have more, and
/// then is a block of its own. The writer holds this a few times over while it turns rows into
/// columns, and a block of 100 records already costs little more than its observations.
const MAX_BYTES: usize = 256 << 10;

/// Longest reason for leaving a record out, in bytes.
const MAX_REASON: usize = 1024;

/// Records that are to become a block.
#[derive(Debug, Default)]
pub(in crate::recording) struct BlockBuilder {
    tensors: usize,
    first_record: u64,
    observed: usize,
    /// One row per observed record.
    rows: Vec<Observation>,
    repeated: Vec<Repeated>,
    /// Observations that `repeated` points to.
    pool: Vec<Observation>,
    skipped: Vec<SkippedEntry>,
    reason_bytes: usize,
}

/// A tensor that one record observed zero or several times.
#[derive(Clone, Copy, Debug)]
struct Repeated {
    tensor: u32,
    row: u32,
    start: usize,
    len: u32,
}

impl BlockBuilder {
    pub fn new(tensors: usize) -> Self {
        Self { tensors, ..Self::default() }
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.observed == 0 && self.skipped.is_empty()
    }

    /// Whether it is time to write.
    pub fn is_full(&self) -> bool {
        let observations = self.rows.len() + self.pool.len();
        let bytes = observations * size_of::<Observation>() + self.reason_bytes;
        self.observed + self.skipped.len() >= MAX_RECORDS || bytes >= MAX_BYTES
    }

    /// Says which record comes first.
    pub fn start(&mut self, first_record: u64) {
        self.first_record = first_record;
    }

    /// Adds the next record. It must fit the tensor table.
    pub fn push(&mut self, record: &RecordObservations) {
        self.rows.extend_from_slice(&record.single);
        for (tensor, observations) in &record.repeated {
            let (row, start) = (self.observed as u32, self.pool.len());
            let len = observations.len() as u32;
            self.repeated.push(Repeated { tensor: *tensor, row, start, len });
            self.pool.extend_from_slice(observations);
        }
        self.observed += 1;
    }

    /// Leaves the next record out.
    pub fn skip(&mut self, reason: &str) {
        let record = self.first_record + (self.observed + self.skipped.len()) as u64;
        let mut len = reason.len().min(MAX_REASON);
        while !reason.is_char_boundary(len) {
            len -= 1;
        }
        let reason = reason[..len].to_owned();
        self.reason_bytes += reason.len() + size_of::<SkippedEntry>();
        self.skipped.push(SkippedEntry { record, reason });
    }

    /// The block of `shard` as a frame's parts, leaving this empty.
    pub fn finish(&mut self, shard: u32) -> (BlockFrame, Vec<u8>) {
        self.repeated.sort_by_key(|it| (it.tensor, it.row));
        let mut body = Vec::with_capacity((self.rows.len() + self.pool.len()) * 8);
        let mut columns = Vec::with_capacity(self.tensors);
        let mut repeated = self.repeated.as_slice();
        for tensor in 0..self.tensors {
            let count = repeated.iter().take_while(|it| it.tensor as usize == tensor).count();
            let (ours, rest) = repeated.split_at(count);
            repeated = rest;
            columns.push(self.write_column(tensor, ours, &mut body));
        }
        let frame = BlockFrame {
            shard,
            first_record: self.first_record,
            observed: self.observed as u32,
            skipped: std::mem::take(&mut self.skipped),
            columns,
        };
        self.observed = 0;
        self.reason_bytes = 0;
        self.rows.clear();
        self.repeated.clear();
        // One record with long loops must not hold memory for the rest of the run.
        self.pool.clear();
        self.pool.shrink_to(MAX_BYTES / size_of::<Observation>());
        (frame, body)
    }

    fn write_column(
        &self,
        tensor: usize,
        repeated: &[Repeated],
        body: &mut Vec<u8>,
    ) -> ColumnEntry {
        let start = body.len();
        let rows = self.rows.get(tensor..).unwrap_or_default();
        let single = rows.iter().step_by(self.tensors.max(1));
        let observations = if repeated.is_empty() {
            put(body, self.observed, single);
            self.observed as u32
        } else {
            self.write_counted(single, repeated, body)
        };
        let checksum = crc32fast::hash(&body[start..]);
        ColumnEntry { observations, counted: !repeated.is_empty(), checksum }
    }

    fn write_counted<'a>(
        &self,
        single: impl Iterator<Item = &'a Observation>,
        mut repeated: &[Repeated],
        body: &mut Vec<u8>,
    ) -> u32 {
        let mut all = Vec::new();
        for (row, observation) in (0_u32..).zip(single) {
            let before = all.len();
            match repeated.split_first() {
                Some((first, rest)) if first.row == row => {
                    all.extend_from_slice(&self.pool[first.start..][..first.len as usize]);
                    repeated = rest;
                }
                _ => all.push(*observation),
            }
            body.extend_from_slice(&((all.len() - before) as u32).to_le_bytes());
        }
        put(body, all.len(), all.iter());
        all.len() as u32
    }
}

/// Appends the minima of `count` observations, then their maxima, in one walk: the observations of
/// a column are far apart.
fn put<'a>(body: &mut Vec<u8>, count: usize, observations: impl Iterator<Item = &'a Observation>) {
    let start = body.len();
    body.resize(start + count * size_of::<Observation>(), 0);
    let (minima, maxima) = body[start..].split_at_mut(count * size_of::<f32>());
    let (minima, maxima) = (minima.as_chunks_mut::<4>().0, maxima.as_chunks_mut::<4>().0);
    for ((observation, min), max) in observations.zip(minima).zip(maxima) {
        *min = observation.min.to_le_bytes();
        *max = observation.max.to_le_bytes();
    }
}
