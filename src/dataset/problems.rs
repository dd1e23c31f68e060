//! All problems of a dataset in one error.

use std::fmt::Write;

use super::InputSpec;
use crate::error::{Error, Result};

/// Distinct problems listed for one place (a shard, a value of `--input-data`).
const LISTED_PER_PLACE: usize = 8;
/// Places whose problems are listed.
const LISTED_PLACES: usize = 25;

/// What is wrong with one record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The input it is about, by position.
    pub input: Option<usize>,
    /// For instance `has shape [1], the model expects [2]`.
    pub message: String,
}

impl Fault {
    /// A fault of the record as a whole.
    pub fn of_record(message: impl Into<String>) -> Self {
        Self { input: None, message: message.into() }
    }

    /// A fault of one input.
    pub fn of_input(input: usize, message: impl Into<String>) -> Self {
        Self { input: Some(input), message: message.into() }
    }

    /// `record 3, input 0 ("x"): has shape ..`
    pub fn describe(&self, record: u64, inputs: &[InputSpec]) -> String {
        match self.input {
            Some(index) => {
                format!("record {record}, {}: {}", name_input(index, inputs), self.message)
            }
            None => format!("record {record} {}", self.message),
        }
    }
}

/// `input 0 ("x")`
pub(crate) fn name_input(index: usize, inputs: &[InputSpec]) -> String {
    match inputs.get(index) {
        Some(input) => format!("input {index} (\"{}\")", input.name),
        None => format!("input {index}"),
    }
}

/// The problems of one shard. The same fault in many records is one problem.
pub(super) struct ShardReport {
    /// Distinct problems that are listed.
    limit: usize,
    problems: Vec<String>,
    faults: Vec<FaultGroup>,
    omitted: u64,
    skippable: bool,
}

struct FaultGroup {
    fault: Fault,
    first: u64,
    records: u64,
}

impl Default for ShardReport {
    fn default() -> Self {
        Self::with_limit(LISTED_PER_PLACE)
    }
}

impl ShardReport {
    /// Lists so many distinct problems, and counts the others.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, problems: Vec::new(), faults: Vec::new(), omitted: 0, skippable: false }
    }

    /// An empty one that lists as many.
    pub fn another(&self) -> Self {
        Self::with_limit(self.limit)
    }

    /// Whether there is no problem.
    pub fn is_empty(&self) -> bool {
        self.listed() == 0
    }

    /// Whether some record has this fault.
    pub fn has_fault(&self, fault: &Fault) -> bool {
        self.faults.iter().any(|group| group.fault == *fault)
    }

    /// Adds a problem of the shard as a whole.
    pub fn add(&mut self, problem: impl Into<String>) {
        if self.listed() < self.limit {
            self.problems.push(problem.into());
        } else {
            self.omitted += 1;
        }
    }

    /// Adds a fault of one record.
    pub fn add_fault(&mut self, record: u64, fault: Fault) {
        let listed = self.listed();
        if let Some(group) = self.faults.iter_mut().find(|group| group.fault == fault) {
            group.records += 1;
        } else if listed < self.limit {
            self.faults.push(FaultGroup { fault, first: record, records: 1 });
        } else {
            self.omitted += 1;
        }
    }

    /// Adds the faults of records that `other` has; `skippable` if there are good records too.
    pub fn append_faults(&mut self, other: Self, skippable: bool) {
        self.skippable = skippable;
        for group in other.faults {
            if self.listed() < self.limit {
                self.faults.push(group);
            } else {
                self.omitted += group.records;
            }
        }
        self.omitted += other.omitted;
    }

    /// Whether the shard could be used without its bad records.
    fn is_skippable(&self) -> bool {
        self.skippable && self.problems.is_empty()
    }

    fn listed(&self) -> usize {
        self.problems.len() + self.faults.len()
    }

    fn lines(&self, inputs: &[InputSpec]) -> Vec<String> {
        let mut lines = self.problems.clone();
        for FaultGroup { fault, first, records } in &self.faults {
            let mut line = fault.describe(*first, inputs);
            match records - 1 {
                0 => {}
                1 => line.push_str(" (the same in 1 more record)"),
                more => {
                    let _ = write!(line, " (the same in {more} more records)");
                }
            }
            lines.push(line);
        }
        if self.omitted > 0 {
            lines.push(format!("... and {} more", self.omitted));
        }
        lines
    }
}

/// The problems of all shards.
pub(super) struct Problems {
    lines: Vec<String>,
    places: usize,
    /// Places whose problems are listed.
    limit: usize,
    /// Whether all problems are of records that could be left out.
    skippable: bool,
}

impl Default for Problems {
    fn default() -> Self {
        Self { lines: Vec::new(), places: 0, limit: LISTED_PLACES, skippable: false }
    }
}

impl Problems {
    /// Lists the problems of any number of places.
    pub fn unlimited() -> Self {
        Self { limit: usize::MAX, ..Self::default() }
    }

    /// Each problem with its place.
    pub fn into_lines(self) -> Vec<String> {
        self.lines
    }

    /// Adds one problem of a place (a path as it was given).
    pub fn add(&mut self, place: &str, problem: impl Into<String>) {
        let mut report = ShardReport::default();
        report.add(problem);
        self.add_report(place, &report, &[]);
    }

    /// Adds the problems of a shard, if there are any.
    pub fn add_report(&mut self, place: &str, report: &ShardReport, inputs: &[InputSpec]) {
        if report.listed() == 0 {
            return;
        }
        self.skippable = report.is_skippable() && (self.skippable || self.places == 0);
        self.places += 1;
        if self.places > self.limit {
            return;
        }
        self.lines.extend(report.lines(inputs).into_iter().map(|line| format!("{place}: {line}")));
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.places == 0
    }

    /// The error that lists them all, if there are any.
    pub fn into_result(self) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        let mut text = "the dataset cannot be used as it is:".to_owned();
        for line in &self.lines {
            let _ = write!(text, "\n  {line}");
        }
        if let Some(more @ 1..) = self.places.checked_sub(self.limit) {
            let _ = write!(text, "\n  ... and {more} more files with problems");
        }
        let error = Error::dataset(text);
        Err(if self.skippable {
            error.with_hint("`--on-bad-record skip` leaves such records out")
        } else {
            error
        })
    }
}
