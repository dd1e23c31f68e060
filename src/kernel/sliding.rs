//! Square windows that slide over `[h, w, c]` images, with sums and weights kept in registers.
//!
//! Lanes run across channels. Some neighbouring outputs of a row are computed together for a register
//! of channels: with a row of weights at hand, each input column is loaded once and meets all outputs
//! whose window holds it. For every output, taps ascend, and those on padding are left out.

use std::ops::Range;

use self::bounds::Bounds;
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
    let mut fold = RegisterFold::new(s);
    // Rows before this one may have outputs above the upper bound.
    let mut too_high = rows.start;
    let chunk = chunk_channels(window, channels);
    for first in (0..channels).step_by(chunk) {
        let end = channels.min(first + chunk);
        for oy in rows.clone() {
            let taps_y = y.valid_taps(oy);
            let top = ring.place((oy * STRIDE + taps_y.start).wrapping_sub(y.before));
            let turn = (taps_y.start + ring.places).wrapping_sub(top);
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
                    taps,
                    input: input.as_ptr().wrapping_add(at),
                    row_step: x.input * channels,
                    channels,
                    rows: (taps_y.start, taps_y.end),
                    turn,
                    ring: input.len(),
                    border,
                    bounds: &bounds,
                    output: output[oy * row + from * channels..].as_mut_ptr(),
                };
                for c in (first..end).step_by(S::REGISTER_LANES) {
                    // The last register overlaps the one before, too.
                    let c = c.min(channels - S::REGISTER_LANES);
                    // SAFETY: the lengths were checked; there is a register of channels from `c` on;
                    // rows and border are those of this window.
                    fold = unsafe {
                        if together == 1 {
                            block.outputs::<TAPS, STRIDE, 1, TAPS>(s, c, fold)
                        } else if border.width() == 0 {
                            block.outputs::<TAPS, STRIDE, TOGETHER, 0>(s, c, fold)
                        } else if TAPS == 5 {
                            block.outputs::<TAPS, STRIDE, TOGETHER, 2>(s, c, fold)
                        } else {
                            block.outputs::<TAPS, STRIDE, TOGETHER, 1>(s, c, fold)
                        }
                    };
                }
                ox = from + together;
            }
            if bounds.learn(s, &fold) {
                too_high = if first == 0 { oy + 1 } else { rows.end };
            }
        }
    }
    bounds.lower(s, &mut output[rows.start * row..too_high * row]);
    bounds.bounded(fold.finish(s))
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

/// Some neighbouring outputs of one row.
struct Block<'a, S: Simd, T> {
    taps: T,
    bounds: &'a Bounds<S>,
    /// Channel 0 under the first existing row of the window and the first column, which may be padding.
    input: *const f32,
    /// From one input row to the next.
    row_step: usize,
    /// From one column to the next.
    channels: usize,
    /// Rows of the window that are not padding: first and end.
    rows: (usize, usize),
    /// The row of the window that is at the first place again.
    turn: usize,
    /// Elements of all places.
    ring: usize,
    border: Border,
    output: *mut f32,
}

/// Unrolls by hand: the compiler would leave the longer loops, and with them the sums in memory.
macro_rules! for_each_column {
    ($column:ident below $count:expr, $body:block) => {
        for_each_column!(@ $column, $count, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
    };
    (@ $column:ident, $count:expr, $body:block, $($i:literal)+) => {
        const { assert!($count <= [$($i),+].len(), "as many columns as are unrolled") };
        $(if $i < $count {
            let $column: usize = $i;
            $body
        })+
    };
}

impl<S: Simd, T: Taps<S>> Block<'_, S, T> {
    /// Computes `N` outputs for a register of channels from `c` on. On each side, up to `BORDER`
    /// columns may be padding.
    ///
    /// # Safety
    /// From `c` on there must be a register of channels; `input` must be valid for them in `rows` and
    /// all columns but the `border`, `output` for `N` outputs.
    // The fold comes and goes by value: behind a reference it would stay in memory.
    #[inline(always)]
    unsafe fn outputs<
        const TAPS: usize,
        const STRIDE: usize,
        const N: usize,
        const BORDER: usize,
    >(
        &self,
        s: S,
        c: usize,
        mut fold: RegisterFold<S>,
    ) -> RegisterFold<S> {
        let taps = self.taps;
        let all = TAPS + (N - 1) * STRIDE;
        // SAFETY: the caller's promise.
        let mut sums = [unsafe { taps.start(s, c) }; N];
        let mut row = self.input.wrapping_add(c);
        for ty in self.rows.0..self.rows.1 {
            // SAFETY: the caller's promise.
            let weights: [S::R; TAPS] = unsafe { taps.weights(s, ty, c) };
            if ty == self.turn {
                row = row.wrapping_sub(self.ring);
            }
            for_each_column!(column below TAPS + (N - 1) * STRIDE, {
                if self.border.is_input::<BORDER>(column, all) {
                    let value = row.wrapping_add(column * self.channels);
                    // SAFETY: the caller's promise; this column is not padding.
                    let value = unsafe { s.register_load(value) };
                    for n in 0..N {
                        if n * STRIDE <= column && column - n * STRIDE < TAPS {
                            sums[n] = taps.join(s, sums[n], value, weights[column - n * STRIDE]);
                        }
                    }
                }
            });
            row = row.wrapping_add(self.row_step);
        }
        let rows = self.rows.1 - self.rows.0;
        for (n, sum) in sums.into_iter().enumerate() {
            let count = rows * self.border.inputs::<BORDER>(n * STRIDE, TAPS, all);
            let value;
            (value, fold) = self.bounds.end(s, taps.finish(s, sum, count), fold);
            // SAFETY: the caller's promise.
            unsafe { s.register_store(value, self.output.wrapping_add(n * self.channels + c)) };
        }
        fold
    }
}

mod bounds;
mod columns;
