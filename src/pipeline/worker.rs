use crossbeam_channel::{Receiver, Sender};

use crate::error::ErrorKind;
use crate::shard::ShardInfo;

use super::schedule::Schedule;
use super::slot::{Slot, State};
use super::{Observer, Stop, guarded};

/// Observes records until there are no more, or nobody wants them.
///
/// When a stop is requested, records that still wait are handed on unobserved, so that it takes no
/// longer than the records that are being observed.
pub(super) fn run(
    mut observer: Box<dyn Observer>,
    read: &Receiver<Box<Slot>>,
    done: &Sender<Box<Slot>>,
    schedule: &Schedule,
    shards: &[ShardInfo],
    stop: &Stop<'_>,
) {
    for mut slot in read {
        slot.state = if stop.requested() {
            State::Abandoned
        } else {
            let Slot { segment, record, observations, .. } = &mut *slot;
            let Some(info) = schedule.segments.get(*segment).and_then(|it| shards.get(it.source))
            else {
                return;
            };
            match guarded("worker", || observer.observe(record, observations)) {
                Ok(()) => State::Observed,
                Err(error) => State::Failed(error.context(slot.place(&info.name))),
            }
        };
        let goes_on = !matches!(&slot.state, State::Failed(e) if e.kind() != ErrorKind::Record);
        if done.send(slot).is_err() || !goes_on {
            return;
        }
    }
}
