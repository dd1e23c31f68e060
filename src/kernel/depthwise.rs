//! Depthwise convolution: every channel has its own filter.
//!
//! Lanes run across channels. Every output starts at its bias and takes its taps in ascending
//! order, one fused multiply-add each; taps on padding are left out.

use std::ops::Range;

use super::gemm::{After, Clamp};
use super::isa::{Isa, Task};
use super::minmax::{self, Fold};
use super::simd::{LANES, Simd};
use super::sliding::{Taps, fits, slide};
use super::window::{Ring, Window};
use crate::arithmetic::Arithmetic;
use crate::observation::Observation;

/// Outputs of a row that the general path computes together.
const FEW: usize = 4;

/// Bytes of a band of results that stays in the cache for what follows.
const BAND: usize = 128 * 1024;

/// A depthwise convolution over one image.
#[derive(Clone, Copy, Debug)]
pub struct Depthwise<'a> {
    /// Where outputs read.
    pub window: Window,
    /// Where rows of the input are.
    pub ring: Ring,
    /// Number of channels, of input and output.
    pub channels: usize,
    /// `[taps y, taps x, channels]`
    pub weights: &'a [f32],
    /// `[channels]`
    pub bias: &'a [f32],
    /// Fused activation.
    pub clamp: Clamp,
    /// How products are summed.
    pub arithmetic: Arithmetic,
}

impl Depthwise<'_> {
    /// Convolves `input` `[places, w, channels]` into `output` `[h, w, channels]` and folds the extremes;
    /// calls `after` with one band of whole rows after the other.
    ///
    /// # Panics
    /// If a buffer's length is not what the window, the ring and the channels say.
    pub fn run(
        &self,
        isa: Isa,
        input: &[f32],
        output: &mut [f32],
        mut after: Option<After<'_>>,
    ) -> Observation {
        let Window { y, x } = self.window;
        assert!(self.ring.places >= y.input, "places for all rows");
        assert_eq!(input.len(), self.ring.places * x.input * self.channels, "input length");
        assert_eq!(output.len(), y.output * x.output * self.channels, "output length");
        assert_eq!(self.weights.len(), y.taps * x.taps * self.channels, "weights length");
        assert_eq!(self.bias.len(), self.channels, "bias length");
        let row = x.output * self.channels;
        let band = match after {
            Some(_) => BAND / (row * size_of::<f32>()).max(1),
            None => y.output,
        };
        let mut observed = Observation::EMPTY;
        for first in (0..y.output).step_by(band.max(1)) {
            let rows = first..y.output.min(first + band.max(1));
            let results = rows.start * row..rows.end * row;
            let run = Run { depthwise: *self, rows, input, output: &mut *output };
            let mut folded = isa.dispatch_products(self.arithmetic, run);
            if let Some(after) = &mut after {
                let results = &mut output[results.clone()];
                let bounds = folded.bounds();
                folded = minmax::settle(isa, folded, results);
                after.call(first * row, results, bounds);
            }
            observed = observed.union(folded);
        }
        observed
    }
}

struct Run<'a> {
    depthwise: Depthwise<'a>,
    /// Rows of the output.
    rows: Range<usize>,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Task for Run<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        macro_rules! squares {
            ($(($taps:literal, $stride:literal)),+) => {$(
                if fits::<S, $taps, $stride>(&self.depthwise.window, self.depthwise.channels) {
                    return self.square::<S, $taps, $stride>(s);
                }
            )+};
        }
        squares!((3, 1), (3, 2), (5, 1), (5, 2));
        self.general(s)
    }
}

impl Run<'_> {
    /// Any window and any number of channels.
    #[inline(always)]
    fn general<S: Simd>(self, s: S) -> Observation {
        let Self { depthwise: d, rows, input, output } = self;
        let x = d.window.x;
        let mut fold = Fold::new(s);
        let interior = x.interior();
        for oy in rows {
            let row = Row { d: &d, input, oy };
            let to = &mut output[oy * x.output * d.channels..][..x.output * d.channels];
            let mut ox = 0;
            while ox < x.output {
                if interior.contains(&ox) && interior.end - ox >= FEW {
                    row.outputs::<S, FEW>(s, ox, to, &mut fold);
                    ox += FEW;
                } else {
                    row.outputs::<S, 1>(s, ox, to, &mut fold);
                    ox += 1;
                }
            }
        }
        fold.finish(s)
    }

    #[inline(always)]
    fn square<S: Simd, const TAPS: usize, const STRIDE: usize>(self, s: S) -> Observation {
        let d = self.depthwise;
        assert_eq!(d.weights.len(), TAPS * TAPS * d.channels, "weights length");
        assert_eq!(d.bias.len(), d.channels, "bias length");
        let filters = Filters {
            weights: d.weights.as_ptr(),
            bias: d.bias.as_ptr(),
            channels: d.channels,
            clamp: d.clamp,
        };
        let Self { rows, input, output, .. } = self;
        slide::<S, _, TAPS, STRIDE>(
            s,
            filters,
            (&d.window, rows, d.ring),
            d.channels,
            input,
            output,
        )
    }
}

/// A filter for every channel.
#[derive(Clone, Copy)]
struct Filters {
    /// `[taps y, taps x, channels]`
    weights: *const f32,
    /// `[channels]`
    bias: *const f32,
    channels: usize,
    clamp: Clamp,
}

impl<S: Simd> Taps<S> for Filters {
    #[inline(always)]
    unsafe fn start(&self, s: S, c: usize) -> S::R {
        // SAFETY: the caller vouches for a register of channels.
        unsafe { s.register_load(self.bias.wrapping_add(c)) }
    }

    #[inline(always)]
    unsafe fn weights<const TAPS: usize>(&self, s: S, row: usize, c: usize) -> [S::R; TAPS] {
        let from = self.weights.wrapping_add(row * TAPS * self.channels + c);
        let mut weights = [s.register_splat(0.0); TAPS];
        for (tx, weight) in weights.iter_mut().enumerate() {
            // SAFETY: the caller vouches for the row and a register of channels.
            *weight = unsafe { s.register_load(from.wrapping_add(tx * self.channels)) };
        }
        weights
    }

    #[inline(always)]
    fn join(&self, s: S, sum: S::R, value: S::R, weight: S::R) -> S::R {
        s.register_fma(value, weight, sum)
    }

    #[inline(always)]
    fn clamp(&self) -> Clamp {
        self.clamp
    }
}

/// One output row.
struct Row<'a> {
    d: &'a Depthwise<'a>,
    input: &'a [f32],
    oy: usize,
}

impl Row<'_> {
    /// Computes `N` outputs from `ox` on; if `N` is above 1, all their horizontal taps exist.
    #[inline(always)]
    fn outputs<S: Simd, const N: usize>(
        &self,
        s: S,
        ox: usize,
        to: &mut [f32],
        fold: &mut Fold<S>,
    ) {
        let (d, Window { y, x }) = (self.d, self.d.window);
        let channels = d.channels;
        let (taps_y, taps_x) = (y.valid_taps(self.oy), x.valid_taps(ox));
        let to = &mut to[ox * channels..][..N * channels];
        // The first tap that exists reads here, for each of the outputs.
        let start_y = (self.oy * y.stride + taps_y.start * y.dilation).saturating_sub(y.before);
        let start_x = (ox * x.stride + taps_x.start * x.dilation).saturating_sub(x.before);
        let step_x = x.dilation * channels;
        let step_output = x.stride * channels;
        for c in (0..channels).step_by(LANES) {
            let width = (channels - c).min(LANES);
            let mut sums = [s.load_up_to(&d.bias[c..c + width]); N];
            for (i, ty) in taps_y.clone().enumerate() {
                let line = d.ring.place(start_y + i * y.dilation) * x.input;
                let start = (line + start_x) * channels;
                for (j, tx) in taps_x.clone().enumerate() {
                    let weights = (ty * x.taps + tx) * channels + c;
                    let weights = s.load_up_to(&d.weights[weights..weights + width]);
                    let at = start + j * step_x + c;
                    for (n, sum) in sums.iter_mut().enumerate() {
                        let at = at + n * step_output;
                        let value = s.load_up_to(&self.input[at..at + width]);
                        *sum = s.fma(value, weights, *sum);
                    }
                }
            }
            for (n, sum) in sums.into_iter().enumerate() {
                let value = d.clamp.apply(s, sum);
                s.store_up_to(value, &mut to[n * channels + c..][..width]);
                fold.push_first(s, value, width);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::{add_product, assert_same_bits, in_ring, kinds, ramp};
    use crate::kernel::window::Axis;

    fn expected(d: &Depthwise<'_>, input: &[f32]) -> Vec<f32> {
        let Window { y, x } = d.window;
        let mut out = Vec::new();
        for oy in 0..y.output {
            for ox in 0..x.output {
                for c in 0..d.channels {
                    let mut sum = d.bias[c];
                    for ty in 0..y.taps {
                        for tx in 0..x.taps {
                            if let (Some(iy), Some(ix)) = (y.source(oy, ty), x.source(ox, tx)) {
                                let value = input[(iy * x.input + ix) * d.channels + c];
                                let weight = d.weights[(ty * x.taps + tx) * d.channels + c];
                                sum = add_product(d.arithmetic, value, weight, sum);
                            }
                        }
                    }
                    out.push(sum.clamp(d.clamp.low, d.clamp.high));
                }
            }
        }
        out
    }

    #[test]
    fn equals_the_formula_for_strides_dilations_and_padding() {
        let axes = [
            Axis { input: 9, output: 9, taps: 3, stride: 1, dilation: 1, before: 1 },
            Axis { input: 12, output: 6, taps: 3, stride: 2, dilation: 1, before: 0 },
            Axis { input: 11, output: 6, taps: 5, stride: 2, dilation: 1, before: 2 },
            Axis { input: 13, output: 13, taps: 3, stride: 1, dilation: 2, before: 2 },
            Axis { input: 2, output: 2, taps: 5, stride: 1, dilation: 3, before: 6 },
            Axis { input: 7, output: 1, taps: 7, stride: 1, dilation: 1, before: 0 },
            // Long enough for whole blocks of outputs between the borders.
            Axis { input: 24, output: 24, taps: 3, stride: 1, dilation: 1, before: 1 },
            Axis { input: 45, output: 23, taps: 3, stride: 2, dilation: 1, before: 1 },
            Axis { input: 25, output: 25, taps: 5, stride: 1, dilation: 1, before: 2 },
            Axis { input: 48, output: 24, taps: 5, stride: 2, dilation: 1, before: 1 },
        ];
        for (isa, arithmetic) in kinds() {
            for y in axes {
                for x in axes {
                    if (y.output > 20 || x.output > 20) && (y.taps, y.stride) != (x.taps, x.stride)
                    {
                        continue;
                    }
                    for channels in [1, 9, 16, 19, 72, 96] {
                        let weights = ramp(y.taps * x.taps * channels, 1);
                        let bias = ramp(channels, 2);
                        let input = ramp(y.input * x.input * channels, 3);
                        let clamp = Clamp { low: -1.0, high: 1.5 };
                        let d = Depthwise {
                            window: Window { y, x },
                            ring: Ring::whole(y.input),
                            channels,
                            weights: &weights,
                            bias: &bias,
                            clamp: if channels == 72 { Clamp::NONE } else { clamp },
                            arithmetic,
                        };
                        let mut output = vec![0.0; y.output * x.output * channels];
                        let observed = d.run(isa, &input, &mut output, None);
                        let expected = expected(&d, &input);
                        assert_eq!(output, expected, "{isa} {arithmetic} {y:?} {x:?} {channels}");
                        assert!(observed.same_bits(Observation::scan(&expected)));
                        // Rows in a ring, and a place that is not theirs.
                        for first in [1, y.input / 2, y.input] {
                            let ring = Ring { first, places: y.input + 1 };
                            let turned = in_ring(&input, x.input * channels, ring);
                            output.fill(0.0);
                            let d = Depthwise { ring, ..d };
                            let mut after = |_: usize, values: &mut [f32], extremes| {
                                assert_eq!(extremes, Observation::scan(values));
                                extremes
                            };
                            let after = Some(After::new(false, &mut after));
                            let observed = d.run(isa, &turned, &mut output, after);
                            assert_eq!(output, expected, "{isa} {ring:?} {y:?} {x:?} {channels}");
                            assert!(observed.same_bits(Observation::scan(&expected)));
                        }
                        // Rows in two parts.
                        for end in [1, y.output / 2, y.output.saturating_sub(2)] {
                            output.fill(0.0);
                            let mut observed = Observation::EMPTY;
                            for rows in [0..end, end..y.output] {
                                let (input, output) = (&*input, &mut *output);
                                let run = Run { depthwise: d, rows, input, output };
                                observed = observed.union(isa.dispatch_products(arithmetic, run));
                            }
                            assert_eq!(output, expected, "{isa} {end} {y:?} {x:?} {channels}");
                            assert!(observed.same_bits(Observation::scan(&expected)));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn bounds_are_reached_early_late_or_never() {
        let axes = [(3, 1, 1), (3, 2, 1), (5, 1, 2), (5, 2, 2)].map(|(taps, stride, before)| {
            let (input, output) = (14, (14_usize).div_ceil(stride));
            Axis { input, output, taps, stride, dilation: 1, before }
        });
        let clamps = [(0.0, 6.0), (0.0, f32::INFINITY), (-1.0e9, 6.0), (f32::NEG_INFINITY, 6.0)];
        for (isa, arithmetic) in kinds() {
            for (axis, channels) in axes.into_iter().flat_map(|axis| [16, 40].map(|it| (axis, it)))
            {
                let weights = ramp(axis.taps * axis.taps * channels, 1);
                let bias = ramp(channels, 2);
                let quiet = ramp(14 * 14 * channels, 3);
                for spike in [None, Some(0), Some(70), Some(quiet.len() / 2), Some(quiet.len() - 1)]
                {
                    for ((low, high), value) in
                        clamps.into_iter().flat_map(|it| [100.0, f32::NAN].map(|value| (it, value)))
                    {
                        let mut input = quiet.clone();
                        if let Some(at) = spike {
                            input[at] = value;
                        }
                        let d = Depthwise {
                            window: Window { y: axis, x: axis },
                            ring: Ring::whole(14),
                            channels,
                            weights: &weights,
                            bias: &bias,
                            clamp: Clamp { low, high },
                            arithmetic,
                        };
                        let mut output = vec![0.0; axis.output * axis.output * channels];
                        let observed = d.run(isa, &input, &mut output, None);
                        let expected = expected(&d, &input);
                        let what =
                            format!("{isa} {axis:?} {channels} {spike:?} {value} {low} {high}");
                        assert_same_bits(&output, &expected, &what);
                        assert!(observed.same_bits(Observation::scan(&expected)), "{what}");
                    }
                }
            }
        }
    }
}
