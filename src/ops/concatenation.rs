//! `CONCATENATION` of any number of tensors along one axis.
//!
//! Semantics: TFLite's `concatenation.cc`, any element type of whole bytes; a fused activation is
//! applied for float32.

use super::activation::Activation;
use super::attributes::{attributes, axis_in, element_len};
use super::runs::{join, joined};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::elementwise::{Unary, unary_in_place};
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

pub(super) struct Concatenation {
    axis: i32,
    activation: Activation,
}

impl Concatenation {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, ConcatenationOptions);
        let activation = Activation::new(options.fused_activation_function)?;
        Ok(Box::new(Self { axis: options.axis, activation }))
    }
}

impl Operator for Concatenation {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let first = &inputs.required(0)?.tensor_type;
        let axis = axis_in(self.axis.into(), first.shape.len())?;
        let mut joined = first.clone();
        for i in 1..inputs.len() {
            let next = &inputs.required(i)?.tensor_type;
            let mut expected = next.clone();
            match (expected.shape.get_mut(axis), first.shape.get(axis)) {
                (Some(to), Some(&from)) if next.shape.len() == first.shape.len() => *to = from,
                _ => {}
            }
            if expected != *first {
                return Err(Error::model(format!(
                    "input {i} is {next}, which cannot follow {first} along axis {axis}"
                )));
            }
            joined.shape[axis] = joined.shape[axis]
                .checked_add(next.shape[axis])
                .ok_or_else(|| Error::model("the joined axis is too long"))?;
        }
        if joined.dtype != DType::F32 && self.activation != Activation::NONE {
            return Err(Error::model(format!(
                "a fused activation needs FLOAT32, not {}",
                joined.dtype
            )));
        }
        Ok(vec![joined])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let inputs = context.inputs;
        let first = &inputs.required(0)?.tensor_type;
        let axis = axis_in(self.axis.into(), first.shape.len())?;
        let element = element_len(first.dtype)?;
        // Each input brings runs of this many bytes; a run of every input makes one of the output.
        let mut runs = Vec::with_capacity(inputs.len());
        for i in 0..inputs.len() {
            runs.push(inputs.shape(i)?[axis..].iter().product::<usize>() * element);
        }
        let activation = self.activation;
        if activation == Activation::NONE {
            return Ok(joined(runs));
        }
        Ok(Prepared::eval(Observe::Fused, move |context| {
            join(&runs, context);
            let isa = context.isa();
            let output = context.output::<f32>(0);
            let folded = unary_in_place(isa, Unary::Clamp(activation.clamp), output);
            let observed = activation.finish(isa, folded, output);
            context.observe(0, observed);
            Ok(())
        }))
    }
}
