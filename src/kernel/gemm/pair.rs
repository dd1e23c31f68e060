//! Two tiles at once.
//!
//! Where registers suffice for both, half as many weights are loaded: their panel is larger than the
//! first-level cache in most products. Where a tile has too few columns to keep all registers busy, two do:
//! with up to 16 columns, two tiles of seven rows have as many sums as one tile of 32 columns. With eight
//! columns in the last vector, a register holds those of a row of the first tile and, in its upper half,
//! those of the same row of the second.

use super::strip::{Ending, Strip, Tile, add_to, last};
use super::{Clamp, SUM_BLOCK};
use crate::kernel::minmax::Fold;
use crate::kernel::simd::pair::{PAIR_ROWS, PairRun, PairSums};
use crate::kernel::simd::{LANES, Simd};

/// Rows of a tile.
const ROWS: usize = PAIR_ROWS;

/// What the columns of both tiles are folded to.
#[derive(Clone, Copy)]
pub(super) struct Folds<S: Simd> {
    /// Of the vector that is whole or in part there, if any is.
    pub(super) rows: Fold<S>,
    /// Of halves: eight columns, twice.
    pub(super) halves: Fold<S>,
}

impl<S: Simd> Folds<S> {
    #[inline(always)]
    pub(super) fn new(s: S) -> Self {
        Self { rows: Fold::new(s), halves: Fold::new(s) }
    }

    /// Adds what was seen to the folds of single tiles.
    #[inline(always)]
    pub(super) fn unite<const NV: usize>(self, s: S, folds: &mut [Fold<S>; NV]) {
        folds[0].join(s, self.rows);
        // Those of both halves are columns of the last vector, whose other lanes nobody asks for.
        folds[NV - 1].join(s, self.halves.upper_to_lower(s));
        folds[NV - 1].join(s, self.halves);
    }
}

/// The sums of two tiles.
#[derive(Clone, Copy)]
struct Sums<S: Simd> {
    /// A vector a row, those of the second tile behind those of the first.
    rows: [S::V; 2 * ROWS],
    /// Half a vector of each of two rows.
    halves: [S::V; ROWS],
}

impl<S: Simd> Sums<S> {
    #[inline(always)]
    fn splat(s: S, x: f32) -> Self {
        Self { rows: [s.splat(x); 2 * ROWS], halves: [s.splat(x); ROWS] }
    }

    #[inline(always)]
    fn add<const NV: usize, const LAST: u8>(&mut self, s: S, other: &Self) {
        if has_rows(NV, LAST) {
            for r in 0..2 * ROWS {
                self.rows[r] = s.add(self.rows[r], other.rows[r]);
            }
        }
        if LAST == last::HALF {
            for r in 0..ROWS {
                self.halves[r] = s.add(self.halves[r], other.halves[r]);
            }
        }
    }
}

/// Whether there is a vector that is not a half.
const fn has_rows(vectors: usize, last: u8) -> bool {
    vectors == 2 || last != last::HALF
}

/// Terms from which on two tiles of two vectors are faster at once: with fewer, the results of one are stored
/// while the next is summed.
const WIDE_FROM: usize = 64;

/// Whether two tiles of so many vectors are computed at once for as many terms.
#[inline(always)]
pub(super) fn wide_pairs<S: Simd>(vectors: usize, terms: usize) -> bool {
    S::PAIRS && S::TILE_ROWS == ROWS && vectors == 2 && terms >= WIDE_FROM
}

impl Strip<'_> {
    /// Two tiles of both vectors; as [`Strip::tile`].
    ///
    /// # Safety
    /// As for [`Strip::pair`].
    #[inline(always)]
    pub(super) unsafe fn wide_pair<S: Simd, const LAST: u8, const MANY: bool>(
        &self,
        s: S,
        Tile { pointers, next, to }: Tile,
        (apart, ending): (usize, Ending),
        folds: [Fold<S>; 2],
    ) -> [Fold<S>; 2] {
        // SAFETY: as for this function.
        unsafe {
            let sums = self.wide_sums::<S, MANY>(s, pointers, apart, next);
            self.end::<S, { 2 * ROWS }, 2, LAST>(s, sums, to, ending, folds)
        }
    }

    /// # Safety
    /// As for [`Strip::pair`].
    #[inline(always)]
    unsafe fn wide_sums<S: Simd, const MANY: bool>(
        &self,
        s: S,
        pointers: *const *const f32,
        apart: usize,
        mut next: *const f32,
    ) -> PairSums<S::V> {
        // SAFETY: as for this function.
        unsafe {
            let mut totals: PairSums<S::V> = [[s.splat(-0.0); 2]; 2 * ROWS];
            let mut sums: PairSums<S::V> = [[s.splat(0.0); 2]; 2 * ROWS];
            let mut panel = self.panel;
            let mut left_in_block = SUM_BLOCK;
            for segment in 0..self.segments {
                let mut rows = pointers.add(segment * ROWS).cast::<[*const f32; ROWS]>().read();
                let mut left = self.segment_len;
                while left > 0 {
                    let len = if MANY { left.min(left_in_block) } else { left };
                    let next_step = self.next_step;
                    sums = s.add_pair(sums, PairRun { rows, apart, len, panel, next, next_step });
                    panel = panel.add(len * 2 * LANES);
                    next = next.wrapping_add(len * 2 * next_step);
                    left -= len;
                    if MANY {
                        left_in_block -= len;
                        if left_in_block == 0 {
                            add_to(s, &mut totals, &sums);
                            sums = [[s.splat(0.0); 2]; 2 * ROWS];
                            left_in_block = SUM_BLOCK;
                            for row in &mut rows {
                                *row = row.add(len);
                            }
                        }
                    }
                }
            }
            if MANY {
                add_to(s, &mut totals, &sums);
                return totals;
            }
            sums
        }
    }

    /// Whether two tiles can be computed at once that have too few columns.
    #[inline(always)]
    pub(super) fn narrow_pairs<S: Simd, const NV: usize, const LAST: u8>(&self) -> bool {
        let eight = self.used % LANES == LANES / 2;
        S::TILE_ROWS == ROWS && if LAST == last::HALF { eight } else { NV == 1 }
    }

    /// By how much the rows of the second of two tiles lie behind those of the first, if that is the same
    /// for all.
    ///
    /// # Safety
    /// As for [`Strip::run`], for two whole tiles.
    #[inline(always)]
    pub(super) unsafe fn apart(&self, pointers: *const *const f32) -> Option<usize> {
        // SAFETY: as for this function.
        unsafe {
            let mut apart = None;
            let second = pointers.add(ROWS * self.segments);
            for segment in 0..self.segments {
                let first = pointers.add(segment * ROWS).cast::<[*const f32; ROWS]>().read();
                let second = second.add(segment * ROWS).cast::<[*const f32; ROWS]>().read();
                let bytes = second[0].addr().wrapping_sub(first[0].addr());
                let mut same = *apart.get_or_insert(bytes) == bytes;
                for r in 1..ROWS {
                    same &= second[r].addr().wrapping_sub(first[r].addr()) == bytes;
                }
                if !same {
                    return None;
                }
            }
            apart
        }
    }

    /// Two tiles, the rows of the second of which lie `apart` bytes behind those of the first.
    ///
    /// # Safety
    /// As for [`Strip::run`], for two whole tiles.
    #[inline(always)]
    pub(super) unsafe fn pair<S: Simd, const NV: usize, const LAST: u8, const MANY: bool>(
        &self,
        s: S,
        Tile { pointers, to, .. }: Tile,
        apart: usize,
        folds: Folds<S>,
    ) -> Folds<S> {
        // SAFETY: as for this function.
        unsafe {
            let sums = self.pair_sums::<S, NV, LAST, MANY>(s, pointers, apart);
            if self.clamp == Clamp::NONE {
                self.store_pair::<S, NV, LAST, false>(s, &sums, to, folds)
            } else {
                self.store_pair::<S, NV, LAST, true>(s, &sums, to, folds)
            }
        }
    }

    /// # Safety
    /// As for [`Strip::pair`].
    #[inline(always)]
    unsafe fn pair_sums<S: Simd, const NV: usize, const LAST: u8, const MANY: bool>(
        &self,
        s: S,
        pointers: *const *const f32,
        apart: usize,
    ) -> Sums<S> {
        // SAFETY: as for this function.
        unsafe {
            let mut totals = Sums::<S>::splat(s, -0.0);
            let mut sums = Sums::<S>::splat(s, 0.0);
            let mut panel = self.panel;
            let mut left_in_block = SUM_BLOCK;
            for segment in 0..self.segments {
                let mut rows = pointers.add(segment * ROWS).cast::<[*const f32; ROWS]>().read();
                let mut left = self.segment_len;
                while left > 0 {
                    let run = if MANY { left.min(left_in_block) } else { left };
                    for k in 0..run {
                        add_products::<S, NV, LAST>(s, &mut sums, &rows, apart, k, panel);
                        panel = panel.add(NV * LANES);
                    }
                    left -= run;
                    if MANY {
                        left_in_block -= run;
                        if left_in_block == 0 {
                            totals.add::<NV, LAST>(s, &sums);
                            sums = Sums::splat(s, 0.0);
                            left_in_block = SUM_BLOCK;
                            for row in &mut rows {
                                *row = row.add(run);
                            }
                        }
                    }
                }
            }
            if MANY {
                totals.add::<NV, LAST>(s, &sums);
                return totals;
            }
            sums
        }
    }

    /// # Safety
    /// As for [`Strip::pair`].
    #[inline(always)]
    unsafe fn store_pair<S: Simd, const NV: usize, const LAST: u8, const CLAMP: bool>(
        &self,
        s: S,
        sums: &Sums<S>,
        to: *mut f32,
        mut folds: Folds<S>,
    ) -> Folds<S> {
        // SAFETY: as for this function.
        unsafe {
            let left = self.used - (NV - 1) * LANES;
            if has_rows(NV, LAST) {
                let bias = s.load_ptr(self.bias);
                for r in 0..2 * ROWS {
                    let result = s.add(sums.rows[r], bias);
                    folds.rows.push(s, result);
                    let result = if CLAMP { self.clamp.apply(s, result) } else { result };
                    let to = to.add(r * self.row_stride);
                    if NV == 2 || LAST == last::WHOLE {
                        s.store_ptr(result, to);
                    } else {
                        s.store_partial(result, std::slice::from_raw_parts_mut(to, left));
                    }
                }
            }
            if LAST == last::HALF {
                let bias = s.load_twice(self.bias.add((NV - 1) * LANES));
                for r in 0..ROWS {
                    let result = s.add(sums.halves[r], bias);
                    folds.halves.push(s, result);
                    let result = if CLAMP { self.clamp.apply(s, result) } else { result };
                    let to = to.add((NV - 1) * LANES);
                    s.store_half(result, to.add(r * self.row_stride));
                    s.store_upper_half(result, to.add((ROWS + r) * self.row_stride));
                }
            }
            folds
        }
    }
}

/// Adds the products of element `k` of every row and a row of the panel to the sums.
///
/// # Safety
/// Each of `rows`, and what is `apart` bytes behind it, must be readable at `k`, `panel` for `NV` vectors.
#[inline(always)]
unsafe fn add_products<S: Simd, const NV: usize, const LAST: u8>(
    s: S,
    sums: &mut Sums<S>,
    rows: &[*const f32; ROWS],
    apart: usize,
    k: usize,
    panel: *const f32,
) {
    // SAFETY: as for this function.
    unsafe {
        let (mut columns, mut eight) = (s.splat(0.0), s.splat(0.0));
        if has_rows(NV, LAST) {
            columns = s.load_ptr(panel);
        }
        if LAST == last::HALF {
            eight = s.load_twice(panel.add((NV - 1) * LANES));
        }
        // Seven more pointers would not fit into registers: one index has to do.
        let behind = s.opaque(apart.wrapping_add(k * size_of::<f32>()));
        for (r, row) in rows.iter().enumerate() {
            let x = s.splat(*row.add(k));
            let y = s.splat(*row.wrapping_byte_add(behind));
            if has_rows(NV, LAST) {
                sums.rows[r] = s.fma(x, columns, sums.rows[r]);
                sums.rows[ROWS + r] = s.fma(y, columns, sums.rows[ROWS + r]);
            }
            if LAST == last::HALF {
                sums.halves[r] = s.fma(s.halves(x, y), eight, sums.halves[r]);
            }
        }
    }
}
