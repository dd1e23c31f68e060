//! `TRANSPOSE`: axis `i` of the output is axis `permutation[i]` of the input.
//!
//! Input 1 is the permutation. Semantics: TFLite's `transpose.cc`, any element type of whole bytes.

use super::attributes::{axis_in, element_len};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::transpose::{TransposePlan, transpose};
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::TensorType;

pub(super) struct Transpose;

impl Transpose {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

/// The axes of input 0 in the order of the output.
fn permutation(inputs: &Inputs) -> Result<Vec<usize>> {
    let rank = inputs.shape(0)?.len();
    let wanted = inputs.constant_indices(1)?;
    let misfit = || {
        Error::model(format!(
            "{wanted:?} is not an order of the axes of an input of {rank} dimensions"
        ))
    };
    let mut permutation = Vec::with_capacity(rank);
    for &axis in &wanted {
        let axis = axis_in(axis, rank).map_err(|_| misfit())?;
        if permutation.contains(&axis) {
            return Err(misfit());
        }
        permutation.push(axis);
    }
    if permutation.len() == rank { Ok(permutation) } else { Err(misfit()) }
}

impl Operator for Transpose {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let input = &inputs.required(0)?.tensor_type;
        let shape: Vec<usize> = permutation(inputs)?.iter().map(|&i| input.shape[i]).collect();
        Ok(vec![TensorType::new(input.dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let input = &context.inputs.required(0)?.tensor_type;
        let element = element_len(input.dtype)?;
        let plan = TransposePlan::new(&input.shape, &permutation(context.inputs)?, element);
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

#[cfg(test)]
mod tests {
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    #[test]
    fn orders_that_are_none() {
        for axes in [&[0][..], &[0, 0], &[0, 2], &[-3, 0], &[0, 1, 2]] {
            let operands = [
                Some(Operand::input(&[2, 3], &[1.0; 6])),
                Some(Operand::indices(&[axes.len()], axes)),
            ];
            let code = BuiltinOperator::TRANSPOSE;
            let error = run(code, BuiltinOptionsT::NONE, &operands).unwrap_err();
            assert!(error.to_string().contains("is not an order of the axes"), "{error}");
        }
    }
}
