//! `SPLIT` and `SPLIT_V`: a tensor cut along an axis.
//!
//! `SPLIT` makes equal parts, `SPLIT_V` parts of the lengths in input 1, of which one may be -1: what is
//! left. Semantics: TFLite's `split.cc` and `split_v.cc`, any element type of whole bytes.

use super::attributes::{attributes, constant_axis, element_len};
use super::runs::part;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::TensorType;

pub(super) enum Split {
    /// The axis is input 0, the tensor is input 1.
    Even(i32),
    /// The tensor is input 0, the axis is input 2.
    Lengths(i32),
}

impl Split {
    pub(super) fn even(node: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Even(attributes!(node, SplitOptions).num_splits)))
    }

    pub(super) fn lengths(node: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Lengths(attributes!(node, SplitVOptions).num_splits)))
    }

    /// Position of the tensor among the inputs.
    fn source(&self) -> usize {
        match self {
            Self::Even(_) => 1,
            Self::Lengths(_) => 0,
        }
    }

    /// The axis and the lengths along it.
    fn parts(&self, inputs: &Inputs) -> Result<(usize, Vec<usize>)> {
        let shape = inputs.shape(self.source())?;
        let (at, count) = match self {
            Self::Even(count) => (0, count),
            Self::Lengths(count) => (2, count),
        };
        let axis = constant_axis(inputs, at, shape.len())?;
        let n = shape[axis];
        let outputs = inputs.outputs.len();
        let misfit = |lengths: &dyn std::fmt::Debug| {
            Error::model(format!(
                "{n} positions cannot be cut into {lengths:?}, for {outputs} outputs"
            ))
        };
        // The outputs are the model's, so that the number of parts made here is bounded by its size.
        let parts = usize::try_from(*count).ok().filter(|&parts| parts == outputs && parts > 0);
        let parts = parts.ok_or_else(|| misfit(count))?;
        let lengths = match self {
            Self::Even(_) => {
                if !n.is_multiple_of(parts) {
                    return Err(misfit(&parts));
                }
                vec![n / parts; parts]
            }
            Self::Lengths(_) => {
                let wanted = inputs.constant_indices(1)?;
                fill_in(n, &wanted).filter(|it| it.len() == parts).ok_or_else(|| misfit(&wanted))?
            }
        };
        Ok((axis, lengths))
    }
}

/// The wanted lengths with the -1 among them replaced by what is left of `n`.
fn fill_in(n: usize, wanted: &[i64]) -> Option<Vec<usize>> {
    let mut left = Some(n);
    for &length in wanted.iter().filter(|&&length| length != -1) {
        left = left?.checked_sub(usize::try_from(length).ok()?);
    }
    let left = left?;
    match wanted.iter().filter(|&&length| length == -1).count() {
        0 if left == 0 => {}
        1 => {}
        _ => return None,
    }
    Some(wanted.iter().map(|&length| usize::try_from(length).unwrap_or(left)).collect())
}

impl Operator for Split {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (axis, lengths) = self.parts(inputs)?;
        let input = &inputs.required(self.source())?.tensor_type;
        let of_length = |n| {
            let mut part = input.clone();
            part.shape[axis] = n;
            part
        };
        Ok(lengths.into_iter().map(of_length).collect())
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (axis, lengths) = self.parts(context.inputs)?;
        let source = self.source();
        let input = &context.inputs.required(source)?.tensor_type;
        let element = element_len(input.dtype)?;
        if lengths.len() == 1 {
            return Ok(Prepared::alias(source));
        }
        let inner = input.shape[axis + 1..].iter().product::<usize>() * element;
        let runs: Vec<usize> = lengths.into_iter().map(|n| n * inner).collect();
        Ok(Prepared::eval(Observe::Scan, move |context| {
            part(source, &runs, context);
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, SplitOptionsT};

    #[test]
    fn lengths_that_fit() {
        assert_eq!(fill_in(5, &[2, -1, 1]).unwrap(), [2, 2, 1]);
        assert_eq!(fill_in(3, &[3, 0]).unwrap(), [3, 0]);
        assert_eq!(fill_in(3, &[3, -1]).unwrap(), [3, 0]);
        for wanted in [&[2, 2][..], &[6, -1], &[-1, -1], &[-2, 7], &[i64::MAX, i64::MAX], &[]] {
            assert!(fill_in(5, wanted).is_none(), "{wanted:?}");
        }
    }

    #[test]
    fn what_cannot_be_cut() {
        for (axis, num_splits) in [(0, 1), (2, 1), (-3, 1), (0, 2), (0, 0), (0, -1)] {
            let axis = if num_splits == 1 && axis == 0 { vec![0, 1] } else { vec![axis] };
            let options = BuiltinOptionsT::SplitOptions(Box::new(SplitOptionsT { num_splits }));
            let operands = [
                Some(Operand::indices(&[axis.len()], &axis)),
                Some(Operand::input(&[3, 2], &[1.0; 6])),
            ];
            run(BuiltinOperator::SPLIT, options, &operands).unwrap_err();
        }
    }
}
