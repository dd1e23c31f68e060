//! From the values of `--input-data` to an ordered list of files.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::problems::Problems;
use super::{DataFormat, natural};

/// Extensions by which a shard in a directory is recognised.
fn extensions(format: DataFormat) -> &'static [&'static str] {
    match format {
        DataFormat::Auto => &["h5", "hdf5", "he5", "npy", "npz", "safetensors"],
        DataFormat::H5 => &["h5", "hdf5", "he5"],
        DataFormat::Npy => &["npy"],
        DataFormat::Npz => &["npz"],
        DataFormat::Safetensors => &["safetensors"],
        DataFormat::List => &["txt", "lst", "list"],
        DataFormat::Text => &["txt", "csv"],
        // Those are shards themselves.
        DataFormat::Directory => &[],
    }
}

/// The files that `data` stands for, in order; see [`open_with`](super::open_with).
///
/// A value that stands for nothing and a file that comes up twice are problems.
pub(super) fn locate(data: &[String], format: DataFormat, problems: &mut Problems) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for value in data {
        if let Err(problem) = expand(value, format, &mut paths) {
            problems.add(value, problem);
        }
    }
    report_doubles(&paths, problems);
    paths
}

/// Appends the files that one value stands for.
fn expand(value: &str, format: DataFormat, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    let path = Path::new(value);
    // A file whose name happens to contain `[` is taken by name.
    let is_pattern = value.contains(['*', '?', '[']) && path.symlink_metadata().is_err();
    if is_pattern {
        expand_pattern(value, format, paths)
    } else if path.is_dir() && format != DataFormat::Directory {
        expand_directory(path, format, paths)
    } else {
        // Whether it exists is checked with everything else when it is opened.
        paths.push(path.to_owned());
        Ok(())
    }
}

fn expand_directory(
    directory: &Path,
    format: DataFormat,
    paths: &mut Vec<PathBuf>,
) -> Result<(), String> {
    let listing = list_shards(directory, extensions(format))
        .map_err(|error| format!("cannot be listed: {error}"))?;
    if listing.is_empty() {
        let named = extensions(format).iter().map(|extension| format!(".{extension}"));
        let named = named.collect::<Vec<_>>().join(", ");
        let raw = match format {
            DataFormat::Auto => "; for raw files, give --input-data-format directory",
            _ => "",
        };
        return Err(format!("the directory has no shards (files named {named}){raw}"));
    }
    paths.extend(listing);
    Ok(())
}

/// The shards directly in a directory, in natural order. Hidden files are left out: they are what
/// editors and archive tools leave behind.
fn list_shards(directory: &Path, extensions: &[&str]) -> io::Result<Vec<PathBuf>> {
    let mut shards = Vec::new();
    for entry in directory.read_dir()? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        if !hidden && extensions.iter().any(|e| e.eq_ignore_ascii_case(extension)) {
            shards.push(path);
        }
    }
    sort_naturally(&mut shards);
    Ok(shards)
}

fn expand_pattern(
    pattern: &str,
    format: DataFormat,
    paths: &mut Vec<PathBuf>,
) -> Result<(), String> {
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
        if path.is_dir() && format != DataFormat::Directory {
            expand_directory(&path, format, paths)
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
