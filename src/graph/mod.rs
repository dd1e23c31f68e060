//! A model as plain data: what the reader makes of a file and the interpreter plans from.
#![forbid(unsafe_code)]

mod body;
mod constant;
mod inline;
mod sparse;

use std::fmt;

pub use body::Body;
pub use constant::{Constant, SharedBytes};
pub use inline::MOST_NESTED;

use crate::schema;
use crate::tensor::DType;

/// A model: functions over tensors.
#[derive(Clone, Debug)]
pub struct Model {
    /// Free text from whoever made the model.
    pub description: String,
    /// The functions; the first is the one that is run.
    pub subgraphs: Vec<Subgraph>,
}

/// One function. Every tensor position in it is valid.
#[derive(Clone, Debug)]
pub struct Subgraph {
    /// Its name; may be empty.
    pub name: String,
    /// All values: inputs, constants, results.
    pub tensors: Vec<Tensor>,
    /// Tensor positions of the inputs.
    pub inputs: Vec<usize>,
    /// Tensor positions of the outputs.
    pub outputs: Vec<usize>,
    /// The operators, in the file's order.
    pub nodes: Vec<Node>,
}

/// Where something is in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Position of its subgraph.
    pub subgraph: u32,
    /// Its position among the tensors, or the operators, of that subgraph.
    pub index: u32,
}

/// A value.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Where it is in the file.
    pub place: Place,
    /// Its name; need not be unique.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Dimensions, outermost first; `None` where known only at run time.
    pub shape: Vec<Option<usize>>,
    /// Whether `shape` says something: an empty shape is a scalar only then.
    pub has_rank: bool,
    /// The value of a constant.
    pub data: Option<Constant>,
    /// Whether it keeps its value from one record to the next.
    pub is_variable: bool,
    /// Scales, zero points and ranges, if the file has any.
    pub quantization: Option<Quantization>,
    /// How a sparse constant is laid out.
    pub sparsity: Option<schema::SparsityParametersT>,
}

/// Quantization parameters of a tensor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Quantization {
    /// One a slice along `axis`, or one for all.
    pub scale: Vec<f32>,
    /// As many as scales, or none.
    pub zero_point: Vec<i64>,
    /// The axis along which slices have scales of their own.
    pub axis: usize,
    /// Recorded minima.
    pub min: Vec<f32>,
    /// Recorded maxima.
    pub max: Vec<f32>,
    /// What scales and zero points do not say.
    pub details: QuantizationDetails,
}

/// Further details of a quantization, by which its values cannot be had from `scale` and `zero_point`
/// alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum QuantizationDetails {
    /// None.
    #[default]
    None,
    /// A scheme of someone's own, in this many bytes.
    Custom {
        /// Length of its description.
        byte_len: usize,
    },
    /// Microscaling: blocks along an axis with an exponent each.
    Mx {
        /// The axis.
        axis: i32,
    },
    /// Blocks along the last axis, with scales of their own.
    Blockwise {
        /// Position of the tensor of scales.
        scales: i32,
        /// Position of the tensor of zero points; 0 or negative if there is none.
        zero_points: i32,
        /// Elements in a block.
        block_size: i32,
    },
    /// A member of the union that the format does not have, by its number.
    Unknown(u8),
}

impl fmt::Display for QuantizationDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Custom { byte_len } => write!(f, "custom, {byte_len} bytes"),
            Self::Mx { axis } => write!(f, "mx, axis {axis}"),
            Self::Blockwise { scales, zero_points, block_size } => write!(
                f,
                "blockwise, scales {scales}, zero_points {zero_points}, block_size {block_size}"
            ),
            Self::Unknown(number) => write!(f, "unknown, number {number}"),
        }
    }
}

/// An operator with its operands.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it is in the file.
    pub place: Place,
    /// What it computes.
    pub code: OperatorCode,
    /// Version of the operator.
    pub version: i32,
    /// Tensor positions; `None` for an optional input that is left out.
    pub inputs: Vec<Option<usize>>,
    /// Tensor positions.
    pub outputs: Vec<usize>,
    /// Tensor positions of temporary results that quantization may need.
    pub intermediates: Vec<usize>,
    /// Attributes.
    pub options: schema::BuiltinOptionsT,
    /// Attributes of operators that came late to the schema.
    pub options_2: schema::BuiltinOptions2T,
    /// Attributes of a custom operator, in its own encoding.
    pub custom_options: Vec<u8>,
    /// The subgraph that computes the same, of a [`COMPOSITE`].
    pub decomposition: Option<i32>,
    /// What its subgraph of two numbers computes, if it has one that is known.
    pub body: Option<Body>,
}

/// What an operator computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorCode {
    /// An operator of the schema.
    Builtin(schema::BuiltinOperator),
    /// An operator by name.
    Custom(String),
    /// The value of the only input: how values enter and leave what was inlined.
    Identity,
}

/// Operators of TFLite that came after those that circle shares with it; the schema has no names for them.
const LATE: [(i32, &str); 4] = [
    (206, "STABLEHLO_COMPOSITE"),
    (207, "STABLEHLO_SHIFT_LEFT"),
    (208, "STABLEHLO_CBRT"),
    (209, "STABLEHLO_CASE"),
];

/// Several operators under one name, with a subgraph that says which.
pub const COMPOSITE: schema::BuiltinOperator = schema::BuiltinOperator(206);

impl Node {
    /// Whether it stands for a subgraph.
    pub fn is_composite(&self) -> bool {
        self.code == OperatorCode::Builtin(COMPOSITE)
    }

    /// What it is and where, for messages: `operator 3 ADD`, or `operator 3 ADD of subgraph 1`.
    pub fn title(&self) -> String {
        let Place { subgraph, index } = self.place;
        match subgraph {
            0 => format!("operator {index} {}", self.code),
            _ => format!("operator {index} {} of subgraph {subgraph}", self.code),
        }
    }
}

impl fmt::Display for OperatorCode {
    /// `CONV_2D`, `CUSTOM(name)`, or `BUILTIN(number)` for a number that the schema does not have.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(code) => match code.variant_name() {
                Some(name) => f.write_str(name),
                None => match LATE.iter().find(|(number, _)| *number == code.0) {
                    Some((_, name)) => f.write_str(name),
                    None => write!(f, "BUILTIN({})", code.0),
                },
            },
            Self::Custom(name) => write!(f, "CUSTOM({name})"),
            Self::Identity => f.write_str("IDENTITY"),
        }
    }
}
