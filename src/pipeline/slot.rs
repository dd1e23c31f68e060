use crate::dataset::Record;
use crate::error::{Error, ErrorKind};
use crate::observation::RecordObservations;

/// The buffers of one record in flight, and how far it has come. Slots are used again and again.
pub(super) struct Slot {
    /// Position in the run, from 0.
    pub sequence: u64,
    /// Which of the schedule's segments it belongs to.
    pub segment: usize,
    /// Its number in the shard.
    pub number: u64,
    pub record: Record,
    pub observations: RecordObservations,
    pub state: State,
}

/// What became of a record.
pub(super) enum State {
    /// It was read.
    Read,
    /// It was observed.
    Observed,
    /// Reading or observing it failed.
    Failed(Error),
    /// Nobody looked at it, since the run was cancelled.
    Abandoned,
}

impl State {
    /// Whether the run cannot go on after this.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Failed(error) if error.kind() != ErrorKind::Record)
    }
}

impl Slot {
    pub fn new(record: Record) -> Self {
        Self {
            sequence: 0,
            segment: 0,
            number: 0,
            record,
            observations: RecordObservations::default(),
            state: State::Abandoned,
        }
    }

    /// Where the record is from, for messages.
    pub fn place(&self, shard: &str) -> String {
        format!("{shard}, record {}", self.number)
    }
}
