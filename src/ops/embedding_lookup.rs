//! `EMBEDDING_LOOKUP`: rows of a table, of quantized ones as the floats that they stand for.
//!
//! Semantics: TFLite's `embedding_lookup.cc`; input 0 is the indices, input 1 the table.

use super::gather::{Gather, position_in};
use super::scales::{Scales, is_quantized};
use crate::error::Result;
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

pub(super) struct EmbeddingLookup {
    /// Of elements as they are.
    plain: Gather,
}

impl EmbeddingLookup {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self { plain: Gather { values: 1, indices: 0, axis: 0, batch_dims: 0 } }))
    }

    fn dequantizes(inputs: &Inputs) -> Result<bool> {
        let dtype = inputs.required(1)?.tensor_type.dtype;
        Ok(is_quantized(dtype) && inputs.declared(0)?.dtype == DType::F32)
    }
}

impl Operator for EmbeddingLookup {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let types = self.plain.infer(inputs)?;
        if !Self::dequantizes(inputs)? {
            return Ok(types);
        }
        inputs.expect_dtype(0, DType::I32)?;
        Scales::of(inputs.required(1)?)?;
        Ok(types.into_iter().map(|it| TensorType::new(DType::F32, it.shape)).collect())
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let inputs = context.inputs;
        if !Self::dequantizes(inputs)? {
            return self.plain.prepare(context);
        }
        let table = inputs.required(1)?;
        let (dtype, shape) = (table.tensor_type.dtype, &table.tensor_type.shape);
        let (rows, row) = (shape[0], shape[1..].iter().product::<usize>());
        let scales = Scales::of(table)?;
        let dtype = scales.stored(dtype);
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let (indices, table) = (context.input::<i32>(0), context.input::<u8>(1));
            let output = context.output::<f32>(0).chunks_exact_mut(row.max(1));
            for (&index, to) in indices.iter().zip(output) {
                let first = position_in(index.into(), rows)? * row;
                scales.dequantize_bytes(dtype, table, first, to);
            }
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::graph::Quantization;
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};
    use crate::tensor::AlignedBuffer;

    #[test]
    fn rows_that_are_not_there() {
        let scales = Quantization { scale: vec![0.5], ..Quantization::default() };
        for (dtype, bytes) in [(DType::I8, &[1_u8, 2, 3, 4, 5, 6][..]), (DType::I4, &[1, 2, 3])] {
            let bytes = AlignedBuffer::copy_of(bytes);
            let table = Operand::typed(dtype, &[2, 3], bytes, Some(scales.clone()));
            let operands = [Some(Operand::indices(&[2], &[1, 2]).recorded()), Some(table)];
            let options = BuiltinOptionsT::NONE;
            let error = run(BuiltinOperator::EMBEDDING_LOOKUP, options, &operands).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Record);
            assert!(error.to_string().contains("index 2 is not one of 2 positions"), "{error}");
        }
    }
}
