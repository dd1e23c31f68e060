//! Where along an axis the extreme is: `ARG_MAX` and `ARG_MIN`.
//!
//! Semantics: TFLite's `arg_min_max.cc`: the first of equal elements; a NaN is passed over, and the first
//! position stands for an axis of them alone.

use std::cmp::Ordering;

use bytemuck::Pod;

use super::attributes::{around, attributes, constant_axis};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::reduce::{Reduction, extreme};
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{self, BuiltinOptionsT};
use crate::tensor::{DType, TensorType};

pub(super) struct ArgExtreme {
    reduction: Reduction,
    /// Type of the positions.
    output: schema::TensorType,
}

impl ArgExtreme {
    pub(super) fn max(node: &Node) -> Result<Box<dyn Operator>> {
        let output = attributes!(node, ArgMaxOptions).output_type;
        Ok(Box::new(Self { reduction: Reduction::Max, output }))
    }

    pub(super) fn min(node: &Node) -> Result<Box<dyn Operator>> {
        let output = attributes!(node, ArgMinOptions).output_type;
        Ok(Box::new(Self { reduction: Reduction::Min, output }))
    }

    fn output(&self) -> Result<DType> {
        match self.output {
            schema::TensorType::INT32 => Ok(DType::I32),
            schema::TensorType::INT64 => Ok(DType::I64),
            other => Err(Error::model(format!("positions cannot be {other:?}"))),
        }
    }
}

impl Operator for ArgExtreme {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let TensorType { dtype, shape } = &inputs.required(0)?.tensor_type;
        let small = [DType::Bool, DType::I8, DType::U8, DType::I16];
        if !(small.contains(dtype) || matches!(dtype, DType::F32 | DType::I32 | DType::I64)) {
            return Err(Error::model(format!("{dtype} elements are not supported")));
        }
        let axis = constant_axis(inputs, 1, shape.len())?;
        let mut shape = shape.clone();
        if shape.remove(axis) == 0 {
            return Err(Error::model("an axis without elements has no extreme"));
        }
        Ok(vec![TensorType::new(self.output()?, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let TensorType { dtype, shape } = &context.inputs.required(0)?.tensor_type;
        let axis = constant_axis(context.inputs, 1, shape.len())?;
        let search = Search { extents: around(shape, axis)?, reduction: self.reduction };
        let (dtype, is_wide) = (*dtype, self.output()? == DType::I64);
        Ok(Prepared::eval(Observe::Scan, move |context| {
            if is_wide {
                search.run::<i64>(dtype, context, |position| position as i64);
            } else {
                search.run::<i32>(dtype, context, |position| position as i32);
            }
            Ok(())
        }))
    }
}

#[derive(Clone, Copy)]
struct Search {
    /// Elements before, along and behind the axis.
    extents: [usize; 3],
    reduction: Reduction,
}

impl Search {
    fn run<O: Pod>(self, dtype: DType, context: &mut EvalContext<'_>, to_output: fn(usize) -> O) {
        if self.extents.contains(&0) {
            return;
        }
        match dtype {
            DType::F32 if self.extents[2] == 1 => self.float_rows(context, to_output),
            DType::F32 => self.positions::<f32, O>(context, to_output),
            DType::I8 => self.positions::<i8, O>(context, to_output),
            DType::I16 => self.positions::<i16, O>(context, to_output),
            DType::I32 => self.positions::<i32, O>(context, to_output),
            DType::I64 => self.positions::<i64, O>(context, to_output),
            _ => self.positions::<u8, O>(context, to_output),
        }
    }

    /// Along the last axis: the extreme first, then its place.
    fn float_rows<O: Pod>(self, context: &mut EvalContext<'_>, to_output: fn(usize) -> O) {
        let (isa, input) = (context.isa(), context.input::<f32>(0));
        let rows = input.chunks_exact(self.extents[1]);
        for (to, row) in context.output::<O>(0).iter_mut().zip(rows) {
            let found = extreme(isa, self.reduction, row);
            *to = to_output(row.iter().position(|&x| x == found).unwrap_or(0));
        }
    }

    fn positions<T: Pod + PartialOrd, O: Pod>(
        self,
        context: &mut EvalContext<'_>,
        to_output: fn(usize) -> O,
    ) {
        let [_, n, inner] = self.extents;
        let wanted = match self.reduction {
            Reduction::Max => Ordering::Greater,
            _ => Ordering::Less,
        };
        let input = context.input::<T>(0);
        let blocks = input.chunks_exact(n * inner);
        for (to, block) in context.output::<O>(0).chunks_exact_mut(inner).zip(blocks) {
            for (i, to) in to.iter_mut().enumerate() {
                let (mut best, mut position) = (block[i], 0);
                for (at, &x) in block[i..].iter().step_by(inner).enumerate().skip(1) {
                    // Anything that equals itself is better than a NaN.
                    let is_better = x.partial_cmp(&best) == Some(wanted)
                        || (best.partial_cmp(&best).is_none() && x.partial_cmp(&x).is_some());
                    if is_better {
                        (best, position) = (x, at);
                    }
                }
                *to = to_output(position);
            }
        }
    }
}
