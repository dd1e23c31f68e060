use crate::circle::{ModelFile, SpliceOptions, splice_with};
use crate::error::{Error, Result};
use crate::recorder::tensor_ranges;
use crate::recording::{MEMORY_BUDGET, Reader};

use super::super::ExitStatus;
use super::super::args::EmbedArgs;
use super::super::config::{check_writable, is_same_file};
use super::super::printer::Printer;
use super::super::text;
use super::check_recorded;

/// Writes the ranges of a recording into the model it was made with.
pub(in crate::cli) fn run(args: &EmbedArgs, printer: &Printer) -> Result<ExitStatus> {
    let estimator = args.estimator.estimator()?;
    if is_same_file(&args.output_model, &args.input_model)
        || is_same_file(&args.output_model, &args.recording)
    {
        return Err(Error::usage("the output model would overwrite one of its sources")
            .with_hint("choose another --output-model"));
    }
    check_writable(&args.output_model)?;

    let model = ModelFile::open(&args.input_model)?;
    let recording = Reader::open(&args.recording)?;
    check_recorded(&model, &args.recording, &recording)?;
    printer.say(format_args!("mode: {}", text::estimator(&estimator)));
    let ranges = recording.ranges(&estimator, MEMORY_BUDGET)?;
    let tensors = &recording.header().tensors;
    for problem in text::range_problems(tensors, &ranges) {
        printer.warn(problem);
    }
    let ranges = tensor_ranges(tensors, &ranges)?;
    let options = SpliceOptions { profiling: args.generate_profile_data };
    splice_with(&model, &ranges, options, &args.output_model)?;
    printer.say(format_args!(
        "wrote {} with the ranges of {} from {}",
        args.output_model.display(),
        text::count(ranges.len() as u64, "tensor"),
        text::count(recording.records(), "record"),
    ));
    Ok(ExitStatus::Success)
}
