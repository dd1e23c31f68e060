//! `EMBEDDING_LOOKUP_SPARSE`: weighted sums of rows of a table, one for each row of a sparse tensor of row
//! numbers, perhaps divided by what the weights amount to.
//!
//! Semantics: TFLite's `embedding_lookup_sparse.cc`: what belongs to a sum comes together; a sum that is
//! begun again goes on from what it was divided to.

use super::attributes::attributes;
use super::indices::{constant_shape, position};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{BuiltinOptionsT, CombinerType};
use crate::tensor::{DType, TensorType, num_elements};

pub(super) struct LookupSparse {
    combiner: CombinerType,
}

impl LookupSparse {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let combiner = attributes!(node, EmbeddingLookupSparseOptions).combiner;
        match combiner {
            CombinerType::SUM | CombinerType::MEAN | CombinerType::SQRTN => {
                Ok(Box::new(Self { combiner }))
            }
            other => Err(Error::model(format!("combiner {other:?} is not known"))),
        }
    }
}

impl Operator for LookupSparse {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        for i in 0..3 {
            inputs.expect_dtype(i, DType::I32)?;
        }
        inputs.expect_dtype(3, DType::F32)?;
        inputs.expect_dtype(4, DType::F32)?;
        let ([ids], [count, depth]) = (inputs.shape_of_rank(0)?, inputs.shape_of_rank(1)?);
        let ([weights], table) = (inputs.shape_of_rank(3)?, inputs.shape(4)?);
        let sparse = constant_shape(inputs, 2)?;
        if ids != count || weights != count || depth != sparse.len() || table.len() < 2 {
            return Err(Error::model(format!(
                "{ids} row numbers, {count} positions, {weights} weights, a sparse tensor of shape \
                 {sparse:?} and a table of shape {table:?} do not fit"
            )));
        }
        let Some((_, rows)) = sparse.split_last() else {
            return Err(Error::model("a sparse scalar has no rows"));
        };
        Ok(vec![TensorType::new(DType::F32, [rows, &table[1..]].concat())])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let table = context.inputs.shape(4)?;
        let len = num_elements(&table[1..]).ok_or_else(|| Error::model("a row is too large"))?;
        let dims = constant_shape(context.inputs, 2)?;
        let lookup = Lookup { combiner: self.combiner, len, rows: table[0], dims };
        Ok(Prepared::eval(Observe::Scan, move |context| lookup.run(context)))
    }
}

struct Lookup {
    combiner: CombinerType,
    /// Elements of a row of the table.
    len: usize,
    rows: usize,
    /// Shape of the sparse tensor.
    dims: Vec<usize>,
}

/// A sum in the making.
#[derive(Default)]
struct Sum {
    at: usize,
    terms: usize,
    weights: f32,
    squares: f32,
}

impl Lookup {
    fn run(&self, context: &mut EvalContext<'_>) -> Result<()> {
        let (ids, indices) = (context.input::<i32>(0), context.input::<i32>(1));
        let (weights, table) = (context.input::<f32>(3), context.input::<f32>(4));
        let output = context.output::<f32>(0);
        output.fill(0.0);
        let depth = self.dims.len();
        let mut sum = Sum::default();
        for (i, (&id, &weight)) in ids.iter().zip(weights).enumerate() {
            let row = position(id.into(), self.rows)?;
            let place = self.dims[..depth - 1].iter().zip(&indices[i * depth..]);
            let at = place.into_iter().try_fold(0, |at, (&n, &index)| {
                Ok::<_, Error>(at * n + position(index.into(), n)?)
            })?;
            if at != sum.at {
                self.finish(&sum, output);
                sum = Sum { at, ..Sum::default() };
            }
            sum.terms += 1;
            sum.weights += weight;
            sum.squares += weight * weight;
            let to = output[at * self.len..][..self.len].iter_mut();
            to.zip(&table[row * self.len..][..self.len]).for_each(|(to, x)| *to += x * weight);
        }
        self.finish(&sum, output);
        Ok(())
    }

    fn finish(&self, sum: &Sum, output: &mut [f32]) {
        let divisor = match self.combiner {
            CombinerType::MEAN => sum.weights,
            CombinerType::SQRTN => sum.squares.sqrt(),
            _ => return,
        };
        if sum.terms > 0 {
            output[sum.at * self.len..][..self.len].iter_mut().for_each(|to| *to /= divisor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::ops::testing::{Operand, run};
    use crate::schema::BuiltinOperator;

    #[test]
    fn misfits_are_errors() {
        let lookup = |id, index: [i32; 2], shape: &[i32], weights: &[f32]| {
            let operands = [
                Some(Operand::indices(&[1], &[id])),
                Some(Operand::indices(&[1, 2], &index)),
                Some(Operand::indices(&[shape.len()], shape)),
                Some(Operand::input(&[weights.len()], weights)),
                Some(Operand::constant(&[3, 2], &[0.0; 6])),
            ];
            let code = BuiltinOperator::EMBEDDING_LOOKUP_SPARSE;
            run(code, BuiltinOptionsT::NONE, &operands).unwrap_err().kind()
        };
        assert_eq!(lookup(3, [0, 0], &[2, 2], &[1.0]), ErrorKind::Record);
        assert_eq!(lookup(0, [2, 0], &[2, 2], &[1.0]), ErrorKind::Record);
        assert_eq!(lookup(0, [-1, 0], &[2, 2], &[1.0]), ErrorKind::Record);
        assert_eq!(lookup(0, [0, 0], &[2], &[1.0]), ErrorKind::Model);
        assert_eq!(lookup(0, [0, 0], &[2, 2], &[1.0; 2]), ErrorKind::Model);
    }
}
