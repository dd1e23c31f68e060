//! From layers to an operator: every layer passes over the sequences once, forward or backward.

use std::fmt::Debug;

use super::layer::{Layer, Output, Run};
use super::operands::Operands;
use super::sizes::{Sequences, Sizes};
use crate::arithmetic::Arithmetic;
use crate::error::Result;
use crate::kernel::Isa;
use crate::kernel::recurrent::Cell;
use crate::operator::{EvalContext, Images, Observe, PrepareContext, Prepared};

/// What is known of a layer at plan time: all that there is to it beside its operands.
pub(super) trait LayerPlan: Debug + Send + Sync + 'static {
    /// Its cell.
    type Cell: Cell;

    /// Its sizes.
    fn sizes(&self) -> Sizes;

    /// Packs its weights, which are operands.
    fn layer<'a>(
        &self,
        isa: Isa,
        arithmetic: Arithmetic,
        operand: &dyn Fn(usize) -> &'a [f32],
    ) -> Layer<Self::Cell>;
}

/// A layer, what it reads and what it writes.
pub(super) struct Pass<P> {
    pub(super) plan: P,
    /// Whether the last step comes first.
    pub(super) backward: bool,
    /// The input, an operand.
    pub(super) input: usize,
    /// The second input, if the layer has weights for it.
    pub(super) auxiliary: Option<usize>,
    /// The output before the first step.
    pub(super) output_state: usize,
    /// What cells keep before the first step.
    pub(super) cell_state: Option<usize>,
    /// Which output of the operator it writes.
    pub(super) output: usize,
    /// Values of that output in a row, and where in a row it writes.
    pub(super) row: (usize, usize),
    /// Whether only the last step is written.
    pub(super) only_last: bool,
}

impl<P: LayerPlan> Pass<P> {
    /// The operands that are no weights.
    fn others(&self) -> impl Iterator<Item = usize> {
        let optional = [self.auxiliary, self.cell_state].into_iter().flatten();
        [self.input, self.output_state].into_iter().chain(optional)
    }

    fn run(&self, context: &mut EvalContext<'_>, sequences: Sequences, layer: &Layer<P::Cell>) {
        let isa = context.isa();
        let operand = |i: usize| -> Images<'_> {
            (0..context.records()).map(|record| context.input_of(record, i)).collect()
        };
        let (input, output_state) = (operand(self.input), operand(self.output_state));
        let auxiliary = self.auxiliary.map(operand).unwrap_or_default();
        let cell_state = self.cell_state.map(operand).unwrap_or_default();
        let run = Run {
            sequences,
            backward: self.backward,
            input: &input,
            auxiliary: &auxiliary,
            output_state: &output_state,
            cell_state: &cell_state,
        };
        let (outputs, scratch) = context.outputs_and_scratch();
        let values = bytemuck::cast_slice_mut(outputs[self.output]);
        let (stride, first) = self.row;
        let mut output = Output { values, stride, first, only_last: self.only_last };
        layer.run(isa, &run, &mut output, scratch);
    }
}

/// An operator of layers that do not read each other's outputs.
///
/// # Errors
/// If a weight is quantized without a scale.
pub(super) fn prepare<P: LayerPlan>(
    context: &PrepareContext<'_>,
    sequences: Sequences,
    passes: Vec<Pass<P>>,
) -> Result<Prepared> {
    let PrepareContext { isa, arithmetic, inputs, .. } = *context;
    let others: Vec<usize> = passes.iter().flat_map(Pass::others).collect();
    let operands = Operands::new(inputs, &others)?;
    let sizes: Vec<Sizes> = passes.iter().map(|pass| pass.plan.sizes()).collect();
    let steps = sequences.batch.saturating_mul(sequences.time);
    let multiply_adds = sizes.iter().map(|it| it.multiply_adds().saturating_mul(steps));
    let multiply_adds = multiply_adds.fold(0, usize::saturating_add);
    let held = sizes.iter().map(Sizes::packed_len).fold(0, usize::saturating_add);
    let scratch = move |records: usize| {
        let sequences_of_all = records.saturating_mul(sequences.batch);
        let bytes = sizes.iter().map(|it| it.scratch_len(isa, sequences_of_all, sequences.time));
        bytes.max().unwrap_or(0)
    };
    if !operands.are_constant() {
        let prepared = Prepared::eval(Observe::Scan, move |context| {
            for pass in &passes {
                let layer = pass.plan.layer(isa, arithmetic, &|i| operands.get(Some(&*context), i));
                pass.run(context, sequences, &layer);
            }
            Ok(())
        });
        return Ok(prepared.with_scratch(scratch(1)).multiplying(multiply_adds));
    }
    let packs = context.packs.clone();
    let prepared = Prepared::later(Observe::Scan, move || {
        let constants = operands.constants();
        let layer = |pass: &Pass<P>| {
            let pack = || pass.plan.layer(isa, arithmetic, &|i| operands.get(None, i));
            packs.get(&pass.plan, &constants, pack)
        };
        let layers: Vec<_> = passes.iter().map(layer).collect();
        move |context: &mut EvalContext<'_>| {
            for (pass, layer) in passes.iter().zip(&layers) {
                pass.run(context, sequences, layer);
            }
            Ok(())
        }
    });
    Ok(prepared.in_groups(scratch).multiplying(multiply_adds).holding(held))
}
