//! Two tiles at once.
//!
//! Where registers suffice for both, half as many weights are loaded: their panel is larger than the
//! first-level cache in most products. Where a tile has too few columns to keep all registers busy, two do:
//! with up to 24 columns, two tiles of seven rows have as many sums as one tile of 32 columns. Where the last
//! vector has eight, sums of a row of the first tile and of the same row of the second share a register when
//! they are finished.

use super::strip::{Strip, Tile, add_to};
use super::{Clamp, SUM_BLOCK};
use crate::kernel::minmax::Fold;
use crate::kernel::simd::pair::{Fetch, NarrowSums, PAIR_ROWS, PairRun, PairSums, RESULT_TERMS};
use crate::kernel::simd::tiles::{Ending, last};
use crate::kernel::simd::{LANES, Simd};

/// Rows of a tile.
const ROWS: usize = PAIR_ROWS;

/// Addresses that are so many bytes apart share a set of the first-level cache, and one that has eight or
/// twelve ways does not hold a line of each of 14 rows. A product of 1,024 terms takes a third longer then.
const CACHE_WAY: usize = 4096;

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

/// Adds the sums of a block to the totals.
#[inline(always)]
fn add_narrow_to<S: Simd>(s: S, totals: &mut NarrowSums<S::V>, sums: &NarrowSums<S::V>) {
    for (total, &sum) in totals.rows.iter_mut().zip(&sums.rows) {
        *total = s.add(*total, sum);
    }
    for (total, &sum) in totals.halves.iter_mut().zip(&sums.halves) {
        *total = s.add(*total, sum);
    }
}

/// Sums that are all `x`.
#[inline(always)]
fn narrow_splat<S: Simd>(s: S, x: f32) -> NarrowSums<S::V> {
    NarrowSums { rows: [s.splat(x); 2 * ROWS], halves: [s.splat(x); 2 * ROWS] }
}

/// Adds the terms of a run to the sums.
///
/// # Safety
/// As for [`Simd::add_narrow_pair`].
#[inline(always)]
unsafe fn add_narrow<S: Simd, const NV: usize, const LAST: u8>(
    s: S,
    sums: NarrowSums<S::V>,
    run: PairRun,
) -> NarrowSums<S::V> {
    // SAFETY: as for this function.
    unsafe {
        match (has_rows(NV, LAST), LAST == last::HALF) {
            (true, true) => s.add_narrow_pair::<true, true>(sums, run),
            (true, false) => s.add_narrow_pair::<true, false>(sums, run),
            (false, _) => s.add_narrow_pair::<false, true>(sums, run),
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
            let sums = self.wide_sums::<S, MANY>(s, pointers, apart, next, to);
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
        next: *const f32,
        to: *const f32,
    ) -> PairSums<S::V> {
        // SAFETY: as for this function.
        unsafe {
            let mut sums: PairSums<S::V> = [[s.splat(0.0); 2]; 2 * ROWS];
            let mut panel = self.panel;
            let mut next = Fetch { at: next, step: 2 * self.next.step };
            let mut results = Some(Fetch { at: to, step: self.row_stride });
            if !MANY && self.segments == 1 {
                // Without a loop, sums stay in registers.
                let rows = pointers.cast::<[*const f32; ROWS]>().read();
                let len = self.segment_len;
                return s.add_pair(sums, PairRun { rows, apart, len, panel, results, next });
            }
            let mut totals = sums;
            let (mut has_totals, mut left_in_block) = (false, SUM_BLOCK);
            for segment in 0..self.segments {
                let mut rows =
                    pointers.add(segment * self.pointer_stride).cast::<[*const f32; ROWS]>().read();
                let mut left = self.segment_len;
                while left > 0 {
                    let len = if MANY { left.min(left_in_block) } else { left };
                    sums = s.add_pair(sums, PairRun { rows, apart, len, panel, results, next });
                    panel = panel.add(len * 2 * LANES);
                    let fetched = if results.take().is_some() {
                        len.saturating_sub(RESULT_TERMS)
                    } else {
                        len
                    };
                    next.at = next.at.wrapping_add(fetched * next.step);
                    left -= len;
                    if MANY {
                        left_in_block -= len;
                        if left_in_block == 0 {
                            if has_totals {
                                add_to(s, &mut totals, &sums);
                            } else {
                                (totals, has_totals) = (sums, true);
                            }
                            sums = [[s.splat(0.0); 2]; 2 * ROWS];
                            left_in_block = SUM_BLOCK;
                            for row in &mut rows {
                                *row = row.add(len);
                            }
                        }
                    }
                }
            }
            if has_totals {
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
        S::TILE_ROWS == ROWS && if LAST == last::HALF { NV < 3 && eight } else { NV == 1 }
    }

    /// By how much the rows of the second of two tiles lie behind those of the first, if that is the same
    /// for all and the caches can hold elements of the rows of both at once.
    ///
    /// # Safety
    /// As for [`Strip::run`], for two whole tiles.
    #[inline(always)]
    pub(super) unsafe fn apart(&self, pointers: *const *const f32) -> Option<usize> {
        // SAFETY: as for this function.
        unsafe {
            let mut apart = None;
            let [first, below] = pointers.cast::<[*const f32; 2]>().read();
            if below.addr().wrapping_sub(first.addr()).is_multiple_of(CACHE_WAY) {
                return None;
            }
            let second = pointers.add(ROWS);
            for segment in 0..self.segments {
                let first =
                    pointers.add(segment * self.pointer_stride).cast::<[*const f32; ROWS]>().read();
                let second =
                    second.add(segment * self.pointer_stride).cast::<[*const f32; ROWS]>().read();
                let bytes = second[0].addr().wrapping_sub(first[0].addr());
                let mut differ = *apart.get_or_insert(bytes) ^ bytes;
                for r in 1..ROWS {
                    differ |= second[r].addr().wrapping_sub(first[r].addr()) ^ bytes;
                }
                if differ != 0 {
                    return None;
                }
            }
            apart
        }
    }

    /// How many pairs of tiles, `most` at most, have rows that lie [as far apart](Self::apart) as those of the first, and
    /// by how much that is.
    ///
    /// # Safety
    /// As for [`Strip::run`], for `most` times two whole tiles.
    #[inline(always)]
    pub(super) unsafe fn pairs(
        &self,
        pointers: *const *const f32,
        most: usize,
    ) -> Option<(usize, usize)> {
        if most == 0 {
            return None;
        }
        // SAFETY: as for this function.
        unsafe {
            let apart = self.apart(pointers)?;
            let mut pairs = 1;
            while pairs < most && self.apart(pointers.add(2 * ROWS * pairs)) == Some(apart) {
                pairs += 1;
            }
            Some((apart, pairs))
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
        Tile { pointers, next, to }: Tile,
        apart: usize,
        folds: Folds<S>,
    ) -> Folds<S> {
        // SAFETY: as for this function.
        unsafe {
            self.fetch_results::<S, { 2 * ROWS }, NV>(
                s,
                to.wrapping_add(2 * ROWS * self.row_stride),
            );
            let sums = self.pair_sums::<S, NV, LAST, MANY>(s, pointers, apart, next);
            if !self.folds {
                self.store_pair::<S, NV, LAST, { Ending::Unfolded as u8 }>(s, &sums, to, folds)
            } else if self.clamp == Clamp::NONE {
                self.store_pair::<S, NV, LAST, { Ending::Plain as u8 }>(s, &sums, to, folds)
            } else {
                self.store_pair::<S, NV, LAST, { Ending::Clamped as u8 }>(s, &sums, to, folds)
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
        next: *const f32,
    ) -> NarrowSums<S::V> {
        // SAFETY: as for this function.
        unsafe {
            let mut panel = self.panel;
            let mut next = Fetch { at: next, step: 2 * self.next.step };
            let mut sums = narrow_splat(s, 0.0);
            if !MANY && self.segments == 1 {
                let rows = pointers.cast::<[*const f32; ROWS]>().read();
                let len = self.segment_len;
                let run = PairRun { rows, apart, len, panel, results: None, next };
                return add_narrow::<S, NV, LAST>(s, sums, run);
            }
            let mut totals = narrow_splat(s, -0.0);
            let mut left_in_block = SUM_BLOCK;
            for segment in 0..self.segments {
                let mut rows =
                    pointers.add(segment * self.pointer_stride).cast::<[*const f32; ROWS]>().read();
                let mut left = self.segment_len;
                while left > 0 {
                    let len = if MANY { left.min(left_in_block) } else { left };
                    let run = PairRun { rows, apart, len, panel, results: None, next };
                    sums = add_narrow::<S, NV, LAST>(s, sums, run);
                    panel = panel.add(len * NV * LANES);
                    next.at = next.at.wrapping_add(len * next.step);
                    left -= len;
                    if MANY {
                        left_in_block -= len;
                        if left_in_block == 0 {
                            add_narrow_to(s, &mut totals, &sums);
                            sums = narrow_splat(s, 0.0);
                            left_in_block = SUM_BLOCK;
                            for row in &mut rows {
                                *row = row.add(len);
                            }
                        }
                    }
                }
            }
            if MANY {
                add_narrow_to(s, &mut totals, &sums);
                return totals;
            }
            sums
        }
    }

    /// # Safety
    /// As for [`Strip::pair`].
    #[inline(always)]
    unsafe fn store_pair<S: Simd, const NV: usize, const LAST: u8, const ENDING: u8>(
        &self,
        s: S,
        sums: &NarrowSums<S::V>,
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
                    let result = self.ended::<S, ENDING>(s, result, &mut folds.rows);
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
                    let sums = s.join_halves(sums.halves[r], sums.halves[ROWS + r]);
                    let result = s.add(sums, bias);
                    let result = self.ended::<S, ENDING>(s, result, &mut folds.halves);
                    let to = to.add((NV - 1) * LANES);
                    s.store_half(result, to.add(r * self.row_stride));
                    s.store_upper_half(result, to.add((ROWS + r) * self.row_stride));
                }
            }
            folds
        }
    }
}
