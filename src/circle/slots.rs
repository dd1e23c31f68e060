//! Slots of the fields that are patched, taken from the generated code.

use crate::schema;

/// The slot that a field's place in the vtable stands for.
const fn slot(vtable_offset: u16) -> usize {
    (vtable_offset as usize - 4) / 2
}

pub(super) mod model {
    use super::{schema::Model, slot};
    pub(in crate::circle) const VERSION: usize = slot(Model::VT_VERSION);
    pub(in crate::circle) const OPERATOR_CODES: usize = slot(Model::VT_OPERATOR_CODES);
    pub(in crate::circle) const SUBGRAPHS: usize = slot(Model::VT_SUBGRAPHS);
    pub(in crate::circle) const BUFFERS: usize = slot(Model::VT_BUFFERS);
    pub(in crate::circle) const METADATA_BUFFER: usize = slot(Model::VT_METADATA_BUFFER);
    pub(in crate::circle) const METADATA: usize = slot(Model::VT_METADATA);
    /// Slots that circle has; TFLite has more.
    pub(in crate::circle) const COUNT: usize = slot(Model::VT_SIGNATURE_DEFS) + 1;
}

pub(super) mod subgraph {
    use super::{schema::SubGraph, slot};
    pub(in crate::circle) const TENSORS: usize = slot(SubGraph::VT_TENSORS);
    pub(in crate::circle) const OPERATORS: usize = slot(SubGraph::VT_OPERATORS);
    pub(in crate::circle) const DEBUG_METADATA_INDEX: usize =
        slot(SubGraph::VT_DEBUG_METADATA_INDEX);
    /// Where TFLite has that index; in circle the slot is deprecated.
    pub(in crate::circle) const TFLITE_DEBUG_METADATA_INDEX: usize = DEBUG_METADATA_INDEX - 1;
}

pub(super) mod tensor {
    use super::{schema::Tensor, slot};
    pub(in crate::circle) const TYPE: usize = slot(Tensor::VT_TYPE_);
    pub(in crate::circle) const BUFFER: usize = slot(Tensor::VT_BUFFER);
    pub(in crate::circle) const NAME: usize = slot(Tensor::VT_NAME);
    pub(in crate::circle) const IS_VARIABLE: usize = slot(Tensor::VT_IS_VARIABLE);
    pub(in crate::circle) const QUANTIZATION: usize = slot(Tensor::VT_QUANTIZATION);
    pub(in crate::circle) const VARIANT_TENSORS: usize = slot(Tensor::VT_VARIANT_TENSORS);
    /// TFLite's `external_buffer`, circle's `compression_type`.
    pub(in crate::circle) const COMPRESSION_TYPE: usize = slot(Tensor::VT_COMPRESSION_TYPE);
}

pub(super) mod quantization {
    use super::{schema::QuantizationParameters, slot};
    pub(in crate::circle) const MIN: usize = slot(QuantizationParameters::VT_MIN);
    pub(in crate::circle) const MAX: usize = slot(QuantizationParameters::VT_MAX);
    pub(in crate::circle) const DETAILS_TYPE: usize = slot(QuantizationParameters::VT_DETAILS_TYPE);
    pub(in crate::circle) const DETAILS: usize = slot(QuantizationParameters::VT_DETAILS);
}

pub(super) mod operator {
    use super::{schema::Operator, slot};
    pub(in crate::circle) const OUTPUTS: usize = slot(Operator::VT_OUTPUTS);
    pub(in crate::circle) const OPTIONS_TYPE: usize = slot(Operator::VT_BUILTIN_OPTIONS_TYPE);
    pub(in crate::circle) const OPTIONS_2_TYPE: usize = slot(Operator::VT_BUILTIN_OPTIONS_2_TYPE);
    pub(in crate::circle) const OPTIONS_2: usize = slot(Operator::VT_BUILTIN_OPTIONS_2);
    pub(in crate::circle) const OPTIONS: usize = slot(Operator::VT_BUILTIN_OPTIONS);
    pub(in crate::circle) const LARGE_OPTIONS_OFFSET: usize =
        slot(Operator::VT_LARGE_CUSTOM_OPTIONS_OFFSET);
    pub(in crate::circle) const LARGE_OPTIONS_SIZE: usize =
        slot(Operator::VT_LARGE_CUSTOM_OPTIONS_SIZE);
}

pub(super) mod buffer {
    use super::{schema::Buffer, slot};
    pub(in crate::circle) const DATA: usize = slot(Buffer::VT_DATA);
    pub(in crate::circle) const OFFSET: usize = slot(Buffer::VT_OFFSET);
    pub(in crate::circle) const SIZE: usize = slot(Buffer::VT_SIZE);
}

pub(super) mod metadata {
    use super::{schema::Metadata, slot};
    pub(in crate::circle) const NAME: usize = slot(Metadata::VT_NAME);
    pub(in crate::circle) const BUFFER: usize = slot(Metadata::VT_BUFFER);
}
