//! Reductions over axes: `MEAN`, `SUM`, `REDUCE_MAX`, `REDUCE_MIN`.
//!
//! Input 1 lists the axes; negative ones count from the end. Semantics: TFLite's `reduce.cc` for
//! float32.

use super::attributes::{attributes, axis_in};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::reduce::{ReducePlan, Reduction, reduce};
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

pub(super) struct Reduce {
    reduction: Reduction,
    keep_dims: bool,
}

macro_rules! reductions {
    ($($name:ident => $reduction:ident),+ $(,)?) => {
        impl Reduce {
            $(pub(super) fn $name(node: &Node) -> Result<Box<dyn Operator>> {
                let keep_dims = attributes!(node, ReducerOptions).keep_dims;
                Ok(Box::new(Self { reduction: Reduction::$reduction, keep_dims }))
            })+
        }
    };
}

reductions! { mean => Mean, sum => Sum, max => Max, min => Min }

/// For every axis of input 0, whether it is reduced.
fn reduced_axes(inputs: &Inputs) -> Result<Vec<bool>> {
    inputs.expect_dtype(0, DType::F32)?;
    let mut reduced = vec![false; inputs.shape(0)?.len()];
    for axis in inputs.constant_indices(1)? {
        let axis = axis_in(axis, reduced.len())?;
        reduced[axis] = true;
    }
    Ok(reduced)
}

impl Operator for Reduce {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let reduced = reduced_axes(inputs)?;
        let dims = inputs.shape(0)?.iter().zip(reduced);
        let shape: Vec<usize> = dims
            .filter_map(|(&n, reduced)| match (reduced, self.keep_dims) {
                (false, _) => Some(n),
                (true, true) => Some(1),
                (true, false) => None,
            })
            .collect();
        Ok(vec![TensorType::new(DType::F32, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let reduced = reduced_axes(context.inputs)?;
        let plan = ReducePlan::new(context.inputs.shape(0)?, |axis| reduced[axis]);
        let reduction = self.reduction;
        Ok(Prepared::eval(Observe::Fused, move |context| {
            let (isa, input) = (context.isa(), context.input::<f32>(0));
            let observed = reduce(isa, reduction, &plan, input, context.output(0));
            context.observe(0, observed);
            Ok(())
        }))
    }
}
