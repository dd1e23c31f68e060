//! `TOPK_V2`: the largest elements of each row, in order, and where they were.
//!
//! Semantics: TFLite's `topk_v2.cc`: of equal elements the first comes first; NaN is below all numbers.

use bytemuck::Pod;

use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType, num_elements};

pub(super) struct TopK;

impl TopK {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

/// How many elements are wanted of each row.
fn count(inputs: &Inputs) -> Result<usize> {
    let constant = inputs.constant(1)?;
    let values = match inputs.required(1)?.tensor_type.dtype {
        DType::I16 => constant.as_slice::<i16>().iter().map(|&v| v.into()).collect(),
        _ => inputs.constant_indices(1)?,
    };
    match values[..] {
        [count] => Ok(usize::try_from(count).unwrap_or(0)),
        _ => Err(Error::model(format!("input 1 has {} elements, not one", values.len()))),
    }
}

impl Operator for TopK {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let TensorType { dtype, shape } = &inputs.required(0)?.tensor_type;
        let small = [DType::I8, DType::U8, DType::I16];
        let wide = [DType::F32, DType::I32, DType::U32, DType::I64];
        if !(small.contains(dtype) || wide.contains(dtype)) {
            return Err(Error::model(format!("{dtype} elements are not supported")));
        }
        let positions = inputs.declared(1)?.dtype;
        if !matches!(positions, DType::I16 | DType::I32) {
            return Err(Error::model(format!("positions cannot be {positions}")));
        }
        let (k, mut shape) = (count(inputs)?, shape.clone());
        match shape.last_mut() {
            Some(n) if k <= *n && u32::try_from(*n).is_ok() => *n = k,
            _ => return Err(Error::model(format!("rows of {shape:?} do not have {k} elements"))),
        }
        Ok(vec![TensorType::new(*dtype, shape.clone()), TensorType::new(positions, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let TensorType { dtype, shape } = &context.inputs.required(0)?.tensor_type;
        let (n, k) = (shape.last().copied().unwrap_or(0), count(context.inputs)?);
        let scratch = num_elements(&context.outputs[0].shape)
            .and_then(|results| results.checked_add(n)?.checked_mul(size_of::<u32>()))
            .ok_or_else(|| Error::model(format!("shape {shape:?} is too large")))?;
        let (dtype, positions) = (*dtype, context.outputs[1].dtype);
        let prepared = Prepared::eval(Observe::Scan, move |context| {
            if n == 0 || k == 0 {
                return Ok(());
            }
            match dtype {
                DType::F32 => largest::<f32>(n, k, context),
                DType::I8 => largest::<i8>(n, k, context),
                DType::U8 => largest::<u8>(n, k, context),
                DType::I16 => largest::<i16>(n, k, context),
                DType::I32 => largest::<i32>(n, k, context),
                DType::U32 => largest::<u32>(n, k, context),
                _ => largest::<i64>(n, k, context),
            }
            let scratch: &[u32] = bytemuck::cast_slice(&context.scratch[n * size_of::<u32>()..]);
            if positions == DType::I16 {
                let to = bytemuck::cast_slice_mut::<u8, i16>(context.outputs[1]);
                to.iter_mut().zip(scratch).for_each(|(to, &at)| *to = at as i16);
            } else {
                let to = bytemuck::cast_slice_mut::<u8, i32>(context.outputs[1]);
                to.iter_mut().zip(scratch).for_each(|(to, &at)| *to = at as i32);
            }
            Ok(())
        });
        Ok(prepared.with_scratch(scratch))
    }
}

/// Writes the largest elements, and their positions to scratch memory, behind room for a row's.
fn largest<T: Pod + PartialOrd>(n: usize, k: usize, context: &mut EvalContext<'_>) {
    let input = context.input::<T>(0);
    let (output, scratch) = context.output_and_scratch::<T>();
    let (row_positions, found) = bytemuck::cast_slice_mut::<u8, u32>(scratch).split_at_mut(n);
    let rows = input.chunks_exact(n).zip(output.chunks_exact_mut(k));
    for ((from, to), found) in rows.zip(found.chunks_exact_mut(k)) {
        row_positions.iter_mut().zip(0..).for_each(|(to, at)| *to = at);
        let order = |&a: &u32, &b: &u32| {
            let (x, y) = (from[a as usize], from[b as usize]);
            let is_nan = |v: T| v.partial_cmp(&v).is_none();
            let order = y.partial_cmp(&x).unwrap_or_else(|| is_nan(x).cmp(&is_nan(y)));
            order.then(a.cmp(&b))
        };
        if k < n {
            row_positions.select_nth_unstable_by(k - 1, order);
        }
        row_positions[..k].sort_unstable_by(order);
        found.copy_from_slice(&row_positions[..k]);
        to.iter_mut().zip(&*found).for_each(|(to, &at)| *to = from[at as usize]);
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    #[test]
    fn more_than_a_row_has_is_an_error() {
        for (shape, k) in [(&[2, 3][..], 4), (&[], 1)] {
            let values = Operand::input(shape, &vec![0.0; shape.iter().product()]);
            let operands = [Some(values), Some(Operand::indices(&[], &[k]))];
            assert!(run(BuiltinOperator::TOPK_V2, BuiltinOptionsT::NONE, &operands).is_err());
        }
    }
}
