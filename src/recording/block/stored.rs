//! Blocks as they lie in the file: columns are read on demand.

use std::ops::Range;

use super::super::codec::{BlockFrame, ColumnEntry};
use super::super::frame::{Head, Kind, Log};
use super::Column;
use crate::error::Result;

/// Bytes read at once, unless a single column is longer.
const READ_BYTES: u64 = 1 << 20;

/// A block in a recording: what its encoded part says, checked. Columns are read on demand.
#[derive(Clone, Debug)]
pub(in crate::recording) struct StoredBlock {
    head: Head,
    pub frame: BlockFrame,
}

/// Memory for reading columns, reused.
#[derive(Debug, Default)]
pub(in crate::recording) struct ColumnBuffer {
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
}

fn fill<T>(values: &mut Vec<T>, bytes: &[u8], from_le_bytes: impl Fn([u8; 4]) -> T) {
    values.clear();
    values.extend(bytes.as_chunks::<4>().0.iter().map(|&it| from_le_bytes(it)));
}
