//! Cells of recurrent networks: from the sums of the gates of one sequence to its next state.
//!
//! The sums arrive in two parts, of the input and of the previous output, as the matrix products made
//! them: gate after gate, each of `units` values.

use super::gemm::Clamp;
use super::isa::{Isa, Task};
use super::math;
use super::simd::{LANES, Simd};

/// The function that makes a state an output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Squash {
    /// Within bounds.
    Clamp(Clamp),
    /// Hyperbolic tangent.
    Tanh,
}

impl Squash {
    #[inline(always)]
    fn apply<S: Simd>(self, s: S, x: S::V) -> S::V {
        match self {
            Self::Clamp(clamp) => clamp.apply(s, x),
            Self::Tanh => math::tanh(s, x),
        }
    }
}

/// One step of one sequence.
#[derive(Debug)]
pub struct Step<'a> {
    /// What the input adds to the gates.
    pub input: &'a [f32],
    /// What the previous output adds to the gates; a cell may use it as scratch memory.
    pub recurrent: &'a mut [f32],
    /// What a cell keeps beside its output.
    pub state: &'a mut [f32],
    /// The output: the previous one, if the product with it has been made from here.
    pub output: &'a mut [f32],
}

/// What is computed of the sums of the gates.
pub trait Cell: Send + Sync + 'static {
    /// Replaces the state and the output.
    ///
    /// # Panics
    /// If slices are shorter than the cell's gates and units say.
    fn step(&self, isa: Isa, step: Step<'_>);
}

/// `output = squash(input + recurrent)`
#[derive(Clone, Copy, Debug)]
pub struct RnnCell(pub Squash);

impl Cell for RnnCell {
    fn step(&self, isa: Isa, step: Step<'_>) {
        isa.dispatch(RnnTask { squash: self.0, step });
    }
}

struct RnnTask<'a> {
    squash: Squash,
    step: Step<'a>,
}

impl Task for RnnTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Step { input, recurrent, output, .. } = self.step;
        let parts = input.chunks(LANES).zip(recurrent.chunks(LANES));
        for (to, (x, r)) in output.chunks_mut(LANES).zip(parts) {
            let sum = s.add(s.load_up_to(x), s.load_up_to(r));
            s.store_up_to(self.squash.apply(s, sum), to);
        }
    }
}

/// A gated recurrent unit whose reset gate comes after the product with the previous output: gates
/// update, reset and new,
///
/// `new = tanh(new_x + reset * new_h)`, `output = update * output + (1 - update) * new`.
#[derive(Clone, Copy, Debug)]
pub struct GruCell {
    /// Values of an output.
    pub units: usize,
}

impl Cell for GruCell {
    fn step(&self, isa: Isa, step: Step<'_>) {
        isa.dispatch(GruTask { units: self.units, step });
    }
}

struct GruTask<'a> {
    units: usize,
    step: Step<'a>,
}

impl Task for GruTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Step { input, recurrent, output, .. } = self.step;
        for (at, to) in output[..self.units].chunks_mut(LANES).enumerate() {
            let (mut x, mut h) = ([s.splat(0.0); 3], [s.splat(0.0); 3]);
            for gate in 0..3 {
                let part = gate * self.units + at * LANES..;
                x[gate] = s.load_up_to(&input[part.clone()][..to.len()]);
                h[gate] = s.load_up_to(&recurrent[part][..to.len()]);
            }
            let [update, reset] = math::logistics(s, [s.add(x[0], h[0]), s.add(x[1], h[1])]);
            let new = math::tanh(s, s.add(x[2], s.mul(reset, h[2])));
            let rest = s.mul(s.sub(s.splat(1.0), update), new);
            s.store_up_to(s.add(s.mul(update, s.load_up_to(to)), rest), to);
        }
    }
}

pub mod lstm;
