//! One open HDF5 shard.

use std::path::Path;

use hdf5::file::{CacheDecreaseMode, CacheIncreaseMode, MetadataCacheConfig};
use hdf5::{File, Group, IndexType, IterationOrder, LocationType};

use super::failure::{check_readable, describe_unopened, reason};
use super::packed::PackedLayout;
use super::records::RecordLayout;
use crate::dataset::listing::quote;
use crate::dataset::problems::{Fault, ShardReport};
use crate::dataset::shard_file::ShardFile;
use crate::dataset::{BadRecords, InputSpec, Record};

/// Bytes of decoded metadata that the library keeps of an open file. By default it lets them grow
/// to 32 MiB, which take 180 MiB of memory, as more records are read. With this little, reading in
/// order is as fast, since no record is read twice.
const METADATA_CACHE: usize = 1 << 18;

/// Objects in `/value` whose kinds are compared to tell the layout.
const COMPARED: usize = 16;

/// An open file.
pub(in crate::dataset) struct H5File {
    layout: Layout,
    raw: bool,
}

enum Layout {
    Records(RecordLayout),
    Packed(PackedLayout),
}

impl H5File {
    /// Opens a file.
    ///
    /// # Errors
    /// What is wrong with it, to be put after its name.
    pub fn open(path: &Path, inputs: &[InputSpec], cast: bool) -> Result<Self, Vec<String>> {
        let value = open_value(path).map_err(|problem| vec![problem])?;
        // Only its presence counts, as for ONE's tools.
        let raw = value.attr("rawData").is_ok();
        let layout = if is_packed(&value).map_err(|problem| vec![problem])? {
            Layout::Packed(PackedLayout::open(path, &value, raw, inputs, cast)?)
        } else {
            let records = RecordLayout::open(path, value, raw, inputs, cast);
            Layout::Records(records.map_err(|problem| vec![problem])?)
        };
        Ok(Self { layout, raw })
    }

    fn read_or_leave(&mut self, record: u64, into: &mut Record, leave: bool) -> Result<(), Fault> {
        match &mut self.layout {
            Layout::Records(layout) => layout.read(record, into, leave),
            Layout::Packed(layout) => layout.read(record, into, leave),
        }
    }
}

impl ShardFile for H5File {
    fn kind(&self) -> &'static str {
        kind(matches!(self.layout, Layout::Packed(_)), self.raw)
    }

    fn records(&self) -> u64 {
        match &self.layout {
            Layout::Records(layout) => layout.records(),
            Layout::Packed(layout) => layout.records(),
        }
    }

    fn check(&mut self, count: u64, bad_records: BadRecords, report: &mut ShardReport) {
        match &mut self.layout {
            Layout::Records(layout) => layout.check(count, bad_records, report),
            // All headers were checked when it was opened.
            Layout::Packed(_) => {}
        }
    }

    fn read(&mut self, record: u64, into: &mut Record) -> Result<(), Fault> {
        self.read_or_leave(record, into, false)
    }

    fn locate(&mut self, record: u64, into: &mut Record) -> Result<(), Fault> {
        self.read_or_leave(record, into, true)
    }
}

/// What kind of shard a file is.
pub(super) fn kind(packed: bool, raw: bool) -> &'static str {
    match (packed, raw) {
        (false, false) => "h5",
        (false, true) => "h5-raw",
        (true, false) => "h5-packed",
        (true, true) => "h5-packed-raw",
    }
}

/// The names in a group.
pub(super) fn names(group: &Group) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let visited = group.iter_visit(IndexType::Name, IterationOrder::Native, |name, _| {
        names.push(name.to_owned());
        Ok(())
    });
    visited.map_err(|error| format!("has unreadable names: {}", reason(&error)))?;
    Ok(names)
}

/// Opens the group in which everything is.
pub(super) fn open_value(path: &Path) -> Result<Group, String> {
    check_readable(path)?;
    if path.to_str().is_none() {
        return Err("cannot be opened: its name is not valid UTF-8".to_owned());
    }
    let file = open_file(path).map_err(|error| describe_unopened(path, &error))?;
    if !file.link_exists("value") {
        return Err("has no group /value, which holds the records".to_owned());
    }
    file.group("value")
        .map_err(|error| format!("/value cannot be opened as a group: {}", reason(&error)))
}

/// Whether the objects in `/value` are datasets, which hold an input of all records each, and not
/// groups, which hold a record each. Of many objects, only some are looked at.
pub(super) fn is_packed(value: &Group) -> Result<bool, String> {
    let mut names = Vec::new();
    if value.link_exists("0") {
        names.push("0".to_owned());
    }
    let visited = value.find_link(IndexType::Name, IterationOrder::Native, |name, _| {
        names.push(name.to_owned());
        Ok((names.len() > COMPARED).then_some(()))
    });
    visited.map_err(|error| format!("the names in /value are unreadable: {}", reason(&error)))?;
    // What is neither, or a link to nothing, is reported when the layout is checked.
    let is = |name: &str, kind| value.loc_type_by_name(name).is_ok_and(|found| found == kind);
    let first = |kind| names.iter().find(|name| is(name, kind));
    match (first(LocationType::Group), first(LocationType::Dataset)) {
        (Some(group), Some(dataset)) => Err(format!(
            "/value mixes two layouts: {} is a group, as for a record, but {} is a dataset, as for an \
             input of all records",
            quote(group),
            quote(dataset)
        )),
        (_, dataset) => Ok(dataset.is_some()),
    }
}

fn open_file(path: &Path) -> hdf5::Result<File> {
    // The cache still grows for a single large block, such as the names of a million records: it
    // would be read again for every record otherwise.
    let cache = MetadataCacheConfig {
        initial_size: METADATA_CACHE,
        min_size: METADATA_CACHE,
        incr_mode: CacheIncreaseMode::Off,
        decr_mode: CacheDecreaseMode::Off,
        ..MetadataCacheConfig::default()
    };
    File::with_options().with_fapl(|access| access.mdc_config(&cache)).open(path)
}
