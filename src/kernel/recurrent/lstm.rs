//! The cell of a long short-term memory: Hochreiter and Schmidhuber, 1997, with the forget gate of Gers
//! et al., 2000; peepholes, coupled gates and normalisation as TFLite's `lstm_eval.cc` has them.

use super::{Cell, Squash, Step};
use crate::kernel::isa::{Isa, Task};
use crate::kernel::math;
use crate::kernel::simd::{LANES, Simd};

/// Which place the sums of a gate have among all gates.
#[derive(Clone, Copy, Debug)]
pub struct Places {
    /// Gate of the new value; without one, it is what the forget gate leaves of 1.
    pub input: Option<usize>,
    /// Gate of the old state.
    pub forget: usize,
    /// The new value.
    pub cell: usize,
    /// Gate of the output.
    pub output: usize,
}

/// What the state adds to the sums of gates: diagonal matrices.
#[derive(Clone, Debug)]
pub struct Peephole {
    /// Of the input gate; not used without one.
    pub input: Vec<f32>,
    /// Of the forget gate.
    pub forget: Vec<f32>,
    /// Of the output gate, which sees the new state.
    pub output: Vec<f32>,
}

/// Normalisation of the sums of each gate over its units (Ba et al., "Layer Normalization", 2016).
#[derive(Clone, Debug)]
pub struct Norm {
    /// Factors, gate after gate.
    pub scale: Vec<f32>,
    /// What is added in the end.
    pub bias: Vec<f32>,
}

/// A cell of a long short-term memory.
#[derive(Clone, Debug)]
pub struct LstmCell {
    /// Values of a state.
    pub units: usize,
    /// Where the gates are.
    pub places: Places,
    /// The function of the new value and of the state.
    pub squash: Squash,
    /// The state's largest magnitude.
    pub clip: Option<f32>,
    /// What gates see of the state.
    pub peephole: Option<Peephole>,
    /// How sums are normalised.
    pub norm: Option<Norm>,
}

impl Cell for LstmCell {
    fn step(&self, isa: Isa, step: Step<'_>) {
        isa.dispatch(LstmTask { cell: self, step });
    }
}

struct LstmTask<'a> {
    cell: &'a LstmCell,
    step: Step<'a>,
}

impl Task for LstmTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        match (&self.cell.norm, &self.cell.peephole) {
            (None, None) => self.all_gates_at_once(s),
            (None, Some(_)) => self.output_gate_last(s),
            (Some(norm), _) => self.normalised(s, norm),
        }
    }
}

impl<'a> LstmTask<'a> {
    /// The first of the units in vector `at`, and how many there are.
    #[inline(always)]
    fn lanes(&self, at: usize) -> (usize, usize) {
        let first = at * LANES;
        (first, (self.cell.units - first).min(LANES))
    }

    /// The sums of the gate at `place`.
    #[inline(always)]
    fn sums<S: Simd>(&self, s: S, place: usize, (first, n): (usize, usize)) -> S::V {
        let at = place * self.cell.units + first;
        let (x, r) = (&self.step.input[at..][..n], &self.step.recurrent[at..][..n]);
        s.add(s.load_up_to(x), s.load_up_to(r))
    }

    /// The state gated, and the new value gated.
    #[inline(always)]
    fn new_state<S: Simd>(&self, s: S, state: S::V, gates: [S::V; 2], value: S::V) -> S::V {
        let [input, forget] = gates;
        let value = self.cell.squash.apply(s, value);
        let state = s.add(s.mul(forget, state), s.mul(input, value));
        match self.cell.clip {
            None => state,
            Some(clip) => s.max(s.splat(-clip), s.min(s.splat(clip), state)),
        }
    }

    #[inline(always)]
    fn store<S: Simd>(&mut self, s: S, (first, n): (usize, usize), state: S::V, gate: S::V) {
        s.store_up_to(state, &mut self.step.state[first..][..n]);
        let output = s.mul(gate, self.cell.squash.apply(s, state));
        s.store_up_to(output, &mut self.step.output[first..][..n]);
    }

    #[inline(always)]
    fn all_gates_at_once<S: Simd>(&mut self, s: S) {
        let Places { input, forget, cell, output } = self.cell.places;
        for at in 0..self.cell.units.div_ceil(LANES) {
            let lanes = self.lanes(at);
            let [f, o, i] = math::logistics(
                s,
                [
                    self.sums(s, forget, lanes),
                    self.sums(s, output, lanes),
                    self.sums(s, input.unwrap_or(forget), lanes),
                ],
            );
            let i = if input.is_some() { i } else { s.sub(s.splat(1.0), f) };
            let state = s.load_up_to(&self.step.state[lanes.0..][..lanes.1]);
            let state = self.new_state(s, state, [i, f], self.sums(s, cell, lanes));
            self.store(s, lanes, state, o);
        }
    }

    #[inline(always)]
    fn output_gate_last<S: Simd>(&mut self, s: S) {
        let Some(peephole) = &self.cell.peephole else { return };
        let Places { input, forget, cell, output } = self.cell.places;
        for at in 0..self.cell.units.div_ceil(LANES) {
            let lanes = self.lanes(at);
            let state = s.load_up_to(&self.step.state[lanes.0..][..lanes.1]);
            let f = self.sums(s, forget, lanes);
            let f = seen(s, f, &peephole.forget, lanes, state);
            let mut i = f;
            if let Some(place) = input {
                i = seen(s, self.sums(s, place, lanes), &peephole.input, lanes, state);
            }
            let [f, mut i] = math::logistics(s, [f, i]);
            if input.is_none() {
                i = s.sub(s.splat(1.0), f);
            }
            let state = self.new_state(s, state, [i, f], self.sums(s, cell, lanes));
            let o = seen(s, self.sums(s, output, lanes), &peephole.output, lanes, state);
            self.store(s, lanes, state, math::logistic(s, o));
        }
    }

    /// The sums of a gate, normalised, in place of what the previous output adds.
    #[inline(always)]
    fn normalise<S: Simd>(&mut self, s: S, norm: &Norm, place: usize, weights: Option<&[f32]>) {
        let units = self.cell.units;
        for at in 0..units.div_ceil(LANES) {
            let lanes = self.lanes(at);
            let mut sum = self.sums(s, place, lanes);
            if let Some(weights) = weights {
                let state = s.load_up_to(&self.step.state[lanes.0..][..lanes.1]);
                sum = seen(s, sum, weights, lanes, state);
            }
            s.store_up_to(sum, &mut self.step.recurrent[place * units + lanes.0..][..lanes.1]);
        }
        let gate = place * units..(place + 1) * units;
        let (scale, bias) = (&norm.scale[gate.clone()], &norm.bias[gate.clone()]);
        normalise(s, &mut self.step.recurrent[gate], scale, bias);
    }

    #[inline(always)]
    fn normalised<S: Simd>(&mut self, s: S, norm: &'a Norm) {
        let Places { input, forget, cell, output } = self.cell.places;
        let peephole = self.cell.peephole.as_ref();
        self.normalise(s, norm, forget, peephole.map(|it| &it.forget[..]));
        if let Some(place) = input {
            self.normalise(s, norm, place, peephole.map(|it| &it.input[..]));
        }
        self.normalise(s, norm, cell, None);
        for at in 0..self.cell.units.div_ceil(LANES) {
            let lanes = self.lanes(at);
            let [f, i] = math::logistics(
                s,
                [self.normal(s, forget, lanes), self.normal(s, input.unwrap_or(forget), lanes)],
            );
            let i = if input.is_some() { i } else { s.sub(s.splat(1.0), f) };
            let state = s.load_up_to(&self.step.state[lanes.0..][..lanes.1]);
            let state = self.new_state(s, state, [i, f], self.normal(s, cell, lanes));
            s.store_up_to(state, &mut self.step.state[lanes.0..][..lanes.1]);
        }
        self.normalise(s, norm, output, peephole.map(|it| &it.output[..]));
        for at in 0..self.cell.units.div_ceil(LANES) {
            let lanes = self.lanes(at);
            let gate = math::logistic(s, self.normal(s, output, lanes));
            let state = s.load_up_to(&self.step.state[lanes.0..][..lanes.1]);
            self.store(s, lanes, state, gate);
        }
    }

    /// What [`normalise`](Self::normalise) has left of a gate.
    #[inline(always)]
    fn normal<S: Simd>(&self, s: S, place: usize, (first, n): (usize, usize)) -> S::V {
        s.load_up_to(&self.step.recurrent[place * self.cell.units + first..][..n])
    }
}

/// `sum + weights * state`
#[inline(always)]
fn seen<S: Simd>(
    s: S,
    sum: S::V,
    weights: &[f32],
    (first, n): (usize, usize),
    state: S::V,
) -> S::V {
    s.add(sum, s.mul(s.load_up_to(&weights[first..][..n]), state))
}

/// `scale * (x - mean) / sqrt(variance + 1e-8) + bias`
#[inline(always)]
fn normalise<S: Simd>(s: S, values: &mut [f32], scale: &[f32], bias: &[f32]) {
    let n = values.len() as f32;
    let mut sum = s.splat(0.0);
    for x in values.chunks(LANES) {
        sum = s.add(sum, s.load_up_to(x));
    }
    let mean = s.splat(s.sum(sum) / n);
    let mut squares = s.splat(0.0);
    for x in values.chunks(LANES) {
        let d = s.select(s.first(x.len()), s.sub(s.load_up_to(x), mean), s.splat(0.0));
        squares = s.add(squares, s.mul(d, d));
    }
    let factor = s.splat(1.0 / (s.sum(squares) / n + 1.0e-8).sqrt());
    let weights = scale.chunks(LANES).zip(bias.chunks(LANES));
    for (x, (scale, bias)) in values.chunks_mut(LANES).zip(weights) {
        let normal = s.mul(s.sub(s.load_up_to(x), mean), factor);
        let y = s.add(s.mul(normal, s.load_up_to(scale)), s.load_up_to(bias));
        s.store_up_to(y, x);
    }
}
