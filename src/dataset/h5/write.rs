//! Writing typed HDF5 shards.

use std::path::{Path, PathBuf};

use hdf5::types::{H5Type, TypeDescriptor, VarLenUnicode};
use hdf5::{Dataset, File, Group, Selection};
use ndarray::{ArrayView, IxDyn};

use super::failure::reason;
use super::staging::select_records;
use crate::dataset::{H5Layout, H5Options, InputSpec, Record, RecordSource};
use crate::error::{Error, ErrorKind, Result};
use crate::output::Pending;
use crate::tensor::{AlignedBuffer, DType};

/// Bytes of a chunk of a packed dataset whose length is not known from the start: whole records, at least one.
const CHUNK_BYTES: usize = 1 << 20;

/// Writes all records of `source`, in order, to a new HDF5 file, and returns how many that are.
///
/// # Errors
/// Those of [`H5Writer`], and of [`RecordSource::read`].
pub fn write_h5(
    path: &Path,
    layout: H5Layout,
    inputs: &[InputSpec],
    source: &mut dyn RecordSource,
) -> Result<u64> {
    let options = H5Options { layout, records: Some(source.records()), overwrite: false };
    H5Writer::create(path, inputs, options)?.write_all(inputs, source)
}

impl H5Options {
    /// Checks that there is no file at `path` that is not to be replaced.
    ///
    /// # Errors
    /// [`Io`](crate::error::ErrorKind::Io) if there is.
    pub fn check_free(self, path: &Path) -> Result<()> {
        if self.overwrite || path.symlink_metadata().is_err() {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Io, format!("{} exists already", path.display()))
            .with_hint("choose another --output, or replace it with --overwrite"))
    }
}

/// Writes records to an HDF5 file, which is there when it is finished, or not at all.
///
/// Values have the types of the model's inputs. If one of them is another type than FLOAT32, INT32, INT64 and
/// BOOL, which typed files have, the file has raw bytes and the attribute `rawData`.
///
/// The file holds no times and the like: the same records give the same bytes.
pub struct H5Writer {
    pending: Pending,
    path: PathBuf,
    file: File,
    target: Target,
    inputs: Vec<InputWriter>,
    /// Records that packed datasets have room for.
    room: u64,
    written: u64,
    overwrite: bool,
}

impl H5Writer {
    /// Begins a file.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the file cannot be written, or exists and is not to be replaced, and [`ErrorKind::Dataset`] for a packed file of
    /// inputs whose shape is not fixed.
    ///
    /// [`ErrorKind::Io`]: crate::error::ErrorKind::Io
    /// [`ErrorKind::Dataset`]: crate::error::ErrorKind::Dataset
    pub fn create(path: &Path, inputs: &[InputSpec], options: H5Options) -> Result<Self> {
        let H5Options { layout, records, overwrite } = options;
        options.check_free(path)?;
        if layout == H5Layout::Packed
            && let Some(open) = inputs.iter().find(|input| input.input_type.is_open())
        {
            return Err(Error::dataset(format!(
                "input \"{}\" is {}: packed records have one shape",
                open.name, open.input_type
            ))
            .with_hint(format!(
                "write a group per record (--layout records), or choose the shape with \
                 --input-shape {}=...",
                open.name
            )));
        }
        let raw = inputs.iter().any(|input| !is_typed(input.input_type.dtype));
        let writers = inputs.iter().enumerate().map(|(i, input)| InputWriter::new(i, input, raw));
        let writers: Vec<InputWriter> = writers.collect();
        let failed = |error: hdf5::Error| io_error(path, &error);
        let pending = Pending::create(path)?;
        // Without times, the same records make the same file: HDF5 2 would store some.
        let file = File::with_options()
            .with_fcpl(|properties| properties.obj_track_times(false))
            .create(pending.path())
            .map_err(failed)?;
        let value = create_group(&file, "value").map_err(failed)?;
        if raw {
            mark_raw(&value).map_err(failed)?;
        }
        let room = records.unwrap_or(0);
        let target = match layout {
            H5Layout::Records => Target::Records(value),
            H5Layout::Packed => {
                let create = |(writer, input): (&InputWriter, &InputSpec)| {
                    writer.create_packed(&value, input, records)
                };
                let datasets = writers.iter().zip(inputs).map(create);
                Target::Packed(datasets.collect::<hdf5::Result<_>>().map_err(failed)?)
            }
        };
        let path = path.to_owned();
        Ok(Self { pending, path, file, target, inputs: writers, room, written: 0, overwrite })
    }

    /// Number of records so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Adds a record.
    ///
    /// # Errors
    /// [`Io`](crate::error::ErrorKind::Io) if it cannot be written.
    pub fn write(&mut self, record: &Record) -> Result<()> {
        self.write_next(record).map_err(|error| io_error(&self.path, &error))?;
        self.written += 1;
        Ok(())
    }

    /// Adds all records of `source`, which has these `inputs`, and [ends](Self::finish) the file.
    ///
    /// # Errors
    /// As for [`create`](Self::create), and those of [`RecordSource::read`].
    pub fn write_all(self, inputs: &[InputSpec], source: &mut dyn RecordSource) -> Result<u64> {
        let written = self.write_all_while(&|| true, inputs, source)?;
        written.ok_or_else(|| Error::internal("writing ended before the last record"))
    }

    /// The same as long as `go_on` says so before each record; `None` if there is no file because it did not.
    ///
    /// # Errors
    /// As for [`write_all`](Self::write_all).
    pub fn write_all_while(
        mut self,
        go_on: &dyn Fn() -> bool,
        inputs: &[InputSpec],
        source: &mut dyn RecordSource,
    ) -> Result<Option<u64>> {
        let mut record = Record::for_inputs(inputs)?;
        let counts: Vec<u64> = source.shards().iter().map(|it| it.identity.records).collect();
        for (shard, count) in counts.into_iter().enumerate() {
            for number in 0..count {
                if !go_on() {
                    return Ok(None);
                }
                source.read(shard, number, &mut record)?;
                self.write(&record)?;
            }
        }
        self.finish().map(Some)
    }

    fn write_next(&mut self, record: &Record) -> hdf5::Result<()> {
        let number = self.written;
        let parts = self.inputs.iter().zip(record.inputs.iter().zip(&record.shapes));
        match &self.target {
            Target::Records(value) => {
                let group = create_group(value, &number.to_string())?;
                for (writer, (buffer, shape)) in parts {
                    writer.write(&group, shape, buffer)?;
                }
            }
            Target::Packed(datasets) => {
                if number >= self.room {
                    // Making room is slow, and what is too much is cut off in the end.
                    self.room = self.room.saturating_mul(2).max(64);
                    resize(datasets, self.room)?;
                }
                for (dataset, (writer, (buffer, shape))) in datasets.iter().zip(parts) {
                    writer.write_packed(dataset, number, shape, buffer)?;
                }
            }
        }
        Ok(())
    }

    /// Ends the file and gives it its name. Returns the number of records.
    ///
    /// # Errors
    /// As for [`create`](Self::create).
    pub fn finish(self) -> Result<u64> {
        let Self { pending, path, file, target, room, written, overwrite, .. } = self;
        let failed = |error: hdf5::Error| io_error(&path, &error);
        if let Target::Packed(datasets) = &target
            && written < room
        {
            resize(datasets, written).map_err(failed)?;
        }
        drop(target);
        file.flush().map_err(failed)?;
        file.close().map_err(failed)?;
        pending.publish(overwrite)?;
        Ok(written)
    }
}

fn is_typed(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::I32 | DType::I64 | DType::Bool)
}

/// As ONE's tools do.
fn mark_raw(value: &Group) -> hdf5::Result<()> {
    let text: VarLenUnicode = "1".parse().map_err(|_| hdf5::Error::from("no text"))?;
    value.new_attr::<VarLenUnicode>().create("rawData")?.write_scalar(&text)
}

fn resize(datasets: &[Dataset], records: u64) -> hdf5::Result<()> {
    for dataset in datasets {
        let mut shape = dataset.shape();
        if let Some(first) = shape.first_mut() {
            *first = records as usize;
        }
        dataset.resize(shape)?;
    }
    Ok(())
}

/// Where records go.
enum Target {
    /// A group for each of them.
    Records(Group),
    /// One dataset per input.
    Packed(Vec<Dataset>),
}

/// How one input is written.
struct InputWriter {
    /// Name of its dataset.
    name: String,
    element: TypeDescriptor,
    write: WriteElements,
    /// Whether bytes are written, without a shape.
    raw: bool,
}

/// Writes the elements of a buffer, of the given shape, to a part of a dataset.
type WriteElements = fn(&Dataset, &[usize], Selection, &AlignedBuffer) -> hdf5::Result<()>;

impl InputWriter {
    fn new(index: usize, input: &InputSpec, raw: bool) -> Self {
        let (element, write): (TypeDescriptor, WriteElements) = match input.input_type.dtype {
            DType::F32 if !raw => (f32::type_descriptor(), write_slice::<f32>),
            DType::I32 if !raw => (i32::type_descriptor(), write_slice::<i32>),
            DType::I64 if !raw => (i64::type_descriptor(), write_slice::<i64>),
            DType::Bool if !raw => (TypeDescriptor::Boolean, write_bools),
            _ => (u8::type_descriptor(), write_slice::<u8>),
        };
        Self { name: index.to_string(), element, write, raw }
    }

    /// The shape in the file of a record's value.
    fn stored(&self, shape: &[usize], bytes: usize) -> Vec<usize> {
        if self.raw { vec![bytes] } else { shape.to_vec() }
    }

    /// Creates the dataset for all records: contiguous if their number is known, and one that grows otherwise.
    fn create_packed(
        &self,
        parent: &Group,
        input: &InputSpec,
        records: Option<u64>,
    ) -> hdf5::Result<Dataset> {
        let fixed = input.input_type.fixed().ok_or("the shape is not fixed")?;
        let bytes = fixed.byte_len().ok_or("the size is not fixed")?;
        let stored = self.stored(&fixed.shape, bytes);
        let builder = parent.new_dataset_builder().obj_track_times(false).empty_as(&self.element);
        let Some(records) = records else {
            let chunk = (CHUNK_BYTES / bytes.max(1)).max(1);
            let chunk: Vec<usize> = [chunk].into_iter().chain(stored.iter().copied()).collect();
            let extents = [hdf5::Extent::resizable(0)].into_iter();
            let extents = extents.chain(stored.into_iter().map(hdf5::Extent::fixed));
            let extents = hdf5::Extents::new(extents.collect::<Vec<_>>());
            return builder.shape(extents).chunk(chunk).create(self.name.as_str());
        };
        let shape: Vec<usize> = [records as usize].into_iter().chain(stored).collect();
        builder.shape(shape).create(self.name.as_str())
    }

    /// Writes a record's value as a dataset of its own.
    fn write(&self, group: &Group, shape: &[usize], buffer: &AlignedBuffer) -> hdf5::Result<()> {
        let stored = self.stored(shape, buffer.len());
        let builder = group.new_dataset_builder().obj_track_times(false).empty_as(&self.element);
        let dataset = builder.shape(stored.as_slice()).create(self.name.as_str())?;
        (self.write)(&dataset, &stored, Selection::All, buffer)
    }

    /// Writes a record's value where it belongs in the dataset of all records.
    fn write_packed(
        &self,
        dataset: &Dataset,
        record: u64,
        shape: &[usize],
        buffer: &AlignedBuffer,
    ) -> hdf5::Result<()> {
        let stored = self.stored(shape, buffer.len());
        let shape: Vec<usize> = [1].into_iter().chain(stored).collect();
        let part = select_records(record as usize..record as usize + 1, shape.len());
        (self.write)(dataset, &shape, part, buffer)
    }
}

fn create_group(parent: &Group, name: &str) -> hdf5::Result<Group> {
    parent.create_group_builder().obj_track_times(false).create(name)
}

fn write_slice<T: H5Type + bytemuck::AnyBitPattern>(
    dataset: &Dataset,
    shape: &[usize],
    part: Selection,
    buffer: &AlignedBuffer,
) -> hdf5::Result<()> {
    write_elements(dataset, shape, part, buffer.as_slice::<T>())
}

fn write_bools(
    dataset: &Dataset,
    shape: &[usize],
    part: Selection,
    buffer: &AlignedBuffer,
) -> hdf5::Result<()> {
    let values: Vec<bool> = buffer.bytes().iter().map(|&byte| byte != 0).collect();
    write_elements(dataset, shape, part, &values)
}

fn write_elements<T: H5Type>(
    dataset: &Dataset,
    shape: &[usize],
    part: Selection,
    values: &[T],
) -> hdf5::Result<()> {
    let values = ArrayView::from_shape(IxDyn(shape), values)
        .map_err(|error| hdf5::Error::Internal(error.to_string()))?;
    dataset.write_slice(values, part)
}

fn io_error(path: &Path, error: &hdf5::Error) -> Error {
    Error::io("write", path, std::io::Error::other(reason(error)))
}
