use std::path::{Path, PathBuf};

use crate::circle::ModelFile;
use crate::error::Result;
use crate::recording::{MEMORY_BUDGET, Reader};
use crate::report::{Mode, Options, Report};
use crate::stats::Estimator;

use super::super::ExitStatus;
use super::super::args::{EstimatorArgs, ReportArgs};
use super::super::outputs;
use super::super::printer::Printer;
use super::super::text;
use super::check_recorded;

/// Memory for observations in bytes. The rest of the budget is for what is left of them, and for sorting.
const OBSERVATIONS: usize = MEMORY_BUDGET - (24 << 20);

/// Writes what a recording says about each tensor, as a page and for other tools.
pub(in crate::cli) fn run(args: &ReportArgs, printer: &Printer) -> Result<ExitStatus> {
    let mut modes = modes(&args.estimator)?;
    let outputs = outputs(args);
    let files: Vec<&Path> = outputs.iter().map(|(_, path)| path.as_path()).collect();
    let sources = [Some(&args.recording), args.input_model.as_ref()];
    let sources: Vec<&Path> = sources.into_iter().flatten().map(PathBuf::as_path).collect();
    outputs::check(&files, &sources)?;

    let reader = Reader::open(&args.recording)?;
    // What the recording cannot give is left out, unless it is asked for.
    let name = args.estimator.mode.name();
    modes.retain(|mode| mode.name == name || is_known(&mode.estimator, &reader));
    let chosen = modes.iter().position(|it| it.name == name);
    let model = match &args.input_model {
        None => None,
        Some(path) => {
            let model = ModelFile::open(path)?;
            check_recorded(&model, &args.recording, &reader)?;
            Some((model.graph()?, path.display().to_string()))
        }
    };
    let report = Report::read(
        &reader,
        &args.recording.display().to_string(),
        Options {
            modes: &modes,
            chosen: chosen.unwrap_or(0),
            model: model.as_ref().map(|(model, path)| (model, path.as_str())),
            memory_budget: OBSERVATIONS,
        },
    )?;
    for (kind, path) in &outputs {
        outputs::write(path, &kind.text(&report)?, printer)?;
    }
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

/// Whether a recording has what an estimator needs.
fn is_known(estimator: &Estimator, reader: &Reader) -> bool {
    match (estimator, reader.header().histograms) {
        (Estimator::OfElements(estimator), Some(limit)) => estimator.check_bins(limit).is_ok(),
        (Estimator::OfElements(_), None) => false,
        _ => true,
    }
}

/// What is written where.
fn outputs(args: &ReportArgs) -> Vec<(Kind, PathBuf)> {
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
    outputs
}

#[derive(Clone, Copy)]
enum Kind {
    Page,
    Json,
    Csv,
    Svg,
}

impl Kind {
    fn text(self, report: &Report) -> Result<String> {
        match self {
            Self::Page => report.to_html(),
            Self::Json => report.to_json(),
            Self::Csv => report.to_csv(),
            Self::Svg => Ok(report.to_svg()),
        }
    }
}
