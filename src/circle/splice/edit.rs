use std::collections::HashMap;

use crate::circle::map::PrivateBytes;
use crate::circle::wire::{Table, Wire};
use crate::error::{Error, Result};

/// `FlatBuffer` offsets are signed in part, so no place may be further than this.
pub(super) const MAX_FLATBUFFER: usize = i32::MAX as usize;

/// What a patch has overwritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Patch {
    /// Where, from the start of the file.
    pub(super) at: usize,
    /// The bytes that were there.
    pub(super) original: Vec<u8>,
}

/// A `FlatBuffer` that is changed: bytes are patched in place, new tables appended.
///
/// Positions count from the start of the file, on into the appended bytes.
pub(super) struct Edit {
    bytes: PrivateBytes,
    patches: Vec<Patch>,
    tail: Vec<u8>,
    vtables: HashMap<Vec<u8>, usize>,
}

impl Edit {
    pub(super) fn new(bytes: PrivateBytes) -> Self {
        Self { bytes, patches: Vec::new(), tail: Vec::new(), vtables: HashMap::new() }
    }

    /// The original part, with the patches.
    pub(super) fn wire(&self) -> Wire<'_> {
        Wire(&self.bytes)
    }

    /// What has been overwritten, in this order.
    pub(super) fn patches(&self) -> &[Patch] {
        &self.patches
    }

    /// Length of the `FlatBuffer` without what has been appended.
    pub(super) fn original_len(&self) -> usize {
        self.bytes.len()
    }

    /// Length of the `FlatBuffer` with what has been appended.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() + self.tail.len()
    }

    /// Overwrites bytes, in the original part or in the appended one.
    pub(super) fn write(&mut self, at: usize, bytes: &[u8]) -> Result<()> {
        let damaged =
            || Error::model(format!("the model is damaged: a field at byte {at} is cut off"));
        let (within, part) = match at.checked_sub(self.bytes.len()) {
            Some(within) => (within, self.tail.as_mut_slice()),
            None => (at, &mut *self.bytes),
        };
        let end = within.checked_add(bytes.len()).ok_or_else(damaged)?;
        let place = part.get_mut(within..end).ok_or_else(damaged)?;
        let original = place.to_vec();
        place.copy_from_slice(bytes);
        if at < self.bytes.len() {
            self.patches.push(Patch { at, original });
        }
        Ok(())
    }

    /// Makes the offset field at `field` lead to `target`, which lies behind it.
    pub(super) fn refer(&mut self, field: usize, target: usize) -> Result<()> {
        let distance = target.checked_sub(field).and_then(|d| u32::try_from(d).ok());
        let distance =
            distance.ok_or_else(|| Error::internal(format!("offset {field} to {target}")))?;
        self.write(field, &distance.to_le_bytes())
    }

    /// Appends bytes at the next position that is `residue` modulo `modulus`; returns the position.
    pub(super) fn append(&mut self, bytes: &[u8], modulus: usize, residue: usize) -> Result<usize> {
        let gap = (modulus + residue % modulus - self.len() % modulus) % modulus;
        let end = self.len().saturating_add(gap).saturating_add(bytes.len());
        if end > MAX_FLATBUFFER {
            return Err(too_large(end));
        }
        self.tail.resize(self.tail.len() + gap, 0);
        let at = self.len();
        self.tail.extend_from_slice(bytes);
        Ok(at)
    }

    /// Appends zeros up to position `end`.
    pub(super) fn pad_to(&mut self, end: usize) {
        self.tail.resize(end.saturating_sub(self.bytes.len()), 0);
    }

    /// Appends a vtable with these entries, unless it has been appended before. `inline_len` is the
    /// length of the table without what it refers to.
    pub(super) fn append_vtable(&mut self, entries: &[u16], inline_len: usize) -> Result<usize> {
        let byte_len = u16::try_from(4 + 2 * entries.len()).ok();
        let sizes = byte_len.zip(u16::try_from(inline_len).ok());
        let (byte_len, inline_len) =
            sizes.ok_or_else(|| Error::model("a table of the model is larger than 64 KiB"))?;
        let words = [byte_len, inline_len].into_iter().chain(entries.iter().copied());
        let bytes: Vec<u8> = words.flat_map(u16::to_le_bytes).collect();
        if let Some(&at) = self.vtables.get(&bytes) {
            return Ok(at);
        }
        let at = self.append(&bytes, 2, 0)?;
        self.vtables.insert(bytes, at);
        Ok(at)
    }

    /// Makes the table at `table` use the vtable at `vtable`.
    pub(super) fn use_vtable(&mut self, table: usize, vtable: usize) -> Result<()> {
        let back = i32::try_from(table as i64 - vtable as i64);
        let back = back.map_err(|_| Error::internal(format!("vtable {vtable} of {table}")))?;
        self.write(table, &back.to_le_bytes())
    }

    /// The entries of a table's vtable.
    pub(super) fn entries(&self, table: Table) -> Result<Vec<u16>> {
        (0..table.slots).map(|slot| self.wire().u16(table.vtable + 4 + 2 * slot)).collect()
    }

    /// The parts that the edited `FlatBuffer` is written from.
    pub(super) fn parts(&self) -> [&[u8]; 2] {
        [&self.bytes, &self.tail]
    }
}

pub(super) fn too_large(byte_len: usize) -> Error {
    Error::model(format!(
        "with the ranges, the FlatBuffer part of the model would have {byte_len} bytes, but it must \
         stay below 2 GiB"
    ))
    .with_hint("convert the model with its buffers stored behind the FlatBuffer")
}
