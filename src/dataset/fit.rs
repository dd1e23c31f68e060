//! What stored shapes and values must be to feed an input.

use super::InputSpec;
use super::listing::plural;
use super::problems::name_input;
use crate::tensor::{AlignedBuffer, DType, InputType, TensorType};

/// Bytes that a record of an open shape may take: more is a mistake, or an attack.
const MOST_BYTES: usize = 1 << 30;

/// The shape of each record of an array of `shape`, whose first axis counts records.
///
/// # Errors
/// What is wrong with it, to be put after the input's name; so it is with all functions.
pub(super) fn shape_of_records(
    expected: &InputType,
    shape: &[usize],
) -> Result<Vec<usize>, String> {
    let Some((_, of_record)) = shape.split_first() else {
        return Err("is a single value, without an axis for the records".to_owned());
    };
    let batched = [&[1], of_record].concat();
    let is_without_batch = expected.shape.first() == Some(&Some(1));
    if expected.fits(of_record) {
        Ok(of_record.to_vec())
    } else if is_without_batch && expected.fits(&batched) {
        // Many programs stack records where the batch would be.
        Ok(batched)
    } else {
        Err(format!(
            "has shape {shape:?}, the model expects {}, where N is the number of records",
            packed_shapes(expected)
        ))
    }
}

/// The shapes of a packed dataset, for instance `[N, 2, 3] or [N, 1, 2, 3]`.
fn packed_shapes(expected: &InputType) -> String {
    let packed = |shape: &[Option<usize>]| {
        let dims = shape.iter().map(|dim| dim.map_or(", ?".to_owned(), |dim| format!(", {dim}")));
        format!("[N{}]", dims.collect::<String>())
    };
    let short = expected.shape.split_first().filter(|(batch, _)| **batch == Some(1));
    let short = short.map(|(_, short)| format!("{} or ", packed(short)));
    format!("{}{}", short.unwrap_or_default(), packed(&expected.shape))
}

/// The shape of so many bytes; one open dimension follows from them.
///
/// # Errors
/// What is expected instead.
pub(super) fn shape_of_bytes(expected: &InputType, bytes: usize) -> Result<Vec<usize>, String> {
    let known: Vec<usize> = expected.shape.iter().flatten().copied().collect();
    let unit = TensorType::new(expected.dtype, known).byte_len().unwrap_or(0);
    match expected.shape.len() - expected.shape.iter().flatten().count() {
        0 if bytes == unit => {}
        0 => return Err(format!("{unit} ({expected})")),
        1 if unit > 0 && bytes > 0 && bytes.is_multiple_of(unit) => {}
        1 => return Err(format!("a multiple of {unit} ({expected})")),
        _ => return Err(format!("{expected}, whose shape does not follow from bytes")),
    }
    Ok(expected.shape.iter().map(|dim| dim.unwrap_or(bytes / unit.max(1))).collect())
}

/// Makes a record as large as what was `found`, if its shape is open.
pub(super) fn make_room(
    expected: &InputType,
    found: &[usize],
    buffer: &mut AlignedBuffer,
    shape: &mut Vec<usize>,
) -> Result<(), String> {
    if !expected.is_open() {
        return Ok(());
    }
    match TensorType::new(expected.dtype, found).byte_len() {
        Some(0) => Err(format!("has shape {found:?}, which is without elements")),
        Some(bytes) if bytes <= MOST_BYTES => {
            buffer.resize(bytes);
            shape.clear();
            shape.extend_from_slice(found);
            Ok(())
        }
        _ => Err(format!("has shape {found:?}, more than {MOST_BYTES} bytes")),
    }
}

/// Checks what was read.
pub(super) fn check_values(expected: &InputType, bytes: &[u8]) -> Result<(), String> {
    if expected.dtype == DType::Bool
        && let Some(value) = bytes.iter().find(|&&b| b > 1)
    {
        return Err(format!("holds the byte {value}, but a BOOL is 0 or 1"));
    }
    Ok(())
}

/// Adds a problem for each input with another number of records than the first one, or one if there
/// are no records. `counts` are those of the inputs that are otherwise good.
pub(super) fn count_records(
    counts: &[(usize, u64)],
    specs: &[InputSpec],
    problems: &mut Vec<String>,
) -> u64 {
    let Some(&(first, records)) = counts.first() else { return 0 };
    let different = counts.iter().filter(|(_, count)| *count != records);
    problems.extend(different.map(|(index, count)| {
        format!(
            "{} has {}, but {} has {records}",
            name_input(*index, specs),
            plural(*count, "record"),
            name_input(first, specs)
        )
    }));
    if counts.iter().all(|(_, count)| *count == 0) {
        problems.push("has no records: the first dimension of its datasets is 0".to_owned());
    }
    records
}
