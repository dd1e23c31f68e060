//! Reductions of slices that have the same number: `SEGMENT_SUM`, and `UNSORTED_SEGMENT_SUM`, `_PROD`,
//! `_MAX` and `_MIN`.
//!
//! Semantics: TFLite's `segment_sum.cc` and `unsorted_segment.cc` for float32, int32 and int64; integers
//! wrap, and a NaN is below and above nothing.

use bytemuck::Pod;

use super::indices::{Indices, constant_count, index_type};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType, num_elements};

pub(super) struct Segments {
    function: Function,
    /// Whether the numbers come in order, from 0 on, and say how many there are.
    is_sorted: bool,
}

#[derive(Clone, Copy)]
enum Function {
    Sum,
    Product,
    Max,
    Min,
}

macro_rules! segments {
    ($($name:ident => $function:ident, $is_sorted:literal);+ $(;)?) => {
        impl Segments {
            $(pub(super) fn $name(_: &Node) -> Result<Box<dyn Operator>> {
                Ok(Box::new(Self { function: Function::$function, is_sorted: $is_sorted }))
            })+
        }
    };
}

segments! {
    sorted_sum => Sum, true;
    sum => Sum, false;
    product => Product, false;
    max => Max, false;
    min => Min, false;
}

/// How many segments sorted numbers name.
fn last_segment(numbers: &[i64]) -> Result<usize> {
    let follow = numbers.windows(2).all(|pair| matches!(pair[1].wrapping_sub(pair[0]), 0 | 1));
    match (numbers.first(), numbers.last()) {
        (None, _) => Ok(0),
        (Some(0), Some(&last)) if follow => Ok(last as usize + 1),
        _ => Err(Error::record("numbers of segments do not follow each other from 0 on")),
    }
}

impl Segments {
    fn count(&self, inputs: &Inputs) -> Result<usize> {
        if self.is_sorted {
            inputs.shape_of_rank::<1>(1)?;
            return last_segment(&inputs.constant_indices(1)?);
        }
        constant_count(inputs, 2)
    }
}

impl Operator for Segments {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let TensorType { dtype, shape } = &inputs.required(0)?.tensor_type;
        if !matches!(dtype, DType::F32 | DType::I32 | DType::I64) {
            return Err(Error::model(format!("{dtype} elements are not supported")));
        }
        index_type(inputs, 1)?;
        let numbers = inputs.shape(1)?;
        let slice = shape.strip_prefix(numbers).ok_or_else(|| {
            Error::model(format!("numbers of shape {numbers:?} do not fit values of {shape:?}"))
        })?;
        let shape = [&[self.count(inputs)?], slice].concat();
        Ok(vec![TensorType::new(*dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let TensorType { dtype, shape } = &context.outputs[0];
        let len = num_elements(&shape[1..]).ok_or_else(|| Error::model("a slice is too large"))?;
        let join = Join { count: shape[0], len, index_type: index_type(context.inputs, 1)? };
        let (dtype, function) = (*dtype, self.function);
        Ok(Prepared::eval(Observe::Scan, move |context| match (dtype, function) {
            (DType::F32, Function::Sum) => join.run(context, 0.0_f32, |a, b| a + b),
            (DType::F32, Function::Product) => join.run(context, 1.0_f32, |a, b| a * b),
            (DType::F32, Function::Max) => {
                join.run(context, f32::MIN, |a, b| if b > a { b } else { a })
            }
            (DType::F32, Function::Min) => {
                join.run(context, f32::MAX, |a, b| if b < a { b } else { a })
            }
            (DType::I32, Function::Sum) => join.run(context, 0, i32::wrapping_add),
            (DType::I32, Function::Product) => join.run(context, 1, i32::wrapping_mul),
            (DType::I32, Function::Max) => join.run(context, i32::MIN, Ord::max),
            (DType::I32, Function::Min) => join.run(context, i32::MAX, Ord::min),
            (_, Function::Sum) => join.run(context, 0, i64::wrapping_add),
            (_, Function::Product) => join.run(context, 1, i64::wrapping_mul),
            (_, Function::Max) => join.run(context, i64::MIN, Ord::max),
            (_, Function::Min) => join.run(context, i64::MAX, Ord::min),
        }))
    }
}

struct Join {
    /// Number of segments.
    count: usize,
    /// Elements of a slice.
    len: usize,
    index_type: DType,
}

impl Join {
    fn run<T: Pod>(
        &self,
        context: &mut EvalContext<'_>,
        start: T,
        join: fn(T, T) -> T,
    ) -> Result<()> {
        let numbers = Indices::of(context, 1, self.index_type);
        let (input, output) = (context.input::<T>(0), context.output::<T>(0));
        output.fill(start);
        for (i, number) in numbers.iter().enumerate() {
            // What has a negative number belongs nowhere.
            let Ok(segment) = usize::try_from(number) else { continue };
            if segment >= self.count {
                let count = self.count;
                return Err(Error::record(format!("segment {number} is not one of {count}")));
            }
            let to = output[segment * self.len..][..self.len].iter_mut();
            to.zip(&input[i * self.len..][..self.len]).for_each(|(to, &x)| *to = join(*to, x));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    #[test]
    fn sorted_numbers_follow_each_other() {
        assert_eq!(last_segment(&[0, 0, 1, 2]).unwrap(), 3);
        assert_eq!(last_segment(&[]).unwrap(), 0);
        for numbers in [&[1, 1][..], &[0, 2], &[0, 1, 0], &[-1, 0], &[0, i64::MIN]] {
            assert!(last_segment(numbers).is_err(), "{numbers:?}");
        }
    }

    #[test]
    fn misfits_are_errors() {
        let sum = |numbers: &[i32], count| {
            let operands = [
                Some(Operand::input(&[2, 3], &[0.0; 6])),
                Some(Operand::indices(&[numbers.len()], numbers)),
                Some(Operand::indices(&[], &[count])),
            ];
            let code = BuiltinOperator::UNSORTED_SEGMENT_SUM;
            run(code, BuiltinOptionsT::NONE, &operands).unwrap_err().kind()
        };
        assert_eq!(sum(&[0, 2], 2), ErrorKind::Record);
        assert_eq!(sum(&[0], 2), ErrorKind::Model);
        assert_eq!(sum(&[0, 0], -1), ErrorKind::Model);
    }
}
