//! StableHLO's `iota`: positions along an axis.

use bytemuck::Pod;

use super::attributes::{around, attributes_2, axis_in};
use super::combination::is_whole;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptions2T;
use crate::tensor::{DType, TensorType};

pub(super) struct Iota {
    axis: i64,
}

impl Iota {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self { axis: attributes_2!(node, StablehloIotaOptions).iota_dimension }))
    }
}

impl Operator for Iota {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let output = inputs.declared(0)?.tensor_type()?;
        axis_in(self.axis, output.shape.len())?;
        let dtype = output.dtype;
        if !(matches!(dtype, DType::F32 | DType::F64) || is_whole(dtype)) {
            return Err(Error::model(format!("{dtype} elements are not supported")));
        }
        Ok(vec![output])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let TensorType { dtype, shape } = &context.outputs[0];
        let [_, n, inner] = around(shape, axis_in(self.axis, shape.len())?)?;
        let dtype = *dtype;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            match dtype {
                DType::F32 => fill(n, inner, context, |i| i as f32),
                DType::F64 => fill(n, inner, context, |i| i as f64),
                DType::I8 | DType::U8 => fill(n, inner, context, |i| i as u8),
                DType::I16 | DType::U16 => fill(n, inner, context, |i| i as u16),
                DType::I32 | DType::U32 => fill(n, inner, context, |i| i as u32),
                _ => fill(n, inner, context, |i| i as u64),
            }
            Ok(())
        }))
    }
}

fn fill<T: Pod>(n: usize, inner: usize, context: &mut EvalContext<'_>, number: fn(usize) -> T) {
    let runs = context.output::<T>(0).chunks_exact_mut(inner.max(1));
    runs.zip((0..n).cycle()).for_each(|(to, i)| to.fill(number(i)));
}
