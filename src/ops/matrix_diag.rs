//! `MATRIX_DIAG` and `MATRIX_SET_DIAG`: matrices made from their diagonals, or with other diagonals.
//!
//! Semantics: TFLite's `matrix_diag.cc` and `matrix_set_diag.cc`, any element type of whole bytes; axes
//! before the last two are batches.

use super::attributes::element_len;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::TensorType;

pub(super) struct MatrixDiag;

pub(super) struct MatrixSetDiag;

impl MatrixDiag {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for MatrixDiag {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let mut matrix = inputs.required(0)?.tensor_type.clone();
        match matrix.shape.last() {
            Some(&n) => matrix.shape.push(n),
            None => return Err(Error::model("a scalar is no diagonal")),
        }
        Ok(vec![matrix])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let input = &context.inputs.required(0)?.tensor_type;
        let element = element_len(input.dtype)?;
        let n = input.shape.last().copied().unwrap_or(0);
        if input.num_elements() == Some(1) {
            return Ok(Prepared::alias(0));
        }
        let is_empty = input.num_elements() == Some(0);
        // A matrix of one element has nothing beside its diagonal.
        let observe = match n {
            _ if is_empty => Observe::Scan,
            1 => Observe::SameAs(0),
            _ => Observe::WithZero(0),
        };
        Ok(Prepared::eval(observe, move |context| {
            let diagonals = context.input::<u8>(0);
            let matrices = context.output::<u8>(0);
            matrices.fill(0);
            if !is_empty {
                set(diagonals, matrices, [n, n], element);
            }
            Ok(())
        }))
    }
}

impl MatrixSetDiag {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for MatrixSetDiag {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let matrix = &inputs.required(0)?.tensor_type;
        inputs.expect_dtype(1, matrix.dtype)?;
        let diagonal = inputs.shape(1)?;
        let fits = match &matrix.shape[..] {
            [batches @ .., rows, columns] => diagonal
                .split_last()
                .is_some_and(|(n, outer)| outer == batches && n == rows.min(columns)),
            _ => false,
        };
        if !fits {
            return Err(Error::model(format!(
                "a diagonal of shape {diagonal:?} does not fit {matrix}"
            )));
        }
        Ok(vec![matrix.clone()])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let matrix = &context.inputs.required(0)?.tensor_type;
        let element = element_len(matrix.dtype)?;
        let size = match matrix.shape[..] {
            [.., rows, columns] => [rows, columns],
            _ => [0, 0],
        };
        let is_empty = matrix.num_elements() == Some(0);
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let (from, diagonals) = (context.input::<u8>(0), context.input::<u8>(1));
            let matrices = context.output::<u8>(0);
            matrices.copy_from_slice(from);
            if !is_empty {
                set(diagonals, matrices, size, element);
            }
            Ok(())
        }))
    }
}

/// Writes diagonals into matrices; nothing is empty.
fn set(diagonals: &[u8], matrices: &mut [u8], [rows, columns]: [usize; 2], element: usize) {
    let diagonals = diagonals.chunks_exact(rows.min(columns) * element);
    for (diagonal, matrix) in diagonals.zip(matrices.chunks_exact_mut(rows * columns * element)) {
        for (i, value) in diagonal.chunks_exact(element).enumerate() {
            matrix[i * (columns + 1) * element..][..element].copy_from_slice(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    #[test]
    fn diagonals_that_do_not_fit() {
        let input = |shape: &[usize]| {
            Some(Operand::input(shape, &vec![1.0; shape.iter().product::<usize>()]))
        };
        let none = BuiltinOptionsT::NONE;
        run(BuiltinOperator::MATRIX_DIAG, none, &[input(&[])]).unwrap_err();
        for (matrix, diagonal) in [
            (&[2, 3][..], &[3][..]),
            (&[2, 3], &[1, 2]),
            (&[2, 3], &[]),
            (&[3], &[3]),
            (&[2, 2, 2], &[2]),
            (&[2, 2, 2], &[1, 2]),
        ] {
            let operands = [input(matrix), input(diagonal)];
            run(BuiltinOperator::MATRIX_SET_DIAG, BuiltinOptionsT::NONE, &operands).unwrap_err();
        }
    }
}
