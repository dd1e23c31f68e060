//! `PACK` and `UNPACK`: tensors of one shape stacked along a new axis, and taken apart again.
//!
//! Semantics: TFLite's `pack.cc` and `unpack.cc`, any element type of whole bytes.

use super::attributes::{attributes, axis_in, element_len};
use super::runs::{joined, part};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::TensorType;

pub(super) struct Pack {
    axis: i32,
    count: i32,
}

pub(super) struct Unpack {
    axis: i32,
    count: i32,
}

impl Pack {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, PackOptions);
        Ok(Box::new(Self { axis: options.axis, count: options.values_count }))
    }
}

impl Operator for Pack {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let first = &inputs.required(0)?.tensor_type;
        if usize::try_from(self.count) != Ok(inputs.len()) {
            let (count, n) = (self.count, inputs.len());
            return Err(Error::model(format!(
                "{count} tensors are to be stacked, but there are {n}"
            )));
        }
        for i in 1..inputs.len() {
            let next = &inputs.required(i)?.tensor_type;
            if next != first {
                return Err(Error::model(format!(
                    "input {i} is {next}, which cannot be stacked on {first}"
                )));
            }
        }
        let mut shape = first.shape.clone();
        shape.insert(axis_in(self.axis.into(), shape.len() + 1)?, inputs.len());
        Ok(vec![TensorType::new(first.dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let inputs = context.inputs;
        let first = &inputs.required(0)?.tensor_type;
        let element = element_len(first.dtype)?;
        if inputs.len() == 1 {
            return Ok(Prepared::alias(0));
        }
        let axis = axis_in(self.axis.into(), first.shape.len() + 1)?;
        let run = first.shape[axis..].iter().product::<usize>() * element;
        Ok(joined(vec![run; inputs.len()]))
    }
}

impl Unpack {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, UnpackOptions);
        Ok(Box::new(Self { axis: options.axis, count: options.num }))
    }
}

impl Operator for Unpack {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let input = &inputs.required(0)?.tensor_type;
        let axis = axis_in(self.axis.into(), input.shape.len())?;
        let mut shape = input.shape.clone();
        let count = shape.remove(axis);
        // The outputs are the model's, so that the number of types made here is bounded by its size.
        if usize::try_from(self.count) != Ok(count) || inputs.outputs.len() != count {
            return Err(Error::model(format!(
                "{input} does not come apart into {} tensors along axis {axis}, for {} outputs",
                self.count,
                inputs.outputs.len()
            )));
        }
        Ok(vec![TensorType::new(input.dtype, shape); count])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let input = &context.inputs.required(0)?.tensor_type;
        let element = element_len(input.dtype)?;
        let axis = axis_in(self.axis.into(), input.shape.len())?;
        let count = input.shape[axis];
        if count == 1 {
            return Ok(Prepared::alias(0));
        }
        let run = input.shape[axis + 1..].iter().product::<usize>() * element;
        let runs = vec![run; count];
        Ok(Prepared::eval(Observe::Scan, move |context| {
            part(0, &runs, context);
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT, PackOptionsT, UnpackOptionsT};

    #[test]
    fn what_does_not_stack() {
        for (axis, count, other) in [(0, 3, 2), (0, 2, 3), (2, 2, 2), (-3, 2, 2), (0, -2, 2)] {
            let options = PackOptionsT { axis, values_count: count };
            let options = BuiltinOptionsT::PackOptions(Box::new(options));
            let operands = [2, other].map(|n| Some(Operand::input(&[n], &vec![1.0; n])));
            run(BuiltinOperator::PACK, options, &operands).unwrap_err();
        }
    }

    #[test]
    fn what_does_not_come_apart() {
        for (axis, num) in [(0, 2), (0, 1), (1, 1), (2, 1), (-3, 1), (0, -1)] {
            let options = BuiltinOptionsT::UnpackOptions(Box::new(UnpackOptionsT { axis, num }));
            let operand = Some(Operand::input(&[2, 2], &[1.0; 4]));
            run(BuiltinOperator::UNPACK, options, &[operand]).unwrap_err();
        }
    }
}
