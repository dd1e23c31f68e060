//! Arithmetic of integers: the functions that floats have too, `BITWISE_XOR` and `RIGHT_SHIFT`.
//!
//! Results wrap. Semantics: TFLite's kernels of these names for int32 and int64, which hold for shorter and
//! unsigned integers as well, unless they are quantized.

use bytemuck::Pod;

use super::activation::Activation;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::broadcast::{Broadcast, zip};
use crate::kernel::gemm::Clamp;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

/// A function of two integers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntegerFunction {
    Add,
    Sub,
    Mul,
    /// Towards zero.
    Div,
    Minimum,
    Maximum,
    SquaredDifference,
    /// The exponent must not be negative.
    Pow,
    /// Towards negative infinity.
    FloorDiv,
    /// With the sign of the divisor.
    FloorMod,
    BitwiseXor,
    /// Copies the sign; by the bits of a number less one at most.
    RightShift,
}

impl IntegerFunction {
    /// `of(a, b)` for numbers of so many bits: the low bits of a result in fewer bits are those of the
    /// result in 64.
    fn of(self, a: i64, b: i64, bits: i64) -> i64 {
        match self {
            Self::Add => a.wrapping_add(b),
            Self::Sub => a.wrapping_sub(b),
            Self::Mul => a.wrapping_mul(b),
            Self::Div => a.wrapping_div(b),
            Self::Minimum => a.min(b),
            Self::Maximum => a.max(b),
            Self::SquaredDifference => {
                let d = a.wrapping_sub(b);
                d.wrapping_mul(d)
            }
            Self::Pow => power(a, b),
            Self::FloorDiv => {
                let is_rounded_up = a.wrapping_rem(b) != 0 && (a < 0) != (b < 0);
                a.wrapping_div(b) - i64::from(is_rounded_up)
            }
            Self::FloorMod => {
                let rest = a.wrapping_rem(b);
                if rest != 0 && (rest < 0) != (b < 0) { rest + b } else { rest }
            }
            Self::BitwiseXor => a ^ b,
            Self::RightShift => a >> b.clamp(0, bits - 1),
        }
    }

    /// Checks the second operands.
    fn check<T: Pod + Into<i64>>(self, b: &[T]) -> Result<()> {
        let any = |is_wrong: fn(i64) -> bool| b.iter().any(|&b| is_wrong(b.into()));
        let divides = matches!(self, Self::Div | Self::FloorDiv | Self::FloorMod);
        if divides && any(|b| b == 0) {
            return Err(Error::record("an integer is divided by zero"));
        }
        if self == Self::Pow && any(|b| b < 0) {
            return Err(Error::record("an integer is raised to a negative power"));
        }
        Ok(())
    }
}

/// `base^exponent`
fn power(mut base: i64, mut exponent: i64) -> i64 {
    let mut result = 1_i64;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result.wrapping_mul(base);
        }
        base = base.wrapping_mul(base);
        exponent >>= 1;
    }
    result
}

/// The type of input `i`, which must be of integers that stand for themselves.
pub(super) fn plain_integers(inputs: &Inputs, i: usize) -> Result<DType> {
    let info = inputs.required(i)?;
    let dtype = info.tensor_type.dtype;
    let is_short = matches!(dtype, DType::I8 | DType::U8 | DType::I16);
    if is_short && info.quantization.as_ref().is_some_and(|it| !it.scale.is_empty()) {
        return Err(Error::model(format!("quantized {dtype} elements are not supported")));
    }
    match dtype {
        DType::I8 | DType::U8 | DType::I16 | DType::U16 | DType::I32 | DType::U32 | DType::I64 => {
            Ok(dtype)
        }
        other => Err(Error::model(format!("{other} elements are not supported"))),
    }
}

/// A function of two tensors with broadcasting, and what follows it.
pub(super) struct IntegerBinary {
    function: IntegerFunction,
    activation: Activation,
}

/// Constructors of operators without attributes.
macro_rules! plain {
    ($($name:ident => $function:ident),+ $(,)?) => {
        impl IntegerBinary {
            $(pub(super) fn $name(_: &Node) -> Result<Box<dyn Operator>> {
                Ok(Self::boxed(IntegerFunction::$function, Activation::NONE))
            })+
        }
    };
}

plain! {
    bitwise_xor => BitwiseXor,
    right_shift => RightShift,
}

impl IntegerBinary {
    pub(super) fn boxed(function: IntegerFunction, activation: Activation) -> Box<dyn Operator> {
        Box::new(Self { function, activation })
    }

    fn clamp(&self) -> Result<Clamp> {
        self.activation
            .only_clamp()
            .ok_or_else(|| Error::model("integers can have no such fused activation"))
    }
}

impl Operator for IntegerBinary {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        self.clamp()?;
        let dtype = plain_integers(inputs, 0)?;
        plain_integers(inputs, 1)?;
        inputs.expect_dtype(1, dtype)?;
        let (_, shape) = super::binary::broadcast(inputs)?;
        Ok(vec![TensorType::new(dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (broadcast, _) = super::binary::broadcast(context.inputs)?;
        let dtype = plain_integers(context.inputs, 0)?;
        let evaluation = Evaluation { function: self.function, broadcast, clamp: self.clamp()? };
        Ok(Prepared::eval(Observe::Scan, move |context| match dtype {
            DType::I8 => evaluation.run::<i8>(context, |v| v as i8),
            DType::U8 => evaluation.run::<u8>(context, |v| v as u8),
            DType::I16 => evaluation.run::<i16>(context, |v| v as i16),
            DType::U16 => evaluation.run::<u16>(context, |v| v as u16),
            DType::I32 => evaluation.run::<i32>(context, |v| v as i32),
            DType::U32 => evaluation.run::<u32>(context, |v| v as u32),
            _ => evaluation.run::<i64>(context, |v| v),
        }))
    }
}

struct Evaluation {
    function: IntegerFunction,
    broadcast: Broadcast<2>,
    clamp: Clamp,
}

impl Evaluation {
    /// `narrow` keeps the low bits.
    fn run<T: Pod + Into<i64>>(
        &self,
        context: &mut EvalContext<'_>,
        narrow: fn(i64) -> T,
    ) -> Result<()> {
        let (a, b) = (context.input::<T>(0), context.input::<T>(1));
        self.function.check(b)?;
        let bits = 8 * size_of::<T>() as i64;
        // Bounds beyond the integers become the first and the last of them.
        let (low, high) = (self.clamp.low as i64, self.clamp.high as i64);
        let compute = |a: T, b: T| {
            let result = narrow(self.function.of(a.into(), b.into(), bits));
            narrow(result.into().clamp(low, high))
        };
        zip(&self.broadcast, (a, b), context.output(0), compute);
        Ok(())
    }
}

/// A function of one integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IntegerUnary {
    Neg,
    Abs,
    /// -1, 0 or 1.
    Sign,
}

impl IntegerUnary {
    pub(super) fn boxed(self) -> Box<dyn Operator> {
        Box::new(self)
    }

    fn run<T: Pod + Into<i64>>(self, context: &mut EvalContext<'_>, narrow: fn(i64) -> T) {
        let input = context.input::<T>(0);
        for (to, &value) in context.output::<T>(0).iter_mut().zip(input) {
            let value: i64 = value.into();
            *to = narrow(match self {
                Self::Neg => value.wrapping_neg(),
                Self::Abs => value.wrapping_abs(),
                Self::Sign => value.signum(),
            });
        }
    }
}

impl Operator for IntegerUnary {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        match plain_integers(inputs, 0)? {
            dtype @ (DType::I8 | DType::I16 | DType::I32 | DType::I64) => {
                Ok(vec![TensorType::new(dtype, inputs.shape(0)?)])
            }
            other => Err(Error::model(format!("{other} elements have no sign"))),
        }
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (function, dtype) = (*self, plain_integers(context.inputs, 0)?);
        Ok(Prepared::eval(Observe::Scan, move |context| {
            match dtype {
                DType::I8 => function.run::<i8>(context, |v| v as i8),
                DType::I16 => function.run::<i16>(context, |v| v as i16),
                DType::I32 => function.run::<i32>(context, |v| v as i32),
                _ => function.run::<i64>(context, |v| v),
            }
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::graph::Quantization;
    use crate::ops::testing::{Operand, run_to};
    use crate::schema::{
        ActivationFunctionType, AddOptionsT, BuiltinOperator as Code, BuiltinOptionsT,
    };
    use crate::tensor::AlignedBuffer;

    #[test]
    fn the_ends_of_the_integers() {
        use IntegerFunction as F;
        for (function, a, b, expected) in [
            (F::Div, i64::MIN, -1, i64::MIN),
            (F::FloorDiv, i64::MIN, -1, i64::MIN),
            (F::FloorDiv, i64::MIN, i64::MAX, -2),
            (F::FloorMod, i64::MIN, -1, 0),
            (F::FloorMod, i64::MIN, i64::MAX, i64::MAX - 1),
            (F::FloorMod, i64::MAX, i64::MIN, -1),
            (F::RightShift, i64::MIN, i64::MAX, -1),
            (F::RightShift, i64::MAX, i64::MIN, i64::MAX),
            (F::Pow, 3, 40, 12_157_665_459_056_928_801_u64 as i64),
            (F::Pow, -1, i64::MAX, -1),
            (F::Pow, 0, 0, 1),
        ] {
            assert_eq!(function.of(a, b, 64), expected, "{function:?} {a} {b}");
        }
    }

    #[test]
    fn operands_without_a_result() {
        for (code, divisor, message) in [
            (Code::DIV, 0, "divided by zero"),
            (Code::FLOOR_DIV, 0, "divided by zero"),
            (Code::FLOOR_MOD, 0, "divided by zero"),
            (Code::POW, -1, "raised to a negative power"),
        ] {
            let operands = [
                Some(Operand::indices(&[2], &[7, 8]).recorded()),
                Some(Operand::indices(&[2], &[1, divisor])),
            ];
            let error = run_to(DType::I32, code, BuiltinOptionsT::NONE, &operands).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Record);
            assert!(error.to_string().contains(message), "{error}");
        }
    }

    #[test]
    fn types_that_are_refused() {
        let bytes = AlignedBuffer::copy_of(&[1_i8, 2]);
        let scales = Quantization { scale: vec![0.5], zero_point: vec![0], ..Default::default() };
        let quantized = Operand::typed(DType::I8, &[2], bytes, Some(scales)).recorded();
        let add = |a: Operand, b: Operand, function| {
            let options = AddOptionsT { fused_activation_function: function, ..Default::default() };
            let options = BuiltinOptionsT::AddOptions(Box::new(options));
            run_to(DType::I32, Code::ADD, options, &[Some(a), Some(b)]).unwrap_err().to_string()
        };
        let none = ActivationFunctionType::NONE;
        let error = add(quantized.clone(), quantized, none);
        assert!(error.contains("quantized INT8 elements are not supported"), "{error}");
        let integers = Operand::indices(&[2], &[7, 8]).recorded();
        let error = add(integers.clone(), integers.clone(), ActivationFunctionType::TANH);
        assert!(error.contains("no such fused activation"), "{error}");
        let floats = Operand::input(&[2], &[1.0; 2]);
        for (a, b) in [(floats.clone(), integers.clone()), (integers, floats)] {
            let error = add(a, b, none);
            assert!(error.contains("is needed") || error.contains("not supported"), "{error}");
        }
    }
}
