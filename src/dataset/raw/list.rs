//! A text file that lists records, one a line.

use std::path::{Path, PathBuf};

use crate::dataset::lines::Lines;
use crate::dataset::listing::plural;
use crate::dataset::problems::Fault;

/// An open list.
///
/// A line has a path for each input, separated by spaces, those with spaces in double quotes; or one
/// path. Paths that are not absolute start in the current directory, or where the list is if the first
/// file is not there.
pub(super) struct List {
    lines: Lines,
    inputs: usize,
    /// What is put before paths that are not absolute.
    base: PathBuf,
}

impl List {
    /// # Errors
    /// What is wrong with it, to be put after its name.
    pub fn open(path: &Path, inputs: usize) -> Result<Self, String> {
        let mut list = Self { lines: Lines::open(path)?, inputs, base: PathBuf::new() };
        let first = list.paths(0).map_err(|fault| format!("record 0 {}", fault.message))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let (Some(first), Some(folder)) = (first.first(), folder)
            && !first.exists()
        {
            folder.clone_into(&mut list.base);
        }
        Ok(list)
    }

    /// A list of records with as many files as the first line has paths.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub fn open_any(path: &Path) -> Result<Self, String> {
        let mut lines = Lines::open(path)?;
        let first = lines.read(0).map_err(|error| format!("cannot be read: {error}"))?;
        Self::open(path, split(first.trim()).map_or(1, |paths| paths.len()))
    }

    pub fn records(&self) -> u64 {
        self.lines.count()
    }

    /// The files of a record.
    pub fn paths(&mut self, record: u64) -> Result<Vec<PathBuf>, Fault> {
        let line = self
            .lines
            .read(record)
            .map_err(|error| Fault::of_record(format!("is not in the list: {error}")))?;
        let line = line.trim();
        let paths = split(line).filter(|paths| self.inputs > 1 || paths.len() == 1);
        // Without quotes, a line for one input is its path, spaces and all.
        let paths = paths.unwrap_or_else(|| vec![line]);
        if paths.len() != 1 && paths.len() != self.inputs {
            let message = format!(
                "has {}, the model has {}",
                plural(paths.len() as u64, "path"),
                plural(self.inputs as u64, "input")
            );
            return Err(Fault::of_record(message));
        }
        Ok(paths.into_iter().map(|path| self.base.join(path)).collect())
    }
}

/// The words of a line; those in double quotes may have spaces. `None` if a quote does not end.
fn split(line: &str) -> Option<Vec<&str>> {
    let (mut words, mut rest) = (Vec::new(), line.trim_start());
    while !rest.is_empty() {
        let (word, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        words.push(word);
        rest = behind.trim_start();
    }
    Some(words)
}
