use crate::circle::ModelFile;
use crate::dataset::{self, H5Layout, write_h5};
use crate::error::Result;
use crate::interpreter::{Plan, PlanOptions};
use crate::pipeline;

use super::super::ExitStatus;
use super::super::args::{DatasetRandomArgs, LayoutArg};
use super::super::config::check_writable;
use super::super::printer::Printer;
use super::super::text;

/// Writes random records to an HDF5 file.
pub(in crate::cli) fn random(args: &DatasetRandomArgs, printer: &Printer) -> Result<ExitStatus> {
    check_writable(&args.output)?;
    let shapes = args.input_shape.iter().map(|it| (it.name.clone(), it.shape.clone()));
    let options = PlanOptions { input_shapes: shapes.collect(), ..PlanOptions::new() };
    let plan = Plan::new(&ModelFile::open(&args.input_model)?.graph()?, &options)?;
    let inputs = pipeline::input_specs(&plan);
    let mut source = dataset::random(&inputs, args.records, args.seed)?;
    let layout = match args.layout {
        LayoutArg::Records => H5Layout::Records,
        LayoutArg::Packed => H5Layout::Packed,
    };
    let written = write_h5(&args.output, layout, &inputs, &mut *source)?;
    printer.say(format_args!(
        "{}: {}",
        args.output.display(),
        text::count(written, "random record")
    ));
    Ok(ExitStatus::Success)
}
