//! `LSTM` with its basic kernel: one step, whose intermediate values are outputs too.
//!
//! Semantics: TFLite's `lstm_cell.h` for float32.

use super::operands::{Operands, expect_values, expect_weights, steps};
use crate::error::{Error, Result};
use crate::kernel::Isa;
use crate::kernel::gemm::{Clamp, PackedWeights, Target, WeightLayout, matrix_rows, multiply};
use crate::kernel::recurrent::lstm::{LstmCell, Places};
use crate::kernel::recurrent::{Cell, Squash, Step};
use crate::observation::Observation;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType};

/// Inputs.
const INPUT: usize = 0;
const OUTPUT_STATE: usize = 1;
const WEIGHTS: usize = 2;
const BIAS: usize = 3;
const CELL_STATE: usize = 4;

/// `LSTM` with its basic kernel. Outputs are the cell's output, its state, the joined rows of input and
/// previous output, and the sums of the gates.
pub(super) struct BasicLstm;

/// Sequences, and the values of a step of the input and of the output.
#[derive(Clone, Copy)]
struct Sizes {
    batch: usize,
    input: usize,
    units: usize,
}

impl Sizes {
    fn new(inputs: &Inputs) -> Result<Self> {
        let (sequences, input) = steps(inputs, INPUT)?;
        let batch = sequences.batch;
        let [_, units] = inputs.shape_of_rank(OUTPUT_STATE)?;
        let states = batch.checked_mul(units).ok_or_else(|| Error::model("too many states"))?;
        expect_values(inputs, OUTPUT_STATE, states)?;
        expect_values(inputs, CELL_STATE, states)?;
        let all = units.checked_mul(4).zip(input.checked_add(units));
        let (gates, k) = all.ok_or_else(|| Error::model("too many units"))?;
        expect_weights(inputs, WEIGHTS, &[gates, k])?;
        expect_values(inputs, BIAS, gates)?;
        Ok(Self { batch, input, units })
    }

    fn gates(self) -> usize {
        4 * self.units
    }

    /// Values of a joined row.
    fn joined(self) -> usize {
        self.input + self.units
    }

    fn layout(self) -> WeightLayout {
        let (n, k) = (self.gates(), self.joined());
        WeightLayout::of_rows(n, k)
    }

    fn pointers_len(self, isa: Isa) -> usize {
        let row_bytes = self.joined().saturating_mul(size_of::<f32>());
        self.layout().scratch_len(isa, self.batch, row_bytes).next_multiple_of(64)
    }

    fn scratch_len(self, isa: Isa) -> usize {
        let nothing = self.gates().saturating_mul(size_of::<f32>());
        nothing.saturating_add(self.pointers_len(isa))
    }
}

impl Operator for BasicLstm {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let sizes = Sizes::new(inputs)?;
        let lens = [sizes.units, sizes.units, sizes.joined(), sizes.gates()];
        Ok(lens.map(|len| TensorType::new(DType::F32, [sizes.batch, len])).to_vec())
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let PrepareContext { isa, arithmetic, inputs, .. } = *context;
        let sizes = Sizes::new(inputs)?;
        let operands = Operands::new(inputs, &[INPUT, OUTPUT_STATE, CELL_STATE])?;
        let multiply_adds = sizes.batch.saturating_mul(sizes.gates() * sizes.joined());
        let layout = sizes.layout();
        let prepared = if operands.are_constant() {
            let held = layout.byte_len();
            let packs = context.packs.clone();
            let prepared = Prepared::later(Observe::Scan, move || {
                let packed = packs.get(&layout, &operands.constants(), || {
                    let (weights, bias) = (operands.get(None, WEIGHTS), operands.get(None, BIAS));
                    PackedWeights::new(isa, arithmetic, layout, weights, Some(bias))
                });
                move |context: &mut EvalContext<'_>| {
                    sizes.run(context, &packed);
                    Ok(())
                }
            });
            prepared.holding(held)
        } else {
            Prepared::eval(Observe::Scan, move |context| {
                let operand = |i| operands.get(Some(&*context), i);
                let (weights, bias) = (operand(WEIGHTS), operand(BIAS));
                let packed = PackedWeights::new(isa, arithmetic, layout, weights, Some(bias));
                sizes.run(context, &packed);
                Ok(())
            })
        };
        Ok(prepared.with_scratch(sizes.scratch_len(isa)).multiplying(multiply_adds))
    }
}

impl Sizes {
    fn run(self, context: &mut EvalContext<'_>, weights: &PackedWeights) {
        let Self { batch, units, .. } = self;
        let (gates, k, isa) = (self.gates(), self.joined(), context.isa());
        if batch == 0 || units == 0 {
            return;
        }
        let (input, previous) = (context.input::<f32>(INPUT), context.input::<f32>(OUTPUT_STATE));
        let old_state = context.input::<f32>(CELL_STATE);
        let (outputs, scratch) = context.outputs_and_scratch();
        let [output, state, joined, sums] = outputs else { return };
        let [output, state, joined, sums] =
            [output, state, joined, sums].map(|it| bytemuck::cast_slice_mut::<u8, f32>(it));
        let (pointers, nothing) = scratch.split_at_mut(self.pointers_len(isa));
        let nothing = &mut nothing[..gates * size_of::<f32>()];
        let nothing = bytemuck::cast_slice_mut::<u8, f32>(nothing);
        for (i, row) in joined.chunks_exact_mut(k).enumerate() {
            row[..self.input].copy_from_slice(&input[i * self.input..][..self.input]);
            row[self.input..].copy_from_slice(&previous[i * units..][..units]);
        }
        let images = [&*joined];
        let target = Target { values: sums, row_stride: gates, column: 0 };
        let rows = matrix_rows(&images, batch, k);
        let observed = &mut [Observation::EMPTY];
        multiply(weights, rows, Clamp::NONE, target, observed, None, pointers);
        let places = Places { input: Some(0), cell: 1, forget: 2, output: 3 };
        let squash = Squash::Tanh;
        let cell = LstmCell { units, places, squash, clip: None, peephole: None, norm: None };
        nothing.fill(0.0);
        state.copy_from_slice(old_state);
        let results = state.chunks_exact_mut(units).zip(output.chunks_exact_mut(units));
        for (input, (state, output)) in sums.chunks_exact(gates).zip(results) {
            cell.step(isa, Step { input, recurrent: nothing, state, output });
        }
    }
}
