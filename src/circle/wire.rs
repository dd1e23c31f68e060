//! `FlatBuffer` tables by position. What is patched is a place in the file, and the generated accessors
//! do not tell places; nor do they see fields that only TFLite has.

use std::ops::Range;

use crate::error::{Error, Result};

/// Bytes of a `FlatBuffer`; every access is checked.
#[derive(Clone, Copy)]
pub(super) struct Wire<'a>(pub(super) &'a [u8]);

/// A table: where it lies, and where its vtable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Table {
    /// Position of the table, which begins with the offset to its vtable.
    pub(super) at: usize,
    /// Position of the vtable.
    pub(super) vtable: usize,
    /// Number of slots that the vtable has.
    pub(super) slots: usize,
}

/// A vector of 4-byte offsets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offsets {
    at: usize,
    /// Number of elements.
    pub(super) len: usize,
}

impl Offsets {
    /// Position of element `i`.
    pub(super) fn entry(self, i: usize) -> usize {
        self.at + 4 + 4 * i
    }

    /// Position of its length.
    pub(super) fn at(self) -> usize {
        self.at
    }
}

fn outside(at: usize) -> Error {
    Error::model(format!("the model is damaged: an offset leads to byte {at}, out of the file"))
}

impl<'a> Wire<'a> {
    /// `len` bytes at `at`.
    pub(super) fn slice(self, at: usize, len: usize) -> Result<&'a [u8]> {
        let range: Option<Range<usize>> = at.checked_add(len).map(|end| at..end);
        range.and_then(|range| self.0.get(range)).ok_or_else(|| outside(at))
    }

    fn array<const N: usize>(self, at: usize) -> Result<[u8; N]> {
        self.slice(at, N)?.try_into().map_err(|_| outside(at))
    }

    pub(super) fn u8(self, at: usize) -> Result<u8> {
        self.array::<1>(at).map(|[byte]| byte)
    }

    pub(super) fn u16(self, at: usize) -> Result<u16> {
        self.array(at).map(u16::from_le_bytes)
    }

    pub(super) fn u32(self, at: usize) -> Result<u32> {
        self.array(at).map(u32::from_le_bytes)
    }

    pub(super) fn i32(self, at: usize) -> Result<i32> {
        self.array(at).map(i32::from_le_bytes)
    }

    pub(super) fn u64(self, at: usize) -> Result<u64> {
        self.array(at).map(u64::from_le_bytes)
    }

    /// Where the offset at `at` leads.
    pub(super) fn follow(self, at: usize) -> Result<usize> {
        let target = at.checked_add(self.u32(at)? as usize).ok_or_else(|| outside(at))?;
        if target < self.0.len() { Ok(target) } else { Err(outside(target)) }
    }

    /// The root table.
    pub(super) fn root(self) -> Result<Table> {
        self.table(self.follow(0)?)
    }

    /// The table at `at`.
    pub(super) fn table(self, at: usize) -> Result<Table> {
        let back = i64::from(self.i32(at)?);
        let vtable = usize::try_from(at as i64 - back).map_err(|_| outside(at))?;
        let byte_len = usize::from(self.u16(vtable)?);
        if byte_len < 4 {
            return Err(Error::model(format!("the model is damaged: no vtable at byte {vtable}")));
        }
        self.slice(vtable, byte_len)?;
        Ok(Table { at, vtable, slots: (byte_len - 4) / 2 })
    }

    /// Length of the table in bytes, without what it refers to.
    pub(super) fn inline_len(self, table: Table) -> Result<usize> {
        self.u16(table.vtable + 2).map(usize::from)
    }

    /// Position of the field in `slot`, if the table has it.
    pub(super) fn field(self, table: Table, slot: usize) -> Result<Option<usize>> {
        if slot >= table.slots {
            return Ok(None);
        }
        let offset = usize::from(self.u16(table.vtable + 4 + 2 * slot)?);
        Ok((offset != 0).then_some(table.at + offset))
    }

    /// The table that the field in `slot` refers to.
    pub(super) fn child(self, table: Table, slot: usize) -> Result<Option<Table>> {
        let field = self.field(table, slot)?;
        field.map(|field| self.table(self.follow(field)?)).transpose()
    }

    /// The vector of tables or strings that the field in `slot` refers to.
    pub(super) fn offsets(self, table: Table, slot: usize) -> Result<Option<Offsets>> {
        let Some(field) = self.field(table, slot)? else { return Ok(None) };
        let at = self.follow(field)?;
        let len = self.u32(at)? as usize;
        self.slice(at, len.checked_mul(4).and_then(|n| n.checked_add(4)).unwrap_or(usize::MAX))?;
        Ok(Some(Offsets { at, len }))
    }

    /// The tables of the vector that the field in `slot` refers to; none if there is no such field.
    pub(super) fn tables(self, table: Table, slot: usize) -> Result<Vec<Table>> {
        let Some(offsets) = self.offsets(table, slot)? else { return Ok(Vec::new()) };
        (0..offsets.len).map(|i| self.table(self.follow(offsets.entry(i))?)).collect()
    }

    /// The numbers of four bytes in the vector in `slot`; none if there is none.
    pub(super) fn words(self, table: Table, slot: usize) -> Result<Vec<u32>> {
        let Some(offsets) = self.offsets(table, slot)? else { return Ok(Vec::new()) };
        (0..offsets.len).map(|i| self.u32(offsets.entry(i))).collect()
    }

    /// The bytes of the text in `slot`; none if there is none.
    pub(super) fn text(self, table: Table, slot: usize) -> Result<&'a [u8]> {
        let Some(field) = self.field(table, slot)? else { return Ok(&[]) };
        let at = self.follow(field)?;
        self.slice(at + 4, self.u32(at)? as usize)
    }

    /// Number of elements of the vector in `slot`; 0 if there is none.
    pub(super) fn vector_len(self, table: Table, slot: usize) -> Result<usize> {
        match self.field(table, slot)? {
            Some(field) => self.u32(self.follow(field)?).map(|n| n as usize),
            None => Ok(0),
        }
    }
}
