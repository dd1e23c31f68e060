//! Functions of booleans: `LOGICAL_AND`, `LOGICAL_OR` and `LOGICAL_NOT`, the first two with broadcasting.

use crate::error::Result;
use crate::graph::Node;
use crate::kernel::broadcast::zip;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

pub(super) enum Logic {
    And,
    Or,
    Not,
}

impl Logic {
    pub(super) fn and(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::And))
    }

    pub(super) fn or(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Or))
    }

    pub(super) fn not(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Not))
    }
}

impl Operator for Logic {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        inputs.expect_dtype(0, DType::Bool)?;
        if let Self::Not = self {
            return Ok(vec![inputs.required(0)?.tensor_type.clone()]);
        }
        inputs.expect_dtype(1, DType::Bool)?;
        let (_, shape) = super::binary::broadcast(inputs)?;
        Ok(vec![TensorType::new(DType::Bool, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        // Any byte but zero is true; results are one.
        let function: fn(bool, bool) -> bool = match self {
            Self::Not => {
                return Ok(Prepared::eval(Observe::Scan, |context| {
                    let input = context.input::<u8>(0);
                    let pairs = context.output::<u8>(0).iter_mut().zip(input);
                    pairs.for_each(|(to, &value)| *to = u8::from(value == 0));
                    Ok(())
                }));
            }
            Self::And => |a, b| a & b,
            Self::Or => |a, b| a | b,
        };
        let (broadcast, _) = super::binary::broadcast(context.inputs)?;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let operands = (context.input::<u8>(0), context.input::<u8>(1));
            let result = |a, b| u8::from(function(a != 0, b != 0));
            zip(&broadcast, operands, context.output::<u8>(0), result);
            Ok(())
        }))
    }
}
