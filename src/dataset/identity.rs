//! Identity of a shard from a sample of its records.

use super::{InputSpec, Record};
use crate::error::{ErrorKind, Result};
use crate::shard::{ShardIdentity, sample_positions};
use crate::tensor::DType;

/// Hashed instead of a record that cannot be read, so that one bad record among the sampled ones
/// does not make its shard unusable.
const UNUSABLE: &[u8] = b"unusable record";

/// Reads one record, see [`RecordSource::read`](super::RecordSource::read).
pub(super) type ReadRecord<'a> = dyn FnMut(u64, &mut Record) -> Result<()> + 'a;

/// The identity of a shard of `records` records that `read` reads.
pub(super) fn identify(
    inputs: &[InputSpec],
    records: u64,
    scratch: &mut Record,
    read: &mut ReadRecord,
) -> Result<ShardIdentity> {
    let sample = sample_positions(records);
    let hash = hash_records(&sample, scratch, read)?;
    Ok(ShardIdentity { records, inputs: input_types(inputs), sample, hash })
}

/// BLAKE3 over the bytes of every input of the records at `positions`, in order, as they are after
/// decoding: a shard that was rewritten with another byte order or compression stays the same.
pub(super) fn hash_records(
    positions: &[u64],
    scratch: &mut Record,
    read: &mut ReadRecord,
) -> Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    for &position in positions {
        match read(position, scratch) {
            Ok(()) => {
                for input in &scratch.inputs {
                    hasher.update(input.bytes());
                }
            }
            Err(error) if error.kind() == ErrorKind::Record => {
                hasher.update(UNUSABLE);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(hasher.finalize().into())
}

fn input_types(inputs: &[InputSpec]) -> Vec<(DType, Vec<u64>)> {
    let types = inputs.iter().map(|input| &input.tensor_type);
    types.map(|t| (t.dtype, t.shape.iter().map(|&d| d as u64).collect())).collect()
}
