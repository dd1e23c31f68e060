//! The tables that are copied: a tensor and all that belongs to it, and metadata. A test copies a
//! tensor that has them all.

use Kind::{Scalar, Table, Tables, Text, Union, Vector};

/// What a field is.
pub(super) enum Kind {
    Scalar,
    Text,
    Vector {
        element_len: usize,
    },
    Table(&'static Layout),
    Tables(&'static Layout),
    /// Its type stands in the slot before; `NONE` is left out of the members.
    Union(&'static [&'static Layout]),
}

/// The fields of a table, by slot.
pub(super) struct Layout {
    pub(super) name: &'static str,
    pub(super) fields: &'static [Kind],
}

const BYTES: Kind = Vector { element_len: 1 };
const SHORTS: Kind = Vector { element_len: 2 };
const WORDS: Kind = Vector { element_len: 4 };
const LONGS: Kind = Vector { element_len: 8 };

/// shape, type, buffer, name, quantization, `is_variable`, sparsity, `shape_signature`, `has_rank`,
/// `variant_tensors`, `compression_type`
pub(super) static TENSOR: Layout = Layout {
    name: "Tensor",
    fields: &[
        WORDS,
        Scalar,
        Scalar,
        Text,
        Table(&QUANTIZATION),
        Scalar,
        Table(&SPARSITY),
        WORDS,
        Scalar,
        Tables(&VARIANT),
        Scalar,
    ],
};

/// min, max, scale, `zero_point`, details, `quantized_dimension`
pub(super) static QUANTIZATION: Layout = Layout {
    name: "QuantizationParameters",
    fields: &[WORDS, WORDS, WORDS, LONGS, Scalar, Union(&[&CUSTOM, &MX, &BLOCKWISE]), Scalar],
};

/// custom
static CUSTOM: Layout = Layout { name: "CustomQuantization", fields: &[BYTES] };

/// axis
static MX: Layout = Layout { name: "MXQuantization", fields: &[Scalar] };

/// scales, `zero_points`, `block_size`
static BLOCKWISE: Layout =
    Layout { name: "BlockwiseQuantization", fields: &[Scalar, Scalar, Scalar] };

/// `traversal_order`, `block_map`, `dim_metadata`
static SPARSITY: Layout =
    Layout { name: "SparsityParameters", fields: &[WORDS, WORDS, Tables(&DIMENSION)] };

/// format, `dense_size`, `array_segments`, `array_indices`
static DIMENSION: Layout = Layout {
    name: "DimensionMetadata",
    fields: &[Scalar, Scalar, Scalar, Union(INDICES), Scalar, Union(INDICES)],
};

static INDICES: &[&Layout] = &[
    &Layout { name: "Int32Vector", fields: &[WORDS] },
    &Layout { name: "Uint16Vector", fields: &[SHORTS] },
    &Layout { name: "Uint8Vector", fields: &[BYTES] },
];

/// shape, type, `has_rank`
static VARIANT: Layout = Layout { name: "VariantSubType", fields: &[WORDS, Scalar, Scalar] };

/// name, buffer
pub(super) static METADATA: Layout = Layout { name: "Metadata", fields: &[Text, Scalar] };
