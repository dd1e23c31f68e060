//! One open HDF5 shard.

use std::path::Path;

use hdf5::File;
use hdf5::file::{CacheDecreaseMode, CacheIncreaseMode, MetadataCacheConfig};

use super::failure::{check_readable, describe_unopened, reason};
use super::records::RecordLayout;
use crate::dataset::problems::{Fault, ShardReport};
use crate::dataset::{BadRecords, InputSpec, Record};

/// Bytes of decoded metadata that the library keeps of an open file. By default it lets them grow
/// to 32 MiB, which take 180 MiB of memory, as more records are read. With this little, reading in
/// order is as fast, since no record is read twice.
const METADATA_CACHE: usize = 1 << 18;

/// An open file.
pub(super) struct H5File {
    layout: RecordLayout,
    raw: bool,
}

impl H5File {
    /// Opens a file.
    ///
    /// # Errors
    /// What is wrong with it, to be put after its name.
    pub fn open(path: &Path, inputs: &[InputSpec]) -> Result<Self, String> {
        check_readable(path)?;
        if path.to_str().is_none() {
            return Err("cannot be opened: its name is not valid UTF-8".to_owned());
        }
        let file = open_file(path).map_err(|error| describe_unopened(path, &error))?;
        if !file.link_exists("value") {
            return Err("has no group /value, which holds the records".to_owned());
        }
        let value = file
            .group("value")
            .map_err(|error| format!("/value cannot be opened as a group: {}", reason(&error)))?;
        // Only its presence counts, as for ONE's tools.
        let raw = value.attr("rawData").is_ok();
        let layout = RecordLayout::open(value, raw, inputs)?;
        Ok(Self { layout, raw })
    }

    /// What kind of shard it is, see [`ShardInfo::kind`](crate::shard::ShardInfo::kind).
    pub fn kind(&self) -> &'static str {
        if self.raw { "h5-raw" } else { "h5" }
    }

    /// Number of records.
    pub fn records(&self) -> u64 {
        self.layout.records()
    }

    /// Adds everything that is wrong with it to the report; of many records, `count` are checked.
    pub fn check(&mut self, count: u64, bad_records: BadRecords, report: &mut ShardReport) {
        self.layout.check(count, bad_records, report);
    }

    /// Reads one record.
    pub fn read(&mut self, record: u64, into: &mut Record) -> Result<(), Fault> {
        self.layout.read(record, into)
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
