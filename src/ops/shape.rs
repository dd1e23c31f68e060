//! Operators about shapes: `SHAPE`, `RANK`, `BROADCAST_ARGS`.
//!
//! Semantics: TFLite's kernels of these names.

use bytemuck::Pod;

use super::attributes::attributes;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{BuiltinOptionsT, TensorType as SchemaType};
use crate::tensor::{DType, TensorType};

/// The dimensions of the input.
pub(super) struct Shape {
    /// Unless the output's declaration says it.
    dtype: Option<DType>,
}

/// The number of dimensions of the input.
pub(super) struct Rank;

/// The shape to which two shapes are broadcast.
pub(super) struct BroadcastArgs;

impl Shape {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let dtype = match attributes!(node, ShapeOptions).out_type {
            SchemaType::INT32 => Some(DType::I32),
            SchemaType::INT64 => Some(DType::I64),
            _ => None,
        };
        Ok(Box::new(Self { dtype }))
    }
}

impl Operator for Shape {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let dtype = self.dtype.map_or_else(|| Ok(inputs.declared(0)?.dtype), Ok)?;
        let shape = inputs.shape(0)?;
        match dtype {
            DType::I64 => {}
            DType::I32 if shape.iter().all(|&n| i32::try_from(n).is_ok()) => {}
            other => {
                return Err(Error::model(format!("shape {shape:?} cannot be given as {other}")));
            }
        }
        Ok(vec![TensorType::new(dtype, [shape.len()])])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let shape = context.inputs.shape(0)?.to_vec();
        let is_long = context.outputs[0].dtype == DType::I64;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            if is_long {
                let output = context.output::<i64>(0);
                output.iter_mut().zip(&shape).for_each(|(to, &n)| *to = n as i64);
            } else {
                let output = context.output::<i32>(0);
                output.iter_mut().zip(&shape).for_each(|(to, &n)| *to = n as i32);
            }
            Ok(())
        }))
    }

    fn is_of_shapes(&self) -> bool {
        true
    }
}

impl Rank {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for Rank {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        inputs.required(0)?;
        Ok(vec![TensorType::new(DType::I32, [])])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let rank = context.inputs.shape(0)?.len() as i32;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            context.output::<i32>(0)[0] = rank;
            Ok(())
        }))
    }

    fn is_of_shapes(&self) -> bool {
        true
    }
}

impl BroadcastArgs {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for BroadcastArgs {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let dtype = inputs.required(0)?.tensor_type.dtype;
        if !matches!(dtype, DType::I32 | DType::I64) {
            return Err(Error::model(format!("{dtype} elements are no shape")));
        }
        inputs.expect_dtype(1, dtype)?;
        let [a] = inputs.shape_of_rank(0)?;
        let [b] = inputs.shape_of_rank(1)?;
        Ok(vec![TensorType::new(dtype, [a.max(b)])])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let is_long = context.outputs[0].dtype == DType::I64;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            if is_long { broadcast::<i64>(context) } else { broadcast::<i32>(context) }
        }))
    }
}

fn broadcast<T: Pod + Into<i64>>(context: &mut EvalContext<'_>) -> Result<()> {
    let (a, b) = (context.input::<T>(0), context.input::<T>(1));
    let (long, short) = if a.len() < b.len() { (b, a) } else { (a, b) };
    let output = context.output::<T>(0);
    output.copy_from_slice(long);
    let common = &mut output[long.len() - short.len()..];
    for (to, &n) in common.iter_mut().zip(short) {
        match ((*to).into(), n.into()) {
            (x, y) if x == y || y == 1 => {}
            (1, _) => *to = n,
            (x, y) => {
                return Err(Error::record(format!(
                    "lengths {x} and {y} of an axis cannot be broadcast to each other"
                )));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::ops::testing::{Operand, run_to};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};
    use crate::tensor::DType;

    #[test]
    fn shapes_that_do_not_broadcast() {
        let of = |a: &[i32], b: &[i32]| {
            let operands = [a, b].map(|it| Some(Operand::indices(&[it.len()], it).recorded()));
            let code = BuiltinOperator::BROADCAST_ARGS;
            run_to(DType::I32, code, BuiltinOptionsT::NONE, &operands)
        };
        assert_eq!(of(&[3, 1], &[5, 1, 4]).unwrap().as_slice::<i32>(), [5, 3, 4]);
        assert_eq!(of(&[2, 3], &[3, 3]).unwrap_err().kind(), ErrorKind::Record);
    }
}
