//! `BIDIRECTIONAL_SEQUENCE_LSTM` and `BIDIRECTIONAL_SEQUENCE_RNN`: two layers, one of which reads the
//! sequences from their end.
//!
//! Semantics: TFLite's kernels of these names for float32, but where they take one tensor for another: with
//! the batch first and one output, an LSTM there finds the states of the first sequence only, and both
//! layers of an RNN read the first input. The second output of an RNN with the time first has the time
//! first too, which its shape there has not.

use super::lstm::{Attributes, LstmPlan, Positions};
use super::operands::sequences;
use super::passes::{LayerPlan, Pass, prepare};
use super::rnn::RnnPlan;
use super::sizes::Sequences;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::recurrent::Squash;
use crate::operator::{Inputs, Operator, PrepareContext, Prepared};
use crate::ops::activation::Activation;
use crate::ops::attributes::attributes;
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

/// What both operators have.
#[derive(Clone, Copy)]
struct Both {
    /// Whether the outputs of the layers lie side by side in one.
    merge_outputs: bool,
    time_major: bool,
}

/// What the layers read.
struct Reads {
    sequences: Sequences,
    /// Values of a step of the input of each layer.
    lens: [usize; 2],
    /// The input of the layer that reads backward.
    backward: usize,
    /// The second input of both layers, and its values.
    auxiliary: Option<(usize, usize)>,
}

impl Both {
    /// Of an operator whose second input is `auxiliary`: it is the input of the layer that reads backward
    /// if there are no weights for it.
    fn reads(self, inputs: &Inputs, auxiliary: usize, has_weights: bool) -> Result<Reads> {
        let (sequences, len) = sequences(inputs, 0, self.time_major)?;
        let mut reads = Reads { sequences, lens: [len; 2], backward: 0, auxiliary: None };
        if !has_weights && inputs.optional(auxiliary).is_none() {
            return Ok(reads);
        }
        let (others, second) = self::sequences(inputs, auxiliary, self.time_major)?;
        if (others.batch, others.time) != (sequences.batch, sequences.time) {
            return Err(Error::model(format!(
                "inputs of shapes {:?} and {:?} are not of the same sequences",
                inputs.shape(0)?,
                inputs.shape(auxiliary)?
            )));
        }
        if has_weights {
            reads.auxiliary = Some((auxiliary, second));
        } else {
            (reads.backward, reads.lens[1]) = (auxiliary, second);
        }
        Ok(reads)
    }

    fn output_types(self, inputs: &Inputs, lens: [usize; 2]) -> Result<Vec<TensorType>> {
        let [a, b, _] = inputs.shape_of_rank(0)?;
        let output = |len| TensorType::new(DType::F32, [a, b, len]);
        if !self.merge_outputs {
            return Ok(lens.map(output).to_vec());
        }
        let sum = lens[0].checked_add(lens[1]);
        Ok(vec![output(sum.ok_or_else(|| Error::model("its outputs are too large"))?)])
    }

    fn prepare<P: LayerPlan>(
        self,
        context: &PrepareContext<'_>,
        reads: &Reads,
        plans: [P; 2],
        states: [(usize, Option<usize>); 2],
    ) -> Result<Prepared> {
        let lens = [plans[0].sizes().output(), plans[1].sizes().output()];
        let passes = plans.into_iter().zip(states).enumerate().map(|(i, (plan, states))| {
            let backward = i == 1;
            let merged = (lens[0] + lens[1], if backward { lens[0] } else { 0 });
            Pass {
                plan,
                backward,
                input: if backward { reads.backward } else { 0 },
                auxiliary: reads.auxiliary.map(|(i, _)| i),
                output_state: states.0,
                cell_state: states.1,
                output: if self.merge_outputs { 0 } else { i },
                row: if self.merge_outputs { merged } else { (lens[i], 0) },
                only_last: false,
            }
        });
        prepare(context, reads.sequences, passes.collect())
    }
}

/// `BIDIRECTIONAL_SEQUENCE_LSTM`
pub(in crate::ops) struct BidirectionalLstm {
    both: Both,
    attributes: Attributes,
}

impl BidirectionalLstm {
    const AUXILIARY: usize = 39;
    const POSITIONS: [Positions; 2] = [
        Positions { first: 1, output_state: 35, cell_state: 36, norm: None, auxiliary: Some(40) },
        Positions { first: 18, output_state: 37, cell_state: 38, norm: None, auxiliary: Some(44) },
    ];

    pub(in crate::ops) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, BidirectionalSequenceLSTMOptions);
        let both = Both { merge_outputs: options.merge_outputs, time_major: options.time_major };
        let attributes = Attributes::new(
            options.fused_activation_function,
            options.cell_clip,
            options.proj_clip,
        )?;
        Ok(Box::new(Self { both, attributes }))
    }

    fn plans(&self, inputs: &Inputs) -> Result<(Reads, [LstmPlan; 2])> {
        // Of the forget gate, which is always there.
        let has_weights = inputs.optional(Self::AUXILIARY + 2).is_some();
        let reads = self.both.reads(inputs, Self::AUXILIARY, has_weights)?;
        let plan = |i: usize| {
            let (batch, len) = (reads.sequences.batch, reads.lens[i]);
            let auxiliary = reads.auxiliary.map(|(_, len)| len);
            LstmPlan::new(inputs, self.attributes, Self::POSITIONS[i], batch, len, auxiliary)
        };
        let plans = [plan(0)?, plan(1)?];
        Ok((reads, plans))
    }
}

impl Operator for BidirectionalLstm {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (_, [forward, backward]) = self.plans(inputs)?;
        self.both.output_types(inputs, [forward.sizes().output(), backward.sizes().output()])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (reads, plans) = self.plans(context.inputs)?;
        let states = Self::POSITIONS.map(|it| (it.output_state, Some(it.cell_state)));
        self.both.prepare(context, &reads, plans, states)
    }
}

/// `BIDIRECTIONAL_SEQUENCE_RNN`
pub(in crate::ops) struct BidirectionalRnn {
    both: Both,
    squash: Squash,
}

impl BidirectionalRnn {
    const AUXILIARY: usize = 9;

    pub(in crate::ops) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, BidirectionalSequenceRNNOptions);
        let both = Both { merge_outputs: options.merge_outputs, time_major: options.time_major };
        let squash = Activation::new(options.fused_activation_function)?.squash()?;
        Ok(Box::new(Self { both, squash }))
    }

    fn plans(&self, inputs: &Inputs) -> Result<(Reads, [RnnPlan; 2])> {
        let weights = |i: usize| Self::AUXILIARY + 1 + i;
        let has_weights = inputs.optional(weights(0)).is_some();
        let reads = self.both.reads(inputs, Self::AUXILIARY, has_weights)?;
        let plan = |i: usize| {
            let (batch, len) = (reads.sequences.batch, reads.lens[i]);
            let auxiliary = reads.auxiliary.map(|(_, len)| (weights(i), len));
            RnnPlan::new(inputs, self.squash, 1 + 4 * i, batch, len, auxiliary)
        };
        let plans = [plan(0)?, plan(1)?];
        Ok((reads, plans))
    }
}

impl Operator for BidirectionalRnn {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (_, [forward, backward]) = self.plans(inputs)?;
        self.both.output_types(inputs, [forward.sizes().output(), backward.sizes().output()])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (reads, plans) = self.plans(context.inputs)?;
        let states = [(plans[0].state(), None), (plans[1].state(), None)];
        self.both.prepare(context, &reads, plans, states)
    }
}
