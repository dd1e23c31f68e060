//! `REAL`, `IMAG` and `COMPLEX_ABS`: parts of complex numbers.
//!
//! Semantics: TFLite's `complex_support.cc`.

use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

/// What becomes of a number.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Real,
    Imaginary,
    Magnitude,
}

impl Part {
    pub(super) fn real(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Real))
    }

    pub(super) fn imag(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Imaginary))
    }

    pub(super) fn abs(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Magnitude))
    }

    /// The type of the parts.
    fn dtype(inputs: &Inputs) -> Result<DType> {
        match inputs.required(0)?.tensor_type.dtype {
            DType::Complex64 => Ok(DType::F32),
            DType::Complex128 => Ok(DType::F64),
            other => {
                Err(Error::model(format!("input 0 is {other}, but complex numbers are needed")))
            }
        }
    }

    fn of_single(self, [re, im]: [f32; 2]) -> f32 {
        match self {
            Self::Real => re,
            Self::Imaginary => im,
            // Squares of floats neither overflow nor vanish in double precision.
            Self::Magnitude if re.is_finite() && im.is_finite() => {
                let (re, im) = (f64::from(re), f64::from(im));
                (re * re + im * im).sqrt() as f32
            }
            Self::Magnitude => magnitude_of_infinite(re.into(), im.into()) as f32,
        }
    }

    fn of_double(self, [re, im]: [f64; 2]) -> f64 {
        match self {
            Self::Real => re,
            Self::Imaginary => im,
            Self::Magnitude if re.is_finite() && im.is_finite() => {
                let (a, b) = (re.abs().max(im.abs()), re.abs().min(im.abs()));
                let ratio = if a == 0.0 { 0.0 } else { b / a };
                a * (1.0 + ratio * ratio).sqrt()
            }
            Self::Magnitude => magnitude_of_infinite(re, im),
        }
    }
}

/// An infinity wins over NaN, as in C's `hypot`.
fn magnitude_of_infinite(re: f64, im: f64) -> f64 {
    if re.is_infinite() || im.is_infinite() { f64::INFINITY } else { f64::NAN }
}

impl Operator for Part {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::new(Self::dtype(inputs)?, inputs.shape(0)?)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (part, is_single) = (*self, Self::dtype(context.inputs)? == DType::F32);
        Ok(Prepared::eval(Observe::Scan, move |context: &mut EvalContext<'_>| {
            if is_single {
                let input: &[[f32; 2]] = context.input(0);
                let pairs = context.output(0).iter_mut().zip(input);
                pairs.for_each(|(to, &number)| *to = part.of_single(number));
            } else {
                let input: &[[f64; 2]] = context.input(0);
                let pairs = context.output(0).iter_mut().zip(input);
                pairs.for_each(|(to, &number)| *to = part.of_double(number));
            }
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    #[test]
    fn only_complex_numbers_have_parts() {
        let operand = Some(Operand::input(&[2], &[1.0, 2.0]));
        for code in [BuiltinOperator::REAL, BuiltinOperator::IMAG, BuiltinOperator::COMPLEX_ABS] {
            let error =
                run(code, BuiltinOptionsT::NONE, std::slice::from_ref(&operand)).unwrap_err();
            assert!(error.to_string().contains("complex numbers are needed"), "{error}");
        }
    }

    #[test]
    fn magnitudes_do_not_overflow() {
        let abs = |re, im| Part::Magnitude.of_double([re, im]);
        assert_eq!((abs(3e300, -4e300), abs(0.0, -0.0), abs(-5.0, 0.0)), (5e300, 0.0, 5.0));
        assert_eq!(abs(f64::NAN, f64::NEG_INFINITY), f64::INFINITY);
        assert!(abs(f64::NAN, 1.0).is_nan());
        assert_eq!(Part::Magnitude.of_single([3e38, 1e-40]), 3e38);
        assert_eq!(Part::Magnitude.of_single([f32::NEG_INFINITY, f32::NAN]), f32::INFINITY);
    }
}
