//! `WHERE`: the positions of the elements that are not zero, one a row; how many there are depends on the
//! value.
//!
//! Semantics: TFLite's `where.cc`: a NaN is not zero.

use bytemuck::Pod;

use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

pub(super) struct Nonzero;

impl Nonzero {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for Nonzero {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let TensorType { dtype, shape } = &inputs.required(0)?.tensor_type;
        if shape.is_empty() {
            return Err(Error::model("a scalar has no positions"));
        }
        let value = inputs.constant(0);
        let count = match dtype {
            DType::Bool | DType::I8 | DType::U8 => count::<u8>(value?.as_slice()),
            DType::I16 => count::<u16>(value?.as_slice()),
            DType::I32 | DType::U32 => count::<u32>(value?.as_slice()),
            DType::I64 => count::<u64>(value?.as_slice()),
            DType::F32 => count::<f32>(value?.as_slice()),
            other => return Err(Error::model(format!("{other} elements are not supported"))),
        };
        Ok(vec![TensorType::new(DType::I64, [count, shape.len()])])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let TensorType { dtype, shape } = context.inputs.required(0)?.tensor_type.clone();
        Ok(Prepared::eval(Observe::Scan, move |context| {
            match dtype {
                DType::I16 => list::<u16>(&shape, context),
                DType::I32 | DType::U32 => list::<u32>(&shape, context),
                DType::I64 => list::<u64>(&shape, context),
                DType::F32 => list::<f32>(&shape, context),
                _ => list::<u8>(&shape, context),
            }
            Ok(())
        }))
    }
}

fn count<T: Pod + PartialEq>(values: &[T]) -> usize {
    values.iter().filter(|&&x| x != T::zeroed()).count()
}

fn list<T: Pod + PartialEq>(shape: &[usize], context: &mut EvalContext<'_>) {
    let input = context.input::<T>(0);
    let rows = context.output::<i64>(0).chunks_exact_mut(shape.len());
    let found = input.iter().enumerate().filter(|(_, x)| **x != T::zeroed());
    for (to, (mut at, _)) in rows.zip(found) {
        for (to, n) in to.iter_mut().zip(shape).rev() {
            *to = (at % n) as i64;
            at /= n;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    #[test]
    fn a_scalar_has_no_positions() {
        let operands = [Some(Operand::constant(&[], &[1.0]))];
        assert!(run(BuiltinOperator::WHERE, BuiltinOptionsT::NONE, &operands).is_err());
    }
}
