//! What a subgraph of two numbers computes, as reductions and scatters have one.

use super::{Node, OperatorCode, Subgraph};
use crate::schema::{
    ActivationFunctionType, BuiltinOperator as Code, BuiltinOptions2T, BuiltinOptionsT,
};

/// A function of two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// `a + b`
    Add,
    /// `a * b`
    Multiply,
    /// The larger one.
    Maximum,
    /// The smaller one.
    Minimum,
    /// The bits that both have.
    And,
    /// The bits that either has.
    Or,
    /// `a`
    First,
    /// `b`
    Second,
}

impl Body {
    /// What a subgraph computes; `None` if it is not one of these.
    pub fn of(subgraph: &Subgraph) -> Option<Self> {
        let (&[a, b], &[result]) = (&subgraph.inputs[..], &subgraph.outputs[..]) else {
            return None;
        };
        if result == a || result == b {
            return Some(if result == a { Self::First } else { Self::Second });
        }
        let [node] = &subgraph.nodes[..] else { return None };
        let is_of_both = node.inputs == [Some(a), Some(b)] || node.inputs == [Some(b), Some(a)];
        if !is_of_both || node.outputs != [result] {
            return None;
        }
        let has_activation = |it| it != ActivationFunctionType::NONE;
        let is_more = match &node.options {
            BuiltinOptionsT::AddOptions(it) => has_activation(it.fused_activation_function),
            BuiltinOptionsT::MulOptions(it) => has_activation(it.fused_activation_function),
            _ => false,
        };
        match node.code {
            OperatorCode::Builtin(_) if is_more => None,
            OperatorCode::Builtin(Code::ADD | Code::STABLEHLO_ADD) => Some(Self::Add),
            OperatorCode::Builtin(Code::MUL | Code::STABLEHLO_MULTIPLY) => Some(Self::Multiply),
            OperatorCode::Builtin(Code::MAXIMUM | Code::STABLEHLO_MAXIMUM) => Some(Self::Maximum),
            OperatorCode::Builtin(Code::MINIMUM | Code::STABLEHLO_MINIMUM) => Some(Self::Minimum),
            OperatorCode::Builtin(Code::LOGICAL_AND | Code::STABLEHLO_AND) => Some(Self::And),
            OperatorCode::Builtin(Code::LOGICAL_OR | Code::STABLEHLO_OR) => Some(Self::Or),
            _ => None,
        }
    }

    /// Tells every operator with such a subgraph what it computes.
    pub(crate) fn tell(subgraphs: &mut [Subgraph]) {
        let bodies: Vec<Option<Self>> = subgraphs.iter().map(Self::of).collect();
        for node in subgraphs.iter_mut().flat_map(|subgraph| &mut subgraph.nodes) {
            let index = subgraph_of(node).and_then(|index| usize::try_from(index).ok());
            node.body = index.and_then(|index| bodies.get(index).copied().flatten());
        }
    }
}

fn subgraph_of(node: &Node) -> Option<i32> {
    match &node.options_2 {
        BuiltinOptions2T::StablehloScatterOptions(it) => Some(it.update_computation_subgraph_index),
        BuiltinOptions2T::StablehloReduceOptions(it) => Some(it.body_subgraph_index),
        BuiltinOptions2T::StablehloReduceWindowOptions(it) => Some(it.body_subgraph_index),
        _ => None,
    }
}
