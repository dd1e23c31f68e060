//! Which operators there are: the table of contents.

use super::add_n::AddN;
use super::arg_extreme::ArgExtreme;
use super::attention::Attention;
use super::audio::{AudioSpectrogram, Mfcc};
use super::batch_matmul::BatchMatMul;
use super::binary::BinaryOperator;
use super::blocks::{Batch, Depth};
use super::bucketize::Bucketize;
use super::cast::{Bitcast, Cast};
use super::comparison::Comparison;
use super::complex::Part;
use super::concatenation::Concatenation;
use super::convolution::{Conv2d, DepthwiseConv2d};
use super::cumsum::CumSum;
use super::dequantize::Dequantize;
use super::detection::Detection;
use super::dynamic_slice::DynamicSlice;
use super::edges::Edges;
use super::embedding_lookup::EmbeddingLookup;
use super::fake_quant::FakeQuant;
use super::fill::{Fill, Range, ZerosLike};
use super::fully_connected::FullyConnected;
use super::gather::Gather;
use super::gather_nd::GatherNd;
use super::hashtable_lookup::HashtableLookup;
use super::integer::IntegerBinary;
use super::iota::Iota;
use super::logic::Logic;
use super::lookup_sparse::LookupSparse;
use super::lsh_projection::LshProjection;
use super::matrix_diag::{MatrixDiag, MatrixSetDiag};
use super::nonzero::Nonzero;
use super::normalization::{InstanceNorm, L2Norm, LocalResponseNorm, RmsNorm};
use super::one_hot::OneHot;
use super::pack::{Pack, Unpack};
use super::padding::Pad;
use super::pooling::Pool2d;
use super::quantize::Quantize;
use super::random::bits::RandomBits;
use super::random::{Multinomial, Random};
use super::recurrent::{BidirectionalLstm, BidirectionalRnn, Gru, Lstm, Rnn, Svdf};
use super::reduction::Reduce;
use super::reshape::Reshape;
use super::resize::{Bilinear, NearestNeighbor};
use super::reverse::Reverse;
use super::reverse_sequence::ReverseSequence;
use super::rope::Rope;
use super::scatter::{ScatterNd, SparseToDense};
use super::segments::Segments;
use super::select::Select;
use super::shape::{BroadcastArgs, Rank, Shape};
use super::slice::Slice;
use super::softmax::Softmax;
use super::spectrum::Rfft2d;
use super::split::Split;
use super::stablehlo;
use super::stablehlo_convolution;
use super::stablehlo_elementwise::{CubeRoot, StablehloBinary};
use super::stablehlo_gather::StablehloGather;
use super::stablehlo_reduce::StablehloReduce;
use super::stablehlo_scatter::StablehloScatter;
use super::suppression::Suppression;
use super::tile::Tile;
use super::top_k::TopK;
use super::transpose::Transpose;
use super::transposed::{Conv3dTranspose, TransposeConv, TransposeConvBias};
use super::unary::UnaryOperator;
use super::unique::Unique;
use super::unpooling::{ArgmaxPool, Unpool};
use super::update_slice::UpdateSlice;
use super::volume::Conv3d;
use super::window_reduction::WindowReduction;
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
    (Code::ADD_N, AddN::from_node),
    (Code::ARG_MAX, ArgExtreme::max),
    (Code::ARG_MIN, ArgExtreme::min),
    (Code::ATAN2, BinaryOperator::atan2),
    (Code::ATTENTION, Attention::from_node),
    (Code::AVERAGE_POOL_2D, Pool2d::average),
    (Code::BATCH_MATMUL, BatchMatMul::from_node),
    (Code::BATCH_TO_SPACE_ND, Batch::batch_to_space),
    (Code::BIDIRECTIONAL_SEQUENCE_LSTM, BidirectionalLstm::from_node),
    (Code::BIDIRECTIONAL_SEQUENCE_RNN, BidirectionalRnn::from_node),
    (Code::BITCAST, Bitcast::from_node),
    (Code::BITWISE_XOR, IntegerBinary::bitwise_xor),
    (Code::BROADCAST_ARGS, BroadcastArgs::from_node),
    (Code::BROADCAST_TO, Tile::broadcast_to),
    (Code::BUCKETIZE, Bucketize::from_node),
    (Code::CAST, Cast::from_node),
    (Code::CEIL, UnaryOperator::ceil),
    (Code::COMPLEX_ABS, Part::abs),
    (Code::CONCATENATION, Concatenation::from_node),
    (Code::CONV_2D, Conv2d::from_node),
    (Code::CONV_3D, Conv3d::from_node),
    (Code::CONV_3D_TRANSPOSE, Conv3dTranspose::from_node),
    (Code::COS, UnaryOperator::cos),
    (Code::CUMSUM, CumSum::from_node),
    (Code::DENSIFY, Reshape::identity),
    (Code::DEPTHWISE_CONV_2D, DepthwiseConv2d::from_node),
    (Code::DEPTH_TO_SPACE, Depth::depth_to_space),
    (Code::DEQUANTIZE, Dequantize::from_node),
    (Code::DILATE, Edges::dilate),
    (Code::DIV, BinaryOperator::div),
    (Code::DYNAMIC_UPDATE_SLICE, UpdateSlice::from_node),
    (Code::ELU, UnaryOperator::elu),
    (Code::EMBEDDING_LOOKUP, EmbeddingLookup::from_node),
    (Code::EMBEDDING_LOOKUP_SPARSE, LookupSparse::from_node),
    (Code::EQUAL, Comparison::equal),
    (Code::EXP, UnaryOperator::exp),
    (Code::EXPAND_DIMS, Reshape::expand_dims),
    (Code::FAKE_QUANT, FakeQuant::from_node),
    (Code::FILL, Fill::from_node),
    (Code::FLOOR, UnaryOperator::floor),
    (Code::FLOOR_DIV, BinaryOperator::floor_div),
    (Code::FLOOR_MOD, BinaryOperator::floor_mod),
    (Code::FULLY_CONNECTED, FullyConnected::from_node),
    (Code::GATHER, Gather::from_node),
    (Code::GATHER_ND, GatherNd::from_node),
    (Code::GELU, UnaryOperator::gelu),
    (Code::GREATER, Comparison::greater),
    (Code::GREATER_EQUAL, Comparison::greater_equal),
    (Code::GRU, Gru::from_node),
    (Code::HARD_SWISH, UnaryOperator::hard_swish),
    (Code::HASHTABLE_LOOKUP, HashtableLookup::from_node),
    (Code::IMAG, Part::imag),
    (Code::INSTANCE_NORM, InstanceNorm::from_node),
    (Code::L2_NORMALIZATION, L2Norm::from_node),
    (Code::L2_POOL_2D, Pool2d::root_mean_square),
    (Code::LEAKY_RELU, UnaryOperator::leaky_relu),
    (Code::LESS, Comparison::less),
    (Code::LESS_EQUAL, Comparison::less_equal),
    (Code::LOCAL_RESPONSE_NORMALIZATION, LocalResponseNorm::from_node),
    (Code::LOG, UnaryOperator::log),
    (Code::LOGICAL_AND, Logic::and),
    (Code::LOGICAL_NOT, Logic::not),
    (Code::LOGICAL_OR, Logic::or),
    (Code::LOGISTIC, UnaryOperator::logistic),
    (Code::LOG_SOFTMAX, Softmax::logarithmic),
    (Code::LSH_PROJECTION, LshProjection::from_node),
    (Code::LSTM, Lstm::step),
    (Code::MATRIX_DIAG, MatrixDiag::from_node),
    (Code::MATRIX_SET_DIAG, MatrixSetDiag::from_node),
    (Code::MAXIMUM, BinaryOperator::maximum),
    (Code::MAX_POOL_2D, Pool2d::max),
    (Code::MEAN, Reduce::mean),
    (Code::MINIMUM, BinaryOperator::minimum),
    (Code::MIRROR_PAD, Pad::mirror_pad),
    (Code::MUL, BinaryOperator::mul),
    (Code::MULTINOMIAL, Multinomial::from_node),
    (Code::NEG, UnaryOperator::neg),
    (Code::NON_MAX_SUPPRESSION_V4, Suppression::hard),
    (Code::NON_MAX_SUPPRESSION_V5, Suppression::soft),
    (Code::NOT_EQUAL, Comparison::not_equal),
    (Code::ONE_HOT, OneHot::from_node),
    (Code::PACK, Pack::from_node),
    (Code::PAD, Pad::pad),
    (Code::PADV2, Pad::pad_v2),
    (Code::POW, BinaryOperator::pow),
    (Code::PRELU, BinaryOperator::prelu),
    (Code::QUANTIZE, Quantize::from_node),
    (Code::RANDOM_STANDARD_NORMAL, Random::normal),
    (Code::RANDOM_UNIFORM, Random::uniform),
    (Code::RANGE, Range::from_node),
    (Code::RANK, Rank::from_node),
    (Code::REAL, Part::real),
    (Code::REDUCE_ALL, Reduce::all),
    (Code::REDUCE_ANY, Reduce::any),
    (Code::REDUCE_MAX, Reduce::max),
    (Code::REDUCE_MIN, Reduce::min),
    (Code::REDUCE_PROD, Reduce::product),
    (Code::REDUCE_WINDOW, WindowReduction::plain),
    (Code::RELU, UnaryOperator::relu),
    (Code::RELU6, UnaryOperator::relu6),
    (Code::RELU_0_TO_1, UnaryOperator::relu_0_to_1),
    (Code::RELU_N1_TO_1, UnaryOperator::relu_n1_to_1),
    (Code::RESHAPE, Reshape::reshape),
    (Code::RESIZE_BILINEAR, Bilinear::from_node),
    (Code::RESIZE_NEAREST_NEIGHBOR, NearestNeighbor::from_node),
    (Code::REVERSE_SEQUENCE, ReverseSequence::from_node),
    (Code::REVERSE_V2, Reverse::from_node),
    (Code::RFFT2D, Rfft2d::from_node),
    (Code::RIGHT_SHIFT, IntegerBinary::right_shift),
    (Code::RMS_NORM, RmsNorm::from_node),
    (Code::RNN, Rnn::step),
    (Code::ROPE, Rope::from_node),
    (Code::ROUND, UnaryOperator::round),
    (Code::RSQRT, UnaryOperator::rsqrt),
    (Code::SCATTER_ND, ScatterNd::from_node),
    (Code::SEGMENT_SUM, Segments::sorted_sum),
    (Code::SELECT, Select::rows),
    (Code::SELECT_V2, Select::broadcasting),
    (Code::SHAPE, Shape::from_node),
    (Code::SIGN, UnaryOperator::sign),
    (Code::SIN, UnaryOperator::sin),
    (Code::SLICE, Slice::plain),
    (Code::SOFTMAX, Softmax::plain),
    (Code::SPACE_TO_BATCH_ND, Batch::space_to_batch),
    (Code::SPACE_TO_DEPTH, Depth::space_to_depth),
    (Code::SPARSE_TO_DENSE, SparseToDense::from_node),
    (Code::SPLIT, Split::even),
    (Code::SPLIT_V, Split::lengths),
    (Code::SQRT, UnaryOperator::sqrt),
    (Code::SQUARE, UnaryOperator::square),
    (Code::SQUARED_DIFFERENCE, BinaryOperator::squared_difference),
    (Code::SQUEEZE, Reshape::squeeze),
    (Code::STABLEHLO_ABS, UnaryOperator::abs),
    (Code::STABLEHLO_ADD, BinaryOperator::add),
    (Code::STABLEHLO_AND, StablehloBinary::and),
    (Code::STABLEHLO_BROADCAST_IN_DIM, stablehlo::broadcast_in_dim),
    (Code::STABLEHLO_CBRT, CubeRoot::from_node),
    (Code::STABLEHLO_CLAMP, stablehlo::clamp),
    (Code::STABLEHLO_COMPARE, stablehlo::compare),
    (Code::STABLEHLO_CONCATENATE, stablehlo::concatenate),
    (Code::STABLEHLO_CONVERT, Cast::from_node),
    (Code::STABLEHLO_CONVOLUTION, stablehlo_convolution::convolution),
    (Code::STABLEHLO_COSINE, UnaryOperator::cos),
    (Code::STABLEHLO_DIVIDE, BinaryOperator::div),
    (Code::STABLEHLO_DOT_GENERAL, stablehlo::dot_general),
    (Code::STABLEHLO_DYNAMIC_SLICE, DynamicSlice::from_node),
    (Code::STABLEHLO_DYNAMIC_UPDATE_SLICE, UpdateSlice::stablehlo),
    (Code::STABLEHLO_EXPONENTIAL, UnaryOperator::exp),
    (Code::STABLEHLO_FLOOR, UnaryOperator::floor),
    (Code::STABLEHLO_GATHER, StablehloGather::from_node),
    (Code::STABLEHLO_IOTA, Iota::from_node),
    (Code::STABLEHLO_LOG, UnaryOperator::log),
    (Code::STABLEHLO_LOGISTIC, UnaryOperator::logistic),
    (Code::STABLEHLO_MAXIMUM, BinaryOperator::maximum),
    (Code::STABLEHLO_MINIMUM, BinaryOperator::minimum),
    (Code::STABLEHLO_MULTIPLY, BinaryOperator::mul),
    (Code::STABLEHLO_NEGATE, UnaryOperator::neg),
    (Code::STABLEHLO_OR, StablehloBinary::or),
    (Code::STABLEHLO_PAD, Edges::pad),
    (Code::STABLEHLO_POWER, BinaryOperator::pow),
    (Code::STABLEHLO_REDUCE, StablehloReduce::from_node),
    (Code::STABLEHLO_REDUCE_WINDOW, WindowReduction::stablehlo),
    (Code::STABLEHLO_REMAINDER, StablehloBinary::remainder),
    (Code::STABLEHLO_RESHAPE, stablehlo::reshape),
    (Code::STABLEHLO_RNG_BIT_GENERATOR, RandomBits::from_node),
    (Code::STABLEHLO_RSQRT, UnaryOperator::rsqrt),
    (Code::STABLEHLO_SCATTER, StablehloScatter::from_node),
    (Code::STABLEHLO_SELECT, Select::broadcasting),
    (Code::STABLEHLO_SHIFT_LEFT, StablehloBinary::shift_left),
    (Code::STABLEHLO_SLICE, stablehlo::slice),
    (Code::STABLEHLO_SUBTRACT, BinaryOperator::sub),
    (Code::STABLEHLO_TANH, UnaryOperator::tanh),
    (Code::STABLEHLO_TRANSPOSE, stablehlo::transpose),
    (Code::STRIDED_SLICE, Slice::strided),
    (Code::SUB, BinaryOperator::sub),
    (Code::SUM, Reduce::sum),
    (Code::SVDF, Svdf::from_node),
    (Code::TANH, UnaryOperator::tanh),
    (Code::TILE, Tile::tile),
    (Code::TOPK_V2, TopK::from_node),
    (Code::TRANSPOSE, Transpose::from_node),
    (Code::TRANSPOSE_CONV, TransposeConv::from_node),
    (Code::UNIDIRECTIONAL_SEQUENCE_LSTM, Lstm::sequence),
    (Code::UNIDIRECTIONAL_SEQUENCE_RNN, Rnn::sequence),
    (Code::UNIQUE, Unique::from_node),
    (Code::UNPACK, Unpack::from_node),
    (Code::UNSORTED_SEGMENT_MAX, Segments::max),
    (Code::UNSORTED_SEGMENT_MIN, Segments::min),
    (Code::UNSORTED_SEGMENT_PROD, Segments::product),
    (Code::UNSORTED_SEGMENT_SUM, Segments::sum),
    (Code::WHERE, Nonzero::from_node),
    (Code::ZEROS_LIKE, ZerosLike::from_node),
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
