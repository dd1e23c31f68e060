use std::collections::HashSet;

use indicatif::HumanBytes;

use crate::arithmetic::Arithmetic;
use crate::circle::{ModelFile, source_fingerprint};
use crate::dataset::{self, DataFormat, InputSpec, OpenOptions, Recorded};
use crate::error::{Error, Result};
use crate::graph::{Model, Subgraph};
use crate::observation::Observation;
use crate::pipeline::{self, Job, Observed, Observer, Options};
use crate::recorder::TOOL;
use crate::recording::{Header, TensorEntry};
use crate::stats::MovingAverageSettings;
use crate::tensor::DType;

use super::super::ExitStatus;
use super::super::args::ImportMinmaxArgs;
use super::super::config::{check_writable, existing};
use super::super::printer::Printer;
use super::super::progress::Progress;
use super::super::signals::SignalWatch;
use super::super::text;
use super::resume_command;

/// Makes a recording of what onert observed: a run is a record.
pub(in crate::cli) fn run(args: &ImportMinmaxArgs, printer: &Printer) -> Result<ExitStatus> {
    check_writable(&args.output)?;
    let signals = SignalWatch::start(printer)?;
    let model = ModelFile::open(&args.input_model)?;
    let (tensors, inputs) = recorded_tensors(&model.graph()?);
    let options = OpenOptions { format: DataFormat::Onert, ..OpenOptions::default() };
    let source = dataset::open_with(&args.minmax, &inputs, options)?;
    let header = Header {
        model: source_fingerprint(&model)?,
        tensors,
        arithmetic: Arithmetic::Device,
        tool: TOOL.to_owned(),
        histograms: None,
    };
    let existing = existing(args.resume, args.overwrite);
    let mut writer = existing.open(&args.output, &header, MovingAverageSettings::default())?;
    let observers: Vec<Box<dyn Observer>> = vec![Box::new(Pairs(header.tensors))];
    let job = Job { source, inputs: &inputs, observers, options: Options::default() };
    let mut progress = Progress::new(args.progress, printer);
    let imported = pipeline::run(job, &mut writer, signals.cancel(), &mut |event| {
        progress.show(&event);
    });
    progress.finish();
    let imported = imported?;
    printer.say(format_args!(
        "{}: {}, {} new, {}",
        args.output.display(),
        text::count(writer.committed(), "run"),
        imported.recorded,
        HumanBytes(writer.byte_len())
    ));
    if let Some(stopped) = signals.stopped("", printer) {
        printer.hint(format_args!("go on with: {}", resume_command()));
        return Ok(stopped);
    }
    Ok(ExitStatus::Success)
}

/// The tensors that onert may record: inputs of subgraphs, and results of operators that have one, of type
/// FLOAT32. With each comes the name under which it does.
fn recorded_tensors(model: &Model) -> (Vec<TensorEntry>, Vec<InputSpec>) {
    let (mut tensors, mut inputs) = (Vec::new(), Vec::new());
    for (number, subgraph) in (0_u32..).zip(&model.subgraphs) {
        let mut seen = HashSet::new();
        for (tensor, recorded) in recorded_in(number, subgraph) {
            let is_float = subgraph.tensors[tensor].dtype == DType::F32;
            let is_constant = subgraph.tensors[tensor].data.is_some();
            if is_float && !is_constant && seen.insert(tensor) {
                tensors.push(TensorEntry {
                    subgraph: number,
                    index: tensor as u32,
                    name: subgraph.tensors[tensor].name.clone(),
                });
                inputs.push(recorded.input());
            }
        }
    }
    (tensors, inputs)
}

/// Tensors of a subgraph with what onert calls them.
fn recorded_in(number: u32, subgraph: &Subgraph) -> impl Iterator<Item = (usize, Recorded)> {
    let inputs = (0..).zip(&subgraph.inputs);
    let inputs = inputs.map(move |(i, &tensor)| (tensor, Recorded::Input(number, i)));
    let operators =
        (0..).zip(&subgraph.nodes).filter_map(move |(i, node)| match node.outputs[..] {
            [tensor] => Some((tensor, Recorded::Operator(number, i))),
            _ => None,
        });
    inputs.chain(operators)
}

/// Takes a minimum and a maximum for each tensor as they are.
struct Pairs(Vec<TensorEntry>);

impl Observer for Pairs {
    fn observe(&mut self, group: &mut [Observed<'_>]) {
        for it in group {
            it.outcome = Some(self.take(it));
        }
    }
}

impl Pairs {
    fn take(&self, it: &mut Observed<'_>) -> Result<()> {
        it.into.single.clear();
        it.into.repeated.clear();
        for (position, (tensor, buffer)) in (0_u32..).zip(self.0.iter().zip(&it.record.inputs)) {
            let [min, max] = buffer.as_slice::<f32>() else {
                return Err(Error::internal("a pair has not two values"));
            };
            let observed = Observation { min: *min, max: *max }.with_positive_zeros();
            if min.is_nan() && max.is_nan() {
                it.into.single.push(Observation::EMPTY);
                it.into.repeated.push((position, Vec::new()));
            } else if min <= max {
                it.into.single.push(observed);
            } else {
                return Err(Error::record(format!("tensor {tensor}: {min} to {max} is no range")));
            }
        }
        Ok(())
    }
}
