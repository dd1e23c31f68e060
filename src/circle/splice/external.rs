//! Bytes that stand behind the `FlatBuffer`, at positions that tables name: weights and custom options of
//! models that are larger than a `FlatBuffer` may be.

use std::collections::BTreeMap;

use super::edit::Edit;
use crate::circle::slots::{buffer, model, operator, subgraph};
use crate::circle::wire::{Table, Wire};
use crate::error::{Error, Result};

/// What is behind the `FlatBuffer` is moved by a multiple of this, so that every alignment stays, up to
/// that of memory pages.
pub(super) const ALIGNMENT: usize = 4096;

/// The fields that name a position behind the `FlatBuffer`: their place, and the position.
pub(super) type Fields = BTreeMap<usize, u64>;

/// Finds all of them. Positions 0 and 1 mean that there is nothing.
pub(super) fn fields(wire: Wire<'_>) -> Result<Fields> {
    let mut found = Fields::new();
    let root = wire.root()?;
    for (i, table) in wire.tables(root, model::BUFFERS)?.into_iter().enumerate() {
        add(wire, table, (buffer::OFFSET, buffer::SIZE), &mut found)
            .map_err(|e| e.context(format!("buffer {i}")))?;
    }
    for (i, table) in wire.tables(root, model::SUBGRAPHS)?.into_iter().enumerate() {
        for (o, table) in wire.tables(table, subgraph::OPERATORS)?.into_iter().enumerate() {
            let slots = (operator::LARGE_OPTIONS_OFFSET, operator::LARGE_OPTIONS_SIZE);
            add(wire, table, slots, &mut found)
                .map_err(|e| e.context(format!("operator {o} of subgraph {i}")))?;
        }
    }
    Ok(found)
}

fn add(
    wire: Wire<'_>,
    table: Table,
    (offset_slot, size_slot): (usize, usize),
    found: &mut Fields,
) -> Result<()> {
    let Some(field) = wire.field(table, offset_slot)? else { return Ok(()) };
    let offset = wire.u64(field)?;
    let size = wire.field(table, size_slot)?.map_or(Ok(0), |field| wire.u64(field))?;
    if offset > 1 && size > 0 {
        found.insert(field, offset);
    }
    Ok(())
}

/// Where the `FlatBuffer` ends: where the first of these bytes stand, or where the file does.
pub(super) fn flatbuffer_len(fields: &Fields, file_len: usize) -> Result<usize> {
    let Some(&first) = fields.values().min() else { return Ok(file_len) };
    usize::try_from(first).ok().filter(|&first| first <= file_len).ok_or_else(|| {
        Error::model(format!(
            "the model is damaged: a buffer stands at {first}, but the file has {file_len} bytes"
        ))
        .with_hint("was the file copied completely?")
    })
}

/// Adds `shift` to all positions.
pub(super) fn shift(edit: &mut Edit, fields: &Fields, shift: usize) -> Result<()> {
    for (&field, &offset) in fields {
        let moved = offset
            .checked_add(shift as u64)
            .ok_or_else(|| Error::model("the model is damaged: a buffer at 2^64"))?;
        edit.write(field, &moved.to_le_bytes())?;
    }
    Ok(())
}
