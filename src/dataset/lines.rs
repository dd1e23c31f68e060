//! Lines of a text file by number, without keeping them.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;

use super::files;

/// Every so many lines, the position of one is kept.
const STEP: u64 = 256;

/// An open text file, none of whose lines is empty.
pub(super) struct Lines {
    reader: BufReader<File>,
    count: u64,
    /// Positions of lines 0, [`STEP`], ...
    positions: Vec<u64>,
    /// The line that comes next.
    next: u64,
}

impl Lines {
    /// Opens a file and counts its lines. Empty lines at its end do not count.
    ///
    /// # Errors
    /// What is wrong with it, to be put after its name.
    pub fn open(path: &Path) -> Result<Self, String> {
        let reader = BufReader::new(files::open(path)?);
        let mut lines = Self { reader, count: 0, positions: Vec::new(), next: 0 };
        lines.index()?;
        Ok(lines)
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
                blank.get_or_insert(self.count + 1);
            } else if let Some(blank) = blank {
                return Err(format!("line {blank} is empty"));
            } else {
                if self.count.is_multiple_of(STEP) {
                    self.positions.push(position);
                }
                self.count += 1;
            }
            position += len as u64;
        }
        self.next = self.count;
        if self.count == 0 {
            return Err("has no records: it has no lines".to_owned());
        }
        Ok(())
    }

    /// Number of lines.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// A line, with its end. In order they are fast.
    ///
    /// # Errors
    /// If it is not there any more, or not UTF-8.
    pub fn read(&mut self, number: u64) -> io::Result<String> {
        if number != self.next {
            let position = usize::try_from(number / STEP).ok().and_then(|i| self.positions.get(i));
            let position = *position.ok_or(io::ErrorKind::UnexpectedEof)?;
            self.reader.seek(SeekFrom::Start(position))?;
            for _ in 0..number % STEP {
                self.reader.skip_until(b'\n')?;
            }
        }
        let mut line = String::new();
        self.next = u64::MAX;
        self.reader.read_line(&mut line)?;
        self.next = number + 1;
        Ok(line)
    }
}
