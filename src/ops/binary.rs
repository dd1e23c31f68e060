//! Functions of two tensors with broadcasting: `ADD`, `SUB`, `MUL`, `DIV`, `MINIMUM`, `MAXIMUM`,
//! `SQUARED_DIFFERENCE`, `PRELU`, `POW`, `FLOOR_DIV`, `FLOOR_MOD`, `ATAN2`.
//!
//! Semantics: TFLite's kernels of these names for float32, and those of the first seven for int32 and
//! int64; integers wrap. Floats are divided by zero as by IEEE 754.

use bytemuck::Pod;

use super::activation::Activation;
use super::attributes::attributes;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::broadcast::{Broadcast, zip};
use crate::kernel::elementwise::{Binary, binary};
use crate::kernel::gemm::Clamp;
use crate::operator::{
    EvalContext, Inputs, Observe, Operator, Pointwise, PrepareContext, Prepared,
};
use crate::schema::{ActivationFunctionType, BuiltinOptionsT};
use crate::tensor::{DType, TensorType};

pub(super) struct BinaryOperator {
    function: Binary,
    activation: Activation,
}

/// Constructors of operators with a fused activation in their options.
macro_rules! with_activation {
    ($($name:ident: $options:ident => $function:ident),+ $(,)?) => {
        impl BinaryOperator {
            $(pub(super) fn $name(node: &Node) -> Result<Box<dyn Operator>> {
                let options = attributes!(node, $options);
                Self::boxed(Binary::$function, options.fused_activation_function)
            })+
        }
    };
}

with_activation! {
    add: AddOptions => Add,
    sub: SubOptions => Sub,
    mul: MulOptions => Mul,
    div: DivOptions => Div,
}

/// Constructors of operators without attributes.
macro_rules! plain {
    ($($name:ident => $function:ident),+ $(,)?) => {
        impl BinaryOperator {
            $(pub(super) fn $name(_: &Node) -> Result<Box<dyn Operator>> {
                Self::boxed(Binary::$function, ActivationFunctionType::NONE)
            })+
        }
    };
}

plain! {
    minimum => Minimum,
    maximum => Maximum,
    squared_difference => SquaredDifference,
    prelu => Prelu,
    pow => Pow,
    floor_div => FloorDiv,
    floor_mod => FloorMod,
    atan2 => Atan2,
}

impl BinaryOperator {
    fn boxed(function: Binary, activation: ActivationFunctionType) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self { function, activation: Activation::new(activation)? }))
    }

    fn broadcast(&self, inputs: &Inputs) -> Result<(Broadcast<2>, Vec<usize>)> {
        let dtype = inputs.required(0)?.tensor_type.dtype;
        match dtype {
            DType::F32 => {}
            DType::I32 | DType::I64
                if self.activation.only_clamp().is_some() && integer(self.function).is_some() => {}
            other => return Err(Error::model(format!("{other} elements are not supported"))),
        }
        inputs.expect_dtype(1, dtype)?;
        broadcast(inputs)
    }
}

/// How inputs 0 and 1 meet, and the shape of the result.
pub(super) fn broadcast(inputs: &Inputs) -> Result<(Broadcast<2>, Vec<usize>)> {
    let (a, b) = (inputs.shape(0)?, inputs.shape(1)?);
    Broadcast::new([a, b])
        .ok_or_else(|| Error::model(format!("shapes {a:?} and {b:?} do not broadcast")))
}

impl Operator for BinaryOperator {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (_, shape) = self.broadcast(inputs)?;
        Ok(vec![TensorType::new(inputs.required(0)?.tensor_type.dtype, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (broadcast, shape) = self.broadcast(context.inputs)?;
        let dtype = context.inputs.required(0)?.tensor_type.dtype;
        let (function, activation) = (self.function, self.activation);
        if let (true, Some(compute)) = (dtype != DType::F32, integer(function)) {
            let integers = Integers { function, compute, broadcast, clamp: activation.clamp };
            return Ok(Prepared::eval(Observe::Scan, move |context| match dtype {
                DType::I32 => integers.evaluate::<i32>(context, |v| v as i32),
                _ => integers.evaluate::<i64>(context, |v| v),
            }));
        }
        let prepared = Prepared::eval(Observe::Fused, move |context| {
            let isa = context.isa();
            let operands = (context.input::<f32>(0), context.input::<f32>(1));
            let output = context.output::<f32>(0);
            let folded = binary(isa, function, &broadcast, operands, activation.clamp, output);
            let observed = activation.finish(isa, folded, output);
            context.observe(0, observed);
            Ok(())
        });
        let (a, b) = (context.inputs.shape(0)?, context.inputs.shape(1)?);
        Ok(match activation.only_clamp() {
            Some(clamp) if repeats(a, &shape) && repeats(b, &shape) => {
                prepared.pointwise(Pointwise::Binary(function, clamp))
            }
            _ => prepared,
        })
    }
}

/// Whether an operand of shape `operand` is repeated as a whole to fill `shape`.
fn repeats(operand: &[usize], shape: &[usize]) -> bool {
    let operand = &operand[operand.iter().take_while(|&&d| d == 1).count()..];
    shape.ends_with(operand)
}

/// A function of two integer tensors.
struct Integers {
    function: Binary,
    compute: fn(i64, i64) -> i64,
    broadcast: Broadcast<2>,
    clamp: Clamp,
}

impl Integers {
    /// `narrow` keeps the low bits.
    fn evaluate<T: Pod + Into<i64>>(
        &self,
        context: &mut EvalContext<'_>,
        narrow: fn(i64) -> T,
    ) -> Result<()> {
        let (a, b) = (context.input::<T>(0), context.input::<T>(1));
        if self.function == Binary::Div && b.iter().any(|&b| b.into() == 0) {
            return Err(Error::record("an integer is divided by zero"));
        }
        // Bounds beyond the integers become the first and the last of them.
        let (low, high) = (self.clamp.low as i64, self.clamp.high as i64);
        let compute = |a: T, b: T| {
            let result = narrow((self.compute)(a.into(), b.into()));
            narrow(result.into().clamp(low, high))
        };
        zip(&self.broadcast, (a, b), context.output(0), compute);
        Ok(())
    }
}

/// The function of integers, if there is one. The low bits of a result in fewer bits are those of the
/// result in 64.
fn integer(function: Binary) -> Option<fn(i64, i64) -> i64> {
    Some(match function {
        Binary::Add => i64::wrapping_add,
        Binary::Sub => i64::wrapping_sub,
        Binary::Mul => i64::wrapping_mul,
        Binary::Div => i64::wrapping_div,
        Binary::Minimum => Ord::min,
        Binary::Maximum => Ord::max,
        Binary::SquaredDifference => |a, b| {
            let d = a.wrapping_sub(b);
            d.wrapping_mul(d)
        },
        Binary::Prelu | Binary::Pow | Binary::FloorDiv | Binary::FloorMod | Binary::Atan2 => {
            return None;
        }
    })
}
