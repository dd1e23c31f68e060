use crossbeam_channel::{Receiver, Sender};

use crate::dataset::RecordSource;
use crate::error::ErrorKind;
use crate::shard::ShardInfo;

use super::schedule::Schedule;
use super::slot::{Slot, State};
use super::{Stop, guarded};

/// The reader's ends.
pub(super) struct Channels {
    /// Slots to fill.
    pub free: Receiver<Box<Slot>>,
    /// Records for the workers.
    pub read: Sender<Box<Slot>>,
    /// Records that could not be read, straight to the aggregator.
    pub done: Sender<Box<Slot>>,
}

/// Reads the scheduled records in order, until they are done, someone asks to stop, or the source
/// fails for good. Inputs that can be left in their files are, if workers read them.
pub(super) fn run(
    mut source: Box<dyn RecordSource>,
    schedule: &Schedule,
    shards: &[ShardInfo],
    channels: &Channels,
    (stop, leave): (&Stop<'_>, bool),
) {
    let places = schedule.segments.iter().enumerate().flat_map(|(segment, it)| {
        it.records.clone().map(move |number| (segment, it.source, number))
    });
    for (sequence, (segment, shard, number)) in (0_u64..).zip(places) {
        // Fails when the aggregator has gone.
        let Ok(mut slot) = channels.free.recv() else { return };
        if stop.requested() {
            return;
        }
        (slot.sequence, slot.segment, slot.number) = (sequence, segment, number);
        let Some(info) = shards.get(shard) else { return };
        let outcome = guarded("reader", || {
            if leave {
                source.locate(shard, number, &mut slot.record)
            } else {
                source.read(shard, number, &mut slot.record)
            }
        });
        let (sent, goes_on) = match outcome {
            Ok(()) => {
                slot.state = State::Read;
                (channels.read.send(slot), true)
            }
            Err(error) => {
                let goes_on = error.kind() == ErrorKind::Record;
                // A source names the record itself; only a panic does not.
                let error = match error.kind() {
                    ErrorKind::Internal => error.context(slot.place(&info.name)),
                    _ => error,
                };
                slot.state = State::Failed(error);
                (channels.done.send(slot), goes_on)
            }
        };
        if sent.is_err() || !goes_on {
            return;
        }
    }
}
