//! `FAKE_QUANT`: floats rounded to the numbers that a quantization could hold.
//!
//! Semantics: TFLite's `fake_quant.cc`, which refuses `narrow_range`: with it the lowest number is one, as
//! in TensorFlow's `FakeQuantWithMinMaxArgs`.

use super::attributes::attributes;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{BuiltinOptionsT, FakeQuantOptionsT};
use crate::tensor::{DType, TensorType};

/// The numbers `low + i * scale` up to `high`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FakeQuant {
    low: f32,
    high: f32,
    scale: f32,
}

impl FakeQuant {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::new(&attributes!(node, FakeQuantOptions))?))
    }

    /// A range moved so that zero is one of its numbers.
    fn new(options: &FakeQuantOptionsT) -> Result<Self> {
        let FakeQuantOptionsT { min, max, num_bits, narrow_range } = *options;
        if !(1..=16).contains(&num_bits) {
            return Err(Error::model(format!("numbers of {num_bits} bits are not possible")));
        }
        let (first, last) = (f32::from(u8::from(narrow_range)), ((1 << num_bits) - 1) as f32);
        let scale = (max - min) / (last - first);
        if !(scale.is_finite() && scale > 0.0) {
            return Err(Error::model(format!(
                "a range of {num_bits} bits from {min} to {max} is not possible"
            )));
        }
        let zero = first - min / scale;
        let zero = if zero < first {
            first
        } else if zero > last {
            last
        } else {
            zero.round()
        };
        Ok(Self { low: (first - zero) * scale, high: (last - zero) * scale, scale })
    }

    fn apply(self, inverse: f32, x: f32) -> f32 {
        // NaN becomes the lowest number.
        let x = if self.low < x { x } else { self.low };
        let x = if x < self.high { x } else { self.high };
        // Not negative, and no more than 16 bits.
        let steps = (x - self.low) * inverse;
        let whole = steps as i32 as f32;
        let rounded = if steps - whole >= 0.5 { whole + 1.0 } else { whole };
        rounded * self.scale + self.low
    }
}

impl Operator for FakeQuant {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        inputs.expect_dtype(0, DType::F32)?;
        Ok(vec![inputs.required(0)?.tensor_type.clone()])
    }

    fn prepare(&self, _: &PrepareContext<'_>) -> Result<Prepared> {
        let (numbers, inverse) = (*self, 1.0 / self.scale);
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let input = context.input::<f32>(0);
            for (to, &x) in context.output::<f32>(0).iter_mut().zip(input) {
                *to = numbers.apply(inverse, x);
            }
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_are_refused() {
        for (min, max, num_bits) in [
            (0.0, 1.0, 0),
            (0.0, 1.0, 17),
            (1.0, 1.0, 8),
            (1.0, -1.0, 8),
            (f32::NAN, 1.0, 8),
            (f32::MIN, f32::MAX, 8),
        ] {
            let options = FakeQuantOptionsT { min, max, num_bits, narrow_range: false };
            assert!(FakeQuant::new(&options).is_err(), "{options:?}");
        }
        // One bit has two numbers, and not even those if it is narrow.
        let narrow = FakeQuantOptionsT { min: -1.0, max: 1.0, num_bits: 1, narrow_range: true };
        assert!(FakeQuant::new(&narrow).is_err());
    }
}
