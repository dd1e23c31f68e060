use crate::error::Error;
use crate::recording::Commit;
use crate::shard::ShardInfo;

use super::schedule::Schedule;

/// What happens during a run, in the order it happens, for those who show it.
///
/// Events are given by the aggregator: whoever takes them must be quick.
#[derive(Debug)]
pub enum Event<'a> {
    /// It is known what is to be done. The first event.
    Scheduled(&'a Schedule),
    /// The first record of a shard's segment is there.
    ShardStarted {
        /// The shard.
        shard: &'a ShardInfo,
        /// Its position in the dataset, from 0.
        index: usize,
        /// Number of shards in the dataset.
        of: usize,
    },
    /// A record was added to the recording.
    Recorded,
    /// A record was unusable and left out.
    Skipped {
        /// The shard it belongs to.
        shard: &'a ShardInfo,
        /// Its number in the shard.
        record: u64,
        /// Why; the message names shard and record.
        reason: &'a Error,
    },
    /// Everything so far is durable.
    Committed(Commit),
}
