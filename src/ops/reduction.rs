//! Reductions over axes: `MEAN`, `SUM`, `REDUCE_PROD`, `REDUCE_MAX`, `REDUCE_MIN`, `REDUCE_ANY`,
//! `REDUCE_ALL`.
//!
//! Input 1 lists the axes; negative ones count from the end. Semantics: TFLite's `reduce.cc` for float32,
//! booleans, and integers that stand for themselves: these wrap, and their mean is cut off.

use bytemuck::Pod;

use super::attributes::{attributes, axis_in};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::reduce::{ReducePlan, Reduction, fold, reduce};
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

pub(super) struct Reduce {
    function: Function,
    keep_dims: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Function {
    /// Of numbers.
    Of(Reduction),
    /// Whether one of some truth values is true.
    Any,
    /// Whether all of them are.
    All,
}

macro_rules! reductions {
    ($($name:ident => $function:expr),+ $(,)?) => {
        impl Reduce {
            $(pub(super) fn $name(node: &Node) -> Result<Box<dyn Operator>> {
                let keep_dims = attributes!(node, ReducerOptions).keep_dims;
                Ok(Box::new(Self { function: $function, keep_dims }))
            })+
        }
    };
}

reductions! {
    mean => Function::Of(Reduction::Mean),
    sum => Function::Of(Reduction::Sum),
    product => Function::Of(Reduction::Product),
    max => Function::Of(Reduction::Max),
    min => Function::Of(Reduction::Min),
    any => Function::Any,
    all => Function::All,
}

impl Reduce {
    fn check_type(&self, inputs: &Inputs) -> Result<DType> {
        let input = inputs.required(0)?;
        let dtype = input.tensor_type.dtype;
        let is_extreme = matches!(self.function, Function::Of(Reduction::Max | Reduction::Min));
        let is_number = matches!(self.function, Function::Of(_));
        let is_supported = match dtype {
            DType::Bool => !is_number,
            DType::F32 | DType::I32 | DType::I64 => is_number,
            // The order of quantized numbers is that of the values.
            DType::I8 | DType::U8 | DType::I16 => {
                is_extreme || (is_number && input.quantization.is_none())
            }
            _ => false,
        };
        if is_supported {
            return Ok(dtype);
        }
        let quantized = if input.quantization.is_some() { "quantized " } else { "" };
        Err(Error::model(format!("{quantized}{dtype} elements are not supported")))
    }
}

/// For every axis of input 0, whether it is reduced.
fn reduced_axes(inputs: &Inputs) -> Result<Vec<bool>> {
    let mut reduced = vec![false; inputs.shape(0)?.len()];
    let axes = inputs.constant_indices(1)?;
    if reduced.is_empty() {
        // A scalar is its own reduction over any axes.
        return Ok(reduced);
    }
    for axis in axes {
        let axis = axis_in(axis, reduced.len())?;
        reduced[axis] = true;
    }
    Ok(reduced)
}

impl Operator for Reduce {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let dtype = self.check_type(inputs)?;
        let reduced = reduced_axes(inputs)?;
        let dims = inputs.shape(0)?.iter().zip(reduced);
        let shape: Vec<usize> = dims
            .filter_map(|(&n, reduced)| match (reduced, self.keep_dims) {
                (false, _) => Some(n),
                (true, true) => Some(1),
                (true, false) => None,
            })
            .collect();
        Ok(vec![TensorType::new(dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (dtype, shape) = (self.check_type(context.inputs)?, context.inputs.shape(0)?);
        let reduced = reduced_axes(context.inputs)?;
        let plan = ReducePlan::new(shape, |axis| reduced[axis])
            .ok_or_else(|| Error::model(format!("shape {shape:?} is too large")))?;
        if let (Function::Of(reduction), DType::F32) = (self.function, dtype) {
            let arithmetic = context.arithmetic;
            return Ok(Prepared::eval(Observe::Fused, move |context| {
                let (isa, input) = (context.isa(), context.input::<f32>(0));
                let observed = reduce(isa, arithmetic, reduction, &plan, input, context.output(0));
                context.observe(0, observed);
                Ok(())
            }));
        }
        let scratch = plan
            .output_len()
            .checked_mul(size_of::<i64>())
            .ok_or_else(|| Error::model(format!("shape {shape:?} is too large")))?;
        let integers = Integers { function: self.function, plan };
        let prepared = Prepared::eval(Observe::Scan, move |context| {
            match dtype {
                DType::I8 => integers.reduce::<i8>([i8::MIN, i8::MAX], context, |v| v as i8),
                DType::I16 => integers.reduce::<i16>([i16::MIN, i16::MAX], context, |v| v as i16),
                DType::I32 => integers.reduce::<i32>([i32::MIN, i32::MAX], context, |v| v as i32),
                DType::I64 => integers.reduce::<i64>([i64::MIN, i64::MAX], context, |v| v),
                _ => integers.reduce::<u8>([u8::MIN, u8::MAX], context, |v| v as u8),
            }
            Ok(())
        });
        Ok(prepared.with_scratch(scratch))
    }
}

/// A reduction of integers, in 64 bits.
struct Integers {
    function: Function,
    plan: ReducePlan,
}

impl Integers {
    /// `narrow` keeps the low bits, which are those of sums and products in fewer bits.
    fn reduce<T: Pod + Into<i64>>(
        &self,
        [lowest, largest]: [T; 2],
        context: &mut EvalContext<'_>,
        narrow: fn(i64) -> T,
    ) {
        let input = context.input::<T>(0);
        let (output, scratch) = context.output_and_scratch::<T>();
        let results: &mut [i64] = bytemuck::cast_slice_mut(scratch);
        let results = &mut results[..output.len()];
        let mut fold = |start: i64, join: fn(i64, i64) -> i64| {
            fold(&self.plan, input, results, start, |sum, x: T| join(sum, x.into()));
        };
        match self.function {
            Function::Of(Reduction::Sum | Reduction::Mean) => fold(0, i64::wrapping_add),
            Function::Of(Reduction::Product) => fold(1, i64::wrapping_mul),
            Function::Of(Reduction::Max) => fold(lowest.into(), Ord::max),
            Function::Of(Reduction::Min) => fold(largest.into(), Ord::min),
            Function::Any => fold(0, |any, x| any | i64::from(x != 0)),
            Function::All => fold(1, |all, x| all & i64::from(x != 0)),
        }
        let divisor = match self.function {
            Function::Of(Reduction::Mean) => self.plan.count().max(1) as i64,
            _ => 1,
        };
        for (to, &result) in output.iter_mut().zip(&*results) {
            *to = narrow(result.wrapping_div(divisor));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Quantization;
    use crate::ops::testing::{Operand, run_to};
    use crate::schema::BuiltinOperator;
    use crate::tensor::AlignedBuffer;

    #[test]
    fn misfits_are_errors() {
        let error = |code, operand: Operand, axes: &[i32]| {
            let operands = [Some(operand), Some(Operand::indices(&[axes.len()], axes))];
            run_to(DType::I8, code, BuiltinOptionsT::NONE, &operands).unwrap_err().to_string()
        };
        let floats = || Operand::input(&[2, 3], &[0.0; 6]);
        let no_axis = error(BuiltinOperator::SUM, floats(), &[0, 2]);
        assert!(no_axis.contains("there is no axis 2 among 2"), "{no_axis}");
        let no_booleans = error(BuiltinOperator::REDUCE_ANY, floats(), &[0]);
        assert!(no_booleans.contains("FLOAT32 elements are not supported"), "{no_booleans}");
        let scaled = Quantization { scale: vec![0.5], ..Quantization::default() };
        let bytes = AlignedBuffer::copy_of(&[1_i8, 2]);
        let quantized = Operand::typed(DType::I8, &[2], bytes, Some(scaled)).recorded();
        let quantized = error(BuiltinOperator::MEAN, quantized, &[0]);
        assert!(quantized.contains("quantized INT8 elements"), "{quantized}");
    }
}
