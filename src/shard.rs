//! What identifies a shard of a dataset, wherever its file lies.
//!
//! Identity does not depend on the path: it is the number of records, the types and shapes of the
//! inputs, and a hash over a fixed sample of records. The sample's positions are part of the
//! identity, so that a shard that has grown is recognised by its old part: hashing the same
//! positions of the longer file gives the same hash. A sampled record that cannot be read is hashed as a
//! fixed marker, so that a damaged record does not keep the shard from being opened.
#![forbid(unsafe_code)]

use serde::{Deserialize, Serialize};

use crate::tensor::DType;

/// How many records are sampled at most.
pub const SAMPLE_SIZE: u64 = 8;

/// Identity of one shard's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardIdentity {
    /// Number of records.
    pub records: u64,
    /// Element type and shape of each input, in the model's order.
    pub inputs: Vec<(DType, Vec<u64>)>,
    /// Positions of the sampled records, ascending; see [`sample_positions`].
    pub sample: Vec<u64>,
    /// BLAKE3 over the sampled records' input bytes (little-endian), in order.
    pub hash: [u8; 32],
}

/// A shard as the recording remembers it: its identity, and what to call it in messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardInfo {
    /// File name, for messages only.
    pub name: String,
    /// Kind of source: `h5`, `h5-raw`, `h5-packed`, `h5-packed-raw`, `npy`, `npz`, `safetensors`, `list`,
    /// `directory`, `text`, `onert-h5`, `onert-raw`, `random`, `function`.
    pub kind: String,
    /// Length of the file in bytes, for messages only.
    pub byte_len: u64,
    /// What is compared.
    pub identity: ShardIdentity,
}

/// The records that are hashed for a shard of `records` records: first, last and evenly spaced ones,
/// at most [`SAMPLE_SIZE`].
pub fn sample_positions(records: u64) -> Vec<u64> {
    if records <= SAMPLE_SIZE {
        return (0..records).collect();
    }
    let last = u128::from(records - 1);
    let steps = u128::from(SAMPLE_SIZE - 1);
    (0..=steps).map(|i| (i * last / steps) as u64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sample_has_both_ends_and_no_doubles() {
        for records in [0, 1, 2, 7, 8, 9, 10, 1000, u64::MAX] {
            let sample = sample_positions(records);
            assert_eq!(sample.len() as u64, records.min(SAMPLE_SIZE));
            assert!(sample.windows(2).all(|w| w[0] < w[1]));
            if records > 0 {
                assert_eq!(sample[0], 0);
                assert_eq!(*sample.last().unwrap(), records - 1);
            }
        }
    }
}
