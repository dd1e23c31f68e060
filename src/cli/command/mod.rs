//! One file per command.

pub(super) mod compare;
pub(super) mod dataset;
pub(super) mod embed;
pub(super) mod import;
pub(super) mod import_minmax;
pub(super) mod inspect;
pub(super) mod merge;
pub(super) mod record;
pub(super) mod report;
pub(super) mod usage;
pub(super) mod verify;

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::circle::{ModelFile, source_fingerprint};
use crate::error::{Error, Result};
use crate::recording::Reader;

use super::text;

/// Checks that a recording was made with this model.
fn check_recorded(model: &ModelFile, recording: &Path, reader: &Reader) -> Result<()> {
    if source_fingerprint(model)? == reader.header().model {
        return Ok(());
    }
    Err(Error::recording(format!(
        "{} was made with another model than {}",
        recording.display(),
        model.path().display()
    ))
    .with_hint("give the model file that was recorded, byte for byte"))
}

/// The command that goes on with what this process did.
fn resume_command() -> String {
    let dropped = |word: &OsString| word == "--overwrite" || word == "--resume";
    let words = env::args_os().filter(|word| !dropped(word)).chain(["--resume".into()]);
    text::shell_line(words)
}

/// Whether a file is a model, or else a recording: by content, and by name where that says nothing.
fn is_model(path: &Path) -> Result<bool> {
    let failed = |error| Error::open("open", path, error);
    let mut start = Vec::new();
    File::open(path).map_err(failed)?.take(8).read_to_end(&mut start).map_err(failed)?;
    let has_identifier = start.ends_with(b"CIR0") || start.ends_with(b"TFL3");
    let has_name = path.extension().is_some_and(|it| it == "circle" || it == "tflite");
    Ok(has_identifier || has_name)
}
