//! What the frames of a recording say, and how it is encoded: serde and bincode, used only here.
//!
//! Integers have a fixed width and are little-endian; a list is its length as `u64` and then its
//! elements; a string is the list of its UTF-8 bytes; an option is a byte, 0 or 1, and then the
//! value; an enum is the position of its variant as `u32`, and then the variant's fields.

use std::mem::size_of;

use bincode::config::{Configuration, Fixint, Limit, LittleEndian};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Header;
use crate::shard::ShardInfo;
use crate::stats::Accumulator;

/// Longest encoded part of a frame, in bytes. Decoding stops there whatever lengths the bytes
/// claim.
pub(super) const MAX_ENCODED: usize = 256 << 20;

/// The Header frame.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct HeaderFrame {
    pub header: Header,
}

/// The Header frame of a recording with histograms.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CountedHeaderFrame {
    pub header: Header,
    /// The limit of the histograms.
    pub bins: u32,
}

/// A Shard frame: from here on, the records are those of this shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ShardFrame {
    /// Position in the recording's list of shards; the list's length if the shard is new.
    pub shard: u32,
    /// Number of the first record that follows.
    pub first_record: u64,
    pub info: ShardInfo,
    /// The Shard frame before this one.
    pub previous: Option<PreviousSegment>,
}

/// How the segment before a Shard frame ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PreviousSegment {
    /// Offset of its Shard frame.
    pub offset: u64,
    /// Number of the record that would have come next.
    pub next_record: u64,
}

/// The encoded part of a Block frame; the observations follow it as raw numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BlockFrame {
    /// Position in the recording's list of shards.
    pub shard: u32,
    /// Number of the first record.
    pub first_record: u64,
    /// Records observed: all of the block's but the skipped ones.
    pub observed: u32,
    /// Records left out, ascending.
    pub skipped: Vec<SkippedEntry>,
    /// One entry per tensor.
    pub columns: Vec<ColumnEntry>,
}

/// A record that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SkippedEntry {
    /// Its number in the shard.
    pub record: u64,
    pub reason: String,
}

/// Where a tensor's observations are among the raw numbers of a block, and their checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ColumnEntry {
    /// Number of observations.
    pub observations: u32,
    /// Whether the number of observations of each record precedes them; otherwise it is 1 for each.
    pub counted: bool,
    /// CRC-32 of the column's bytes.
    pub checksum: u32,
}

impl ColumnEntry {
    /// Length of the column in bytes, in a block of `observed` records.
    pub fn byte_len(self, observed: u32) -> u64 {
        let counts = if self.counted { u64::from(observed) * size_of::<u32>() as u64 } else { 0 };
        counts + u64::from(self.observations) * 2 * size_of::<f32>() as u64
    }
}

/// The encoded part of a Histogram frame; the counts follow it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HistogramFrame {
    /// Position in the recording's list of shards.
    pub shard: u32,
    /// Number of the first record.
    pub first_record: u64,
    /// Number of the record behind the last one.
    pub next_record: u64,
    /// Those of them that were observed, at least one.
    pub observed: u64,
    /// One entry per tensor.
    pub tensors: Vec<HistogramEntry>,
}

/// The bins of a tensor, and where their counts are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct HistogramEntry {
    /// Bins are `2^exponent` wide.
    pub exponent: i32,
    /// Position of the first bin.
    pub first: i32,
    /// Number of bins.
    pub bins: u32,
    /// Elements that are `-inf`, and `inf`.
    pub below: u64,
    pub above: u64,
    /// Length of the counts in bytes.
    pub byte_len: u32,
    /// CRC-32 of these bytes.
    pub checksum: u32,
}

/// A Commit frame: everything before it is durable.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct CommitFrame {
    /// Offset of the commit before this one.
    pub previous: Option<u64>,
    /// The Shard frame in effect, and where its records go on.
    pub segment: Option<PreviousSegment>,
    /// Length of the list of shards.
    pub shards: u32,
    /// Records observed.
    pub records: u64,
    /// Records left out.
    pub skipped: u64,
    /// Block frames.
    pub blocks: u64,
    pub state: Accumulator,
}

impl CommitFrame {
    /// The commit of a recording without records.
    pub fn first(state: Accumulator) -> Self {
        Self { previous: None, segment: None, shards: 0, records: 0, skipped: 0, blocks: 0, state }
    }
}

type Config = Configuration<LittleEndian, Fixint, Limit<MAX_ENCODED>>;

const CONFIG: Config = bincode::config::standard()
    .with_little_endian()
    .with_fixed_int_encoding()
    .with_limit::<MAX_ENCODED>();

/// Encodes the encoded part of a frame; `None` if it is longer than [`MAX_ENCODED`].
pub(super) fn encode<T: Serialize>(value: &T) -> Option<Vec<u8>> {
    let bytes = bincode::serde::encode_to_vec(value, CONFIG).ok()?;
    (bytes.len() <= MAX_ENCODED).then_some(bytes)
}

/// Decodes the encoded part of a frame, all of it.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    match bincode::serde::decode_from_slice(bytes, CONFIG) {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        Ok((_, used)) => Err(format!("{} bytes too many", bytes.len() - used)),
        Err(error) => Err(error.to_string()),
    }
}
