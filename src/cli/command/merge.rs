use indicatif::HumanBytes;

use crate::error::{Error, Result};
use crate::recording::{MergeSummary, OnOverlap, merge_until};

use super::super::ExitStatus;
use super::super::args::{MergeArgs, OnOverlapArg};
use super::super::config::check_writable;
use super::super::printer::Printer;
use super::super::signals::SignalWatch;
use super::super::text;

/// Joins recordings in the given order.
pub(in crate::cli) fn run(args: &MergeArgs, printer: &Printer) -> Result<ExitStatus> {
    check_writable(&args.output)?;
    let on_overlap = match args.on_overlap {
        OnOverlapArg::Stop => OnOverlap::Stop,
        OnOverlapArg::Skip => OnOverlap::Skip,
    };
    let signals = SignalWatch::start(printer)?;
    let stop = || signals.cancel().is_requested();
    let summary = merge_until(&args.inputs, &args.output, args.overwrite, on_overlap, &stop)?;
    let Some(summary) = summary else {
        let stopped = signals.stopped(&text::not_written(&args.output), printer);
        return stopped.ok_or_else(|| Error::internal("the merge stopped without a signal"));
    };
    let MergeSummary { records, skipped, shards, byte_len, doubles, overlaps, same_names } =
        summary;
    if doubles > 0 {
        let overlaps: Vec<&str> = overlaps.iter().map(String::as_str).collect();
        printer.warn(format_args!(
            "not taken again: {} of {}",
            text::count(doubles, "record"),
            text::list(&overlaps)
        ));
    }
    for name in same_names {
        printer.warn(format_args!(
            "several inputs have a shard `{name}`, with different content; if one is the other \
             before it grew, its records count twice"
        ));
    }
    printer.say(format_args!(
        "{}: {} of {} ({skipped} left out), {}",
        args.output.display(),
        text::count(records, "record"),
        text::count(shards as u64, "shard"),
        HumanBytes(byte_len)
    ));
    Ok(ExitStatus::Success)
}
