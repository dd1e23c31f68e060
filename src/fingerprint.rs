//! Identity of a model file.
#![forbid(unsafe_code)]

use std::fmt;

use serde::{Deserialize, Serialize};

/// BLAKE3 of a whole model file, and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ModelFingerprint {
    /// The hash.
    pub hash: [u8; 32],
    /// Length in bytes.
    pub byte_len: u64,
}

impl fmt::Display for ModelFingerprint {
    /// The hash in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.hash.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
