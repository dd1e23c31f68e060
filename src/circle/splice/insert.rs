//! Ranges into tensors.

use std::collections::HashMap;

use super::TensorRange;
use super::copy::copy_table;
use super::edit::Edit;
use super::layout;
use crate::circle::slots::{model, quantization, subgraph, tensor};
use crate::circle::wire::{Offsets, Table};
use crate::error::{Error, Result};

/// A range in a `QuantizationParameters` table.
#[derive(Clone, Copy)]
struct Range {
    min: f32,
    max: f32,
}

/// Gives each of these tensors its range; other tensors keep what they have, whatever tables they
/// share.
pub(super) fn insert(edit: &mut Edit, ranges: &[TensorRange]) -> Result<()> {
    let subgraphs = Subgraphs::of(edit)?;
    let mut by_subgraph: Vec<HashMap<usize, Range>> = vec![HashMap::new(); subgraphs.tables.len()];
    for range in ranges {
        let &TensorRange { subgraph, tensor, min, max } = range;
        let place = || format!("the range of tensor {tensor} of subgraph {subgraph}");
        let tensors = subgraphs.tensors.get(subgraph as usize).copied().flatten();
        if tensors.is_none_or(|tensors| tensor as usize >= tensors.len) {
            return Err(Error::model(format!("{}: the model has no such tensor", place())));
        }
        // Also refuses NaN.
        if min.partial_cmp(&max).is_none_or(std::cmp::Ordering::is_gt) {
            return Err(Error::model(format!("{}: {min} to {max} is no range", place())));
        }
        let before = by_subgraph[subgraph as usize].insert(tensor as usize, Range { min, max });
        if before.is_some() {
            return Err(Error::model(format!("{} is given twice", place())));
        }
    }
    for (i, ranges) in by_subgraph.iter().enumerate().filter(|(_, ranges)| !ranges.is_empty()) {
        let Some(tensors) = subgraphs.tensors[i] else { continue };
        subgraphs.check_own(i)?;
        if subgraphs.tensors.iter().flatten().filter(|it| it.at() == tensors.at()).count() > 1 {
            separate_tensors(edit, subgraphs.tables[i], tensors, ranges)?;
            continue;
        }
        // In the file's order, so that the same ranges make the same bytes.
        let mut ranges: Vec<(usize, Range)> =
            ranges.iter().map(|(&t, &range)| (t, range)).collect();
        ranges.sort_unstable_by_key(|&(t, _)| t);
        for (t, range) in ranges {
            let entry = tensors.entry(t);
            let table = edit.wire().table(edit.wire().follow(entry)?)?;
            let field = edit.wire().field(table, tensor::QUANTIZATION)?;
            match field {
                Some(field) if subgraphs.users.get(&table.at) == Some(&1) => {
                    let parameters = parameters_with(edit, table, range)?;
                    edit.refer(field, parameters)?;
                }
                _ => {
                    let copy = tensor_with(edit, table, Some(range))?;
                    edit.refer(entry, copy)?;
                }
            }
        }
    }
    Ok(())
}

/// Where subgraphs and their tensors are stored.
struct Subgraphs {
    tables: Vec<Table>,
    /// Their vectors of tensors.
    tensors: Vec<Option<Offsets>>,
    /// How many entries lead to the tensor table at a position.
    users: HashMap<usize, usize>,
}

impl Subgraphs {
    fn of(edit: &Edit) -> Result<Self> {
        let wire = edit.wire();
        let tables = wire.tables(wire.root()?, model::SUBGRAPHS)?;
        let mut tensors = Vec::with_capacity(tables.len());
        let mut users = HashMap::new();
        for &table in &tables {
            let offsets = wire.offsets(table, subgraph::TENSORS)?;
            for i in 0..offsets.map_or(0, |it| it.len) {
                let entry = offsets.map_or(0, |it| it.entry(i));
                *users.entry(wire.follow(entry)?).or_insert(0) += 1;
            }
            tensors.push(offsets);
        }
        Ok(Self { tables, tensors, users })
    }

    /// A subgraph that is stored once for two positions cannot have two sets of ranges.
    fn check_own(&self, i: usize) -> Result<()> {
        let same = |j: &usize| *j != i && self.tables[*j].at == self.tables[i].at;
        match (0..self.tables.len()).find(same) {
            None => Ok(()),
            Some(j) => Err(Error::model(format!(
                "subgraphs {i} and {j} of the model are one table, so their tensors cannot have \
                 ranges of their own"
            ))),
        }
    }
}

/// Gives a subgraph a vector of tensors of its own, with ranges.
fn separate_tensors(
    edit: &mut Edit,
    subgraph: Table,
    tensors: Offsets,
    ranges: &HashMap<usize, Range>,
) -> Result<()> {
    let Some(field) = edit.wire().field(subgraph, subgraph::TENSORS)? else { return Ok(()) };
    let bytes = edit.wire().slice(tensors.at(), 4 + 4 * tensors.len)?.to_vec();
    let vector = edit.append(&bytes, 4, 0)?;
    for t in 0..tensors.len {
        let table = edit.wire().table(edit.wire().follow(tensors.entry(t))?)?;
        let copy = tensor_with(edit, table, ranges.get(&t).copied())?;
        edit.refer(vector + 4 + 4 * t, copy)?;
    }
    edit.refer(field, vector)
}

/// Appends a copy of a tensor's table, with a range if there is one.
fn tensor_with(edit: &mut Edit, table: Table, range: Option<Range>) -> Result<usize> {
    let Some(range) = range else {
        return Ok(copy_table(edit, &layout::TENSOR, table, &[])?.at);
    };
    let copied = copy_table(edit, &layout::TENSOR, table, &[tensor::QUANTIZATION])?;
    let parameters = parameters_with(edit, table, range)?;
    for field in copied.fields {
        edit.refer(field, parameters)?;
    }
    Ok(copied.at)
}

/// Appends the quantization parameters of the tensor in `table` with another range; returns their
/// position.
fn parameters_with(edit: &mut Edit, table: Table, range: Range) -> Result<usize> {
    let (at, fields) = match edit.wire().child(table, tensor::QUANTIZATION)? {
        Some(existing) => {
            let own = [quantization::MIN, quantization::MAX];
            let copied = copy_table(edit, &layout::QUANTIZATION, existing, &own)?;
            (copied.at, copied.fields)
        }
        None => new_parameters(edit)?,
    };
    for (field, value) in fields.into_iter().zip([range.min, range.max]) {
        let mut vector = [0; 8];
        vector[..4].copy_from_slice(&1_u32.to_le_bytes());
        vector[4..].copy_from_slice(&value.to_le_bytes());
        let vector = edit.append(&vector, 4, 0)?;
        edit.refer(field, vector)?;
    }
    Ok(at)
}

/// Appends a table with a minimum and a maximum; returns its position and those of the two fields.
fn new_parameters(edit: &mut Edit) -> Result<(usize, Vec<usize>)> {
    let vtable = edit.append_vtable(&[4, 8], 12)?;
    let at = edit.append(&[0; 12], 4, 0)?;
    edit.use_vtable(at, vtable)?;
    Ok((at, vec![at + 4, at + 8]))
}
