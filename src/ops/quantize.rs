//! `QUANTIZE`: floats as integers with a scale, and integers with a scale as integers with another.
//!
//! Semantics: TFLite's `quantize.cc`. Floats with one scale for all are multiplied by its reciprocal and
//! halves rounded to even; with scales of their own, they are divided and halves rounded away from zero.
//! Integers are multiplied in fixed point.

use bytemuck::Pod;

use super::scales::Scales;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

pub(super) struct Quantize;

/// What an output can hold.
trait Quantized: Pod {
    const LOWEST: i64;
    const HIGHEST: i64;

    /// A number within these bounds.
    fn narrow(value: i64) -> Self;
}

macro_rules! quantized {
    ($($t:ident),+) => {
        $(impl Quantized for $t {
            const LOWEST: i64 = $t::MIN as i64;
            const HIGHEST: i64 = $t::MAX as i64;

            fn narrow(value: i64) -> Self {
                value as $t
            }
        })+
    };
}
quantized!(i8, u8, i16, i32);

impl Quantize {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }

    /// The scales of the output.
    fn scales(inputs: &Inputs) -> Result<Scales> {
        let scales = Scales::new(inputs.declared(0)?.quantization.as_ref(), inputs.shape(0)?)?;
        if scales.are_positive() {
            return Ok(scales);
        }
        Err(Error::model("the output has a scale that is not positive"))
    }

    /// From the scale of the input to that of the output.
    fn rescaling(inputs: &Inputs) -> Result<Rescaling> {
        let (from, to) = (Scales::of(inputs.required(0)?)?, Self::scales(inputs)?);
        if !from.are_positive() {
            return Err(Error::model("the input has a scale that is not positive"));
        }
        let (Some(from), Some(to)) = (from.single(), to.single()) else {
            return Err(Error::model("integers cannot be quantized with several scales"));
        };
        Rescaling::new(from, to)
    }
}

impl Operator for Quantize {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let dtype = inputs.declared(0)?.dtype;
        match inputs.required(0)?.tensor_type.dtype {
            DType::F32 => Self::scales(inputs).map(|_| ())?,
            DType::I8 | DType::U8 | DType::I16 | DType::I32 => {
                Self::rescaling(inputs).map(|_| ())?;
            }
            other => return Err(Error::model(format!("{other} elements cannot be quantized"))),
        }
        match dtype {
            DType::I8 | DType::U8 | DType::I16 | DType::I32 => {
                Ok(vec![TensorType::new(dtype, inputs.shape(0)?)])
            }
            other => Err(Error::model(format!("elements cannot be quantized to {other}"))),
        }
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        Ok(match context.outputs[0].dtype {
            DType::I8 => prepare_to::<i8>(context.inputs)?,
            DType::U8 => prepare_to::<u8>(context.inputs)?,
            DType::I16 => prepare_to::<i16>(context.inputs)?,
            _ => prepare_to::<i32>(context.inputs)?,
        })
    }
}

fn prepare_to<T: Quantized>(inputs: &Inputs) -> Result<Prepared> {
    let dtype = inputs.required(0)?.tensor_type.dtype;
    if dtype == DType::F32 {
        let scales = Quantize::scales(inputs)?;
        return Ok(Prepared::eval(Observe::Scan, move |context| {
            let input = context.input::<f32>(0);
            quantize(&scales, input, context.output::<T>(0));
            Ok(())
        }));
    }
    let rescaling = Quantize::rescaling(inputs)?;
    Ok(Prepared::eval(Observe::Scan, move |context| {
        match dtype {
            DType::I8 => rescaling.run::<i8, T>(context),
            DType::U8 => rescaling.run::<u8, T>(context),
            DType::I16 => rescaling.run::<i16, T>(context),
            _ => rescaling.run::<i32, T>(context),
        }
        Ok(())
    }))
}

fn quantize<T: Quantized>(scales: &Scales, input: &[f32], output: &mut [T]) {
    let is_single = scales.single().is_some();
    scales.for_each(0, input.len(), |scale, zero_point, part| {
        // NaN becomes the lowest number.
        let (low, high) = ((T::LOWEST - zero_point) as f64, (T::HIGHEST - zero_point) as f64);
        let within = |x: f32| {
            let x = f64::from(x);
            let x = if x > low { x } else { low };
            if x < high { x } else { high }
        };
        let pairs = output[part.clone()].iter_mut().zip(&input[part]);
        if is_single {
            let inverse = 1.0 / scale;
            for (to, &x) in pairs {
                *to = T::narrow(half_to_even(within(x * inverse)) as i64 + zero_point);
            }
        } else {
            for (to, &x) in pairs {
                let x = within(x / scale);
                *to = T::narrow((x + 0.5_f64.copysign(x)) as i64 + zero_point);
            }
        }
    });
}

/// The nearest integer to a number of less than 2^51, halves to even: what is left of it beside a number
/// whose last bit is worth one.
fn half_to_even(x: f64) -> f64 {
    const BESIDE: f64 = 1.5 * (1_u64 << 52) as f64;
    (x + BESIDE) - BESIDE
}

/// From integers with one scale and zero point to others: a multiplication by `factor / 2^31 * 2^shift`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rescaling {
    from: i64,
    to: i64,
    factor: i64,
    shift: i32,
}

impl Rescaling {
    fn new(from: (f32, i64), to: (f32, i64)) -> Result<Self> {
        let ratio = f64::from(from.0) / f64::from(to.0);
        // The quotient of two floats is a normal double.
        let exponent = ((ratio.to_bits() >> 52) & 0x7ff) as i32 - 1022;
        let fraction = f64::from_bits((ratio.to_bits() & !(0x7ff << 52)) | (1022 << 52));
        let mut factor = (fraction * f64::from(1_u32 << 31)).round() as i64;
        let mut shift = exponent;
        if factor == 1 << 31 {
            factor /= 2;
            shift += 1;
        }
        if shift > 30 {
            return Err(Error::model(format!("scales {} and {} are too far apart", from.0, to.0)));
        }
        if shift < -31 {
            (factor, shift) = (0, 0);
        }
        Ok(Self { from: from.1, to: to.1, factor, shift })
    }

    /// `gemmlowp`'s arithmetic: the high half of twice the product, rounded, and shifted, rounded again.
    fn apply(self, value: i64) -> i64 {
        let within = |x: i64| x.clamp(i32::MIN.into(), i32::MAX.into());
        let value = within(within(value - self.from) << self.shift.max(0));
        let product = value * self.factor;
        let nudge = if product < 0 { 1 - (1 << 30) } else { 1 << 30 };
        let high = (product + nudge) / (1 << 31);
        let right = (-self.shift).max(0);
        let mask = (1_i64 << right) - 1;
        let threshold = (mask >> 1) + i64::from(high < 0);
        (high >> right) + i64::from(high & mask > threshold) + self.to
    }

    fn run<A: Pod + Into<i64>, B: Quantized>(self, context: &mut EvalContext<'_>) {
        let input = context.input::<A>(0);
        for (to, &value) in context.output::<B>(0).iter_mut().zip(input) {
            *to = B::narrow(self.apply(value.into()).clamp(B::LOWEST, B::HIGHEST));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves() {
        let pairs = [(0.5, 0.0), (1.5, 2.0), (-0.5, 0.0), (-2.5, -2.0), (2.49, 2.0), (1e9, 1e9)];
        for (x, expected) in pairs {
            assert_eq!(half_to_even(x), expected);
        }
    }

    #[test]
    fn quotients_of_scales() {
        let new = |from, to| Rescaling::new((from, 0), (to, 0));
        let Rescaling { factor, shift, .. } = new(0.5, 0.25).unwrap();
        assert_eq!((factor, shift), (1 << 30, 2));
        let thirds = new(1.0, 3.0).unwrap();
        assert_eq!(
            (thirds.apply(7), thirds.apply(-7), thirds.apply(i64::MAX)),
            // 7 / 3 is rounded to 5 halves first.
            (3, -3, 715_827_882)
        );
        assert_eq!(new(f32::MIN_POSITIVE, f32::MAX).unwrap().apply(i64::MAX), 0);
        assert!(new(f32::MAX, 1.0).is_err());
        let most = new(1.0e9, 1.0).unwrap();
        assert_eq!(most.apply(i64::MAX), most.apply(i64::from(i32::MAX)));
    }
}
