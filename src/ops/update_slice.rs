//! `DYNAMIC_UPDATE_SLICE` and StableHLO's `dynamic_update_slice`: a tensor with a part of it replaced, from
//! positions on that may come with the record; they are moved so that the part is inside.
//!
//! Semantics: TFLite's `dynamic_update_slice.cc`, any element type of whole bytes.

use super::attributes::element_len;
use super::indices::{Indices, index_type};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::TensorType;

/// Where the starts of the part are.
#[derive(Clone, Copy)]
enum Starts {
    /// All in input 2.
    Together,
    /// One an input, from input 2 on, as StableHLO has them.
    Apart,
}

pub(super) struct UpdateSlice(Starts);

impl UpdateSlice {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self(Starts::Together)))
    }

    pub(super) fn stablehlo(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self(Starts::Apart)))
    }

    fn check_starts(&self, inputs: &Inputs, rank: usize) -> Result<()> {
        let fits = match self.0 {
            Starts::Together => inputs.shape(2)? == [rank],
            Starts::Apart => {
                inputs.len() == rank + 2
                    && (2..rank + 2).all(|i| inputs.shape(i).is_ok_and(<[usize]>::is_empty))
            }
        };
        if fits {
            return Ok(());
        }
        Err(Error::model(format!("the part needs one start for each of {rank} axes")))
    }
}

impl Operator for UpdateSlice {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (whole, part) = (&inputs.required(0)?.tensor_type, inputs.shape(1)?);
        inputs.expect_dtype(1, whole.dtype)?;
        element_len(whole.dtype)?;
        let fits = part.len() == whole.shape.len()
            && part.iter().zip(&whole.shape).all(|(part, whole)| part <= whole);
        if !fits {
            return Err(Error::model(format!(
                "a part of shape {part:?} is not inside shape {:?}",
                whole.shape
            )));
        }
        self.check_starts(inputs, part.len())?;
        Ok(vec![whole.clone()])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let TensorType { dtype, shape } = &context.outputs[0];
        let (whole, part) = (shape.clone(), context.inputs.shape(1)?.to_vec());
        let element = element_len(*dtype)?;
        let starts = self.0;
        let types: Vec<_> = (2..context.inputs.len())
            .map(|i| index_type(context.inputs, i))
            .collect::<Result<_>>()?;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let (from, update) = (context.input::<u8>(0), context.input::<u8>(1));
            let start = |axis: usize| {
                let index = match starts {
                    Starts::Together => Indices::of(context, 2, types[0]).at(axis),
                    Starts::Apart => Indices::of(context, axis + 2, types[axis]).at(0),
                };
                index.clamp(0, (whole[axis] - part[axis]) as i64) as usize
            };
            let at = (0..whole.len()).fold(0, |at, axis| at * whole[axis] + start(axis));
            let output = context.output::<u8>(0);
            output.copy_from_slice(from);
            if !update.is_empty() {
                replace(&whole, &part, element, &mut output[at * element..], update);
            }
            Ok(())
        }))
    }
}

/// Copies a part to where it begins in the whole; nothing is empty.
fn replace(whole: &[usize], part: &[usize], element: usize, to: &mut [u8], from: &[u8]) {
    let (Some((_, whole)), Some((&count, part))) = (whole.split_first(), part.split_first()) else {
        to[..from.len()].copy_from_slice(from);
        return;
    };
    if whole == part {
        to[..from.len()].copy_from_slice(from);
        return;
    }
    let step = whole.iter().product::<usize>() * element;
    for (i, from) in from.chunks_exact(from.len() / count).enumerate() {
        replace(whole, part, element, &mut to[i * step..], from);
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    #[test]
    fn misfits_are_errors() {
        for (part, starts) in [(&[3, 1][..], &[0, 0][..]), (&[1], &[0, 0]), (&[1, 1], &[0])] {
            let operands = [
                Some(Operand::input(&[2, 3], &[0.0; 6])),
                Some(Operand::input(part, &vec![0.0; part.iter().product()])),
                Some(Operand::indices(&[starts.len()], starts)),
            ];
            let code = BuiltinOperator::DYNAMIC_UPDATE_SLICE;
            assert!(run(code, BuiltinOptionsT::NONE, &operands).is_err(), "{part:?} {starts:?}");
        }
    }
}
