//! What recording a dataset takes, measured by running the model for a while.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::HumanBytes;
use serde::Serialize;

use crate::circle::ModelFile;
use crate::dataset::{self, BadRecords, OpenOptions, Record, RecordSource};
use crate::error::Result;
use crate::histogram::{BinLimit, Histogram};
use crate::interpreter::{Plan, PlanOptions};
use crate::observation::{Observation, RecordObservations};
use crate::pipeline::{self, BadRecord, Cancel, Event, Job, Observer, Options, Runner, Sink};
use crate::recording::{Commit, RecordedShard};
use crate::shard::ShardInfo;

use super::super::super::args::{DatasetCheckArgs, by_name};
use super::super::super::printer::Printer;
use super::super::super::text;

/// What a process takes besides the model and the records.
const BASE_BYTES: u64 = 24 << 20;

/// Time between commits of a recording, unless asked otherwise.
const COMMIT_SECONDS: f64 = 10.0;

/// What recording is expected to take.
#[derive(Serialize)]
pub(super) struct Estimate {
    threads: usize,
    /// Tensors that are observed.
    tensors: usize,
    /// Records of the dataset that the model was run over, to measure.
    measured_records: u64,
    records_per_second: f64,
    seconds: f64,
    recording_bytes: u64,
    memory_bytes: u64,
}

impl Estimate {
    pub fn text(&self) -> String {
        let time =
            text::duration(Duration::try_from_secs_f64(self.seconds).unwrap_or(Duration::MAX));
        let threads = text::count(self.threads as u64, "thread");
        let measured = text::count(self.measured_records, "record");
        let rate = self.records_per_second;
        format!(
            "recording it, estimated\n  \
             time       {time} with {threads} ({rate:.1} records per second over {measured})\n  \
             recording  {} ({} observed)\n  \
             memory     {}\n",
            HumanBytes(self.recording_bytes),
            text::count(self.tensors as u64, "tensor"),
            HumanBytes(self.memory_bytes)
        )
    }
}

/// Runs the model over the first records of the dataset. With the estimate come the problems that it met with
/// records that can be read.
///
/// # Errors
/// Those of planning the model, opening the dataset, and of a run.
pub(super) fn estimate(
    args: &DatasetCheckArgs,
    threads: usize,
    records: u64,
    printer: &Printer,
    interrupt: &Cancel,
) -> Result<(Estimate, Vec<String>)> {
    let options = PlanOptions {
        input_shapes: by_name(&args.input_shape),
        histograms: args.histogram,
        ..PlanOptions::new()
    };
    let model = ModelFile::open(&args.input_model)?;
    let plan = Arc::new(Plan::new(&model.graph()?, &options)?);
    let inputs = pipeline::input_specs(plan.inputs());
    let format = args.input_data_format.dataset()?;
    let options = OpenOptions { format, bad_records: BadRecords::Leave, cast: args.cast };
    let source = dataset::open_with(&args.input_data, &inputs, options)?;
    let threads = threads.min(usize::try_from(records).unwrap_or(usize::MAX)).max(1);
    let observers = (0..threads).map(|_| Box::new(Runner::new(plan.clone())) as Box<dyn Observer>);
    let job = Job {
        source: Box::new(Reading(source)),
        inputs: &inputs,
        observers: observers.collect(),
        options: Options { on_bad_record: BadRecord::Skip, ..Options::default() },
    };
    printer.say(format_args!(
        "running the model for {} to estimate",
        text::duration(args.estimate_for)
    ));
    let enough = Cancel::new();
    let (start, mut done, mut last) = (Instant::now(), 0_u64, Duration::ZERO);
    let mut unusable = Vec::new();
    let mut counted = Counting::new(&plan, args.histogram);
    pipeline::run(job, &mut counted, &enough, &mut |event| {
        match event {
            Event::Recorded => done += 1,
            Event::Skipped { reason, .. } => {
                done += 1;
                unusable.extend((reason.hint() != Some(UNREAD)).then(|| reason.to_string()));
            }
            _ => return,
        }
        last = start.elapsed();
        if last >= args.estimate_for || interrupt.is_requested() {
            enough.request(signal_hook::consts::SIGTERM);
        }
    })?;
    let rate = done as f64 / last.as_secs_f64().max(1e-6);
    let seconds = records as f64 / rate.max(1e-9);
    let tensors = plan.observed().len();
    let estimate = Estimate {
        threads,
        tensors,
        measured_records: done,
        records_per_second: rate,
        seconds,
        recording_bytes: header_bytes(&plan)
            + recording_bytes(tensors, records, seconds)
            + counted.histogram_bytes(records, seconds),
        memory_bytes: memory_bytes(&plan, &Record::for_inputs(&inputs)?, threads),
    };
    Ok((estimate, unusable))
}

/// Length of the part of a recording that names the tensors.
fn header_bytes(plan: &Plan) -> u64 {
    let names: usize = plan.observed().iter().map(|tensor| tensor.name.len() + 16).sum();
    150 + names as u64
}

/// Length of the rest of a recording with an observation per tensor and record; see docs/recording.md.
fn recording_bytes(tensors: usize, records: u64, seconds: f64) -> u64 {
    let (tensors, row) = (tensors as u64, tensors as u64 * size_of::<Observation>() as u64);
    let block = ((256 << 10) / row.max(1) + 1).min(1 << 14);
    let commits = (seconds / COMMIT_SECONDS).ceil() as u64 + 2;
    let blocks = records.div_ceil(block) + commits;
    records * row + blocks * (60 + 9 * tensors) + commits * (230 + 36 * tensors)
}

/// The model once, and for each worker an interpreter and three groups of records in flight.
fn memory_bytes(plan: &Plan, record: &Record, threads: usize) -> u64 {
    let inputs: usize = record.inputs.iter().map(crate::tensor::AlignedBuffer::len).sum();
    let slot = inputs + plan.observed().len() * size_of::<Observation>();
    let group = plan.group().max(1);
    let worker = plan.interpreter_bytes() + 3 * group * slot;
    // Those of the interpreters, of records in flight, and of the writer.
    let in_flight = pipeline::histograms_in_flight(plan.histogram_bytes(), threads, group);
    let histograms = (threads * group + in_flight + 1) * plan.histogram_bytes();
    BASE_BYTES + (plan.shared_bytes() + threads * worker + histograms) as u64
}

/// Marks records that cannot be read, which is known before.
const UNREAD: &str = "it cannot be read";

/// A source whose errors are marked.
struct Reading(Box<dyn RecordSource>);

impl RecordSource for Reading {
    fn shards(&self) -> &[ShardInfo] {
        self.0.shards()
    }

    fn read(&mut self, shard: usize, record: u64, into: &mut Record) -> Result<()> {
        self.0.read(shard, record, into).map_err(|error| error.with_hint(UNREAD))
    }

    fn locate(&mut self, shard: usize, record: u64, into: &mut Record) -> Result<()> {
        self.0.locate(shard, record, into).map_err(|error| error.with_hint(UNREAD))
    }

    fn hash_sample(&mut self, shard: usize, positions: &[u64]) -> Result<[u8; 32]> {
        self.0.hash_sample(shard, positions)
    }
}

/// Keeps nothing but the elements, to see how long their histograms are.
struct Counting {
    limit: Option<BinLimit>,
    records: u64,
    /// One a tensor.
    histograms: Vec<Histogram>,
}

impl Counting {
    fn new(plan: &Plan, limit: Option<BinLimit>) -> Self {
        let histograms = vec![Histogram::default(); plan.observed().len()];
        Self { limit, records: 0, histograms }
    }

    /// Length of all Histogram frames of a recording of so many records, with a commit every so often.
    fn histogram_bytes(&self, records: u64, seconds: f64) -> u64 {
        if self.limit.is_none() || self.records == 0 {
            return 0;
        }
        let commits = (seconds / COMMIT_SECONDS).ceil().max(1.0);
        let scale = records as f64 / commits / self.records as f64;
        // Seven bits of a count are in a byte.
        let bytes =
            |&count: &u64| (count as f64 * scale).max(1.0).log2().div_euclid(7.0) as u64 + 1;
        let tensor = |it: &Histogram| 40 + it.counts().iter().map(bytes).sum::<u64>();
        commits as u64 * self.histograms.iter().map(tensor).sum::<u64>()
    }
}

impl Sink for Counting {
    fn shards(&self) -> &[RecordedShard] {
        &[]
    }

    fn skipped(&self) -> u64 {
        0
    }

    fn begin_shard(&mut self, _: &ShardInfo, _: u64) -> Result<()> {
        Ok(())
    }

    fn continue_shard(&mut self, _: usize, _: &ShardInfo) -> Result<()> {
        Ok(())
    }

    fn push(&mut self, observed: &RecordObservations) -> Result<()> {
        self.records += 1;
        if let Some(limit) = self.limit {
            for (own, added) in self.histograms.iter_mut().zip(&observed.histograms) {
                own.merge(added, limit);
            }
        }
        Ok(())
    }

    fn skip(&mut self, _: &str) -> Result<()> {
        Ok(())
    }

    fn commit(&mut self) -> Result<Commit> {
        Ok(Commit { records: 0, byte_len: 0 })
    }
}
