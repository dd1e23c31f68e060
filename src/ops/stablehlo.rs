//! Operators of StableHLO that are operators of TFLite with their operands in attributes.
//!
//! Semantics: the StableHLO specification.

use super::attributes::attributes_2;
use super::batch_matmul::BatchMatMul;
use super::binary::BinaryOperator;
use super::comparison::Comparison;
use super::concatenation::Concatenation;
use super::reshape::Reshape;
use super::slice::Slice;
use super::stablehlo_gather::{are_axes, list, others};
use super::stages::{Operand, Stage, Stages};
use super::tile::Tile;
use super::transpose::Transpose;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Operator};
use crate::schema::{
    BatchMatMulOptionsT, BuiltinOptions2T, BuiltinOptionsT, ConcatenationOptionsT,
    StablehloComparisonDirection as Direction, StablehloComparisonType,
};
use crate::tensor::num_elements;

/// The node with options of the operator of TFLite.
pub(super) fn with_options(node: &Node, options: BuiltinOptionsT) -> Node {
    Node { options, ..node.clone() }
}

pub(super) fn transpose(node: &Node) -> Result<Box<dyn Operator>> {
    let order = attributes_2!(node, StablehloTransposeOptions).permutation.unwrap_or_default();
    Stages::with_lists(Transpose::from_node(node)?, vec![order])
}

pub(super) fn slice(node: &Node) -> Result<Box<dyn Operator>> {
    let options = attributes_2!(node, StablehloSliceOptions);
    let start = options.start_indices.unwrap_or_default();
    let limit = options.limit_indices.unwrap_or_default();
    let strides = options.strides.unwrap_or_default();
    // Negative numbers do not count from the end here.
    if start.iter().chain(&limit).any(|&position| position < 0) || strides.iter().any(|&s| s < 1) {
        return Err(Error::model("a part has negative bounds"));
    }
    Stages::with_lists(Slice::strided(node)?, vec![start, limit, strides])
}

pub(super) fn concatenate(node: &Node) -> Result<Box<dyn Operator>> {
    let axis = attributes_2!(node, StablehloConcatenateOptions).dimension;
    let axis = i32::try_from(axis).map_err(|_| Error::model(format!("there is no axis {axis}")))?;
    let options = ConcatenationOptionsT { axis, ..ConcatenationOptionsT::default() };
    let options = BuiltinOptionsT::ConcatenationOptions(Box::new(options));
    Concatenation::from_node(&with_options(node, options))
}

pub(super) fn compare(node: &Node) -> Result<Box<dyn Operator>> {
    let options = attributes_2!(node, StablehloCompareOptions);
    let total = StablehloComparisonType::STABLEHLO_COMPARISON_TYPE_FLOAT_TOTAL_ORDER;
    if options.compare_type == total {
        return Err(Error::model("a total order of floats is not supported"));
    }
    match options.comparison_direction {
        Direction::STABLEHLO_COMPARISON_DIRECTION_EQ => Comparison::equal(node),
        Direction::STABLEHLO_COMPARISON_DIRECTION_NE => Comparison::not_equal(node),
        Direction::STABLEHLO_COMPARISON_DIRECTION_GE => Comparison::greater_equal(node),
        Direction::STABLEHLO_COMPARISON_DIRECTION_GT => Comparison::greater(node),
        Direction::STABLEHLO_COMPARISON_DIRECTION_LE => Comparison::less_equal(node),
        Direction::STABLEHLO_COMPARISON_DIRECTION_LT => Comparison::less(node),
        other => Err(Error::model(format!("direction {other:?} is not known"))),
    }
}

/// `min(max(x, low), high)`, of inputs `low`, `x`, `high`.
pub(super) fn clamp(node: &Node) -> Result<Box<dyn Operator>> {
    let node = with_options(node, BuiltinOptionsT::NONE);
    Stages::boxed(move |_| {
        let above = vec![Operand::Input(1), Operand::Input(0)];
        Ok(vec![
            Stage::new(BinaryOperator::maximum(&node)?, above),
            Stage::new(BinaryOperator::minimum(&node)?, vec![Operand::Last, Operand::Input(2)]),
        ])
    })
}

/// The declared shape of the output, as a list.
fn declared_shape(inputs: &Inputs) -> Result<Vec<i64>> {
    Ok(inputs.declared(0)?.tensor_type()?.shape.iter().map(|&d| d as i64).collect())
}

/// A stage that gives elements another shape.
pub(super) fn to_shape(node: &Node, from: Operand, shape: &[i64]) -> Result<Stage> {
    let node = with_options(node, BuiltinOptionsT::NONE);
    Ok(Stage::new(Reshape::reshape(&node)?, vec![from, Operand::list(shape)]))
}

/// A stage that puts axes in another order.
pub(super) fn turned(node: &Node, from: Operand, order: &[i64]) -> Result<Stage> {
    Ok(Stage::new(Transpose::from_node(node)?, vec![from, Operand::list(order)]))
}

pub(super) fn reshape(node: &Node) -> Result<Box<dyn Operator>> {
    let node = node.clone();
    Stages::boxed(move |inputs| {
        Ok(vec![to_shape(&node, Operand::Input(0), &declared_shape(inputs)?)?])
    })
}

pub(super) fn broadcast_in_dim(node: &Node) -> Result<Box<dyn Operator>> {
    let axes = list(attributes_2!(node, StablehloBroadcastInDimOptions).broadcast_dimensions)?;
    let node = with_options(node, BuiltinOptionsT::NONE);
    Stages::boxed(move |inputs| {
        let (from, to) = (inputs.shape(0)?, declared_shape(inputs)?);
        if axes.len() != from.len() || !are_axes(&axes, to.len()) || !axes.is_sorted() {
            let rank = to.len();
            return Err(Error::model(format!("{from:?} cannot lie along {axes:?} of {rank} axes")));
        }
        let mut sparse = vec![1; to.len()];
        axes.iter().zip(from).for_each(|(&axis, &n)| sparse[axis] = n as i64);
        Ok(vec![
            to_shape(&node, Operand::Input(0), &sparse)?,
            Stage::new(Tile::broadcast_to(&node)?, vec![Operand::Last, Operand::list(&to)]),
        ])
    })
}

/// Axes of an operand of a product.
struct Operands {
    batch: Vec<usize>,
    contracted: Vec<usize>,
    kept: Vec<usize>,
}

impl Operands {
    fn new(batch: &[usize], contracted: &[usize], rank: usize) -> Result<Self> {
        let named = [batch, contracted].concat();
        if !are_axes(&named, rank) {
            return Err(Error::model(format!("{named:?} are not axes of {rank} dimensions")));
        }
        let kept = others(&named, rank);
        Ok(Self { batch: batch.to_vec(), contracted: contracted.to_vec(), kept })
    }
}

/// Sums of products over some axes of both operands, for each position of others: products of matrices.
pub(super) fn dot_general(node: &Node) -> Result<Box<dyn Operator>> {
    let options = attributes_2!(node, StablehloDotGeneralOptions);
    let batch = [list(options.lhs_batching_dimensions)?, list(options.rhs_batching_dimensions)?];
    let contracted =
        [list(options.lhs_contracting_dimensions)?, list(options.rhs_contracting_dimensions)?];
    let node = node.clone();
    Stages::boxed(move |inputs| {
        let (left_shape, right_shape) = (inputs.shape(0)?, inputs.shape(1)?);
        let left = Operands::new(&batch[0], &contracted[0], left_shape.len())?;
        let right = Operands::new(&batch[1], &contracted[1], right_shape.len())?;
        let dims = |shape: &[usize], axes: &[usize]| -> Vec<usize> {
            axes.iter().map(|&axis| shape[axis]).collect()
        };
        let batches = dims(left_shape, &left.batch);
        if batches != dims(right_shape, &right.batch)
            || dims(left_shape, &left.contracted) != dims(right_shape, &right.contracted)
        {
            return Err(Error::model(format!(
                "axes of {left_shape:?} and {right_shape:?} that meet differ"
            )));
        }
        let (rows, columns) = (dims(left_shape, &left.kept), dims(right_shape, &right.kept));
        let len = |dims: &[usize]| {
            let len = num_elements(dims).ok_or_else(|| Error::model("a matrix is too large"));
            len.map(|len| len as i64)
        };
        let k = len(&dims(left_shape, &left.contracted))?;
        let (b, m, n) = (len(&batches)?, len(&rows)?, len(&columns)?);
        // The right matrix is taken as it lies, if that is one of the two ways in which it may.
        let plain = [&right.batch[..], &right.contracted, &right.kept].concat();
        let swapped = [&right.batch[..], &right.kept, &right.contracted].concat();
        let is_turned = !plain.is_sorted();
        let (right_order, right_matrix) =
            if is_turned { (swapped, [b, n, k]) } else { (plain, [b, k, n]) };
        let left_order = [&left.batch[..], &left.kept, &left.contracted].concat();
        let options =
            BatchMatMulOptionsT { adjoint_rhs: is_turned, ..BatchMatMulOptionsT::default() };
        let options = BuiltinOptionsT::BatchMatMulOptions(Box::new(options));
        let product = BatchMatMul::from_node(&with_options(&node, options))?;
        let order = |axes: &[usize]| axes.iter().map(|&axis| axis as i64).collect::<Vec<_>>();
        Ok(vec![
            turned(&node, Operand::Input(0), &order(&left_order))?,
            to_shape(&node, Operand::Last, &[b, m, k])?,
            turned(&node, Operand::Input(1), &order(&right_order))?,
            to_shape(&node, Operand::Last, &right_matrix)?,
            Stage::new(product, vec![Operand::Stage(1), Operand::Stage(3)]),
            to_shape(&node, Operand::Last, &order(&[batches, rows, columns].concat()))?,
        ])
    })
}
