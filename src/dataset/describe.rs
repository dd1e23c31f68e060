//! What a dataset holds, without a model that says what it should hold.

use std::path::{Path, PathBuf};

use super::locate::{Wanted, locate};
use super::problems::Problems;
use super::shard_file::{self, evenly_spaced};
use super::{BadRecords, OpenOptions};
use super::{DataFormat, InputSpec, RecordSource, arrays, files, h5, raw, source, text};
use crate::error::{Error, Result};
use crate::tensor::{DType, InputType};

/// Records of a shard that are looked at, where each has types and shapes of its own.
pub(super) const DESCRIBED_RECORDS: u64 = 1000;

/// A shard, as far as its headers tell.
#[derive(Clone, Debug, PartialEq)]
pub struct ShardDescription {
    /// Its file or folder.
    pub path: PathBuf,
    /// What kind of shard it is, see [`ShardInfo::kind`](crate::shard::ShardInfo::kind).
    pub kind: String,
    /// Bytes of the file; of a folder or a list, of the files in it that were looked at.
    pub byte_len: u64,
    /// Number of records.
    pub records: u64,
    /// What each record holds.
    pub inputs: Vec<StoredInput>,
    /// What is remarkable.
    pub notes: Vec<String>,
}

/// What the records of a shard hold as one input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredInput {
    /// Its name in the shard.
    pub name: String,
    /// Its type, or the words for one that tensors do not have, or for several.
    pub dtype: Result<DType, String>,
    /// Its shape in each record; `None` for a dimension that differs, and no shape if their number does.
    pub shape: Option<Vec<Option<usize>>>,
}

impl StoredInput {
    pub(super) fn new(name: &str, dtype: Result<DType, String>, shape: &[usize]) -> Self {
        let shape = shape.iter().map(|&dim| Some(dim)).collect();
        Self { name: name.to_owned(), dtype, shape: Some(shape) }
    }

    /// Takes what another record holds.
    pub(super) fn merge(&mut self, other: Self) {
        if self.dtype != other.dtype {
            self.dtype = Err("several types".to_owned());
        }
        self.shape = match (self.shape.take(), other.shape) {
            (Some(mut a), Some(b)) if a.len() == b.len() => {
                for (a, b) in a.iter_mut().zip(b) {
                    *a = a.filter(|_| *a == b);
                }
                Some(a)
            }
            _ => None,
        };
    }
}

/// Inputs of some records, put together.
#[derive(Default)]
pub(super) struct Described {
    pub inputs: Vec<StoredInput>,
    records: u64,
    /// Records that hold another number of inputs than the first one.
    different: u64,
}

impl Described {
    /// Takes what a record holds.
    pub fn add(&mut self, inputs: Vec<StoredInput>) {
        if self.records == 0 {
            self.inputs = inputs;
        } else if inputs.len() == self.inputs.len() {
            self.inputs.iter_mut().zip(inputs).for_each(|(mine, other)| mine.merge(other));
        } else {
            self.different += 1;
        }
        self.records += 1;
    }

    /// What is to be said about them.
    pub fn notes(&self, of: u64) -> Vec<String> {
        let mut notes = Vec::new();
        if self.records < of {
            notes.push(format!("types and shapes are those of {} of {of} records", self.records));
        }
        if self.different > 0 {
            let inputs = self.inputs.len();
            notes.push(format!("{} records do not have {inputs} inputs", self.different));
        }
        notes
    }
}

/// Describes all shards that `data` stands for, in order. A shard that cannot be opened is an error.
///
/// # Errors
/// [`Dataset`](crate::error::ErrorKind::Dataset) with all problems.
pub fn describe(data: &[String], format: DataFormat) -> Result<Vec<ShardDescription>> {
    if data.is_empty() {
        return Err(Error::usage("no input data is given"));
    }
    let mut problems = Problems::default();
    let paths = locate(data, Wanted::shards(format), &mut problems);
    let mut shards = Vec::new();
    for path in paths {
        match describe_shard(&path, format) {
            Ok(shard) => shards.push(shard),
            Err(problem) => problems.add(&path.display().to_string(), problem),
        }
    }
    problems.into_result()?;
    Ok(shards)
}

fn describe_shard(path: &Path, format: DataFormat) -> Result<ShardDescription, String> {
    files::check_exists(path)?;
    let format = if format == DataFormat::Auto { shard_file::detect(path) } else { format };
    let opened = match format {
        DataFormat::Auto | DataFormat::H5 => return h5::describe(path),
        DataFormat::List => return raw::describe_list(path),
        DataFormat::Directory => return raw::describe_directory(path),
        DataFormat::Text => return text::describe(path),
        DataFormat::Onert => {
            return Err("is described by `inspect`, once it is imported".to_owned());
        }
        DataFormat::Npy => arrays::npy::open(path)?,
        DataFormat::Npz => arrays::npz::open(path)?,
        DataFormat::Safetensors => arrays::safetensors::open(path)?,
    };
    let byte_len = path.metadata().map_or(0, |it| it.len());
    Ok(arrays::describe(path, opened, byte_len))
}

/// The records that are looked at of so many.
pub(super) fn described_records(records: u64) -> impl Iterator<Item = u64> {
    evenly_spaced(records, DESCRIBED_RECORDS)
}

/// Opens a dataset that was described as a source of its values: numbers that no model has as they are, and
/// other floats, become float32.
///
/// # Errors
/// [`Dataset`](crate::error::ErrorKind::Dataset) if shards do not hold the same, or something else than
/// numbers, and if a shard cannot be opened any more.
pub fn open_described(
    shards: &[ShardDescription],
    format: DataFormat,
) -> Result<(Vec<InputSpec>, Box<dyn RecordSource>)> {
    let Some(first) = shards.first() else { return Err(Error::dataset("there are no shards")) };
    let mut inputs = first.inputs.clone();
    for shard in shards {
        if shard.inputs.len() != inputs.len() {
            return Err(Error::dataset(format!(
                "{} has {} inputs, {} has {}",
                shard.path.display(),
                shard.inputs.len(),
                first.path.display(),
                inputs.len()
            )));
        }
        inputs.iter_mut().zip(shard.inputs.clone()).for_each(|(mine, other)| mine.merge(other));
    }
    let specs = inputs.into_iter().map(|input| {
        let unknown = |why: &str| {
            Error::dataset(format!("input \"{}\" {why}: its values are not known", input.name))
                .with_hint("`dataset check` reads it for a model")
        };
        let dtype = match &input.dtype {
            Ok(dtype @ (DType::F32 | DType::I32 | DType::I64 | DType::Bool)) => *dtype,
            Ok(dtype) if super::cast::can_cast(*dtype, DType::F32) => DType::F32,
            Ok(dtype) => return Err(unknown(&format!("has type {dtype}"))),
            Err(words) => return Err(unknown(&format!("is {words}"))),
        };
        let shape = input.shape.clone().ok_or_else(|| unknown("has shapes of several ranks"))?;
        Ok(InputSpec { name: input.name, input_type: InputType { dtype, shape } })
    });
    let specs: Vec<InputSpec> = specs.collect::<Result<_>>()?;
    let paths = shards.iter().map(|shard| shard.path.clone()).collect();
    let options = OpenOptions { format, bad_records: BadRecords::Leave, cast: true };
    let opened = source::FileSource::open(paths, &specs, options, Problems::default())?;
    Ok((specs, Box::new(opened)))
}
