use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};

use crate::error::{Error, ErrorKind, Result};
use crate::shard::ShardInfo;

use super::event::Event;
use super::reorder::Reorder;
use super::schedule::Schedule;
use super::sink::Sink;
use super::slot::{Slot, State};
use super::{BadRecord, Cancel, Options, Outcome};

/// Longest time between commits; far from what an [`Instant`] cannot hold.
const MAX_INTERVAL: Duration = Duration::from_secs(365 * 24 * 3600);

/// What can be done about one unusable record, when nothing better is known.
const SKIP_HINT: &str = "mend it, or leave such records out with --on-bad-record skip";

/// The last stage, on the calling thread: sees records in sequence and owns the sink.
pub(super) struct Aggregator<'a> {
    schedule: &'a Schedule,
    shards: &'a [ShardInfo],
    sink: &'a mut dyn Sink,
    options: Options,
    events: &'a mut dyn FnMut(Event<'_>),
    reorder: Reorder<Box<Slot>>,
    /// The segment whose shard is the sink's current one.
    segment: Option<usize>,
    outcome: Outcome,
    /// When what is pending must be committed; `None` when everything is durable.
    due: Option<Instant>,
}

/// Why no more slots are taken.
enum End {
    /// No more come.
    Drained,
    /// A record was abandoned, and so are those after it.
    Abandoned,
    /// A record failed.
    Failed(Error),
}

impl<'a> Aggregator<'a> {
    pub fn new(
        schedule: &'a Schedule,
        shards: &'a [ShardInfo],
        sink: &'a mut dyn Sink,
        options: Options,
        events: &'a mut dyn FnMut(Event<'_>),
        slots: usize,
    ) -> Self {
        Self {
            schedule,
            shards,
            sink,
            options,
            events,
            reorder: Reorder::new(slots),
            segment: None,
            outcome: Outcome::default(),
            due: None,
        }
    }

    /// Takes slots until all records are done, a record ends the run, or no more come.
    ///
    /// Both channel ends are dropped at the end, which ends the other threads.
    pub fn run(
        mut self,
        done: Receiver<Box<Slot>>,
        free: Sender<Box<Slot>>,
        cancel: &Cancel,
    ) -> Result<Outcome> {
        // If the sink failed, it is left alone: its last commit is what counts.
        let end = self.take_all(&done, &free)?;
        drop((done, free));
        self.commit()?;
        if let End::Failed(error) = end {
            return Err(error);
        }
        self.outcome.interrupted =
            self.outcome.recorded + self.outcome.skipped < self.schedule.records();
        if self.outcome.interrupted && !cancel.is_requested() {
            return Err(Error::internal("the run ended before its last record"));
        }
        Ok(self.outcome)
    }

    /// Takes slots as they come; an error is the sink's.
    fn take_all(&mut self, done: &Receiver<Box<Slot>>, free: &Sender<Box<Slot>>) -> Result<End> {
        while let Some(slot) = self.receive(done)? {
            if self.reorder.insert(slot.sequence, slot).is_err() {
                return Ok(End::Failed(Error::internal("a record came out of sequence")));
            }
            while let Some(mut slot) = self.reorder.pop() {
                if let Some(end) = self.take(&mut slot)? {
                    return Ok(end);
                }
                // Fails when the reader has read everything.
                let _ = free.send(slot);
                if self.due.is_some_and(|due| Instant::now() >= due) {
                    self.commit()?;
                }
            }
        }
        Ok(End::Drained)
    }

    /// The next slot to arrive, `None` when all other threads have ended. Commits while it waits.
    fn receive(&mut self, done: &Receiver<Box<Slot>>) -> Result<Option<Box<Slot>>> {
        while let Some(due) = self.due {
            match done.recv_deadline(due) {
                Ok(slot) => return Ok(Some(slot)),
                Err(RecvTimeoutError::Disconnected) => return Ok(None),
                Err(RecvTimeoutError::Timeout) => self.commit()?,
            }
        }
        Ok(done.recv().ok())
    }

    /// Gives one record, the next in sequence, to the sink.
    fn take(&mut self, slot: &mut Slot) -> Result<Option<End>> {
        match std::mem::replace(&mut slot.state, State::Abandoned) {
            State::Observed => {
                self.enter(slot.segment)?;
                self.sink.push(&slot.observations)?;
                self.outcome.recorded += 1;
                (self.events)(Event::Recorded);
            }
            State::Failed(reason)
                if reason.kind() == ErrorKind::Record
                    && self.options.on_bad_record == BadRecord::Skip =>
            {
                if self.sink.skipped() >= self.options.max_bad_records {
                    return Ok(Some(End::Failed(self.too_many(reason))));
                }
                let shard = self.enter(slot.segment)?;
                self.sink.skip(&reason.to_string())?;
                self.outcome.skipped += 1;
                (self.events)(Event::Skipped { shard, record: slot.number, reason: &reason });
            }
            State::Failed(error) => {
                let error = match (error.kind(), error.hint()) {
                    (ErrorKind::Record, None) => error.with_hint(SKIP_HINT),
                    _ => error,
                };
                return Ok(Some(End::Failed(error)));
            }
            State::Abandoned | State::Read => return Ok(Some(End::Abandoned)),
        }
        let interval = self.options.checkpoint_interval.min(MAX_INTERVAL);
        self.due.get_or_insert_with(|| Instant::now() + interval);
        Ok(None)
    }

    /// The error of the unusable record that is one too many.
    fn too_many(&self, reason: Error) -> Error {
        let most = self.options.max_bad_records;
        reason
            .context(format!("more than {most} unusable records (--max-bad-records), the last one"))
            .with_hint("mend the dataset, or allow more; --resume goes on at this record")
    }

    /// Makes the shard of `segment` the sink's current one, if it is not.
    fn enter(&mut self, segment: usize) -> Result<&'a ShardInfo> {
        let found = self.schedule.segments.get(segment);
        let Some((it, shard)) = found.and_then(|it| Some((it, self.shards.get(it.source)?))) else {
            return Err(Error::internal(format!("segment {segment} is not in the schedule")));
        };
        if self.segment != Some(segment) {
            match it.recorded {
                Some(recorded) => self.sink.continue_shard(recorded, shard)?,
                None => self.sink.begin_shard(shard, it.records.start)?,
            }
            self.segment = Some(segment);
            let (index, of) = (it.source, self.shards.len());
            (self.events)(Event::ShardStarted { shard, index, of });
        }
        Ok(shard)
    }

    /// Makes what is pending durable.
    fn commit(&mut self) -> Result<()> {
        if self.due.take().is_some() {
            let begun = Instant::now();
            let commit = self.sink.commit()?;
            let Outcome { recorded, skipped, .. } = self.outcome;
            let (bytes, took) = (commit.byte_len, begun.elapsed());
            tracing::info!(recorded, skipped, bytes, ?took, "commit");
            (self.events)(Event::Committed(commit));
        }
        Ok(())
    }
}
