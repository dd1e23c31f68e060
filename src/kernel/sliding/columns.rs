//! Squares of three taps that slide down an image: where there are registers for all weights and the sums of
//! several rows, each input is loaded once for all rows of outputs that it is under.

use std::ops::Range;

use super::bounds::Bounds;
use super::row::Row;
use super::{Border, Taps};
use crate::kernel::minmax::RegisterFold;
use crate::kernel::simd::Simd;
use crate::kernel::window::{Axis, Ring, Window};

/// Taps in each direction.
const TAPS: usize = 3;

/// Most outputs of a row that are computed together.
const TOGETHER: usize = 4;

/// Whether there are registers enough, and rows, and no more padding than one position on each side.
#[inline(always)]
pub(super) fn fits<S: Simd>(window: &Window, rows: &Range<usize>) -> bool {
    let narrow = |axis: &Axis| {
        let end = axis.output.saturating_sub(1) * axis.stride + TAPS;
        axis.before <= 1 && end <= axis.before + axis.input + 1
    };
    S::REGISTERS >= 32 && rows.len() > 1 && narrow(&window.x) && narrow(&window.y)
}

/// Computes rows of an image, and folds them. Gives the number of columns from the first on of which some outputs may
/// be above the upper bound.
///
/// # Safety
/// The window must [fit](fits), with three taps and a stride of `STRIDE`, 1 or 2; `input` and `output` must be
/// those of [`slide`](super::slide), checked, with at least a register of channels.
#[inline(always)]
pub(super) unsafe fn slide_down<S: Simd, T: Taps<S>, const STRIDE: usize>(
    s: S,
    (taps, bounds): (T, &mut Bounds<S>),
    (window, rows, ring): (&Window, Range<usize>, Ring),
    channels: usize,
    input: *const f32,
    output: *mut f32,
) -> (RegisterFold<S>, usize) {
    let Window { y, x } = *window;
    let mut fold = RegisterFold::new(s);
    // As few tiles as can be, of nearly one width.
    let tiles = x.output.div_ceil(TOGETHER);
    let mut from = 0;
    let mut too_high = 0;
    for tile in 0..tiles {
        let together = (x.output - from).div_ceil(tiles - tile);
        let border = Border::new(&x, from, together);
        let column = (from * STRIDE).wrapping_sub(x.before);
        let tile = Tile {
            row: Row { taps, channels, border },
            y,
            rows: rows.clone(),
            ring,
            input: input.wrapping_add(column.wrapping_mul(channels)),
            output: output.wrapping_add(from * channels),
            row_step: x.input * channels,
            result_step: x.output * channels,
        };
        for c in (0..channels).step_by(S::REGISTER_LANES) {
            // The last register overlaps the one before.
            let c = c.min(channels - S::REGISTER_LANES);
            // SAFETY: the caller's promise; the border is that of these outputs.
            fold = unsafe {
                match together {
                    TOGETHER if border.width() == 0 => {
                        tile.columns::<S, TOGETHER, STRIDE, 0>(s, bounds, c, fold)
                    }
                    TOGETHER => tile.columns::<S, TOGETHER, STRIDE, 1>(s, bounds, c, fold),
                    3 => tile.columns::<S, 3, STRIDE, 1>(s, bounds, c, fold),
                    2 => tile.columns::<S, 2, STRIDE, 1>(s, bounds, c, fold),
                    _ => tile.columns::<S, 1, STRIDE, 1>(s, bounds, c, fold),
                }
            };
            if bounds.learn(s, &fold) {
                too_high = from + together;
            }
        }
        from += together;
    }
    (fold, too_high)
}

/// Some neighbouring outputs of all rows.
struct Tile<T> {
    row: Row<T>,
    y: Axis,
    rows: Range<usize>,
    ring: Ring,
    /// Channel 0 of the first place's first column, which may be padding.
    input: *const f32,
    /// Channel 0 of the first output of row 0.
    output: *mut f32,
    /// From one input row to the next.
    row_step: usize,
    /// From one output row to the next.
    result_step: usize,
}

impl<T> Tile<T> {
    /// Computes `N` outputs of each row, for a register of channels from `c` on. On each side, up to
    /// `BORDER` columns may be padding.
    ///
    /// # Safety
    /// As for [`slide_down`].
    #[inline(always)]
    unsafe fn columns<S: Simd, const N: usize, const STRIDE: usize, const BORDER: usize>(
        &self,
        s: S,
        bounds: &Bounds<S>,
        c: usize,
        mut fold: RegisterFold<S>,
    ) -> RegisterFold<S>
    where
        T: Taps<S>,
    {
        let (taps, Range { start, end }) = (self.row.taps, self.rows.clone());
        // SAFETY: the caller's promise.
        let (first, [w0, w1, w2]) = unsafe {
            let weights = |ty| taps.weights::<TAPS>(s, ty, c);
            ([taps.start(s, c); N], [weights(0), weights(1), weights(2)])
        };
        macro_rules! join {
            ($row:expr, $sums:expr, $weights:expr) => {
                self.row.join::<S, TAPS, STRIDE, BORDER, N, _>(
                    s,
                    self.input($row, c),
                    $sums,
                    $weights,
                )
            };
        }
        // No more than the first and the last row are padding.
        macro_rules! join_end {
            ($row:expr, $sums:expr, $weights:expr) => {
                if self.is_input($row) { join!($row, $sums, $weights) } else { $sums }
            };
        }
        macro_rules! finish {
            ($row:expr, $sums:expr) => {
                fold = self.finish::<S, N, STRIDE, BORDER>(s, bounds, ($row, c), $sums, fold)
            };
        }
        // SAFETY: the caller's promise.
        unsafe {
            if STRIDE == 1 {
                // Rows of the input, counted with those of the padding, are under three rows of outputs, but for
                // two at either end.
                let [sums] = join_end!(start, [first], [w0]);
                let [mut next, mut sums] = join!(start + 1, [first, sums], [w0, w1]);
                for row in start + 2..end {
                    let [last, middle, done] = join!(row, [first, next, sums], [w0, w1, w2]);
                    finish!(row - 2, done);
                    (next, sums) = (last, middle);
                }
                let [next, done] = join!(end, [next, sums], [w1, w2]);
                finish!(end - 2, done);
                let [done] = join_end!(end + 1, [next], [w2]);
                finish!(end - 1, done);
            } else {
                // Every other row is under two.
                let [mut sums] = join_end!(2 * start, [first], [w0]);
                for row in start..end - 1 {
                    let [middle] = join!(2 * row + 1, [sums], [w1]);
                    let [next, done] = join!(2 * row + 2, [first, middle], [w0, w2]);
                    finish!(row, done);
                    sums = next;
                }
                let [sums] = join!(2 * end - 1, [sums], [w1]);
                let [done] = join_end!(2 * end, [sums], [w2]);
                finish!(end - 1, done);
            }
        }
        fold
    }

    /// Whether a row, counted with those of the padding before the input, is no padding.
    #[inline(always)]
    fn is_input(&self, padded: usize) -> bool {
        padded.checked_sub(self.y.before).is_some_and(|row| row < self.y.input)
    }

    /// Such a row.
    #[inline(always)]
    fn input(&self, padded: usize, c: usize) -> *const f32 {
        let place = self.ring.place(padded.wrapping_sub(self.y.before));
        self.input.wrapping_add(place * self.row_step + c)
    }

    /// The results of row `oy`.
    ///
    /// # Safety
    /// As for [`slide_down`].
    #[inline(always)]
    unsafe fn finish<S: Simd, const N: usize, const STRIDE: usize, const BORDER: usize>(
        &self,
        s: S,
        bounds: &Bounds<S>,
        (oy, c): (usize, usize),
        sums: [S::R; N],
        fold: RegisterFold<S>,
    ) -> RegisterFold<S>
    where
        T: Taps<S>,
    {
        let rows = if T::COUNTS { self.y.valid_taps(oy).len() } else { 0 };
        let to = self.output.wrapping_add(oy * self.result_step + c);
        // SAFETY: the caller's promise.
        unsafe { self.row.finish::<S, TAPS, STRIDE, BORDER, N>(s, bounds, rows, sums, to, fold) }
    }
}
