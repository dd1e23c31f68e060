use indicatif::HumanBytes;

use crate::error::Result;
use crate::recording::{MergeSummary, merge};

use super::super::ExitStatus;
use super::super::args::MergeArgs;
use super::super::config::check_writable;
use super::super::printer::Printer;
use super::super::text;

/// Joins recordings in the given order.
pub(in crate::cli) fn run(args: &MergeArgs, printer: &Printer) -> Result<ExitStatus> {
    check_writable(&args.output)?;
    let MergeSummary { records, skipped, shards, byte_len, same_names } =
        merge(&args.inputs, &args.output, args.overwrite)?;
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
