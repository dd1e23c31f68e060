//! Which operators there are: the table of contents.

use super::audio::{AudioSpectrogram, Mfcc};
use super::batch_matmul::BatchMatMul;
use super::binary::BinaryOperator;
use super::comparison::Comparison;
use super::complex::Part;
use super::concatenation::Concatenation;
use super::convolution::{Conv2d, DepthwiseConv2d};
use super::dequantize::Dequantize;
use super::detection::Detection;
use super::fully_connected::FullyConnected;
use super::gather::Gather;
use super::padding::Pad;
use super::pooling::Pool2d;
use super::reduction::Reduce;
use super::reshape::Reshape;
use super::rope::Rope;
use super::select::Select;
use super::slice::Slice;
use super::softmax::Softmax;
use super::spectrum::Rfft2d;
use super::transpose::Transpose;
use super::transposed::{Conv3dTranspose, TransposeConv, TransposeConvBias};
use super::unary::UnaryOperator;
use super::unpooling::{ArgmaxPool, Unpool};
use super::volume::Conv3d;
use crate::error::{Error, Result};
use crate::graph::{Node, OperatorCode};
use crate::operator::Operator;
use crate::schema::BuiltinOperator as Code;

/// Makes an operator from a node's attributes.
type Constructor = fn(&Node) -> Result<Box<dyn Operator>>;

/// Every builtin operator, by its schema name.
pub const BUILTIN: &[(Code, Constructor)] = &[
    (Code::ABS, UnaryOperator::abs),
    (Code::ADD, BinaryOperator::add),
    (Code::AVERAGE_POOL_2D, Pool2d::average),
    (Code::BATCH_MATMUL, BatchMatMul::from_node),
    (Code::COMPLEX_ABS, Part::abs),
    (Code::CONCATENATION, Concatenation::from_node),
    (Code::CONV_2D, Conv2d::from_node),
    (Code::CONV_3D, Conv3d::from_node),
    (Code::CONV_3D_TRANSPOSE, Conv3dTranspose::from_node),
    (Code::DEPTHWISE_CONV_2D, DepthwiseConv2d::from_node),
    (Code::DEQUANTIZE, Dequantize::from_node),
    (Code::DIV, BinaryOperator::div),
    (Code::EMBEDDING_LOOKUP, Gather::embedding_lookup),
    (Code::EQUAL, Comparison::equal),
    (Code::EXP, UnaryOperator::exp),
    (Code::EXPAND_DIMS, Reshape::expand_dims),
    (Code::FULLY_CONNECTED, FullyConnected::from_node),
    (Code::GATHER, Gather::from_node),
    (Code::GELU, UnaryOperator::gelu),
    (Code::GREATER, Comparison::greater),
    (Code::GREATER_EQUAL, Comparison::greater_equal),
    (Code::HARD_SWISH, UnaryOperator::hard_swish),
    (Code::IMAG, Part::imag),
    (Code::LEAKY_RELU, UnaryOperator::leaky_relu),
    (Code::LESS, Comparison::less),
    (Code::LESS_EQUAL, Comparison::less_equal),
    (Code::LOGISTIC, UnaryOperator::logistic),
    (Code::MAXIMUM, BinaryOperator::maximum),
    (Code::MAX_POOL_2D, Pool2d::max),
    (Code::MEAN, Reduce::mean),
    (Code::MINIMUM, BinaryOperator::minimum),
    (Code::MIRROR_PAD, Pad::mirror_pad),
    (Code::MUL, BinaryOperator::mul),
    (Code::NEG, UnaryOperator::neg),
    (Code::NOT_EQUAL, Comparison::not_equal),
    (Code::PAD, Pad::pad),
    (Code::PADV2, Pad::pad_v2),
    (Code::REAL, Part::real),
    (Code::REDUCE_MAX, Reduce::max),
    (Code::REDUCE_MIN, Reduce::min),
    (Code::RELU, UnaryOperator::relu),
    (Code::RELU6, UnaryOperator::relu6),
    (Code::RELU_0_TO_1, UnaryOperator::relu_0_to_1),
    (Code::RELU_N1_TO_1, UnaryOperator::relu_n1_to_1),
    (Code::RESHAPE, Reshape::reshape),
    (Code::RFFT2D, Rfft2d::from_node),
    (Code::ROPE, Rope::from_node),
    (Code::RSQRT, UnaryOperator::rsqrt),
    (Code::SELECT, Select::rows),
    (Code::SELECT_V2, Select::broadcasting),
    (Code::SLICE, Slice::plain),
    (Code::SOFTMAX, Softmax::from_node),
    (Code::SQRT, UnaryOperator::sqrt),
    (Code::SQUARE, UnaryOperator::square),
    (Code::SQUARED_DIFFERENCE, BinaryOperator::squared_difference),
    (Code::SQUEEZE, Reshape::squeeze),
    (Code::STRIDED_SLICE, Slice::strided),
    (Code::SUB, BinaryOperator::sub),
    (Code::SUM, Reduce::sum),
    (Code::TANH, UnaryOperator::tanh),
    (Code::TRANSPOSE, Transpose::from_node),
    (Code::TRANSPOSE_CONV, TransposeConv::from_node),
];

/// Every custom operator, by its name.
pub const CUSTOM: &[(&str, Constructor)] = &[
    ("AudioSpectrogram", AudioSpectrogram::from_node),
    ("Convolution2DTransposeBias", TransposeConvBias::from_node),
    ("MaxPoolingWithArgmax2D", ArgmaxPool::from_node),
    ("MaxUnpooling2D", Unpool::from_node),
    ("Mfcc", Mfcc::from_node),
    ("TFLite_Detection_PostProcess", Detection::from_node),
];

/// Why an operator that models may have is not among these.
fn why_not(code: &OperatorCode) -> Option<&'static str> {
    match code {
        OperatorCode::Builtin(Code::RUN_MODEL) => {
            Some("it runs another model file; record that model by itself")
        }
        OperatorCode::Builtin(Code::BCQ_FULLY_CONNECTED | Code::BCQ_GATHER) => {
            Some("how its binary codes are to be read is not published")
        }
        OperatorCode::Builtin(Code::ATTENTION) => {
            Some("what it computes is not settled; use a model without fused attention")
        }
        OperatorCode::Custom(name) if name.starts_with("Flex") => Some(
            "it is an operator of TensorFlow; convert the model with TensorFlow Lite's builtin operators only",
        ),
        _ => None,
    }
}

/// The operator of a node.
///
/// # Errors
/// If it is not supported, or its attributes are not: the message is `NAME: why`.
pub fn operator(node: &Node) -> Result<Box<dyn Operator>> {
    let constructor = match &node.code {
        OperatorCode::Builtin(code) => {
            BUILTIN.iter().find(|(known, _)| known == code).map(|(_, constructor)| constructor)
        }
        OperatorCode::Custom(name) => {
            CUSTOM.iter().find(|(known, _)| known == name).map(|(_, constructor)| constructor)
        }
        OperatorCode::Identity => Some(&(Reshape::identity as Constructor)),
    };
    let constructor = constructor.ok_or_else(|| {
        let reason = why_not(&node.code).map(|why| format!(": {why}")).unwrap_or_default();
        Error::model(format!("{} is not supported{reason}", node.code))
    })?;
    constructor(node).map_err(|e| e.context(&node.code))
}
