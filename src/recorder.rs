//! A whole recording: a model, a dataset, and what becomes of them.
//!
//! [`Recorder`] plans a model; [`Recorder::open`] starts a recording or goes on with one, as a [`Session`];
//! [`Session::record`] runs the model over a dataset; [`Session::ranges`] and [`Session::write_model`] give
//! the result. The first page of the crate's documentation has an example.
#![forbid(unsafe_code)]

use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::circle::{
    ModelFile, SpliceOptions, TensorRange, check_splice, source_fingerprint, splice_with,
};
use crate::dataset::{InputSpec, RecordSource};
use crate::error::{Error, Result};
use crate::fingerprint::ModelFingerprint;
use crate::histogram::BinLimit;
use crate::interpreter::{Plan, PlanOptions, Profile};
use crate::observation::Observation;
use crate::pipeline::{self, Cancel, Event, Job, Observer, Options, Outcome, Runner};
use crate::recording::{Header, TensorEntry, Writer};
use crate::stats::{Estimator, MovingAverageSettings};

/// What recordings say they were made by.
pub(crate) const TOOL: &str = concat!("record-minmax ", env!("CARGO_PKG_VERSION"));

/// What to do about a recording that exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Fail.
    #[default]
    Refuse,
    /// Go on with it; without one, start one.
    Resume,
    /// Replace it.
    Overwrite,
}

impl Existing {
    /// Opens the recording at `path` for writing, and locks it.
    ///
    /// # Errors
    /// Those of [`Writer::create`], [`Writer::resume`] and [`Writer::overwrite`].
    pub(crate) fn open(
        self,
        path: &Path,
        header: &Header,
        settings: MovingAverageSettings,
    ) -> Result<Writer> {
        match self {
            Self::Resume if path.exists() => Writer::resume(path, header, settings),
            Self::Refuse | Self::Resume => Writer::create(path, header.clone(), settings),
            Self::Overwrite => Writer::overwrite(path, header.clone(), settings),
        }
    }
}

/// What may be chosen about a [`Recorder`]; made by [`Recorder::builder`].
#[derive(Debug)]
pub struct RecorderBuilder {
    model: ModelFile,
    plan: PlanOptions,
    run: Options,
    threads: usize,
    existing: Existing,
    moving_average: MovingAverageSettings,
    histograms: Option<BinLimit>,
    output: SpliceOptions,
    profile: Option<Arc<Mutex<Profile>>>,
}

impl RecorderBuilder {
    /// How the model is run: instruction set, arithmetic, open shapes, limits.
    #[must_use]
    pub fn plan_options(mut self, options: PlanOptions) -> Self {
        self.plan = options;
        self
    }

    /// How a run goes: time between commits, unusable records, the part of the dataset.
    #[must_use]
    pub fn run_options(mut self, options: Options) -> Self {
        self.run = options;
        self
    }

    /// Worker threads; 0 is 1. By default all cores. Results do not depend on it.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// What to do about a recording that exists. By default it is an error.
    #[must_use]
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// The moving average whose state the recording keeps, so that its ranges are known at once. Others are
    /// computed from the observations.
    #[must_use]
    pub fn moving_average(mut self, settings: MovingAverageSettings) -> Self {
        self.moving_average = settings;
        self
    }

    /// Counts all elements too, in histograms of at most so many bins, for the estimators
    /// [of elements](Estimator::OfElements). By default they are not counted.
    #[must_use]
    pub fn histograms(mut self, limit: BinLimit) -> Self {
        self.histograms = Some(limit);
        self
    }

    /// What is written into the output model besides ranges. By default nothing.
    #[must_use]
    pub fn splice_options(mut self, options: SpliceOptions) -> Self {
        self.output = options;
        self
    }

    /// Adds the time of each operator to `total`, at the end of each run.
    #[must_use]
    pub fn timed(mut self, total: Arc<Mutex<Profile>>) -> Self {
        self.profile = Some(total);
        self
    }

    /// Plans the model.
    ///
    /// # Errors
    /// Those of [`Plan::new`], and [`Io`](crate::error::ErrorKind::Io) if the model cannot be read.
    pub fn build(mut self) -> Result<Recorder> {
        self.plan.histograms = self.histograms.or(self.plan.histograms);
        let (plan, model) = self.plan_and_fingerprint()?;
        let inputs = pipeline::input_specs(plan.inputs());
        let header = Header {
            model,
            tensors: tensor_entries(&plan),
            arithmetic: self.plan.arithmetic,
            tool: TOOL.to_owned(),
            histograms: self.plan.histograms,
        };
        // The weights are packed; the file is needed again at the end.
        self.model.release();
        Ok(Recorder { plan, inputs, header, settings: self })
    }

    /// The plan, and the identity of the model, which is found meanwhile.
    fn plan_and_fingerprint(&self) -> Result<(Arc<Plan>, ModelFingerprint)> {
        let fingerprint = || source_fingerprint(&self.model);
        thread::scope(|scope| {
            let hasher = thread::Builder::new().name("hasher".to_owned());
            let hasher = hasher.spawn_scoped(scope, fingerprint);
            let plan = Arc::new(Plan::new(&self.model.graph()?, &self.plan)?);
            let found = match hasher.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(found)) => found?,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                // No thread could be started.
                Err(_) => fingerprint()?,
            };
            Ok((plan, found))
        })
    }
}

/// A model, ready to be run and recorded.
pub struct Recorder {
    plan: Arc<Plan>,
    inputs: Vec<InputSpec>,
    header: Header,
    settings: RecorderBuilder,
}

impl Recorder {
    /// For a float model, with everything as usual.
    pub fn builder(model: ModelFile) -> RecorderBuilder {
        RecorderBuilder {
            model,
            plan: PlanOptions::new(),
            run: Options::default(),
            threads: thread::available_parallelism().map_or(1, NonZero::get),
            existing: Existing::default(),
            moving_average: MovingAverageSettings::default(),
            histograms: None,
            output: SpliceOptions::default(),
            profile: None,
        }
    }

    /// The model.
    pub fn model(&self) -> &ModelFile {
        &self.settings.model
    }

    /// How it is run.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The model's inputs, as [`dataset`](crate::dataset) wants to know them.
    pub fn inputs(&self) -> &[InputSpec] {
        &self.inputs
    }

    /// Whether ranges can be written into the model: better known before a run of days than after it.
    ///
    /// # Errors
    /// Those of [`check_splice`].
    pub fn check_output(&self) -> Result<()> {
        let observed = self.plan.observed().iter().map(|it| (it.subgraph, it.index));
        check_splice(self.model(), &observed.collect::<Vec<_>>(), self.settings.output)
    }

    /// Opens the recording at `path`, as was [chosen](RecorderBuilder::existing), and locks it.
    ///
    /// # Errors
    /// Those of [`Writer::create`], [`Writer::resume`] and [`Writer::overwrite`].
    pub fn open(&self, path: &Path) -> Result<Session<'_>> {
        let settings = self.settings.moving_average;
        let writer = self.settings.existing.open(path, &self.header, settings)?;
        let (records, bytes) = (writer.committed(), writer.byte_len());
        tracing::info!(records, bytes, "{}: recording open", path.display());
        if writer.recovered() > 0 {
            let dropped = writer.recovered();
            tracing::info!(
                "{}: dropped {dropped} bytes that came after the last commit",
                path.display()
            );
        }
        Ok(Session { recorder: self, writer })
    }

    /// One observer per thread, but no more than there are records.
    fn observers(&self, source: &dyn RecordSource) -> Vec<Box<dyn Observer>> {
        let records = usize::try_from(source.records()).unwrap_or(usize::MAX);
        let observer = |_| -> Box<dyn Observer> {
            let runner = Runner::new(Arc::clone(&self.plan));
            Box::new(match &self.settings.profile {
                Some(total) => runner.timed(Arc::clone(total)),
                None => runner,
            })
        };
        (0..self.settings.threads.min(records).max(1)).map(observer).collect()
    }
}

/// A recording that is open and can grow.
pub struct Session<'a> {
    recorder: &'a Recorder,
    writer: Writer,
}

impl Session<'_> {
    /// Runs the model over what is not yet recorded of a dataset, in order, and records it. What was recorded
    /// is durable when this returns, also with an error.
    ///
    /// `cancel` ends the run early when it is requested; `progress` is called on this thread.
    ///
    /// # Errors
    /// Those of [`pipeline::run`].
    pub fn record(
        &mut self,
        source: Box<dyn RecordSource>,
        cancel: &Cancel,
        progress: &mut dyn FnMut(Event<'_>),
    ) -> Result<Outcome> {
        let job = Job {
            observers: self.recorder.observers(&*source),
            source,
            inputs: &self.recorder.inputs,
            options: self.recorder.settings.run,
        };
        pipeline::run(job, &mut self.writer, cancel, progress)
    }

    /// The recording: how many records it has, its shards.
    pub fn writer(&self) -> &Writer {
        &self.writer
    }

    /// The observed tensors.
    pub fn tensors(&self) -> &[TensorEntry] {
        &self.recorder.header.tensors
    }

    /// The range of each of the [`tensors`](Self::tensors), over all records so far; `None` for one that was
    /// never observed.
    ///
    /// # Errors
    /// Those of [`Writer::ranges`].
    pub fn ranges(&mut self, estimator: &Estimator) -> Result<Vec<Option<Observation>>> {
        self.writer.ranges(estimator)
    }

    /// Writes the model with these ranges to `output`, whole or not at all, and gives their number.
    ///
    /// # Errors
    /// [`Recording`](crate::error::ErrorKind::Recording) if there is no range at all, and those of [`splice_with`].
    pub fn write_model(&self, ranges: &[Option<Observation>], output: &Path) -> Result<usize> {
        let ranges = tensor_ranges(self.tensors(), ranges)?;
        splice_with(self.recorder.model(), &ranges, self.recorder.settings.output, output)?;
        Ok(ranges.len())
    }
}

/// The observed tensors as the recording wants to know them.
fn tensor_entries(plan: &Plan) -> Vec<TensorEntry> {
    let entries = plan.observed().iter().map(|tensor| TensorEntry {
        subgraph: tensor.subgraph,
        index: tensor.index,
        name: tensor.name.clone(),
    });
    entries.collect()
}

/// The ranges that there are, as they go into a model.
///
/// # Errors
/// [`Recording`](crate::error::ErrorKind::Recording) if there are none at all.
pub(crate) fn tensor_ranges(
    tensors: &[TensorEntry],
    ranges: &[Option<Observation>],
) -> Result<Vec<TensorRange>> {
    let found = tensors.iter().zip(ranges).filter_map(|(tensor, range)| {
        let Observation { min, max } = (*range)?;
        Some(TensorRange { subgraph: tensor.subgraph, tensor: tensor.index, min, max })
    });
    let found: Vec<TensorRange> = found.collect();
    if found.is_empty() {
        return Err(Error::recording("no tensor was ever observed, so there are no ranges")
            .with_hint("the recording has no usable record: look at the dataset"));
    }
    Ok(found)
}
