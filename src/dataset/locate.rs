//! From the values of `--input-data` to an ordered list of files.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::problems::Problems;
use super::{DataFormat, natural};

/// Which files are looked for.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    /// Extensions by which those in a directory are recognised.
    extensions: &'static [&'static str],
    /// Whether directories are shards themselves.
    takes_directories: bool,
    /// Whether directories in directories are looked into.
    is_deep: bool,
    /// What to do where there are none.
    advice: &'static str,
}

impl Wanted {
    /// Images, also in the directories of classes.
    pub const IMAGES: Self = Self {
        extensions: &["jpg", "jpeg", "jpe", "png"],
        takes_directories: false,
        is_deep: true,
        advice: "",
    };

    /// Shards of a format.
    pub fn shards(format: DataFormat) -> Self {
        let extensions: &[&str] = match format {
            DataFormat::Auto => &["h5", "hdf5", "he5", "npy", "npz", "safetensors"],
            DataFormat::H5 => &["h5", "hdf5", "he5"],
            DataFormat::Npy => &["npy"],
            DataFormat::Npz => &["npz"],
            DataFormat::Safetensors => &["safetensors"],
            DataFormat::List => &["txt", "lst", "list"],
            DataFormat::Text => &["txt", "csv"],
            DataFormat::Onert => &["h5", "minmax", "bin"],
            DataFormat::Directory => &[],
        };
        let advice = match format {
            DataFormat::Auto => {
                "; for raw files, give --input-data-format directory; images are made a dataset with \
                 `dataset pack`"
            }
            _ => "",
        };
        let takes_directories = format == DataFormat::Directory;
        Self { extensions, takes_directories, is_deep: false, advice }
    }

    /// Whether a file is wanted, by its name. Hidden files are not: they are what editors and archive
    /// tools leave behind.
    pub fn has(self, path: &Path) -> bool {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        !is_hidden(path) && self.extensions.iter().any(|e| e.eq_ignore_ascii_case(extension))
    }
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
}

/// The files that `data` stands for, in order; see [`open_with`](super::open_with).
///
/// A value that stands for nothing and a file that comes up twice are problems.
pub(super) fn locate(data: &[String], wanted: Wanted, problems: &mut Problems) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for value in data {
        if let Err(problem) = expand(value, wanted, &mut paths) {
            problems.add(value, problem);
        }
    }
    report_doubles(&paths, problems);
    paths
}

/// Appends the files that one value stands for.
fn expand(value: &str, wanted: Wanted, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    let path = Path::new(value);
    // A file whose name happens to contain `[` is taken by name.
    let is_pattern = value.contains(['*', '?', '[']) && path.symlink_metadata().is_err();
    if is_pattern {
        expand_pattern(value, wanted, paths)
    } else if path.is_dir() && !wanted.takes_directories {
        expand_directory(path, wanted, paths)
    } else {
        // Whether it exists is checked with everything else when it is opened.
        paths.push(path.to_owned());
        Ok(())
    }
}

fn expand_directory(
    directory: &Path,
    wanted: Wanted,
    paths: &mut Vec<PathBuf>,
) -> Result<(), String> {
    let mut listing = Vec::new();
    list(directory, wanted, &mut listing).map_err(|error| format!("cannot be listed: {error}"))?;
    if listing.is_empty() {
        let named = wanted.extensions.iter().map(|extension| format!(".{extension}"));
        let named = named.collect::<Vec<_>>().join(", ");
        let what = if wanted.is_deep { "images" } else { "shards" };
        return Err(format!("the directory has no {what} (files named {named}){}", wanted.advice));
    }
    sort_naturally(&mut listing);
    paths.extend(listing);
    Ok(())
}

/// Adds the wanted files in a directory.
fn list(directory: &Path, wanted: Wanted, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in directory.read_dir()? {
        let entry = entry?;
        let path = entry.path();
        // Links to directories may lead back to where they are.
        if wanted.is_deep && entry.file_type()?.is_dir() {
            if !is_hidden(&path) {
                list(&path, wanted, paths)?;
            }
        } else if wanted.has(&path) {
            paths.push(path);
        }
    }
    Ok(())
}

fn expand_pattern(pattern: &str, wanted: Wanted, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    // As in a shell, `*` does not match hidden files.
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..Default::default() };
    let entries = glob::glob_with(pattern, options)
        .map_err(|error| format!("is not a valid pattern: {}", error.msg))?;
    let mut matches = Vec::new();
    for entry in entries {
        matches.push(entry.map_err(|error| {
            format!("cannot look into {}: {}", error.path().display(), error.error())
        })?);
    }
    if matches.is_empty() {
        return Err("no file matches this pattern".to_owned());
    }
    sort_naturally(&mut matches);
    for path in matches {
        if path.is_dir() && !wanted.takes_directories {
            expand_directory(&path, wanted, paths)
                .map_err(|problem| format!("{}: {problem}", path.display()))?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}

fn sort_naturally(paths: &mut [PathBuf]) {
    paths.sort_by(|a, b| {
        natural::compare(&a.to_string_lossy(), &b.to_string_lossy()).then_with(|| a.cmp(b))
    });
}

/// A file that is given twice, be it by two names: its records would count twice, and its place in
/// the order would be ambiguous.
fn report_doubles(paths: &[PathBuf], problems: &mut Problems) {
    let mut seen: HashMap<PathBuf, &Path> = HashMap::with_capacity(paths.len());
    for path in paths {
        // A file that does not exist is reported when it is opened.
        let Ok(canonical) = path.canonicalize() else { continue };
        if let Some(first) = seen.insert(canonical, path) {
            let problem = if first == path {
                "is given twice".to_owned()
            } else {
                format!("is the same file as {}", first.display())
            };
            problems.add(&path.display().to_string(), problem);
        }
    }
}
