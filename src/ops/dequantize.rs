//! `DEQUANTIZE`: what quantized numbers stand for, and float16 widened.
//!
//! Semantics: TFLite's `dequantize.cc`; `scale * (value - zero point)`, for one scale or one for each slice.

use super::scales::{Scales, is_quantized};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

pub(super) struct Dequantize;

impl Dequantize {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for Dequantize {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let info = inputs.required(0)?;
        let input = &info.tensor_type;
        if is_quantized(input.dtype) {
            Scales::of(info)?;
        } else if input.dtype != DType::F16 {
            return Err(Error::model(format!("{} cannot be dequantized", input.dtype)));
        }
        Ok(vec![TensorType::new(DType::F32, input.shape.clone())])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let info = context.inputs.required(0)?;
        let dtype = info.tensor_type.dtype;
        if dtype == DType::F16 {
            return Ok(Prepared::eval(Observe::Scan, |context| {
                let input = context.input::<u16>(0);
                for (to, &bits) in context.output::<f32>(0).iter_mut().zip(input) {
                    *to = half::f16::from_bits(bits).to_f32();
                }
                Ok(())
            }));
        }
        let scales = Scales::of(info)?;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let input = context.input::<u8>(0);
            scales.dequantize_bytes(dtype, input, 0, context.output(0));
            Ok(())
        }))
    }
}
