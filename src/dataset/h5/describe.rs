//! What an HDF5 shard holds.

use std::path::Path;

use hdf5::{Dataset, Group};

use super::element::StoredType;
use super::failure::reason;
use super::file::{is_packed, kind, names, open_value};
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
    let names = sorted_names(&value)?;
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
            let inputs = sorted_names(&group)?.into_iter().map(|name| {
                let dataset = open(&group, &name)?;
                Ok::<_, String>(stored(&name, &dataset, &dataset.shape(), raw))
            });
            described.add(inputs.collect::<Result<_, _>>()?);
        }
        let notes = described.notes(records);
        (records, described.inputs, notes)
    };
    let byte_len = path.metadata().map_or(0, |it| it.len());
    Ok(ShardDescription {
        path: path.to_owned(),
        kind: kind(packed, raw).to_owned(),
        byte_len,
        records,
        inputs,
        notes,
    })
}

/// The names in a group, in natural order.
fn sorted_names(group: &Group) -> Result<Vec<String>, String> {
    let mut names = names(group)?;
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
