use crate::circle::{ModelFile, import};
use crate::error::{Error, Result};

use super::super::ExitStatus;
use super::super::args::ImportArgs;
use super::super::config::{check_writable, is_same_file};
use super::super::printer::Printer;

/// Converts a TFLite model to circle.
pub(in crate::cli) fn run(args: &ImportArgs, printer: &Printer) -> Result<ExitStatus> {
    if is_same_file(&args.output, &args.model) {
        return Err(Error::usage("the output would overwrite the model")
            .with_hint("choose another --output"));
    }
    check_writable(&args.output)?;
    import(&ModelFile::open(&args.model)?, &args.output)?;
    printer.say(format_args!("{}: written", args.output.display()));
    Ok(ExitStatus::Success)
}
