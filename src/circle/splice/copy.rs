//! Deep copies of tables. A `FlatBuffer` offset only leads forward, so a table that is appended cannot
//! refer to anything that was there before.

use super::edit::Edit;
use super::layout::{Kind, Layout};
use crate::circle::wire::Table;
use crate::error::{Error, Result};

/// Copies keep their position modulo this, and with it every alignment that the schema asks for.
const ALIGNMENT: usize = 16;

/// A table that has been appended.
pub(super) struct Copied {
    /// Its position.
    pub(super) at: usize,
    /// Positions of the fields that the caller fills, in the order in which it named them.
    pub(super) fields: Vec<usize>,
}

/// Appends a copy of `table` with all that it refers to. The offset fields in the slots `own` are left
/// to the caller, and are made where the table does not have them.
pub(super) fn copy_table(
    edit: &mut Edit,
    layout: &Layout,
    table: Table,
    own: &[usize],
) -> Result<Copied> {
    let mut entries = edit.entries(table)?;
    let unknown = entries.iter().skip(layout.fields.len()).position(|&entry| entry != 0);
    if let Some(slot) = unknown {
        return Err(Error::model(format!(
            "a {} has a field in slot {}, which this program does not know and so cannot copy",
            layout.name,
            layout.fields.len() + slot
        ))
        .with_hint("convert the model for circle 0.10"));
    }
    let inline_len = edit.wire().inline_len(table)?;
    for (kind, &entry) in layout.fields.iter().zip(&entries) {
        let field_len = if matches!(kind, Kind::Scalar) { 1 } else { 4 };
        if entry != 0 && usize::from(entry) + field_len > inline_len {
            return Err(Error::model(format!(
                "the model is damaged: a field of a {} is out of its table",
                layout.name
            )));
        }
    }
    let mut inline = edit.wire().slice(table.at, inline_len)?.to_vec();
    for &slot in own {
        if entries.len() <= slot {
            entries.resize(slot + 1, 0);
        }
        if entries[slot] == 0 {
            inline.resize(inline.len().next_multiple_of(4), 0);
            // A table too large for this is refused by `append_vtable`.
            entries[slot] = u16::try_from(inline.len()).unwrap_or(u16::MAX);
            inline.extend([0; 4]);
        }
    }
    let vtable = edit.append_vtable(&entries, inline.len())?;
    let at = edit.append(&inline, ALIGNMENT, table.at)?;
    edit.use_vtable(at, vtable)?;
    for (slot, (kind, &entry)) in layout.fields.iter().zip(&entries).enumerate() {
        if entry == 0 || own.contains(&slot) {
            continue;
        }
        let field = table.at + usize::from(entry);
        if let Some(target) = copy_child(edit, layout, kind, (table, slot), field)? {
            edit.refer(at + usize::from(entry), target)?;
        }
    }
    let fields = own.iter().map(|&slot| at + usize::from(entries[slot])).collect();
    Ok(Copied { at, fields })
}

/// Copies what the field at `field` refers to; `None` if it is a number.
fn copy_child(
    edit: &mut Edit,
    layout: &Layout,
    kind: &Kind,
    (table, slot): (Table, usize),
    field: usize,
) -> Result<Option<usize>> {
    let target = match kind {
        Kind::Scalar => return Ok(None),
        Kind::Vector { element_len } => copy_vector(edit, field, *element_len, 0)?,
        Kind::Text => copy_vector(edit, field, 1, 1)?,
        Kind::Table(child) => copy_target(edit, child, field)?,
        Kind::Tables(child) => {
            let source = edit.wire().offsets(table, slot)?;
            let Some(source) = source else { return Ok(None) };
            let byte_len = 4 + 4 * source.len;
            let bytes = edit.wire().slice(source.at(), byte_len)?.to_vec();
            let at = edit.append(&bytes, ALIGNMENT, source.at())?;
            for i in 0..source.len {
                let copy = copy_target(edit, child, source.entry(i))?;
                edit.refer(at + 4 + 4 * i, copy)?;
            }
            at
        }
        Kind::Union(members) => {
            let member = match edit.wire().field(table, slot - 1)? {
                Some(field) => edit.wire().u8(field)?,
                None => 0,
            };
            let known = usize::from(member).checked_sub(1).and_then(|i| members.get(i));
            let child = known.ok_or_else(|| {
                Error::model(format!(
                    "a {} has a union member {member}, which this program does not know",
                    layout.name
                ))
            })?;
            copy_target(edit, child, field)?
        }
    };
    Ok(Some(target))
}

fn copy_target(edit: &mut Edit, layout: &Layout, field: usize) -> Result<usize> {
    let table = edit.wire().table(edit.wire().follow(field)?)?;
    Ok(copy_table(edit, layout, table, &[])?.at)
}

/// Copies a vector of numbers, with `extra` bytes behind it.
fn copy_vector(edit: &mut Edit, field: usize, element_len: usize, extra: usize) -> Result<usize> {
    let source = edit.wire().follow(field)?;
    let len = edit.wire().u32(source)? as usize;
    let byte_len = len.saturating_mul(element_len).saturating_add(4 + extra);
    let bytes = edit.wire().slice(source, byte_len)?.to_vec();
    edit.append(&bytes, ALIGNMENT, source)
}
