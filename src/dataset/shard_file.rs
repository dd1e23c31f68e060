//! One open shard, in whatever format.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::arrays::{self, ArraysFile};
use super::files;
use super::h5::H5File;
use super::onert::OnertFile;
use super::problems::{Fault, ShardReport};
use super::raw::RawFiles;
use super::text::TextFile;
use super::{BadRecords, DataFormat, InputSpec, OpenOptions, Record};

/// An open shard.
pub(super) trait ShardFile: Send {
    /// What kind of shard it is, see [`ShardInfo::kind`](crate::shard::ShardInfo::kind).
    fn kind(&self) -> &'static str;

    /// Number of records.
    fn records(&self) -> u64;

    /// Adds everything that is wrong with its records to the report; of records with headers of their
    /// own, `count` are checked.
    fn check(&mut self, count: u64, bad_records: BadRecords, report: &mut ShardReport);

    /// Reads one record.
    fn read(&mut self, record: u64, into: &mut Record) -> Result<(), Fault>;

    /// As [`read`](Self::read), but large inputs may be left in the file.
    fn locate(&mut self, record: u64, into: &mut Record) -> Result<(), Fault> {
        self.read(record, into)
    }
}

/// Opens a shard.
///
/// # Errors
/// What is wrong with it, to be put after its name.
pub(super) fn open(
    path: &Path,
    inputs: &[InputSpec],
    options: OpenOptions,
) -> Result<Box<dyn ShardFile>, Vec<String>> {
    let OpenOptions { format, cast, .. } = options;
    files::check_exists(path).map_err(|problem| vec![problem])?;
    let format = if format == DataFormat::Auto { detect(path) } else { format };
    if cast && matches!(format, DataFormat::List | DataFormat::Directory | DataFormat::Text) {
        return Err(vec!["has values without a type that they could be cast from".to_owned()]);
    }
    let arrays = match format {
        DataFormat::Auto | DataFormat::H5 => {
            return Ok(Box::new(H5File::open(path, inputs, cast)?));
        }
        DataFormat::List => return Ok(Box::new(RawFiles::of_list(path, inputs)?)),
        DataFormat::Directory => return Ok(Box::new(RawFiles::of_directory(path, inputs)?)),
        DataFormat::Onert => {
            return OnertFile::open(path, inputs)
                .map(|file| Box::new(file) as Box<dyn ShardFile>)
                .map_err(|problem| vec![problem]);
        }
        DataFormat::Text => return Ok(Box::new(TextFile::open(path, inputs)?)),
        DataFormat::Npy => arrays::npy::open(path),
        DataFormat::Npz => arrays::npz::open(path),
        DataFormat::Safetensors => arrays::safetensors::open(path),
    };
    let (kind, arrays) = arrays.map_err(|problem| vec![problem])?;
    Ok(Box::new(ArraysFile::new(kind, arrays, inputs, cast)?))
}

/// The format of a file, by its first bytes; HDF5, whose reader says what else it is, if none of the
/// others is recognised.
pub(super) fn detect(path: &Path) -> DataFormat {
    let mut head = [0; 16];
    // Opening a pipe would block.
    let is_file = path.metadata().is_ok_and(|it| it.is_file());
    let read = is_file.then(|| File::open(path).and_then(|mut file| file.read(&mut head)));
    let Some(Ok(len)) = read else { return DataFormat::H5 };
    let head = &head[..len];
    // The length of a JSON object, which comes next.
    let is_header = head.get(6..9).is_some_and(|it| it == b"\0\0{");
    if head.starts_with(b"\x93NUMPY") {
        DataFormat::Npy
    } else if head.starts_with(b"PK\x03\x04") {
        DataFormat::Npz
    } else if is_header {
        DataFormat::Safetensors
    } else {
        DataFormat::H5
    }
}

/// Checks `count` evenly spaced ones of `records` with `check`, which gives what is wrong with one, or
/// nothing if there is no such record, and adds what is wrong to the report, unless bad records are left.
pub(super) fn check_sample(
    records: u64,
    count: u64,
    bad_records: BadRecords,
    report: &mut ShardReport,
    mut check: impl FnMut(u64) -> Option<Vec<Fault>>,
) {
    let mut faults = report.another();
    let (mut good, mut bad) = (0_u64, 0_u64);
    for record in evenly_spaced(records, count) {
        match check(record) {
            None => {}
            Some(found) if found.is_empty() => good += 1,
            Some(found) => {
                bad += 1;
                for fault in found {
                    faults.add_fault(record, fault);
                }
            }
        }
    }
    if bad > 0 && (bad_records == BadRecords::Refuse || good == 0) {
        report.append_faults(faults, good > 0);
    }
}

/// At most `count` (at least 2) of the positions below `records`: both ends and evenly spaced ones.
pub(super) fn evenly_spaced(records: u64, count: u64) -> impl Iterator<Item = u64> {
    let count = count.max(2).min(records);
    let last = u128::from(records.saturating_sub(1));
    let steps = u128::from(count.saturating_sub(1)).max(1);
    (0..count).map(move |i| (u128::from(i) * last / steps) as u64)
}
