//! `DEQUANTIZE`: `scale * (value - zero point)`, and float16 widened.
//!
//! Semantics: TFLite's `dequantize.cc` and `per_channel_dequantize`.

use crate::error::{Error, Result};
use crate::graph::{Node, QuantizationDetails};
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

pub(super) struct Dequantize;

/// Scale and zero point of every slice along an axis.
struct Scales {
    scale: Vec<f32>,
    zero_point: Vec<i64>,
    /// Elements of one slice that lie side by side.
    run: usize,
}

impl Dequantize {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }

    fn scales(inputs: &Inputs) -> Result<Scales> {
        let info = inputs.required(0)?;
        let missing = || Error::model("the input has no scale to dequantize with");
        let parameters = info.quantization.as_ref().ok_or_else(missing)?;
        if parameters.details != QuantizationDetails::None {
            return Err(Error::model(format!(
                "the input is quantized by a scheme that is not known: {:?}",
                parameters.details
            )));
        }
        let scale = parameters.scale.clone();
        let mut zero_point = parameters.zero_point.clone();
        zero_point.resize(scale.len(), 0);
        let shape = &info.tensor_type.shape;
        let run = match scale.len() {
            0 => return Err(missing()),
            1 => info.tensor_type.num_elements().unwrap_or(0),
            n if shape.get(parameters.axis) == Some(&n) => {
                shape[parameters.axis + 1..].iter().product()
            }
            n => {
                return Err(Error::model(format!(
                    "{n} scales do not fit axis {} of shape {shape:?}",
                    parameters.axis
                )));
            }
        };
        Ok(Scales { scale, zero_point, run })
    }
}

impl Operator for Dequantize {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let input = &inputs.required(0)?.tensor_type;
        match input.dtype {
            DType::F16 => {}
            DType::I8 | DType::U8 | DType::I16 => {
                Self::scales(inputs)?;
            }
            other => return Err(Error::model(format!("{other} cannot be dequantized"))),
        }
        Ok(vec![TensorType::new(DType::F32, input.shape.clone())])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let dtype = context.inputs.required(0)?.tensor_type.dtype;
        if dtype == DType::F16 {
            return Ok(Prepared::eval(Observe::Scan, |context| {
                let input = context.input::<u16>(0);
                for (to, &bits) in context.output::<f32>(0).iter_mut().zip(input) {
                    *to = half::f16::from_bits(bits).to_f32();
                }
                Ok(())
            }));
        }
        let scales = Self::scales(context.inputs)?;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            match dtype {
                DType::I8 => scales.apply::<i8>(context),
                DType::U8 => scales.apply::<u8>(context),
                _ => scales.apply::<i16>(context),
            }
            Ok(())
        }))
    }
}

impl Scales {
    fn apply<T: bytemuck::Pod + Into<i64>>(&self, context: &mut EvalContext<'_>) {
        let input = context.input::<T>(0);
        if self.run == 0 {
            return;
        }
        let runs = input.chunks(self.run).zip(context.output::<f32>(0).chunks_mut(self.run));
        for (i, (from, to)) in runs.enumerate() {
            let slice = i % self.scale.len();
            for (to, &value) in to.iter_mut().zip(from) {
                *to = self.scale[slice] * (value.into() - self.zero_point[slice]) as f32;
            }
        }
    }
}
