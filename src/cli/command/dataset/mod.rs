//! Commands about datasets.

mod check;
mod estimate;
mod info;
mod pack;
mod random;

use std::path::Path;

use crate::circle::ModelFile;
use crate::dataset::{H5Options, InputSpec};
use crate::error::Result;
use crate::interpreter::{Plan, PlanOptions};
use crate::pipeline;

use super::super::args::{H5Args, InputShape, by_name};
use super::super::config::check_writable;

pub(in crate::cli) use self::check::run as check;
pub(in crate::cli) use self::info::run as info;
pub(in crate::cli) use self::pack::run as pack;
pub(in crate::cli) use self::random::run as random;

/// What a dataset has to feed: the inputs of a model, some with chosen shapes.
fn inputs_of(model: &Path, shapes: &[InputShape]) -> Result<Vec<InputSpec>> {
    let options = PlanOptions { input_shapes: by_name(shapes), ..PlanOptions::new() };
    let inputs = Plan::inputs_of(&ModelFile::open(model)?.graph()?, &options)?;
    Ok(pipeline::input_specs(&inputs))
}

/// Checks that the file can be made.
fn check_output(args: &H5Args) -> Result<()> {
    h5_options(args, None).check_free(&args.output)?;
    check_writable(&args.output)
}

fn h5_options(args: &H5Args, records: Option<u64>) -> H5Options {
    H5Options { layout: args.layout.into(), records, overwrite: args.overwrite }
}
