use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::map::{ModelBytes, PrivateBytes, VerifiedModel};
use super::read;
use crate::error::{Error, Result};
use crate::fingerprint::ModelFingerprint;
use crate::graph::{Model, SharedBytes};
use crate::schema;

/// Which of the two file formats a model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Identifier `CIR0`.
    Circle,
    /// Identifier `TFL3`.
    Tflite,
}

/// A mapped and verified model file.
#[derive(Clone)]
pub struct ModelFile {
    path: PathBuf,
    bytes: Arc<VerifiedModel>,
    format: Format,
}

impl ModelFile {
    /// Maps and verifies the file at `path`.
    ///
    /// # Errors
    /// If it cannot be read, is neither a circle nor a TFLite model, or is damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let model = Self::verified(path, ModelBytes::map(path)?)?;
        let (format, bytes) = (model.format, model.bytes().len());
        tracing::info!(?format, bytes, "{}: model open", path.display());
        Ok(model)
    }

    /// A model in memory; `name` stands for its path in messages.
    ///
    /// # Errors
    /// If it is neither a circle nor a TFLite model, or is damaged.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self> {
        Self::verified(Path::new(name), ModelBytes::Owned(bytes))
    }

    fn verified(path: &Path, bytes: ModelBytes) -> Result<Self> {
        let here = |e: Error| e.context(path.display());
        let format = identify(bytes.bytes()).map_err(here)?;
        let bytes = Arc::new(VerifiedModel::new(bytes).map_err(here)?);
        Ok(Self { path: path.to_owned(), bytes, format })
    }

    /// Where it came from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which format it has.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.bytes()
    }

    /// The root table.
    pub fn root(&self) -> schema::Model<'_> {
        self.bytes.root()
    }

    /// Gives back the memory of the file's pages; they are read again when they are needed.
    pub fn release(&self) {
        self.bytes.release();
    }

    /// The first `len` bytes for changing, in memory only.
    pub(super) fn private_copy(&self, len: usize) -> Result<PrivateBytes> {
        self.bytes.private_copy(len, &self.path)
    }

    /// A model of changed bytes, under the same path.
    pub(super) fn with_private_bytes(&self, bytes: PrivateBytes) -> Result<Self> {
        Self::verified(&self.path, ModelBytes::Private(bytes))
    }

    /// The identity of the file: a hash over all its bytes.
    pub fn fingerprint(&self) -> ModelFingerprint {
        let bytes = self.bytes();
        ModelFingerprint { hash: *blake3::hash(bytes).as_bytes(), byte_len: bytes.len() as u64 }
    }

    /// The model as plain data; constants stay in the file.
    ///
    /// # Errors
    /// If positions, sizes or types in the model contradict each other; all that are found are listed.
    pub fn graph(&self) -> Result<Model> {
        let shared: Arc<dyn SharedBytes> = self.bytes.clone();
        read::graph(self.root(), self.format, &shared).map_err(|e| e.context(self.path.display()))
    }
}

impl std::fmt::Debug for ModelFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ModelFile({}, {:?})", self.path.display(), self.format)
    }
}

/// Tells the format from the identifier behind the root offset.
pub(super) fn identify(bytes: &[u8]) -> Result<Format> {
    match bytes.get(4..8) {
        Some(b"CIR0") => return Ok(Format::Circle),
        Some(b"TFL3") => return Ok(Format::Tflite),
        _ => {}
    }
    let found = if bytes.is_empty() {
        "the file is empty".to_owned()
    } else if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
        "this is an HDF5 file: a dataset, or a Keras model".to_owned()
    } else if bytes.starts_with(b"PK\x03\x04") {
        "this is a zip archive: a Keras or PyTorch file?".to_owned()
    } else {
        format!("the identifier `CIR0` or `TFL3` is missing in its {} bytes", bytes.len())
    };
    Err(Error::model(format!("not a circle or TFLite model: {found}"))
        .with_hint("give a float .circle or .tflite file as the model"))
}
