//! Circle's `GRU`, with the reset gate after the product with the previous output, as Keras' layer with
//! `reset_after` has it. Gates are update, reset and new.
//!
//! Semantics: the `GRU` kernel of ONE's luci-interpreter, for any number of sequences. As there, the
//! time always comes first, whatever `time_major` says, and the activation is tanh, whatever the
//! attribute says: ONE's converter sets neither. Unlike there, `return_sequences` is heeded.

use super::layer::{Layer, Weights};
use super::operands::{expect_values, expect_weights, sequences};
use super::passes::{LayerPlan, Pass, prepare};
use super::sizes::{Sequences, Sizes};
use crate::arithmetic::Arithmetic;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::Isa;
use crate::kernel::gemm::Clamp;
use crate::kernel::recurrent::GruCell;
use crate::operator::{Inputs, Operator, PrepareContext, Prepared};
use crate::ops::attributes::attributes;
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

/// `hidden_hidden` and `hidden_input` weights, each followed by its bias.
const HIDDEN_HIDDEN: usize = 1;
const HIDDEN_INPUT: usize = 3;
const STATE: usize = 5;

/// A GRU layer at plan time.
#[derive(Debug)]
struct GruPlan {
    /// The weights of the input.
    input: usize,
    /// The weights of the previous output.
    recurrent: usize,
    has_bias: bool,
    has_recurrent_bias: bool,
    sizes: Sizes,
}

impl GruPlan {
    fn new(inputs: &Inputs, batch: usize, input: usize) -> Result<Self> {
        inputs.expect_dtype(STATE, DType::F32)?;
        let state = inputs.shape(STATE)?;
        let units = state.last().copied().unwrap_or(0);
        let states = batch.checked_mul(units).ok_or_else(|| Error::model("too many states"))?;
        expect_values(inputs, STATE, states)?;
        let gates = units.checked_mul(3).ok_or_else(|| Error::model("too many units"))?;
        // ONE's converter gives the weights of the input as `hidden_hidden`, and its interpreter takes
        // them so. Names and recipes have it the other way round, which shapes may tell.
        let swapped = inputs.shape(HIDDEN_HIDDEN)? == [gates, units]
            && inputs.shape(HIDDEN_INPUT)? == [gates, input];
        let (of_input, of_output) = if swapped && input != units {
            (HIDDEN_INPUT, HIDDEN_HIDDEN)
        } else {
            (HIDDEN_HIDDEN, HIDDEN_INPUT)
        };
        expect_weights(inputs, of_input, &[gates, input])?;
        expect_weights(inputs, of_output, &[gates, units])?;
        let has_bias = |weights: usize| match inputs.optional(weights + 1) {
            Some(_) => expect_values(inputs, weights + 1, gates).map(|()| true),
            None => Ok(false),
        };
        let sizes = Sizes {
            input,
            auxiliary: None,
            gates,
            units,
            state: 0,
            projection: None,
            is_diagonal: false,
        };
        Ok(Self {
            input: of_input,
            recurrent: of_output,
            has_bias: has_bias(of_input)?,
            has_recurrent_bias: has_bias(of_output)?,
            sizes,
        })
    }
}

impl LayerPlan for GruPlan {
    type Cell = GruCell;

    fn sizes(&self) -> Sizes {
        self.sizes
    }

    fn layer<'a>(
        &self,
        isa: Isa,
        arithmetic: Arithmetic,
        operand: &dyn Fn(usize) -> &'a [f32],
    ) -> Layer<GruCell> {
        let bias = |has_bias: bool, weights: usize| has_bias.then(|| operand(weights + 1).to_vec());
        let weights = Weights {
            input: operand(self.input).to_vec(),
            recurrent: operand(self.recurrent).to_vec(),
            bias: bias(self.has_bias, self.input),
            recurrent_bias: bias(self.has_recurrent_bias, self.recurrent),
            ..Weights::default()
        };
        let cell = GruCell { units: self.sizes.units };
        Layer::new(isa, arithmetic, self.sizes, &weights, Clamp::NONE, cell)
    }
}

/// `GRU`
pub(in crate::ops) struct Gru {
    return_sequences: bool,
}

impl Gru {
    pub(in crate::ops) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let return_sequences = attributes!(node, GRUOptions).return_sequences;
        Ok(Box::new(Self { return_sequences }))
    }

    fn plan(inputs: &Inputs) -> Result<(GruPlan, Sequences)> {
        let (sequences, input) = sequences(inputs, 0, true)?;
        if sequences.time == 0 {
            return Err(Error::model("its sequences have no steps"));
        }
        Ok((GruPlan::new(inputs, sequences.batch, input)?, sequences))
    }
}

impl Operator for Gru {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (plan, Sequences { batch, time, .. }) = Self::plan(inputs)?;
        let shape = if self.return_sequences {
            vec![time, batch, plan.sizes.units]
        } else {
            inputs.shape(STATE)?.to_vec()
        };
        Ok(vec![TensorType::new(DType::F32, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (plan, sequences) = Self::plan(context.inputs)?;
        let row = (plan.sizes.units, 0);
        let pass = Pass {
            plan,
            backward: false,
            input: 0,
            auxiliary: None,
            output_state: STATE,
            cell_state: None,
            output: 0,
            row,
            only_last: !self.return_sequences,
        };
        prepare(context, sequences, vec![pass])
    }
}
