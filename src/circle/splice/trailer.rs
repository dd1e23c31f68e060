//! The undo record: what a splice has overwritten. It stands at the end of the `FlatBuffer` part, and
//! nothing in the model refers to it. `docs/output.md` describes it byte by byte.

use super::edit::Patch;
use crate::circle::wire::Wire;
use crate::error::Result;

const MAGIC: [u8; 8] = *b"RMM-UNDO";
const VERSION: u32 = 1;

/// Length of what follows the patches: original length, length of the patches, checksum, version,
/// magic.
const FOOTER: usize = 8 + 8 + 4 + 4 + 8;

/// What a spliced file was made from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trailer {
    /// Length of the `FlatBuffer` part before; everything from there to the end of the trailer was added.
    pub(super) flatbuffer_len: usize,
    /// What was overwritten, in this order.
    pub(super) patches: Vec<Patch>,
}

/// Length of the trailer with these patches.
fn byte_len(patches: &[Patch]) -> usize {
    FOOTER + patches.iter().map(|patch| 12 + patch.original.len()).sum::<usize>()
}

/// Length of a trailer with these patches and `fields` more of 8 bytes each.
pub(super) fn byte_len_with(patches: &[Patch], fields: usize) -> usize {
    byte_len(patches) + fields * (12 + 8)
}

impl Trailer {
    /// Its bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(byte_len(&self.patches));
        for patch in &self.patches {
            bytes.extend((patch.at as u64).to_le_bytes());
            bytes.extend((patch.original.len() as u32).to_le_bytes());
            bytes.extend(&patch.original);
        }
        let patches_len = bytes.len() as u64;
        bytes.extend((self.flatbuffer_len as u64).to_le_bytes());
        bytes.extend(patches_len.to_le_bytes());
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(MAGIC);
        bytes
    }

    /// The trailer at the end of `flatbuffer`, if there is an undamaged one.
    pub(super) fn find(flatbuffer: &[u8]) -> Option<Self> {
        let (rest, end) = flatbuffer.split_at_checked(flatbuffer.len().checked_sub(FOOTER)?)?;
        let footer = Wire(end);
        if end.get(24..)? != MAGIC || footer.u32(20).ok()? != VERSION {
            return None;
        }
        let patches_len = usize::try_from(footer.u64(8).ok()?).ok()?;
        let start = rest.len().checked_sub(patches_len)?;
        let checked = flatbuffer.get(start..rest.len() + 16)?;
        if crc32fast::hash(checked) != footer.u32(16).ok()? {
            return None;
        }
        let flatbuffer_len = usize::try_from(footer.u64(0).ok()?).ok()?;
        let patches = decode(Wire(rest.get(start..)?)).ok()?;
        let is_inside = |patch: &Patch| {
            patch.at.checked_add(patch.original.len()).is_some_and(|end| end <= flatbuffer_len)
        };
        let is_valid = flatbuffer_len <= start && patches.iter().all(is_inside);
        is_valid.then_some(Self { flatbuffer_len, patches })
    }
}

fn decode(bytes: Wire<'_>) -> Result<Vec<Patch>> {
    let mut patches = Vec::new();
    let mut position = 0;
    while position < bytes.0.len() {
        let at = usize::try_from(bytes.u64(position)?).unwrap_or(usize::MAX);
        let len = bytes.u32(position + 8)? as usize;
        let original = bytes.slice(position + 12, len)?.to_vec();
        patches.push(Patch { at, original });
        position += 12 + len;
    }
    Ok(patches)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trailer() -> Trailer {
        let patches = vec![
            Patch { at: 4, original: b"TFL3".to_vec() },
            Patch { at: 60, original: vec![1, 2, 3, 4] },
            Patch { at: 60, original: vec![0; 4] },
        ];
        Trailer { flatbuffer_len: 64, patches }
    }

    #[test]
    fn what_is_written_is_found() {
        let mut file = vec![7; 64];
        file.extend(trailer().encode());
        assert_eq!(file.len(), 64 + byte_len(&trailer().patches));
        assert_eq!(Trailer::find(&file), Some(trailer()));
    }

    #[test]
    fn damage_is_noticed_at_every_byte() {
        let mut file = vec![7; 64];
        file.extend(trailer().encode());
        for at in 64..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            assert_eq!(Trailer::find(&damaged), None, "byte {at}");
        }
        for len in 0..file.len() {
            assert_eq!(Trailer::find(&file[..len]), None, "{len} bytes");
        }
    }

    #[test]
    fn patches_outside_of_the_original_are_refused() {
        let mut file = vec![7; 64];
        file.extend(Trailer { flatbuffer_len: 62, ..trailer() }.encode());
        assert_eq!(Trailer::find(&file), None);
        let mut file = vec![7; 63];
        file.extend(trailer().encode());
        assert_eq!(Trailer::find(&file), None);
    }
}
