//! `GATHER` and `EMBEDDING_LOOKUP`: slices of a tensor, chosen by a tensor of indices.
//!
//! The slices lie along an axis; the first `batch_dims` dimensions are common to both tensors. Semantics:
//! TFLite's `gather.cc` and `embedding_lookup.cc`, any element type of whole bytes.

use bytemuck::Pod;

use super::attributes::{attributes, axis_in, element_len};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

pub(super) struct Gather {
    /// Positions of the inputs.
    values: usize,
    indices: usize,
    axis: i32,
    batch_dims: i32,
}

/// How the bytes of the values are nested: `[batches, outer, positions, run]`.
#[derive(Clone, Copy)]
struct Layout {
    outer: usize,
    positions: usize,
    /// Bytes.
    run: usize,
    /// Indices of one batch.
    indices: usize,
}

impl Gather {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, GatherOptions);
        let (axis, batch_dims) = (options.axis, options.batch_dims);
        Ok(Box::new(Self { values: 0, indices: 1, axis, batch_dims }))
    }

    pub(super) fn embedding_lookup(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self { values: 1, indices: 0, axis: 0, batch_dims: 0 }))
    }

    /// The axis and the number of common dimensions.
    fn axes(&self, inputs: &Inputs) -> Result<(usize, usize)> {
        let (values, indices) = (inputs.shape(self.values)?, inputs.shape(self.indices)?);
        let dtype = inputs.required(self.indices)?.tensor_type.dtype;
        if !matches!(dtype, DType::I16 | DType::I32 | DType::I64) {
            return Err(Error::model(format!("{dtype} elements are no indices")));
        }
        let axis = axis_in(self.axis.into(), values.len())?;
        let batch_dims = if self.batch_dims < 0 {
            indices.len().checked_add_signed(self.batch_dims as isize)
        } else {
            Some(self.batch_dims as usize)
        };
        batch_dims
            .filter(|&n| n <= axis && n <= indices.len() && indices[..n] == values[..n])
            .map(|batch_dims| (axis, batch_dims))
            .ok_or_else(|| {
                Error::model(format!(
                    "values of shape {values:?} and indices of shape {indices:?} do not have {} \
                     dimensions in common before axis {axis}",
                    self.batch_dims
                ))
            })
    }
}

impl Operator for Gather {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (axis, batch_dims) = self.axes(inputs)?;
        let (values, indices) = (inputs.shape(self.values)?, inputs.shape(self.indices)?);
        let shape = [&values[..axis], &indices[batch_dims..], &values[axis + 1..]].concat();
        Ok(vec![TensorType::new(inputs.required(self.values)?.tensor_type.dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let inputs = context.inputs;
        let (axis, batch_dims) = self.axes(inputs)?;
        let (values, indices) = (self.values, self.indices);
        let shape = inputs.shape(values)?;
        let element = element_len(inputs.required(values)?.tensor_type.dtype)?;
        let layout = Layout {
            outer: shape[batch_dims..axis].iter().product(),
            positions: shape[axis],
            run: shape[axis + 1..].iter().product::<usize>() * element,
            indices: inputs.shape(indices)?[batch_dims..].iter().product(),
        };
        let dtype = inputs.required(indices)?.tensor_type.dtype;
        Ok(Prepared::eval(Observe::Scan, move |context| match dtype {
            DType::I16 => layout.gather::<i16>(values, indices, context),
            DType::I32 => layout.gather::<i32>(values, indices, context),
            _ => layout.gather::<i64>(values, indices, context),
        }))
    }
}

impl Layout {
    fn gather<T: Pod + Into<i64>>(
        self,
        values: usize,
        indices: usize,
        context: &mut EvalContext<'_>,
    ) -> Result<()> {
        let (values, indices) = (context.input::<u8>(values), context.input::<T>(indices));
        let output = context.output::<u8>(0);
        if output.is_empty() {
            return Ok(());
        }
        let slice = self.positions * self.run;
        let results = output.chunks_exact_mut(self.indices * self.run).enumerate();
        for (i, to) in results {
            let from = &values[i * slice..][..slice];
            let indices = &indices[i / self.outer * self.indices..][..self.indices];
            for (to, &index) in to.chunks_exact_mut(self.run).zip(indices) {
                let index: i64 = index.into();
                let position = usize::try_from(index).ok().filter(|&i| i < self.positions);
                let position = position.ok_or_else(|| {
                    let n = self.positions;
                    Error::record(format!("index {index} is not one of {n} positions"))
                })?;
                to.copy_from_slice(&from[position * self.run..][..self.run]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, GatherOptionsT};

    fn gather(
        values: &[usize],
        indices: &[usize],
        of: &[i32],
        axis: i32,
        batch_dims: i32,
    ) -> Error {
        let options = GatherOptionsT { axis, batch_dims };
        let values = Operand::input(values, &vec![1.0; values.iter().product()]);
        let operands = [Some(values), Some(Operand::indices(indices, of))];
        let options = BuiltinOptionsT::GatherOptions(Box::new(options));
        run(BuiltinOperator::GATHER, options, &operands).unwrap_err()
    }

    #[test]
    fn misfits_are_errors() {
        for (axis, batch_dims) in [(2, 0), (-3, 0), (0, 1), (1, 2), (1, -3), (1, 1)] {
            gather(&[3, 4], &[2], &[0, 1], axis, batch_dims);
        }
        for index in [-1, 3, i32::MAX] {
            let error = gather(&[3, 4], &[2], &[0, index], 0, 0);
            assert_eq!(error.kind(), ErrorKind::Record);
            assert!(error.to_string().contains("is not one of 3 positions"), "{error}");
        }
    }
}
