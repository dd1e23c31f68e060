//! Blocks: the observations of many records, turned from one row per record to one column per
//! tensor.
//!
//! A column is all that an estimator needs of a tensor, so a tensor can be read without the others.
//! Each column has its own checksum, which the block's checksum covers: what is read is checked,
//! however little of the block is read.

use std::mem::size_of;
use std::ops::Range;

use super::SkippedRecord;
use super::codec::{BlockFrame, ColumnEntry, SkippedEntry};
use super::frame::{Head, Kind, Log};
use crate::error::Result;
use crate::observation::{Observation, RecordObservations};

/// Records of a block at most, observed or left out.
const MAX_RECORDS: usize = 1 << 14;

/// Bytes of observations and reasons after which a block is written. One record may have more, and
/// then is a block of its own. The writer holds this a few times over while it turns rows into
/// columns, and a block of 100 records already costs little more than its observations.
const MAX_BYTES: usize = 256 << 10;

/// Longest reason for leaving a record out, in bytes.
const MAX_REASON: usize = 1024;

/// Bytes read at once, unless a single column is longer.
const READ_BYTES: u64 = 1 << 20;

/// Records that are to become a block.
#[derive(Debug, Default)]
pub(super) struct BlockBuilder {
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

/// A tensor's observations in one block, in order.
#[derive(Clone, Copy, Debug)]
pub struct Column<'a> {
    /// Observations of each record; empty if it is one for each.
    pub counts: &'a [u32],
    /// Minima of all observations.
    pub min: &'a [f32],
    /// Maxima of all observations.
    pub max: &'a [f32],
}

/// A block in a recording: what its encoded part says, checked. Columns are read on demand.
#[derive(Clone, Debug)]
pub(super) struct StoredBlock {
    head: Head,
    pub frame: BlockFrame,
}

/// Memory for reading columns, reused.
#[derive(Debug, Default)]
pub(super) struct ColumnBuffer {
    bytes: Vec<u8>,
    counts: Vec<u32>,
    min: Vec<f32>,
    max: Vec<f32>,
}

impl StoredBlock {
    /// Reads the encoded part and checks that it makes sense for `tensors` tensors.
    pub fn read(log: &Log, head: Head, tensors: usize) -> Result<Self> {
        let frame: BlockFrame = log.decode(&head, Kind::Block)?;
        let block = Self { head, frame };
        match block.problem(tensors) {
            None => Ok(block),
            Some(problem) => Err(log.damaged(head.offset, format!("the block: {problem}"))),
        }
    }

    fn problem(&self, tensors: usize) -> Option<&'static str> {
        let BlockFrame { first_record, observed, skipped, columns, .. } = &self.frame;
        let records = u64::from(*observed) + skipped.len() as u64;
        let Some(next) = first_record.checked_add(records) else { return Some("records overflow") };
        if records == 0 {
            return Some("no records");
        }
        let inside = skipped.iter().all(|it| (*first_record..next).contains(&it.record));
        if !inside || !skipped.is_sorted_by(|a, b| a.record < b.record) {
            return Some("records that were left out are not its own");
        }
        if columns.len() != tensors {
            return Some("wrong number of tensors");
        }
        if columns.iter().any(|it| !it.counted && it.observations != *observed) {
            return Some("wrong number of observations");
        }
        let mut lens = columns.iter().map(|it| it.byte_len(*observed));
        let body_len = lens.try_fold(0_u64, u64::checked_add);
        (body_len != Some(self.head.body_len)).then_some("columns do not fill it")
    }

    /// Records, observed or left out.
    pub fn records(&self) -> u64 {
        u64::from(self.frame.observed) + self.frame.skipped.len() as u64
    }

    /// Offset of its frame.
    pub fn offset(&self) -> u64 {
        self.head.offset
    }

    /// Reads the columns of some tensors and shows them in order. A range beyond the tensor table
    /// has no columns.
    pub fn columns(
        &self,
        log: &Log,
        tensors: Range<usize>,
        buffer: &mut ColumnBuffer,
        visit: &mut dyn FnMut(usize, Column<'_>) -> Result<()>,
    ) -> Result<()> {
        let observed = self.frame.observed;
        let before = self.frame.columns.get(..tensors.start).unwrap_or_default();
        let mut offset =
            self.head.body() + before.iter().map(|it| it.byte_len(observed)).sum::<u64>();
        let mut columns = self.frame.columns.get(tensors.clone()).unwrap_or_default();
        let mut tensor = tensors.start;
        while let Some((first, _)) = columns.split_first() {
            let mut run = (first.byte_len(observed), 1);
            for column in &columns[1..] {
                let longer = run.0 + column.byte_len(observed);
                if longer > READ_BYTES {
                    break;
                }
                run = (longer, run.1 + 1);
            }
            let (now, later) = columns.split_at(run.1);
            let mut bytes = std::mem::take(&mut buffer.bytes);
            bytes.resize(run.0 as usize, 0);
            log.read(&mut bytes, offset)?;
            let mut rest = bytes.as_slice();
            for column in now {
                let (own, others) = rest.split_at(column.byte_len(observed) as usize);
                let place = offset + (bytes.len() - rest.len()) as u64;
                let column = self.decode_column(log, place, *column, own, buffer)?;
                visit(tensor, column)?;
                rest = others;
                tensor += 1;
            }
            buffer.bytes = bytes;
            offset += run.0;
            columns = later;
        }
        Ok(())
    }

    fn decode_column<'a>(
        &self,
        log: &Log,
        offset: u64,
        entry: ColumnEntry,
        bytes: &[u8],
        buffer: &'a mut ColumnBuffer,
    ) -> Result<Column<'a>> {
        if crc32fast::hash(bytes) != entry.checksum {
            return Err(log.damaged(offset, "wrong checksum of a tensor's observations"));
        }
        let counts_len = if entry.counted { self.frame.observed as usize * 4 } else { 0 };
        let (counts, values) = bytes.split_at(counts_len);
        let (min, max) = values.split_at(values.len() / 2);
        fill(&mut buffer.counts, counts, u32::from_le_bytes);
        fill(&mut buffer.min, min, f32::from_le_bytes);
        fill(&mut buffer.max, max, f32::from_le_bytes);
        let counted = buffer.counts.iter().map(|&it| u64::from(it)).sum::<u64>();
        if entry.counted && counted != u64::from(entry.observations) {
            return Err(log.damaged(offset, "a tensor's observations are miscounted"));
        }
        if !buffer.min.iter().zip(&buffer.max).all(|(min, max)| min <= max) {
            return Err(log.damaged(offset, "an observation is not a range"));
        }
        Ok(Column { counts: &buffer.counts, min: &buffer.min, max: &buffer.max })
    }

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

fn fill<T>(values: &mut Vec<T>, bytes: &[u8], from_le_bytes: impl Fn([u8; 4]) -> T) {
    values.clear();
    values.extend(bytes.as_chunks::<4>().0.iter().map(|&it| from_le_bytes(it)));
}

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
pub(super) enum BlockRecord<'a> {
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
    pub(super) fn for_each_record(
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
