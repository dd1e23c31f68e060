//! `REAL`, `IMAG` and `COMPLEX_ABS`: parts of complex numbers.
//!
//! Semantics: TFLite's `complex_support.cc`.

use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::double::hypot;
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

    fn of(self, [re, im]: [f64; 2]) -> f64 {
        match self {
            Self::Real => re,
            Self::Imaginary => im,
            Self::Magnitude => hypot(re, im),
        }
    }
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
                pairs.for_each(|(to, &number)| *to = part.of(number.map(f64::from)) as f32);
            } else {
                let input: &[[f64; 2]] = context.input(0);
                let pairs = context.output(0).iter_mut().zip(input);
                pairs.for_each(|(to, &number)| *to = part.of(number));
            }
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
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
}
