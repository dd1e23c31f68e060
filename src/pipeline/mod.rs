//! The run: records are read, observed by several workers, put back in order and recorded.
//!
//! ```text
//!          free slots                                             free slots
//!        +-------------------------------------------------------------------+
//!        v                                                                   |
//!   reader thread --bounded channel--> worker threads --bounded channel--> aggregator
//!   RecordSource       read slots      Observer (one       done slots      re-orders, pushes to
//!                                      interpreter each)                   the Sink, commits
//! ```
//!
//! What travels is a *slot*: the buffers of one record, or where its inputs are in a file if the observers read them
//! there, and those of its observations. Their number is fixed, and every channel can hold all of them. So nothing
//! is allocated per record, the number of records in flight (and with it what re-ordering has to hold) is bounded,
//! and a send never blocks: a thread only ever waits for slots, and those come back from the aggregator.
//!
//! A worker takes as many records at once as its observer wants and as there are, towards the end
//! fewer, so that all workers end together.
//!
//! Every record has a sequence number, and whatever happens to it - observed, unusable, failed,
//! panicked - travels in its slot to the aggregator, which looks at slots in sequence. So the
//! records before the first problem are always recorded, the ones after it never, and the same
//! problem is reported however many workers there are.
#![forbid(unsafe_code)]

mod aggregator;
mod cancel;
mod event;
mod matching;
mod observer;
mod part;
mod reader;
mod reorder;
mod schedule;
mod sink;
mod slot;
mod worker;

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crossbeam_channel::bounded;

use crate::dataset::{InputSpec, Record, RecordSource};
use crate::error::{Error, ErrorKind, Result};
use crate::interpreter::PlanInput;

use self::aggregator::Aggregator;
use self::slot::Slot;

pub use self::cancel::Cancel;
pub use self::event::Event;
pub use self::matching::HashSample;
pub use self::observer::{Observed, Observer, Runner};
pub use self::part::Part;
pub use self::schedule::{Note, Schedule, Segment, schedule};
pub use self::sink::Sink;

/// The inputs of a model as the dataset wants to know them.
pub fn input_specs(inputs: &[PlanInput]) -> Vec<InputSpec> {
    let specs = inputs
        .iter()
        .map(|input| InputSpec { name: input.name.clone(), input_type: input.input_type.clone() });
    specs.collect()
}

/// What to do about a record that cannot be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadRecord {
    /// Records up to it are committed, then the run fails.
    #[default]
    Stop,
    /// It is noted in the recording and left out.
    Skip,
}

/// How a run behaves.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Time between commits, and so the work that a crash can cost.
    pub checkpoint_interval: Duration,
    /// What to do about a record that cannot be used.
    pub on_bad_record: BadRecord,
    /// Most records that are left out, earlier runs of the recording included; one more ends the run.
    pub max_bad_records: u64,
    /// Which records are wanted.
    pub part: Part,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            checkpoint_interval: Duration::from_secs(10),
            on_bad_record: BadRecord::Stop,
            max_bad_records: u64::MAX,
            part: Part::All,
        }
    }
}

/// What a run reads and who observes it.
pub struct Job<'a> {
    /// The dataset.
    pub source: Box<dyn RecordSource>,
    /// The model's inputs, which give the size of a record.
    pub inputs: &'a [InputSpec],
    /// One observer per worker thread, at least one.
    pub observers: Vec<Box<dyn Observer>>,
    /// How to go about it.
    pub options: Options,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it was cancelled before all records were done.
    pub interrupted: bool,
    /// Records whose observations were added to the recording.
    pub recorded: u64,
    /// Records that were unusable and left out.
    pub skipped: u64,
}

/// Slots per worker, in groups: one that it works on, one that waits for it, and one that is done
/// and waits for its turn or for a commit.
const GROUPS_PER_WORKER: usize = 3;

/// Bytes that the histograms of all records in flight may take.
const HISTOGRAMS: usize = 256 << 20;

/// How many records are in flight with histograms of so many bytes each: fewer than without, but one for each
/// worker and one that is read in any case. 0 if there are none.
pub(crate) fn histograms_in_flight(bytes: usize, workers: usize, group: usize) -> usize {
    let most = (workers * GROUPS_PER_WORKER).saturating_mul(group);
    HISTOGRAMS.checked_div(bytes).map_or(0, |fitting| most.min(fitting.max(workers + 1)))
}

/// Records what `sink` does not have yet of the job's dataset, in order.
///
/// Everything that was recorded is committed when this returns, unless the sink itself failed;
/// that includes a run that was interrupted or that met a problem. All threads have ended then.
///
/// # Errors
/// What [`schedule`] refuses; the first unusable record if the policy is [`BadRecord::Stop`]; any
/// other error of the source, an observer or the sink. A panic of one of them is an
/// [`ErrorKind::Internal`] error.
pub fn run(
    job: Job<'_>,
    sink: &mut dyn Sink,
    cancel: &Cancel,
    events: &mut dyn FnMut(Event<'_>),
) -> Result<Outcome> {
    let Job { mut source, inputs, observers, options } = job;
    let shards = source.shards().to_vec();
    let schedule = schedule(&shards, sink.shards(), options.part, &mut |shard, positions| {
        source.hash_sample(shard, positions)
    })?;
    tracing::info!(
        shards = shards.len(),
        known = schedule.known,
        to_record = schedule.records(),
        workers = observers.len(),
        "run scheduled"
    );
    events(Event::Scheduled(&schedule));
    if schedule.records() == 0 {
        return Ok(Outcome::default());
    }
    if observers.is_empty() {
        return Err(Error::internal("a run needs at least one worker"));
    }

    let workers = observers.len();
    let group = observers.iter().map(|it| it.group().max(1)).max().unwrap_or(1);
    let all = usize::try_from(schedule.records()).unwrap_or(usize::MAX);
    let leave = observers.iter().all(|it| it.reads_inputs());
    let histogram_bytes = observers.iter().map(|it| it.histogram_bytes()).max().unwrap_or(0);
    let slots = match histogram_bytes {
        0 => (workers * GROUPS_PER_WORKER).saturating_mul(group),
        bytes => histograms_in_flight(bytes, workers, group),
    };
    let slots = slots.min(all);
    let (free_sender, free_receiver) = bounded(slots);
    let (read_sender, read_receiver) = bounded(slots);
    let (done_sender, done_receiver) = bounded(slots);
    for _ in 0..slots {
        // Cannot fail: the receiver is in scope, and there is room for all.
        let _ = free_sender.send(Box::new(Slot::new(Record::for_inputs(inputs)?)));
    }
    let stop = Stop { cancel, failed: AtomicBool::new(false) };
    let aggregator = Aggregator::new(&schedule, &shards, sink, options, events, slots);

    thread::scope(|scope| {
        // Each closure owns its channel ends, so that a thread that ends, however it does, wakes
        // up those that wait for it.
        let work = {
            let (schedule, shards, stop) = (&schedule, &shards[..], &stop);
            let done_sender = done_sender.clone();
            move || {
                let channels =
                    reader::Channels { free: free_receiver, read: read_sender, done: done_sender };
                reader::run(source, schedule, shards, &channels, (stop, leave));
            }
        };
        spawn(scope, "reader".to_owned(), work)?;
        for (number, observer) in observers.into_iter().enumerate() {
            let channels =
                worker::Channels { read: read_receiver.clone(), done: done_sender.clone() };
            let (schedule, shards, stop) = (&schedule, &shards[..], &stop);
            let shared = worker::Shared { schedule, shards, stop, workers };
            let work = move || worker::run(observer, &channels, shared);
            spawn(scope, format!("worker-{number}"), work)?;
        }
        drop((read_receiver, done_sender));
        let outcome = aggregator.run(done_receiver, free_sender, cancel);
        // The aggregator's channel ends are gone, and with this the others stop at once.
        stop.failed.store(true, Ordering::Relaxed);
        outcome
    })
}

/// Starts a named thread; the scope joins it.
fn spawn<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    name: String,
    work: impl FnOnce() + Send + 'scope,
) -> Result<()> {
    thread::Builder::new().name(name).spawn_scoped(scope, work).map(drop).map_err(|source| {
        Error::new(ErrorKind::Io, "cannot start a thread")
            .with_source(source)
            .with_hint("use a smaller --num-threads")
    })
}

/// Why threads should stop taking new records.
struct Stop<'a> {
    /// Asked for from outside.
    cancel: &'a Cancel,
    /// The aggregator has returned.
    failed: AtomicBool,
}

impl Stop<'_> {
    fn requested(&self) -> bool {
        self.cancel.is_requested() || self.failed.load(Ordering::Relaxed)
    }
}

/// Runs foreign code; a panic becomes an error.
fn guarded(who: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    // What the code left behind is not used after a panic: its thread ends.
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        let text = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        Err(Error::internal(format!("the {who} panicked: {text}"))
            .with_hint("this is a defect of the program; what came before is in the recording"))
    })
}
