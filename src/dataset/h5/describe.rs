//! What an HDF5 shard holds.

use std::path::Path;

use hdf5::{Dataset, Group, IndexType, IterationOrder};

use super::element::StoredType;
use super::failure::reason;
use super::file::{is_packed, open_value};
use crate::dataset::describe::{Described, ShardDescription, StoredInput, described_records};
use crate::dataset::natural;

/// Describes a file.
///
/// # Errors
/// What is wrong with it, to be put after its name.
pub fn describe(path: &Path) -> Result<ShardDescription, String> {
    let value = open_value(path)?;
    let raw = value.attr("rawData").is_ok();
    let packed = is_packed(&value)?;
    let names = names(&value)?;
    let (records, inputs, notes) = if packed {
        let mut inputs = Vec::new();
        let mut records = Vec::new();
        for name in &names {
            let dataset = open(&value, name)?;
            let shape = dataset.shape();
            records.push(shape.first().copied().unwrap_or(0) as u64);
            inputs.push(stored(name, &dataset, shape.get(1..).unwrap_or_default(), raw));
        }
        let first = records.first().copied().unwrap_or(0);
        let same = records.iter().all(|&it| it == first);
        let notes = if same { vec![] } else { vec!["inputs have different lengths".to_owned()] };
        (first, inputs, notes)
    } else {
        let records = names.len() as u64;
        let mut described = Described::default();
        for record in described_records(records) {
            let Some(name) = names.get(record as usize) else { continue };
            let group = value.group(name);
            let group =
                group.map_err(|e| format!("record {name} is unreadable: {}", reason(&e)))?;
            let inputs = self::names(&group)?.into_iter().map(|name| {
                let dataset = open(&group, &name)?;
                Ok::<_, String>(stored(&name, &dataset, &dataset.shape(), raw))
            });
            described.add(inputs.collect::<Result<_, _>>()?);
        }
        let notes = described.notes(records);
        (records, described.inputs, notes)
    };
    let kind = match (packed, raw) {
        (false, false) => "h5",
        (false, true) => "h5-raw",
        (true, false) => "h5-packed",
        (true, true) => "h5-packed-raw",
    };
    let byte_len = path.metadata().map_or(0, |it| it.len());
    Ok(ShardDescription {
        path: path.to_owned(),
        kind: kind.to_owned(),
        byte_len,
        records,
        inputs,
        notes,
    })
}

/// The names in a group, in natural order.
fn names(group: &Group) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    let visited = group.iter_visit(IndexType::Name, IterationOrder::Native, |name, _| {
        names.push(name.to_owned());
        Ok(())
    });
    visited.map_err(|error| format!("has unreadable names: {}", reason(&error)))?;
    names.sort_by(|a, b| natural::compare(a, b));
    Ok(names)
}

fn open(group: &Group, name: &str) -> Result<Dataset, String> {
    group
        .dataset(name)
        .map_err(|error| format!("\"{name}\" cannot be opened as a dataset: {}", reason(&error)))
}

fn stored(name: &str, dataset: &Dataset, shape: &[usize], raw: bool) -> StoredInput {
    let dtype = match dataset.dtype() {
        _ if raw => Err("raw bytes".to_owned()),
        Ok(dtype) => match StoredType::of(&dtype) {
            StoredType::Tensor(dtype) => Ok(dtype),
            StoredType::Other(words) => Err(words),
        },
        Err(error) => Err(format!("of an unreadable type: {}", reason(&error))),
    };
    StoredInput::new(name, dtype, shape)
}
