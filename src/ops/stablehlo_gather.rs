//! StableHLO's `gather`: slices of a tensor from where indices say.
//!
//! Starts are moved so that slices are inside. Semantics: the StableHLO specification, any element type of
//! whole bytes.

use super::attributes::{attributes_2, element_len};
use super::boxes;
use super::indices::{Indices, index_type};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{BuiltinOptions2T, StablehloGatherOptionsT};
use crate::tensor::{DType, TensorType, num_elements};

pub(super) struct StablehloGather {
    /// Axes of the result that lie in a slice.
    offset_dims: Vec<usize>,
    /// Axes of the operand that slices do not have in the result.
    collapsed: Vec<usize>,
    /// The axis of the operand that each number of an index vector is about.
    start_map: Vec<usize>,
    index_vector_dim: usize,
    slice_sizes: Vec<usize>,
}

/// A list of axes or sizes.
pub(super) fn list(values: Option<Vec<i64>>) -> Result<Vec<usize>> {
    let values = values.unwrap_or_default();
    let list: Option<Vec<usize>> = values.iter().map(|&v| usize::try_from(v).ok()).collect();
    list.ok_or_else(|| Error::model(format!("{values:?} has negative numbers")))
}

/// Whether a list names different ones of `rank` axes.
pub(super) fn are_axes(list: &[usize], rank: usize) -> bool {
    list.iter().enumerate().all(|(i, axis)| *axis < rank && !list[..i].contains(axis))
}

/// The axes of `rank` that a list does not name.
pub(super) fn others(list: &[usize], rank: usize) -> Vec<usize> {
    (0..rank).filter(|axis| !list.contains(axis)).collect()
}

impl StablehloGather {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options: StablehloGatherOptionsT = attributes_2!(node, StablehloGatherOptions);
        Ok(Box::new(Self {
            offset_dims: list(options.offset_dims)?,
            collapsed: list(options.collapsed_slice_dims)?,
            start_map: list(options.start_index_map)?,
            index_vector_dim: list(Some(vec![options.index_vector_dim]))?[0],
            slice_sizes: list(options.slice_sizes)?,
        }))
    }

    /// The shape of the result.
    fn shape(&self, inputs: &Inputs) -> Result<Vec<usize>> {
        let (operand, indices) = (inputs.shape(0)?, inputs.shape(1)?);
        let misfit = || {
            Error::model(format!(
                "slices of {:?} at indices of shape {indices:?} do not fit shape {operand:?}",
                self.slice_sizes
            ))
        };
        let vector_len = match indices.get(self.index_vector_dim) {
            Some(&len) => len,
            None if self.index_vector_dim == indices.len() => 1,
            None => return Err(misfit()),
        };
        let rank = operand.len();
        let fits = self.slice_sizes.len() == rank
            && self.slice_sizes.iter().zip(operand).all(|(size, n)| size <= n)
            && self.collapsed.iter().all(|&axis| self.slice_sizes.get(axis) == Some(&1))
            && are_axes(&self.collapsed, rank)
            && are_axes(&self.start_map, rank)
            && self.start_map.len() == vector_len
            && self.collapsed.len() + self.offset_dims.len() == rank;
        let mut batch = indices.to_vec();
        if self.index_vector_dim < indices.len() {
            batch.remove(self.index_vector_dim);
        }
        let result_rank = batch.len() + self.offset_dims.len();
        if !fits || !are_axes(&self.offset_dims, result_rank) {
            return Err(misfit());
        }
        let mut sizes =
            others(&self.collapsed, rank).into_iter().map(|axis| self.slice_sizes[axis]);
        let mut batch = batch.into_iter();
        let dim = |axis: usize| {
            if self.offset_dims.contains(&axis) { sizes.next() } else { batch.next() }
        };
        (0..result_rank).map(dim).collect::<Option<_>>().ok_or_else(misfit)
    }
}

impl Operator for StablehloGather {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let dtype = inputs.required(0)?.tensor_type.dtype;
        element_len(dtype)?;
        index_type(inputs, 1)?;
        // Slices lie in the result in the order of their axes.
        if !self.offset_dims.is_sorted() || !self.collapsed.is_sorted() {
            return Err(Error::model("axes do not ascend"));
        }
        Ok(vec![TensorType::new(dtype, self.shape(inputs)?)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let operand = &context.inputs.required(0)?.tensor_type;
        let element = element_len(operand.dtype)?;
        let from_strides = boxes::strides(&operand.shape, element);
        let result = &context.outputs[0].shape;
        let to_strides = boxes::strides(result, element);
        let kept = others(&self.collapsed, operand.shape.len());
        let slice = kept
            .iter()
            .zip(&self.offset_dims)
            .map(|(&from, &to)| (self.slice_sizes[from], from_strides[from], to_strides[to]));
        let starts = self.start_map.iter().map(|&axis| Start {
            most: operand.shape[axis] - self.slice_sizes[axis],
            step: from_strides[axis],
        });
        let batch = others(&self.offset_dims, result.len());
        let gather = Gather {
            slice: slice.collect(),
            element,
            starts: starts.collect(),
            batch: batch.iter().map(|&axis| (result[axis], to_strides[axis])).collect(),
            vectors: Vectors::new(context.inputs.shape(1)?, self.index_vector_dim)?,
            index_type: index_type(context.inputs, 1)?,
        };
        Ok(Prepared::eval(Observe::Scan, move |context| {
            gather.run(context);
            Ok(())
        }))
    }
}

/// Where index vectors are in a tensor of indices.
pub(super) struct Vectors {
    /// Indices behind the axis of the vectors.
    inner: usize,
    /// Numbers of a vector.
    len: usize,
}

impl Vectors {
    pub(super) fn new(indices: &[usize], index_vector_dim: usize) -> Result<Self> {
        let count = |dims: &[usize]| {
            num_elements(dims).ok_or_else(|| Error::model("there are too many indices"))
        };
        match indices.get(index_vector_dim) {
            Some(&len) => Ok(Self { inner: count(&indices[index_vector_dim + 1..])?, len }),
            None => Ok(Self { inner: 1, len: 1 }),
        }
    }

    /// Number `k` of vector `i`.
    pub(super) fn at(&self, indices: Indices<'_>, i: usize, k: usize) -> i64 {
        let (outer, inner) = (i / self.inner, i % self.inner);
        indices.at((outer * self.len + k) * self.inner + inner)
    }
}

/// What a number of an index vector says.
struct Start {
    /// The last start from which a slice is inside.
    most: usize,
    /// Bytes from one start to the next.
    step: usize,
}

struct Gather {
    slice: Vec<boxes::Axis>,
    element: usize,
    starts: Vec<Start>,
    /// Lengths of the axes of the result outside of slices, and how far their positions are apart.
    batch: Vec<(usize, usize)>,
    vectors: Vectors,
    index_type: DType,
}

impl Gather {
    fn run(&self, context: &mut EvalContext<'_>) {
        let indices = Indices::of(context, 1, self.index_type);
        let (from, to) = (context.input::<u8>(0), context.output::<u8>(0));
        if to.is_empty() {
            return;
        }
        for i in 0..self.batch.iter().map(|axis| axis.0).product() {
            let starts = self.starts.iter().enumerate().map(|(k, start)| {
                let index = self.vectors.at(indices, i, k);
                usize::try_from(index).unwrap_or(0).min(start.most) * start.step
            });
            let (mut rest, mut at) = (i, 0);
            for (n, step) in self.batch.iter().rev() {
                at += rest % n * step;
                rest /= n;
            }
            boxes::copy(&self.slice, self.element, &from[starts.sum()..], &mut to[at..]);
        }
    }
}
