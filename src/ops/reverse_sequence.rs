//! `REVERSE_SEQUENCE`: turns the first elements along an axis around, how many is told for each position
//! of another axis.
//!
//! Semantics: TFLite's `reverse_sequence.cc`, any element type of whole bytes.

use bytemuck::Pod;

use super::attributes::{around, attributes, axis_in, element_len};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

pub(super) struct ReverseSequence {
    sequence: i32,
    batch: i32,
}

impl ReverseSequence {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, ReverseSequenceOptions);
        Ok(Box::new(Self { sequence: options.seq_dim, batch: options.batch_dim }))
    }

    /// The axes of the sequences and of the batch.
    fn axes(&self, inputs: &Inputs) -> Result<(usize, usize)> {
        let shape = inputs.shape(0)?;
        let sequence = axis_in(self.sequence.into(), shape.len())?;
        let batch = axis_in(self.batch.into(), shape.len())?;
        if sequence == batch {
            return Err(Error::model(format!("axis {batch} cannot be sequence and batch")));
        }
        let [lengths] = inputs.shape_of_rank(1)?;
        if lengths != shape[batch] {
            return Err(Error::model(format!(
                "{lengths} lengths do not fit axis {batch} of shape {shape:?}"
            )));
        }
        match inputs.required(1)?.tensor_type.dtype {
            DType::I32 | DType::I64 => Ok((sequence, batch)),
            other => Err(Error::model(format!("{other} elements are no lengths"))),
        }
    }
}

impl Operator for ReverseSequence {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        self.axes(inputs)?;
        Ok(vec![inputs.required(0)?.tensor_type.clone()])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (sequence, batch) = self.axes(context.inputs)?;
        let TensorType { dtype, shape } = &context.inputs.required(0)?.tensor_type;
        let element = element_len(*dtype)?;
        let [outer, first, rest] = around(shape, sequence.min(batch))?;
        let [_, second, run] = around(shape, sequence.max(batch))?;
        let between = rest.checked_div(second * run).unwrap_or(0);
        let layout = Layout {
            extents: [outer, first, between, second],
            run: run * element,
            is_sequence_first: sequence < batch,
        };
        let is_wide = context.inputs.required(1)?.tensor_type.dtype == DType::I64;
        Ok(Prepared::eval(Observe::SameAs(0), move |context| {
            if is_wide { layout.turn::<i64>(context) } else { layout.turn::<i32>(context) }
        }))
    }
}

struct Layout {
    /// Of what is before, between and on the two axes, `[outer, first axis, between, second axis]`.
    extents: [usize; 4],
    /// Bytes behind both axes.
    run: usize,
    is_sequence_first: bool,
}

impl Layout {
    fn turn<T: Pod + Into<i64>>(&self, context: &mut EvalContext<'_>) -> Result<()> {
        let (input, lengths) = (context.input::<u8>(0), context.input::<T>(1));
        let [outer, first, between, second] = self.extents;
        let n = if self.is_sequence_first { first } else { second };
        for &length in lengths {
            let length: i64 = length.into();
            if length > n as i64 {
                return Err(Error::record(format!("a sequence of {length} elements among {n}")));
            }
        }
        if input.is_empty() {
            return Ok(());
        }
        let mut runs = context.output::<u8>(0).chunks_exact_mut(self.run);
        // How far apart positions of the two axes are, in runs.
        let strides = [between * second, 1];
        for at in 0..outer * first {
            for at in (0..between).map(|i| at * between + i) {
                for (i, to) in runs.by_ref().take(second).enumerate() {
                    let positions = [at / between % first, i];
                    let (s, b) = if self.is_sequence_first { (0, 1) } else { (1, 0) };
                    let length: i64 = lengths[positions[b]].into();
                    let position = positions[s];
                    // Sequences of negative lengths are empty.
                    let other = match usize::try_from(length) {
                        Ok(length) if position < length => length - 1 - position,
                        _ => position,
                    };
                    let from = at * second + i + other * strides[s] - position * strides[s];
                    to.copy_from_slice(&input[from * self.run..][..self.run]);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, ReverseSequenceOptionsT};

    #[test]
    fn misfits_are_errors() {
        let reverse = |lengths: &[i32], seq_dim, batch_dim| {
            let options = ReverseSequenceOptionsT { seq_dim, batch_dim };
            let options = BuiltinOptionsT::ReverseSequenceOptions(Box::new(options));
            let lengths = Operand::indices(&[lengths.len()], lengths);
            let operands = [Some(Operand::input(&[2, 3], &[0.0; 6])), Some(lengths)];
            run(BuiltinOperator::REVERSE_SEQUENCE, options, &operands).unwrap_err()
        };
        assert_eq!(reverse(&[1, 4], 1, 0).kind(), ErrorKind::Record);
        for (lengths, seq_dim, batch_dim) in
            [(&[1][..], 1, 0), (&[1, 2], 1, 1), (&[1, 2], 2, 0), (&[1, 2], 1, -3)]
        {
            assert_eq!(reverse(lengths, seq_dim, batch_dim).kind(), ErrorKind::Model);
        }
    }
}
