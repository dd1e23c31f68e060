//! ONE's profiling data: two metadata entries that tell which operators of a model come from which operators of
//! the model that its makers had.
//!
//! An appended table cannot refer to what was there before, and all buffers of a model hang on one vector. So
//! there cannot be a longer one; but tensors that hold no data mostly have an empty buffer each. Two of
//! these become the new data, and the tensors get buffer 0, which is empty too.

use std::collections::BTreeSet;

use super::copy::copy_table;
use super::edit::Edit;
use super::layout;
use crate::circle::slots::{buffer, metadata, model, operator, subgraph, tensor};
use crate::circle::wire::{Table, Wire};
use crate::error::{Error, Result};

/// Names of the entries.
pub(super) const NAMES: [&str; 2] = ["ONE_source_table", "ONE_op_table"];

/// What is added to a model.
pub(super) struct Profiling {
    /// Positions of the buffers that hold the tables.
    pub(super) buffers: [usize; 2],
    /// The encoded tables.
    pub(super) tables: [Vec<u8>; 2],
    /// Tensors that had these buffers: subgraph and position.
    pub(super) moved: BTreeSet<(usize, usize)>,
}

/// A tensor that has a buffer.
struct User {
    place: (usize, usize),
    /// Where the number of its buffer is.
    field: usize,
    is_variable: bool,
}

impl Profiling {
    /// Puts the tables into buffers; `None` if the model has such entries. [`add_entries`](Self::add_entries) must
    /// follow.
    ///
    /// # Errors
    /// If there is no room for them.
    pub(super) fn add(edit: &mut Edit) -> Result<Option<Self>> {
        let wire = edit.wire();
        let root = wire.root()?;
        for entry in wire.tables(root, model::METADATA)? {
            let name = wire.text(entry, metadata::NAME)?;
            if NAMES.iter().any(|it| it.as_bytes() == name) {
                return Ok(None);
            }
        }
        let no_room = |what: &str| {
            Error::model(format!("the model has no room for profiling data: {what}")).with_hint(
                "leave out --generate-profile-data, or write the model anew with ONE's circle2circle",
            )
        };
        if wire.field(root, model::METADATA)?.is_none() && version_field(wire, root)?.is_none() {
            return Err(no_room("it has no metadata"));
        }
        let tables = tables(wire, root)?;
        let (buffers, users) = empty_buffers(wire, root)?;
        let Some(buffers) = buffers else {
            return Err(no_room("it has no two tensors with empty buffers of their own"));
        };
        let Some(entries) = wire.offsets(root, model::BUFFERS)? else {
            return Err(Error::internal("buffers that are not there"));
        };
        let mut moved = BTreeSet::new();
        for user in users {
            edit.write(user.field, &0_u32.to_le_bytes())?;
            moved.insert(user.place);
        }
        for (&buffer, table) in buffers.iter().zip(&tables) {
            let appended = append_buffer(edit, table)?;
            edit.refer(entries.entry(buffer), appended)?;
        }
        Ok(Some(Self { buffers, tables, moved }))
    }

    /// Adds the metadata entries, to the end of those that there are. [`Edit::wire`] may not be able to read
    /// the model's first table after it.
    ///
    /// # Errors
    /// If the model becomes too large.
    pub(super) fn add_entries(&self, edit: &mut Edit) -> Result<()> {
        let root = edit.wire().root()?;
        let before = edit.wire().tables(root, model::METADATA)?;
        let len = before.len() + NAMES.len();
        let mut bytes = vec![0; 4 + 4 * len];
        bytes[..4].copy_from_slice(&(len as u32).to_le_bytes());
        let vector = edit.append(&bytes, 4, 0)?;
        let mut entries = Vec::with_capacity(len);
        for table in before {
            entries.push(copy_table(edit, &layout::METADATA, table, &[])?.at);
        }
        for (name, &buffer) in NAMES.iter().zip(&self.buffers) {
            let vtable = edit.append_vtable(&[4, 8], 12)?;
            let mut inline = [0; 12];
            inline[8..].copy_from_slice(&(buffer as u32).to_le_bytes());
            let at = edit.append(&inline, 4, 0)?;
            edit.use_vtable(at, vtable)?;
            let text = [&(name.len() as u32).to_le_bytes(), name.as_bytes(), &[0]].concat();
            let text = edit.append(&text, 4, 0)?;
            edit.refer(at + 4, text)?;
            entries.push(at);
        }
        for (i, entry) in entries.into_iter().enumerate() {
            edit.refer(vector + 4 + 4 * i, entry)?;
        }
        if let Some(field) = edit.wire().field(root, model::METADATA)? {
            return edit.refer(field, vector);
        }
        // A version of 0 need not be stored: its place becomes that of the metadata.
        let field = version_field(edit.wire(), root)?;
        let field = field.ok_or_else(|| Error::internal("no room for metadata"))?;
        let mut vtable = edit.entries(root)?;
        vtable.resize(vtable.len().max(model::METADATA + 1), 0);
        vtable.swap(model::VERSION, model::METADATA);
        let inline_len = edit.wire().inline_len(root)?;
        let vtable = edit.append_vtable(&vtable, inline_len)?;
        edit.refer(field, vector)?;
        edit.use_vtable(root.at, vtable)
    }
}

/// Where the version of the model is stored, if it is 0.
fn version_field(wire: Wire<'_>, root: Table) -> Result<Option<usize>> {
    let Some(field) = wire.field(root, model::VERSION)? else { return Ok(None) };
    Ok((wire.u32(field)? == 0).then_some(field))
}

/// The source table, `{ operator: name of its first output }`, and the operator table, `{ operator: [operator] }`,
/// of the first subgraph, as ONE encodes them: number of entries; for each its number, length and content.
fn tables(wire: Wire<'_>, root: Table) -> Result<[Vec<u8>; 2]> {
    let Some(&main) = wire.tables(root, model::SUBGRAPHS)?.first() else {
        return Err(Error::model("the model has no subgraph"));
    };
    let tensors = wire.tables(main, subgraph::TENSORS)?;
    let (mut sources, mut operators, mut count) = (Vec::new(), Vec::new(), 0_u32);
    for (number, table) in (0_u32..).zip(wire.tables(main, subgraph::OPERATORS)?) {
        let outputs = wire.words(table, operator::OUTPUTS)?;
        let Some(output) = outputs.first().and_then(|&it| tensors.get(it as usize)) else {
            continue;
        };
        let name = wire.text(*output, tensor::NAME)?;
        sources.extend(number.to_le_bytes());
        sources.extend((name.len() as u32 + 1).to_le_bytes());
        sources.extend(name);
        sources.push(0);
        for word in [number, 1, number] {
            operators.extend(word.to_le_bytes());
        }
        count += 1;
    }
    Ok([sources, operators].map(|entries| [&count.to_le_bytes(), entries.as_slice()].concat()))
}

/// The first two buffers that are empty and belong to tensors without data alone, and these tensors.
fn empty_buffers(wire: Wire<'_>, root: Table) -> Result<(Option<[usize; 2]>, Vec<User>)> {
    let is_empty = |table: &Table| {
        let offset = wire.field(*table, buffer::OFFSET)?.map_or(Ok(0), |field| wire.u64(field))?;
        Ok::<_, Error>(wire.vector_len(*table, buffer::DATA)? == 0 && offset <= 1)
    };
    let buffers = wire.tables(root, model::BUFFERS)?;
    let empty: Vec<bool> = buffers.iter().map(is_empty).collect::<Result<_>>()?;
    let mut taken: BTreeSet<usize> =
        wire.words(root, model::METADATA_BUFFER)?.into_iter().map(|it| it as usize).collect();
    for entry in wire.tables(root, model::METADATA)? {
        let buffer = wire.field(entry, metadata::BUFFER)?.map_or(Ok(0), |field| wire.u32(field))?;
        taken.insert(buffer as usize);
    }
    let mut users: Vec<Vec<User>> = empty.iter().map(|_| Vec::new()).collect();
    for (i, table) in wire.tables(root, model::SUBGRAPHS)?.into_iter().enumerate() {
        for (t, table) in wire.tables(table, subgraph::TENSORS)?.into_iter().enumerate() {
            let Some(field) = wire.field(table, tensor::BUFFER)? else { continue };
            let variable = wire.field(table, tensor::IS_VARIABLE)?;
            let is_variable = variable.map_or(Ok(0), |field| wire.u8(field))? != 0;
            if let Some(users) = users.get_mut(wire.u32(field)? as usize) {
                users.push(User { place: (i, t), field, is_variable });
            }
        }
    }
    // Tensors without data get buffer 0, so that has to be empty.
    let usable = |&i: &usize| {
        let users = &users[i];
        empty[i]
            && !taken.contains(&i)
            && !users.is_empty()
            && !users.iter().any(|it| it.is_variable)
    };
    let first_is_empty = empty.first().copied().unwrap_or(false);
    let found: Vec<usize> =
        (1..empty.len()).filter(usable).take(if first_is_empty { 2 } else { 0 }).collect();
    let [a, b] = found[..] else { return Ok((None, Vec::new())) };
    let users = users.into_iter().enumerate().filter(|(i, _)| *i == a || *i == b);
    Ok((Some([a, b]), users.flat_map(|(_, users)| users).collect()))
}

/// Appends a buffer with its data, which is aligned as the schema wants it.
fn append_buffer(edit: &mut Edit, data: &[u8]) -> Result<usize> {
    let vtable = edit.append_vtable(&[4], 8)?;
    let at = edit.append(&[0; 8], 4, 0)?;
    edit.use_vtable(at, vtable)?;
    let vector = [&(data.len() as u32).to_le_bytes(), data].concat();
    let vector = edit.append(&vector, 16, 12)?;
    edit.refer(at + 4, vector)?;
    Ok(at)
}
