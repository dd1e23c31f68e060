//! A tensor repeated along its axes: `TILE` and `BROADCAST_TO`.
//!
//! Input 1 says how often (`TILE`), or the shape (`BROADCAST_TO`). Semantics: TFLite's `tile.cc` and
//! `broadcast_to.cc`, any element type of whole bytes.

use super::attributes::element_len;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::TensorType;

#[derive(Clone, Copy)]
pub(super) enum Tile {
    Times,
    ToShape,
}

/// What becomes of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Axis {
    n: usize,
    times: usize,
}

impl Tile {
    pub(super) fn tile(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Times))
    }

    pub(super) fn broadcast_to(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::ToShape))
    }

    fn axes(self, inputs: &Inputs) -> Result<Vec<Axis>> {
        let shape = inputs.shape(0)?;
        let wanted = inputs.constant_indices(1)?;
        let misfit =
            || Error::model(format!("shape {shape:?} cannot be repeated to or by {wanted:?}"));
        let counts: Option<Vec<usize>> = wanted.iter().map(|&v| usize::try_from(v).ok()).collect();
        let counts = counts.ok_or_else(misfit)?;
        let missing = counts.len().checked_sub(shape.len()).ok_or_else(misfit)?;
        let axes = (0..counts.len()).zip(counts).map(|(i, count)| {
            let n = i.checked_sub(missing).map_or(1, |i| shape[i]);
            match self {
                Self::Times => (missing == 0).then_some(Axis { n, times: count }),
                Self::ToShape if n == count => Some(Axis { n, times: 1 }),
                Self::ToShape => (n == 1).then_some(Axis { n, times: count }),
            }
        });
        axes.collect::<Option<_>>().ok_or_else(misfit)
    }
}

impl Operator for Tile {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let length = |axis: Axis| axis.n.checked_mul(axis.times);
        let shape: Option<Vec<usize>> = self.axes(inputs)?.into_iter().map(length).collect();
        let shape = shape.ok_or_else(|| Error::model("a repeated axis is too long"))?;
        Ok(vec![TensorType::new(inputs.required(0)?.tensor_type.dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let axes = self.axes(context.inputs)?;
        element_len(context.inputs.required(0)?.tensor_type.dtype)?;
        if axes.iter().all(|axis| axis.times == 1) {
            return Ok(Prepared::alias(0));
        }
        let is_empty = axes.iter().any(|axis| axis.n * axis.times == 0);
        // Nothing is shown of the input if it is repeated zero times.
        let observe = if is_empty { Observe::Scan } else { Observe::SameAs(0) };
        // What follows the last repeated axis is copied as a whole.
        let outer = axes.iter().rposition(|axis| axis.times != 1).map_or(0, |last| last + 1);
        Ok(Prepared::eval(observe, move |context| {
            let from = context.input::<u8>(0);
            if !is_empty {
                repeat(&axes[..outer], from, context.output(0));
            }
            Ok(())
        }))
    }
}

/// Copies along the axes left, and then what was copied; nothing is empty.
fn repeat(axes: &[Axis], from: &[u8], to: &mut [u8]) {
    let Some((axis, inner)) = axes.split_first() else {
        to.copy_from_slice(from);
        return;
    };
    let mut done = to.len() / axis.times;
    let (from_len, to_len) = (from.len() / axis.n, done / axis.n);
    for (from, to) in from.chunks_exact(from_len).zip(to[..done].chunks_exact_mut(to_len)) {
        repeat(inner, from, to);
    }
    while done < to.len() {
        let more = done.min(to.len() - done);
        to.copy_within(..more, done);
        done += more;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    #[test]
    fn repetition() {
        let repeated = |axes: &[(usize, usize)]| {
            let axes: Vec<Axis> = axes.iter().map(|&(n, times)| Axis { n, times }).collect();
            let input: Vec<u8> = (0..axes.iter().map(|a| a.n).product::<usize>() as u8).collect();
            let mut output = vec![99; axes.iter().map(|a| a.n * a.times).product()];
            repeat(&axes, &input, &mut output);
            output
        };
        assert_eq!(repeated(&[]), [0]);
        assert_eq!(repeated(&[(2, 3)]), [0, 1, 0, 1, 0, 1]);
        assert_eq!(repeated(&[(2, 1), (1, 3)]), [0, 0, 0, 1, 1, 1]);
        assert_eq!(repeated(&[(1, 2), (2, 2)]), [0, 1, 0, 1, 0, 1, 0, 1]);
    }

    #[test]
    fn misfits_are_errors() {
        for wanted in [&[2][..], &[1, 1, 1], &[-1, 1], &[i32::MAX, i32::MAX]] {
            let operands = [
                Some(Operand::input(&[2, 3], &[1.0; 6])),
                Some(Operand::indices(&[wanted.len()], wanted)),
            ];
            run(BuiltinOperator::TILE, BuiltinOptionsT::NONE, &operands).unwrap_err();
        }
        for wanted in [&[3][..], &[3, 2], &[2, 1], &[2, 2, 6], &[-1, 3]] {
            let operands = [
                Some(Operand::input(&[2, 3], &[1.0; 6])),
                Some(Operand::indices(&[wanted.len()], wanted)),
            ];
            run(BuiltinOperator::BROADCAST_TO, BuiltinOptionsT::NONE, &operands).unwrap_err();
        }
    }
}
