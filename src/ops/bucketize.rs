//! `BUCKETIZE`: how many of some boundaries are not above each element.
//!
//! Semantics: TFLite's `bucketize.cc` for float32, float64, int32 and int64; a NaN is above them all.

use bytemuck::Pod;

use super::attributes::attributes;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

pub(super) struct Bucketize {
    /// In ascending order.
    boundaries: Vec<f32>,
}

impl Bucketize {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let boundaries = attributes!(node, BucketizeOptions).boundaries.unwrap_or_default();
        if !boundaries.is_sorted() {
            return Err(Error::model("boundaries do not ascend"));
        }
        Ok(Box::new(Self { boundaries }))
    }
}

impl Operator for Bucketize {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let TensorType { dtype, shape } = &inputs.required(0)?.tensor_type;
        match dtype {
            DType::F32 | DType::F64 | DType::I32 | DType::I64 => {}
            other => return Err(Error::model(format!("{other} elements are not supported"))),
        }
        Ok(vec![TensorType::new(DType::I32, shape.clone())])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let boundaries = self.boundaries.clone();
        let dtype = context.inputs.required(0)?.tensor_type.dtype;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            match dtype {
                DType::F32 => count(context, &boundaries, |x: f32, b| x < b),
                DType::F64 => count(context, &boundaries, |x: f64, b| x < f64::from(b)),
                DType::I32 => count(context, &boundaries, |x: i32, b| (x as f32) < b),
                _ => count(context, &boundaries, |x: i64, b| (x as f32) < b),
            }
            Ok(())
        }))
    }
}

fn count<T: Pod>(
    context: &mut EvalContext<'_>,
    boundaries: &[f32],
    is_below: impl Fn(T, f32) -> bool,
) {
    let input = context.input::<T>(0);
    for (to, &x) in context.output::<i32>(0).iter_mut().zip(input) {
        *to = boundaries.partition_point(|&b| !is_below(x, b)) as i32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Operand, run_to};
    use crate::schema::{BucketizeOptionsT, BuiltinOperator};

    #[test]
    fn boundaries_ascend() {
        let options = BucketizeOptionsT { boundaries: Some(vec![1.0, 0.0]) };
        let options = BuiltinOptionsT::BucketizeOptions(Box::new(options));
        let operands = [Some(Operand::input(&[1], &[0.0]))];
        let error = run_to(DType::I32, BuiltinOperator::BUCKETIZE, options, &operands);
        assert!(error.unwrap_err().to_string().contains("do not ascend"));
    }
}
