//! StableHLO's `scatter`: a tensor in which elements are combined with updates, where indices say.
//!
//! Updates outside are left out, element by element. Semantics: the StableHLO specification, with the
//! functions of [`Body`](crate::graph::Body).

use bytemuck::Pod;

use super::attributes::attributes_2;
use super::combination::{Combination, for_numbers};
use super::indices::{Indices, index_type};
use super::stablehlo_gather::{Vectors, are_axes, list, others};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptions2T;
use crate::tensor::{DType, TensorType};

pub(super) struct StablehloScatter {
    combination: Combination,
    /// Axes of the updates that lie in a window.
    window: Vec<usize>,
    /// Axes of the operand that windows do not have in the updates.
    inserted: Vec<usize>,
    /// The axis of the operand that each number of an index vector is about.
    start_map: Vec<usize>,
    index_vector_dim: usize,
}

impl StablehloScatter {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes_2!(node, StablehloScatterOptions);
        Ok(Box::new(Self {
            combination: Combination::of_body(node)?,
            window: list(options.update_window_dims)?,
            inserted: list(options.inserted_window_dims)?,
            start_map: list(options.scatter_dims_to_operand_dims)?,
            index_vector_dim: list(Some(vec![options.index_vector_dim]))?[0],
        }))
    }

    fn check(&self, inputs: &Inputs) -> Result<()> {
        let (operand, indices) = (inputs.shape(0)?, inputs.shape(1)?);
        let updates = inputs.shape(2)?;
        let vector_len = match indices.get(self.index_vector_dim) {
            Some(&len) => Some(len),
            None => (self.index_vector_dim == indices.len()).then_some(1),
        };
        let mut batch = indices.to_vec();
        if self.index_vector_dim < indices.len() {
            batch.remove(self.index_vector_dim);
        }
        let scattered: Vec<usize> =
            others(&self.window, updates.len()).iter().map(|&axis| updates[axis]).collect();
        let fits = are_axes(&self.window, updates.len())
            && are_axes(&self.inserted, operand.len())
            && are_axes(&self.start_map, operand.len())
            && self.window.is_sorted()
            && self.window.len() + self.inserted.len() == operand.len()
            && vector_len == Some(self.start_map.len())
            && scattered == batch;
        if fits {
            return Ok(());
        }
        Err(Error::model(format!(
            "updates of shape {updates:?} at indices of shape {indices:?} do not fit shape {operand:?}"
        )))
    }
}

impl Operator for StablehloScatter {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let operand = &inputs.required(0)?.tensor_type;
        self.combination.check(operand.dtype)?;
        index_type(inputs, 1)?;
        inputs.expect_dtype(2, operand.dtype)?;
        if inputs.len() != 3 {
            return Err(Error::model("only one operand can be scattered into"));
        }
        self.check(inputs)?;
        Ok(vec![operand.clone()])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let TensorType { dtype, shape } = &context.outputs[0];
        let updates = context.inputs.shape(2)?.to_vec();
        let windowed = others(&self.inserted, shape.len());
        // For each axis of the updates that lies in windows, the axis of the operand.
        let mut axes = vec![None; updates.len()];
        for (&update, &operand) in self.window.iter().zip(&windowed) {
            axes[update] = Some(operand);
        }
        let scatter = Scatter {
            shape: shape.clone(),
            updates,
            axes,
            start_map: self.start_map.clone(),
            vectors: Vectors::new(context.inputs.shape(1)?, self.index_vector_dim)?,
            index_type: index_type(context.inputs, 1)?,
        };
        let (dtype, combination) = (*dtype, self.combination);
        Ok(Prepared::eval(Observe::Scan, move |context| {
            for_numbers!(dtype, combination, |join| scatter.run(context, join));
            Ok(())
        }))
    }
}

struct Scatter {
    shape: Vec<usize>,
    updates: Vec<usize>,
    /// For each axis of the updates the axis of the operand along which it lies; `None` for those of indices.
    axes: Vec<Option<usize>>,
    start_map: Vec<usize>,
    vectors: Vectors,
    index_type: DType,
}

impl Scatter {
    /// Goes through the updates in their order, a run at a time that lies along the operand's last axis.
    fn run<T: Pod>(&self, context: &mut EvalContext<'_>, join: fn(T, T) -> T) {
        let indices = Indices::of(context, 1, self.index_type);
        let (operand, updates) = (context.input::<T>(0), context.input::<T>(2));
        let output = context.output::<T>(0);
        output.copy_from_slice(operand);
        if updates.is_empty() || output.is_empty() {
            return;
        }
        let is_along_last = self
            .axes
            .last()
            .is_some_and(|axis| axis.is_some_and(|axis| axis + 1 == self.shape.len()));
        let run = if is_along_last { self.updates[self.updates.len() - 1] } else { 1 };
        let mut position = vec![0_i64; self.shape.len()];
        for (i, updates) in updates.chunks_exact(run).enumerate() {
            self.locate(indices, i * run, &mut position);
            let (first, outer) = match position.split_last() {
                Some((&first, outer)) => (first, outer),
                None => (0, &[][..]),
            };
            let axes = self.shape.iter().zip(outer);
            let row = axes.into_iter().try_fold(0, |at, (&n, &position)| {
                let position = usize::try_from(position).ok().filter(|&position| position < n)?;
                Some(at * n + position)
            });
            let Some(row) = row else { continue };
            let len = self.shape.last().copied().unwrap_or(1);
            // The part of the run that is inside.
            let before = usize::try_from(first.saturating_neg()).unwrap_or(0).min(run);
            let start = usize::try_from(first).unwrap_or(0).min(len);
            let inside = updates[before..].iter().zip(&mut output[row * len..][start..len]);
            inside.for_each(|(&update, to)| *to = join(*to, update));
        }
    }

    /// Where in the operand update `i` belongs.
    fn locate(&self, indices: Indices<'_>, i: usize, position: &mut [i64]) {
        position.fill(0);
        // Which index vector it belongs to, and where it is in the window.
        let (mut rest, mut vector, mut stride) = (i, 0, 1);
        for (n, axis) in self.updates.iter().zip(&self.axes).rev() {
            if let Some(axis) = axis {
                position[*axis] = (rest % n) as i64;
            } else {
                vector += rest % n * stride;
                stride *= n;
            }
            rest /= n;
        }
        for (k, &axis) in self.start_map.iter().enumerate() {
            let start = self.vectors.at(indices, vector, k);
            position[axis] = position[axis].saturating_add(start);
        }
    }
}
