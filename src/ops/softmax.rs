//! `SOFTMAX` along the last axis, `e^(beta (x - max)) / sum`, and `LOG_SOFTMAX`, its logarithm for a beta
//! of 1.
//!
//! Semantics: TFLite's `activations.cc` for float32, any rank from 1.

use super::attributes::attributes;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::softmax;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

pub(super) struct Softmax(softmax::Softmax);

impl Softmax {
    pub(super) fn plain(node: &Node) -> Result<Box<dyn Operator>> {
        let beta = attributes!(node, SoftmaxOptions).beta;
        Ok(Box::new(Self(softmax::Softmax::Share { beta })))
    }

    pub(super) fn logarithmic(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self(softmax::Softmax::Logarithm)))
    }
}

impl Operator for Softmax {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        inputs.expect_dtype(0, DType::F32)?;
        if inputs.shape(0)?.is_empty() {
            return Err(Error::model("a scalar has no axis to normalise along"));
        }
        Ok(vec![inputs.required(0)?.tensor_type.clone()])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let softmax = self.0;
        let depth = context.inputs.shape(0)?.last().copied().unwrap_or(1);
        Ok(Prepared::eval(Observe::Fused, move |context| {
            let (isa, input) = (context.isa(), context.input::<f32>(0));
            let observed = softmax.run(isa, depth, input, context.output(0));
            context.observe(0, observed);
            Ok(())
        }))
    }
}
