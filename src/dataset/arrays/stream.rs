//! Bytes of an array, wherever they are in a file.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Take};

use flate2::read::DeflateDecoder;

/// Bytes that are decoded at a time where some are passed over.
const PASSED_OVER: usize = 1 << 16;

/// Bytes of a file, as they are or compressed.
pub(super) struct Stream {
    file: File,
    start: u64,
    len: u64,
    /// Decompressed bytes before those.
    skipped: u64,
    /// The stored length and how far decoding is, if they are compressed.
    deflated: Option<(u64, Option<Decoding>)>,
}

struct Decoding {
    decoder: DeflateDecoder<BufReader<Take<File>>>,
    position: u64,
}

impl Stream {
    /// `len` bytes from `start` on.
    pub fn plain(file: File, start: u64, len: u64) -> Self {
        Self { file, start, len, skipped: 0, deflated: None }
    }

    /// `stored` bytes from `start` on, which are `len` when they are decompressed.
    pub fn deflated(file: File, start: u64, stored: u64, len: u64) -> Self {
        Self { file, start, len, skipped: 0, deflated: Some((stored, None)) }
    }

    /// The same without its first `by` bytes.
    pub fn behind(mut self, by: u64) -> Self {
        self.len = self.len.saturating_sub(by);
        if self.deflated.is_none() {
            self.start += by;
        } else {
            self.skipped += by;
        }
        self
    }

    /// Number of bytes.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Fills `into` with the bytes from `offset` on. What is compressed is read in order at the speed of
    /// the decoder, and from the start whenever it goes back.
    ///
    /// # Errors
    /// If there are not as many, or they cannot be read or decompressed.
    pub fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let is_inside = offset.checked_add(into.len() as u64).is_some_and(|end| end <= self.len);
        if !is_inside {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((stored, decoding)) = &mut self.deflated else {
            self.file.seek(SeekFrom::Start(self.start + offset))?;
            return self.file.read_exact(into);
        };
        let offset = offset + self.skipped;
        let mut it = match decoding.take() {
            Some(it) if it.position <= offset => it,
            _ => {
                let mut file = self.file.try_clone()?;
                file.seek(SeekFrom::Start(self.start))?;
                let decoder = DeflateDecoder::new(BufReader::new(file.take(*stored)));
                Decoding { decoder, position: 0 }
            }
        };
        let mut passed = Vec::new();
        while it.position < offset {
            let n = (offset - it.position).min(PASSED_OVER as u64) as usize;
            passed.resize(n, 0);
            it.decoder.read_exact(&mut passed)?;
            it.position += n as u64;
        }
        it.decoder.read_exact(into)?;
        it.position += into.len() as u64;
        *decoding = Some(it);
        Ok(())
    }
}
