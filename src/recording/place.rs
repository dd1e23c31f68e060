//! Files of recordings: lock, creation, replacement.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::error::{Error, Result};

/// How often a file that is replaced while it is opened is opened again.
const ATTEMPTS: usize = 16;

/// A locked file that has no name yet that anybody looks for.
pub(super) struct Unpublished {
    temporary: TempPath,
    target: PathBuf,
    /// The recording to be replaced, locked so that nobody writes to it.
    replaced: Option<File>,
}

/// Opens a recording to write to it, locked.
///
/// # Errors
/// [`Recording`](crate::error::ErrorKind::Recording) if another process has it,
/// [`Io`](crate::error::ErrorKind::Io) if it cannot be opened.
pub(super) fn open_locked(path: &Path) -> Result<File> {
    for _ in 0..ATTEMPTS {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(|error| Error::open("open", path, error))?;
        lock(&file, path)?;
        if is_at(&file, path) {
            return Ok(file);
        }
    }
    Err(in_use(path))
}

/// Opens the recording that is to be replaced, if there is one, so that nobody writes to it.
///
/// # Errors
/// As [`open_locked`].
pub(super) fn lock_existing(path: &Path) -> Result<Option<File>> {
    path.symlink_metadata().is_ok().then(|| open_locked(path)).transpose()
}

/// Makes an empty, locked file which [`Unpublished::publish`] will put at `target`, in place of the
/// file `replaced`.
///
/// # Errors
/// [`Recording`](crate::error::ErrorKind::Recording) if there is a recording and it is not to be
/// replaced; [`Io`](crate::error::ErrorKind::Io) if the file cannot be made.
pub(super) fn create_locked(target: &Path, replaced: Option<File>) -> Result<(File, Unpublished)> {
    if replaced.is_none() && target.symlink_metadata().is_ok() {
        return Err(already_there(target));
    }
    let name = target.file_name().ok_or_else(|| {
        Error::usage(format!("{} is not a file name for a recording", target.display()))
    })?;
    let mut builder = tempfile::Builder::new();
    let prefix = [".".as_ref(), name, ".".as_ref()].join("".as_ref() as &std::ffi::OsStr);
    builder.prefix(&prefix).suffix(".new");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let temporary = builder.tempfile_in(folder(target));
    let temporary = temporary.map_err(|error| Error::io("create a file for", target, error))?;
    let (file, temporary) = temporary.into_parts();
    lock(&file, target)?;
    Ok((file, Unpublished { temporary, target: target.to_owned(), replaced }))
}

impl Unpublished {
    /// Gives the file its name. Its content must be durable.
    ///
    /// # Errors
    /// [`Recording`](crate::error::ErrorKind::Recording) if there is a file by now,
    /// [`Io`](crate::error::ErrorKind::Io) if it cannot be renamed.
    pub fn publish(self) -> Result<()> {
        let Self { temporary, target, replaced } = self;
        let renamed = match replaced {
            Some(_) => temporary.persist(&target),
            None => temporary.persist_noclobber(&target).or_else(|failed| {
                // Some file systems cannot rename without replacing.
                match failed.error.kind() {
                    io::ErrorKind::AlreadyExists => Err(failed),
                    _ => failed.path.persist(&target),
                }
            }),
        };
        renamed.map_err(|failed| match failed.error.kind() {
            io::ErrorKind::AlreadyExists => already_there(&target),
            _ => Error::io("create", &target, failed.error),
        })?;
        sync_folder(folder(&target))
            .map_err(|error| Error::io("sync the folder of", &target, error))
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// A new name is durable only when its folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) {
        match File::open(folder)?.sync_all() {
            // Some network file systems refuse, and have nothing to sync.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {}
            other => other?,
        }
    }
    Ok(())
}

/// The lock lasts until the file is closed, also by the death of the process. File systems without
/// locks are used without.
fn lock(file: &File, path: &Path) -> Result<()> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(in_use(path)),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(TryLockError::Error(error)) => Err(Error::io("lock", path, error)),
    }
}

/// Whether `file` still has the name `path`: it may have been replaced before it was locked.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), path.metadata()) {
        (Ok(file), Ok(named)) => (file.dev(), file.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// An open file is not replaced here.
#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

fn in_use(path: &Path) -> Error {
    Error::recording(format!("{} is in use by another process", path.display()))
        .with_hint("wait until it has finished, or give another --checkpoint")
}

fn already_there(path: &Path) -> Error {
    Error::recording(format!("{} exists already", path.display()))
        .with_hint("go on with it by --resume, or replace it by --overwrite")
}
