//! A model file in memory without being read: the one place with `unsafe` outside of the kernels.

use std::fs::File;
use std::ops::{Deref, DerefMut};
use std::path::Path;

use flatbuffers::VerifierOptions;
use memmap2::{Mmap, MmapMut, MmapOptions};

use crate::error::{Error, Result};
use crate::graph::SharedBytes;
use crate::schema;

/// The bytes of a model: a mapped file, or a buffer.
#[derive(Debug)]
pub(super) enum ModelBytes {
    Mapped(Mmap, File),
    Private(PrivateBytes),
    Owned(Vec<u8>),
}

impl ModelBytes {
    /// Maps the file at `path`.
    pub(super) fn map(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::open("open the model", path, e))?;
        let metadata = file.metadata().map_err(|e| Error::io("read the size of", path, e))?;
        if metadata.is_dir() {
            return Err(Error::model(format!("{} is a directory", path.display()))
                .with_hint("give the path of a .circle or .tflite file"));
        }
        if metadata.len() == 0 {
            // Nothing to map, and mapping nothing is an error of its own.
            return Ok(Self::Owned(Vec::new()));
        }
        // SAFETY: the file must not be cut while it is mapped; reading behind its end would raise a
        // signal. Models are replaced by renaming, as this program does itself, and then the mapping
        // keeps the old file.
        #[expect(unsafe_code, reason = "weights of gigabytes are mapped, not copied")]
        let map = unsafe { Mmap::map(&file) };
        map.map(|map| Self::Mapped(map, file)).map_err(|e| Error::io("map", path, e))
    }

    /// Gives back the memory of a mapped file's pages; they are read again when they are needed.
    pub(super) fn release(&self) {
        #[cfg(unix)]
        if let Self::Mapped(map, _) = self {
            // SAFETY: nobody writes to the mapping, so that its pages are those of the file, before and
            // after. That it fails costs nothing but memory.
            #[expect(unsafe_code, reason = "packed weights replace the mapped ones")]
            let _ = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
        }
    }

    /// The first `len` bytes for changing; neither these bytes nor the file at `path` change with it.
    fn private_copy(&self, len: usize, path: &Path) -> Result<PrivateBytes> {
        let bytes = self.bytes().get(..len).ok_or_else(|| {
            Error::internal(format!("{} is shorter than {len} bytes", path.display()))
        })?;
        let Self::Mapped(_, file) = self else {
            return Ok(PrivateBytes::Owned(bytes.to_vec()));
        };
        let mut options = MmapOptions::new();
        options.len(len).no_reserve_swap();
        // SAFETY: as in `map`; the file handle is the one that was mapped there.
        #[expect(unsafe_code, reason = "only pages that are changed are copied")]
        let map = unsafe { options.map_copy(file) };
        map.map(PrivateBytes::Mapped).map_err(|e| Error::io("map", path, e))
    }
}

/// Bytes of a model that may be changed, in memory only.
#[derive(Debug)]
pub(super) enum PrivateBytes {
    Mapped(MmapMut),
    Owned(Vec<u8>),
}

impl Deref for PrivateBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl DerefMut for PrivateBytes {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl SharedBytes for ModelBytes {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Mapped(map, _) => map,
            Self::Private(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// Bytes over which the `FlatBuffer` verifier has run.
#[derive(Debug)]
pub(super) struct VerifiedModel(ModelBytes);

impl VerifiedModel {
    /// Runs the verifier.
    pub(super) fn new(bytes: ModelBytes) -> Result<Self> {
        verify(bytes.bytes())?;
        Ok(Self(bytes))
    }

    /// Gives back the memory of a mapped file's pages.
    pub(super) fn release(&self) {
        self.0.release();
    }

    /// The first `len` bytes for changing; neither these bytes nor the file at `path` change with it.
    pub(super) fn private_copy(&self, len: usize, path: &Path) -> Result<PrivateBytes> {
        self.0.private_copy(len, path)
    }

    /// The root table.
    pub(super) fn root(&self) -> schema::Model<'_> {
        // SAFETY: `new` has run the verifier over these bytes, which do not change.
        #[expect(unsafe_code, reason = "verified once, when it was made")]
        unsafe {
            schema::root_as_model_unchecked(self.bytes())
        }
    }
}

impl SharedBytes for VerifiedModel {
    fn bytes(&self) -> &[u8] {
        self.0.bytes()
    }
}

/// Runs the `FlatBuffer` verifier.
pub(super) fn verify(bytes: &[u8]) -> Result<()> {
    // A model is a few levels deep; its tables are many. Sharing of tables (empty quantization
    // parameters, say) makes the apparent size larger than the file.
    let options = VerifierOptions {
        max_depth: 64,
        max_tables: 100_000_000,
        max_apparent_size: 1 << 40,
        ..VerifierOptions::default()
    };
    let verified = schema::root_as_model_with_opts(&options, bytes).map(|_| ());
    verified.map_err(|e| {
        // The first line says what; the trace behind it names every table on the way.
        let text = e.to_string();
        let what = text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
        Error::model(format!("the model is damaged: {what}"))
            .with_hint("was the file copied completely?")
    })
}
