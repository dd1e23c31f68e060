//! Records in: shards of a calibration dataset, read one record at a time.
//!
//! A record is one set of model inputs. [`open`] finds the shards, checks the headers of all of
//! them against the model's inputs and computes their identities, so that a long run does not fail
//! late for a reason that could be seen at the start. What it returns is a [`RecordSource`], which
//! reads any record of any shard into buffers that the caller reuses, or says where large inputs are.
//!
//! A source keeps one file open, besides those that located records are in, and nothing per record: memory depends on
//! the number of shards, the size of one record and that of a block which is read ahead, never on the number of
//! records.
#![forbid(unsafe_code)]

mod arrays;
mod cast;
mod check;
mod describe;
mod files;
mod fit;
mod function;
mod h5;
mod identity;
mod images;
mod lines;
mod listing;
mod locate;
mod natural;
mod onert;
mod problems;
mod random;
mod raw;
mod shard_file;
mod source;
mod text;
mod unread;

use smallvec::SmallVec;

use self::locate::Wanted;
use self::unread::Unread;
use crate::error::{Error, ErrorKind, Result};
use crate::shard::ShardInfo;
use crate::tensor::{AlignedBuffer, InputType};

pub(crate) use problems::name_input;

pub use check::{CheckStep, Findings, check};
pub use describe::{ShardDescription, StoredInput, describe, open_described};
pub use function::from_fn;
pub use h5::{H5Writer, write_h5};
pub use images::{ChannelOrder, Filter, ImageFolder, ImageLayout, Preparation, Resize};
pub use onert::Recorded;
pub use random::{DEFAULT_RANDOM_RECORDS, Distribution, random, random_with};

/// One input of the model, in the model's order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSpec {
    /// Name of the tensor, for messages.
    pub name: String,
    /// Element type and shape.
    pub input_type: InputType,
}

/// One set of model inputs: a buffer per input, in the model's order.
///
/// The buffers hold elements in row-major order and the host's byte order; a bool is a byte that is
/// 0 or 1. They are allocated once and reused for many records.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// The bytes of each input.
    pub inputs: Vec<AlignedBuffer>,
    /// The shape of each input.
    pub shapes: Vec<Vec<usize>>,
    /// Inputs that [`RecordSource::locate`] has left in their files.
    unread: Vec<Option<Unread>>,
}

impl Record {
    /// A record of zeros with buffers of the right sizes; dimensions that are not known are 0.
    ///
    /// # Errors
    /// [`ErrorKind::Model`] for an input without a size in bytes, see [`open`].
    pub fn for_inputs(inputs: &[InputSpec]) -> Result<Self> {
        check_inputs(inputs)?;
        let sizes = inputs.iter().map(|input| input.input_type.byte_len().unwrap_or(0));
        let shape = |input: &InputSpec| {
            input.input_type.shape.iter().map(|dim| dim.unwrap_or(0)).collect::<Vec<_>>()
        };
        Ok(Self {
            inputs: sizes.map(AlignedBuffer::zeroed).collect(),
            shapes: inputs.iter().map(shape).collect(),
            unread: vec![None; inputs.len()],
        })
    }

    /// The bytes of each input. Those that were [left in their files](RecordSource::locate) are read into `memory`,
    /// which has a buffer for each.
    ///
    /// # Errors
    /// The position of an input, and why it cannot be read, to be put after its name.
    pub fn bytes<'a>(
        &'a self,
        memory: &'a mut [AlignedBuffer],
    ) -> std::result::Result<SmallVec<[&'a [u8]; 8]>, (usize, String)> {
        let mut inputs = SmallVec::new();
        for (i, (own, memory)) in self.inputs.iter().zip(memory).enumerate() {
            inputs.push(match self.unread.get(i) {
                Some(Some(unread)) => {
                    memory.resize(own.len());
                    unread.read(memory.bytes_mut()).map_err(|why| (i, why))?;
                    memory.bytes()
                }
                _ => own.bytes(),
            });
        }
        Ok(inputs)
    }
}

/// A dataset: an ordered list of shards, each an ordered list of records.
pub trait RecordSource: Send {
    /// The shards in order, with identities as they were at open.
    fn shards(&self) -> &[ShardInfo];

    /// Number of records in all shards.
    fn records(&self) -> u64 {
        self.shards().iter().map(|it| it.identity.records).sum()
    }

    /// Reads record `record` of shard `shard` into `into`.
    ///
    /// Reading in order is fast, and any order is allowed. After an error the content of `into` is
    /// unspecified, and other records can still be read.
    ///
    /// # Errors
    /// [`ErrorKind::Record`] when only this record is unusable, [`ErrorKind::Dataset`] when the
    /// shard is (it was removed or cut since it was opened). The message names shard, record and
    /// input.
    fn read(&mut self, shard: usize, record: u64, into: &mut Record) -> Result<()>;

    /// As [`read`](Self::read), but large inputs that lie in a file as they do in memory may be left there, for
    /// [`Record::bytes`] to read them, on any thread. The system is asked to fetch them meanwhile.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    fn locate(&mut self, shard: usize, record: u64, into: &mut Record) -> Result<()> {
        self.read(shard, record, into)
    }

    /// The hash of the records at `positions`, as in [`ShardIdentity::hash`].
    ///
    /// With the positions that an earlier identity was made of, it tells whether a shard that has
    /// grown still starts with the records it had.
    ///
    /// # Errors
    /// As for [`read`](Self::read), but an unusable record is not an error: see
    /// [`ShardIdentity::hash`].
    ///
    /// [`ShardIdentity::hash`]: crate::shard::ShardIdentity::hash
    fn hash_sample(&mut self, shard: usize, positions: &[u64]) -> Result<[u8; 32]>;
}

/// How shards are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataFormat {
    /// Recognised by content: HDF5, `.npy`, `.npz` or safetensors.
    #[default]
    Auto,
    /// HDF5 in either layout, `/value/<record>/<input>` or, packed, `/value/<input>`.
    H5,
    /// A NumPy array, whose first axis counts records, for a model of one input.
    Npy,
    /// An archive of NumPy arrays, one an input.
    Npz,
    /// Tensors, one an input, whose first axis counts records.
    Safetensors,
    /// A text file that names the raw files of a record in each line.
    List,
    /// A text file with the values of each input in a line, separated by commas, a record after the other.
    Text,
    /// Minima and maxima that onert recorded on a device; inputs are those that [`Recorded::input`] names.
    Onert,
    /// A directory of raw files. Never taken for one by [`Auto`](Self::Auto).
    Directory,
}

/// How [`H5Writer`] arranges records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum H5Layout {
    /// A group per record, `/value/<record>/<input>`.
    #[default]
    Records,
    /// A dataset per input, `/value/<input>`, whose first dimension counts the records.
    Packed,
}

/// What an [`H5Writer`] writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct H5Options {
    /// How records are arranged.
    pub layout: H5Layout,
    /// How many records there will be, if it is known. Packed files are then read somewhat faster.
    pub records: Option<u64>,
    /// Whether a file that exists is replaced.
    pub overwrite: bool,
}

/// What [`open_with`] does about unusable records that it comes across.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BadRecords {
    /// They are problems of the dataset: nothing is opened.
    #[default]
    Refuse,
    /// They are left to [`RecordSource::read`], which fails for them. A shard whose checked records
    /// are all unusable is still refused: it was made for another model.
    Leave,
}

/// How [`open_with`] opens a dataset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenOptions {
    /// How shards are stored.
    pub format: DataFormat,
    /// What to do about unusable records.
    pub bad_records: BadRecords,
    /// Whether values of other types are cast to the model's: numbers to FLOAT32, rounded to the nearest,
    /// and integers that fit to INT32 and INT64. Otherwise other types are problems.
    pub cast: bool,
}

/// Opens a dataset for a model with the given inputs, as [`open_with`] with nothing but a format.
pub fn open(
    data: &[String],
    format: DataFormat,
    inputs: &[InputSpec],
) -> Result<Box<dyn RecordSource>> {
    open_with(data, inputs, OpenOptions { format, ..OpenOptions::default() })
}

/// Opens a dataset for a model with the given inputs.
///
/// Each of `data` is a file, a directory of shards or a pattern with `*`, `?` and `[..]`. The order
/// of shards is that of `data`; the files of one directory or pattern come in natural order
/// (`shard-2` before `shard-10`).
///
/// Every shard is opened and checked: that it is readable, has records numbered without gaps and
/// nothing else, and has the model's inputs. Where each record has types and shapes of its own, they
/// are checked in all records if the dataset has at most 4,096 of them; of a larger one, evenly
/// spaced records of each shard are (never fewer than eight). Whatever was not checked is checked
/// when the record is read.
///
/// # Errors
/// [`ErrorKind::Dataset`] with a list of all problems of all shards, [`ErrorKind::Usage`] if `data`
/// is empty, and [`ErrorKind::Model`] if the model has no inputs, an input without elements, or one
/// whose elements have no fixed size in bytes (strings, resources, 4-bit numbers).
pub fn open_with(
    data: &[String],
    inputs: &[InputSpec],
    options: OpenOptions,
) -> Result<Box<dyn RecordSource>> {
    if data.is_empty() {
        return Err(Error::usage("no input data is given"));
    }
    check_inputs(inputs)?;
    let mut problems = problems::Problems::default();
    let paths = locate::locate(data, Wanted::shards(options.format), &mut problems);
    Ok(Box::new(source::FileSource::open(paths, inputs, options, problems)?))
}

/// Refuses inputs that no dataset can provide, all at once.
fn check_inputs(inputs: &[InputSpec]) -> Result<()> {
    if inputs.is_empty() {
        return Err(Error::model("the model has no inputs, so there is nothing to feed"));
    }
    let unusable = inputs.iter().enumerate().filter_map(|(index, input)| {
        let it = &input.input_type;
        let why = match (it.dtype.byte_len(), it.byte_len()) {
            (None, _) => "its elements have no fixed size in bytes",
            _ if it.shape.contains(&Some(0)) => "it has no elements",
            (_, None) if !it.is_open() => "it is too large",
            _ => return None,
        };
        Some(format!("input {index} (\"{}\") of type {it}: {why}", input.name))
    });
    let unusable: Vec<String> = unusable.collect();
    if unusable.is_empty() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Model,
        format!("the model cannot be fed from a dataset: {}", unusable.join("; ")),
    ))
}

/// Guards against a record that was made for another model: a defect of the caller.
fn check_buffers(inputs: &[InputSpec], record: &Record) -> Result<()> {
    let is_fit = |(input, buffer): (&InputSpec, &AlignedBuffer)| {
        input.input_type.is_open() || input.input_type.byte_len() == Some(buffer.len())
    };
    let same_number = inputs.len() == record.inputs.len() && inputs.len() == record.shapes.len();
    if same_number && inputs.iter().zip(&record.inputs).all(is_fit) {
        return Ok(());
    }
    Err(Error::internal("the record's buffers do not fit the model's inputs"))
}

#[cfg(test)]
mod tests;
