//! Functions of one element: activations and elementary functions.
//!
//! Semantics: TFLite's kernels of these names for float32; integers are in `integer.rs`.

use super::attributes::attributes;
use super::by_type::by_type;
use super::integer::IntegerUnary;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::elementwise::{Unary, unary, unary_in_place};
use crate::kernel::gemm::Clamp;
use crate::operator::{Inputs, Observe, Operator, Pointwise, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

pub(super) struct UnaryOperator {
    function: Unary,
}

/// Constructors of operators without attributes.
macro_rules! plain {
    ($($name:ident => $function:expr),+ $(,)?) => {
        impl UnaryOperator {
            $(pub(super) fn $name(_: &Node) -> Result<Box<dyn Operator>> {
                Ok(Box::new(Self { function: $function }))
            })+
        }
    };
}

plain! {
    relu => Unary::Clamp(Clamp { low: 0.0, high: f32::INFINITY }),
    relu6 => Unary::Clamp(Clamp { low: 0.0, high: 6.0 }),
    relu_n1_to_1 => Unary::Clamp(Clamp { low: -1.0, high: 1.0 }),
    relu_0_to_1 => Unary::Clamp(Clamp { low: 0.0, high: 1.0 }),
    hard_swish => Unary::HardSwish,
    logistic => Unary::Logistic,
    tanh => Unary::Tanh,
    exp => Unary::Exp,
    square => Unary::Square,
    sqrt => Unary::Sqrt,
    rsqrt => Unary::Rsqrt,
    elu => Unary::Elu,
    log => Unary::Log,
    sin => Unary::Sin,
    cos => Unary::Cos,
    floor => Unary::Floor,
    ceil => Unary::Ceil,
    round => Unary::Round,
}

impl UnaryOperator {
    pub(super) fn neg(_: &Node) -> Result<Box<dyn Operator>> {
        by_type(Box::new(Self { function: Unary::Neg }), IntegerUnary::Neg.boxed())
    }

    pub(super) fn abs(_: &Node) -> Result<Box<dyn Operator>> {
        by_type(Box::new(Self { function: Unary::Abs }), IntegerUnary::Abs.boxed())
    }

    pub(super) fn sign(_: &Node) -> Result<Box<dyn Operator>> {
        by_type(Box::new(Self { function: Unary::Sign }), IntegerUnary::Sign.boxed())
    }

    pub(super) fn leaky_relu(node: &Node) -> Result<Box<dyn Operator>> {
        let slope = attributes!(node, LeakyReluOptions).alpha;
        Ok(Box::new(Self { function: Unary::LeakyRelu { slope } }))
    }

    pub(super) fn gelu(node: &Node) -> Result<Box<dyn Operator>> {
        let approximate = attributes!(node, GeluOptions).approximate;
        let function = if approximate { Unary::GeluApproximate } else { Unary::Gelu };
        Ok(Box::new(Self { function }))
    }
}

impl Operator for UnaryOperator {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        inputs.expect_dtype(0, DType::F32)?;
        Ok(vec![inputs.required(0)?.tensor_type.clone()])
    }

    fn prepare(&self, _: &PrepareContext<'_>) -> Result<Prepared> {
        let function = self.function;
        let prepared = Prepared::eval(Observe::Fused, move |context| {
            let isa = context.isa();
            let observed = if context.is_there(0) {
                unary_in_place(isa, function, context.output(0))
            } else {
                unary(isa, function, context.input(0), context.output(0))
            };
            context.observe(0, observed);
            Ok(())
        });
        Ok(prepared.pointwise(Pointwise::Unary(function)))
    }
}
