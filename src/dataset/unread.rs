//! Inputs that are still in a file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// An input that was not read yet: its elements lie in a file as they do in memory.
///
/// Whoever needs them reads them, in memory that is in its core's cache, and not one reader for all.
#[derive(Clone, Debug)]
pub(super) struct Unread {
    file: Arc<File>,
    offset: u64,
}

impl Unread {
    pub fn new(file: Arc<File>, offset: u64) -> Self {
        Self { file, offset }
    }

    /// Asks the system to have so many bytes in memory when they are read, and does not wait.
    pub fn fetch(&self, len: usize) {
        // It is a hint.
        #[cfg(target_os = "linux")]
        let _ = rustix::fs::fadvise(
            &*self.file,
            self.offset,
            std::num::NonZeroU64::new(len as u64),
            rustix::fs::Advice::WillNeed,
        );
        #[cfg(not(target_os = "linux"))]
        let _ = len;
    }

    /// Reads as many bytes as there is room for.
    ///
    /// # Errors
    /// Why they cannot be read, to be put after the input's name.
    pub fn read(&self, into: &mut [u8]) -> Result<(), String> {
        self.file.read_exact_at(into, self.offset).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => "cannot be read: the file ends before it".to_owned(),
            _ => format!("cannot be read: {error}"),
        })
    }
}
