use std::env;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::HumanBytes;

use crate::circle::{ModelFile, check_splice, source_fingerprint, splice};
use crate::dataset::{
    self, BadRecords, DEFAULT_RANDOM_RECORDS, InputSpec, OpenOptions, RecordSource,
};
use crate::error::Result;
use crate::interpreter::{Interpreter, Plan, PlanOptions, Profile};
use crate::pipeline::{self, BadRecord, Job, Observer, Outcome, Part, Timed};
use crate::recording::{Header, Writer};
use crate::stats::Estimator;

use super::super::ExitStatus;
use super::super::args::RecordArgs;
use super::super::config::{Existing, RecordConfig};
use super::super::printer::Printer;
use super::super::profile;
use super::super::progress::Progress;
use super::super::signals::{SignalWatch, signal_name};
use super::super::text;
use super::{TOOL, tensor_entries, tensor_ranges};

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

    let model = ModelFile::open(&config.model)?;
    let plan = Arc::new(build_plan(&model, &config)?);
    if config.output.is_some() {
        // What cannot be written at the end is better known now.
        let observed: Vec<_> = plan.observed().iter().map(|t| (t.subgraph, t.index)).collect();
        check_splice(&model, &observed)?;
    }
    let inputs = pipeline::input_specs(plan.inputs());
    let source = open_source(&config, &inputs, printer)?;
    let header = Header {
        model: source_fingerprint(&model)?,
        tensors: tensor_entries(&plan),
        arithmetic: config.arithmetic,
        tool: TOOL.to_owned(),
    };
    // The weights are packed; the file is needed again at the end.
    model.release();
    let mut writer = open_writer(&config, &header)?;
    tracing::info!(
        records = writer.committed(),
        bytes = writer.byte_len(),
        "{}: recording open",
        config.recording.display()
    );
    if writer.recovered() > 0 {
        tracing::info!(
            "{}: dropped {} that came after the last commit",
            config.recording.display(),
            HumanBytes(writer.recovered())
        );
    }

    let profile = config.profile.as_ref().map(|_| Arc::new(Mutex::new(Profile::new(0))));
    let job = Job {
        observers: observers(&plan, &config, &*source, profile.as_ref()),
        source,
        inputs: &inputs,
        options: config.options,
    };
    let mut progress = Progress::new(config.progress, printer);
    let result = pipeline::run(job, &mut writer, signals.cancel(), &mut |event| {
        progress.show(&event);
    });
    let (elapsed, left_out) = progress.finish();
    if let (Some(profile), Some(output)) = (profile, &config.profile) {
        let profile = profile.lock().unwrap_or_else(PoisonError::into_inner);
        profile::show(&profile, &plan, output, printer)?;
    }

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
        text::count(header.tensors.len() as u64, "tensor"),
        HumanBytes(writer.byte_len()),
    ));
    // A signal that comes after the last record still means: stop.
    if let Some(signal) = signals.cancel().signal() {
        printer.stopped(format_args!("stopped by {}", signal_name(signal)));
        printer.hint(format_args!("go on with: {}", resume_command()));
        return Ok(ExitStatus::Interrupted(signal));
    }

    let Some(output) = &config.output else { return Ok(ExitStatus::Success) };
    if config.options.part != Part::All {
        printer.warn(
            "a part of the dataset was asked for: the model's ranges are those of the recording",
        );
    }
    note_short_memory(&config.estimator, writer.records(), printer);
    write_model(&model, &mut writer, &header, &config.estimator, output, printer)?;
    Ok(ExitStatus::Success)
}

fn build_plan(model: &ModelFile, config: &RecordConfig) -> Result<Plan> {
    let shapes = config.input_shapes.iter().map(|it| (it.name.clone(), it.shape.clone()));
    let options = PlanOptions {
        isa: config.isa,
        arithmetic: config.arithmetic,
        groups: config.groups,
        input_shapes: shapes.collect(),
        memory_limit: config.max_memory,
        round_limit: config.max_rounds,
        ..PlanOptions::new()
    };
    let plan = Plan::new(&model.graph()?, &options)?;
    Ok(plan)
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
    let records = source.shards().iter().map(|it| it.identity.records).sum();
    printer.say(format_args!(
        "dataset: {} in {}",
        text::count(records, "record"),
        text::count(source.shards().len() as u64, "shard")
    ));
    Ok(source)
}

fn open_writer(config: &RecordConfig, header: &Header) -> Result<Writer> {
    let (path, settings) = (&config.recording, config.moving_average);
    match config.existing {
        Existing::Resume if path.exists() => Writer::resume(path, header, settings),
        Existing::Refuse | Existing::Resume => Writer::create(path, header.clone(), settings),
        Existing::Overwrite => Writer::overwrite(path, header.clone(), settings),
    }
}

/// One interpreter per thread, but no more than there are records.
fn observers(
    plan: &Arc<Plan>,
    config: &RecordConfig,
    source: &dyn RecordSource,
    profile: Option<&Arc<Mutex<Profile>>>,
) -> Vec<Box<dyn Observer>> {
    let records: u64 = source.shards().iter().map(|it| it.identity.records).sum();
    let workers = config.threads.min(usize::try_from(records).unwrap_or(usize::MAX)).max(1);
    let observer = |_| -> Box<dyn Observer> {
        let interpreter = Interpreter::new(plan.clone());
        match profile {
            Some(profile) => Box::new(Timed::new(interpreter, profile.clone())),
            None => Box::new(interpreter),
        }
    };
    (0..workers).map(observer).collect()
}

/// Estimates the ranges and writes the output model.
fn write_model(
    model: &ModelFile,
    writer: &mut Writer,
    header: &Header,
    estimator: &Estimator,
    output: &Path,
    printer: &Printer,
) -> Result<()> {
    let ranges = writer.ranges(estimator)?;
    for problem in text::range_problems(&header.tensors, &ranges) {
        printer.warn(problem);
    }
    let ranges = tensor_ranges(&header.tensors, &ranges)?;
    splice(model, &ranges, output)?;
    printer.say(format_args!(
        "wrote {} with the ranges of {}",
        output.display(),
        text::count(ranges.len() as u64, "tensor")
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
             {records} records; the other modes see all of them alike"
        ));
    }
}

/// The command that goes on with what this process did.
fn resume_command() -> String {
    let dropped = |word: &std::ffi::OsString| word == "--overwrite" || word == "--resume";
    let words = env::args_os().filter(|word| !dropped(word)).chain(["--resume".into()]);
    text::shell_line(words)
}
