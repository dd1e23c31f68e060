use crate::dataset::{self, H5Writer, Record};
use crate::error::Result;

use super::super::super::ExitStatus;
use super::super::super::args::DatasetRandomArgs;
use super::super::super::printer::Printer;
use super::super::super::text;
use super::{check_output, h5_options, inputs_of};

/// Writes random records to an HDF5 file.
pub(in crate::cli) fn run(args: &DatasetRandomArgs, printer: &Printer) -> Result<ExitStatus> {
    let output = &args.output.output;
    check_output(&args.output)?;
    let inputs = inputs_of(&args.input_model, &args.output.input_shape)?;
    let mut source = dataset::random(&inputs, args.records, args.seed)?;
    let mut writer =
        H5Writer::create(output, &inputs, h5_options(&args.output, Some(args.records)))?;
    let mut record = Record::for_inputs(&inputs)?;
    for number in 0..args.records {
        source.read(0, number, &mut record)?;
        writer.write(&record)?;
    }
    let written = writer.finish()?;
    printer.say(format_args!("{}: {}", output.display(), text::count(written, "random record")));
    Ok(ExitStatus::Success)
}
