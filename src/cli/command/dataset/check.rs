use std::fmt::Write;

use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;

use crate::dataset::{self, BadRecords, CheckStep, Findings, OpenOptions};
use crate::error::Result;

use super::super::super::ExitStatus;
use super::super::super::args::{DatasetCheckArgs, Progress as Style};
use super::super::super::config::threads;
use super::super::super::printer::Printer;
use super::super::super::progress::Progress;
use super::super::super::signals::SignalWatch;
use super::super::super::text::{self, json};
use super::estimate::{self, Estimate};
use super::inputs_of;

/// Lists all problems of a dataset on standard output, and what recording it would take.
pub(in crate::cli) fn run(args: &DatasetCheckArgs, printer: &Printer) -> Result<ExitStatus> {
    let signals = SignalWatch::start(printer)?;
    let threads = threads(args.num_threads)?;
    let inputs = inputs_of(&args.input_model, &args.input_shape)?;
    let format = args.input_data_format.dataset()?;
    let options = OpenOptions { format, bad_records: BadRecords::Refuse, cast: args.cast };
    let read = !args.headers_only;
    // Headers are looked at in no time.
    let style = if read { args.progress } else { Style::None };
    let mut progress = Progress::new(style, printer);
    let checked = dataset::check(&args.input_data, &inputs, options, read, &mut |step| {
        match step {
            CheckStep::Records(records) => progress.set_total(records),
            CheckStep::Shard(name, index, of) => progress.shard(name, index, of),
            CheckStep::Record => progress.recorded(),
        }
        !signals.cancel().is_requested()
    });
    progress.finish();
    let findings = checked?;
    if let Some(stopped) = signals.stopped("", printer) {
        return Ok(stopped);
    }
    let mut listing = Listing::new(findings);
    let mut is_good = listing.problems.is_empty();
    if listing.records > 0 && !args.estimate_for.is_zero() {
        match estimate::estimate(args, threads, listing.records, printer, signals.cancel()) {
            Ok((estimate, unusable)) => {
                is_good &= unusable.is_empty();
                listing.problems.extend(unusable);
                listing.estimate = Some(estimate);
            }
            // A dataset that cannot be used is no reason not to say why.
            Err(error) if !is_good => tracing::info!("no estimate: {error}"),
            Err(error) => return Err(error),
        }
        if let Some(stopped) = signals.stopped("", printer) {
            return Ok(stopped);
        }
    }
    printer.data(&if args.json { json(&listing)? } else { listing.text() })?;
    Ok(if is_good { ExitStatus::Success } else { ExitStatus::Failure })
}

/// What was found, and what is expected.
#[derive(Serialize)]
struct Listing {
    shards: u64,
    records: u64,
    byte_len: u64,
    problems: Vec<String>,
    notes: Vec<String>,
    estimate: Option<Estimate>,
}

impl Listing {
    fn new(findings: Findings) -> Self {
        let Findings { shards, records, byte_len, problems, notes, .. } = findings;
        Self { shards, records, byte_len, problems, notes, estimate: None }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let (shards, records) =
            (text::count(self.shards, "shard"), text::count(self.records, "record"));
        writeln!(out, "dataset: {records} in {shards}, {}", HumanBytes(self.byte_len))?;
        if self.problems.is_empty() {
            writeln!(out, "problems: none")?;
        } else {
            writeln!(out, "problems ({})", HumanCount(self.problems.len() as u64))?;
        }
        for problem in &self.problems {
            writeln!(out, "  {problem}")?;
        }
        if !self.notes.is_empty() {
            writeln!(out, "notes ({})", HumanCount(self.notes.len() as u64))?;
        }
        for note in &self.notes {
            writeln!(out, "  {note}")?;
        }
        match &self.estimate {
            Some(estimate) => out.write_str(&estimate.text()),
            None => Ok(()),
        }
    }
}
