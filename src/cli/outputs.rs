//! What a command writes for other tools: to files, each whole or not at all, or to standard output.

use std::path::Path;

use super::config::{check_writable, is_same_file};
use super::printer::Printer;
use crate::error::{Error, Result};
use crate::output;

/// Checks, before any work, that outputs can be written where they are asked for.
///
/// # Errors
/// [`Usage`](crate::error::ErrorKind::Usage) if two are the same file or one is a source,
/// [`Io`](crate::error::ErrorKind::Io) if one cannot be written.
pub(super) fn check(outputs: &[&Path], sources: &[&Path]) -> Result<()> {
    for (i, path) in outputs.iter().enumerate() {
        if outputs[..i].iter().any(|other| is_same_file(other, path)) {
            let place =
                if is_stdout(path) { "standard output".into() } else { path.to_string_lossy() };
            return Err(Error::usage(format!("two outputs would go to {place}"))
                .with_hint("give each a file of its own"));
        }
        if is_stdout(path) {
            continue;
        }
        if sources.iter().any(|it| is_same_file(it, path)) {
            return Err(Error::usage(format!(
                "the output {} would overwrite one of its sources",
                path.display()
            ))
            .with_hint("choose another file"));
        }
        check_writable(path)?;
    }
    Ok(())
}

/// Writes an output.
///
/// # Errors
/// [`Io`](crate::error::ErrorKind::Io).
pub(super) fn write(path: &Path, text: &str, printer: &Printer) -> Result<()> {
    if is_stdout(path) {
        return printer.data(text);
    }
    output::write(path, text.as_bytes())?;
    printer.say(format_args!("{}: written", path.display()));
    Ok(())
}

/// Whether an output goes to standard output.
pub(super) fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}
