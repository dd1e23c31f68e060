//! Writing typed HDF5 shards.

use std::path::Path;

use hdf5::types::{H5Type, TypeDescriptor};
use hdf5::{Dataset, File, Group, Selection};
use ndarray::{ArrayView, IxDyn};

use super::failure::reason;
use super::staging::select_records;
use crate::dataset::{H5Layout, InputSpec, Record, RecordSource};
use crate::error::{Error, Result};
use crate::tensor::{AlignedBuffer, DType};

/// Writes all records of `source`, in order, to a new typed HDF5 file, and returns how many that
/// are.
///
/// The file holds no times and the like: the same records give the same bytes.
///
/// # Errors
/// [`ErrorKind::Io`] if the file exists or cannot be written, [`ErrorKind::Dataset`] for inputs of
/// a type that typed files do not have (FLOAT32, INT32, INT64 and BOOL are there), and the errors
/// of [`RecordSource::read`]. A file that was begun is left behind.
///
/// [`ErrorKind::Io`]: crate::error::ErrorKind::Io
/// [`ErrorKind::Dataset`]: crate::error::ErrorKind::Dataset
pub fn write_h5(
    path: &Path,
    layout: H5Layout,
    inputs: &[InputSpec],
    source: &mut dyn RecordSource,
) -> Result<u64> {
    let mut record = Record::for_inputs(inputs)?;
    let writers = inputs.iter().enumerate().map(|(index, input)| InputWriter::new(index, input));
    let writers: Vec<InputWriter> = writers.collect::<Result<_>>()?;
    let counts: Vec<u64> = source.shards().iter().map(|s| s.identity.records).collect();
    let failed = |error: hdf5::Error| io_error(path, &error);
    let file = File::create_excl(path).map_err(failed)?;
    let value = create_group(&file, "value").map_err(failed)?;
    let target = match layout {
        H5Layout::Records => Target::Records(value),
        H5Layout::Packed => {
            let records = counts.iter().sum::<u64>() as usize;
            let datasets = writers.iter().map(|it| it.create(&value, Some(records)));
            Target::Packed(datasets.collect::<hdf5::Result<_>>().map_err(failed)?)
        }
    };
    let mut written = 0;
    for (shard, count) in counts.into_iter().enumerate() {
        for position in 0..count {
            source.read(shard, position, &mut record)?;
            target.write(written, &writers, &record).map_err(failed)?;
            written += 1;
        }
    }
    file.flush().map_err(failed)?;
    Ok(written)
}

/// Where records go.
enum Target {
    /// A group for each of them.
    Records(Group),
    /// One dataset per input.
    Packed(Vec<Dataset>),
}

impl Target {
    fn write(&self, number: u64, writers: &[InputWriter], record: &Record) -> hdf5::Result<()> {
        let parts = writers.iter().zip(&record.inputs);
        match self {
            Self::Records(value) => {
                let group = create_group(value, &number.to_string())?;
                for (writer, buffer) in parts {
                    writer.write(&writer.create(&group, None)?, None, buffer)?;
                }
            }
            Self::Packed(datasets) => {
                for (dataset, (writer, buffer)) in datasets.iter().zip(parts) {
                    writer.write(dataset, Some(number as usize), buffer)?;
                }
            }
        }
        Ok(())
    }
}

/// How one input is written.
struct InputWriter {
    /// Name of its dataset.
    name: String,
    shape: Vec<usize>,
    element: TypeDescriptor,
    write: WriteElements,
}

/// Writes the elements of a buffer, of the given shape, to a part of a dataset.
type WriteElements = fn(&Dataset, &[usize], Selection, &AlignedBuffer) -> hdf5::Result<()>;

impl InputWriter {
    fn new(index: usize, input: &InputSpec) -> Result<Self> {
        let (element, write): (TypeDescriptor, WriteElements) = match input.input_type.dtype {
            DType::F32 => (f32::type_descriptor(), write_slice::<f32>),
            DType::I32 => (i32::type_descriptor(), write_slice::<i32>),
            DType::I64 => (i64::type_descriptor(), write_slice::<i64>),
            DType::Bool => (TypeDescriptor::Boolean, write_bools),
            other => {
                return Err(Error::dataset(format!(
                    "input {index} (\"{}\") is {other}, which typed HDF5 files cannot hold",
                    input.name
                )));
            }
        };
        let fixed = input.input_type.fixed().ok_or_else(|| {
            Error::dataset(format!(
                "input {index} (\"{}\") is {}: choose its shape to write records",
                input.name, input.input_type
            ))
        });
        let shape = fixed?.shape;
        Ok(Self { name: index.to_string(), shape, element, write })
    }

    /// Creates the dataset for one record, or for a number of them.
    fn create(&self, parent: &Group, records: Option<usize>) -> hdf5::Result<Dataset> {
        let builder = parent.new_dataset_builder().obj_track_times(false);
        let shape: Vec<usize> = records.into_iter().chain(self.shape.iter().copied()).collect();
        builder.empty_as(&self.element).shape(shape).create(self.name.as_str())
    }

    /// Writes a whole dataset, or one of the records that it holds.
    fn write(
        &self,
        dataset: &Dataset,
        record: Option<usize>,
        buffer: &AlignedBuffer,
    ) -> hdf5::Result<()> {
        let Some(record) = record else {
            return (self.write)(dataset, &self.shape, Selection::All, buffer);
        };
        let shape = [&[1], self.shape.as_slice()].concat();
        let part = select_records(record..record + 1, shape.len());
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
