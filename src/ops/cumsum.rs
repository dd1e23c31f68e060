//! `CUMSUM`: sums of the elements up to each position of an axis.
//!
//! Semantics: TFLite's `cumsum.cc` for float32, int32 and int64; integers wrap.

use std::ops::AddAssign;

use bytemuck::Pod;

use super::attributes::{around, attributes, constant_axis};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

pub(super) struct CumSum {
    /// Whether a sum is without the element at its position.
    exclusive: bool,
    /// Whether sums run from the end.
    reverse: bool,
}

impl CumSum {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, CumsumOptions);
        Ok(Box::new(Self { exclusive: options.exclusive, reverse: options.reverse }))
    }
}

impl Operator for CumSum {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let input = &inputs.required(0)?.tensor_type;
        match input.dtype {
            DType::F32 | DType::I32 | DType::I64 => {}
            other => return Err(Error::model(format!("{other} elements are not supported"))),
        }
        constant_axis(inputs, 1, input.shape.len())?;
        Ok(vec![input.clone()])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let TensorType { dtype, shape } = &context.inputs.required(0)?.tensor_type;
        let axis = constant_axis(context.inputs, 1, shape.len())?;
        let (exclusive, reverse) = (self.exclusive, self.reverse);
        let sums = Sums { extents: around(shape, axis)?, exclusive, reverse };
        let dtype = *dtype;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            match dtype {
                DType::F32 => sums.run(context, |sum: &mut f32, x| sum.add_assign(x)),
                DType::I32 => sums.run(context, |sum: &mut i32, x| *sum = sum.wrapping_add(x)),
                _ => sums.run(context, |sum: &mut i64, x| *sum = sum.wrapping_add(x)),
            }
            Ok(())
        }))
    }
}

struct Sums {
    /// Elements before, along and behind the axis.
    extents: [usize; 3],
    exclusive: bool,
    reverse: bool,
}

impl Sums {
    fn run<T: Pod>(&self, context: &mut EvalContext<'_>, add: impl Fn(&mut T, T)) {
        let [_, n, inner] = self.extents;
        let (input, output) = (context.input::<T>(0), context.output::<T>(0));
        if input.is_empty() {
            return;
        }
        let position = |i: usize| if self.reverse { n - 1 - i } else { i };
        let blocks = output.chunks_exact_mut(n * inner).zip(input.chunks_exact(n * inner));
        for (to, from) in blocks {
            if inner == 1 {
                let mut sum = T::zeroed();
                for i in (0..n).map(position) {
                    if self.exclusive {
                        to[i] = sum;
                    }
                    add(&mut sum, from[i]);
                    if !self.exclusive {
                        to[i] = sum;
                    }
                }
                continue;
            }
            to[position(0) * inner..][..inner].fill(T::zeroed());
            for i in 0..n {
                let at = position(i) * inner;
                // The sums so far are in the row that they end with.
                if i > 0 {
                    let before = position(i - 1) * inner;
                    to.copy_within(before..before + inner, at);
                }
                let last = if self.exclusive { i.checked_sub(1) } else { Some(i) };
                if let Some(last) = last {
                    let row = &from[position(last) * inner..][..inner];
                    to[at..][..inner].iter_mut().zip(row).for_each(|(sum, &x)| add(sum, x));
                }
            }
        }
    }
}
