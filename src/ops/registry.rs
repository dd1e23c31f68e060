//! Which operators there are: the table of contents.

use super::batch_matmul::BatchMatMul;
use super::binary::BinaryOperator;
use super::comparison::Comparison;
use super::concatenation::Concatenation;
use super::convolution::{Conv2d, DepthwiseConv2d};
use super::dequantize::Dequantize;
use super::embedding_lookup::EmbeddingLookup;
use super::fake_quant::FakeQuant;
use super::fully_connected::FullyConnected;
use super::gather::Gather;
use super::integer::{IntegerBinary, IntegerUnary};
use super::logic::Logic;
use super::padding::Pad;
use super::pooling::Pool2d;
use super::quantize::Quantize;
use super::reduction::Reduce;
use super::reshape::Reshape;
use super::select::Select;
use super::slice::Slice;
use super::softmax::Softmax;
use super::transpose::Transpose;
use super::unary::UnaryOperator;
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
    (Code::BITWISE_XOR, IntegerBinary::bitwise_xor),
    (Code::CONCATENATION, Concatenation::from_node),
    (Code::CONV_2D, Conv2d::from_node),
    (Code::DEPTHWISE_CONV_2D, DepthwiseConv2d::from_node),
    (Code::DEQUANTIZE, Dequantize::from_node),
    (Code::DIV, BinaryOperator::div),
    (Code::EMBEDDING_LOOKUP, EmbeddingLookup::from_node),
    (Code::EQUAL, Comparison::equal),
    (Code::EXP, UnaryOperator::exp),
    (Code::EXPAND_DIMS, Reshape::expand_dims),
    (Code::FAKE_QUANT, FakeQuant::from_node),
    (Code::FLOOR_DIV, IntegerBinary::floor_div),
    (Code::FLOOR_MOD, IntegerBinary::floor_mod),
    (Code::FULLY_CONNECTED, FullyConnected::from_node),
    (Code::GATHER, Gather::from_node),
    (Code::GELU, UnaryOperator::gelu),
    (Code::GREATER, Comparison::greater),
    (Code::GREATER_EQUAL, Comparison::greater_equal),
    (Code::HARD_SWISH, UnaryOperator::hard_swish),
    (Code::LEAKY_RELU, UnaryOperator::leaky_relu),
    (Code::LESS, Comparison::less),
    (Code::LESS_EQUAL, Comparison::less_equal),
    (Code::LOGICAL_AND, Logic::and),
    (Code::LOGICAL_NOT, Logic::not),
    (Code::LOGICAL_OR, Logic::or),
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
    (Code::POW, IntegerBinary::pow),
    (Code::QUANTIZE, Quantize::from_node),
    (Code::REDUCE_MAX, Reduce::max),
    (Code::REDUCE_MIN, Reduce::min),
    (Code::RELU, UnaryOperator::relu),
    (Code::RELU6, UnaryOperator::relu6),
    (Code::RELU_0_TO_1, UnaryOperator::relu_0_to_1),
    (Code::RELU_N1_TO_1, UnaryOperator::relu_n1_to_1),
    (Code::RESHAPE, Reshape::reshape),
    (Code::RIGHT_SHIFT, IntegerBinary::right_shift),
    (Code::RSQRT, UnaryOperator::rsqrt),
    (Code::SELECT, Select::rows),
    (Code::SELECT_V2, Select::broadcasting),
    (Code::SIGN, IntegerUnary::sign),
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
];

/// Every custom operator, by its name.
pub const CUSTOM: &[(&str, Constructor)] = &[];

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
    };
    let constructor =
        constructor.ok_or_else(|| Error::model(format!("{} is not supported", node.code)))?;
    constructor(node).map_err(|e| e.context(&node.code))
}
