//! Writing typed HDF5 shards.

use std::path::Path;

use hdf5::types::{H5Type, TypeDescriptor};
use hdf5::{Dataset, File, Group};

use super::failure::reason;
use crate::dataset::{InputSpec, Record, RecordSource};
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
pub fn write_h5(path: &Path, inputs: &[InputSpec], source: &mut dyn RecordSource) -> Result<u64> {
    let mut record = Record::for_inputs(inputs)?;
    let writers = inputs.iter().enumerate().map(|(index, input)| writer_of(index, input));
    let writers: Vec<WriteInput> = writers.collect::<Result<_>>()?;
    let counts: Vec<u64> = source.shards().iter().map(|s| s.identity.records).collect();
    let failed = |error: hdf5::Error| io_error(path, &error);
    let file = File::create_excl(path).map_err(failed)?;
    let value = create_group(&file, "value").map_err(failed)?;
    let mut written = 0;
    for (shard, count) in counts.into_iter().enumerate() {
        for position in 0..count {
            source.read(shard, position, &mut record)?;
            let group = create_group(&value, &written.to_string()).map_err(failed)?;
            let parts = writers.iter().zip(inputs).zip(&record.inputs).enumerate();
            for (index, ((write, input), buffer)) in parts {
                write(&group, index, &input.tensor_type.shape, buffer).map_err(failed)?;
            }
            written += 1;
        }
    }
    file.flush().map_err(failed)?;
    Ok(written)
}

fn create_group(parent: &Group, name: &str) -> hdf5::Result<Group> {
    parent.create_group_builder().obj_track_times(false).create(name)
}

/// How one input of a record is written: with its position, shape and elements.
type WriteInput = fn(&Group, usize, &[usize], &AlignedBuffer) -> hdf5::Result<()>;

fn writer_of(index: usize, input: &InputSpec) -> Result<WriteInput> {
    match input.tensor_type.dtype {
        DType::F32 => Ok(write_slice::<f32>),
        DType::I32 => Ok(write_slice::<i32>),
        DType::I64 => Ok(write_slice::<i64>),
        DType::Bool => Ok(write_bools),
        other => Err(Error::dataset(format!(
            "input {index} (\"{}\") is {other}, which typed HDF5 files cannot hold",
            input.name
        ))),
    }
}

fn write_slice<T: H5Type + bytemuck::AnyBitPattern>(
    group: &Group,
    index: usize,
    shape: &[usize],
    buffer: &AlignedBuffer,
) -> hdf5::Result<()> {
    let dataset = create_dataset(group, index, shape, &T::type_descriptor())?;
    dataset.write_raw(buffer.as_slice::<T>())
}

fn write_bools(
    group: &Group,
    index: usize,
    shape: &[usize],
    buffer: &AlignedBuffer,
) -> hdf5::Result<()> {
    let values: Vec<bool> = buffer.bytes().iter().map(|&byte| byte != 0).collect();
    let dataset = create_dataset(group, index, shape, &TypeDescriptor::Boolean)?;
    dataset.write_raw(&values)
}

fn create_dataset(
    group: &Group,
    index: usize,
    shape: &[usize],
    element: &TypeDescriptor,
) -> hdf5::Result<Dataset> {
    let builder = group.new_dataset_builder().obj_track_times(false);
    builder.empty_as(element).shape(shape).create(index.to_string().as_str())
}

fn io_error(path: &Path, error: &hdf5::Error) -> Error {
    Error::io("write", path, std::io::Error::other(reason(error)))
}
