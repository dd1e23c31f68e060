//! `CAST`: every number as one of another type. `BITCAST`: the same bits as elements of another type.
//!
//! Semantics: TFLite's `cast.cc` and `bitcast.cc`. Integers keep their low bits. Floats lose their
//! fraction and saturate, and NaN becomes the highest integer; C++ leaves that open, and this is what
//! LiteRT's build does. Between half floats and anything else lies float32.

#![expect(clippy::cast_lossless, reason = "a macro casts between all types, wider or not")]

use bytemuck::{Pod, Zeroable};
use half::{bf16, f16};

use super::attributes::element_len;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

pub(super) struct Cast;

pub(super) struct Bitcast;

/// An element type by itself, for types that Rust has no number for.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
struct Bool(u8);

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
struct Half(u16);

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
struct Brain(u16);

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Complex(f32, f32);

/// An element as a number of Rust.
trait Source: Pod {
    type Number: Copy;

    fn number(self) -> Self::Number;
}

/// An element made from a number.
trait Target<N>: Pod {
    fn of(number: N) -> Self;
}

macro_rules! numbers {
    ($($number:ident)*) => {
        $(
            impl Source for $number {
                type Number = Self;

                fn number(self) -> Self {
                    self
                }
            }

            impl Target<$number> for Bool {
                fn of(number: $number) -> Self {
                    Self(u8::from(number != $number::default()))
                }
            }

            impl Target<$number> for Half {
                fn of(number: $number) -> Self {
                    Self(f16::from_f32(f32::of(number)).to_bits())
                }
            }

            impl Target<$number> for Brain {
                fn of(number: $number) -> Self {
                    Self(bf16::from_f32(f32::of(number)).to_bits())
                }
            }

            impl Target<$number> for Complex {
                fn of(number: $number) -> Self {
                    Self(f32::of(number), 0.0)
                }
            }

            targets!($number as f32 f64);
        )*
    };
}

/// What `as` does.
macro_rules! targets {
    ($from:ident as $($to:ident)*) => {
        $(impl Target<$from> for $to {
            fn of(number: $from) -> Self {
                number as Self
            }
        })*
    };
}

/// What `as` does, which saturates, but for NaN.
macro_rules! saturating_targets {
    ($from:ident as $($to:ident)*) => {
        $(impl Target<$from> for $to {
            fn of(number: $from) -> Self {
                if number.is_nan() { Self::MAX } else { number as Self }
            }
        })*
    };
}

macro_rules! integers {
    ($($from:ident)*) => {
        $(targets!($from as i8 i16 i32 i64 u8 u16 u32 u64);)*
    };
}

numbers!(i8 i16 i32 i64 u8 u16 u32 u64 f32 f64);
integers!(i8 i16 i32 i64 u8 u16 u32 u64);
saturating_targets!(f32 as i8 i16 i32 i64 u8 u16 u32 u64);
saturating_targets!(f64 as i8 i16 i32 i64 u8 u16 u32 u64);

impl Source for Bool {
    type Number = u8;

    fn number(self) -> u8 {
        u8::from(self.0 != 0)
    }
}

impl Source for Half {
    type Number = f32;

    fn number(self) -> f32 {
        f16::from_bits(self.0).to_f32()
    }
}

impl Source for Brain {
    type Number = f32;

    fn number(self) -> f32 {
        bf16::from_bits(self.0).to_f32()
    }
}

/// The real part.
impl Source for Complex {
    type Number = f32;

    fn number(self) -> f32 {
        self.0
    }
}

fn map<A: Source, B: Target<A::Number>>(context: &mut EvalContext<'_>) {
    let input = context.input::<A>(0);
    for (to, from) in context.output::<B>(0).iter_mut().zip(input) {
        *to = B::of(from.number());
    }
}

/// Two elements a byte, the first in the lower half.
fn widen(context: &mut EvalContext<'_>, number: impl Fn(u8) -> f32) {
    let halves = context.input::<u8>(0).iter().flat_map(|&byte| [byte & 15, byte >> 4]);
    for (to, half) in context.output::<f32>(0).iter_mut().zip(halves) {
        *to = number(half);
    }
}

/// The loop from elements of one type to those of another.
fn loop_of(from: DType, to: DType) -> Option<fn(&mut EvalContext<'_>)> {
    match (from, to) {
        // The lower half has the sign of a byte once it is the upper one.
        (DType::I4, DType::F32) => {
            return Some(|context| widen(context, |half| f32::from((half << 4) as i8 >> 4)));
        }
        (DType::U4, DType::F32) => return Some(|context| widen(context, f32::from)),
        _ => {}
    }
    macro_rules! to {
        ($from:ty) => {
            match to {
                DType::F16 => map::<$from, Half>,
                DType::BF16 => map::<$from, Brain>,
                DType::F32 => map::<$from, f32>,
                DType::F64 => map::<$from, f64>,
                DType::I8 => map::<$from, i8>,
                DType::U8 => map::<$from, u8>,
                DType::I16 => map::<$from, i16>,
                DType::U16 => map::<$from, u16>,
                DType::I32 => map::<$from, i32>,
                DType::U32 => map::<$from, u32>,
                DType::I64 => map::<$from, i64>,
                DType::U64 => map::<$from, u64>,
                DType::Bool => map::<$from, Bool>,
                DType::Complex64 => map::<$from, Complex>,
                _ => return None,
            }
        };
    }
    Some(match from {
        DType::F16 => to!(Half),
        DType::BF16 => to!(Brain),
        DType::F32 => to!(f32),
        DType::F64 => to!(f64),
        DType::I8 => to!(i8),
        DType::U8 => to!(u8),
        DType::I16 => to!(i16),
        DType::U16 => to!(u16),
        DType::I32 => to!(i32),
        DType::U32 => to!(u32),
        DType::I64 => to!(i64),
        DType::U64 => to!(u64),
        DType::Bool => to!(Bool),
        DType::Complex64 => to!(Complex),
        _ => return None,
    })
}

impl Cast {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for Cast {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (input, to) = (&inputs.required(0)?.tensor_type, inputs.declared(0)?.dtype);
        if input.dtype != to && loop_of(input.dtype, to).is_none() {
            return Err(Error::model(format!("{} cannot be cast to {to}", input.dtype)));
        }
        Ok(vec![TensorType::new(to, input.shape.clone())])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let from = context.inputs.required(0)?.tensor_type.dtype;
        match loop_of(from, context.outputs[0].dtype) {
            Some(map) if from != context.outputs[0].dtype => {
                Ok(Prepared::eval(Observe::Scan, move |context| {
                    map(context);
                    Ok(())
                }))
            }
            _ => Ok(Prepared::alias(0)),
        }
    }
}

impl Bitcast {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for Bitcast {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (input, to) = (&inputs.required(0)?.tensor_type, inputs.declared(0)?.dtype);
        let (from_len, to_len) = (element_len(input.dtype)?, element_len(to)?);
        let mut shape = input.shape.clone();
        if from_len > to_len {
            shape.push(from_len / to_len);
        } else if from_len < to_len && shape.pop() != Some(to_len / from_len) {
            return Err(Error::model(format!(
                "the last axis of {input} does not have the bytes of one {to}"
            )));
        }
        Ok(vec![TensorType::new(to, shape)])
    }

    fn prepare(&self, _: &PrepareContext<'_>) -> Result<Prepared> {
        // Not an alias: what is observed of the input says nothing of the output.
        Ok(Prepared::eval(Observe::Scan, |context| {
            let input = context.input::<u8>(0);
            context.output::<u8>(0).copy_from_slice(input);
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{Operand, run_to};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};
    use crate::tensor::DType;

    #[test]
    fn bits_that_do_not_fit() {
        for (shape, dtype) in [(&[3][..], DType::I64), (&[], DType::F64), (&[2], DType::I4)] {
            let n = shape.iter().product();
            let operands = [Some(Operand::input(shape, &vec![1.0; n]))];
            run_to(dtype, BuiltinOperator::BITCAST, BuiltinOptionsT::NONE, &operands).unwrap_err();
        }
    }

    #[test]
    fn types_that_are_no_numbers() {
        for dtype in [DType::String, DType::Complex128, DType::Other(99)] {
            let operands = [Some(Operand::input(&[1], &[1.0]))];
            let code = BuiltinOperator::CAST;
            run_to(dtype, code, BuiltinOptionsT::NONE, &operands).unwrap_err();
        }
    }
}
