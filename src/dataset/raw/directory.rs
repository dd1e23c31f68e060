//! A directory of raw files.

use std::path::{Path, PathBuf};

use crate::dataset::problems::Fault;
use crate::dataset::{files, natural};

/// Problems that are named.
const NAMED: usize = 4;

/// The records in a directory, in natural order of their names: a file each or, where all names end in
/// the number of an input, `<record>.<input>`, one file an input. Hidden files do not count.
pub(super) struct Directory {
    path: PathBuf,
    /// Names of the records.
    names: Vec<String>,
    /// Files of each record.
    inputs: usize,
}

impl Directory {
    /// # Errors
    /// All that is wrong with it, to be put after its name.
    pub fn open(path: &Path, inputs: usize) -> Result<Self, Vec<String>> {
        let mut names = list(path).map_err(|problem| vec![problem])?;
        if names.is_empty() {
            return Err(vec!["has no records: the directory has no files".to_owned()]);
        }
        names.sort_by(|a, b| natural::compare(a, b));
        let numbered = |name: &String| {
            let (record, input) = name.rsplit_once('.')?;
            let input = input.parse::<usize>().ok().filter(|it| *it < inputs)?;
            Some((record.to_owned(), input))
        };
        let numbered: Option<Vec<_>> = names.iter().map(numbered).collect();
        let Some(numbered) = numbered.filter(|_| inputs > 1) else {
            return Ok(Self { path: path.to_owned(), names, inputs: 1 });
        };
        // Natural order puts the files of a record side by side.
        let (mut names, mut problems) = (Vec::new(), Vec::new());
        for of_record in numbered.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((name, _)) = of_record.first() else { continue };
            let missing = (0..inputs).find(|input| !of_record.iter().any(|(_, it)| it == input));
            match missing {
                Some(input) => problems.push(format!("there is no file {name}.{input}")),
                None => names.push(name.clone()),
            }
        }
        if let Some(more @ 1..) = problems.len().checked_sub(NAMED) {
            problems.truncate(NAMED);
            problems.push(format!("... and {more} more files are missing"));
        }
        if problems.is_empty() {
            Ok(Self { path: path.to_owned(), names, inputs })
        } else {
            Err(problems)
        }
    }

    pub fn records(&self) -> u64 {
        self.names.len() as u64
    }

    /// The files of a record.
    pub fn paths(&self, record: u64) -> Result<Vec<PathBuf>, Fault> {
        let name = usize::try_from(record).ok().and_then(|record| self.names.get(record));
        let name = name.ok_or_else(|| Fault::of_record("is not there"))?;
        if self.inputs == 1 {
            return Ok(vec![self.path.join(name)]);
        }
        let files = (0..self.inputs).map(|input| self.path.join(format!("{name}.{input}")));
        Ok(files.collect())
    }
}

/// How many files a record in a directory has, by their names: one, unless all are numbered.
///
/// # Errors
/// Why it cannot be listed.
pub(super) fn inputs_of(path: &Path) -> Result<usize, String> {
    let names = list(path)?;
    let number = |name: &String| name.rsplit_once('.')?.1.parse::<usize>().ok();
    let numbers: Option<Vec<usize>> = names.iter().map(number).collect();
    let most = numbers.and_then(|it| it.into_iter().max()).unwrap_or(0);
    Ok(most.min(names.len()) + 1)
}

/// The names of the files in a directory.
fn list(path: &Path) -> Result<Vec<String>, String> {
    let unlisted = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotADirectory => "is not a directory".to_owned(),
        _ => files::describe(&error),
    };
    let mut names = Vec::new();
    for entry in path.read_dir().map_err(unlisted)? {
        let entry = entry.map_err(unlisted)?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") || !entry.path().is_file() {
            continue;
        }
        let Some(name) = name.to_str() else {
            return Err(format!("has a file whose name is not valid UTF-8: {}", name.display()));
        };
        names.push(name.to_owned());
    }
    Ok(names)
}
