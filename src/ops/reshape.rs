//! The same elements in another shape: `RESHAPE`, `SQUEEZE`, `EXPAND_DIMS`.
//!
//! The output is the input's memory. Semantics: TFLite's kernels of these names, any element type.

use super::attributes::{attributes, axis_in};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{TensorType, num_elements};

pub(super) enum Reshape {
    /// To the shape of input 1, or of the attribute.
    To(Vec<i32>),
    /// Without these dimensions of length 1, or without all of them.
    Squeeze(Vec<i32>),
    /// With a dimension of length 1 at the axis in input 1.
    ExpandDims,
    /// As it is.
    Identity,
}

impl Reshape {
    pub(super) fn reshape(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, ReshapeOptions);
        Ok(Box::new(Self::To(options.new_shape.unwrap_or_default())))
    }

    pub(super) fn squeeze(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, SqueezeOptions);
        Ok(Box::new(Self::Squeeze(options.squeeze_dims.unwrap_or_default())))
    }

    pub(super) fn expand_dims(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::ExpandDims))
    }

    pub(super) fn identity(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Identity))
    }

    fn shape(&self, inputs: &Inputs) -> Result<Vec<usize>> {
        let shape = inputs.shape(0)?;
        match self {
            Self::To(attribute) => {
                let wanted = match inputs.optional(1) {
                    Some(_) => inputs.constant_indices(1)?,
                    // A lone zero is how old converters wrote a scalar.
                    None if attribute[..] == [0] => Vec::new(),
                    None => attribute.iter().map(|&d| d.into()).collect(),
                };
                fill_in(shape, &wanted)
            }
            Self::Squeeze(axes) => squeeze(shape, axes),
            Self::Identity => Ok(shape.to_vec()),
            Self::ExpandDims => {
                let axes = inputs.constant_indices(1)?;
                let [axis] = axes[..] else {
                    return Err(Error::model(format!("one axis is needed, not {axes:?}")));
                };
                let mut shape = shape.to_vec();
                shape.insert(axis_in(axis, shape.len() + 1)?, 1);
                Ok(shape)
            }
        }
    }
}

/// The wanted shape with its -1 replaced by what is left.
fn fill_in(shape: &[usize], wanted: &[i64]) -> Result<Vec<usize>> {
    let misfit = || Error::model(format!("shape {shape:?} cannot become {wanted:?}"));
    let elements = num_elements(shape).ok_or_else(misfit)?;
    let mut known = 1_usize;
    for &d in wanted.iter().filter(|&&d| d != -1) {
        let d = usize::try_from(d).map_err(|_| misfit())?;
        known = known.checked_mul(d).ok_or_else(misfit)?;
    }
    let left = match wanted.iter().filter(|&&d| d == -1).count() {
        0 if known == elements => 1,
        1 if known > 0 && elements % known == 0 => elements / known,
        _ => return Err(misfit()),
    };
    Ok(wanted.iter().map(|&d| usize::try_from(d).unwrap_or(left)).collect())
}

fn squeeze(shape: &[usize], axes: &[i32]) -> Result<Vec<usize>> {
    let mut dropped: Vec<bool> = shape.iter().map(|&n| axes.is_empty() && n == 1).collect();
    for &axis in axes {
        let axis = axis_in(axis.into(), shape.len())?;
        if shape[axis] != 1 {
            let n = shape[axis];
            return Err(Error::model(format!(
                "dimension {axis} of {shape:?} has length {n}, not 1"
            )));
        }
        dropped[axis] = true;
    }
    Ok(shape.iter().zip(dropped).filter(|(_, dropped)| !dropped).map(|(&n, _)| n).collect())
}

impl Operator for Reshape {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let dtype = inputs.required(0)?.tensor_type.dtype;
        Ok(vec![TensorType::new(dtype, self.shape(inputs)?)])
    }

    fn prepare(&self, _: &PrepareContext<'_>) -> Result<Prepared> {
        Ok(Prepared::alias(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        assert_eq!(fill_in(&[2, 3, 4], &[6, -1]).unwrap(), [6, 4]);
        assert_eq!(fill_in(&[1], &[]).unwrap(), [] as [usize; 0]);
        assert_eq!(fill_in(&[0, 3], &[3, 0]).unwrap(), [3, 0]);
        for wanted in [&[5, -1][..], &[-1, -1], &[25], &[-2, 12], &[0, -1]] {
            assert!(fill_in(&[2, 3, 4], wanted).is_err(), "{wanted:?}");
        }
        assert_eq!(squeeze(&[1, 2, 1], &[]).unwrap(), [2]);
        assert_eq!(squeeze(&[1, 2, 1], &[-1]).unwrap(), [1, 2]);
        assert!(squeeze(&[1, 2, 1], &[1]).is_err());
        assert!(squeeze(&[1, 2, 1], &[3]).is_err());
    }
}
