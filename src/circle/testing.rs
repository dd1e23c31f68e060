//! Small models for the tests of this module.

use flatbuffers::FlatBufferBuilder;

use super::model_file::ModelFile;
use super::slots::{model as model_slots, quantization, subgraph, tensor as tensor_slots};
use super::wire::Wire;
use crate::schema::{
    BlockwiseQuantizationT, BufferT, BuiltinOperator, BuiltinOptionsT, DimensionMetadataT,
    DimensionType, Int32VectorT, MetadataT, ModelT, OperatorCodeT, OperatorT, QuantizationDetailsT,
    QuantizationParametersT, SignatureDefT, SparseIndexVectorT, SparsityParametersT, SubGraphT,
    TensorT, TensorType, Uint8VectorT, VariantSubTypeT,
};

/// A tensor of shape `[1, 4]`.
pub(super) fn tensor(name: &str, buffer: u32) -> TensorT {
    TensorT {
        shape: Some(vec![1, 4]),
        buffer,
        name: Some(name.to_owned()),
        has_rank: true,
        ..TensorT::default()
    }
}

/// Parameters as a quantizer leaves them, with a range for every one of two slices.
pub(super) fn parameters() -> QuantizationParametersT {
    QuantizationParametersT {
        min: Some(vec![-1.0, -2.0]),
        max: Some(vec![1.0, 2.0]),
        scale: Some(vec![0.5, f32::MIN_POSITIVE]),
        zero_point: Some(vec![3, -4]),
        details: QuantizationDetailsT::BlockwiseQuantization(Box::new(BlockwiseQuantizationT {
            scales: 1,
            zero_points: 2,
            block_size: 32,
        })),
        quantized_dimension: 1,
    }
}

/// Every kind of field that a sparsity has.
pub(super) fn sparsity() -> SparsityParametersT {
    let sparse = DimensionMetadataT {
        format: DimensionType::SPARSE_CSR,
        dense_size: 0,
        array_segments: SparseIndexVectorT::Uint8Vector(Box::new(Uint8VectorT {
            values: Some(vec![0, 2, 5]),
        })),
        array_indices: SparseIndexVectorT::Int32Vector(Box::new(Int32VectorT {
            values: Some(vec![1, 2, 3, 0, 1]),
        })),
    };
    let dense = DimensionMetadataT { dense_size: 4, ..DimensionMetadataT::default() };
    SparsityParametersT {
        traversal_order: Some(vec![0, 1]),
        block_map: Some(vec![]),
        dim_metadata: Some(vec![dense, sparse]),
    }
}

/// A tensor with a value in every field but the quantization.
pub(super) fn full_tensor(name: &str) -> TensorT {
    let variant =
        VariantSubTypeT { shape: Some(vec![7]), type_: TensorType::INT64, has_rank: true };
    TensorT {
        sparsity: Some(Box::new(sparsity())),
        shape_signature: Some(vec![-1, 4]),
        variant_tensors: Some(vec![variant.clone(), variant]),
        is_variable: true,
        ..tensor(name, 0)
    }
}

fn operator(code: u32, inputs: &[i32], outputs: &[i32]) -> OperatorT {
    OperatorT {
        opcode_index: code,
        inputs: Some(inputs.to_vec()),
        outputs: Some(outputs.to_vec()),
        ..OperatorT::default()
    }
}

/// The little-endian bytes of floats.
pub(super) fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// `out = relu(in + w)` with tensors `in`, `w`, `sum`, `out` at 0 to 3, and `unused` at 4. `in` has no
/// quantization parameters, `sum` has empty ones, `out` has all.
pub(super) fn model() -> ModelT {
    let add = OperatorT {
        builtin_options: BuiltinOptionsT::AddOptions(Box::default()),
        ..operator(0, &[0, 1], &[2])
    };
    let sum = TensorT {
        quantization: Some(Box::new(QuantizationParametersT::default())),
        ..tensor("sum", 0)
    };
    let out = TensorT { quantization: Some(Box::new(parameters())), ..tensor("out", 0) };
    let subgraph = SubGraphT {
        tensors: Some(vec![tensor("in", 0), tensor("w", 1), sum, out, full_tensor("unused")]),
        inputs: Some(vec![0]),
        outputs: Some(vec![3]),
        operators: Some(vec![add, operator(1, &[2], &[3])]),
        name: Some("main".to_owned()),
        debug_metadata_index: 0,
    };
    // The old encoding of an operator code and the new one.
    let codes = [
        OperatorCodeT { deprecated_builtin_code: 0, ..OperatorCodeT::default() },
        OperatorCodeT {
            deprecated_builtin_code: 127,
            builtin_code: BuiltinOperator::RELU,
            ..OperatorCodeT::default()
        },
    ];
    ModelT {
        version: 3,
        operator_codes: Some(codes.to_vec()),
        subgraphs: Some(vec![subgraph]),
        description: Some("a test".to_owned()),
        buffers: Some(vec![
            BufferT::default(),
            BufferT { data: Some(floats(&[1.0, -2.0, 3.0, -4.0])), ..BufferT::default() },
        ]),
        metadata: Some(vec![MetadataT { name: Some("notes".to_owned()), buffer: 0 }]),
        signature_defs: Some(vec![SignatureDefT {
            signature_key: Some("serving_default".to_owned()),
            ..SignatureDefT::default()
        }]),
        ..ModelT::default()
    }
}

/// The model as a circle file.
pub(super) fn circle(model: &ModelT) -> Vec<u8> {
    finish(model, "CIR0")
}

/// The model as a TFLite file.
pub(super) fn tflite(model: &ModelT) -> Vec<u8> {
    finish(model, "TFL3")
}

/// A TFLite file as TensorFlow writes it: what circle has elsewhere is where TFLite has it.
pub(super) fn as_tflite(model: &ModelT) -> Vec<u8> {
    let mut bytes = tflite(model);
    let wire = Wire(&bytes);
    let mut patches = Vec::new();
    for table in wire.tables(wire.root().unwrap(), model_slots::SUBGRAPHS).unwrap() {
        let vtable = table.vtable + 4;
        let index = wire.u16(vtable + 2 * subgraph::DEBUG_METADATA_INDEX).unwrap();
        patches.push((vtable + 2 * subgraph::DEBUG_METADATA_INDEX, vec![0, 0]));
        let slot = vtable + 2 * subgraph::TFLITE_DEBUG_METADATA_INDEX;
        patches.push((slot, index.to_le_bytes().to_vec()));
        // The vtable has no more slots than TFLite's.
        patches.push((table.vtable, 16_u16.to_le_bytes().to_vec()));
        for table in wire.tables(table, subgraph::TENSORS).unwrap() {
            let parameters = wire.child(table, tensor_slots::QUANTIZATION).unwrap();
            let details =
                parameters.and_then(|table| wire.field(table, quantization::DETAILS_TYPE).unwrap());
            // 3 is blockwise in circle, 2 in TFLite.
            let blockwise = details.filter(|&field| wire.u8(field).unwrap() == 3);
            patches.extend(blockwise.map(|field| (field, vec![2])));
        }
    }
    for (at, patch) in patches {
        bytes[at..at + patch.len()].copy_from_slice(&patch);
    }
    bytes
}

fn finish(model: &ModelT, identifier: &str) -> Vec<u8> {
    let mut builder = FlatBufferBuilder::new();
    let root = model.pack(&mut builder);
    builder.finish(root, Some(identifier));
    builder.finished_data().to_vec()
}

/// A circle file with `behind` following the `FlatBuffer`, where the last buffer stands.
pub(super) fn with_external_buffer(model: &ModelT, behind: &[u8]) -> Vec<u8> {
    let mut model = model.clone();
    let place = |model: &mut ModelT, offset: u64| {
        let last = model.buffers.as_mut().and_then(|it| it.last_mut()).expect("a buffer");
        *last = BufferT { data: None, offset, size: behind.len() as u64 };
        let mut bytes = circle(model);
        bytes.resize(bytes.len().next_multiple_of(64), 0);
        bytes
    };
    // The length does not depend on the value.
    let offset = place(&mut model, u64::MAX).len() as u64;
    let mut bytes = place(&mut model, offset);
    bytes.extend(behind);
    bytes
}

/// The file in memory.
pub(super) fn open(bytes: &[u8]) -> ModelFile {
    ModelFile::from_bytes("test", bytes.to_vec()).expect("a valid model")
}
