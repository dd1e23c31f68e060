//! All that is wrong with a dataset.

use super::identity;
use super::locate::{Wanted, locate};
use super::problems::{Fault, Problems, ShardReport};
use super::shard_file::{self, ShardFile};
use super::{BadRecords, InputSpec, OpenOptions, Record, check_inputs};
use crate::error::{Error, Result};
use crate::shard::ShardIdentity;
use crate::tensor::DType;

/// Different problems that are listed for each shard.
const LISTED: usize = 1000;

/// What [`check`] found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// Shards that could be opened.
    pub shards: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of their files; of raw files, as far as inputs have a fixed size.
    pub byte_len: u64,
    /// What keeps records from being used, each with its place.
    pub problems: Vec<String>,
    /// What does not, but is remarkable: shards with the same content, values that are not numbers.
    pub notes: Vec<String>,
    /// Whether it was stopped before all was looked at.
    pub stopped: bool,
}

/// How far a check is.
#[derive(Clone, Copy, Debug)]
pub enum CheckStep<'a> {
    /// So many records are going to be read.
    Records(u64),
    /// A shard is looked at: its name, its position, and how many there are.
    Shard(&'a str, usize, usize),
    /// A record was read.
    Record,
}

/// Looks at every shard that `data` stands for, at the headers of all records, and with `read` at the values too,
/// and lists what is wrong, until `step` returns `false`.
///
/// # Errors
/// [`ErrorKind::Usage`] if `data` is empty, and [`ErrorKind::Model`] for inputs that no dataset can feed.
///
/// [`ErrorKind::Usage`]: crate::error::ErrorKind::Usage
/// [`ErrorKind::Model`]: crate::error::ErrorKind::Model
pub fn check(
    data: &[String],
    inputs: &[InputSpec],
    options: OpenOptions,
    read: bool,
    step: &mut dyn FnMut(CheckStep<'_>) -> bool,
) -> Result<Findings> {
    if data.is_empty() {
        return Err(Error::usage("no input data is given"));
    }
    check_inputs(inputs)?;
    let (mut problems, mut notes) = (Problems::unlimited(), Problems::unlimited());
    let paths = locate(data, Wanted::shards(options.format), &mut problems);
    let mut findings = Findings::default();
    let sizes = inputs.iter().map(|input| input.input_type.byte_len().unwrap_or(0) as u64);
    let record_bytes: u64 = sizes.sum();
    // Opened twice, and open one at a time: how many records there are is good to know first.
    for path in &paths {
        if let Ok(file) = shard_file::open(path, inputs, options) {
            findings.shards += 1;
            findings.records += file.records();
            findings.byte_len += match file.kind() {
                // What a list or a folder names.
                "list" | "directory" => file.records() * record_bytes,
                _ => path.metadata().map_or(0, |it| it.len()),
            };
        }
    }
    step(CheckStep::Records(findings.records));
    let mut check = Check { inputs, read, scratch: Record::for_inputs(inputs)?, known: Vec::new() };
    for (index, path) in paths.iter().enumerate() {
        let place = path.display().to_string();
        findings.stopped |= !step(CheckStep::Shard(&place, index, paths.len()));
        if findings.stopped {
            break;
        }
        let (mut report, mut remarks) =
            (ShardReport::with_limit(LISTED), ShardReport::with_limit(LISTED));
        match shard_file::open(path, inputs, options) {
            Ok(mut file) => {
                findings.stopped = !check.shard(&mut *file, &mut report, &mut remarks, step);
                if report.is_empty() && !findings.stopped {
                    findings.notes.extend(check.repetition(&place, &mut *file)?);
                }
            }
            Err(found) => found.into_iter().for_each(|problem| report.add(problem)),
        }
        problems.add_report(&place, &report, inputs);
        notes.add_report(&place, &remarks, inputs);
    }
    findings.problems = problems.into_lines();
    findings.notes.splice(0..0, notes.into_lines());
    Ok(findings)
}

struct Check<'a> {
    inputs: &'a [InputSpec],
    read: bool,
    scratch: Record,
    /// Shards that are good, and their identities.
    known: Vec<(String, ShardIdentity)>,
}

impl Check<'_> {
    /// Checks a shard; `false` if it is to stop.
    fn shard(
        &mut self,
        file: &mut dyn ShardFile,
        report: &mut ShardReport,
        remarks: &mut ShardReport,
        step: &mut dyn FnMut(CheckStep<'_>) -> bool,
    ) -> bool {
        file.check(u64::MAX, BadRecords::Refuse, report);
        if !self.read {
            return true;
        }
        let mut faults = report.another();
        let mut goes_on = true;
        for record in 0..file.records() {
            match file.read(record, &mut self.scratch) {
                // Headers were looked at before.
                Err(fault) if report.has_fault(&fault) => {}
                Err(fault) => faults.add_fault(record, fault),
                Ok(()) => self.remark(record, remarks),
            }
            goes_on = step(CheckStep::Record);
            if !goes_on {
                break;
            }
        }
        report.append_faults(faults, false);
        goes_on
    }

    /// Notes values that are not numbers.
    fn remark(&self, record: u64, remarks: &mut ShardReport) {
        for (index, (input, buffer)) in self.inputs.iter().zip(&self.scratch.inputs).enumerate() {
            if input.input_type.dtype != DType::F32 {
                continue;
            }
            let values = buffer.as_slice::<f32>();
            if values.iter().all(|it| it.is_finite()) {
                continue;
            }
            let nan = values.iter().filter(|it| it.is_nan()).count();
            let what = if nan == values.len() {
                "has nothing but NaN"
            } else if nan > 0 {
                "has NaN, which is not observed"
            } else {
                "has infinities"
            };
            remarks.add_fault(record, Fault::of_input(index, what));
        }
    }

    /// Whether a shard has the records of one before it.
    fn repetition(&mut self, place: &str, file: &mut dyn ShardFile) -> Result<Option<String>> {
        let (inputs, records) = (self.inputs, file.records());
        let mut read = |record, into: &mut Record| {
            file.read(record, into).map_err(|fault| Error::record(fault.describe(record, inputs)))
        };
        let identity = identity::identify(inputs, records, &mut self.scratch, &mut read)?;
        let note = self.known.iter().find(|(_, known)| *known == identity).map(|(first, _)| {
            format!("{place}: has the same records as {first} and is counted once")
        });
        self.known.push((place.to_owned(), identity));
        Ok(note)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::tests::{float_input, testdata, text};
    use super::*;

    fn check_files(names: &[&str], read: bool) -> Findings {
        let data: Vec<String> = names.iter().map(|name| text(testdata(name))).collect();
        let mut findings =
            check(&data, &float_input(), OpenOptions::default(), read, &mut |_| true).unwrap();
        let folder = text(testdata(""));
        for line in findings.problems.iter_mut().chain(&mut findings.notes) {
            *line = line.replace(&folder, "");
        }
        findings
    }

    #[test]
    fn everything_is_listed_once() {
        for read in [false, true] {
            let names = ["f32.h5", "float64.h5", "none.h5", "raw.h5", "uint8.h5"];
            let findings = check_files(&names, read);
            let problems: Vec<&str> =
                findings.problems.iter().map(|it| it.split(';').next().unwrap()).collect();
            assert_eq!(
                problems,
                [
                    "float64.h5: record 0, input 0 (\"x\"): has type FLOAT64, the model expects FLOAT32",
                    "none.h5: does not exist",
                    "uint8.h5: record 0, input 0 (\"x\"): has type UINT8, the model expects FLOAT32"
                ]
            );
            assert_eq!(findings.shards, 4);
            assert!(!findings.stopped);
        }
    }

    #[test]
    fn remarkable_values_and_repeated_shards_are_noted() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, content: &str| fs::write(folder.path().join(name), content).unwrap();
        put("1.txt", "1,2,3,4,5,6\n1,nan,3,4,5,6\nnan,nan,nan,nan,nan,nan\n1,2,3,4,5,inf\n");
        put("2.txt", "1,2,3,4,5,6\n0,0,0,0,0,0\n1,2,nan,4,5,6\n1,nan,3,4,5,6\n");
        put("3.txt", "1,2,3,4,5,6\n1,nan,3,4,5,6\nnan,nan,nan,nan,nan,nan\n1,2,3,4,5,inf\n");
        let options =
            OpenOptions { format: super::super::DataFormat::Text, ..OpenOptions::default() };
        let data = [text(folder.path())];
        let find = |step: &mut dyn FnMut(CheckStep<'_>) -> bool| {
            check(&data, &float_input(), options, true, step).unwrap()
        };
        let findings = find(&mut |_| true);
        assert_eq!((findings.records, findings.problems.len()), (12, 0));
        let x = "input 0 (\"x\")";
        let expected = [
            format!("1.txt: record 1, {x}: has NaN, which is not observed"),
            format!("1.txt: record 2, {x}: has nothing but NaN"),
            format!("1.txt: record 3, {x}: has infinities"),
            format!(
                "2.txt: record 2, {x}: has NaN, which is not observed (the same in 1 more record)"
            ),
            format!("3.txt: record 1, {x}: has NaN, which is not observed"),
            format!("3.txt: record 2, {x}: has nothing but NaN"),
            format!("3.txt: record 3, {x}: has infinities"),
            "3.txt: has the same records as 1.txt and is counted once".to_owned(),
        ];
        let prefix = format!("{}/", folder.path().display());
        let notes: Vec<String> =
            findings.notes.iter().map(|note| note.replace(&prefix, "")).collect();
        assert_eq!(notes, expected);

        let mut read = 0;
        let stopped = find(&mut |step| {
            read += u64::from(matches!(step, CheckStep::Record));
            read < 6
        });
        assert!(stopped.stopped);
        assert_eq!(read, 6);
    }
}
