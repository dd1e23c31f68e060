//! `ADD_N`: the sum of tensors of one shape.
//!
//! Semantics: TFLite's `add_n.cc` for float32 and int32; integers wrap.

use smallvec::SmallVec;

use super::binary::repeating;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::elementwise::Binary;
use crate::kernel::gemm::Clamp;
use crate::kernel::sum::sum;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

pub(super) struct AddN;

impl AddN {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for AddN {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let first = &inputs.required(0)?.tensor_type;
        if !matches!(first.dtype, DType::F32 | DType::I32) {
            return Err(Error::model(format!("{} elements are not supported", first.dtype)));
        }
        for i in 1..inputs.len() {
            let other = &inputs.required(i)?.tensor_type;
            if other != first {
                return Err(Error::model(format!("input {i} is {other}, but input 0 is {first}")));
            }
        }
        Ok(vec![first.clone()])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let count = context.inputs.len();
        if context.inputs.required(0)?.tensor_type.dtype == DType::I32 {
            return Ok(Prepared::eval(Observe::Scan, move |context| {
                add_integers(context, count);
                Ok(())
            }));
        }
        if count == 2 {
            return Ok(repeating(Binary::Add, Clamp::NONE, None, None));
        }
        Ok(Prepared::eval(Observe::Fused, move |context| {
            let inputs: SmallVec<[&[f32]; 8]> = (0..count).map(|i| context.input(i)).collect();
            let observed = sum(context.isa(), &inputs, context.output(0));
            context.observe(0, observed);
            Ok(())
        }))
    }
}

fn add_integers(context: &mut EvalContext<'_>, count: usize) {
    let inputs: SmallVec<[&[i32]; 8]> = (0..count).map(|i| context.input(i)).collect();
    let output = context.output::<i32>(0);
    output.copy_from_slice(inputs[0]);
    for input in &inputs[1..] {
        output.iter_mut().zip(*input).for_each(|(sum, &x)| *sum = sum.wrapping_add(x));
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    #[test]
    fn operands_of_one_type_and_shape() {
        let add = |operands: &[Option<Operand>]| {
            run(BuiltinOperator::ADD_N, BuiltinOptionsT::NONE, operands).map(|_| ())
        };
        let pair = || Some(Operand::input(&[2], &[1.0, 2.0]));
        add(&[pair()]).unwrap();
        let column = Some(Operand::input(&[2, 1], &[1.0, 2.0]));
        let integers = Some(Operand::indices(&[2], &[1, 2]));
        for operands in [&[][..], &[pair(), None], &[pair(), column], &[pair(), integers]] {
            assert!(add(operands).is_err());
        }
    }
}
