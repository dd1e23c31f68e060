//! circle's `ROPE`: rotary position embeddings, `[.., head]` with tables of sines and cosines.
//!
//! Semantics: ONE's `RoPE` for `GPT_NEOX`, the only mode that its kernels have. They read one row of each
//! table; here, tables of any shape that broadcasts to the input's are read where they lie.

use super::attributes::attributes;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::broadcast::Broadcast;
use crate::kernel::minmax;
use crate::kernel::rotary::rotate;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{BuiltinOptionsT, RoPEMode};
use crate::tensor::{DType, TensorType};

pub(super) struct Rope;

impl Rope {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, RoPEOptions);
        if options.mode != RoPEMode::GPT_NEOX {
            return Err(Error::model(format!("mode {:?} is not supported", options.mode)));
        }
        Ok(Box::new(Self))
    }

    /// How rows meet, and their length.
    fn rows(inputs: &Inputs) -> Result<(Broadcast<3>, usize)> {
        for i in 0..3 {
            inputs.expect_dtype(i, DType::F32)?;
        }
        let shapes = [inputs.shape(0)?, inputs.shape(1)?, inputs.shape(2)?];
        let misfit = || {
            let [input, sin, cos] = shapes;
            Error::model(format!("tables of shapes {sin:?} and {cos:?} do not turn {input:?}"))
        };
        let lasts = shapes.map(|shape| shape.split_last());
        let [Some((&head, input)), Some((&sin_head, sin)), Some((&cos_head, cos))] = lasts else {
            return Err(misfit());
        };
        if sin_head != head || cos_head != head {
            return Err(misfit());
        }
        if head % 2 != 0 {
            return Err(Error::model(format!("{head} elements have no halves")));
        }
        let (rows, shape) = Broadcast::new([input, sin, cos]).ok_or_else(misfit)?;
        if shape == input { Ok((rows, head)) } else { Err(misfit()) }
    }
}

impl Operator for Rope {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Self::rows(inputs)?;
        Ok(vec![TensorType::new(DType::F32, inputs.shape(0)?)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (rows, head) = Self::rows(context.inputs)?;
        Ok(Prepared::eval(Observe::Fused, move |context| {
            let isa = context.isa();
            let operands = [context.input(0), context.input(1), context.input(2)];
            let output = context.output(0);
            let mut observed = rotate(isa, &rows, head, operands, output);
            if observed.needs_rescan() {
                observed = minmax::scan(isa, output);
            }
            context.observe(0, observed);
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, RoPEOptionsT};

    fn rope(mode: RoPEMode, shapes: [&[usize]; 3]) -> Result<Vec<f32>> {
        let options = BuiltinOptionsT::RoPEOptions(Box::new(RoPEOptionsT { mode }));
        let operands = shapes.map(|shape| {
            let n = shape.iter().product();
            Some(Operand::input(shape, &(0..n).map(|i| i as f32).collect::<Vec<_>>()))
        });
        Ok(run(BuiltinOperator::ROPE, options, &operands)?.as_slice().to_vec())
    }

    #[test]
    fn halves_are_turned() {
        let mode = RoPEMode::GPT_NEOX;
        // x = [0 1 2 3], sin = cos = [0 1 2 3].
        let turned = [0.0 - 0.0, 1.0 - 3.0, 0.0 + 4.0, 3.0 + 9.0];
        assert_eq!(rope(mode, [&[1, 1, 1, 4], &[1, 4], &[4]]).unwrap(), turned);
        // The second row meets the second row of each table.
        let rows = rope(mode, [&[1, 2, 4], &[2, 4], &[1, 2, 4]]).unwrap();
        assert_eq!(rows[..4], turned);
        assert_eq!(rows[4..], [16.0 - 24.0, 25.0 - 35.0, 24.0 + 36.0, 35.0 + 49.0]);
    }

    #[test]
    fn misfits_are_errors() {
        let error = |mode, shapes| rope(mode, shapes).unwrap_err().to_string();
        let neox = RoPEMode::GPT_NEOX;
        assert!(error(RoPEMode::GPT_J, [&[1, 4], &[4], &[4]]).contains("GPT_J is not supported"));
        assert!(error(RoPEMode(9), [&[1, 4], &[4], &[4]]).contains("is not supported"));
        assert!(error(neox, [&[1, 3], &[3], &[3]]).contains("have no halves"));
        assert!(error(neox, [&[1, 4], &[2], &[4]]).contains("do not turn"));
        assert!(error(neox, [&[3, 4], &[2, 4], &[4]]).contains("do not turn"));
        assert!(error(neox, [&[1, 4], &[2, 4], &[4]]).contains("do not turn"));
        assert!(error(neox, [&[4], &[4], &[]]).contains("do not turn"));
    }
}
