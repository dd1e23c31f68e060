//! `ONE_HOT`: along a new axis one value at the position that an index names, and another one elsewhere.
//!
//! An index beyond the axis names none. Semantics: TFLite's `one_hot.cc`, any element type of whole bytes.

use super::attributes::{attributes, element_len};
use super::indices::{Indices, constant_count, index_type};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{TensorType, num_elements};

pub(super) struct OneHot {
    axis: i32,
}

impl OneHot {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self { axis: attributes!(node, OneHotOptions).axis }))
    }

    /// The new axis, among `rank` others.
    fn axis(&self, rank: usize) -> Result<usize> {
        let axis = if self.axis == -1 { Some(rank) } else { usize::try_from(self.axis).ok() };
        axis.filter(|&axis| axis <= rank)
            .ok_or_else(|| Error::model(format!("axis {} cannot follow {rank} axes", self.axis)))
    }
}

impl Operator for OneHot {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        index_type(inputs, 0)?;
        let dtype = inputs.required(2)?.tensor_type.dtype;
        inputs.expect_dtype(3, dtype)?;
        element_len(dtype)?;
        for i in [2, 3] {
            if num_elements(inputs.shape(i)?) != Some(1) {
                return Err(Error::model(format!("input {i} must be one value")));
            }
        }
        let mut shape = inputs.shape(0)?.to_vec();
        let axis = self.axis(shape.len())?;
        shape.insert(axis, constant_count(inputs, 1)?);
        Ok(vec![TensorType::new(dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let TensorType { dtype, shape } = &context.outputs[0];
        let (axis, len) = (self.axis(shape.len() - 1)?, element_len(*dtype)?);
        let inner: usize = num_elements(&shape[axis + 1..])
            .ok_or_else(|| Error::model(format!("shape {shape:?} is too large")))?;
        let (depth, index_type) = (shape[axis], index_type(context.inputs, 0)?);
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let indices = Indices::of(context, 0, index_type);
            let (on, off) = (context.input::<u8>(2), context.input::<u8>(3));
            let output = context.output::<u8>(0);
            output.chunks_exact_mut(len).for_each(|to| to.copy_from_slice(off));
            for (i, index) in indices.iter().enumerate() {
                if let Some(index) = usize::try_from(index).ok().filter(|&index| index < depth) {
                    let at = (i / inner * depth + index) * inner + i % inner;
                    output[at * len..][..len].copy_from_slice(on);
                }
            }
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, OneHotOptionsT};

    #[test]
    fn misfits_are_errors() {
        let one_hot = |axis, depth, on: &[usize]| {
            let operands = [
                Some(Operand::indices(&[2], &[0, 1]).recorded()),
                Some(Operand::indices(&[], &[depth])),
                Some(Operand::constant(on, &vec![1.0; on.iter().product()])),
                Some(Operand::constant(&[], &[0.0])),
            ];
            let options = BuiltinOptionsT::OneHotOptions(Box::new(OneHotOptionsT { axis }));
            run(BuiltinOperator::ONE_HOT, options, &operands)
        };
        assert!(one_hot(-1, 3, &[]).is_ok());
        for (axis, depth, on) in [(-2, 3, &[][..]), (2, 3, &[]), (0, -1, &[]), (0, 3, &[2])] {
            assert!(one_hot(axis, depth, on).is_err(), "{axis} {depth} {on:?}");
        }
    }
}
