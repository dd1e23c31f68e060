//! The bytes of a recording: a file, or something that behaves like one.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// What a recording needs of a file. It is written only at its end, and cut only at its end.
pub trait Storage: Send {
    /// Length in bytes.
    ///
    /// # Errors
    /// What the operating system says.
    fn byte_len(&self) -> io::Result<u64>;

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the bytes end before, and what the
    /// operating system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`, which is at most the length.
    ///
    /// # Errors
    /// What the operating system says; then any part may have been written.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Cuts to `byte_len` bytes.
    ///
    /// # Errors
    /// What the operating system says.
    fn truncate(&mut self, byte_len: u64) -> io::Result<()>;

    /// Makes bytes and length survive a crash of the machine.
    ///
    /// # Errors
    /// What the operating system says; then nothing written since the last success is certain.
    fn sync(&mut self) -> io::Result<()>;

    /// Whether nobody will find the bytes any more: the file was deleted or replaced.
    fn is_removed(&self) -> bool {
        false
    }
}

impl Storage for File {
    fn byte_len(&self) -> io::Result<u64> {
        self.metadata().map(|it| it.len())
    }

    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, offset)
    }

    #[cfg(not(unix))]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        use std::io::{Read, Seek, SeekFrom};
        let mut file = self;
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(buffer)
    }

    #[cfg(unix)]
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, bytes, offset)
    }

    #[cfg(not(unix))]
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        use std::io::{Seek, SeekFrom, Write};
        self.seek(SeekFrom::Start(offset))?;
        self.write_all(bytes)
    }

    fn truncate(&mut self, byte_len: u64) -> io::Result<()> {
        self.set_len(byte_len)
    }

    fn sync(&mut self) -> io::Result<()> {
        // fdatasync: it includes the length, and nothing else of the metadata matters.
        self.sync_data()
    }

    #[cfg(unix)]
    fn is_removed(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        self.metadata().is_ok_and(|it| it.nlink() == 0)
    }
}

/// Bytes in memory which know what a crash would leave of them.
///
/// Clones share their bytes, so that a test keeps one while a writer owns the other.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage {
    bytes: Arc<Mutex<Bytes>>,
}

#[derive(Debug, Default)]
struct Bytes {
    live: Vec<u8>,
    durable: Vec<u8>,
}

impl MemoryStorage {
    /// Storage that holds `bytes`, durably.
    pub fn new(bytes: Vec<u8>) -> Self {
        let bytes = Bytes { durable: bytes.clone(), live: bytes };
        Self { bytes: Arc::new(Mutex::new(bytes)) }
    }

    /// What a reader sees now.
    pub fn live(&self) -> Vec<u8> {
        self.with(|bytes| bytes.live.clone())
    }

    /// What is certain to be there after a crash now.
    pub fn durable(&self) -> Vec<u8> {
        self.with(|bytes| bytes.durable.clone())
    }

    fn with<T>(&self, action: impl FnOnce(&mut Bytes) -> T) -> T {
        action(&mut self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Storage for MemoryStorage {
    fn byte_len(&self) -> io::Result<u64> {
        Ok(self.with(|bytes| bytes.live.len() as u64))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.with(|bytes| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let end = start.saturating_add(buffer.len());
            let part = bytes.live.get(start..end).ok_or(io::ErrorKind::UnexpectedEof)?;
            buffer.copy_from_slice(part);
            Ok(())
        })
    }

    fn write_at(&mut self, new: &[u8], offset: u64) -> io::Result<()> {
        self.with(|bytes| {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let end = start.saturating_add(new.len()).max(bytes.live.len());
            if start > bytes.live.len() {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            bytes.live.resize(end, 0);
            bytes.live[start..start + new.len()].copy_from_slice(new);
            Ok(())
        })
    }

    fn truncate(&mut self, byte_len: u64) -> io::Result<()> {
        self.with(|bytes| bytes.live.truncate(usize::try_from(byte_len).unwrap_or(usize::MAX)));
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(|bytes| bytes.durable.clone_from(&bytes.live));
        Ok(())
    }
}
