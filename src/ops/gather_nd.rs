//! `GATHER_ND`: slices of a tensor at positions along its first axes, which a tensor of indices lists.
//!
//! Semantics: TFLite's `gather_nd.cc`, any element type of whole bytes.

use super::attributes::element_len;
use super::indices::{Indices, index_type, position};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType, num_elements};

pub(super) struct GatherNd;

impl GatherNd {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

/// The shapes that are indexed, one index each, and moved, as a whole.
pub(super) fn split_by_indices<'a>(
    shape: &'a [usize],
    indices: &'a [usize],
) -> Result<(&'a [usize], &'a [usize])> {
    let depth = indices.last().filter(|&&depth| depth <= shape.len());
    depth.map(|&depth| shape.split_at(depth)).ok_or_else(|| {
        Error::model(format!("indices of shape {indices:?} do not name parts of shape {shape:?}"))
    })
}

/// Where the slices start that indices, `dims.len()` each, name, in slices.
pub(super) fn offset(indices: Indices<'_>, i: usize, dims: &[usize]) -> Result<usize> {
    let indices = (0..dims.len()).map(|k| indices.at(i * dims.len() + k));
    dims.iter().zip(indices).try_fold(0, |at, (&n, index)| Ok(at * n + position(index, n)?))
}

impl Operator for GatherNd {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let values = &inputs.required(0)?.tensor_type;
        let indices = inputs.shape(1)?;
        index_type(inputs, 1)?;
        let (_, slice) = split_by_indices(&values.shape, indices)?;
        let shape = [&indices[..indices.len() - 1], slice].concat();
        Ok(vec![TensorType::new(values.dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let inputs = context.inputs;
        let TensorType { dtype, shape } = &inputs.required(0)?.tensor_type;
        let (dims, slice) = split_by_indices(shape, inputs.shape(1)?)?;
        let len = num_elements(slice)
            .and_then(|n| n.checked_mul(element_len(*dtype).ok()?))
            .ok_or_else(|| Error::model(format!("{dtype} {slice:?} cannot be moved")))?;
        let (dims, index_type): (Vec<usize>, DType) = (dims.to_vec(), index_type(inputs, 1)?);
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let indices = Indices::of(context, 1, index_type);
            let (from, to) = (context.input::<u8>(0), context.output::<u8>(0));
            if to.is_empty() {
                return Ok(());
            }
            for (i, to) in to.chunks_exact_mut(len).enumerate() {
                let at = offset(indices, i, &dims)?;
                to.copy_from_slice(&from[at * len..][..len]);
            }
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use crate::error::ErrorKind;
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    #[test]
    fn misfits_are_errors() {
        let gather = |shape: &[usize], indices: &[i32]| {
            let values = Operand::input(&[2, 3], &[0.0; 6]);
            let operands = [Some(values), Some(Operand::indices(shape, indices))];
            run(BuiltinOperator::GATHER_ND, BuiltinOptionsT::NONE, &operands).unwrap_err().kind()
        };
        assert_eq!(gather(&[], &[0]), ErrorKind::Model);
        assert_eq!(gather(&[1, 3], &[0, 0, 0]), ErrorKind::Model);
        assert_eq!(gather(&[1, 2], &[0, 3]), ErrorKind::Record);
        assert_eq!(gather(&[1, 2], &[-1, 0]), ErrorKind::Record);
    }
}
