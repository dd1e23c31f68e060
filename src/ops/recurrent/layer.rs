//! A recurrent layer in one direction: products of many steps with the input at once, then, step by
//! step, the product with the previous output and the cell, for all sequences together.

use std::ops::Range;

use smallvec::SmallVec;

use super::sizes::{Sequences, Sizes, bytes};
use crate::arithmetic::Arithmetic;
use crate::kernel::Isa;
use crate::kernel::gemm::{
    Clamp, PackedWeights, Rows, Target, WeightLayout, matrix_rows, multiply,
};
use crate::kernel::recurrent::{Cell, Step};
use crate::observation::Observation;

/// Takes memory for so many values.
#[allow(clippy::mut_mut)]
fn take<'a>(scratch: &mut &'a mut [u8], values: usize) -> &'a mut [f32] {
    let (part, rest) = std::mem::take(scratch).split_at_mut(bytes(values));
    *scratch = rest;
    &mut bytemuck::cast_slice_mut(part)[..values]
}

/// Unpacked weights, rows by columns as TFLite has them, with gate after gate.
#[derive(Default)]
pub(super) struct Weights {
    /// From the input to the gates.
    pub(super) input: Vec<f32>,
    /// From the second input to the gates; empty without one.
    pub(super) auxiliary: Vec<f32>,
    /// From the previous output to the gates, or diagonals.
    pub(super) recurrent: Vec<f32>,
    /// What is added to the products with the input.
    pub(super) bias: Option<Vec<f32>>,
    /// What is added to the products with the previous output.
    pub(super) recurrent_bias: Option<Vec<f32>>,
    /// From the cell to the output; empty without a projection.
    pub(super) projection: Vec<f32>,
    /// What is added to the projection.
    pub(super) projection_bias: Option<Vec<f32>>,
}

/// How the previous output comes to the gates.
enum Recurrent {
    Matrix(PackedWeights),
    Diagonals(Vec<f32>),
}

/// A layer, ready to compute.
pub(super) struct Layer<C> {
    sizes: Sizes,
    input: PackedWeights,
    /// With the values of a step of the second input.
    auxiliary: Option<(usize, PackedWeights)>,
    recurrent: Recurrent,
    projection: Option<PackedWeights>,
    projection_clamp: Clamp,
    cell: C,
}

/// What a layer computes with in one evaluation.
pub(super) struct Run<'a> {
    pub(super) sequences: Sequences,
    /// Whether the last step comes first.
    pub(super) backward: bool,
    /// The input of every record.
    pub(super) input: &'a [&'a [f32]],
    /// The second input of every record; not read without weights for it.
    pub(super) auxiliary: &'a [&'a [f32]],
    /// The output before the first step, of every record.
    pub(super) output_state: &'a [&'a [f32]],
    /// What cells keep before the first step, of every record; not read if they keep nothing.
    pub(super) cell_state: &'a [&'a [f32]],
}

/// Where the outputs of a layer go.
pub(super) struct Output<'a> {
    /// Of all records, one after another.
    pub(super) values: &'a mut [f32],
    /// Values from one row to the next.
    pub(super) stride: usize,
    /// The first value's place in a row.
    pub(super) first: usize,
    /// Whether there are rows for the last step only.
    pub(super) only_last: bool,
}

impl<C: Cell> Layer<C> {
    pub(super) fn new(
        isa: Isa,
        arithmetic: Arithmetic,
        sizes: Sizes,
        weights: &Weights,
        projection_clamp: Clamp,
        cell: C,
    ) -> Self {
        let layouts = sizes.layouts();
        let pack = |layout, weights: &[f32], bias: &Option<Vec<f32>>| {
            PackedWeights::new(isa, arithmetic, layout, weights, bias.as_deref())
        };
        let auxiliary =
            |layout: WeightLayout| (layout.segment_len, pack(layout, &weights.auxiliary, &None));
        let projection = |layout| pack(layout, &weights.projection, &weights.projection_bias);
        Self {
            sizes,
            input: pack(layouts.input, &weights.input, &weights.bias),
            auxiliary: layouts.auxiliary.map(auxiliary),
            recurrent: match layouts.recurrent {
                Some(layout) => {
                    Recurrent::Matrix(pack(layout, &weights.recurrent, &weights.recurrent_bias))
                }
                None => Recurrent::Diagonals(weights.recurrent.clone()),
            },
            projection: layouts.projection.map(projection),
            projection_clamp,
            cell,
        }
    }

    /// Computes all steps of all sequences of all records.
    ///
    /// # Panics
    /// If the scratch memory is smaller than [`Sizes::scratch_len`] for all of them, or an input or the
    /// output is shorter than the sizes say.
    pub(super) fn run(&self, isa: Isa, run: &Run<'_>, to: &mut Output<'_>, mut scratch: &mut [u8]) {
        let (gates, len) = (self.sizes.gates, self.sizes.output());
        let Sequences { batch, time, .. } = run.sequences;
        let sequences = run.input.len() * batch;
        if sequences == 0 || time == 0 || len == 0 {
            return;
        }
        let parts = self.sizes.parts(sequences, time);
        let scratch = &mut scratch;
        let products = take(scratch, parts.input);
        let more = take(scratch, parts.auxiliary);
        let mut state = State {
            products: take(scratch, parts.recurrent),
            output: take(scratch, parts.output),
            state: take(scratch, parts.state),
            hidden: take(scratch, parts.hidden),
        };
        gather(run.output_state, state.output);
        if parts.state > 0 {
            gather(run.cell_state, state.state);
        }
        let at_once = self.sizes.steps(sequences, time);
        for block in 0..time.div_ceil(at_once) {
            let block = if run.backward { time.div_ceil(at_once) - 1 - block } else { block };
            let steps = block * at_once..((block + 1) * at_once).min(time);
            let products = &mut products[..sequences * steps.len() * gates];
            inputs(
                &self.input,
                self.sizes.input,
                run.input,
                run.sequences,
                &steps,
                products,
                scratch,
            );
            if let Some((k, weights)) = &self.auxiliary {
                let more = &mut more[..products.len()];
                inputs(weights, *k, run.auxiliary, run.sequences, &steps, more, scratch);
                products.iter_mut().zip(&*more).for_each(|(sum, more)| *sum += more);
            }
            for i in 0..steps.len() {
                let i = if run.backward { steps.len() - 1 - i } else { i };
                let part = Sequences { time: steps.len(), ..run.sequences };
                self.step(isa, part, i, products, &mut state, scratch);
                let is_last = steps.start + i == if run.backward { 0 } else { time - 1 };
                if !to.only_last {
                    let row = |b| run.sequences.row(b, steps.start + i);
                    state.put(to, len, batch, batch * time, row);
                } else if is_last {
                    state.put(to, len, batch, batch, |b| b);
                }
            }
        }
    }

    /// Step `t` of all sequences, of those that the products with the input have been made for.
    fn step(
        &self,
        isa: Isa,
        part: Sequences,
        t: usize,
        products: &[f32],
        state: &mut State<'_>,
        scratch: &mut [u8],
    ) {
        let Sizes { gates, units, state: kept, .. } = self.sizes;
        let output_len = self.sizes.output();
        match &self.recurrent {
            Recurrent::Matrix(weights) => {
                let images = [&*state.output];
                let sequences = state.output.len() / output_len;
                let rows = matrix_rows(&images, sequences, output_len);
                let target = Target { values: state.products, row_stride: gates, column: 0 };
                let observed = &mut [Observation::EMPTY];
                multiply(weights, rows, Clamp::NONE, target, observed, None, scratch);
            }
            Recurrent::Diagonals(diagonals) => {
                let rows = state.products.chunks_exact_mut(gates);
                for (sums, output) in rows.zip(state.output.chunks_exact(output_len)) {
                    let terms = diagonals.iter().zip(output.iter().cycle());
                    sums.iter_mut().zip(terms).for_each(|(sum, (a, b))| *sum = a * b);
                }
            }
        }
        let outputs =
            if self.projection.is_some() { &mut *state.hidden } else { &mut *state.output };
        let rows = state.products.chunks_exact_mut(gates).zip(outputs.chunks_exact_mut(units));
        for (sequence, (recurrent, output)) in rows.enumerate() {
            let (record, b) = (sequence / part.batch, sequence % part.batch);
            let row = record * part.batch * part.time + part.row(b, t);
            let input = &products[row * gates..][..gates];
            let state = &mut state.state[sequence * kept..][..kept];
            self.cell.step(isa, Step { input, recurrent, state, output });
        }
        if let Some(weights) = &self.projection {
            let images = [&*state.hidden];
            let rows = matrix_rows(&images, state.hidden.len() / units, units);
            let target = Target { values: state.output, row_stride: output_len, column: 0 };
            let observed = &mut [Observation::EMPTY];
            multiply(weights, rows, self.projection_clamp, target, observed, None, scratch);
        }
    }
}

/// What goes from step to step, of all sequences.
#[allow(clippy::struct_field_names)]
struct State<'a> {
    /// What the previous output adds to the gates.
    products: &'a mut [f32],
    output: &'a mut [f32],
    state: &'a mut [f32],
    /// What is projected to the output.
    hidden: &'a mut [f32],
}

impl State<'_> {
    /// Puts the outputs of `len` values into row `row(sequence)` of their record, which has `rows`.
    fn put(
        &self,
        to: &mut Output<'_>,
        len: usize,
        batch: usize,
        rows: usize,
        row: impl Fn(usize) -> usize,
    ) {
        for (sequence, output) in self.output.chunks_exact(len).enumerate() {
            let (record, b) = (sequence / batch, sequence % batch);
            let at = (record * rows + row(b)) * to.stride + to.first;
            to.values[at..][..len].copy_from_slice(output);
        }
    }
}

/// The products of an input of all records with its weights, for some steps: those of a record after
/// those of another, in the order of its rows.
fn inputs(
    weights: &PackedWeights,
    k: usize,
    images: &[&[f32]],
    sequences: Sequences,
    steps: &Range<usize>,
    products: &mut [f32],
    scratch: &mut [u8],
) {
    let Sequences { batch, time, time_major } = sequences;
    let lines = if time_major { (steps.len(), batch) } else { (batch, steps.len()) };
    let line = if time_major { batch } else { time };
    let first = sequences.row(0, steps.start);
    let offsets = |(y, x): (usize, usize), offsets: &mut [usize]| {
        offsets[0] = (first + y * line + x) * k;
        usize::MAX
    };
    let row_bytes = k * size_of::<f32>();
    let rows = Rows { images, edges: &[], lines, row_bytes, offsets, step: k };
    let target = Target { values: products, row_stride: weights.columns(), column: 0 };
    let mut observed = SmallVec::<[_; 64]>::from_elem(Observation::EMPTY, images.len());
    multiply(weights, rows, Clamp::NONE, target, &mut observed, None, scratch);
}

/// Copies parts one after another.
fn gather(parts: &[&[f32]], to: &mut [f32]) {
    let len = to.len() / parts.len().max(1);
    for (part, to) in parts.iter().zip(to.chunks_exact_mut(len.max(1))) {
        to.copy_from_slice(&part[..len]);
    }
}
