//! The microkernel of matrix products: tiles of rows against a panel of columns, in registers.

use std::ops::Range;

use super::{Clamp, SUM_BLOCK};
use crate::kernel::minmax::Fold;
use crate::kernel::simd::{LANES, Simd};
use crate::observation::Observation;

/// One panel of columns against the rows of a block.
pub(super) struct Strip {
    pub(super) panel: *const f32,
    pub(super) bias: *const f32,
    /// Weights that will be read next.
    pub(super) next: *const f32,
    /// By how much to go on there with each term.
    pub(super) next_step: usize,
    /// Columns of the panel that exist.
    pub(super) used: usize,
    pub(super) segments: usize,
    pub(super) segment_len: usize,
    pub(super) clamp: Clamp,
    pub(super) row_stride: usize,
    /// Rows of an image.
    pub(super) image_rows: usize,
}

impl Strip {
    /// Computes the rows `block`, counted through all images. With `HALF`, no more than the first 8
    /// columns of the last vector exist.
    ///
    /// # Safety
    /// `pointers` holds, per tile of `S::TILE_ROWS` rows (the last may have fewer), `segments` times
    /// the tile's rows of pointers to `segment_len` readable values; `panel` and `bias` are readable
    /// for whole vectors; `to` is writable for the block's rows of `used` values.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd, const NV: usize, const HALF: bool>(
        &self,
        s: S,
        pointers: *const *const f32,
        block: Range<usize>,
        to: *mut f32,
        observed: &mut [Observation],
    ) {
        let mut image = block.start / self.image_rows;
        let mut folds = [Fold::new(s); NV];
        let mut next = self.next;
        for row in block.clone().step_by(S::TILE_ROWS) {
            let tile_rows = (block.end - row).min(S::TILE_ROWS);
            let whole_image = (row + tile_rows - 1) / self.image_rows;
            if whole_image != image {
                observed[image] = observed[image].union(self.finish(s, folds));
                (folds, image) = ([Fold::new(s); NV], whole_image);
            }
            // SAFETY: as for this function; the tile is inside the block.
            unsafe {
                let first = row - block.start;
                let pointers = pointers.add(first * self.segments);
                let to = to.add(first * self.row_stride);
                let before = folds;
                self.any_tile::<S, NV, HALF>(s, tile_rows, pointers, next, to, &mut folds);
                next = next.wrapping_add(self.next_step * self.segments * self.segment_len);
                if row / self.image_rows != image {
                    // Rows of several images: each is looked at again.
                    folds = before;
                    for r in 0..tile_rows {
                        let image = (row + r) / self.image_rows;
                        let to = to.add(r * self.row_stride);
                        observed[image] = observed[image].union(self.look::<S, NV>(s, to));
                    }
                }
            }
        }
        observed[image] = observed[image].union(self.finish(s, folds));
    }

    #[inline(always)]
    fn finish<S: Simd, const NV: usize>(&self, s: S, folds: [Fold<S>; NV]) -> Observation {
        let mut observed = Observation::EMPTY;
        for (j, fold) in folds.into_iter().enumerate() {
            observed = observed.union(fold.finish_first(s, self.used.saturating_sub(j * LANES)));
        }
        observed
    }

    /// The extremes of one row's results.
    ///
    /// # Safety
    /// `row` must be readable for `used` values.
    #[inline(always)]
    unsafe fn look<S: Simd, const NV: usize>(&self, s: S, row: *const f32) -> Observation {
        let mut fold = Fold::new(s);
        for first in (0..self.used).step_by(LANES) {
            let n = (self.used - first).min(LANES);
            // SAFETY: as for this function.
            let values = unsafe { std::slice::from_raw_parts(row.add(first), n) };
            fold.push_first(s, s.load_up_to(values), n);
        }
        fold.finish(s)
    }

    /// # Safety
    /// As for [`Strip::run`], with `rows` rows, no more than a tile has.
    #[inline(always)]
    unsafe fn any_tile<S: Simd, const NV: usize, const HALF: bool>(
        &self,
        s: S,
        rows: usize,
        pointers: *const *const f32,
        next: *const f32,
        to: *mut f32,
        folds: &mut [Fold<S>; NV],
    ) {
        // SAFETY: as for this function.
        unsafe {
            match rows {
                1 => self.tile::<S, 1, NV, HALF>(s, pointers, next, to, folds),
                2 => self.tile::<S, 2, NV, HALF>(s, pointers, next, to, folds),
                3 => self.tile::<S, 3, NV, HALF>(s, pointers, next, to, folds),
                4 => self.tile::<S, 4, NV, HALF>(s, pointers, next, to, folds),
                5 if S::TILE_ROWS >= 5 => self.tile::<S, 5, NV, HALF>(s, pointers, next, to, folds),
                6 if S::TILE_ROWS >= 6 => self.tile::<S, 6, NV, HALF>(s, pointers, next, to, folds),
                7 if S::TILE_ROWS >= 7 => self.tile::<S, 7, NV, HALF>(s, pointers, next, to, folds),
                _ => unreachable!("no tile has {rows} rows"),
            }
        }
    }

    /// The microkernel: `MR` rows by `NV` vectors, all in registers. With `HALF`, no more
    /// than the first 8 columns of the last vector exist.
    ///
    /// # Safety
    /// As for [`Strip::run`], with `MR` rows.
    #[inline(always)]
    #[expect(clippy::needless_range_loop, reason = "indexed loops are unrolled")]
    unsafe fn tile<S: Simd, const MR: usize, const NV: usize, const HALF: bool>(
        &self,
        s: S,
        pointers: *const *const f32,
        next: *const f32,
        to: *mut f32,
        folds: &mut [Fold<S>; NV],
    ) {
        // SAFETY: as for this function.
        unsafe {
            let mut sums = if self.segments * self.segment_len <= SUM_BLOCK {
                self.sum_block::<S, MR, NV, HALF>(s, pointers, next)
            } else {
                self.sum_blocks::<S, MR, NV, HALF>(s, pointers, next)
            };
            let mut bias = [s.splat(0.0); NV];
            for (j, bias) in bias.iter_mut().enumerate() {
                *bias = s.load_ptr(self.bias.add(j * LANES));
            }
            for r in 0..MR {
                for j in 0..NV {
                    sums[r][j] = s.add(sums[r][j], bias[j]);
                }
            }
            // None more than needed: elements of few terms wait for them.
            if self.clamp.low > f32::NEG_INFINITY {
                let low = s.splat(self.clamp.low);
                for r in 0..MR {
                    for j in 0..NV {
                        sums[r][j] = s.max(low, sums[r][j]);
                    }
                }
            }
            if self.clamp.high < f32::INFINITY {
                let high = s.splat(self.clamp.high);
                for r in 0..MR {
                    for j in 0..NV {
                        sums[r][j] = s.min(high, sums[r][j]);
                    }
                }
            }
            for (r, row) in sums.into_iter().enumerate() {
                let to = to.add(r * self.row_stride);
                for (j, value) in row.into_iter().enumerate() {
                    folds[j].push(s, value);
                    let left = self.used - j * LANES;
                    if HALF && j == NV - 1 && left == LANES / 2 {
                        s.store_half(value, to.add(j * LANES));
                    } else if left >= LANES {
                        s.store_ptr(value, to.add(j * LANES));
                    } else {
                        let to = std::slice::from_raw_parts_mut(to.add(j * LANES), left);
                        s.store_partial(value, to);
                    }
                }
            }
        }
    }

    /// The sums of one block.
    ///
    /// # Safety
    /// As for [`Strip::run`], with `MR` rows.
    #[inline(always)]
    unsafe fn sum_block<S: Simd, const MR: usize, const NV: usize, const HALF: bool>(
        &self,
        s: S,
        pointers: *const *const f32,
        mut next: *const f32,
    ) -> [[S::V; NV]; MR] {
        // SAFETY: as for `sum_blocks`.
        unsafe {
            let mut sums = [[s.splat(0.0); NV]; MR];
            let mut panel = self.panel;
            for segment in 0..self.segments {
                let rows = pointers.add(segment * MR).cast::<[*const f32; MR]>().read();
                for k in 0..self.segment_len {
                    add_products::<S, MR, NV, HALF>(s, &mut sums, &rows, k, panel);
                    panel = panel.add(NV * LANES);
                    s.prefetch(next);
                    next = next.wrapping_add(self.next_step);
                }
            }
            sums
        }
    }

    /// The sums of all blocks.
    ///
    /// # Safety
    /// As for [`Strip::run`], with `MR` rows.
    #[inline(always)]
    unsafe fn sum_blocks<S: Simd, const MR: usize, const NV: usize, const HALF: bool>(
        &self,
        s: S,
        pointers: *const *const f32,
        mut next: *const f32,
    ) -> [[S::V; NV]; MR] {
        // SAFETY: all reads are inside what the caller vouches for: `segments` times `MR` pointers,
        // `segment_len` values behind each, `segments * segment_len` panel rows of `NV` vectors.
        unsafe {
            // Loops, not closures: a closure that is not inlined would lack the instructions.
            let zero = s.splat(0.0);
            // What leaves the first block's sum as it is, to the bit.
            let mut totals = [[s.splat(-0.0); NV]; MR];
            let mut sums = [[zero; NV]; MR];
            let mut panel = self.panel;
            let mut left_in_block = SUM_BLOCK;
            for segment in 0..self.segments {
                let mut rows = pointers.add(segment * MR).cast::<[*const f32; MR]>().read();
                let mut left = self.segment_len;
                while left > 0 {
                    let run = left.min(left_in_block);
                    for k in 0..run {
                        add_products::<S, MR, NV, HALF>(s, &mut sums, &rows, k, panel);
                        panel = panel.add(NV * LANES);
                        s.prefetch(next);
                        next = next.wrapping_add(self.next_step);
                    }
                    left -= run;
                    left_in_block -= run;
                    if left_in_block == 0 {
                        add_to(s, &mut totals, &sums);
                        sums = [[zero; NV]; MR];
                        left_in_block = SUM_BLOCK;
                        for row in &mut rows {
                            *row = row.add(run);
                        }
                    }
                }
            }
            add_to(s, &mut totals, &sums);
            totals
        }
    }
}

/// Adds the products of element `k` of every row and a row of the panel to the sums.
///
/// # Safety
/// Each of `rows` must be readable at `k`, `panel` for `NV` vectors.
#[inline(always)]
unsafe fn add_products<S: Simd, const MR: usize, const NV: usize, const HALF: bool>(
    s: S,
    sums: &mut [[S::V; NV]; MR],
    rows: &[*const f32; MR],
    k: usize,
    panel: *const f32,
) {
    // SAFETY: as for this function.
    unsafe {
        let mut columns = [s.splat(0.0); NV];
        for (j, columns) in columns.iter_mut().enumerate() {
            *columns = s.load_ptr(panel.add(j * LANES));
        }
        for r in 0..MR {
            let x = s.splat(*rows[r].add(k));
            for j in 0..NV {
                sums[r][j] = if HALF && j == NV - 1 {
                    s.fma_half(x, columns[j], sums[r][j])
                } else {
                    s.fma(x, columns[j], sums[r][j])
                };
            }
        }
    }
}

/// Adds the sums of a block to the totals.
#[inline(always)]
fn add_to<S: Simd, const MR: usize, const NV: usize>(
    s: S,
    totals: &mut [[S::V; NV]; MR],
    sums: &[[S::V; NV]; MR],
) {
    for r in 0..MR {
        for j in 0..NV {
            totals[r][j] = s.add(totals[r][j], sums[r][j]);
        }
    }
}
