//! Records of one packed dataset, read ahead in blocks.

use std::ops::Range;
use std::path::Path;

use hdf5::dataset::Layout;
use hdf5::{Dataset, Hyperslab, Selection, SliceOrIndex};

use super::direct::Direct;
use super::element::{Element, Elements};
use super::failure::reason;
use crate::dataset::unread::Unread;

/// Bytes of a block, shared among the inputs: enough that the cost of a call does not matter, and
/// few enough to be still in the processor's cache when a record is copied out.
pub(super) const BLOCK_BYTES: usize = 1 << 19;

/// Bytes up to which a block is made larger, to hold a row of chunks: the records that come with
/// the same chunks. Of longer rows, chunks are decompressed for every block that they reach into.
const ROW_BYTES: usize = 1 << 26;

/// Chunks that a block touches at most, unless it is a single row of them: the library keeps some
/// hundred bytes for each while it reads.
const BLOCK_CHUNKS: usize = 1024;

/// The records of one input, with the block of them that was read last.
pub(super) struct Staging {
    dataset: Dataset,
    element: Element,
    /// Shape of the dataset: the number of records, then the shape of each.
    shape: Vec<usize>,
    plan: BlockPlan,
    /// Records of the next block, unless another one than the next record is asked for.
    window: usize,
    /// The records that are held, and their elements.
    block: Option<(Range<usize>, Elements)>,
    /// What reads instead of the library, if it can.
    direct: Option<Direct>,
}

impl Staging {
    /// Stages a dataset of a shape that was checked, in the file at `path`; a block takes `block_bytes` or
    /// a record.
    pub fn new(
        path: &Path,
        dataset: Dataset,
        element: Element,
        shape: Vec<usize>,
        block_bytes: usize,
    ) -> Self {
        let direct = Direct::of(path, &dataset, element, &shape);
        // Other layouts have chunks too, but not of the dataset's shape.
        let chunk = if dataset.layout() == Layout::Chunked { dataset.chunk() } else { None };
        let plan = BlockPlan::new(&shape, element.byte_len(), chunk.as_deref(), block_bytes);
        Self { dataset, element, shape, window: plan.row, plan, block: None, direct }
    }

    /// Where a record is that is large and lies in the file as in memory.
    pub fn locate(&self, record: usize) -> Option<Unread> {
        let direct = self.direct.as_ref().filter(|it| it.is_of_large_records())?;
        Some(direct.locate(record))
    }

    /// Copies a record to `into`, which has its size.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn read(&mut self, record: usize, into: &mut [u8]) -> Result<(), String> {
        if let Some(direct) = self.direct.as_ref().filter(|it| it.is_of_large_records()) {
            return direct.read(record, into);
        }
        let (records, elements) = match self.block.take() {
            Some((records, elements)) if records.contains(&record) => (records, elements),
            previous => self.read_block(record, previous)?,
        };
        let at = record.saturating_sub(records.start).saturating_mul(into.len());
        let held = elements.bytes().get(at..).and_then(|rest| rest.get(..into.len()));
        let Some(held) = held else {
            return Err("cannot be read: the dataset is shorter than its header says".to_owned());
        };
        into.copy_from_slice(held);
        self.block = Some((records, elements));
        Ok(())
    }

    /// Reads a block that holds `record`. Blocks grow as long as one follows the other: identities
    /// are made of a few records far apart, for which no more is read than needed.
    fn read_block(
        &mut self,
        record: usize,
        previous: Option<(Range<usize>, Elements)>,
    ) -> Result<(Range<usize>, Elements), String> {
        let (held, used) = previous.unzip();
        self.window = if held.is_some_and(|held| held.end == record) {
            self.window.saturating_mul(2).min(self.plan.most)
        } else {
            self.plan.row
        };
        let block = self.read_records(self.records_around(record), used);
        // The fault may be in a record further on.
        if block.is_err() && self.window > self.plan.row {
            self.window = self.plan.row;
            return self.read_records(self.records_around(record), None);
        }
        block
    }

    /// The records of a block that begins with the row of `record`.
    fn records_around(&self, record: usize) -> Range<usize> {
        let records = self.shape.first().copied().unwrap_or(0);
        let first = record - record % self.plan.row;
        first..first.saturating_add(self.window).min(records)
    }

    /// Reads a block; `used` are the elements of another one that is not needed any more.
    fn read_records(
        &self,
        records: Range<usize>,
        used: Option<Elements>,
    ) -> Result<(Range<usize>, Elements), String> {
        if let Some(direct) = &self.direct {
            // Memory that is used again need not be mapped again.
            let mut bytes = match used {
                Some(Elements::U8(bytes)) => bytes,
                _ => Vec::new(),
            };
            bytes.resize(records.len() * direct.record_len(), 0);
            direct.read(records.start, &mut bytes)?;
            return Ok((records, Elements::U8(bytes)));
        }
        // What was held is freed before more is read.
        drop(used);
        let part = select_records(records.clone(), self.shape.len());
        let elements = self.element.read_part(&self.dataset, part);
        let elements = elements.map_err(|e| format!("cannot be read: {}", reason(&e)))?;
        Ok((records, elements))
    }
}

/// Records of a packed dataset with `dims` dimensions.
pub(super) fn select_records(records: Range<usize>, dims: usize) -> Selection {
    let mut part: Vec<SliceOrIndex> = vec![records.into()];
    part.resize(dims, (..).into());
    Hyperslab::from(part).into()
}

/// How many records are read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockPlan {
    /// Records that are never read apart: those of a row of chunks, or one. At least 1.
    pub row: usize,
    /// Records of the largest block: a multiple of `row`.
    pub most: usize,
}

impl BlockPlan {
    pub fn new(
        shape: &[usize],
        element_bytes: usize,
        chunk: Option<&[usize]>,
        block_bytes: usize,
    ) -> Self {
        let of_record = shape.get(1..).unwrap_or_default();
        let bytes = of_record.iter().fold(element_bytes, |n, &dim| n.saturating_mul(dim)).max(1);
        let Some((chunk_records, chunk_dims)) = chunk.and_then(<[usize]>::split_first) else {
            return Self { row: 1, most: (block_bytes / bytes).max(1) };
        };
        let row = (*chunk_records).min(ROW_BYTES / bytes).max(1);
        let chunks =
            of_record.iter().zip(chunk_dims).map(|(&dim, &chunk)| dim.div_ceil(chunk.max(1)));
        let chunks = chunks.fold(1_usize, usize::saturating_mul).max(1);
        let rows = (block_bytes / bytes / row).min(BLOCK_CHUNKS / chunks).max(1);
        Self { row, most: rows.saturating_mul(row) }
    }
}
