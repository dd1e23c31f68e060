//! Depthwise convolution: every channel has its own filter.
//!
//! Lanes run across channels. Every output starts at its bias and takes its taps in ascending
//! order, one fused multiply-add each; taps on padding are left out.

use super::gemm::Clamp;
use super::isa::{Isa, Task};
use super::minmax::{Fold, RegisterFold};
use super::simd::{LANES, Simd};
use super::window::{Axis, Window};
use crate::arithmetic::Arithmetic;
use crate::observation::Observation;

/// Outputs of a row that are computed together: what 16 registers hold beside a row of a filter. Sides
/// of images are mostly 7 times a power of two.
const TOGETHER: usize = 7;

/// Outputs of a row that the general path computes together.
const FEW: usize = 4;

/// Bytes of neighbouring channels that are computed for a whole image before the next ones, so that
/// rows are still in the L1 cache when the next output row needs them.
const CHUNK_BYTES: usize = 256;

/// A depthwise convolution over one image.
#[derive(Clone, Copy, Debug)]
pub struct Depthwise<'a> {
    /// Where outputs read.
    pub window: Window,
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
    /// Convolves `input` `[h, w, channels]` into `output` `[h, w, channels]` and folds the extremes.
    ///
    /// # Panics
    /// If a buffer's length is not what the window and the channels say.
    pub fn run(&self, isa: Isa, input: &[f32], output: &mut [f32]) -> Observation {
        let Window { y, x } = self.window;
        assert_eq!(input.len(), y.input * x.input * self.channels, "input length");
        assert_eq!(output.len(), y.output * x.output * self.channels, "output length");
        assert_eq!(self.weights.len(), y.taps * x.taps * self.channels, "weights length");
        assert_eq!(self.bias.len(), self.channels, "bias length");
        isa.dispatch_products(self.arithmetic, Run { depthwise: *self, input, output })
    }
}

struct Run<'a> {
    depthwise: Depthwise<'a>,
    input: &'a [f32],
    output: &'a mut [f32],
}

impl Task for Run<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        let Window { y, x } = self.depthwise.window;
        let is_square = (y.taps, y.stride) == (x.taps, x.stride);
        let is_dense = (y.dilation, x.dilation) == (1, 1);
        if is_square && is_dense && self.depthwise.channels >= S::REGISTER_LANES {
            match (y.taps, y.stride) {
                (3, 1) => return self.square::<S, 3, 1>(s),
                (3, 2) => return self.square::<S, 3, 2>(s),
                (5, 1) => return self.square::<S, 5, 1>(s),
                (5, 2) => return self.square::<S, 5, 2>(s),
                _ => {}
            }
        }
        self.general(s)
    }
}

impl Run<'_> {
    /// Any window and any number of channels.
    #[inline(always)]
    fn general<S: Simd>(self, s: S) -> Observation {
        let Self { depthwise: d, input, output } = self;
        let Window { y, x } = d.window;
        let mut fold = Fold::new(s);
        let interior = x.interior();
        for oy in 0..y.output {
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

    /// `TAPS` x `TAPS` taps with `STRIDE` in both directions, without dilation, over at least a
    /// register of channels.
    #[inline(always)]
    fn square<S: Simd, const TAPS: usize, const STRIDE: usize>(self, s: S) -> Observation {
        let Self { depthwise: d, input, output } = self;
        let Window { y, x } = d.window;
        let channels = d.channels;
        assert_eq!((y.taps, x.taps, y.stride, x.stride), (TAPS, TAPS, STRIDE, STRIDE), "square");
        let mut fold = RegisterFold::new(s);
        let chunk = CHUNK_BYTES / size_of::<f32>();
        for first in (0..channels).step_by(chunk) {
            let end = channels.min(first + chunk);
            for oy in 0..y.output {
                let rows = y.valid_taps(oy);
                let top = (oy * STRIDE + rows.start).wrapping_sub(y.before);
                let mut ox = 0;
                while ox < x.output {
                    let together = if x.output < TOGETHER { 1 } else { TOGETHER };
                    // The last ones may have been computed already: they only take time.
                    let from = ox.min(x.output - together);
                    let block = Block {
                        input: input.as_ptr().wrapping_add(
                            top.wrapping_mul(x.input)
                                .wrapping_add((from * STRIDE).wrapping_sub(x.before))
                                .wrapping_mul(channels),
                        ),
                        row_step: x.input * channels,
                        channels,
                        weights: d.weights.as_ptr().wrapping_add(rows.start * TAPS * channels),
                        bias: d.bias.as_ptr(),
                        rows: rows.len(),
                        columns: columns(&x, from, together),
                        output: output.as_mut_ptr().wrapping_add((oy * x.output + from) * channels),
                        clamp: d.clamp,
                    };
                    let is_whole = block.columns == (0, TAPS + (together - 1) * STRIDE);
                    let mut c = first;
                    while c < end {
                        // Neither may the last channels exceed a register: they overlap as well.
                        let at = c.min(channels - S::REGISTER_LANES);
                        // SAFETY: `Depthwise::run` has checked that the buffers hold what the window
                        // and the channels say, `at` begins a register of channels, rows and
                        // columns are those that exist.
                        unsafe {
                            if together == 1 {
                                block.outputs::<S, TAPS, STRIDE, 1, true>(s, at, &mut fold);
                            } else if is_whole {
                                block.outputs::<S, TAPS, STRIDE, TOGETHER, false>(s, at, &mut fold);
                            } else {
                                block.outputs::<S, TAPS, STRIDE, TOGETHER, true>(s, at, &mut fold);
                            }
                        }
                        c += S::REGISTER_LANES;
                    }
                    ox += together;
                }
            }
        }
        fold.finish(s)
    }
}

/// Of the input columns that `count` outputs from `ox` on read, those that are not padding: first and
/// end.
fn columns(x: &Axis, ox: usize, count: usize) -> (usize, usize) {
    let start = ox * x.stride;
    let all = x.taps + (count - 1) * x.stride;
    let end = (x.input + x.before).saturating_sub(start).min(all);
    (x.before.saturating_sub(start).min(end), end)
}

/// Some neighbouring outputs of one row.
struct Block {
    /// Channel 0 of the input row that the first existing row of taps reads, at the column of the first
    /// output's first tap, which may be padding.
    input: *const f32,
    /// From one input row to the next.
    row_step: usize,
    /// From one column to the next, and from one tap to the next.
    channels: usize,
    /// The first existing row of taps.
    weights: *const f32,
    bias: *const f32,
    /// Number of existing rows of taps.
    rows: usize,
    /// Existing columns of the input, counted from `input`: first and end.
    columns: (usize, usize),
    output: *mut f32,
    clamp: Clamp,
}

impl Block {
    /// Computes `N` outputs for a register of channels from `c` on. Without `EDGE`, all columns exist.
    ///
    /// # Safety
    /// The pointers must be valid for all channels from `c` to `c + S::REGISTER_LANES`: `input` for
    /// `rows` and `columns`, `weights` for `rows` of `TAPS`, `output` for `N` outputs.
    #[inline(always)]
    unsafe fn outputs<
        S: Simd,
        const TAPS: usize,
        const STRIDE: usize,
        const N: usize,
        const EDGE: bool,
    >(
        &self,
        s: S,
        c: usize,
        fold: &mut RegisterFold<S>,
    ) {
        let step = self.channels;
        // SAFETY: the caller's promise.
        let mut sums = [unsafe { s.register_load(self.bias.wrapping_add(c)) }; N];
        let (mut row, mut weights) = (self.input.wrapping_add(c), self.weights.wrapping_add(c));
        for _ in 0..self.rows {
            let mut taps = [s.register_splat(0.0); TAPS];
            for (i, tap) in taps.iter_mut().enumerate() {
                // SAFETY: the caller's promise.
                *tap = unsafe { s.register_load(weights.wrapping_add(i * step)) };
            }
            // Column after column, so that one register holds input; for each output, taps ascend.
            for column in 0..TAPS + (N - 1) * STRIDE {
                if EDGE && !(self.columns.0..self.columns.1).contains(&column) {
                    continue;
                }
                // SAFETY: the caller's promise; this column exists.
                let value = unsafe { s.register_load(row.wrapping_add(column * step)) };
                for n in 0..N {
                    if n * STRIDE <= column && column - n * STRIDE < TAPS {
                        sums[n] = s.register_fma(value, taps[column - n * STRIDE], sums[n]);
                    }
                }
            }
            row = row.wrapping_add(self.row_step);
            weights = weights.wrapping_add(TAPS * step);
        }
        let (low, high) = (s.register_splat(self.clamp.low), s.register_splat(self.clamp.high));
        for (n, sum) in sums.into_iter().enumerate() {
            let value = s.register_min(high, s.register_max(low, sum));
            fold.push(s, value);
            // SAFETY: the caller's promise.
            unsafe { s.register_store(value, self.output.wrapping_add(n * step + c)) };
        }
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
        let (step_y, step_x) = (y.dilation * x.input * channels, x.dilation * channels);
        let step_output = x.stride * channels;
        let start = (start_y * x.input + start_x) * channels;
        for c in (0..channels).step_by(LANES) {
            let width = (channels - c).min(LANES);
            let mut sums = [s.load_up_to(&d.bias[c..c + width]); N];
            for (i, ty) in taps_y.clone().enumerate() {
                for (j, tx) in taps_x.clone().enumerate() {
                    let weights = (ty * x.taps + tx) * channels + c;
                    let weights = s.load_up_to(&d.weights[weights..weights + width]);
                    let at = start + i * step_y + j * step_x + c;
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
    use crate::kernel::testing::{add_product, kinds, ramp};

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
                    out.push(sum.max(d.clamp.low).min(d.clamp.high));
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
                        let d = Depthwise {
                            window: Window { y, x },
                            channels,
                            weights: &weights,
                            bias: &bias,
                            clamp: Clamp { low: -1.0, high: 1.5 },
                            arithmetic,
                        };
                        let mut output = vec![0.0; y.output * x.output * channels];
                        let observed = d.run(isa, &input, &mut output);
                        let expected = expected(&d, &input);
                        assert_eq!(output, expected, "{isa} {arithmetic} {y:?} {x:?} {channels}");
                        assert!(observed.same_bits(Observation::scan(&expected)));
                    }
                }
            }
        }
    }
}
