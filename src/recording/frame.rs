//! The frames of a recording: lengths and checksums around what `codec` encodes.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::codec;
use super::storage::Storage;
use crate::error::{Error, ErrorKind, Result};

/// First bytes of a recording, in the style of PNG: transfers that drop the eighth bit, change line
/// ends or stop at a control character are found at once.
const MAGIC: [u8; 8] = *b"\x89RMM\r\n\x1a\n";

/// Version of the format of a recording without histograms.
pub(super) const VERSION: u32 = 1;

/// Version of one with histograms: programs that know only the one above would lose them.
pub(super) const HISTOGRAM_VERSION: u32 = 2;

/// Magic, version, identity of the recording, CRC-32 of these.
pub(super) const PREAMBLE_LEN: u64 = 24;

/// Kind, lengths, checksum of the encoded part, checksum of the head.
pub(super) const HEAD_LEN: u64 = 24;

/// Last bytes of a commit, by which it is found from the end of the file.
pub(super) const TRAILER_MAGIC: [u8; 8] = *b"\x89commit\n";

/// Offset of the commit's frame, magic.
pub(super) const TRAILER_LEN: u64 = 16;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Header,
    Shard,
    Block,
    Histogram,
    Commit,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Header, Self::Shard, Self::Block, Self::Histogram, Self::Commit];

    fn tag(self) -> [u8; 4] {
        match self {
            Self::Header => *b"HEAD",
            Self::Shard => *b"SHRD",
            Self::Block => *b"BLCK",
            Self::Histogram => *b"HIST",
            Self::Commit => *b"CMIT",
        }
    }

    /// For messages.
    fn name(self) -> &'static str {
        match self {
            Self::Header => "header",
            Self::Shard => "shard",
            Self::Block => "block",
            Self::Histogram => "histogram",
            Self::Commit => "commit",
        }
    }
}

/// The first bytes of a frame, checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub offset: u64,
    pub kind: Kind,
    pub encoded_len: u32,
    pub body_len: u64,
    encoded_checksum: u32,
}

impl Head {
    /// Offset of the raw bytes after the encoded part.
    pub fn body(&self) -> u64 {
        self.offset + HEAD_LEN + u64::from(self.encoded_len)
    }

    /// Offset of the next frame.
    pub fn end(&self) -> u64 {
        self.body() + self.body_len
    }
}

/// What stands where a recording should begin.
pub(super) enum Preamble {
    /// A recording.
    Valid { salt: u64, version: u32 },
    /// The beginning of a recording that was cut before it was complete, or nothing.
    Cut,
}

/// The frames of one recording.
pub(super) struct Log {
    storage: Box<dyn Storage>,
    name: PathBuf,
    /// Random number of this recording. Every head's checksum covers it and the frame's offset, so
    /// that bytes which a crash brings back from another place or another file are not taken for
    /// frames.
    salt: u64,
    version: u32,
    /// Frames end here; what is beyond does not count.
    end: u64,
}

impl Log {
    /// Starts a recording of a version in empty storage.
    ///
    /// # Errors
    /// [`Io`](crate::error::ErrorKind::Io) if it cannot be written.
    pub fn create(mut storage: Box<dyn Storage>, name: &Path, version: u32) -> Result<Self> {
        let salt = RandomState::new().build_hasher().finish();
        let mut bytes = Vec::with_capacity(PREAMBLE_LEN as usize);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&salt.to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        storage.write_at(&bytes, 0).map_err(|error| Error::io("write", name, error))?;
        Ok(Self { storage, name: name.to_owned(), salt, version, end: PREAMBLE_LEN })
    }

    /// Opens a recording; frames end where the storage ends. `None` if its beginning was cut.
    ///
    /// # Errors
    /// [`Recording`](crate::error::ErrorKind::Recording) if it is not a recording of this version,
    /// [`Io`](crate::error::ErrorKind::Io) if it cannot be read.
    pub fn open(storage: Box<dyn Storage>, name: &Path) -> Result<Option<Self>> {
        let unreadable = |error| Error::io("read", name, error);
        let end = storage.byte_len().map_err(unreadable)?;
        let mut bytes = vec![0; end.min(PREAMBLE_LEN) as usize];
        storage.read_at(&mut bytes, 0).map_err(unreadable)?;
        match check_preamble(&bytes).map_err(|error| error.context(name.display()))? {
            Preamble::Valid { salt, version } => {
                Ok(Some(Self { storage, name: name.to_owned(), salt, version, end }))
            }
            Preamble::Cut => Ok(None),
        }
    }

    /// For messages.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// Whether its version is the one with histograms.
    pub fn has_histograms(&self) -> bool {
        self.version == HISTOGRAM_VERSION
    }

    /// Where the frames end.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Leaves what is after `end` out of sight.
    pub fn set_end(&mut self, end: u64) {
        self.end = self.end.min(end);
    }

    /// Error: the bytes at `offset` are not what was written.
    pub fn damaged(&self, offset: u64, problem: impl std::fmt::Display) -> Error {
        Error::recording(format!("{}: damaged at byte {offset}: {problem}", self.name.display()))
            .with_hint("use a copy of it, or record again with --overwrite")
    }

    /// Reads bytes that lie before the end.
    pub fn read(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let end = offset.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > self.end) {
            return Err(self.damaged(offset, "the file ends inside a frame"));
        }
        self.storage.read_at(buffer, offset).map_err(|error| {
            if error.kind() == io::ErrorKind::UnexpectedEof {
                Error::recording(format!("{}: was cut while it was read", self.name.display()))
                    .with_hint("another process has recovered it: try again")
            } else {
                Error::io("read", &self.name, error)
            }
        })
    }

    /// Reads and checks the head of the frame at `offset`, which must end before the end.
    pub fn head(&self, offset: u64) -> Result<Head> {
        let head = self.unbounded_head(offset)?;
        if head.end() > self.end {
            return Err(self.damaged(offset, format!("the {} is cut", head.kind.name())));
        }
        Ok(head)
    }

    /// Reads and checks the head of the frame at `offset`, which may end beyond the end.
    pub fn unbounded_head(&self, offset: u64) -> Result<Head> {
        let mut bytes = [0; HEAD_LEN as usize];
        self.read(&mut bytes, offset)?;
        let [k0, k1, k2, k3, rest @ ..] = bytes;
        let [e0, e1, e2, e3, rest @ ..] = rest;
        let [b0, b1, b2, b3, b4, b5, b6, b7, rest @ ..] = rest;
        let [c0, c1, c2, c3, h0, h1, h2, h3] = rest;
        let checked = &bytes[..HEAD_LEN as usize - 4];
        if self.head_checksum(offset, checked) != u32::from_le_bytes([h0, h1, h2, h3]) {
            return Err(self.damaged(offset, "no valid frame begins here"));
        }
        let tag = [k0, k1, k2, k3];
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.tag() == tag) else {
            return Err(self.damaged(offset, format!("unknown frame {}", tag.escape_ascii())));
        };
        let head = Head {
            offset,
            kind,
            encoded_len: u32::from_le_bytes([e0, e1, e2, e3]),
            body_len: u64::from_le_bytes([b0, b1, b2, b3, b4, b5, b6, b7]),
            encoded_checksum: u32::from_le_bytes([c0, c1, c2, c3]),
        };
        let end = head.body().checked_add(head.body_len);
        if head.encoded_len as usize > codec::MAX_ENCODED || end.is_none() {
            return Err(self.damaged(offset, format!("the {} is too long", kind.name())));
        }
        Ok(head)
    }

    /// Reads, checks and decodes the encoded part of a frame, which must be of a kind.
    pub fn decode<T: DeserializeOwned>(&self, head: &Head, kind: Kind) -> Result<T> {
        if head.kind != kind {
            let (found, wanted) = (head.kind.name(), kind.name());
            return Err(self.damaged(head.offset, format!("a {found} instead of a {wanted}")));
        }
        let bytes = self.encoded(head)?;
        codec::decode(&bytes)
            .map_err(|why| self.damaged(head.offset, format!("the {}: {why}", kind.name())))
    }

    /// Reads and checks the encoded part of a frame.
    pub fn encoded(&self, head: &Head) -> Result<Vec<u8>> {
        let mut bytes = vec![0; head.encoded_len as usize];
        self.read(&mut bytes, head.offset + HEAD_LEN)?;
        if crc32fast::hash(&bytes) != head.encoded_checksum {
            let problem = format!("wrong checksum of a {}", head.kind.name());
            return Err(self.damaged(head.offset, problem));
        }
        Ok(bytes)
    }

    /// Appends a frame and gives its offset. After an error the bytes that did get written are cut
    /// off again if that is possible; they do not count in any case.
    pub fn append<T: Serialize>(&mut self, kind: Kind, content: &T, body: &[u8]) -> Result<u64> {
        let too_long =
            || Error::recording(format!("{}: a {} is too long", self.name.display(), kind.name()));
        let encoded = codec::encode(content).ok_or_else(too_long)?;
        let offset = self.end;
        let mut bytes = Vec::with_capacity(HEAD_LEN as usize + encoded.len() + body.len());
        bytes.extend_from_slice(&kind.tag());
        bytes.extend_from_slice(&(encoded.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&encoded).to_le_bytes());
        bytes.extend_from_slice(&self.head_checksum(offset, &bytes).to_le_bytes());
        bytes.extend_from_slice(&encoded);
        bytes.extend_from_slice(body);
        if let Err(error) = self.storage.write_at(&bytes, offset) {
            // The error that matters is the first one; resuming cuts as well.
            let _ = self.storage.truncate(offset);
            return Err(Error::io("write", &self.name, error));
        }
        self.end += bytes.len() as u64;
        Ok(offset)
    }

    /// Makes everything so far durable.
    pub fn sync(&mut self) -> Result<()> {
        self.storage.sync().map_err(|error| Error::io("sync", &self.name, error))?;
        if self.storage.is_removed() {
            let name = self.name.display();
            return Err(Error::new(
                ErrorKind::Io,
                format!("{name}: was deleted or replaced while it was written"),
            )
            .with_hint(
                "what was recorded is gone with it: record again, and leave the file alone",
            ));
        }
        Ok(())
    }

    /// Cuts what is after `end`, durably, and gives the number of bytes cut. Must be durable before
    /// anything new is written: otherwise old bytes could come back behind new ones.
    pub fn cut(&mut self, end: u64) -> Result<u64> {
        let failed = |error| Error::io("cut", &self.name, error);
        let tail = self.storage.byte_len().map_err(failed)?.saturating_sub(end);
        if tail > 0 {
            self.storage.truncate(end).map_err(failed)?;
            self.storage.sync().map_err(failed)?;
        }
        self.end = end;
        Ok(tail)
    }

    fn head_checksum(&self, offset: u64, head: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&self.salt.to_le_bytes());
        hasher.update(&offset.to_le_bytes());
        hasher.update(head);
        hasher.finalize()
    }
}

/// The last bytes of the commit whose frame is at `offset`.
pub(super) fn trailer(offset: u64) -> [u8; TRAILER_LEN as usize] {
    let mut bytes = [0; TRAILER_LEN as usize];
    let (place, magic) = bytes.split_at_mut(8);
    place.copy_from_slice(&offset.to_le_bytes());
    magic.copy_from_slice(&TRAILER_MAGIC);
    bytes
}

fn check_preamble(bytes: &[u8]) -> Result<Preamble> {
    let magic = bytes.get(..MAGIC.len()).unwrap_or(bytes);
    if !MAGIC.starts_with(magic) {
        return Err(Error::recording("not a recording of record-minmax"));
    }
    let Ok(bytes) = <[u8; PREAMBLE_LEN as usize]>::try_from(bytes) else {
        return Ok(Preamble::Cut);
    };
    let [.., v0, v1, v2, v3, s0, s1, s2, s3, s4, s5, s6, s7, c0, c1, c2, c3] = bytes;
    let version = u32::from_le_bytes([v0, v1, v2, v3]);
    if crc32fast::hash(&bytes[..bytes.len() - 4]) != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Err(Error::recording("damaged at byte 0: wrong checksum of the first bytes")
            .with_hint("use a copy of it, or record again with --overwrite"));
    }
    if version != VERSION && version != HISTOGRAM_VERSION {
        return Err(Error::recording(format!(
            "a recording of format version {version}, and this program knows versions {VERSION} and \
             {HISTOGRAM_VERSION}"
        ))
        .with_hint("use the version of record-minmax that made it, or a newer one"));
    }
    let salt = u64::from_le_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
    Ok(Preamble::Valid { salt, version })
}
