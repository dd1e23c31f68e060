//! Neighbouring outputs of a row, or of two, that take one row of taps after the other.

use super::bounds::Bounds;
use super::row::Row;
use super::{TOGETHER, Taps};
use crate::kernel::minmax::RegisterFold;
use crate::kernel::simd::Simd;
use crate::kernel::window::Axis;

/// Rows of outputs that are computed together: two of five taps, where there are registers for their sums and for two
/// rows of weights. Six rows of inputs are loaded then, and not ten.
#[inline(always)]
pub(super) fn most_rows<S: Simd, const TAPS: usize>() -> usize {
    if S::REGISTERS >= 32 && TAPS == 5 { 2 } else { 1 }
}

/// Neighbouring outputs of one row or two.
pub(super) struct Block<'a, S: Simd, T> {
    pub row: Row<T>,
    pub bounds: &'a Bounds<S>,
    pub y: Axis,
    /// The first row of outputs.
    pub oy: usize,
    /// Rows of inputs that are under the outputs and no padding, as taps of the first row of outputs.
    pub under: (usize, usize),
    /// Channel 0 of the first of these, in the first column, which may be padding.
    pub input: *const f32,
    /// From one input row to the next.
    pub row_step: usize,
    /// The row of inputs, counted as `under`, that is at the first place again.
    pub turn: usize,
    /// Elements of all places.
    pub ring: usize,
    /// Channel 0 of the first output.
    pub output: *mut f32,
    /// From one output row to the next.
    pub result_step: usize,
}

impl<S: Simd, T: Taps<S>> Block<'_, S, T> {
    /// Computes `together` outputs, 1 or [`TOGETHER`], of each of `HIGH` rows, 1 or 2, for a register of channels from
    /// `c` on. Each row has a fold of its own: outputs of one would wait for those of the other.
    ///
    /// # Safety
    /// From `c` on there must be a register of channels; `input` must be valid for them in the rows `under` and
    /// all columns but the border, `output` for all outputs.
    #[inline(always)]
    pub(super) unsafe fn run<const TAPS: usize, const STRIDE: usize, const HIGH: usize>(
        &self,
        s: S,
        c: usize,
        together: usize,
        folds: [RegisterFold<S>; 2],
    ) -> [RegisterFold<S>; 2] {
        // SAFETY: the caller's promise.
        unsafe {
            if together == 1 {
                self.outputs::<TAPS, STRIDE, TAPS, HIGH, 1>(s, c, folds)
            } else if self.row.border.width() == 0 {
                self.outputs::<TAPS, STRIDE, 0, HIGH, TOGETHER>(s, c, folds)
            } else if const { TAPS == 5 } {
                self.outputs::<TAPS, STRIDE, 2, HIGH, TOGETHER>(s, c, folds)
            } else {
                self.outputs::<TAPS, STRIDE, 1, HIGH, TOGETHER>(s, c, folds)
            }
        }
    }

    /// Computes `N` outputs of each row. On each side, up to `BORDER` columns may be padding.
    ///
    /// # Safety
    /// As for [`Block::run`].
    #[inline(always)]
    unsafe fn outputs<
        const TAPS: usize,
        const STRIDE: usize,
        const BORDER: usize,
        const HIGH: usize,
        const N: usize,
    >(
        &self,
        s: S,
        c: usize,
        mut folds: [RegisterFold<S>; 2],
    ) -> [RegisterFold<S>; 2] {
        let taps = self.row.taps;
        macro_rules! join {
            ($input:expr, $sums:expr, $($row:expr),+) => {{
                let weights = [$(taps.weights::<TAPS>(s, $row, c)),+];
                self.row.join::<S, TAPS, STRIDE, BORDER, N, _>(s, $input, $sums, weights)
            }};
        }
        // SAFETY: the caller's promise.
        let first = [unsafe { taps.start(s, c) }; N];
        let (mut upper, mut lower) = (first, first);
        let mut input = self.input.wrapping_add(c);
        for ty in self.under.0..self.under.1 {
            if ty == self.turn {
                input = input.wrapping_sub(self.ring);
            }
            // SAFETY: the caller's promise; these are rows of taps, and this row of inputs is under them.
            unsafe {
                if const { HIGH == 1 } || ty < STRIDE {
                    [upper] = join!(input, [upper], ty);
                } else if ty < TAPS {
                    [upper, lower] = join!(input, [upper, lower], ty, ty - STRIDE);
                } else {
                    [lower] = join!(input, [lower], ty - STRIDE);
                }
            }
            input = input.wrapping_add(self.row_step);
        }
        let output = self.output.wrapping_add(c);
        for (i, sums) in [upper, lower].into_iter().take(HIGH).enumerate() {
            let rows = if T::COUNTS { self.y.valid_taps(self.oy + i).len() } else { 0 };
            let to = output.wrapping_add(i * self.result_step);
            // SAFETY: the caller's promise.
            folds[i] = unsafe {
                let fold = folds[i];
                self.row.finish::<S, TAPS, STRIDE, BORDER, N>(s, self.bounds, rows, sums, to, fold)
            };
        }
        folds
    }
}
