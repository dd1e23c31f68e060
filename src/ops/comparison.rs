//! Comparisons of two tensors with broadcasting: `EQUAL`, `NOT_EQUAL`, `LESS`, `LESS_EQUAL`, `GREATER`,
//! `GREATER_EQUAL`.
//!
//! Semantics: TFLite's `comparisons.cc` for float32 and integers; equality for booleans too.

use std::cmp::Ordering;

use bytemuck::Pod;

use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::broadcast::{Broadcast, zip};
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

pub(super) struct Comparison {
    /// Whether the result is true for an order of the operands; `None` if one is NaN.
    holds: fn(Option<Ordering>) -> bool,
    is_equality: bool,
}

macro_rules! comparisons {
    ($($name:ident: $is_equality:literal => $holds:expr),+ $(,)?) => {
        impl Comparison {
            $(pub(super) fn $name(_: &Node) -> Result<Box<dyn Operator>> {
                Ok(Box::new(Self { holds: $holds, is_equality: $is_equality }))
            })+
        }
    };
}

comparisons! {
    equal: true => |order| order == Some(Ordering::Equal),
    not_equal: true => |order| order != Some(Ordering::Equal),
    less: false => |order| order.is_some_and(Ordering::is_lt),
    less_equal: false => |order| order.is_some_and(Ordering::is_le),
    greater: false => |order| order.is_some_and(Ordering::is_gt),
    greater_equal: false => |order| order.is_some_and(Ordering::is_ge),
}

impl Comparison {
    fn broadcast(&self, inputs: &Inputs) -> Result<(Broadcast<2>, Vec<usize>)> {
        let dtype = inputs.required(0)?.tensor_type.dtype;
        match dtype {
            DType::F32 | DType::I32 | DType::I64 => {}
            DType::Bool if self.is_equality => {}
            other => return Err(Error::model(format!("{other} elements cannot be compared"))),
        }
        inputs.expect_dtype(1, dtype)?;
        super::binary::broadcast(inputs)
    }
}

impl Operator for Comparison {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::new(DType::Bool, self.broadcast(inputs)?.1)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (broadcast, _) = self.broadcast(context.inputs)?;
        let dtype = context.inputs.required(0)?.tensor_type.dtype;
        let holds = self.holds;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            match dtype {
                DType::F32 => compare::<f32>(&broadcast, holds, context),
                DType::I32 => compare::<i32>(&broadcast, holds, context),
                DType::I64 => compare::<i64>(&broadcast, holds, context),
                _ => compare::<u8>(&broadcast, holds, context),
            }
            Ok(())
        }))
    }
}

fn compare<T: Pod + PartialOrd>(
    broadcast: &Broadcast<2>,
    holds: fn(Option<Ordering>) -> bool,
    context: &mut EvalContext<'_>,
) {
    let operands = (context.input::<T>(0), context.input::<T>(1));
    let result = |a: T, b: T| u8::from(holds(a.partial_cmp(&b)));
    zip(broadcast, operands, context.output::<u8>(0), result);
}
