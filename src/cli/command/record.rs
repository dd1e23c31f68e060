use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::HumanBytes;

use crate::circle::{ModelFile, SpliceOptions};
use crate::dataset::{
    self, BadRecords, DEFAULT_RANDOM_RECORDS, InputSpec, OpenOptions, RecordSource,
};
use crate::error::Result;
use crate::interpreter::{PlanOptions, Profile};
use crate::pipeline::{BadRecord, Outcome, Part};
use crate::recorder::{Recorder, Session};
use crate::stats::Estimator;

use super::super::ExitStatus;
use super::super::args::{RecordArgs, by_name};
use super::super::config::RecordConfig;
use super::super::printer::Printer;
use super::super::profile;
use super::super::progress::Progress;
use super::super::signals::SignalWatch;
use super::super::text;
use super::resume_command;

/// Records a dataset, and writes the output model if one is asked for.
pub(in crate::cli) fn run(
    args: RecordArgs,
    needs_output: bool,
    printer: &Printer,
) -> Result<ExitStatus> {
    let unused = args.estimator.unused();
    let mode = args.estimator.mode.name();
    let config = RecordConfig::new(args, needs_output)?;
    printer.say(format_args!("mode: {}", text::estimator(&config.estimator)));
    if !unused.is_empty() {
        printer.warn(format_args!("mode {mode} does not use {}", unused.join(", ")));
    }
    let signals = SignalWatch::start(printer)?;

    let profile = config.profile.as_ref().map(|_| Arc::new(Mutex::new(Profile::new(0))));
    let recorder = recorder(&config, profile.as_ref())?;
    if config.output.is_some() {
        // What cannot be written at the end is better known now.
        recorder.check_output()?;
    }
    let source = open_source(&config, recorder.inputs(), printer)?;
    let mut session = recorder.open(&config.recording)?;

    let mut progress = Progress::new(config.progress, printer);
    let result = session.record(source, signals.cancel(), &mut |event| progress.show(&event));
    let (elapsed, left_out) = progress.finish();
    if let (Some(profile), Some(output)) = (profile, &config.profile) {
        let profile = profile.lock().unwrap_or_else(PoisonError::into_inner);
        profile::show(&profile, recorder.plan(), output, printer)?;
    }

    let writer = session.writer();
    let kept = text::count(writer.committed(), "record");
    let outcome = match result {
        Ok(outcome) => outcome,
        Err(error) => {
            printer.error(&error);
            if config.recording.exists() {
                printer.hint(format_args!(
                    "{} keeps {kept}; go on with: {}",
                    config.recording.display(),
                    resume_command()
                ));
            }
            return Ok(ExitStatus::Failure);
        }
    };
    say_outcome(&outcome, elapsed, &left_out, printer);
    let skipped = match writer.skipped() {
        0 => String::new(),
        skipped => format!(", {skipped} left out (`inspect` names them)"),
    };
    printer.say(format_args!(
        "{}: {kept} of {}{skipped}, {}",
        config.recording.display(),
        text::count(session.tensors().len() as u64, "tensor"),
        HumanBytes(writer.byte_len()),
    ));
    // A signal that comes after the last record still means: stop.
    if let Some(stopped) = signals.stopped("", printer) {
        printer.hint(format_args!("go on with: {}", resume_command()));
        return Ok(stopped);
    }

    let Some(output) = &config.output else { return Ok(ExitStatus::Success) };
    if config.options.part != Part::All {
        printer.warn(
            "a part of the dataset was asked for: the model's ranges are those of the recording",
        );
    }
    note_short_memory(&config.estimator, writer.records(), printer);
    write_model(&mut session, &config.estimator, output, printer)?;
    Ok(ExitStatus::Success)
}

fn recorder(config: &RecordConfig, profile: Option<&Arc<Mutex<Profile>>>) -> Result<Recorder> {
    let plan = PlanOptions {
        histograms: config.histograms,
        isa: config.isa,
        arithmetic: config.arithmetic,
        groups: config.groups,
        input_shapes: by_name(&config.input_shapes),
        memory_limit: config.max_memory,
        round_limit: config.max_rounds,
        ..PlanOptions::new()
    };
    let builder = Recorder::builder(ModelFile::open(&config.model)?)
        .plan_options(plan)
        .run_options(config.options)
        .threads(config.threads)
        .existing(config.existing)
        .moving_average(config.moving_average)
        .splice_options(SpliceOptions { profiling: config.profiling });
    match profile {
        Some(profile) => builder.timed(profile.clone()).build(),
        None => builder.build(),
    }
}

fn open_source(
    config: &RecordConfig,
    inputs: &[InputSpec],
    printer: &Printer,
) -> Result<Box<dyn RecordSource>> {
    if config.data.is_empty() {
        printer.warn(format_args!(
            "no --input-data: recording {DEFAULT_RANDOM_RECORDS} random records, whose ranges say \
             nothing about real data"
        ));
        return dataset::random(inputs, DEFAULT_RANDOM_RECORDS, config.seed);
    }
    let bad_records = match config.options.on_bad_record {
        BadRecord::Stop => BadRecords::Refuse,
        BadRecord::Skip => BadRecords::Leave,
    };
    let options = OpenOptions { format: config.format, bad_records, cast: config.cast };
    let source = dataset::open_with(&config.data, inputs, options)?;
    printer.say(format_args!(
        "dataset: {} in {}",
        text::count(source.records(), "record"),
        text::count(source.shards().len() as u64, "shard")
    ));
    Ok(source)
}

/// Estimates the ranges and writes the output model.
fn write_model(
    session: &mut Session<'_>,
    estimator: &Estimator,
    output: &Path,
    printer: &Printer,
) -> Result<()> {
    let ranges = session.ranges(estimator)?;
    for problem in text::range_problems(session.tensors(), &ranges) {
        printer.warn(problem);
    }
    let written = session.write_model(&ranges, output)?;
    printer.say(format_args!(
        "wrote {} with the ranges of {}",
        output.display(),
        text::count(written as u64, "tensor")
    ));
    Ok(())
}

fn say_outcome(
    outcome: &Outcome,
    elapsed: std::time::Duration,
    left_out: &[String],
    printer: &Printer,
) {
    let Outcome { recorded, skipped, .. } = *outcome;
    if recorded + skipped == 0 {
        printer.say("everything is recorded already");
        return;
    }
    let rate = (recorded + skipped) as f64 / elapsed.as_secs_f64().max(1e-9);
    printer.say(format_args!(
        "recorded {} in {} ({rate:.1} per second)",
        text::count(recorded, "record"),
        text::duration(elapsed)
    ));
    text::left_out(skipped, left_out, printer);
}

/// A moving average forgets, and with much data that surprises.
fn note_short_memory(estimator: &Estimator, records: u64, printer: &Printer) {
    let Estimator::MovingAverage(settings) = estimator else { return };
    // Batches after which older ones weigh less than 1 % together.
    let batches = (0.01_f64.ln() / (1.0 - f64::from(settings.constant)).ln()).ceil();
    let remembered = batches * f64::from(settings.batch);
    if records as f64 > 4.0 * remembered {
        printer.say(format_args!(
            "note: 99% of the weight of this moving average is on the last {remembered:.0} of \
             {}; the other modes see all of them alike",
            text::count(records, "record")
        ));
    }
}
