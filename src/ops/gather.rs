//! `GATHER`: slices of a tensor, chosen by a tensor of indices.
//!
//! The slices lie along an axis; the first `batch_dims` dimensions are common to both tensors. Semantics:
//! TFLite's `gather.cc`, any element type of whole bytes; of a constant of INT4, elements become INT8.

use bytemuck::Pod;

use super::attributes::{attributes, axis_in, element_len};
use super::scales::unpacked;
use crate::error::{Error, Result};
use crate::graph::{Constant, Node};
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType, num_elements};

pub(super) struct Gather {
    /// Positions of the inputs.
    pub(super) values: usize,
    pub(super) indices: usize,
    pub(super) axis: i32,
    pub(super) batch_dims: i32,
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
        let dtype = match inputs.required(self.values)?.tensor_type.dtype {
            DType::I4 => DType::I8,
            other => other,
        };
        Ok(vec![TensorType::new(dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let inputs = context.inputs;
        let (axis, batch_dims) = self.axes(inputs)?;
        let (values, indices) = (self.values, self.indices);
        let shape = inputs.shape(values)?;
        let values_dtype = inputs.required(values)?.tensor_type.dtype;
        let whole = match values_dtype {
            DType::I4 => Some(whole_bytes(inputs.constant(values)?, shape)),
            _ => None,
        };
        let element = if whole.is_some() { 1 } else { element_len(values_dtype)? };
        let layout = Layout {
            outer: shape[batch_dims..axis].iter().product(),
            positions: shape[axis],
            run: shape[axis + 1..].iter().product::<usize>() * element,
            indices: inputs.shape(indices)?[batch_dims..].iter().product(),
        };
        let dtype = inputs.required(indices)?.tensor_type.dtype;
        let held = whole.as_ref().map_or(0, Vec::len);
        let prepared = Prepared::eval(Observe::Scan, move |context| {
            let values = whole.as_deref().unwrap_or_else(|| context.input(values));
            match dtype {
                DType::I16 => layout.gather::<i16>(values, indices, context),
                DType::I32 => layout.gather::<i32>(values, indices, context),
                _ => layout.gather::<i64>(values, indices, context),
            }
        });
        Ok(prepared.holding(held))
    }
}

impl Layout {
    fn gather<T: Pod + Into<i64>>(
        self,
        values: &[u8],
        indices: usize,
        context: &mut EvalContext<'_>,
    ) -> Result<()> {
        let indices = context.input::<T>(indices);
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
                let position = position_in(index.into(), self.positions)?;
                to.copy_from_slice(&from[position * self.run..][..self.run]);
            }
        }
        Ok(())
    }
}

/// `index` as one of so many positions.
pub(super) fn position_in(index: i64, positions: usize) -> Result<usize> {
    usize::try_from(index)
        .ok()
        .filter(|&i| i < positions)
        .ok_or_else(|| Error::record(format!("index {index} is not one of {positions} positions")))
}

/// Elements of four bits as bytes.
fn whole_bytes(constant: &Constant, shape: &[usize]) -> Vec<u8> {
    let elements = num_elements(shape).unwrap_or(0);
    bytemuck::cast_vec(unpacked(DType::I4, constant.bytes(), 0..elements))
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
