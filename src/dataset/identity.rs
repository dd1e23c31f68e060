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
    let hash = hash_records(inputs, &sample, scratch, read)?;
    Ok(ShardIdentity { records, inputs: input_types(inputs), sample, hash })
}

/// BLAKE3 over the bytes of every input of the records at `positions`, in order, as they are after
/// decoding: a shard that was rewritten with another byte order or compression stays the same. Of inputs
/// whose shape is open, the dimensions follow, as 64-bit little-endian numbers.
pub(super) fn hash_records(
    inputs: &[InputSpec],
    positions: &[u64],
    scratch: &mut Record,
    read: &mut ReadRecord,
) -> Result<[u8; 32]> {
    let mut hasher = blake3::Hasher::new();
    let open = inputs.iter().map(|input| input.input_type.is_open());
    for &position in positions {
        match read(position, scratch) {
            Ok(()) => {
                for input in &scratch.inputs {
                    hasher.update(input.bytes());
                }
                for (_, shape) in open.clone().zip(&scratch.shapes).filter(|(open, _)| *open) {
                    for &dim in shape {
                        hasher.update(&(dim as u64).to_le_bytes());
                    }
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

/// An open dimension is the largest number, which no dimension can be.
fn input_types(inputs: &[InputSpec]) -> Vec<(DType, Vec<u64>)> {
    let dimension = |dim: &Option<usize>| dim.map_or(u64::MAX, |dim| dim as u64);
    let types = inputs.iter().map(|input| &input.input_type);
    types.map(|t| (t.dtype, t.shape.iter().map(dimension).collect())).collect()
}
