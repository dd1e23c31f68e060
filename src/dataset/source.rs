//! A dataset of shards in files.

use std::path::{Path, PathBuf};

use super::problems::{Fault, Problems, ShardReport};
use super::shard_file::{self, ShardFile};
use super::{InputSpec, OpenOptions, Record, RecordSource, check_buffers, identity};
use crate::error::{Error, Result};
use crate::shard::{SAMPLE_SIZE, ShardInfo};

/// Records of the whole dataset whose headers are checked at open, shared among the shards. It
/// takes about 20 ms when the files are cached, and a second on a slow disk.
const CHECKED_RECORDS: u64 = 1024;

/// Shards, of which one is open at a time.
pub(super) struct FileSource {
    inputs: Vec<InputSpec>,
    options: OpenOptions,
    shards: Vec<ShardInfo>,
    paths: Vec<PathBuf>,
    current: Option<(usize, Box<dyn ShardFile>)>,
    scratch: Record,
}

impl FileSource {
    /// Checks all files and computes their identities; `problems` are those known so far.
    ///
    /// # Errors
    /// A list of all problems, see [`open_with`](crate::dataset::open_with).
    pub fn open(
        paths: Vec<PathBuf>,
        inputs: &[InputSpec],
        options: OpenOptions,
        mut problems: Problems,
    ) -> Result<Self> {
        let mut scratch = Record::for_inputs(inputs)?;
        let checked = (CHECKED_RECORDS / paths.len().max(1) as u64).max(SAMPLE_SIZE);
        let mut shards = Vec::with_capacity(paths.len());
        for path in &paths {
            let mut report = ShardReport::default();
            let file = open_checked(path, inputs, options, checked, &mut report);
            problems.add_report(&path.display().to_string(), &report, inputs);
            // Once there is a problem, only more problems are of interest.
            if let (Some(file), true) = (file, problems.is_empty()) {
                shards.push(describe_shard(path, file, inputs, &mut scratch)?);
            }
        }
        problems.into_result()?;
        Ok(Self { inputs: inputs.to_vec(), options, shards, paths, current: None, scratch })
    }

    /// The open file of a shard, opened if it is not the one that was read last.
    fn file(&mut self, shard: usize) -> Result<(&mut dyn ShardFile, &Path, u64)> {
        let (Some(path), Some(info)) = (self.paths.get(shard), self.shards.get(shard)) else {
            return Err(Error::internal(format!("there is no shard {shard}")));
        };
        let records = info.identity.records;
        let current = match self.current.take() {
            Some((open, file)) if open == shard => (open, file),
            // The previous file is closed before the next one is opened.
            previous => {
                drop(previous);
                let file =
                    shard_file::open(path, &self.inputs, self.options).map_err(|problems| {
                        let problems = problems.join("; ");
                        Error::dataset(format!("{}: {problems}", path.display())).with_hint(
                            "the file was good when the run started: restore it, then resume",
                        )
                    })?;
                if file.records() < records {
                    return Err(Error::dataset(format!(
                        "{}: has {} records now, but had {records} when the run started",
                        path.display(),
                        file.records()
                    )));
                }
                tracing::info!(records, "{}: shard open", path.display());
                (shard, file)
            }
        };
        let (_, file) = self.current.insert(current);
        Ok((&mut **file, path, records))
    }

    /// Has `read` read a record.
    fn read_with(
        &mut self,
        shard: usize,
        record: u64,
        into: &mut Record,
        read: impl FnOnce(&mut dyn ShardFile, u64, &mut Record) -> Result<(), Fault>,
    ) -> Result<()> {
        check_buffers(&self.inputs, into)?;
        into.unread.fill(None);
        let (file, path, records) = self.file(shard)?;
        if record >= records {
            return Err(Error::dataset(format!(
                "{}: has {records} records, so there is no record {record}",
                path.display()
            )));
        }
        read(file, record, into).map_err(|fault| {
            let place = self.paths.get(shard).map(|p| p.display().to_string()).unwrap_or_default();
            Error::record(format!("{place}: {}", fault.describe(record, &self.inputs)))
        })
    }
}

impl RecordSource for FileSource {
    fn shards(&self) -> &[ShardInfo] {
        &self.shards
    }

    fn read(&mut self, shard: usize, record: u64, into: &mut Record) -> Result<()> {
        self.read_with(shard, record, into, |file, record, into| file.read(record, into))
    }

    fn locate(&mut self, shard: usize, record: u64, into: &mut Record) -> Result<()> {
        self.read_with(shard, record, into, |file, record, into| file.locate(record, into))
    }

    fn hash_sample(&mut self, shard: usize, positions: &[u64]) -> Result<[u8; 32]> {
        // Taken out while `self` reads into it.
        let mut scratch = std::mem::take(&mut self.scratch);
        let inputs = self.inputs.clone();
        let mut read = |record, into: &mut Record| self.read(shard, record, into);
        let hash = identity::hash_records(&inputs, positions, &mut scratch, &mut read);
        self.scratch = scratch;
        hash
    }
}

/// Opens a file and adds what is wrong with it to the report.
fn open_checked(
    path: &Path,
    inputs: &[InputSpec],
    options: OpenOptions,
    checked: u64,
    report: &mut ShardReport,
) -> Option<Box<dyn ShardFile>> {
    let mut file = match shard_file::open(path, inputs, options) {
        Ok(file) => file,
        Err(problems) => {
            for problem in problems {
                report.add(problem);
            }
            return None;
        }
    };
    file.check(checked, options.bad_records, report);
    Some(file)
}

fn describe_shard(
    path: &Path,
    mut file: Box<dyn ShardFile>,
    inputs: &[InputSpec],
    scratch: &mut Record,
) -> Result<ShardInfo> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let kind = file.kind();
    let byte_len = path.metadata().map_err(|error| Error::io("read", path, error))?.len();
    let records = file.records();
    let mut read = |record, into: &mut Record| {
        file.read(record, into).map_err(|f| Error::record(f.describe(record, inputs)))
    };
    let identity = identity::identify(inputs, records, scratch, &mut read)?;
    tracing::info!(kind, records, bytes = byte_len, "{}: shard checked", path.display());
    Ok(ShardInfo { name, kind: kind.to_owned(), byte_len, identity })
}
