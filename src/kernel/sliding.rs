//! Square windows that slide over `[h, w, c]` images, with sums and weights kept in registers.
//!
//! Lanes run across channels. Some neighbouring outputs of a row are computed together for a register
//! of channels: with a row of weights at hand, each input column is loaded once and meets all outputs
//! whose window holds it. For every output, taps ascend, and those on padding are left out.

use std::ops::Range;

use self::block::Block;
use self::bounds::Bounds;
use self::row::Row;
use super::gemm::Clamp;
use super::minmax::RegisterFold;
use super::simd::Simd;
use super::window::{Axis, Ring, Window};
use crate::observation::Observation;

/// What becomes of the values under a window.
pub(super) trait Taps<S: Simd>: Copy {
    /// Whether outputs depend on the number of their taps. It is not counted otherwise: that takes divisions.
    const COUNTS: bool = false;

    /// What a sum starts with, for a register of channels from `c` on.
    ///
    /// # Safety
    /// There must be as many channels.
    unsafe fn start(&self, s: S, c: usize) -> S::R;
    /// A row of weights, for a register of channels from `c` on.
    ///
    /// # Safety
    /// There must be as many channels, and that row.
    unsafe fn weights<const TAPS: usize>(&self, s: S, row: usize, c: usize) -> [S::R; TAPS];
    /// The sum with one more value.
    fn join(&self, s: S, sum: S::R, value: S::R, weight: S::R) -> S::R;
    /// The output before it is clamped, from a sum over `count` taps, if they are counted.
    fn finish(&self, s: S, sum: S::R, count: usize) -> S::R {
        let _ = (s, count);
        sum
    }
    /// The bounds of outputs.
    fn clamp(&self) -> Clamp;
}

/// Outputs of a row that are computed together: what 16 registers hold beside a row of five weights.
/// Sides of images are mostly 7 times a power of two.
const TOGETHER: usize = 7;

/// Whether [`slide`] takes this window: `TAPS` x `TAPS` taps with `STRIDE` in both directions, without
/// dilation, over at least a register of channels.
#[inline(always)]
pub(super) fn fits<S: Simd, const TAPS: usize, const STRIDE: usize>(
    window: &Window,
    channels: usize,
) -> bool {
    let axis = |axis: &Axis| (axis.taps, axis.stride, axis.dilation) == (TAPS, STRIDE, 1);
    axis(&window.y) && axis(&window.x) && channels >= S::REGISTER_LANES
}

/// Computes `rows` of `output` `[h, w, channels]` from `input` `[h, w, channels]`, whose rows are in a
/// ring, and folds their extremes.
///
/// # Panics
/// If the window does not fit, or a buffer's length is not what the window and the channels say.
#[inline(always)]
pub(super) fn slide<S: Simd, T: Taps<S>, const TAPS: usize, const STRIDE: usize>(
    s: S,
    taps: T,
    (window, rows, ring): (&Window, Range<usize>, Ring),
    channels: usize,
    input: &[f32],
    output: &mut [f32],
) -> Observation {
    let Window { y, x } = window;
    assert!(rows.end <= y.output, "rows of the output");
    assert!(fits::<S, TAPS, STRIDE>(window, channels), "the window fits");
    assert!(ring.places >= y.input && ring.first <= ring.places, "places for all rows");
    assert_eq!(input.len(), ring.places * x.input * channels, "input length");
    assert_eq!(output.len(), y.output * x.output * channels, "output length");
    let mut bounds = Bounds::new(s, taps.clamp());
    let row = x.output * channels;
    if TAPS == 3 && columns::fits::<S>(window, &rows) {
        let all = (window, rows.clone(), ring);
        // SAFETY: the lengths were checked, and so was the window.
        let (fold, too_high) = unsafe {
            let (input, output) = (input.as_ptr(), output.as_mut_ptr());
            columns::slide_down::<_, _, STRIDE>(
                s,
                (taps, &mut bounds),
                all,
                channels,
                input,
                output,
            )
        };
        for oy in rows {
            bounds.lower(s, &mut output[oy * row..][..too_high * channels]);
        }
        return bounds.bounded(fold.finish(s));
    }
    let mut folds = [RegisterFold::new(s); 2];
    // Rows before this one may have outputs above the upper bound.
    let mut too_high = rows.start;
    let chunk = chunk_channels(window, channels);
    for first in (0..channels).step_by(chunk) {
        let end = channels.min(first + chunk);
        let mut oy = rows.start;
        while oy < rows.end {
            let high = block::most_rows::<S, TAPS>().min(rows.end - oy);
            // All input rows under these outputs, counted as taps of the first of them.
            let under = Axis { taps: TAPS + (high - 1) * STRIDE, ..*y }.valid_taps(oy);
            let top = ring.place((oy * STRIDE + under.start).wrapping_sub(y.before));
            let turn = (under.start + ring.places).wrapping_sub(top);
            let top = top.wrapping_mul(x.input);
            let mut ox = 0;
            while ox < x.output {
                // If many are left, the last block overlaps the one before and computes some of its
                // results again; few are faster one by one.
                let from = ox.min(x.output.saturating_sub(TOGETHER));
                let border = Border::new(x, from, TOGETHER);
                let left = x.output - ox;
                let is_block =
                    x.output >= TOGETHER && 2 * left > TOGETHER && border.width() <= TAPS / 2;
                let (from, border, together) = if is_block {
                    (from, border, TOGETHER)
                } else {
                    (ox, Border::new(x, ox, 1), 1)
                };
                let left = (from * STRIDE).wrapping_sub(x.before);
                let at = top.wrapping_add(left).wrapping_mul(channels);
                let block = Block {
                    row: Row { taps, channels, border },
                    bounds: &bounds,
                    y: *y,
                    oy,
                    under: (under.start, under.end),
                    input: input.as_ptr().wrapping_add(at),
                    row_step: x.input * channels,
                    turn,
                    ring: input.len(),
                    output: output[oy * row + from * channels..].as_mut_ptr(),
                    result_step: row,
                };
                for c in (first..end).step_by(S::REGISTER_LANES) {
                    // The last register overlaps the one before, too.
                    let c = c.min(channels - S::REGISTER_LANES);
                    // SAFETY: the lengths were checked; there is a register of channels from `c` on;
                    // rows and border are those of this window.
                    folds = unsafe {
                        if const { TAPS == 5 } && high == 2 {
                            block.run::<TAPS, STRIDE, 2>(s, c, together, folds)
                        } else {
                            block.run::<TAPS, STRIDE, 1>(s, c, together, folds)
                        }
                    };
                }
                ox = from + together;
            }
            oy += high;
            if bounds.learn(s, &RegisterFold::united(s, folds)) {
                too_high = if first == 0 { oy } else { rows.end };
            }
        }
    }
    bounds.lower(s, &mut output[rows.start * row..too_high * row]);
    bounds.bounded(RegisterFold::united(s, folds).finish(s))
}

/// Columns under the windows of some neighbouring outputs that are padding.
#[derive(Clone, Copy)]
struct Border {
    left: usize,
    right: usize,
}

impl Border {
    /// That of `count` outputs from `ox` on.
    fn new(x: &Axis, ox: usize, count: usize) -> Self {
        let start = ox * x.stride;
        let all = x.taps + (count - 1) * x.stride;
        let left = x.before.saturating_sub(start).min(all);
        let right = (start + all).saturating_sub(x.input + x.before).min(all - left);
        Self { left, right }
    }

    /// Whether a column of `all` is not padding; on each side, up to `MOST` columns may be.
    #[inline(always)]
    fn is_input<const MOST: usize>(self, column: usize, all: usize) -> bool {
        (column >= MOST || column >= self.left)
            && (column + MOST < all || column < all - self.right)
    }

    /// How many of the `taps` columns from `first` on are not padding.
    #[inline(always)]
    fn inputs<const MOST: usize>(self, first: usize, taps: usize, all: usize) -> usize {
        if MOST == 0 {
            return taps;
        }
        (first + taps).min(all - self.right).saturating_sub(first.max(self.left))
    }

    /// The most columns on either side.
    fn width(self) -> usize {
        if self.left > self.right { self.left } else { self.right }
    }
}

/// Channels that are computed for a whole image before the next ones, so that rows are still in the L1
/// cache when the next output row needs them.
fn chunk_channels(window: &Window, channels: usize) -> usize {
    const LINE: usize = 64 / size_of::<f32>();
    /// Sets and ways of an L1 cache of 32 KiB.
    const SETS: usize = 64;
    const WAYS: usize = 8;
    // Pixels that are as many lines apart meet in as many fewer sets.
    let apart = 1 << (channels / LINE).trailing_zeros().min(SETS.trailing_zeros());
    let pixels = window.y.taps * window.x.input + window.x.output;
    if pixels * apart <= SETS * WAYS {
        let lines = (SETS * WAYS / pixels).clamp(1, 16);
        return lines.next_multiple_of(4) * LINE;
    }
    // Rows would not stay: long runs of memory are faster.
    channels
}

mod block;
mod bounds;
mod columns;
mod row;
