use crate::dataset::{
    self, DataFormat, Distribution, H5Writer, InputSpec, OpenOptions, RecordSource,
};
use crate::error::{Error, Result};
use crate::tensor::DType;

use super::super::super::ExitStatus;
use super::super::super::args::{DatasetRandomArgs, InputNumbers};
use super::super::super::printer::Printer;
use super::super::super::signals::SignalWatch;
use super::super::super::text;
use super::{check_output, h5_options, inputs_of};

/// Writes random or given records to an HDF5 file.
pub(in crate::cli) fn run(args: &DatasetRandomArgs, printer: &Printer) -> Result<ExitStatus> {
    let output = &args.output.output;
    check_output(&args.output)?;
    let signals = SignalWatch::start(printer)?;
    let inputs = inputs_of(&args.input_model, &args.output.input_shape)?;
    let (mut source, what) = match &args.values {
        Some(path) => {
            let options = OpenOptions { format: DataFormat::Text, ..OpenOptions::default() };
            (dataset::open_with(std::slice::from_ref(path), &inputs, options)?, "record")
        }
        None => (random(args, &inputs)?, "random record"),
    };
    let options = h5_options(&args.output, Some(source.records()));
    let writer = H5Writer::create(output, &inputs, options)?;
    let go_on = || !signals.cancel().is_requested();
    let Some(written) = writer.write_all_while(&go_on, &inputs, &mut *source)? else {
        let stopped = signals.stopped(&text::not_written(output), printer);
        return Ok(stopped.unwrap_or(ExitStatus::Failure));
    };
    printer.say(format_args!("{}: {}", output.display(), text::count(written, what)));
    Ok(ExitStatus::Success)
}

fn random(args: &DatasetRandomArgs, inputs: &[InputSpec]) -> Result<Box<dyn RecordSource>> {
    let uniform = args.uniform.iter().map(|it| {
        let (low, high) = it.numbers;
        (it, Distribution::Uniform { low, high })
    });
    let normal = args.normal.iter().map(|it| {
        let (mean, std) = it.numbers;
        (it, Distribution::Normal { mean, std })
    });
    let distributions = distributions(&uniform.chain(normal).collect::<Vec<_>>(), inputs)?;
    dataset::random_with(inputs, &distributions, args.records, args.seed)
}

/// The distribution of each input, as far as one was chosen: by its name, or for all numeric inputs.
fn distributions(
    chosen: &[(&InputNumbers, Distribution)],
    inputs: &[InputSpec],
) -> Result<Vec<Option<Distribution>>> {
    let is_input = |name: &str| inputs.iter().any(|input| input.name == name);
    let names = chosen.iter().filter_map(|(it, _)| it.name.as_deref());
    if let Some(unknown) = names.into_iter().find(|name| !is_input(name)) {
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        return Err(Error::unknown_input(unknown, &names));
    }
    let of = |name: Option<&str>| {
        let mut found = chosen.iter().filter(|(it, _)| it.name.as_deref() == name);
        let first = found.next().map(|&(_, distribution)| distribution);
        match (found.next(), name) {
            (None, _) => Ok(first),
            (Some(_), Some(name)) => {
                Err(Error::usage(format!("input `{name}` is given two distributions")))
            }
            (Some(_), None) => Err(Error::usage("all inputs are given two distributions")
                .with_hint("say which input each is for, for instance --normal NAME=0,1")),
        }
    };
    let of_all = of(None)?;
    let choose = |input: &InputSpec| {
        let is_numeric = input.input_type.dtype != DType::Bool;
        Ok(of(Some(&input.name))?.or(of_all.filter(|_| is_numeric)))
    };
    inputs.iter().map(choose).collect()
}
