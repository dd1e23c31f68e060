use std::path::{Path, PathBuf};

use crate::circle::{ModelFile, source_fingerprint};
use crate::error::{Error, Result};
use crate::output;
use crate::recording::{MEMORY_BUDGET, Reader};
use crate::report::{Mode, Options, Report};

use super::super::ExitStatus;
use super::super::args::{EstimatorArgs, ReportArgs};
use super::super::config::{check_writable, is_same_file};
use super::super::printer::Printer;
use super::super::text;

/// Writes what a recording says about each tensor, as a page and for other tools.
pub(in crate::cli) fn run(args: &ReportArgs, printer: &Printer) -> Result<ExitStatus> {
    let modes = modes(&args.estimator)?;
    let chosen = modes.iter().position(|it| it.name == args.estimator.mode.name());
    let outputs = Outputs::of(args)?;

    let reader = Reader::open(&args.recording)?;
    let model = match &args.input_model {
        None => None,
        Some(path) => {
            Some((open_model(path, &args.recording, &reader)?, path.display().to_string()))
        }
    };
    let report = Report::read(
        &reader,
        &args.recording.display().to_string(),
        Options {
            modes: &modes,
            chosen: chosen.unwrap_or(0),
            model: model.as_ref().map(|(model, path)| (model, path.as_str())),
            memory_budget: MEMORY_BUDGET,
        },
    )?;
    outputs.write(&report, printer)?;
    Ok(ExitStatus::Success)
}

/// All modes with the settings given, in the order of `--mode`'s values.
fn modes(args: &EstimatorArgs) -> Result<Vec<Mode>> {
    let modes = args.all()?.into_iter().map(|(mode, estimator)| Mode {
        name: mode.name().to_owned(),
        title: text::estimator(&estimator),
        estimator,
    });
    Ok(modes.collect())
}

fn open_model(path: &Path, recording: &Path, reader: &Reader) -> Result<crate::graph::Model> {
    let model = ModelFile::open(path)?;
    if source_fingerprint(&model)? != reader.header().model {
        return Err(Error::recording(format!(
            "{} was made with another model than {}",
            recording.display(),
            path.display()
        ))
        .with_hint("give the model file that was recorded, byte for byte"));
    }
    model.graph()
}

/// What is written where.
struct Outputs(Vec<(Kind, PathBuf)>);

#[derive(Clone, Copy)]
enum Kind {
    Page,
    Json,
    Csv,
    Svg,
}

impl Outputs {
    fn of(args: &ReportArgs) -> Result<Self> {
        let given = [
            (Kind::Page, &args.output),
            (Kind::Json, &args.json),
            (Kind::Csv, &args.csv),
            (Kind::Svg, &args.svg),
        ];
        let mut outputs: Vec<(Kind, PathBuf)> =
            given.into_iter().filter_map(|(kind, path)| Some((kind, path.clone()?))).collect();
        if outputs.is_empty() {
            outputs.push((Kind::Page, args.recording.with_extension("html")));
        }
        for (i, (_, path)) in outputs.iter().enumerate() {
            if outputs[..i].iter().any(|(_, other)| is_same_file(other, path)) {
                let place = if is_stdout(path) {
                    "standard output".into()
                } else {
                    path.display().to_string()
                };
                return Err(Error::usage(format!("two outputs would go to {place}"))
                    .with_hint("give each a file of its own"));
            }
            let sources = [Some(&args.recording), args.input_model.as_ref()];
            if sources.into_iter().flatten().any(|it| is_same_file(it, path)) {
                return Err(Error::usage(format!(
                    "the output {} would overwrite one of its sources",
                    path.display()
                ))
                .with_hint("choose another file"));
            }
            if !is_stdout(path) {
                check_writable(path)?;
            }
        }
        Ok(Self(outputs))
    }

    fn write(&self, report: &Report, printer: &Printer) -> Result<()> {
        for (kind, path) in &self.0 {
            let text = match kind {
                Kind::Page => report.to_html()?,
                Kind::Json => report.to_json()?,
                Kind::Csv => report.to_csv()?,
                Kind::Svg => report.to_svg(),
            };
            if is_stdout(path) {
                printer.data(&text)?;
            } else {
                output::write(path, text.as_bytes())?;
                printer.say(format_args!("{}: written", path.display()));
            }
        }
        Ok(())
    }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}
