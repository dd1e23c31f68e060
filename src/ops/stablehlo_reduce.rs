//! StableHLO's `reduce`: a tensor reduced over axes, with an initial value.
//!
//! Semantics: the StableHLO specification, with the functions of [`Body`]; integers wrap.

use super::attributes::attributes_2;
use super::combination::{Combination, for_numbers};
use super::stablehlo_gather::{are_axes, list};
use crate::error::{Error, Result};
use crate::graph::{Body, Node};
use crate::kernel::reduce::{ReducePlan, Reduction, fold, reduce};
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptions2T;
use crate::tensor::{DType, TensorType, num_elements};

pub(super) struct StablehloReduce {
    combination: Combination,
    axes: Vec<usize>,
}

impl StablehloReduce {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let axes = list(attributes_2!(node, StablehloReduceOptions).dimensions)?;
        Ok(Box::new(Self { combination: Combination::of_body(node)?, axes }))
    }
}

impl Operator for StablehloReduce {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let TensorType { dtype, shape } = &inputs.required(0)?.tensor_type;
        self.combination.check(*dtype)?;
        inputs.expect_dtype(1, *dtype)?;
        if inputs.len() != 2 || num_elements(inputs.shape(1)?) != Some(1) {
            return Err(Error::model("it reduces one tensor, with one initial value"));
        }
        if !are_axes(&self.axes, shape.len()) {
            let (axes, rank) = (&self.axes, shape.len());
            return Err(Error::model(format!("{axes:?} are not axes of {rank} dimensions")));
        }
        let kept = shape.iter().enumerate().filter(|(axis, _)| !self.axes.contains(axis));
        Ok(vec![TensorType::new(*dtype, kept.map(|(_, &n)| n).collect::<Vec<_>>())])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let TensorType { dtype, shape } = &context.inputs.required(0)?.tensor_type;
        let plan = ReducePlan::new(shape, |axis| self.axes.contains(&axis))
            .ok_or_else(|| Error::model(format!("shape {shape:?} is too large")))?;
        let (dtype, combination) = (*dtype, self.combination);
        let reduction = match combination.0 {
            Body::Add => Some(Reduction::Sum),
            Body::Multiply => Some(Reduction::Product),
            Body::Maximum => Some(Reduction::Max),
            Body::Minimum => Some(Reduction::Min),
            _ => None,
        };
        if let (DType::F32, Some(reduction)) = (dtype, reduction)
            && plan.count() > 0
        {
            let (join, arithmetic) = (combination.floats(), context.arithmetic);
            return Ok(Prepared::eval(Observe::Scan, move |context| {
                let (isa, start) = (context.isa(), context.input::<f32>(1)[0]);
                let (input, output) = (context.input(0), context.output::<f32>(0));
                reduce(isa, arithmetic, reduction, &plan, input, output);
                for to in output {
                    *to = join(start, *to);
                }
                Ok(())
            }));
        }
        Ok(Prepared::eval(Observe::Scan, move |context| {
            for_numbers!(dtype, combination, |join| {
                let start = context.input(1)[0];
                fold(&plan, context.input(0), context.output(0), start, join);
            });
            Ok(())
        }))
    }
}
