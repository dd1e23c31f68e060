//! Activations fused into other operators.

use crate::error::{Error, Result};
use crate::kernel::Isa;
use crate::kernel::elementwise::{Unary, unary_in_place};
use crate::kernel::gemm::Clamp;
use crate::kernel::recurrent::Squash;
use crate::observation::Observation;
use crate::schema::ActivationFunctionType;

/// A fused activation: bounds that kernels apply, or a function after the kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Activation {
    /// What the kernel applies.
    pub(super) clamp: Clamp,
    after: Option<Unary>,
}

impl Activation {
    /// None.
    pub(super) const NONE: Self = Self { clamp: Clamp::NONE, after: None };

    /// The activation of a schema value.
    pub(super) fn new(function: ActivationFunctionType) -> Result<Self> {
        let clamp = |low, high| Ok(Self { clamp: Clamp { low, high }, after: None });
        match function {
            ActivationFunctionType::NONE => Ok(Self::NONE),
            ActivationFunctionType::RELU => clamp(0.0, f32::INFINITY),
            ActivationFunctionType::RELU_N1_TO_1 => clamp(-1.0, 1.0),
            ActivationFunctionType::RELU6 => clamp(0.0, 6.0),
            ActivationFunctionType::TANH => {
                Ok(Self { clamp: Clamp::NONE, after: Some(Unary::Tanh) })
            }
            other => Err(Error::model(format!("fused activation {other:?} is not supported"))),
        }
    }

    /// The bounds, if there is nothing else.
    pub(super) fn only_clamp(self) -> Option<Clamp> {
        self.after.is_none().then_some(self.clamp)
    }

    /// The same as a function.
    pub(super) fn function(self) -> Unary {
        self.after.unwrap_or(Unary::Clamp(self.clamp))
    }

    /// The same for a cell of a recurrent network.
    pub(super) fn squash(self) -> Result<Squash> {
        match self.function() {
            Unary::Clamp(clamp) => Ok(Squash::Clamp(clamp)),
            Unary::Tanh => Ok(Squash::Tanh),
            other => Err(Error::model(format!("no cell has the activation {other:?}"))),
        }
    }

    /// Applies what the kernel could not, and returns the observation of the final values.
    pub(super) fn finish(self, isa: Isa, folded: Observation, values: &mut [f32]) -> Observation {
        match self.after {
            None => folded,
            Some(function) => unary_in_place(isa, function, values),
        }
    }

    /// The same for images, one after another, each with its observation.
    pub(super) fn finish_images(self, isa: Isa, folded: &mut [Observation], values: &mut [f32]) {
        let len = values.len() / folded.len().max(1);
        for (folded, values) in folded.iter_mut().zip(values.chunks_exact_mut(len.max(1))) {
            *folded = self.finish(isa, *folded, values);
        }
    }
}
