//! The recording (`.rmm`): all observations and the state of a run, in one append-only file.
//!
//! A [`Writer`] adds the observations of records, in order, and makes them durable with
//! [`commit`](Writer::commit). After a crash, [`Writer::resume`] goes on after the last commit. A
//! [`Reader`] sees what is committed, also beside a running writer. [`merge`] joins recordings of
//! the same model.
//!
//! The bytes and the argument why nothing is lost are in `docs/recording.md`. The parts:
//!
//! - `storage`, `place`: bytes that can be written, cut and synced; lock, creation and renaming;
//! - `frame`, `codec`: checksummed frames and what they say;
//! - `block`: observations of many records as columns;
//! - `histograms`: elements of many records, if they are counted;
//! - `contents`: the last commit, found from the end of the file;
//! - `walk`: all frames in order, each checked against those before it;
//! - `estimate`: ranges from the blocks;
//! - `overlap`: records that several recordings have.
#![forbid(unsafe_code)]

mod block;
mod codec;
mod contents;
mod estimate;
mod frame;
mod histograms;
mod merge;
mod overlap;
mod place;
mod reader;
mod storage;
#[cfg(test)]
mod tests;
mod walk;
mod writer;

pub use block::{Block, BlockRecords, Column};
pub(crate) use estimate::fitting;
pub use merge::{MergeSummary, OnOverlap, merge, merge_until};
pub use reader::{Blocks, Reader, Summary};
pub use storage::{MemoryStorage, Storage};
pub use writer::{MEMORY_BUDGET, Writer};

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::arithmetic::Arithmetic;
use crate::error::{Error, Result};
use crate::fingerprint::ModelFingerprint;
use crate::histogram::BinLimit;
use crate::shard::ShardInfo;

/// One observed tensor of the model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorEntry {
    /// Position of the subgraph in the model.
    pub subgraph: u32,
    /// Position of the tensor in the subgraph.
    pub index: u32,
    /// Name in the model; may be empty, need not be unique.
    pub name: String,
}

impl std::fmt::Display for TensorEntry {
    /// For instance `conv1/Relu (0:12)`, subgraph and position in brackets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}:{})", self.name, self.subgraph, self.index)
    }
}

/// What a recording is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The model that was run.
    pub model: ModelFingerprint,
    /// The observed tensors. Observations are in this order.
    pub tensors: Vec<TensorEntry>,
    /// How the observations were computed.
    pub arithmetic: Arithmetic,
    /// Name and version of the program that started the recording; for messages only.
    pub tool: String,
    /// Whether elements are counted, and in how many bins at most. Recordings with histograms have another
    /// format version, whose header says it.
    #[serde(skip)]
    pub histograms: Option<BinLimit>,
}

impl Header {
    /// Checks that observations under the other header can be added to those under this one.
    fn check_same(&self, other: &Self) -> Result<()> {
        if self.model != other.model {
            return Err(Error::recording(format!(
                "made with another model: {} of {} bytes, not {} of {} bytes",
                self.model, self.model.byte_len, other.model, other.model.byte_len
            ))
            .with_hint(
                "give the model file that was recorded, byte for byte, or another recording",
            ));
        }
        if self.arithmetic != other.arithmetic {
            let (recorded, asked) = (self.arithmetic, other.arithmetic);
            if recorded == Arithmetic::Device || asked == Arithmetic::Device {
                return Err(Error::recording(
                    "what a device observed and what this program observed are not mixed",
                )
                .with_hint("give another recording"));
            }
            return Err(Error::recording(format!(
                "made with --arithmetic {recorded}, not {asked}: observations would differ in their \
                 last bits"
            ))
            .with_hint(format!("use --arithmetic {recorded}, or another recording")));
        }
        if self.histograms != other.histograms {
            let words = |it: Option<BinLimit>| match it {
                Some(limit) => format!("with --histogram={limit}"),
                None => "without --histogram".to_owned(),
            };
            let (recorded, asked) = (words(self.histograms), words(other.histograms));
            return Err(Error::recording(format!(
                "made {recorded}, not {asked}: elements that were not counted cannot be added later"
            ))
            .with_hint(format!("go on {recorded}, or use another recording")));
        }
        let difference = if self.tensors.len() == other.tensors.len() {
            let mut pairs = self.tensors.iter().zip(&other.tensors).enumerate();
            pairs
                .find(|(_, (a, b))| a != b)
                .map(|(i, (a, b))| format!("tensor {i} is {a}, not {b}"))
        } else {
            Some(format!("{} tensors, not {}", self.tensors.len(), other.tensors.len()))
        };
        let Some(difference) = difference else { return Ok(()) };
        Err(Error::recording(format!("observed other tensors of the same model: {difference}"))
            .with_hint(format!("it was made by {}; go on with the same version", self.tool)))
    }
}

/// A shard and how much of it is recorded.
///
/// One shard may be there several times with different records: a recording of a part of a dataset
/// need not begin with a shard's first record, and parts are merged in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedShard {
    /// The shard as it was when it was last recorded.
    pub info: ShardInfo,
    /// Records observed or left out so far.
    pub records: Range<u64>,
}

impl RecordedShard {
    /// Number of records observed or left out.
    pub fn done(&self) -> u64 {
        self.records.end.saturating_sub(self.records.start)
    }
}

/// A record that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRecord {
    /// Position of its shard in the recording.
    pub shard: usize,
    /// Its number in the shard.
    pub record: u64,
    /// Why.
    pub reason: String,
}

/// What a commit made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Records observed, from the beginning of the recording.
    pub records: u64,
    /// Length of the recording in bytes.
    pub byte_len: u64,
}
