use crossbeam_channel::{Receiver, Sender};
use smallvec::SmallVec;

use crate::error::Error;
use crate::shard::ShardInfo;

use super::observer::Observed;
use super::schedule::Schedule;
use super::slot::{Slot, State};
use super::{Observer, Stop, guarded};

/// The worker's ends.
pub(super) struct Channels {
    /// Records to observe.
    pub read: Receiver<Box<Slot>>,
    /// Observed records.
    pub done: Sender<Box<Slot>>,
}

/// What workers share.
#[derive(Clone, Copy)]
pub(super) struct Shared<'a> {
    pub schedule: &'a Schedule,
    pub shards: &'a [ShardInfo],
    pub stop: &'a Stop<'a>,
    /// Number of workers.
    pub workers: usize,
}

/// Observes records until there are no more, or nobody wants them.
///
/// When a stop is requested, records that still wait are handed on unobserved, so that it takes no
/// longer than the records that are being observed.
pub(super) fn run(mut observer: Box<dyn Observer>, channels: &Channels, shared: Shared<'_>) {
    let total = shared.schedule.records();
    let most = observer.group().max(1);
    let mut group: Vec<Box<Slot>> = Vec::with_capacity(most);
    for slot in &channels.read {
        let left = total.saturating_sub(slot.sequence);
        group.push(slot);
        let size = group_size(most, left, shared.workers);
        group.extend(channels.read.try_iter().take(size - 1));
        if shared.stop.requested() {
            for slot in &mut group {
                slot.state = State::Abandoned;
            }
        } else {
            observe(&mut *observer, &mut group, shared);
        }
        let goes_on = !group.iter().any(|slot| slot.state.is_fatal());
        for slot in group.drain(..) {
            if channels.done.send(slot).is_err() {
                return;
            }
        }
        if !goes_on {
            return;
        }
    }
}

/// How many records to take: whole groups, but towards the end no more than a fair share of what is
/// left, so that workers end together.
fn group_size(most: usize, left: u64, workers: usize) -> usize {
    let share = left.div_ceil(2 * workers.max(1) as u64);
    usize::try_from(share).unwrap_or(most).clamp(1, most)
}

/// Observes a group, and notes in its slots what became of each record.
fn observe(observer: &mut dyn Observer, group: &mut [Box<Slot>], shared: Shared<'_>) {
    let mut records: SmallVec<[Observed<'_>; 16]> = SmallVec::new();
    for slot in group.iter_mut() {
        let Slot { record, observations, .. } = &mut **slot;
        records.push(Observed { record, into: observations, outcome: None });
    }
    let result = guarded("worker", || {
        observer.observe(&mut records);
        Ok(())
    });
    let outcomes: SmallVec<[_; 16]> = records.into_iter().map(|it| it.outcome).collect();
    let mut panic = result.err();
    for (slot, outcome) in group.iter_mut().zip(outcomes) {
        let error = match outcome {
            Some(Ok(())) => {
                slot.state = State::Observed;
                continue;
            }
            Some(Err(error)) => error,
            None => panic
                .take()
                .unwrap_or_else(|| Error::internal("a worker did not observe this record")),
        };
        let shard = shared.schedule.segments.get(slot.segment);
        let shard = shard.and_then(|it| shared.shards.get(it.source));
        let name = shard.map_or("", |it| &it.name);
        slot.state = State::Failed(error.context(slot.place(name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_shrink_towards_the_end() {
        assert_eq!(group_size(8, 1000, 4), 8);
        assert_eq!(group_size(8, 20, 4), 3);
        assert_eq!(group_size(8, 1, 4), 1);
        assert_eq!(group_size(1, 1000, 4), 1);
        assert_eq!(group_size(8, 0, 4), 1);
    }
}
