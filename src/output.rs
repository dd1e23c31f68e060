//! Files that are there whole or not at all.
#![forbid(unsafe_code)]

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// A file that is being written beside the place where it will be.
pub(crate) struct Pending {
    file: NamedTempFile,
    output: PathBuf,
}

impl Pending {
    /// A new, empty file. It is removed if it is dropped.
    ///
    /// # Errors
    /// [`Io`](crate::error::ErrorKind::Io) if the folder of `output` cannot be written.
    pub fn create(output: &Path) -> Result<Self> {
        let folder = folder(output);
        let file = temporary(output, folder).map_err(|e| {
            Error::io("create a file in", folder, e)
                .with_hint("the folder must exist and be writable")
        })?;
        Ok(Self { file, output: output.to_owned() })
    }

    /// Where it is until then.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Gives it its name, in place of the file that has it, if `replace`. When this returns, it survives a loss of
    /// power.
    ///
    /// # Errors
    /// [`Io`](crate::error::ErrorKind::Io) if it cannot be synced or renamed.
    pub fn publish(self, replace: bool) -> Result<()> {
        let Self { file, output } = self;
        file.as_file().sync_all().map_err(|e| Error::io("write", &output, e))?;
        let renamed = if replace {
            file.persist(&output)
        } else {
            file.persist_noclobber(&output).or_else(|failed| match failed.error.kind() {
                io::ErrorKind::AlreadyExists => Err(failed),
                // Some file systems cannot rename without replacing.
                _ => failed.file.persist(&output),
            })
        };
        renamed.map_err(|e| Error::io("write", &output, e.error))?;
        // The name is in the folder, and so is the folder's to be synced.
        let folder = folder(&output);
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|e| Error::io("sync", folder, e))
    }
}

/// Writes `parts` to `output`, once `check` has agreed to what arrived on the disk. What was at
/// `output` stays until then, and stays readable for whoever has it open.
///
/// When this returns, the file survives a loss of power.
pub(crate) fn write_checked(
    output: &Path,
    parts: &[&[u8]],
    check: impl FnOnce(&Path) -> Result<()>,
) -> Result<()> {
    let fail = |e| Error::io("write", output, e);
    let mut pending = Pending::create(output)?;
    for part in parts {
        pending.file.write_all(part).map_err(fail)?;
    }
    pending.file.as_file().sync_all().map_err(fail)?;
    check(pending.path())?;
    pending.publish(true)
}

/// Writes `text` to `output`, as [`write_checked`] does.
pub(crate) fn write(output: &Path, text: &[u8]) -> Result<()> {
    write_checked(output, &[text], |_| Ok(()))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A file beside `output`, with the permissions of any new file.
fn temporary(output: &Path, folder: &Path) -> io::Result<NamedTempFile> {
    let mut name = std::ffi::OsString::from(".");
    name.push(output.file_name().unwrap_or_default());
    name.push(".");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&name).suffix(".part");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}
