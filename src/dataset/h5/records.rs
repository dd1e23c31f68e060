//! The layout with a group per record: `/value/<record>/<input>`.

use std::fmt::Write;
use std::path::Path;

use hdf5::{Dataset, Group};

use super::direct::Beside;
use super::failure::reason;
use super::input::Input;
use crate::dataset::listing::{Strays, plural};
use crate::dataset::problems::{Fault, ShardReport};
use crate::dataset::shard_file::check_sample;
use crate::dataset::{BadRecords, InputSpec, Record};

/// `/value` of an open file, with what does not change from record to record.
pub(super) struct RecordLayout {
    value: Group,
    raw: bool,
    records: u64,
    inputs: Vec<NamedInput>,
    record_name: String,
    /// What reads large inputs instead of the library.
    beside: Beside,
}

/// An input with the name of its dataset in each record.
struct NamedInput {
    name: String,
    input: Input,
}

impl RecordLayout {
    /// Takes `value`, in the file at `path`, for a group of records; [`check`](Self::check) tells whether it is.
    ///
    /// # Errors
    /// What is wrong with the file, to be put after its name.
    pub fn open(
        path: &Path,
        value: Group,
        raw: bool,
        inputs: &[InputSpec],
        cast: bool,
    ) -> Result<Self, String> {
        let info =
            value.info().map_err(|error| format!("/value is unreadable: {}", reason(&error)))?;
        let inputs = inputs.iter().enumerate().map(|(index, spec)| NamedInput {
            name: index.to_string(),
            input: Input::new(spec, cast),
        });
        let inputs = inputs.collect();
        let beside = Beside::new(path);
        Ok(Self { value, raw, records: info.nlinks, inputs, record_name: String::new(), beside })
    }

    /// Number of objects in `/value`: the number of records, unless [`check`](Self::check) finds
    /// fault.
    pub fn records(&self) -> u64 {
        self.records
    }

    /// Adds what is wrong with the names of the records, and with the headers of `count` evenly
    /// spaced ones, to the report.
    pub fn check(&mut self, count: u64, bad_records: BadRecords, report: &mut ShardReport) {
        self.check_names(report);
        // What is not there is a gap in the numbering, which is reported.
        let records = self.records;
        check_sample(records, count, bad_records, report, |record| self.check_record(record));
    }

    /// Checks that the objects in `/value` are named "0" to "N-1".
    ///
    /// All names are visited and none is kept: if N of them are different numbers, it suffices
    /// that none is N or more.
    fn check_names(&self, report: &mut ShardReport) {
        let (mut numbered, mut highest) = (0_u64, 0_u64);
        let mut strays = Strays::default();
        let visited = self.value.iter_visit_default(|name, _| {
            if let Some(number) = parse_number(name) {
                numbered += 1;
                highest = highest.max(number);
            } else {
                strays.add(name);
            }
            Ok(())
        });
        if let Err(error) = visited {
            report.add(format!("the names in /value are unreadable: {}", reason(&error)));
            return;
        }
        if !strays.is_empty() {
            report.add(format!("/value holds more than records (named 0, 1, 2, ...): {strays}"));
        }
        if numbered == 0 && strays.is_empty() {
            report.add("has no records: /value holds none");
        } else if numbered > 0 && highest >= numbered {
            let missing = (0..numbered).find(|i| !self.value.link_exists(&i.to_string()));
            let missing = missing.unwrap_or(numbered);
            report.add(format!(
                "the numbering of records has a gap: there is no record {missing}, \
                 but {numbered} records up to record {highest}"
            ));
        }
    }

    /// Everything that is wrong with one record's header; `None` if there is no such record.
    fn check_record(&mut self, record: u64) -> Option<Vec<Fault>> {
        set_number(&mut self.record_name, record);
        if !self.value.link_exists(&self.record_name) {
            return None;
        }
        let group = match self.open_record(record) {
            Ok(group) => group,
            Err(fault) => return Some(vec![fault]),
        };
        let mut faults = Vec::new();
        let count = self.check_count(&group);
        let too_few = matches!(count, Err((_, found)) if found < self.inputs.len() as u64);
        faults.extend(count.err().map(|(fault, _)| fault));
        for (index, NamedInput { name, input }) in self.inputs.iter_mut().enumerate() {
            let checked =
                open_dataset(&group, name).and_then(|dataset| input.check(&dataset, self.raw));
            if let Err(message) = checked {
                // Of too few inputs some are missing, which is said already.
                let is_missing = too_few && !group.link_exists(name);
                if !is_missing {
                    faults.push(Fault::of_input(index, message));
                }
            }
        }
        Some(faults)
    }

    /// Reads one record, checking its header again. With `leave`, large inputs stay in the file if they can.
    pub fn read(&mut self, record: u64, into: &mut Record, leave: bool) -> Result<(), Fault> {
        let group = self.open_record(record)?;
        self.check_count(&group).map_err(|(fault, _)| fault)?;
        let raw = self.raw;
        let buffers = into.inputs.iter_mut().zip(&mut into.shapes).zip(&mut into.unread);
        let inputs = self.inputs.iter_mut().zip(buffers).enumerate();
        for (index, (NamedInput { name, input }, ((buffer, shape), unread))) in inputs {
            let dataset =
                open_dataset(&group, name).map_err(|message| Fault::of_input(index, message))?;
            if leave {
                *unread = input.locate(&dataset, raw, &self.beside);
            }
            if let Some(unread) = unread {
                unread.fetch(buffer.len());
                continue;
            }
            input
                .read(&dataset, raw, buffer, shape)
                .map_err(|message| Fault::of_input(index, message))?;
            if leave {
                input.compare(&dataset, buffer.bytes(), &mut self.beside);
            }
        }
        Ok(())
    }

    fn open_record(&mut self, record: u64) -> Result<Group, Fault> {
        set_number(&mut self.record_name, record);
        self.value.group(&self.record_name).map_err(|error| {
            let message = format!("cannot be opened as a group: {}", reason(&error));
            Fault::of_record(message)
        })
    }

    /// Checks the number of objects in a record; with the fault comes the number found.
    fn check_count(&self, group: &Group) -> Result<(), (Fault, u64)> {
        let info = group.info().map_err(|error| {
            (Fault::of_record(format!("is unreadable: {}", reason(&error))), u64::MAX)
        })?;
        let (found, expected) = (info.nlinks, self.inputs.len() as u64);
        if found == expected {
            return Ok(());
        }
        let message = format!("has {}, the model has {expected}", plural(found, "input"));
        Err((Fault::of_record(message), found))
    }
}

fn open_dataset(group: &Group, name: &str) -> Result<Dataset, String> {
    group.dataset(name).map_err(|error| {
        if group.link_exists(name) {
            format!("cannot be opened as a dataset: {}", reason(&error))
        } else {
            format!("is missing: the record has no dataset \"{name}\"")
        }
    })
}

/// A record's number: decimal, without leading zeros or sign.
fn parse_number(name: &str) -> Option<u64> {
    let canonical = name == "0" || !name.starts_with('0');
    let digits = name.bytes().all(|b| b.is_ascii_digit());
    if canonical && digits { name.parse().ok() } else { None }
}

fn set_number(name: &mut String, number: u64) {
    name.clear();
    // Writing to a string cannot fail.
    let _ = write!(name, "{number}");
}
