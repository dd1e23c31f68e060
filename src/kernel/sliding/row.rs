//! A row of an input under the windows of neighbouring outputs.

use super::bounds::Bounds;
use super::{Border, Taps};
use crate::kernel::minmax::RegisterFold;
use crate::kernel::simd::Simd;

/// Unrolls by hand: the compiler would leave the longer loops, and with them the sums in memory.
macro_rules! for_each_column {
    ($column:ident below $count:expr, $body:block) => {
        for_each_column!(@ $column, $count, $body, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
    };
    (@ $column:ident, $count:expr, $body:block, $($i:literal)+) => {
        const { assert!($count <= [$($i),+].len(), "as many columns as are unrolled") };
        $(if const { $i < $count } {
            let $column: usize = $i;
            $body
        })+
    };
}

/// The columns under the windows of neighbouring outputs.
#[derive(Clone, Copy)]
pub(super) struct Row<T> {
    pub taps: T,
    /// From one column to the next, in the input and the output.
    pub channels: usize,
    pub border: Border,
}

impl<T> Row<T> {
    /// Sums of `N` outputs in each of some `ROWS` of outputs, with an input row that is under each of these at another
    /// row of taps. On each side, up to `BORDER` columns may be padding.
    ///
    /// # Safety
    /// `input`, at the first column, which may be padding, must be valid for a register in all columns but the border.
    #[inline(always)]
    pub(super) unsafe fn join<
        S: Simd,
        const TAPS: usize,
        const STRIDE: usize,
        const BORDER: usize,
        const N: usize,
        const ROWS: usize,
    >(
        &self,
        s: S,
        input: *const f32,
        mut sums: [[S::R; N]; ROWS],
        weights: [[S::R; TAPS]; ROWS],
    ) -> [[S::R; N]; ROWS]
    where
        T: Taps<S>,
    {
        for_each_column!(column below TAPS + (N - 1) * STRIDE, {
            if self.border.is_input::<BORDER>(column, TAPS + (N - 1) * STRIDE) {
                let value = input.wrapping_add(column * self.channels);
                // SAFETY: the caller's promise; this column is not padding.
                let value = unsafe { s.register_load(value) };
                for (sums, weights) in sums.iter_mut().zip(&weights) {
                    for n in 0..N {
                        if n * STRIDE <= column && column - n * STRIDE < TAPS {
                            let weight = weights[column - n * STRIDE];
                            sums[n] = self.taps.join(s, sums[n], value, weight);
                        }
                    }
                }
            }
        });
        sums
    }

    /// Stores `N` outputs of a row, over `rows` rows of taps if taps are counted, and folds them.
    ///
    /// # Safety
    /// `output` must be valid for a register in `N` columns.
    // The fold comes and goes by value: behind a reference it would stay in memory.
    #[inline(always)]
    pub(super) unsafe fn finish<
        S: Simd,
        const TAPS: usize,
        const STRIDE: usize,
        const BORDER: usize,
        const N: usize,
    >(
        &self,
        s: S,
        bounds: &Bounds<S>,
        rows: usize,
        sums: [S::R; N],
        output: *mut f32,
        mut fold: RegisterFold<S>,
    ) -> RegisterFold<S>
    where
        T: Taps<S>,
    {
        for (n, sum) in sums.into_iter().enumerate() {
            let all = TAPS + (N - 1) * STRIDE;
            let count = rows * self.border.inputs::<BORDER>(n * STRIDE, TAPS, all);
            let value;
            (value, fold) = bounds.end(s, self.taps.finish(s, sum, count), fold);
            // SAFETY: the caller's promise.
            unsafe { s.register_store(value, output.wrapping_add(n * self.channels)) };
        }
        fold
    }
}
