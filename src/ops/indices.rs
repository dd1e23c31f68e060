//! Operands that are indices, of any type that indices have.

use crate::error::{Error, Result};
use crate::operator::{EvalContext, Inputs};
use crate::tensor::DType;

/// The type of indices that input `i` has.
///
/// # Errors
/// If it is another one.
pub(super) fn index_type(inputs: &Inputs, i: usize) -> Result<DType> {
    match inputs.required(i)?.tensor_type.dtype {
        dtype @ (DType::I16 | DType::I32 | DType::I64) => Ok(dtype),
        other => Err(Error::model(format!("input {i} is {other}, which are no indices"))),
    }
}

/// The dimensions that input `i` lists, a constant of one axis.
///
/// # Errors
/// If it is not, or one is negative.
pub(super) fn constant_shape(inputs: &Inputs, i: usize) -> Result<Vec<usize>> {
    inputs.shape_of_rank::<1>(i)?;
    let dims = inputs.constant_indices(i)?;
    let shape: Option<Vec<usize>> = dims.iter().map(|&d| usize::try_from(d).ok()).collect();
    shape.ok_or_else(|| Error::model(format!("{dims:?} is no shape")))
}

/// The number that input `i` is, a constant of one element.
///
/// # Errors
/// If it is not one, or negative.
pub(super) fn constant_count(inputs: &Inputs, i: usize) -> Result<usize> {
    let values = inputs.constant_indices(i)?;
    match values[..] {
        [count] if count >= 0 => Ok(count as usize),
        _ => Err(Error::model(format!("input {i} is {values:?}, but must be one count"))),
    }
}

/// `index` as one of `n` positions.
///
/// # Errors
/// If it is none.
pub(super) fn position(index: i64, n: usize) -> Result<usize> {
    let position = usize::try_from(index).ok().filter(|&i| i < n);
    position.ok_or_else(|| Error::record(format!("index {index} is not one of {n} positions")))
}

/// The elements of an operand of indices.
#[derive(Clone, Copy)]
pub(super) enum Indices<'a> {
    I16(&'a [i16]),
    I32(&'a [i32]),
    I64(&'a [i64]),
}

impl<'a> Indices<'a> {
    /// Input `i`, which has an [`index_type`].
    pub(super) fn of(context: &EvalContext<'a>, i: usize, dtype: DType) -> Self {
        match dtype {
            DType::I16 => Self::I16(context.input(i)),
            DType::I32 => Self::I32(context.input(i)),
            _ => Self::I64(context.input(i)),
        }
    }

    pub(super) fn len(self) -> usize {
        match self {
            Self::I16(all) => all.len(),
            Self::I32(all) => all.len(),
            Self::I64(all) => all.len(),
        }
    }

    pub(super) fn at(self, i: usize) -> i64 {
        match self {
            Self::I16(all) => all[i].into(),
            Self::I32(all) => all[i].into(),
            Self::I64(all) => all[i],
        }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = i64> {
        (0..self.len()).map(move |i| self.at(i))
    }
}
