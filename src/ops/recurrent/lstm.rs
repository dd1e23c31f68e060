//! `UNIDIRECTIONAL_SEQUENCE_LSTM`, and `LSTM` with its full kernel, which is one step of it.
//!
//! Semantics: TFLite's `lstm_eval.cc` for float32. Weights may be quantized: they are used as the floats
//! that they stand for, and the input is not quantized as there. Without an activation, the output gate is
//! that of the state, where TFLite's is that of the new value.

use super::basic_lstm::BasicLstm;
use super::layer::{Layer, Weights};
use super::operands::{expect_values, expect_weights, sequences, steps};
use super::passes::{LayerPlan, Pass, prepare};
use super::sizes::{Sequences, Sizes};
use crate::arithmetic::Arithmetic;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::Isa;
use crate::kernel::gemm::Clamp;
use crate::kernel::recurrent::Squash;
use crate::kernel::recurrent::lstm::{LstmCell, Norm, Peephole, Places};
use crate::operator::{Inputs, Operator, PrepareContext, Prepared};
use crate::ops::activation::Activation;
use crate::ops::attributes::attributes;
use crate::schema::{ActivationFunctionType, BuiltinOptionsT, LSTMKernelType};
use crate::tensor::{DType, TensorType};

/// What the attributes say of a cell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attributes {
    squash: Squash,
    cell_clip: Option<f32>,
    projection_clip: Option<f32>,
}

impl Attributes {
    /// # Errors
    /// If the activation is not known, or a clip is negative.
    pub(super) fn new(
        activation: ActivationFunctionType,
        cell_clip: f32,
        projection_clip: f32,
    ) -> Result<Self> {
        let clip = |clip: f32| match clip {
            // There is none.
            0.0 => Ok(None),
            _ if clip > 0.0 => Ok(Some(clip)),
            _ => Err(Error::model(format!("a clip is {clip}, but must not be negative"))),
        };
        Ok(Self {
            squash: Activation::new(activation)?.squash()?,
            cell_clip: clip(cell_clip)?,
            projection_clip: clip(projection_clip)?,
        })
    }
}

/// Which inputs of an operator are a cell's operands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Positions {
    /// The first of those that follow each other: weights of the input and of the previous output,
    /// peepholes, biases, and the projection.
    pub(super) first: usize,
    /// The output before the first step.
    pub(super) output_state: usize,
    /// The state before the first step.
    pub(super) cell_state: usize,
    /// The first of the factors of normalisation, if there can be any.
    pub(super) norm: Option<usize>,
    /// The first of the weights of a second input, if there can be one.
    pub(super) auxiliary: Option<usize>,
}

/// Gates in the order of their operands.
const INPUT: usize = 0;
const FORGET: usize = 1;
const CELL: usize = 2;
const OUTPUT: usize = 3;

/// Gates in the order in which they are computed; the last one need not be there.
const GATES: [usize; 4] = [FORGET, CELL, OUTPUT, INPUT];

impl Positions {
    /// Of the layer that reads a sequence forward, in operators of sequences and single steps.
    const FORWARD: Self =
        Self { first: 1, output_state: 18, cell_state: 19, norm: Some(20), auxiliary: None };

    fn input(&self, gate: usize) -> usize {
        self.first + gate
    }

    fn recurrent(&self, gate: usize) -> usize {
        self.first + 4 + gate
    }

    /// There is none for the new value.
    fn peephole(&self, gate: usize) -> usize {
        self.first + 8 + gate - usize::from(gate == OUTPUT)
    }

    fn bias(&self, gate: usize) -> usize {
        self.first + 11 + gate
    }

    fn projection(&self) -> usize {
        self.first + 15
    }

    fn projection_bias(&self) -> usize {
        self.first + 16
    }
}

/// An LSTM layer at plan time.
#[derive(Debug)]
pub(super) struct LstmPlan {
    attributes: Attributes,
    positions: Positions,
    sizes: Sizes,
    gates: &'static [usize],
    has_peephole: bool,
    has_projection_bias: bool,
    norm: Option<usize>,
    auxiliary: Option<usize>,
}

impl LstmPlan {
    /// Checks all operands of a layer whose input has steps of `input` values, and the second input, if
    /// the layer is to have one, of `auxiliary`.
    pub(super) fn new(
        inputs: &Inputs,
        attributes: Attributes,
        positions: Positions,
        batch: usize,
        input: usize,
        auxiliary: Option<usize>,
    ) -> Result<Self> {
        let p = positions;
        let [units, _] = inputs.shape_of_rank(p.input(OUTPUT))?;
        if units == 0 {
            return Err(Error::model("its cells have no units"));
        }
        let has = |i: usize| inputs.optional(i).is_some();
        let gates = if has(p.input(INPUT)) { &GATES[..] } else { &GATES[..3] };
        if has(p.input(INPUT)) != has(p.recurrent(INPUT)) {
            return Err(Error::model("only some of the weights of an input gate are there"));
        }
        let has_projection = has(p.projection());
        let recurrent = inputs.shape(p.recurrent(OUTPUT))?;
        let (is_diagonal, output) = match *recurrent {
            [n] if n == units && !has_projection => (true, n),
            [rows, n] if rows == units && (n == units || has_projection) => (false, n),
            _ => {
                return Err(Error::model(format!(
                    "recurrent weights of shape {recurrent:?} do not fit {units} units"
                )));
            }
        };
        let projection = has_projection.then_some(output);
        let has_peephole = has(p.peephole(OUTPUT));
        let norm = p.norm.filter(|norm| has(norm + FORGET));
        for &gate in gates {
            expect_weights(inputs, p.input(gate), &[units, input])?;
            expect_weights(inputs, p.recurrent(gate), recurrent)?;
            expect_values(inputs, p.bias(gate), units)?;
            if has_peephole && gate != CELL {
                expect_weights(inputs, p.peephole(gate), &[units])?;
            }
            if let Some(norm) = norm {
                expect_weights(inputs, norm + gate, &[units])?;
            }
            if let (Some(first), Some(len)) = (p.auxiliary, auxiliary) {
                expect_weights(inputs, first + gate, &[units, len])?;
            }
        }
        let has_projection_bias = has(p.projection_bias());
        if has_projection {
            expect_weights(inputs, p.projection(), &[output, units])?;
        }
        if has_projection_bias {
            expect_values(inputs, p.projection_bias(), output)?;
        }
        let states = |n: usize| {
            let missing = || Error::model("its states are too large");
            batch.checked_mul(n).ok_or_else(missing)
        };
        expect_values(inputs, p.output_state, states(output)?)?;
        expect_values(inputs, p.cell_state, states(units)?)?;
        let sizes = Sizes {
            input,
            auxiliary,
            gates: gates.len() * units,
            units,
            state: units,
            projection,
            is_diagonal,
        };
        let auxiliary = auxiliary.and(p.auxiliary);
        Ok(Self {
            attributes,
            positions,
            sizes,
            gates,
            has_peephole,
            has_projection_bias,
            norm,
            auxiliary,
        })
    }
}

impl LayerPlan for LstmPlan {
    type Cell = LstmCell;

    fn sizes(&self) -> Sizes {
        self.sizes
    }

    fn layer<'a>(
        &self,
        isa: Isa,
        arithmetic: Arithmetic,
        operand: &dyn Fn(usize) -> &'a [f32],
    ) -> Layer<LstmCell> {
        let p = self.positions;
        let join = |position: &dyn Fn(usize) -> usize| -> Vec<f32> {
            self.gates.iter().flat_map(|&gate| operand(position(gate))).copied().collect()
        };
        let bias = join(&|gate| p.bias(gate));
        let norm = self.norm.map(|first| join(&|gate| first + gate));
        let projection = self.sizes.projection.map(|_| operand(p.projection()).to_vec());
        let weights = Weights {
            input: join(&|gate| p.input(gate)),
            auxiliary: self.auxiliary.map(|first| join(&|gate| first + gate)).unwrap_or_default(),
            recurrent: join(&|gate| p.recurrent(gate)),
            bias: norm.is_none().then(|| bias.clone()),
            recurrent_bias: None,
            projection: projection.unwrap_or_default(),
            projection_bias: self
                .has_projection_bias
                .then(|| operand(p.projection_bias()).to_vec()),
        };
        let has_input_gate = self.gates.len() == GATES.len();
        let peephole = |gate| operand(p.peephole(gate)).to_vec();
        let cell = LstmCell {
            units: self.sizes.units,
            places: Places { forget: 0, cell: 1, output: 2, input: has_input_gate.then_some(3) },
            squash: self.attributes.squash,
            clip: self.attributes.cell_clip,
            peephole: self.has_peephole.then(|| Peephole {
                input: if has_input_gate { peephole(INPUT) } else { Vec::new() },
                forget: peephole(FORGET),
                output: peephole(OUTPUT),
            }),
            norm: norm.map(|scale| Norm { scale, bias }),
        };
        let clamp = match self.attributes.projection_clip {
            Some(clip) => Clamp { low: -clip, high: clip },
            None => Clamp::NONE,
        };
        Layer::new(isa, arithmetic, self.sizes, &weights, clamp, cell)
    }
}

/// An operator of one layer.
pub(in crate::ops) struct Lstm {
    attributes: Attributes,
    /// Whether the input is sequences, with the time first or not, or a single step of each.
    time_major: Option<bool>,
}

impl Lstm {
    pub(in crate::ops) fn sequence(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, UnidirectionalSequenceLSTMOptions);
        let attributes = Attributes::new(
            options.fused_activation_function,
            options.cell_clip,
            options.proj_clip,
        )?;
        Ok(Box::new(Self { attributes, time_major: Some(options.time_major) }))
    }

    pub(in crate::ops) fn step(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, LSTMOptions);
        match options.kernel_type {
            LSTMKernelType::FULL => {}
            LSTMKernelType::BASIC => return Ok(Box::new(BasicLstm)),
            other => return Err(Error::model(format!("kernel {other:?} is not known"))),
        }
        let attributes = Attributes::new(
            options.fused_activation_function,
            options.cell_clip,
            options.proj_clip,
        )?;
        Ok(Box::new(Self { attributes, time_major: None }))
    }

    fn plan(&self, inputs: &Inputs) -> Result<(LstmPlan, Sequences)> {
        let (sequences, input) = match self.time_major {
            Some(time_major) => sequences(inputs, 0, time_major)?,
            None => steps(inputs, 0)?,
        };
        let positions = Positions::FORWARD;
        let plan = LstmPlan::new(inputs, self.attributes, positions, sequences.batch, input, None)?;
        Ok((plan, sequences))
    }
}

impl Operator for Lstm {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (plan, _) = self.plan(inputs)?;
        let mut shape = inputs.shape(0)?.to_vec();
        if let Some(last) = shape.last_mut() {
            *last = plan.sizes.output();
        }
        Ok(vec![TensorType::new(DType::F32, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (plan, sequences) = self.plan(context.inputs)?;
        let Positions { output_state, cell_state, .. } = plan.positions;
        let row = (plan.sizes.output(), 0);
        let pass = Pass {
            plan,
            backward: false,
            input: 0,
            auxiliary: None,
            output_state,
            cell_state: Some(cell_state),
            output: 0,
            row,
            only_last: false,
        };
        prepare(context, sequences, vec![pass])
    }
}
