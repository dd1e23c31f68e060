//! Files that can be opened, and why others cannot.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::nearest::{did_you_mean, nearest_file};

/// The length of a regular file.
///
/// # Errors
/// What is wrong with it, to be put after its name; so it is with all functions.
pub(super) fn check(path: &Path) -> Result<u64, String> {
    let metadata = path.metadata().map_err(|error| describe(&error))?;
    if metadata.is_dir() {
        return Err("is a directory".to_owned());
    }
    // Opening a pipe would block.
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    Ok(metadata.len())
}

/// Checks that there is something, and says otherwise what was probably meant.
pub(super) fn check_exists(path: &Path) -> Result<(), String> {
    match path.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(match nearest_file(path) {
            Some(meant) => format!("{}; {}", describe(&error), did_you_mean(meant.display())),
            None => describe(&error),
        }),
        // What else is wrong is found when it is opened.
        _ => Ok(()),
    }
}

/// Opens a regular file.
pub(super) fn open(path: &Path) -> Result<File, String> {
    check(path)?;
    File::open(path).map_err(|error| describe(&error))
}

/// Why a file cannot be opened.
pub(super) fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "cannot be opened: permission denied".to_owned(),
        _ => format!("cannot be opened: {error}"),
    }
}
