//! `UNIDIRECTIONAL_SEQUENCE_RNN`, and `RNN`, which is one step of it.
//!
//! Semantics: TFLite's `RnnBatchStep` of `kernel_utils.cc` for float32.

use super::layer::{Layer, Weights};
use super::operands::{expect_values, expect_weights, sequences, steps};
use super::passes::{LayerPlan, Pass, prepare};
use super::sizes::{Sequences, Sizes};
use crate::arithmetic::Arithmetic;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::Isa;
use crate::kernel::gemm::Clamp;
use crate::kernel::recurrent::{RnnCell, Squash};
use crate::operator::{Inputs, Operator, PrepareContext, Prepared};
use crate::ops::activation::Activation;
use crate::ops::attributes::attributes;
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

/// An RNN layer at plan time. Weights of the input, of the previous output, bias and state follow each
/// other.
#[derive(Debug)]
pub(super) struct RnnPlan {
    squash: Squash,
    /// The first of its operands.
    first: usize,
    /// Weights of a second input.
    auxiliary: Option<usize>,
    sizes: Sizes,
}

impl RnnPlan {
    /// Checks all operands of a layer whose input has steps of `input` values; with the weights of a
    /// second input, and the values that it has.
    pub(super) fn new(
        inputs: &Inputs,
        squash: Squash,
        first: usize,
        batch: usize,
        input: usize,
        auxiliary: Option<(usize, usize)>,
    ) -> Result<Self> {
        let [units, _] = inputs.shape_of_rank(first)?;
        expect_weights(inputs, first, &[units, input])?;
        expect_weights(inputs, first + 1, &[units, units])?;
        expect_values(inputs, first + 2, units)?;
        if let Some((weights, len)) = auxiliary {
            expect_weights(inputs, weights, &[units, len])?;
        }
        let states = batch.checked_mul(units);
        expect_values(inputs, first + 3, states.ok_or_else(|| Error::model("too many states"))?)?;
        let sizes = Sizes {
            input,
            auxiliary: auxiliary.map(|(_, len)| len),
            gates: units,
            units,
            state: 0,
            projection: None,
            is_diagonal: false,
        };
        Ok(Self { squash, first, auxiliary: auxiliary.map(|(weights, _)| weights), sizes })
    }

    /// The operand that is the state.
    pub(super) fn state(&self) -> usize {
        self.first + 3
    }
}

impl LayerPlan for RnnPlan {
    type Cell = RnnCell;

    fn sizes(&self) -> Sizes {
        self.sizes
    }

    fn layer<'a>(
        &self,
        isa: Isa,
        arithmetic: Arithmetic,
        operand: &dyn Fn(usize) -> &'a [f32],
    ) -> Layer<RnnCell> {
        let weights = Weights {
            input: operand(self.first).to_vec(),
            auxiliary: self.auxiliary.map(|i| operand(i).to_vec()).unwrap_or_default(),
            recurrent: operand(self.first + 1).to_vec(),
            bias: Some(operand(self.first + 2).to_vec()),
            ..Weights::default()
        };
        Layer::new(isa, arithmetic, self.sizes, &weights, Clamp::NONE, RnnCell(self.squash))
    }
}

/// An operator of one layer.
pub(in crate::ops) struct Rnn {
    squash: Squash,
    /// Whether the input is sequences, with the time first or not, or a single step of each.
    time_major: Option<bool>,
}

impl Rnn {
    pub(in crate::ops) fn sequence(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, SequenceRNNOptions);
        let squash = Activation::new(options.fused_activation_function)?.squash()?;
        Ok(Box::new(Self { squash, time_major: Some(options.time_major) }))
    }

    pub(in crate::ops) fn step(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, RNNOptions);
        let squash = Activation::new(options.fused_activation_function)?.squash()?;
        Ok(Box::new(Self { squash, time_major: None }))
    }

    fn plan(&self, inputs: &Inputs) -> Result<(RnnPlan, Sequences)> {
        let (sequences, input) = match self.time_major {
            Some(time_major) => sequences(inputs, 0, time_major)?,
            None => steps(inputs, 0)?,
        };
        let plan = RnnPlan::new(inputs, self.squash, 1, sequences.batch, input, None)?;
        Ok((plan, sequences))
    }
}

impl Operator for Rnn {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (plan, _) = self.plan(inputs)?;
        let mut shape = inputs.shape(0)?.to_vec();
        if let Some(last) = shape.last_mut() {
            *last = plan.sizes.units;
        }
        Ok(vec![TensorType::new(DType::F32, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (plan, sequences) = self.plan(context.inputs)?;
        let (output_state, row) = (plan.state(), (plan.sizes.units, 0));
        let pass = Pass {
            plan,
            backward: false,
            input: 0,
            auxiliary: None,
            output_state,
            cell_state: None,
            output: 0,
            row,
            only_last: false,
        };
        prepare(context, sequences, vec![pass])
    }
}
