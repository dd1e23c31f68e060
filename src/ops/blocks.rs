//! Blocks of neighbouring positions moved into channels or batches, and back: `SPACE_TO_DEPTH`,
//! `DEPTH_TO_SPACE`, `SPACE_TO_BATCH_ND`, `BATCH_TO_SPACE_ND`.
//!
//! Semantics: TFLite's kernels of these names, any element type of whole bytes; any number of spatial
//! axes.

use super::attributes::{attributes, element_len, zero_byte};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::transpose::{TransposePlan, transpose};
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{TensorType, num_elements};

/// Of images `[n, h, w, c]`.
pub(super) enum Depth {
    FromSpace(i32),
    ToSpace(i32),
}

impl Depth {
    pub(super) fn space_to_depth(node: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::FromSpace(attributes!(node, SpaceToDepthOptions).block_size)))
    }

    pub(super) fn depth_to_space(node: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::ToSpace(attributes!(node, DepthToSpaceOptions).block_size)))
    }

    /// The input's shape with axes for blocks, and the output's.
    fn shapes(&self, inputs: &Inputs) -> Result<([usize; 6], [usize; 4])> {
        let [n, h, w, c] = inputs.shape_of_rank(0)?;
        let (Self::FromSpace(size) | Self::ToSpace(size)) = *self;
        let misfit =
            || Error::model(format!("shape {:?} is not made of blocks of {size}", [n, h, w, c]));
        let block = usize::try_from(size).ok().filter(|&b| b > 0).ok_or_else(misfit)?;
        let area = block.checked_mul(block).ok_or_else(misfit)?;
        let times = |a: usize, b: usize| a.checked_mul(b).ok_or_else(misfit);
        let part = |n: usize, of: usize| {
            if n.is_multiple_of(of) { Ok(n / of) } else { Err(misfit()) }
        };
        Ok(match self {
            Self::FromSpace(_) => {
                let (h, w) = (part(h, block)?, part(w, block)?);
                ([n, h, block, w, block, c], [n, h, w, times(c, area)?])
            }
            Self::ToSpace(_) => {
                let c = part(c, area)?;
                ([n, h, w, block, block, c], [n, times(h, block)?, times(w, block)?, c])
            }
        })
    }
}

impl Operator for Depth {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (_, shape) = self.shapes(inputs)?;
        Ok(vec![TensorType::new(inputs.required(0)?.tensor_type.dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (shape, _) = self.shapes(context.inputs)?;
        let element = element_len(context.inputs.required(0)?.tensor_type.dtype)?;
        // To depth, rows within a block change places with columns of blocks; to space, the other way round.
        let plan = TransposePlan::new(&shape, &[0, 1, 3, 2, 4, 5], element);
        if plan.is_identity() {
            return Ok(Prepared::alias(0));
        }
        Ok(Prepared::eval(Observe::SameAs(0), move |context| {
            let (isa, input) = (context.isa(), context.input::<u8>(0));
            transpose(isa, &plan, input, context.output(0));
            Ok(())
        }))
    }
}

/// Of tensors `[n, space.., ..]`: input 1 is the block's size, input 2 `[axes, 2]` how much space is added,
/// or cut off, before and after.
pub(super) enum Batch {
    FromSpace,
    ToSpace,
}

/// A spatial axis.
#[derive(Clone, Copy)]
struct Axis {
    /// Positions in space.
    space: usize,
    /// Positions in every batch.
    batch: usize,
    block: usize,
    /// Positions of the first block that are not in space.
    before: usize,
}

impl Batch {
    pub(super) fn space_to_batch(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::FromSpace))
    }

    pub(super) fn batch_to_space(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::ToSpace))
    }

    /// The spatial axes, and the shape of the output.
    fn axes(&self, inputs: &Inputs) -> Result<(Vec<Axis>, Vec<usize>)> {
        let shape = inputs.shape(0)?;
        let (blocks, borders) = (inputs.constant_indices(1)?, inputs.constant_indices(2)?);
        let misfit = || {
            Error::model(format!(
                "shape {shape:?} has no blocks of {blocks:?} with borders of {borders:?}"
            ))
        };
        let count = blocks.len();
        if inputs.shape(1)? != [count] || inputs.shape(2)? != [count, 2] || count >= shape.len() {
            return Err(misfit());
        }
        let unsigned = |v: i64| usize::try_from(v).ok();
        let axis = |((&n, &block), border): ((&usize, &i64), &[i64])| {
            let block = unsigned(block).filter(|&block| block > 0)?;
            let (before, after) = (unsigned(border[0])?, unsigned(border[1])?);
            match self {
                Self::FromSpace => {
                    let padded = n.checked_add(before)?.checked_add(after)?;
                    let batch = padded.is_multiple_of(block).then_some(padded / block)?;
                    Some(Axis { space: n, batch, block, before })
                }
                Self::ToSpace => {
                    let all = n.checked_mul(block)?;
                    let space = all.checked_sub(before)?.checked_sub(after)?;
                    Some(Axis { space, batch: n, block, before })
                }
            }
        };
        let axes = shape[1..].iter().zip(&blocks).zip(borders.chunks_exact(2)).map(axis);
        let axes: Vec<Axis> = axes.collect::<Option<_>>().ok_or_else(misfit)?;
        let area: Vec<usize> = axes.iter().map(|axis| axis.block).collect();
        let area = num_elements(&area).ok_or_else(misfit)?;
        let mut result = shape.to_vec();
        result[0] = match self {
            Self::FromSpace => shape[0].checked_mul(area).ok_or_else(misfit)?,
            Self::ToSpace if shape[0].is_multiple_of(area) => shape[0] / area,
            Self::ToSpace => return Err(misfit()),
        };
        for (n, axis) in result[1..].iter_mut().zip(&axes) {
            *n = if matches!(self, Self::FromSpace) { axis.batch } else { axis.space };
        }
        Ok((axes, result))
    }
}

impl Operator for Batch {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (_, shape) = self.axes(inputs)?;
        Ok(vec![TensorType::new(inputs.required(0)?.tensor_type.dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (axes, _) = self.axes(context.inputs)?;
        let input = &context.inputs.required(0)?.tensor_type;
        let output = &context.outputs[0];
        let run =
            input.shape[1 + axes.len()..].iter().product::<usize>() * element_len(input.dtype)?;
        let batches = input.shape[0].min(output.shape[0]);
        let len = |shape: &[usize]| shape[1..=axes.len()].iter().product::<usize>() * run;
        let (from_len, to_len) = (len(&input.shape), len(&output.shape));
        let is_empty = output.num_elements() == Some(0);
        let is_whole =
            axes.iter().all(|axis| axis.before == 0 && axis.space == axis.batch * axis.block);
        if axes.iter().all(|axis| axis.block == 1) && is_whole {
            return Ok(Prepared::alias(0));
        }
        let observe = match self {
            _ if is_empty => Observe::Scan,
            _ if is_whole => Observe::SameAs(0),
            Self::FromSpace => Observe::WithZero(0),
            Self::ToSpace => Observe::Scan,
        };
        let border = zero_byte(context.inputs)?;
        let from_space = matches!(self, Self::FromSpace);
        Ok(Prepared::eval(observe, move |context| {
            let from = context.input::<u8>(0);
            let to = context.output::<u8>(0);
            if is_empty {
                return Ok(());
            }
            if from_space {
                for (i, to) in to.chunks_exact_mut(to_len).enumerate() {
                    let from = &from[i % batches * from_len..][..from_len];
                    gather(&axes, i / batches, border, from, to);
                }
            } else {
                for (i, from) in from.chunks_exact(from_len).enumerate() {
                    let to = &mut to[i % batches * to_len..][..to_len];
                    scatter(&axes, i / batches, from, to);
                }
            }
            Ok(())
        }))
    }
}

/// The offset in a block of the first axis left that has this number, and the number of the rest.
fn offset(axes: &[Axis], number: usize) -> (usize, usize) {
    let inner = axes[1..].iter().map(|axis| axis.block).product::<usize>();
    (number / inner, number % inner)
}

/// Fills a batch with the positions in space at this offset of every block.
fn gather(axes: &[Axis], number: usize, border: u8, from: &[u8], to: &mut [u8]) {
    let Some((axis, inner)) = axes.split_first() else {
        to.copy_from_slice(from);
        return;
    };
    let (at, rest) = offset(axes, number);
    let (from_len, to_len) = (from.len() / axis.space.max(1), to.len() / axis.batch);
    for (i, to) in to.chunks_exact_mut(to_len).enumerate() {
        match (i * axis.block + at).checked_sub(axis.before).filter(|&p| p < axis.space) {
            Some(p) => gather(inner, rest, border, &from[p * from_len..][..from_len], to),
            None => to.fill(border),
        }
    }
}

/// Puts a batch at this offset of every block in space.
fn scatter(axes: &[Axis], number: usize, from: &[u8], to: &mut [u8]) {
    let Some((axis, inner)) = axes.split_first() else {
        to.copy_from_slice(from);
        return;
    };
    let (at, rest) = offset(axes, number);
    let (from_len, to_len) = (from.len() / axis.batch, to.len() / axis.space);
    for (i, from) in from.chunks_exact(from_len).enumerate() {
        if let Some(p) = (i * axis.block + at).checked_sub(axis.before).filter(|&p| p < axis.space)
        {
            scatter(inner, rest, from, &mut to[p * to_len..][..to_len]);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT, SpaceToDepthOptionsT};

    #[test]
    fn what_is_not_made_of_blocks() {
        for (shape, block_size) in
            [(&[1, 4, 4, 1][..], 0), (&[1, 4, 4, 1], -2), (&[1, 4, 3, 1], 2), (&[4, 4, 1], 2)]
        {
            let options = SpaceToDepthOptionsT { block_size };
            let options = BuiltinOptionsT::SpaceToDepthOptions(Box::new(options));
            let operand = Some(Operand::input(shape, &vec![1.0; shape.iter().product()]));
            run(BuiltinOperator::SPACE_TO_DEPTH, options, &[operand]).unwrap_err();
        }
    }

    #[test]
    fn blocks_and_borders_that_do_not_fit() {
        let of = |code, n: usize, block: &[i32], borders: &[i32]| {
            let operands = [
                Some(Operand::input(&[n, 4, 1], &vec![1.0; n * 4])),
                Some(Operand::indices(&[block.len()], block)),
                Some(Operand::indices(&[borders.len() / 2, 2], borders)),
            ];
            run(code, BuiltinOptionsT::NONE, &operands).unwrap_err();
        };
        for (block, borders) in [
            (&[0][..], &[0, 0][..]),
            (&[-1], &[0, 0]),
            (&[3], &[0, 0]),
            (&[2], &[-1, 1]),
            (&[2], &[0, 0, 0, 0]),
            (&[2, 1, 1], &[0; 6]),
            (&[1], &[i32::MAX, i32::MAX]),
        ] {
            of(BuiltinOperator::SPACE_TO_BATCH_ND, 1, block, borders);
        }
        for (n, block, borders) in [(3, 2, [0, 0]), (2, 2, [5, 4]), (2, 2, [-1, 0]), (2, 0, [0, 0])]
        {
            of(BuiltinOperator::BATCH_TO_SPACE_ND, n, &[block], &borders);
        }
    }
}
