//! Blocks: the observations of many records, turned from one row per record to one column per
//! tensor.
//!
//! A column is all that an estimator needs of a tensor, so a tensor can be read without the others.
//! Each column has its own checksum, which the block's checksum covers: what is read is checked,
//! however little of the block is read.

mod builder;
mod loaded;
mod records;
mod stored;

pub(super) use builder::BlockBuilder;
pub use loaded::Block;
pub(super) use loaded::BlockRecord;
pub use records::BlockRecords;
pub(super) use stored::{ColumnBuffer, StoredBlock};

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
