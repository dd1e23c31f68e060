//! `REVERSE_V2`: a tensor with the order of positions turned around along the axes in input 1.
//!
//! Semantics: TFLite's `reverse.cc`, any element type of whole bytes, any axes.

use super::attributes::{axis_in, element_len};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::TensorType;

pub(super) struct Reverse;

/// Neighbouring axes that are all turned around, or none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    n: usize,
    is_reversed: bool,
}

impl Reverse {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

fn axes(inputs: &Inputs) -> Result<Vec<Axis>> {
    let shape = inputs.shape(0)?;
    let mut is_reversed = vec![false; shape.len()];
    for axis in inputs.constant_indices(1)? {
        let axis = axis_in(axis, shape.len())?;
        if is_reversed[axis] {
            return Err(Error::model(format!("axis {axis} is reversed twice")));
        }
        is_reversed[axis] = true;
    }
    let mut axes: Vec<Axis> = Vec::with_capacity(shape.len());
    for (&n, is_reversed) in shape.iter().zip(is_reversed) {
        match axes.last_mut() {
            _ if n == 1 => {}
            Some(last) if last.is_reversed == is_reversed => last.n *= n,
            _ => axes.push(Axis { n, is_reversed }),
        }
    }
    Ok(axes)
}

impl Operator for Reverse {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        axes(inputs)?;
        Ok(vec![inputs.required(0)?.tensor_type.clone()])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let mut axes = axes(context.inputs)?;
        let input = &context.inputs.required(0)?.tensor_type;
        let element = element_len(input.dtype)?;
        if axes.iter().all(|axis| !axis.is_reversed) || input.num_elements() == Some(0) {
            return Ok(Prepared::alias(0));
        }
        let run = match axes.pop_if(|axis| !axis.is_reversed) {
            Some(axis) => axis.n * element,
            None => element,
        };
        Ok(Prepared::eval(Observe::SameAs(0), move |context| {
            let from = context.input::<u8>(0);
            reverse(&axes, run, from, context.output(0));
            Ok(())
        }))
    }
}

/// Copies along the axes left; nothing is empty.
fn reverse(axes: &[Axis], run: usize, from: &[u8], to: &mut [u8]) {
    let Some((axis, inner)) = axes.split_first() else {
        to.copy_from_slice(from);
        return;
    };
    let len = from.len() / axis.n;
    let parts = from.chunks_exact(len);
    if !axis.is_reversed {
        parts.zip(to.chunks_exact_mut(len)).for_each(|(from, to)| reverse(inner, run, from, to));
    } else if inner.is_empty() {
        turn(run, from, to);
    } else {
        let parts = parts.rev().zip(to.chunks_exact_mut(len));
        parts.for_each(|(from, to)| reverse(inner, run, from, to));
    }
}

/// The last axis: runs of one length that the compiler knows, if they are elements.
fn turn(run: usize, from: &[u8], to: &mut [u8]) {
    fn elements<const N: usize>(from: &[u8], to: &mut [u8]) {
        let pairs = to.as_chunks_mut::<N>().0.iter_mut().zip(from.as_chunks::<N>().0.iter().rev());
        pairs.for_each(|(to, from)| *to = *from);
    }
    match run {
        1 => elements::<1>(from, to),
        2 => elements::<2>(from, to),
        4 => elements::<4>(from, to),
        8 => elements::<8>(from, to),
        _ => {
            let pairs = from.chunks_exact(run).rev().zip(to.chunks_exact_mut(run));
            pairs.for_each(|(from, to)| to.copy_from_slice(from));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    #[test]
    fn axes_that_are_none() {
        for axes in [&[2][..], &[-3], &[0, 0], &[1, -1]] {
            let operands = [
                Some(Operand::input(&[2, 3], &[1.0; 6])),
                Some(Operand::indices(&[axes.len()], axes)),
            ];
            run(BuiltinOperator::REVERSE_V2, BuiltinOptionsT::NONE, &operands).unwrap_err();
        }
    }
}
