//! Tensors that are made, not computed: `FILL`, `ZEROS_LIKE`, `RANGE`.
//!
//! Semantics: TFLite's kernels of these names; `FILL` and `ZEROS_LIKE` for any element type of whole
//! bytes.

use super::attributes::element_len;
use crate::error::{Error, Result};
use crate::graph::{Constant, Node};
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

/// A tensor of the shape in input 0, all of input 1.
pub(super) struct Fill;

/// Zeros, as many as elements of the input.
pub(super) struct ZerosLike;

/// From input 0 on to input 1, in steps of input 2.
pub(super) struct Range;

impl Fill {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for Fill {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let dims = inputs.constant_indices(0)?;
        let shape: Result<Vec<usize>, _> = dims.iter().map(|&n| usize::try_from(n)).collect();
        let shape = shape.map_err(|_| Error::model(format!("{dims:?} is not a shape")))?;
        let value = &inputs.required(1)?.tensor_type;
        if value.num_elements() != Some(1) {
            return Err(Error::model(format!("one value is needed to fill, not {value}")));
        }
        Ok(vec![TensorType::new(value.dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let element = element_len(context.outputs[0].dtype)?;
        let is_empty = context.outputs[0].num_elements() == Some(0);
        let observe = if is_empty { Observe::Scan } else { Observe::SameAs(1) };
        Ok(Prepared::eval(observe, move |context| {
            let value = context.input::<u8>(1);
            let output = context.output::<u8>(0);
            match *value {
                [byte] => output.fill(byte),
                _ => output.chunks_exact_mut(element).for_each(|to| to.copy_from_slice(value)),
            }
            Ok(())
        }))
    }
}

impl ZerosLike {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for ZerosLike {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Ok(vec![inputs.required(0)?.tensor_type.clone()])
    }

    fn prepare(&self, _: &PrepareContext<'_>) -> Result<Prepared> {
        Ok(Prepared::eval(Observe::Scan, |context| {
            context.output::<u8>(0).fill(0);
            Ok(())
        }))
    }

    fn is_of_shapes(&self) -> bool {
        true
    }
}

impl Range {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

/// The first value and the step.
enum Steps {
    Integers(i64, i64),
    Floats(f32, f32),
}

/// The only element of a constant as an integer.
fn integer(constant: &Constant, dtype: DType) -> Option<i64> {
    match dtype {
        DType::I32 => constant.as_slice::<i32>().first().map(|&v| v.into()),
        _ => constant.as_slice::<i64>().first().copied(),
    }
}

/// How many values there are, and which.
fn steps(inputs: &Inputs) -> Result<(usize, Steps)> {
    let dtype = inputs.required(0)?.tensor_type.dtype;
    if !matches!(dtype, DType::I32 | DType::I64 | DType::F32) {
        return Err(Error::model(format!("there are no ranges of {dtype}")));
    }
    let mut bounds = Vec::with_capacity(3);
    for i in 0..3 {
        inputs.expect_dtype(i, dtype)?;
        let bound = &inputs.required(i)?.tensor_type;
        if bound.num_elements() != Some(1) {
            return Err(Error::model(format!("input {i} is {bound}, but one value is needed")));
        }
        bounds.push(inputs.constant(i)?);
    }
    if dtype == DType::F32 {
        let [start, limit, step] = [0, 1, 2].map(|i| bounds[i].as_slice::<f32>()[0]);
        // The arithmetic is that of the definition, in float.
        let count = ((limit - start) / step).abs().ceil();
        let is_ahead = (start <= limit && step > 0.0) || (start >= limit && step < 0.0);
        // A count of 2^63 is more than any memory holds.
        if !is_ahead || !count.is_finite() || count >= 9.2e18 {
            return Err(Error::model(format!(
                "steps of {step} do not lead from {start} to {limit}"
            )));
        }
        return Ok((count as usize, Steps::Floats(start, step)));
    }
    let [start, limit, step] = [0, 1, 2].map(|i| integer(bounds[i], dtype).unwrap_or(0));
    if step == 0 || (step > 0 && start > limit) || (step < 0 && start < limit) {
        return Err(Error::model(format!("steps of {step} do not lead from {start} to {limit}")));
    }
    let count = limit.abs_diff(start).div_ceil(step.unsigned_abs());
    let count = usize::try_from(count).map_err(|_| Error::model("a range is too long"))?;
    Ok((count, Steps::Integers(start, step)))
}

impl Operator for Range {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (count, _) = steps(inputs)?;
        Ok(vec![TensorType::new(inputs.required(0)?.tensor_type.dtype, [count])])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (_, steps) = steps(context.inputs)?;
        let is_long = context.outputs[0].dtype == DType::I64;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            match steps {
                Steps::Floats(start, step) => {
                    let mut value = start;
                    for to in context.output::<f32>(0) {
                        *to = value;
                        value += step;
                    }
                }
                Steps::Integers(start, step) if is_long => {
                    let values = (0..).map(|i: i64| start.wrapping_add(step.wrapping_mul(i)));
                    let output = context.output::<i64>(0).iter_mut();
                    output.zip(values).for_each(|(to, value)| *to = value);
                }
                Steps::Integers(start, step) => {
                    let values = (0..).map(|i: i64| start.wrapping_add(step.wrapping_mul(i)));
                    let output = context.output::<i32>(0).iter_mut();
                    output.zip(values).for_each(|(to, value)| *to = value as i32);
                }
            }
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::ops::testing::{Operand, run, run_to};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    #[test]
    fn ranges_that_do_not_end() {
        let nan = f32::NAN;
        for bounds in [[0.0, 5.0, 0.0], [0.0, 5.0, -1.0], [0.0, nan, 1.0], [0.0, 1e38, 1e-38]] {
            let operands = bounds.map(|it| Some(Operand::input(&[], &[it])));
            let error = run(BuiltinOperator::RANGE, BuiltinOptionsT::NONE, &operands).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Record, "{error}");
        }
        for bounds in [[0, 5, 0], [5, 0, 1], [0, 5, -1]] {
            let operands = bounds.map(|it| Some(Operand::indices(&[], &[it])));
            let code = BuiltinOperator::RANGE;
            run_to(DType::I32, code, BuiltinOptionsT::NONE, &operands).unwrap_err();
        }
    }

    #[test]
    fn what_cannot_be_filled() {
        for (dims, values) in [(&[2, -1][..], 1), (&[2, 2], 2), (&[i32::MAX; 4], 1)] {
            let operands = [
                Some(Operand::indices(&[dims.len()], dims)),
                Some(Operand::input(&[values], &vec![1.0; values])),
            ];
            run(BuiltinOperator::FILL, BuiltinOptionsT::NONE, &operands).unwrap_err();
        }
    }
}
