//! Tensors made of values at positions: `SCATTER_ND`, which adds them up, and `SPARSE_TO_DENSE`, in which
//! the last one counts.
//!
//! Semantics: TFLite's `scatter_nd.cc` and `sparse_to_dense.cc`; integers wrap.

use bytemuck::Pod;

use super::attributes::element_len;
use super::gather_nd::{offset, split_by_indices};
use super::indices::{Indices, constant_shape, index_type};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType, num_elements};

pub(super) struct ScatterNd;

impl ScatterNd {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for ScatterNd {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        index_type(inputs, 0)?;
        let (indices, updates) = (inputs.shape(0)?, &inputs.required(1)?.tensor_type);
        let small = [DType::Bool, DType::I8, DType::U8, DType::I16];
        let dtype = updates.dtype;
        if !(small.contains(&dtype) || matches!(dtype, DType::F32 | DType::I32 | DType::I64)) {
            return Err(Error::model(format!("{dtype} elements are not supported")));
        }
        let shape = constant_shape(inputs, 2)?;
        let (_, slice) = split_by_indices(&shape, indices)?;
        let expected = [&indices[..indices.len() - 1], slice].concat();
        if updates.shape != expected {
            return Err(Error::model(format!(
                "values of shape {:?} are not {expected:?}, as indices of shape {indices:?} into \
                 shape {shape:?} want",
                updates.shape
            )));
        }
        Ok(vec![TensorType::new(updates.dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let TensorType { dtype, shape } = &context.outputs[0];
        let (dims, slice) = split_by_indices(shape, context.inputs.shape(0)?)?;
        let len = num_elements(slice).ok_or_else(|| Error::model("a slice is too large"))?;
        let index_type = index_type(context.inputs, 0)?;
        let (dtype, scatter) = (*dtype, Scatter { dims: dims.to_vec(), len, index_type });
        Ok(Prepared::eval(Observe::Scan, move |context| match dtype {
            DType::F32 => scatter.add(context, |sum: &mut f32, x| *sum += x),
            DType::Bool => scatter.add(context, |any: &mut u8, x| *any |= x),
            DType::U8 | DType::I8 => {
                scatter.add(context, |sum: &mut u8, x| *sum = sum.wrapping_add(x))
            }
            DType::I16 => scatter.add(context, |sum: &mut i16, x| *sum = sum.wrapping_add(x)),
            DType::I32 => scatter.add(context, |sum: &mut i32, x| *sum = sum.wrapping_add(x)),
            _ => scatter.add(context, |sum: &mut i64, x| *sum = sum.wrapping_add(x)),
        }))
    }
}

struct Scatter {
    /// The axes that are indexed.
    dims: Vec<usize>,
    /// Elements of a slice behind them.
    len: usize,
    index_type: DType,
}

impl Scatter {
    fn add<T: Pod>(&self, context: &mut EvalContext<'_>, add: fn(&mut T, T)) -> Result<()> {
        let indices = Indices::of(context, 0, self.index_type);
        let (updates, output) = (context.input::<T>(1), context.output::<T>(0));
        output.fill(T::zeroed());
        if updates.is_empty() {
            return Ok(());
        }
        for (i, from) in updates.chunks_exact(self.len).enumerate() {
            let at = offset(indices, i, &self.dims)? * self.len;
            output[at..][..self.len].iter_mut().zip(from).for_each(|(to, &x)| add(to, x));
        }
        Ok(())
    }
}

pub(super) struct SparseToDense;

impl SparseToDense {
    /// Whether indices are valid is always checked.
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for SparseToDense {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        index_type(inputs, 0)?;
        let (indices, values) = (inputs.shape(0)?, &inputs.required(2)?.tensor_type);
        inputs.expect_dtype(3, values.dtype)?;
        element_len(values.dtype)?;
        let shape = constant_shape(inputs, 1)?;
        let (count, depth) = match *indices {
            [] => (1, 1),
            [count] => (count, 1),
            [count, depth] => (count, depth),
            _ => return Err(Error::model(format!("indices have shape {indices:?}"))),
        };
        let is_one = num_elements(inputs.shape(3)?) == Some(1);
        if depth != shape.len() || !(values.shape.is_empty() || values.shape == [count]) || !is_one
        {
            return Err(Error::model(format!(
                "indices of shape {indices:?} and values of shape {:?} do not fill shape {shape:?}",
                values.shape
            )));
        }
        Ok(vec![TensorType::new(values.dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let TensorType { dtype, shape } = &context.outputs[0];
        let (len, dims) = (element_len(*dtype)?, shape.clone());
        let index_type = index_type(context.inputs, 0)?;
        let is_one = context.inputs.shape(2)?.is_empty();
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let indices = Indices::of(context, 0, index_type);
            let (values, default) = (context.input::<u8>(2), context.input::<u8>(3));
            let output = context.output::<u8>(0);
            output.chunks_exact_mut(len).for_each(|to| to.copy_from_slice(default));
            for i in 0..indices.len().checked_div(dims.len()).unwrap_or(0) {
                let at = offset(indices, i, &dims)? * len;
                let value = if is_one { values } else { &values[i * len..][..len] };
                output[at..][..len].copy_from_slice(value);
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
    fn misfits_of_scatter_are_errors() {
        let scatter = |indices: &[usize], of: &[i32], values: &[usize], shape: &[i32]| {
            let operands = [
                Some(Operand::indices(indices, of)),
                Some(Operand::input(values, &vec![0.0; values.iter().product()])),
                Some(Operand::indices(&[shape.len()], shape)),
            ];
            let error = run(BuiltinOperator::SCATTER_ND, BuiltinOptionsT::NONE, &operands);
            error.unwrap_err().kind()
        };
        assert_eq!(scatter(&[1, 1], &[3], &[1], &[3]), ErrorKind::Record);
        assert_eq!(scatter(&[1, 1], &[-1], &[1], &[3]), ErrorKind::Record);
        assert_eq!(scatter(&[1, 1], &[0], &[1], &[-3]), ErrorKind::Model);
        assert_eq!(scatter(&[1, 1], &[0], &[2], &[3]), ErrorKind::Model);
        assert_eq!(scatter(&[1, 2], &[0, 0], &[1], &[3]), ErrorKind::Model);
        assert_eq!(scatter(&[], &[0], &[], &[3]), ErrorKind::Model);
    }

    #[test]
    fn misfits_of_sparse_to_dense_are_errors() {
        let scatter = |indices: &[usize], of: &[i32], values: &[usize], shape: &[i32]| {
            let operands = [
                Some(Operand::indices(indices, of)),
                Some(Operand::indices(&[shape.len()], shape)),
                Some(Operand::input(values, &vec![0.0; values.iter().product()])),
                Some(Operand::input(&[], &[0.0])),
            ];
            let result = run(BuiltinOperator::SPARSE_TO_DENSE, BuiltinOptionsT::NONE, &operands);
            result.map_err(|error| error.kind()).err()
        };
        assert_eq!(scatter(&[2, 1], &[0, 2], &[2], &[3]), None);
        assert_eq!(scatter(&[], &[2], &[], &[3]), None);
        // An index outside; negative ones are outside too.
        assert_eq!(scatter(&[1], &[3], &[1], &[3]), Some(ErrorKind::Record));
        assert_eq!(scatter(&[1], &[-1], &[1], &[3]), Some(ErrorKind::Record));
        // A negative dimension, too many values, too few dimensions in an index, too many of indices.
        assert_eq!(scatter(&[1], &[0], &[1], &[-3]), Some(ErrorKind::Model));
        assert_eq!(scatter(&[1], &[0], &[2], &[3]), Some(ErrorKind::Model));
        assert_eq!(scatter(&[1, 1], &[0], &[1], &[3, 3]), Some(ErrorKind::Model));
        assert_eq!(scatter(&[1, 1, 1], &[0], &[1], &[3]), Some(ErrorKind::Model));
    }
}
