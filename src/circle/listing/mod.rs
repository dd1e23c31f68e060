//! What is in a model file, for people ([`Display`](std::fmt::Display)) and for programs
//! ([`Serialize`]).
//!
//! A listing shows the file as it is, also where it contradicts itself: it follows no position that
//! another table gives.

mod attributes;
mod text;

pub use attributes::Attribute;
use flatbuffers::Vector;
use serde::{Serialize, Serializer};

use super::details::details;
use super::model_file::{Format, ModelFile};
use super::read::resolve;
use crate::graph::{OperatorCode, QuantizationDetails};
use crate::schema;

/// A model file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listing {
    /// `circle` or `tflite`.
    pub format: &'static str,
    /// The file's own version field: 0 for circle, 3 for TFLite.
    pub version: u32,
    /// Length of the file in bytes.
    pub byte_len: u64,
    /// Free text from whoever made the model.
    pub description: String,
    /// What operators refer to.
    pub operator_codes: Vec<ListedOperatorCode>,
    /// What constants refer to.
    pub buffers: Vec<ListedBuffer>,
    /// The functions.
    pub subgraphs: Vec<ListedSubgraph>,
    /// Further data under names.
    pub metadata: Vec<ListedMetadata>,
    /// Names for the inputs and outputs of subgraphs.
    pub signatures: Vec<ListedSignature>,
}

/// An operator code.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedOperatorCode {
    /// `CONV_2D`, `CUSTOM(name)`, `BUILTIN(number)`.
    pub name: String,
    /// Version of the operator.
    pub version: i32,
}

/// A buffer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedBuffer {
    /// Length in bytes.
    pub byte_len: u64,
    /// Position in the file if it stands behind the `FlatBuffer`.
    pub offset: Option<u64>,
}

/// A subgraph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedSubgraph {
    /// Its name; may be empty.
    pub name: String,
    /// Its tensors.
    pub tensors: Vec<ListedTensor>,
    /// Its operators, in the file's order.
    pub operators: Vec<ListedOperator>,
    /// Positions of tensors.
    pub inputs: Vec<i32>,
    /// Positions of tensors.
    pub outputs: Vec<i32>,
}

/// A tensor.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedTensor {
    /// Its name; need not be unique.
    pub name: String,
    /// Element type: `FLOAT32`, ..., `TYPE(number)`.
    pub dtype: String,
    /// Dimensions; `None` if the rank is not known.
    pub shape: Option<Vec<i32>>,
    /// Dimensions with -1 for those known only at run time; may be empty.
    pub shape_signature: Vec<i32>,
    /// Position of its buffer.
    pub buffer: u32,
    /// Whether it keeps its value from one run to the next.
    pub is_variable: bool,
    /// Whether its constant is stored sparse.
    pub is_sparse: bool,
    /// Quantization parameters.
    pub quantization: Option<ListedQuantization>,
}

/// Quantization parameters; empty lists are left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedQuantization {
    /// Recorded minima.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub min: Vec<Number>,
    /// Recorded maxima.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub max: Vec<Number>,
    /// Scales.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scale: Vec<Number>,
    /// Zero points.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub zero_point: Vec<i64>,
    /// The axis along which slices have parameters of their own.
    pub quantized_dimension: i32,
    /// What these do not say: custom, mx or blockwise quantization.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// A float that JSON can hold: `Infinity`, `-Infinity` and `NaN` are strings there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Number(pub f32);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            f32::INFINITY => serializer.serialize_str("Infinity"),
            f32::NEG_INFINITY => serializer.serialize_str("-Infinity"),
            value if value.is_nan() => serializer.serialize_str("NaN"),
            value => serializer.serialize_f32(value),
        }
    }
}

/// An operator.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedOperator {
    /// `CONV_2D`, `CUSTOM(name)`, `BUILTIN(number)`, or `CODE(position)` if there is no such code.
    pub name: String,
    /// Positions of tensors; -1 for an optional one that is left out.
    pub inputs: Vec<i32>,
    /// Positions of tensors.
    pub outputs: Vec<i32>,
    /// Positions of tensors.
    pub intermediates: Vec<i32>,
    /// Name of the table of attributes, if there is one.
    pub options: Option<String>,
    /// Its attributes; an object in JSON.
    #[serde(serialize_with = "attributes::serialize")]
    pub attributes: Vec<Attribute>,
    /// Length in bytes of a custom operator's attributes.
    pub custom_options_byte_len: u64,
}

/// Metadata.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedMetadata {
    /// Its name.
    pub name: String,
    /// Position of its buffer.
    pub buffer: u32,
}

/// A signature.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ListedSignature {
    /// Its name.
    pub key: String,
    /// Position of its subgraph.
    pub subgraph: u32,
    /// Names of inputs with the positions of their tensors.
    pub inputs: Vec<(String, u32)>,
    /// Names of outputs with the positions of their tensors.
    pub outputs: Vec<(String, u32)>,
}

/// Lists what is in `model`.
pub fn listing(model: &ModelFile) -> Listing {
    let root = model.root();
    let operator_codes: Vec<ListedOperatorCode> =
        root.operator_codes().into_iter().flatten().map(operator_code).collect();
    Listing {
        format: match model.format() {
            Format::Circle => "circle",
            Format::Tflite => "tflite",
        },
        version: root.version(),
        byte_len: model.bytes().len() as u64,
        description: owned(root.description()),
        buffers: root.buffers().into_iter().flatten().map(buffer).collect(),
        subgraphs: root
            .subgraphs()
            .into_iter()
            .flatten()
            .map(|it| subgraph(model.format(), it, &operator_codes))
            .collect(),
        metadata: root
            .metadata()
            .into_iter()
            .flatten()
            .map(|it| ListedMetadata { name: owned(it.name()), buffer: it.buffer() })
            .collect(),
        signatures: root.signature_defs().into_iter().flatten().map(signature).collect(),
        operator_codes,
    }
}

fn owned(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn list<'a, T: flatbuffers::Follow<'a> + 'a>(vector: Option<Vector<'a, T>>) -> Vec<T::Inner> {
    vector.into_iter().flatten().collect()
}

fn operator_code(code: schema::OperatorCode<'_>) -> ListedOperatorCode {
    let builtin = resolve(code.deprecated_builtin_code(), code.builtin_code());
    let name = if builtin == schema::BuiltinOperator::CUSTOM {
        OperatorCode::Custom(owned(code.custom_code()))
    } else {
        OperatorCode::Builtin(builtin)
    };
    ListedOperatorCode { name: name.to_string(), version: code.version() }
}

fn buffer(buffer: schema::Buffer<'_>) -> ListedBuffer {
    match buffer.data().map_or(0, |data| data.len()) {
        0 if buffer.offset() > 1 => {
            ListedBuffer { byte_len: buffer.size(), offset: Some(buffer.offset()) }
        }
        len => ListedBuffer { byte_len: len as u64, offset: None },
    }
}

fn subgraph(
    format: Format,
    subgraph: schema::SubGraph<'_>,
    codes: &[ListedOperatorCode],
) -> ListedSubgraph {
    ListedSubgraph {
        name: owned(subgraph.name()),
        tensors: subgraph.tensors().into_iter().flatten().map(|it| tensor(format, it)).collect(),
        operators: subgraph
            .operators()
            .into_iter()
            .flatten()
            .map(|it| operator(it, codes))
            .collect(),
        inputs: list(subgraph.inputs()),
        outputs: list(subgraph.outputs()),
    }
}

fn tensor(format: Format, tensor: schema::Tensor<'_>) -> ListedTensor {
    let shape = list(tensor.shape());
    let element = tensor.type_();
    let number = || format!("TYPE({})", element.0);
    ListedTensor {
        name: owned(tensor.name()),
        dtype: element.variant_name().map_or_else(number, str::to_owned),
        shape: (tensor.has_rank() || !shape.is_empty()).then_some(shape),
        shape_signature: list(tensor.shape_signature()),
        buffer: tensor.buffer(),
        is_variable: tensor.is_variable(),
        is_sparse: tensor.sparsity().is_some(),
        quantization: tensor.quantization().map(|it| quantization(format, it)),
    }
}

fn quantization(
    format: Format,
    parameters: schema::QuantizationParameters<'_>,
) -> ListedQuantization {
    let numbers = |vector| list(vector).into_iter().map(Number).collect();
    ListedQuantization {
        min: numbers(parameters.min()),
        max: numbers(parameters.max()),
        scale: numbers(parameters.scale()),
        zero_point: list(parameters.zero_point()),
        quantized_dimension: parameters.quantized_dimension(),
        details: match details(format, parameters) {
            Ok(QuantizationDetails::None) => None,
            Ok(details) => Some(details.to_string()),
            Err(error) => Some(error.to_string()),
        },
    }
}

fn operator(operator: schema::Operator<'_>, codes: &[ListedOperatorCode]) -> ListedOperator {
    let code = operator.opcode_index();
    let name = codes.get(code as usize);
    let (first, second) = (operator.builtin_options_type(), operator.builtin_options_2_type());
    let unpacked = operator.unpack();
    let (options, attributes) = if first != schema::BuiltinOptions::NONE {
        let name = first.variant_name().map_or_else(|| first.0.to_string(), str::to_owned);
        (Some(name), attributes::attributes(&unpacked.builtin_options))
    } else if second != schema::BuiltinOptions2::NONE {
        let name = second.variant_name().map_or_else(|| second.0.to_string(), str::to_owned);
        (Some(name), attributes::attributes(&unpacked.builtin_options_2))
    } else {
        (None, Vec::new())
    };
    ListedOperator {
        name: name.map_or_else(|| format!("CODE({code})"), |it| it.name.clone()),
        inputs: list(operator.inputs()),
        outputs: list(operator.outputs()),
        intermediates: list(operator.intermediates()),
        options,
        attributes,
        custom_options_byte_len: match operator.custom_options() {
            Some(options) => options.len() as u64,
            None => operator.large_custom_options_size(),
        },
    }
}

fn signature(signature: schema::SignatureDef<'_>) -> ListedSignature {
    let names = |map: Option<Vector<'_, flatbuffers::ForwardsUOffset<schema::TensorMap<'_>>>>| {
        map.into_iter().flatten().map(|it| (owned(it.name()), it.tensor_index())).collect()
    };
    ListedSignature {
        key: owned(signature.signature_key()),
        subgraph: signature.subgraph_index(),
        inputs: names(signature.inputs()),
        outputs: names(signature.outputs()),
    }
}
