mod observations;
mod recording;
mod selection;

use crate::circle::{ModelFile, listing};
use crate::error::{Error, Result};

use self::recording::RecordingListing;
use super::super::ExitStatus;
use super::super::args::InspectArgs;
use super::super::printer::Printer;
use super::super::text::json;
use super::is_model;

/// Lists the content of a model or a recording on standard output.
pub(in crate::cli) fn run(args: &InspectArgs, printer: &Printer) -> Result<ExitStatus> {
    let estimator = args.estimator.estimator()?;
    let names = &args.tensor;
    if args.observations {
        observations::print(&args.file, names, printer)?;
        return Ok(ExitStatus::Success);
    }
    let text = if is_model(&args.file)? {
        if !names.is_empty() {
            return Err(Error::usage("--tensor selects tensors of a recording; this is a model")
                .with_hint(
                    "look for names in the text: `| grep -A1 NAME` shows quantization too",
                ));
        }
        let listing = listing(&ModelFile::open(&args.file)?);
        if args.json { json(&listing)? } else { listing.to_string() }
    } else {
        let listing = RecordingListing::read(&args.file, names, &estimator)?;
        if args.json { json(&listing)? } else { listing.text() }
    };
    printer.data(&text)?;
    Ok(ExitStatus::Success)
}
