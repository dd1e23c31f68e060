//! Operators that compute floats and integers in different ways.

use crate::error::Result;
use crate::operator::{Inputs, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

/// One operator for floats and one for everything else; the type of input 0 decides.
struct ByType {
    floats: Box<dyn Operator>,
    others: Box<dyn Operator>,
}

/// `floats` if input 0 is FLOAT32, `others` if it is not.
pub(super) fn by_type(
    floats: Box<dyn Operator>,
    others: Box<dyn Operator>,
) -> Result<Box<dyn Operator>> {
    Ok(Box::new(ByType { floats, others }))
}

impl ByType {
    fn of(&self, inputs: &Inputs) -> Result<&dyn Operator> {
        let is_float = inputs.required(0)?.tensor_type.dtype == DType::F32;
        Ok(if is_float { self.floats.as_ref() } else { self.others.as_ref() })
    }
}

impl Operator for ByType {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        self.of(inputs)?.infer(inputs)
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        self.of(context.inputs)?.prepare(context)
    }
}
