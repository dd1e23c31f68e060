//! Comparisons of two tensors with broadcasting: `EQUAL`, `NOT_EQUAL`, `LESS`, `LESS_EQUAL`, `GREATER`,
//! `GREATER_EQUAL`.
//!
//! Semantics: TFLite's `comparisons.cc` for float32 and integers that are not quantized;
//! equality for booleans too.

use bytemuck::Pod;

use super::integer::plain_integers;
use crate::error::Result;
use crate::graph::Node;
use crate::kernel::broadcast::{Broadcast, zip};
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

/// 1 for the orders of two operands that make the result true, 0 for the others; NaN has no order.
#[derive(Clone, Copy)]
struct Orders {
    less: u8,
    equal: u8,
    greater: u8,
    unordered: u8,
}

pub(super) struct Comparison {
    orders: Orders,
    is_equality: bool,
}

macro_rules! comparisons {
    ($($name:ident: $is_equality:literal => [$($order:ident),+]),+ $(,)?) => {
        impl Comparison {
            $(pub(super) fn $name(_: &Node) -> Result<Box<dyn Operator>> {
                let orders = Orders { $($order: 1,)+ ..Orders::NONE };
                Ok(Box::new(Self { orders, is_equality: $is_equality }))
            })+
        }
    };
}

comparisons! {
    equal: true => [equal],
    not_equal: true => [less, greater, unordered],
    less: false => [less],
    less_equal: false => [less, equal],
    greater: false => [greater],
    greater_equal: false => [greater, equal],
}

impl Comparison {
    fn broadcast(&self, inputs: &Inputs) -> Result<(Broadcast<2>, Vec<usize>)> {
        let dtype = inputs.required(0)?.tensor_type.dtype;
        let is_plain = dtype == DType::F32 || (dtype == DType::Bool && self.is_equality);
        if !is_plain {
            plain_integers(inputs, 0)?;
            plain_integers(inputs, 1)?;
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
        let orders = self.orders;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let comparing = (&broadcast, orders);
            match dtype {
                DType::F32 => compare::<f32>(comparing, context),
                DType::I8 => compare::<i8>(comparing, context),
                DType::I16 => compare::<i16>(comparing, context),
                DType::U16 => compare::<u16>(comparing, context),
                DType::I32 => compare::<i32>(comparing, context),
                DType::U32 => compare::<u32>(comparing, context),
                DType::I64 => compare::<i64>(comparing, context),
                _ => compare::<u8>(comparing, context),
            }
            Ok(())
        }))
    }
}

impl Orders {
    const NONE: Self = Self { less: 0, equal: 0, greater: 0, unordered: 0 };

    /// 1 if the operands are in one of these orders; without branches, so that many are compared at once.
    fn contain<T: PartialOrd>(self, a: &T, b: &T) -> u8 {
        let [less, equal, greater] = [a < b, a == b, a > b].map(u8::from);
        let unordered = 1 ^ (less | equal | greater);
        (less & self.less)
            | (equal & self.equal)
            | (greater & self.greater)
            | (unordered & self.unordered)
    }
}

fn compare<T: Pod + PartialOrd>(
    (broadcast, orders): (&Broadcast<2>, Orders),
    context: &mut EvalContext<'_>,
) {
    let operands = (context.input::<T>(0), context.input::<T>(1));
    let result = |a: T, b: T| orders.contain(&a, &b);
    zip(broadcast, operands, context.output::<u8>(0), result);
}
