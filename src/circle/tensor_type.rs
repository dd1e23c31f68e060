use crate::schema::TensorType;
use crate::tensor::DType;

/// What TFLite calls `UINT4`; the schema's number is circle's.
const LITE_UINT4: TensorType = TensorType(20);

/// The element type of a schema value.
pub(super) fn dtype(tensor_type: TensorType) -> DType {
    match tensor_type {
        TensorType::FLOAT16 => DType::F16,
        TensorType::BFLOAT16 => DType::BF16,
        TensorType::FLOAT32 => DType::F32,
        TensorType::FLOAT64 => DType::F64,
        TensorType::INT4 => DType::I4,
        TensorType::UINT4 | LITE_UINT4 => DType::U4,
        TensorType::INT8 => DType::I8,
        TensorType::UINT8 => DType::U8,
        TensorType::INT16 => DType::I16,
        TensorType::UINT16 => DType::U16,
        TensorType::INT32 => DType::I32,
        TensorType::UINT32 => DType::U32,
        TensorType::INT64 => DType::I64,
        TensorType::UINT64 => DType::U64,
        TensorType::BOOL => DType::Bool,
        TensorType::COMPLEX64 => DType::Complex64,
        TensorType::COMPLEX128 => DType::Complex128,
        TensorType::STRING => DType::String,
        TensorType::RESOURCE => DType::Resource,
        TensorType::VARIANT => DType::Variant,
        TensorType(other) => DType::Other(other),
    }
}
