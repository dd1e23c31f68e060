//! Functions of elements that only StableHLO has: `and`, `or`, `shift_left`, `remainder`, `cbrt`.
//!
//! Semantics: the StableHLO specification; a shift by more bits than there are leaves none.

use bytemuck::Pod;

use super::combination::{Combination, for_numbers, is_whole};
use crate::error::{Error, Result};
use crate::graph::{Body, Node};
use crate::kernel::broadcast::{Broadcast, zip};
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

/// A function of two numbers.
#[derive(Clone, Copy)]
pub(super) enum StablehloBinary {
    /// Of bits, or of truth values.
    Logic(Combination),
    ShiftLeft,
    /// What a division leaves over, with the sign of the dividend.
    Remainder,
}

impl StablehloBinary {
    pub(super) fn and(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Logic(Combination(Body::And))))
    }

    pub(super) fn or(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Logic(Combination(Body::Or))))
    }

    pub(super) fn shift_left(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::ShiftLeft))
    }

    pub(super) fn remainder(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self::Remainder))
    }

    fn check(self, dtype: DType) -> Result<()> {
        let fits = match self {
            Self::Logic(combination) => return combination.check(dtype),
            Self::ShiftLeft => is_whole(dtype),
            Self::Remainder => dtype == DType::F32 || is_whole(dtype),
        };
        if fits {
            return Ok(());
        }
        Err(Error::model(format!("{dtype} elements are not supported")))
    }
}

impl Operator for StablehloBinary {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let dtype = inputs.required(0)?.tensor_type.dtype;
        self.check(dtype)?;
        inputs.expect_dtype(1, dtype)?;
        let (_, shape) = super::binary::broadcast(inputs)?;
        Ok(vec![TensorType::new(dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (broadcast, _) = super::binary::broadcast(context.inputs)?;
        let (function, dtype) = (*self, context.outputs[0].dtype);
        Ok(Prepared::eval(Observe::Scan, move |context| {
            match function {
                Self::Logic(combination) => {
                    for_numbers!(dtype, combination, |join| apply(&broadcast, context, join));
                }
                Self::ShiftLeft => shift(dtype, &broadcast, context),
                Self::Remainder => remainder(dtype, &broadcast, context)?,
            }
            Ok(())
        }))
    }
}

fn apply<T: Pod>(
    broadcast: &Broadcast<2>,
    context: &mut EvalContext<'_>,
    function: impl Fn(T, T) -> T,
) {
    let operands = (context.input::<T>(0), context.input::<T>(1));
    zip(broadcast, operands, context.output::<T>(0), function);
}

/// Signs do not matter: a negative distance is a large one.
fn shift(dtype: DType, broadcast: &Broadcast<2>, context: &mut EvalContext<'_>) {
    match dtype {
        DType::I8 | DType::U8 => {
            apply(broadcast, context, |a: u8, b| a.checked_shl(b.into()).unwrap_or(0));
        }
        DType::I16 | DType::U16 => {
            apply(broadcast, context, |a: u16, b| a.checked_shl(b.into()).unwrap_or(0));
        }
        DType::I32 | DType::U32 => {
            apply(broadcast, context, |a: u32, b| a.checked_shl(b).unwrap_or(0));
        }
        _ => apply(broadcast, context, |a: u64, b| {
            u32::try_from(b).ok().and_then(|b| a.checked_shl(b)).unwrap_or(0)
        }),
    }
}

fn remainder(dtype: DType, broadcast: &Broadcast<2>, context: &mut EvalContext<'_>) -> Result<()> {
    macro_rules! whole {
        ($type:ident) => {{
            if context.input::<$type>(1).contains(&0) {
                return Err(Error::record("an integer is divided by zero"));
            }
            apply(broadcast, context, $type::wrapping_rem);
        }};
    }
    match dtype {
        DType::F32 => apply(broadcast, context, |a: f32, b| a % b),
        DType::I8 => whole!(i8),
        DType::U8 => whole!(u8),
        DType::I16 => whole!(i16),
        DType::U16 => whole!(u16),
        DType::I32 => whole!(i32),
        DType::U32 => whole!(u32),
        DType::I64 => whole!(i64),
        _ => whole!(u64),
    }
    Ok(())
}

/// Cube roots.
pub(super) struct CubeRoot;

impl CubeRoot {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for CubeRoot {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        inputs.expect_dtype(0, DType::F32)?;
        Ok(vec![inputs.required(0)?.tensor_type.clone()])
    }

    fn prepare(&self, _: &PrepareContext<'_>) -> Result<Prepared> {
        Ok(Prepared::eval(Observe::Scan, |context| {
            let input = context.input::<f32>(0);
            let pairs = context.output::<f32>(0).iter_mut().zip(input);
            pairs.for_each(|(to, &x)| *to = cube_root(x));
            Ok(())
        }))
    }
}

/// Newton's iteration in double, from a third of the exponent.
fn cube_root(x: f32) -> f32 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let a = f64::from(x.abs());
    // Two thirds of the exponent's bias, less what brings the error down to 5 %.
    let mut root = f64::from_bits(a.to_bits() / 3 + (0x2a9f_7893 << 32));
    for _ in 0..4 {
        root = (2.0 * root + a / (root * root)) / 3.0;
    }
    (root as f32).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cube_roots() {
        for x in [1.0_f32, 8.0, 1.0e-45, f32::MIN_POSITIVE, f32::MAX, 27.0, 0.1, 1.0e10] {
            let expected = f64::from(x).cbrt() as f32;
            assert_eq!(cube_root(x).to_bits(), expected.to_bits(), "{x}");
            assert_eq!(cube_root(-x).to_bits(), (-expected).to_bits(), "{x}");
        }
        assert!(cube_root(f32::NAN).is_nan());
        assert_eq!(cube_root(f32::NEG_INFINITY), f32::NEG_INFINITY);
        assert_eq!(cube_root(-0.0).to_bits(), (-0.0_f32).to_bits());
    }
}
