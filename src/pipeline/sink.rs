use crate::error::Result;
use crate::observation::RecordObservations;
use crate::recording::{Commit, RecordedShard, Writer};
use crate::shard::ShardInfo;

/// Where observations go, in record order: a recording, or a stand-in in tests.
pub trait Sink {
    /// What it has already.
    fn shards(&self) -> &[RecordedShard];

    /// Records left out so far, earlier runs included.
    fn skipped(&self) -> u64;

    /// Makes a shard the current one, from one of its records on.
    fn begin_shard(&mut self, info: &ShardInfo, first_record: u64) -> Result<()>;

    /// Makes the known shard at position `shard` the current one; it goes on after its records.
    fn continue_shard(&mut self, shard: usize, info: &ShardInfo) -> Result<()>;

    /// Adds the next record of the current shard.
    fn push(&mut self, observations: &RecordObservations) -> Result<()>;

    /// Notes that the next record of the current shard is left out.
    fn skip(&mut self, reason: &str) -> Result<()>;

    /// Makes everything so far durable.
    fn commit(&mut self) -> Result<Commit>;
}

impl Sink for Writer {
    fn shards(&self) -> &[RecordedShard] {
        self.shards()
    }

    fn skipped(&self) -> u64 {
        self.skipped()
    }

    fn begin_shard(&mut self, info: &ShardInfo, first_record: u64) -> Result<()> {
        self.begin_shard(info, first_record).map(drop)
    }

    fn continue_shard(&mut self, shard: usize, info: &ShardInfo) -> Result<()> {
        self.continue_shard(shard, info)
    }

    fn push(&mut self, observations: &RecordObservations) -> Result<()> {
        self.push(observations)
    }

    fn skip(&mut self, reason: &str) -> Result<()> {
        self.skip(reason)
    }

    fn commit(&mut self) -> Result<Commit> {
        self.commit()
    }
}
