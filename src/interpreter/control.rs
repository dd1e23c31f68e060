//! Operators that run other subgraphs or keep state: what they ask for.

use crate::error::{Error, Result};
use crate::graph::{COMPOSITE, Model, Node, OperatorCode};
use crate::schema::{BuiltinOperator as Code, BuiltinOptionsT};

/// An operator that a [`Session`](super::session::Session) carries out itself. Subgraphs exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Control {
    /// Runs one of two subgraphs.
    If { then: usize, otherwise: usize },
    /// Runs `body` as long as `condition` says so.
    While { condition: usize, body: usize },
    /// Runs a subgraph.
    Call { subgraph: usize },
    /// Runs a subgraph the first time.
    CallOnce { subgraph: usize },
    /// Gives the variable of this name.
    Handle { name: String },
    /// Gives a variable's value.
    Read,
    /// Gives a variable a value.
    Assign,
}

/// The operators that are not the registry's: they run subgraphs, or keep state.
pub const CONTROL: &[Code] = &[
    Code::ASSIGN_VARIABLE,
    Code::CALL_ONCE,
    Code::IF,
    Code::READ_VARIABLE,
    COMPOSITE,
    Code::VAR_HANDLE,
    Code::WHILE,
];

/// Whether a [`Control`] is made of this operator.
pub(super) fn is_control(node: &Node) -> bool {
    matches!(node.code, OperatorCode::Builtin(code) if CONTROL.contains(&code))
}

impl Control {
    /// What an operator asks for; `None` if it is another one.
    ///
    /// # Errors
    /// If its options are missing or name subgraphs that do not exist, or it has too few operands.
    pub(super) fn new(model: &Model, node: &Node) -> Result<Option<Self>> {
        if !is_control(node) {
            return Ok(None);
        }
        let subgraph = |index: i32| {
            let found = usize::try_from(index).ok().filter(|&i| i < model.subgraphs.len());
            found.ok_or_else(|| Error::model(format!("there is no subgraph {index}")))
        };
        let (inputs, outputs) = (node.inputs.len(), node.outputs.len());
        let (control, fits) = match (&node.code, &node.options) {
            (OperatorCode::Builtin(Code::IF), BuiltinOptionsT::IfOptions(options)) => {
                let then = subgraph(options.then_subgraph_index)?;
                let otherwise = subgraph(options.else_subgraph_index)?;
                (Self::If { then, otherwise }, inputs >= 1)
            }
            (OperatorCode::Builtin(Code::WHILE), BuiltinOptionsT::WhileOptions(options)) => {
                let condition = subgraph(options.cond_subgraph_index)?;
                let body = subgraph(options.body_subgraph_index)?;
                (Self::While { condition, body }, inputs == outputs)
            }
            (OperatorCode::Builtin(Code::CALL_ONCE), BuiltinOptionsT::CallOnceOptions(options)) => {
                let subgraph = subgraph(options.init_subgraph_index)?;
                (Self::CallOnce { subgraph }, inputs == 0 && outputs == 0)
            }
            (OperatorCode::Builtin(COMPOSITE), _) => {
                let subgraph = subgraph(node.decomposition.unwrap_or(0))?;
                (Self::Call { subgraph }, true)
            }
            (
                OperatorCode::Builtin(Code::VAR_HANDLE),
                BuiltinOptionsT::VarHandleOptions(options),
            ) => {
                let part = |text: &Option<String>| text.clone().unwrap_or_default();
                let name = format!("{}/{}", part(&options.container), part(&options.shared_name));
                (Self::Handle { name }, outputs == 1)
            }
            (OperatorCode::Builtin(Code::READ_VARIABLE), _) => {
                (Self::Read, inputs == 1 && outputs == 1)
            }
            (OperatorCode::Builtin(Code::ASSIGN_VARIABLE), _) => {
                (Self::Assign, inputs == 2 && outputs == 0)
            }
            _ => return Err(Error::model("its options are missing")),
        };
        if fits {
            return Ok(Some(control));
        }
        Err(Error::model(format!("{inputs} inputs and {outputs} outputs do not fit")))
    }

    /// The subgraphs that it may run.
    pub(super) fn subgraphs(&self) -> Vec<usize> {
        match *self {
            Self::If { then, otherwise } => vec![then, otherwise],
            Self::While { condition, body } => vec![condition, body],
            Self::Call { subgraph } | Self::CallOnce { subgraph } => vec![subgraph],
            Self::Handle { .. } | Self::Read | Self::Assign => Vec::new(),
        }
    }
}
