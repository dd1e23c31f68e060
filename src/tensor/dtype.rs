use std::fmt;

use serde::{Deserialize, Serialize};

/// Element type of a tensor; the names are those of the circle schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum DType {
    F16,
    BF16,
    F32,
    F64,
    I4,
    U4,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    Bool,
    Complex64,
    Complex128,
    String,
    Resource,
    Variant,
    /// A block-quantized or unknown type, by its number in the schema.
    Other(i8),
}

impl DType {
    /// Bytes of one element; `None` for sub-byte, variable-size and unknown types.
    pub fn byte_len(self) -> Option<usize> {
        Some(match self {
            Self::I8 | Self::U8 | Self::Bool => 1,
            Self::F16 | Self::BF16 | Self::I16 | Self::U16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 | Self::Complex64 => 8,
            Self::Complex128 => 16,
            Self::I4
            | Self::U4
            | Self::String
            | Self::Resource
            | Self::Variant
            | Self::Other(_) => return None,
        })
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::F16 => "FLOAT16",
            Self::BF16 => "BFLOAT16",
            Self::F32 => "FLOAT32",
            Self::F64 => "FLOAT64",
            Self::I4 => "INT4",
            Self::U4 => "UINT4",
            Self::I8 => "INT8",
            Self::U8 => "UINT8",
            Self::I16 => "INT16",
            Self::U16 => "UINT16",
            Self::I32 => "INT32",
            Self::U32 => "UINT32",
            Self::I64 => "INT64",
            Self::U64 => "UINT64",
            Self::Bool => "BOOL",
            Self::Complex64 => "COMPLEX64",
            Self::Complex128 => "COMPLEX128",
            Self::String => "STRING",
            Self::Resource => "RESOURCE",
            Self::Variant => "VARIANT",
            Self::Other(number) => return write!(f, "TYPE({number})"),
        };
        f.write_str(name)
    }
}
