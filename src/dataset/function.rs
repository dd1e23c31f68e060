//! Records that a function makes.

use super::identity::{hash_records, identify};
use super::{InputSpec, Record, RecordSource, check_buffers};
use crate::error::{Error, Result};
use crate::shard::ShardInfo;

/// A dataset of one shard whose records `read` puts into buffers of the right sizes, for a model with
/// the given inputs; `name` is for messages.
///
/// Records are read in any order, some several times, and must be the same each time: a recording that is
/// continued knows them by a hash of some.
///
/// # Errors
/// As for [`open`](super::open) if the model's inputs cannot be fed, and errors of `read`. For a record that
/// cannot be used it gives one of kind [`Record`](crate::error::ErrorKind::Record).
pub fn from_fn(
    inputs: &[InputSpec],
    name: &str,
    records: u64,
    read: impl FnMut(u64, &mut Record) -> Result<()> + Send + 'static,
) -> Result<Box<dyn RecordSource>> {
    source(inputs, (name, "function"), records, read)
}

/// The same with a shard of a name and a [kind](ShardInfo::kind).
pub(super) fn source(
    inputs: &[InputSpec],
    (name, kind): (&str, &str),
    records: u64,
    mut read: impl FnMut(u64, &mut Record) -> Result<()> + Send + 'static,
) -> Result<Box<dyn RecordSource>> {
    let mut scratch = Record::for_inputs(inputs)?;
    let identity = identify(inputs, records, &mut scratch, &mut read)?;
    let bytes: u64 = scratch.inputs.iter().map(|input| input.len() as u64).sum();
    let shard = ShardInfo {
        name: name.to_owned(),
        kind: kind.to_owned(),
        byte_len: bytes.saturating_mul(records),
        identity,
    };
    Ok(Box::new(FunctionSource { inputs: inputs.to_vec(), shards: [shard], read, scratch }))
}

struct FunctionSource<F> {
    inputs: Vec<InputSpec>,
    shards: [ShardInfo; 1],
    read: F,
    scratch: Record,
}

impl<F: FnMut(u64, &mut Record) -> Result<()> + Send> RecordSource for FunctionSource<F> {
    fn shards(&self) -> &[ShardInfo] {
        &self.shards
    }

    fn read(&mut self, shard: usize, record: u64, into: &mut Record) -> Result<()> {
        let shard = shard_with(&self.shards, shard, record)?;
        check_buffers(&self.inputs, into)?;
        let place = |error: Error| error.context(format!("{}: record {record}", shard.name));
        (self.read)(record, into).map_err(place)?;
        check_buffers(&self.inputs, into).map_err(place)
    }

    fn hash_sample(&mut self, shard: usize, positions: &[u64]) -> Result<[u8; 32]> {
        for &position in positions {
            shard_with(&self.shards, shard, position)?;
        }
        let Self { inputs, read, scratch, .. } = self;
        hash_records(inputs, positions, scratch, read)
    }
}

/// The shard that has a record.
fn shard_with(shards: &[ShardInfo], shard: usize, record: u64) -> Result<&ShardInfo> {
    let shard = shards.get(shard).filter(|it| record < it.identity.records);
    shard.ok_or_else(|| Error::internal(format!("there is no record {record}")))
}
