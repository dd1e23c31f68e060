//! A text file that lists records, one a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::dataset::files;
use crate::dataset::listing::plural;
use crate::dataset::problems::Fault;

/// Every so many lines, the position of one is kept.
const STEP: u64 = 256;

/// An open list.
///
/// A line has a path for each input, separated by spaces, those with spaces in double quotes; or one
/// path. Paths that are not absolute start in the current directory, or where the list is if the first
/// file is not there.
pub(super) struct List {
    reader: BufReader<File>,
    inputs: usize,
    /// What is put before paths that are not absolute.
    base: PathBuf,
    records: u64,
    /// Positions of lines 0, [`STEP`], ...
    positions: Vec<u64>,
    /// The line that comes next.
    next: u64,
}

impl List {
    /// # Errors
    /// What is wrong with it, to be put after its name.
    pub fn open(path: &Path, inputs: usize) -> Result<Self, String> {
        let file = files::open(path)?;
        let mut list = Self {
            reader: BufReader::new(file),
            inputs,
            base: PathBuf::new(),
            records: 0,
            positions: Vec::new(),
            next: 0,
        };
        list.index()?;
        let first = list.paths(0).map_err(|fault| format!("record 0 {}", fault.message))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let (Some(first), Some(folder)) = (first.first(), folder)
            && !first.exists()
        {
            folder.clone_into(&mut list.base);
        }
        Ok(list)
    }

    /// Counts the lines and keeps some of their positions.
    fn index(&mut self) -> Result<(), String> {
        let (mut position, mut blank) = (0, None);
        let mut line = Vec::new();
        loop {
            line.clear();
            let len = self.reader.read_until(b'\n', &mut line);
            let len = len.map_err(|error| format!("cannot be read: {error}"))?;
            if len == 0 {
                break;
            }
            if line.trim_ascii().is_empty() {
                blank.get_or_insert(self.records + 1);
            } else if let Some(blank) = blank {
                return Err(format!("line {blank} is empty: every line is a record"));
            } else {
                if self.records.is_multiple_of(STEP) {
                    self.positions.push(position);
                }
                self.records += 1;
            }
            position += len as u64;
        }
        self.next = self.records;
        if self.records == 0 {
            return Err("has no records: it has no lines".to_owned());
        }
        Ok(())
    }

    pub fn records(&self) -> u64 {
        self.records
    }

    /// The files of a record.
    pub fn paths(&mut self, record: u64) -> Result<Vec<PathBuf>, Fault> {
        let line = self
            .line(record)
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

    fn line(&mut self, record: u64) -> std::io::Result<String> {
        if record != self.next {
            let position = usize::try_from(record / STEP).ok().and_then(|i| self.positions.get(i));
            let position = *position.ok_or(std::io::ErrorKind::UnexpectedEof)?;
            self.reader.seek(SeekFrom::Start(position))?;
            for _ in 0..record % STEP {
                self.reader.skip_until(b'\n')?;
            }
        }
        let mut line = String::new();
        self.next = u64::MAX;
        self.reader.read_line(&mut line)?;
        self.next = record + 1;
        Ok(line)
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
