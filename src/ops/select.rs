//! `SELECT` and `SELECT_V2`: elements of input 1 where input 0 is true, of input 2 where it is not.
//!
//! `SELECT_V2` broadcasts all three. `SELECT` takes operands of one shape and a condition of that shape,
//! or one for each row, or one for all. Semantics: TFLite's `select.cc`, any element type of whole bytes.

use bytemuck::Pod;

use super::attributes::element_len;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::broadcast::{Broadcast, select};
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

pub(super) struct Select {
    broadcasts: bool,
}

impl Select {
    pub(super) fn rows(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self { broadcasts: false }))
    }

    pub(super) fn broadcasting(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self { broadcasts: true }))
    }

    fn broadcast(&self, inputs: &Inputs) -> Result<(Broadcast<3>, Vec<usize>)> {
        inputs.expect_dtype(0, DType::Bool)?;
        inputs.expect_dtype(2, inputs.required(1)?.tensor_type.dtype)?;
        let (condition, a, b) = (inputs.shape(0)?, inputs.shape(1)?, inputs.shape(2)?);
        let misfit = || {
            Error::model(format!(
                "a condition of shape {condition:?} does not select from {a:?} and {b:?}"
            ))
        };
        let mut condition = condition.to_vec();
        if !self.broadcasts {
            if a != b {
                return Err(misfit());
            }
            if condition != a {
                let is_one_a_row = a.first().is_some_and(|&rows| condition == [rows]);
                if !is_one_a_row && !condition.is_empty() && condition != [1] {
                    return Err(misfit());
                }
                condition.resize(a.len(), 1);
            }
        }
        Broadcast::new([&condition, a, b]).ok_or_else(misfit)
    }
}

impl Operator for Select {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (_, shape) = self.broadcast(inputs)?;
        Ok(vec![TensorType::new(inputs.required(1)?.tensor_type.dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (broadcast, _) = self.broadcast(context.inputs)?;
        let element = element_len(context.inputs.required(1)?.tensor_type.dtype)?;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            match element {
                1 => take::<u8>(&broadcast, context),
                2 => take::<u16>(&broadcast, context),
                4 => take::<u32>(&broadcast, context),
                8 => take::<u64>(&broadcast, context),
                _ => take::<[u64; 2]>(&broadcast, context),
            }
            Ok(())
        }))
    }
}

fn take<T: Pod>(broadcast: &Broadcast<3>, context: &mut EvalContext<'_>) {
    let condition = context.input::<u8>(0);
    let operands = (context.input::<T>(1), context.input::<T>(2));
    select(broadcast, condition, operands, context.output(0));
}
