//! Functions of two tensors with broadcasting: `ADD`, `SUB`, `MUL`, `DIV`, `MINIMUM`, `MAXIMUM`,
//! `SQUARED_DIFFERENCE`, `PRELU`, `POW`, `FLOOR_DIV`, `FLOOR_MOD`, `ATAN2`.
//!
//! Semantics: TFLite's kernels of these names for float32; integers are in `integer.rs`. Floats are divided
//! by zero as by IEEE 754.

use super::activation::Activation;
use super::attributes::attributes;
use super::by_type::by_type;
use super::integer::{IntegerBinary, IntegerFunction};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::broadcast::Broadcast;
use crate::kernel::elementwise::{Binary, binary};
use crate::operator::{Inputs, Observe, Operator, Pointwise, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
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
                let activation = Activation::new(options.fused_activation_function)?;
                let integers = IntegerBinary::boxed(IntegerFunction::$function, activation);
                by_type(Box::new(Self { function: Binary::$function, activation }), integers)
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
                let (function, activation) = (Binary::$function, Activation::NONE);
                let integers = IntegerBinary::boxed(IntegerFunction::$function, activation);
                by_type(Box::new(Self { function, activation }), integers)
            })+
        }
    };
}

plain! {
    minimum => Minimum,
    maximum => Maximum,
    squared_difference => SquaredDifference,
    pow => Pow,
    floor_div => FloorDiv,
    floor_mod => FloorMod,
}

/// Constructors of operators of floats only.
macro_rules! of_floats {
    ($($name:ident => $function:ident),+ $(,)?) => {
        impl BinaryOperator {
            $(pub(super) fn $name(_: &Node) -> Result<Box<dyn Operator>> {
                let (function, activation) = (Binary::$function, Activation::NONE);
                Ok(Box::new(Self { function, activation }))
            })+
        }
    };
}

of_floats! {
    prelu => Prelu,
    atan2 => Atan2,
}

impl BinaryOperator {
    fn broadcast(inputs: &Inputs) -> Result<(Broadcast<2>, Vec<usize>)> {
        inputs.expect_dtype(0, DType::F32)?;
        inputs.expect_dtype(1, DType::F32)?;
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
        let (_, shape) = Self::broadcast(inputs)?;
        Ok(vec![TensorType::new(DType::F32, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (broadcast, shape) = Self::broadcast(context.inputs)?;
        let (function, activation) = (self.function, self.activation);
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
