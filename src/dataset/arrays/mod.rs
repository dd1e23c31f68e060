//! Files of arrays, one an input, whose first axis counts the records.

pub(super) mod npy;
pub(super) mod npz;
pub(super) mod safetensors;
mod stream;

use std::path::Path;

use self::stream::Stream;
use super::cast::{can_cast, cast, not_cast};
use super::describe::{ShardDescription, StoredInput};
use super::listing::{Strays, plural};
use super::problems::{Fault, ShardReport, name_input};
use super::shard_file::ShardFile;
use super::{BadRecords, InputSpec, Record, fit};
use crate::tensor::{AlignedBuffer, DType, TensorType, num_elements};

/// An array in a file.
pub(super) struct Array {
    name: String,
    /// Its type, or how the file calls one that tensors do not have.
    dtype: Result<DType, String>,
    is_big_endian: bool,
    shape: Vec<usize>,
    data: Stream,
}

/// What a file holds, and what kind of file it is.
pub(super) type Arrays = (&'static str, Vec<Array>);

/// An open file of arrays.
pub(super) struct ArraysFile {
    kind: &'static str,
    records: u64,
    inputs: Vec<ArrayInput>,
}

/// The array of an input.
struct ArrayInput {
    spec: InputSpec,
    /// Shape of each record, as the model has it.
    shape: Vec<usize>,
    /// Stored, of a record.
    record_bytes: usize,
    dtype: DType,
    is_big_endian: bool,
    data: Stream,
    /// What is read to be cast.
    stored: Vec<u8>,
}

impl ArraysFile {
    /// Finds the array of each input, and checks everything but the values.
    ///
    /// # Errors
    /// All that is wrong with the file, to be put after its name.
    pub fn new(
        kind: &'static str,
        arrays: Vec<Array>,
        specs: &[InputSpec],
        cast: bool,
    ) -> Result<Self, Vec<String>> {
        let arrays = assign(arrays, specs)?;
        let (mut inputs, mut counts, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (array, spec)) in arrays.into_iter().zip(specs).enumerate() {
            let records = array.shape.first().copied().unwrap_or(0) as u64;
            match ArrayInput::new(array, spec, cast) {
                Ok(input) => {
                    counts.push((index, records));
                    inputs.push(input);
                }
                Err(problem) => problems.push(format!("{}: {problem}", name_input(index, specs))),
            }
        }
        let records = fit::count_records(&counts, specs, &mut problems);
        if problems.is_empty() { Ok(Self { kind, records, inputs }) } else { Err(problems) }
    }
}

/// Describes an open file.
pub(super) fn describe(path: &Path, (kind, arrays): Arrays, byte_len: u64) -> ShardDescription {
    let lengths = arrays.iter().map(|it| it.shape.first().copied().unwrap_or(0) as u64);
    let lengths: Vec<u64> = lengths.collect();
    let records = lengths.first().copied().unwrap_or(0);
    let mut notes = Vec::new();
    if lengths.iter().any(|&it| it != records) {
        notes.push("arrays have different lengths".to_owned());
    }
    let inputs = arrays.into_iter().map(|array| {
        let shape = array.shape.get(1..).unwrap_or_default();
        let name = if array.name.is_empty() { "array" } else { &array.name };
        StoredInput::new(name, array.dtype, shape)
    });
    let (path, kind, inputs) = (path.to_owned(), kind.to_owned(), inputs.collect());
    ShardDescription { path, kind, byte_len, records, inputs, notes }
}

/// The array of each input: by the names of the tensors, by position (`0` or, as NumPy names arrays
/// without a name, `arr_0`), or the only one.
fn assign(mut arrays: Vec<Array>, specs: &[InputSpec]) -> Result<Vec<Array>, Vec<String>> {
    if arrays.len() == 1 && specs.len() == 1 {
        return Ok(arrays);
    }
    let namings: [Vec<String>; 3] = [
        specs.iter().map(|spec| spec.name.clone()).collect(),
        (0..specs.len()).map(|index| index.to_string()).collect(),
        (0..specs.len()).map(|index| format!("arr_{index}")).collect(),
    ];
    let found = |name: &String| arrays.iter().any(|array| array.name == *name);
    let naming = namings.iter().find(|names| names.iter().any(found));
    let Some(names) = naming else {
        let inputs: Vec<String> = specs.iter().map(|spec| format!("\"{}\"", spec.name)).collect();
        return Err(vec![format!(
            "has no array for the model's {} ({}): {}",
            plural(specs.len() as u64, "input"),
            inputs.join(", "),
            if arrays.is_empty() {
                "it is empty".to_owned()
            } else {
                format!("it has {}", names_of(&arrays))
            }
        )]);
    };
    let mut problems = Vec::new();
    let mut assigned = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match arrays.iter().position(|array| array.name == *name) {
            Some(at) => assigned.push(arrays.swap_remove(at)),
            None => problems.push(format!(
                "{} is missing: there is no array \"{name}\"",
                name_input(index, specs)
            )),
        }
    }
    if problems.is_empty() && !arrays.is_empty() {
        let inputs = plural(specs.len() as u64, "input");
        let strays = names_of(&arrays);
        problems.push(format!("holds more than the model's {inputs}: {strays}"));
    }
    if problems.is_empty() { Ok(assigned) } else { Err(problems) }
}

/// The names of arrays, for messages.
fn names_of(arrays: &[Array]) -> Strays {
    let mut names = Strays::default();
    for array in arrays {
        names.add(&array.name);
    }
    names
}

impl ArrayInput {
    fn new(array: Array, spec: &InputSpec, cast: bool) -> Result<Self, String> {
        let expected = &spec.input_type;
        let dtype = match array.dtype {
            Ok(dtype) if dtype == expected.dtype => dtype,
            Ok(dtype) if cast && can_cast(dtype, expected.dtype) => dtype,
            found => {
                let castable = found.as_ref().is_ok_and(|dtype| can_cast(*dtype, expected.dtype));
                let found = found.map_or_else(|other| other, |dtype| dtype.to_string());
                return Err(not_cast(&found, expected.dtype, castable));
            }
        };
        let shape = fit::shape_of_records(expected, &array.shape)?;
        let record_bytes = TensorType::new(dtype, shape.clone()).byte_len();
        let all = num_elements(&array.shape)
            .and_then(|elements| elements.checked_mul(dtype.byte_len().unwrap_or(0)));
        let (Some(record_bytes), Some(all)) = (record_bytes, all) else {
            return Err(format!("has shape {:?}, which is too large", array.shape));
        };
        if array.data.len() != all as u64 {
            return Err(format!(
                "has {} bytes of data, but its header says {all} (shape {:?}): the file was cut, or \
                 is still being written",
                array.data.len(),
                array.shape
            ));
        }
        let is_big_endian = array.is_big_endian && dtype.byte_len() != Some(1);
        let (spec, data) = (spec.clone(), array.data);
        Ok(Self { spec, shape, record_bytes, dtype, is_big_endian, data, stored: Vec::new() })
    }

    fn read(
        &mut self,
        record: u64,
        buffer: &mut AlignedBuffer,
        shape: &mut Vec<usize>,
    ) -> Result<(), String> {
        let expected = &self.spec.input_type;
        fit::make_room(expected, &self.shape, buffer, shape)?;
        let position = record.saturating_mul(self.record_bytes as u64);
        let swapped = (self.is_big_endian != cfg!(target_endian = "big"))
            .then(|| self.dtype.byte_len().unwrap_or(1));
        let mut fill = |bytes: &mut [u8]| {
            let read = self.data.read_at(position, bytes);
            read.map_err(|error| format!("cannot be read: {error}"))?;
            if let Some(element) = swapped {
                bytes.chunks_exact_mut(element).for_each(<[u8]>::reverse);
            }
            Ok::<(), String>(())
        };
        if self.dtype == expected.dtype {
            fill(buffer.bytes_mut())?;
            return fit::check_values(expected, buffer.bytes());
        }
        self.stored.resize(self.record_bytes, 0);
        fill(&mut self.stored)?;
        cast(self.dtype, &self.stored, expected.dtype, buffer)
    }
}

impl ShardFile for ArraysFile {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn records(&self) -> u64 {
        self.records
    }

    /// All headers were checked when it was opened.
    fn check(&mut self, _: u64, _: BadRecords, _: &mut ShardReport) {}

    fn read(&mut self, record: u64, into: &mut Record) -> Result<(), Fault> {
        let buffers = into.inputs.iter_mut().zip(&mut into.shapes);
        for (index, (input, (buffer, shape))) in self.inputs.iter_mut().zip(buffers).enumerate() {
            input.read(record, buffer, shape).map_err(|message| Fault::of_input(index, message))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
