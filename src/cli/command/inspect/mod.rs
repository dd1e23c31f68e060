mod observations;
mod recording;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Serialize;

use crate::circle::{ModelFile, listing};
use crate::error::{Error, ErrorKind, Result};

use self::recording::RecordingListing;
use super::super::ExitStatus;
use super::super::args::InspectArgs;
use super::super::printer::Printer;

/// Lists the content of a model or a recording on standard output.
pub(in crate::cli) fn run(args: &InspectArgs, printer: &Printer) -> Result<ExitStatus> {
    let estimator = args.estimator.estimator()?;
    if args.observations {
        observations::print(&args.file, printer)?;
        return Ok(ExitStatus::Success);
    }
    let text = if is_model(&args.file)? {
        let listing = listing(&ModelFile::open(&args.file)?);
        if args.json { json(&listing)? } else { listing.to_string() }
    } else {
        let listing = RecordingListing::read(&args.file, &estimator)?;
        if args.json { json(&listing)? } else { listing.text() }
    };
    printer.data(&text)?;
    Ok(ExitStatus::Success)
}

/// By content, and by name where that says nothing.
fn is_model(path: &Path) -> Result<bool> {
    let failed = |error| Error::io("open", path, error);
    let mut start = Vec::new();
    File::open(path).map_err(failed)?.take(8).read_to_end(&mut start).map_err(failed)?;
    let has_identifier = start.ends_with(b"CIR0") || start.ends_with(b"TFL3");
    let has_name = path.extension().is_some_and(|it| it == "circle" || it == "tflite");
    Ok(has_identifier || has_name)
}

fn json(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value).map_err(|error| {
        Error::new(ErrorKind::Internal, "cannot be written as JSON").with_source(error)
    })?;
    Ok(text + "\n")
}
