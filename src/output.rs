//! Files that are there whole or not at all.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// Writes `parts` to `output`, once `check` has agreed to what arrived on the disk. What was at
/// `output` stays until then, and stays readable for whoever has it open.
///
/// When this returns, the file survives a loss of power.
pub(crate) fn write_checked(
    output: &Path,
    parts: &[&[u8]],
    check: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let folder = match output.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let fail = |action: &'static str| move |e| Error::io(action, output, e);
    let mut file = temporary(output, folder).map_err(|e| {
        Error::io("create a file in", folder, e).with_hint("the folder must exist and be writable")
    })?;
    for part in parts {
        file.write_all(part).map_err(fail("write"))?;
    }
    file.as_file().sync_all().map_err(fail("write"))?;
    check(file.path())?;
    file.persist(output).map_err(|e| Error::io("replace", output, e.error))?;
    // The name is in the folder, and so is the folder's to be synced.
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(|e| Error::io("sync", folder, e))
}

/// Writes `text` to `output`, as [`write_checked`] does.
pub(crate) fn write(output: &Path, text: &[u8]) -> Result<()> {
    write_checked(output, &[text], |_| Ok(()))
}

/// A file beside `output`, with the permissions of any new file.
fn temporary(output: &Path, folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut name = std::ffi::OsString::from(".");
    name.push(output.file_name().unwrap_or_default());
    name.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&name).suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}
