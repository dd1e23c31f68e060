//! Elements with others around and between them: StableHLO's `pad`, and `DILATE`.
//!
//! Axis by axis, `low` positions are put before the elements, `high` behind them, and `interior` between any
//! two; negative numbers of them take positions away. Semantics: the StableHLO specification, and TFLite's
//! `dilate.cc`; any element type of whole bytes.

use super::attributes::{attributes_2, element_len};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptions2T;
use crate::tensor::{TensorType, num_elements};

pub(super) enum Edges {
    /// By attributes; the value is in input 1.
    Pad { low: Vec<i64>, high: Vec<i64>, interior: Vec<i64> },
    /// By the distances of elements in input 1; the value is in input 2.
    Dilate,
}

/// What becomes of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edge {
    n: usize,
    low: i64,
    /// Distance of elements.
    step: i64,
    pub(super) output: usize,
}

impl Edge {
    /// An axis of `n` positions.
    ///
    /// # Errors
    /// If less than nothing is left, or positions are put between others a negative number of times.
    pub(super) fn new(n: usize, low: i64, high: i64, interior: i64) -> Result<Self> {
        let last = (n as i64).saturating_sub(1).max(0);
        let output = (0..i64::MAX)
            .contains(&interior)
            .then(|| last.checked_mul(interior)?.checked_add(n as i64)?.checked_add(low))
            .flatten()
            .and_then(|sum| usize::try_from(sum.checked_add(high)?).ok())
            .ok_or_else(|| {
                Error::model(format!(
                    "{n} positions cannot have {low} before, {high} behind and {interior} between them"
                ))
            })?;
        Ok(Self { n, low, step: interior + 1, output })
    }

    /// Number of elements.
    pub(super) fn len(self) -> usize {
        self.n
    }

    fn is_plain(self) -> bool {
        self.low == 0 && self.step == 1 && self.output == self.n
    }

    /// The element at a position of the output.
    pub(super) fn element_at(self, position: i64) -> Option<usize> {
        let from_first = position.checked_sub(self.low)?;
        let (element, between) =
            (from_first.div_euclid(self.step), from_first.rem_euclid(self.step));
        usize::try_from(element).ok().filter(|&element| between == 0 && element < self.n)
    }

    /// Where an element goes, if it is left.
    pub(super) fn position_of(self, element: usize) -> Option<usize> {
        let position = (element as i64).checked_mul(self.step)?.checked_add(self.low)?;
        usize::try_from(position).ok().filter(|&position| position < self.output)
    }
}

impl Edges {
    pub(super) fn pad(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes_2!(node, StablehloPadOptions);
        Ok(Box::new(Self::Pad {
            low: options.edge_padding_low.unwrap_or_default(),
            high: options.edge_padding_high.unwrap_or_default(),
            interior: options.interior_padding.unwrap_or_default(),
        }))
    }

    pub(super) fn dilate(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Dilate))
    }

    fn edges(&self, inputs: &Inputs) -> Result<Vec<Edge>> {
        let shape = inputs.shape(0)?;
        let rank = shape.len();
        let misfit = || Error::model(format!("borders do not fit an input of {rank} dimensions"));
        match self {
            Self::Pad { low, high, interior } => {
                if [low.len(), high.len(), interior.len()] != [rank; 3] {
                    return Err(misfit());
                }
                let axes = shape.iter().zip(low).zip(high).zip(interior);
                axes.map(|(((&n, &low), &high), &interior)| Edge::new(n, low, high, interior))
                    .collect()
            }
            Self::Dilate => {
                let steps = inputs.constant_indices(1)?;
                if steps.len() != rank {
                    return Err(misfit());
                }
                let axes = shape.iter().zip(steps);
                axes.map(|(&n, step)| Edge::new(n, 0, 0, step.saturating_sub(1))).collect()
            }
        }
    }

    /// Which input has the value of the new positions.
    fn value(&self) -> usize {
        if let Self::Dilate = self { 2 } else { 1 }
    }
}

impl Operator for Edges {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let dtype = inputs.required(0)?.tensor_type.dtype;
        element_len(dtype)?;
        inputs.expect_dtype(self.value(), dtype)?;
        if num_elements(inputs.shape(self.value())?) != Some(1) {
            return Err(Error::model("borders have one value"));
        }
        let shape: Vec<usize> = self.edges(inputs)?.iter().map(|edge| edge.output).collect();
        Ok(vec![TensorType::new(dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (edges, value) = (self.edges(context.inputs)?, self.value());
        if edges.iter().all(|edge| edge.is_plain()) {
            return Ok(Prepared::alias(0));
        }
        let element = element_len(context.inputs.required(0)?.tensor_type.dtype)?;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let (from, value) = (context.input::<u8>(0), context.input::<u8>(value));
            let to = context.output::<u8>(0);
            to.chunks_exact_mut(element).for_each(|to| to.copy_from_slice(value));
            if !from.is_empty() && !to.is_empty() {
                place(&edges, from, to);
            }
            Ok(())
        }))
    }
}

/// Puts elements in their places; nothing is empty.
fn place(edges: &[Edge], from: &[u8], to: &mut [u8]) {
    let Some((edge, inner)) = edges.split_first() else {
        to.copy_from_slice(from);
        return;
    };
    if edges.iter().all(|edge| edge.is_plain()) {
        to.copy_from_slice(from);
        return;
    }
    let (from_len, to_len) = (from.len() / edge.n, to.len() / edge.output);
    for (i, from) in from.chunks_exact(from_len).enumerate() {
        if let Some(position) = edge.position_of(i) {
            place(inner, from, &mut to[position * to_len..][..to_len]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes() {
        let edge = Edge::new(3, 1, -2, 1).unwrap();
        assert_eq!(edge.output, 4);
        let elements: Vec<_> = (0..4).map(|at| edge.element_at(at)).collect();
        assert_eq!(elements, [None, Some(0), None, Some(1)]);
        assert_eq!([0, 1, 2].map(|i| edge.position_of(i)), [Some(1), Some(3), None]);
        assert_eq!(Edge::new(0, 2, 1, 5).unwrap().output, 3);
        for (low, high, interior) in
            [(-4, 0, 0), (0, 0, -1), (i64::MAX, 1, 0), (0, 0, i64::MAX), (i64::MIN, 0, 0)]
        {
            assert!(Edge::new(3, low, high, interior).is_err(), "{low} {high} {interior}");
        }
    }
}
