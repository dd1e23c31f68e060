//! The microkernel of matrix products: tiles of rows against a panel of columns, in registers.

use std::ops::Range;

use super::pair::{self, wide_pairs};
use super::{Clamp, SUM_BLOCK};
use crate::arithmetic::Arithmetic;
use crate::kernel::isa::{Isa, Task};
use crate::kernel::minmax::Fold;
use crate::kernel::simd::pair::RESULT_TERMS;
use crate::kernel::simd::tiles::{Ending, Piece, last};
use crate::kernel::simd::{LANES, Simd, tile_rows};
use crate::observation::Observation;

/// One panel of columns against the rows of a block.
pub(super) struct Strip<'a> {
    pub(super) panel: *const f32,
    pub(super) bias: *const f32,
    /// What will be read next.
    pub(super) next: Next,
    /// Columns of the panel that exist.
    pub(super) used: usize,
    pub(super) segments: usize,
    pub(super) segment_len: usize,
    /// The terms of a row.
    pub(super) pieces: &'a [Piece],
    /// See [`may_overlap`](super::tiles::may_overlap).
    pub(super) may_overlap: bool,
    pub(super) clamp: Clamp,
    /// Whether results are folded; if not, they are not clamped either.
    pub(super) folds: bool,
    pub(super) row_stride: usize,
    /// Rows of an image.
    pub(super) image_rows: usize,
    /// Pointers to the first segments of all rows; those to further segments are `pointer_stride` behind these each.
    pub(super) pointers: *const *const f32,
    pub(super) pointer_stride: usize,
    /// Counted through all images.
    pub(super) rows: Range<usize>,
    /// The result of the first row and column.
    pub(super) to: *mut f32,
    pub(super) observed: &'a mut [Observation],
}

/// What is fetched while a strip is computed, a share with each tile.
#[derive(Clone, Copy)]
pub(super) struct Next {
    /// The share of the first tile.
    pub(super) at: *const f32,
    /// Elements of a share.
    pub(super) share: usize,
    /// By how much to go on with each term.
    pub(super) step: usize,
}

impl Next {
    /// What is read anyway.
    pub(super) fn nothing(panel: *const f32) -> Self {
        Self { at: panel, share: 0, step: 0 }
    }

    /// Shares of so many elements each from `at` on, for tiles of `terms` terms.
    pub(super) fn shares(at: *const f32, share: usize, terms: usize) -> Self {
        // Two tiles at once fetch lines of results during some of their terms.
        let terms = terms.saturating_sub(RESULT_TERMS / 2).max(1);
        Self { at, share, step: share.div_ceil(terms) }
    }
}

/// What a tile reads and writes.
#[derive(Clone, Copy)]
pub(super) struct Tile {
    pub(super) pointers: *const *const f32,
    /// What to fetch.
    pub(super) next: *const f32,
    pub(super) to: *mut f32,
}

/// Where a strip is, and what it has seen of an image.
pub(super) struct Place<S: Simd, const NV: usize> {
    pub(super) tile: Tile,
    row: usize,
    pub(super) ending: Ending,
    pub(super) folds: [Fold<S>; NV],
}

/// Whether a tile of so many rows has too few sums to keep the units busy: of each of two, four in a row wait for each other.
const fn is_slow<S: Simd>(vectors: usize, rows: usize) -> bool {
    rows * vectors * (LANES / S::REGISTER_LANES) < 8
}

/// Rows of the next tile, of so many that are left: all that a tile has, but half of them where what is left then would
/// be slow.
const fn next_rows<S: Simd>(vectors: usize, left: usize) -> usize {
    let most = tile_rows::<S>(vectors);
    if left <= most {
        left
    } else if left < 2 * most && is_slow::<S>(vectors, left - most) {
        left.div_ceil(2)
    } else {
        most
    }
}

/// A strip whose panel has `NV` vectors, of which `LAST`, one of [`last`], exists of the last one, and whose
/// results are of many terms, which are summed block by block, or of few.
///
/// Every kind is a task of its own: all in one function take minutes to compile.
struct Kind<'a, const NV: usize, const LAST: u8, const MANY: bool>(Strip<'a>);

impl<const NV: usize, const LAST: u8, const MANY: bool> Task for Kind<'_, NV, LAST, MANY> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, s: S) {
        if NV > S::MOST_VECTORS {
            unreachable!("panels have no more vectors than a tile");
        }
        // SAFETY: only `Strip::run` makes kinds, whose callers vouch for it.
        unsafe { self.0.rows::<S, NV, LAST, MANY>(s) };
    }
}

impl Strip<'_> {
    /// Computes the rows.
    ///
    /// # Safety
    /// `pointers` holds, `pointer_stride` apart, a pointer to `segment_len` readable values for each segment of each
    /// row; `panel` and `bias` are readable for whole vectors; `to` is writable for all rows of `used` values.
    pub(super) unsafe fn run(self, isa: Isa, arithmetic: Arithmetic) {
        match self.used.div_ceil(LANES) {
            4 => self.run_kind::<4, { last::WHOLE }>(isa, arithmetic),
            3 if self.used == 3 * LANES => self.run_kind::<3, { last::WHOLE }>(isa, arithmetic),
            3 => self.run_kind::<3, { last::HALF }>(isa, arithmetic),
            2 => self.run_of::<2>(isa, arithmetic),
            _ => self.run_of::<1>(isa, arithmetic),
        }
    }

    fn run_of<const NV: usize>(self, isa: Isa, arithmetic: Arithmetic) {
        match self.used % LANES {
            0 => self.run_kind::<NV, { last::WHOLE }>(isa, arithmetic),
            1..=8 => self.run_kind::<NV, { last::HALF }>(isa, arithmetic),
            _ => self.run_kind::<NV, { last::PART }>(isa, arithmetic),
        }
    }

    fn run_kind<const NV: usize, const LAST: u8>(self, isa: Isa, arithmetic: Arithmetic) {
        if self.segments * self.segment_len <= SUM_BLOCK {
            isa.dispatch_products(arithmetic, Kind::<NV, LAST, false>(self));
        } else {
            isa.dispatch_products(arithmetic, Kind::<NV, LAST, true>(self));
        }
    }

    /// # Safety
    /// As for [`Strip::run`].
    #[inline(always)]
    unsafe fn rows<S: Simd, const NV: usize, const LAST: u8, const MANY: bool>(&mut self, s: S) {
        let block = self.rows.clone();
        let mut tile = Tile { pointers: self.pointers, next: self.next.at, to: self.to };
        let mut row = block.start;
        while row < block.end {
            let image = row / self.image_rows;
            let end = block.end.min((image + 1) * self.image_rows);
            let (first, start) = (row, tile);
            let mut place = Place {
                tile,
                row,
                ending: self.ending(self.observed[image]),
                folds: [Fold::new(s); NV],
            };
            let ending;
            let folds;
            // SAFETY: as for this function; all tiles are inside the block.
            unsafe {
                loop {
                    place = self.many_tiles::<S, NV, LAST, MANY>(s, place, (image, end));
                    let rows = next_rows::<S>(NV, block.end - place.row);
                    if place.row == end || place.row + rows > end {
                        break;
                    }
                    // Rows of the tiles that come next lie unevenly, as at the end of an image's line, or these are the
                    // last.
                    let Place { tile, ending, folds, .. } = place;
                    place.folds = self.any_tile::<S, NV, LAST, MANY>(s, rows, tile, ending, folds);
                    self.advance_place(&mut place, rows);
                }
                Place { tile, row, ending, folds } = place;
                if row < end {
                    let rows = next_rows::<S>(NV, block.end - row);
                    // Rows of several images, of some of which nothing is known: each is looked at again.
                    let ending = self.ending(Observation::EMPTY);
                    self.any_tile::<S, NV, LAST, MANY>(s, rows, tile, ending, folds);
                    for r in 0..rows {
                        let image = (row + r) / self.image_rows;
                        let to = tile.to.add(r * self.row_stride);
                        self.observed[image] =
                            self.observed[image].union(self.look::<S, NV>(s, to));
                    }
                    tile = self.advance::<S, NV>(tile, rows);
                    row += rows;
                }
            }
            let folded = self.folded(s, folds);
            if ending == Ending::LowKnownOnly && folded.max > self.clamp.high {
                // SAFETY: as for this function; these rows have been computed.
                unsafe { self.lower(s, start.to, row.min(end) - first) };
            }
            self.observed[image] = self.observed[image].union(self.bounded(ending, folded));
        }
    }

    /// What has to be done for an image of which `observed` is known.
    #[inline(always)]
    fn ending(&self, observed: Observation) -> Ending {
        if self.folds { self.clamp.ending(observed) } else { Ending::Unfolded }
    }

    /// As many of an image's next tiles as there is a loop of several for.
    ///
    /// # Safety
    /// As for [`Strip::run`], for all rows up to `end`.
    #[inline(always)]
    unsafe fn many_tiles<S: Simd, const NV: usize, const LAST: u8, const MANY: bool>(
        &self,
        s: S,
        mut at: Place<S, NV>,
        (image, end): (usize, usize),
    ) -> Place<S, NV> {
        // SAFETY: as for this function.
        unsafe {
            if self.has_blocks::<S, NV, LAST>(s) {
                self.know_bound::<S, NV, LAST, MANY>(s, &mut at, (image, end));
                let tiles = (end - at.row) / tile_rows::<S>(NV);
                if tiles > 0 && at.ending != Ending::Clamped {
                    self.by_blocks::<S, NV, LAST>(s, &mut at, tiles);
                }
            }
            if self.has_narrow_tiles::<S, NV, LAST>() {
                self.know_bound::<S, NV, LAST, MANY>(s, &mut at, (image, end));
                while at.ending != Ending::Clamped {
                    let most = (end - at.row) / (2 * S::TILE_ROWS);
                    let Some((apart, pairs)) = self.pairs(at.tile.pointers, most) else { break };
                    self.by_narrow_blocks::<S, NV, LAST>(s, &mut at, (apart, pairs));
                }
            }
            if self.narrow_pairs::<S, NV, LAST>() {
                let mut pairs = pair::Folds::<S>::new(s);
                while end - at.row >= 2 * S::TILE_ROWS {
                    let Some(apart) = self.apart(at.tile.pointers) else { break };
                    pairs = self.pair::<S, NV, LAST, MANY>(s, at.tile, apart, pairs);
                    self.advance_place(&mut at, 2 * S::TILE_ROWS);
                }
                pairs.unite(s, &mut at.folds);
            } else if self.few_terms::<S, NV, LAST, MANY>() {
                let tiles = (end - at.row) / S::TILE_ROWS;
                if tiles > 0 {
                    let folds = [at.folds[0], at.folds[NV - 1]];
                    [at.folds[0], at.folds[NV - 1]] =
                        self.tiles(s, at.tile, (tiles, at.ending), folds);
                    self.advance_place(&mut at, tiles * S::TILE_ROWS);
                }
            } else if LAST != last::HALF && wide_pairs::<S>(NV, self.segments * self.segment_len) {
                while end - at.row >= 2 * S::TILE_ROWS {
                    let Some(apart) = self.apart(at.tile.pointers) else { break };
                    let (how, folds) = ((apart, at.ending), [at.folds[0], at.folds[NV - 1]]);
                    [at.folds[0], at.folds[NV - 1]] =
                        self.wide_pair::<S, LAST, MANY>(s, at.tile, how, folds);
                    self.advance_place(&mut at, 2 * S::TILE_ROWS);
                }
            }
            at
        }
    }

    /// Where results are clamped, computes a tile: most often the lower bound is known then.
    ///
    /// # Safety
    /// As for [`Strip::many_tiles`].
    #[inline(always)]
    unsafe fn know_bound<S: Simd, const NV: usize, const LAST: u8, const MANY: bool>(
        &self,
        s: S,
        at: &mut Place<S, NV>,
        (image, end): (usize, usize),
    ) {
        if at.ending == Ending::Clamped && end - at.row > tile_rows::<S>(NV) {
            // SAFETY: as for this function.
            at.folds =
                unsafe { self.whole_tile::<S, NV, LAST, MANY>(s, at.tile, at.ending, at.folds) };
            self.advance_place(at, tile_rows::<S>(NV));
            let found = self.bounded(at.ending, self.folded(s, at.folds));
            at.ending = self.ending(self.observed[image].union(found));
        }
    }

    #[inline(always)]
    pub(super) fn advance_place<S: Simd, const NV: usize>(
        &self,
        at: &mut Place<S, NV>,
        rows: usize,
    ) {
        at.tile = self.advance::<S, NV>(at.tile, rows);
        at.row += rows;
    }

    /// The tile behind one of `rows` rows.
    #[inline(always)]
    fn advance<S: Simd, const NV: usize>(
        &self,
        Tile { pointers, next, to }: Tile,
        rows: usize,
    ) -> Tile {
        Tile {
            pointers: pointers.wrapping_add(rows),
            next: next.wrapping_add(rows.div_ceil(tile_rows::<S>(NV)) * self.next.share),
            to: to.wrapping_add(rows * self.row_stride),
        }
    }

    /// The extremes of all columns.
    #[inline(always)]
    fn folded<S: Simd, const NV: usize>(&self, s: S, folds: [Fold<S>; NV]) -> Observation {
        // All but the last are whole.
        let last = folds[NV - 1].finish_first(s, self.used - (NV - 1) * LANES);
        let mut observed = last;
        if let [first, others @ .., _] = &folds[..] {
            let mut whole = *first;
            for fold in others {
                whole.join(s, *fold);
            }
            observed = observed.union(whole.finish(s));
        }
        observed
    }

    /// The extremes of results that were folded before they were clamped.
    #[inline(always)]
    fn bounded(&self, ending: Ending, mut folded: Observation) -> Observation {
        if ending.is_low_known() {
            folded.min = self.clamp.low;
        } else if folded.is_empty() {
            return folded;
        }
        let bound = |value: f32| value.max(self.clamp.low).min(self.clamp.high);
        Observation { min: bound(folded.min), max: bound(folded.max) }
    }

    /// Lowers the results of so many rows to the upper bound.
    ///
    /// # Safety
    /// The rows must be readable and writable for `used` values each.
    #[inline(always)]
    unsafe fn lower<S: Simd>(&self, s: S, to: *mut f32, rows: usize) {
        for r in 0..rows {
            // SAFETY: as for this function.
            let row =
                unsafe { std::slice::from_raw_parts_mut(to.add(r * self.row_stride), self.used) };
            self.clamp.lower(s, row);
        }
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
    /// As for [`Strip::run`], with a tile's rows.
    #[inline(always)]
    unsafe fn whole_tile<S: Simd, const NV: usize, const LAST: u8, const MANY: bool>(
        &self,
        s: S,
        tile: Tile,
        ending: Ending,
        folds: [Fold<S>; NV],
    ) -> [Fold<S>; NV] {
        // SAFETY: as for this function.
        unsafe {
            // A constant: the other arms are not compiled.
            match const { tile_rows::<S>(NV) } {
                4 => self.tile::<S, 4, NV, LAST, MANY>(s, tile, ending, folds),
                6 => self.tile::<S, 6, NV, LAST, MANY>(s, tile, ending, folds),
                7 => self.tile::<S, 7, NV, LAST, MANY>(s, tile, ending, folds),
                _ => unreachable!("the rows of a tile"),
            }
        }
    }

    /// # Safety
    /// As for [`Strip::run`], with `rows` rows, no more than a tile has.
    #[inline(always)]
    unsafe fn any_tile<S: Simd, const NV: usize, const LAST: u8, const MANY: bool>(
        &self,
        s: S,
        rows: usize,
        tile: Tile,
        ending: Ending,
        folds: [Fold<S>; NV],
    ) -> [Fold<S>; NV] {
        // SAFETY: as for this function.
        unsafe {
            match rows {
                1 => self.tile::<S, 1, NV, LAST, MANY>(s, tile, ending, folds),
                2 => self.tile::<S, 2, NV, LAST, MANY>(s, tile, ending, folds),
                3 => self.tile::<S, 3, NV, LAST, MANY>(s, tile, ending, folds),
                4 => self.tile::<S, 4, NV, LAST, MANY>(s, tile, ending, folds),
                5 if const { tile_rows::<S>(NV) } >= 5 => {
                    self.tile::<S, 5, NV, LAST, MANY>(s, tile, ending, folds)
                }
                6 if const { tile_rows::<S>(NV) } >= 6 => {
                    self.tile::<S, 6, NV, LAST, MANY>(s, tile, ending, folds)
                }
                7 if const { tile_rows::<S>(NV) } >= 7 => {
                    self.tile::<S, 7, NV, LAST, MANY>(s, tile, ending, folds)
                }
                _ => unreachable!("no tile has {rows} rows"),
            }
        }
    }

    /// The microkernel: `MR` rows by `NV` vectors, all in registers. Returns `folds` with the results
    /// before they are clamped: clamping does not change which is the least, and the units that clamp are
    /// busy enough.
    ///
    /// # Safety
    /// As for [`Strip::run`], with `MR` rows.
    #[inline(always)]
    unsafe fn tile<S: Simd, const MR: usize, const NV: usize, const LAST: u8, const MANY: bool>(
        &self,
        s: S,
        Tile { pointers, next, to }: Tile,
        ending: Ending,
        folds: [Fold<S>; NV],
    ) -> [Fold<S>; NV] {
        // SAFETY: as for this function.
        unsafe {
            if MR == const { tile_rows::<S>(NV) } {
                self.fetch_results::<S, MR, NV>(s, to.wrapping_add(MR * self.row_stride));
            }
            let sums = if MANY {
                self.sum_blocks::<S, MR, NV, LAST>(s, pointers, next)
            } else {
                self.sum_block::<S, MR, NV, LAST>(s, pointers, next)
            };
            self.end::<S, MR, NV, LAST>(s, sums, to, ending, folds)
        }
    }

    /// Fetches the lines of so many rows of results from `to` on: stores that miss the cache hold up
    /// those behind them.
    #[inline(always)]
    pub(super) fn fetch_results<S: Simd, const MR: usize, const NV: usize>(
        &self,
        s: S,
        to: *const f32,
    ) {
        for r in 0..MR {
            for j in 0..NV {
                s.prefetch(to.wrapping_add(r * self.row_stride + j * LANES));
            }
        }
    }

    /// Adds the bias, folds, clamps and stores.
    ///
    /// # Safety
    /// As for [`Strip::run`], with `MR` rows.
    #[inline(always)]
    pub(super) unsafe fn end<S: Simd, const MR: usize, const NV: usize, const LAST: u8>(
        &self,
        s: S,
        sums: [[S::V; NV]; MR],
        to: *mut f32,
        ending: Ending,
        folds: [Fold<S>; NV],
    ) -> [Fold<S>; NV] {
        macro_rules! store {
            ($($ending:ident),*) => {
                match ending {
                    $(Ending::$ending => {
                        self.store::<S, MR, NV, LAST, { Ending::$ending as u8 }>(s, sums, to, folds)
                    })*
                    Ending::Partial => unreachable!("all terms are here"),
                }
            };
        }
        // SAFETY: as for this function.
        unsafe { store!(Unfolded, Plain, Clamped, LowKnown, LowKnownOnly) }
    }

    /// [`Strip::end`], row by row: the last term of the first row comes first.
    ///
    /// # Safety
    /// As for [`Strip::run`], with `MR` rows.
    #[inline(always)]
    unsafe fn store<S: Simd, const MR: usize, const NV: usize, const LAST: u8, const ENDING: u8>(
        &self,
        s: S,
        sums: [[S::V; NV]; MR],
        to: *mut f32,
        mut folds: [Fold<S>; NV],
    ) -> [Fold<S>; NV] {
        // SAFETY: as for this function.
        unsafe {
            let mut bias = [s.splat(0.0); NV];
            for (j, bias) in bias.iter_mut().enumerate() {
                *bias = s.load_ptr(self.bias.add(j * LANES));
            }
            let left = self.used - (NV - 1) * LANES;
            for (r, row) in sums.into_iter().enumerate() {
                let to = to.add(r * self.row_stride);
                for (j, sum) in row.into_iter().enumerate() {
                    let result = s.add(sum, bias[j]);
                    let result = self.ended::<S, ENDING>(s, result, &mut folds[j]);
                    let to = to.add(j * LANES);
                    if LAST == last::WHOLE || j < NV - 1 {
                        s.store_ptr(result, to);
                    } else if LAST == last::HALF && left == LANES / 2 {
                        s.store_half(result, to);
                    } else {
                        s.store_partial(result, std::slice::from_raw_parts_mut(to, left));
                    }
                }
            }
            folds
        }
    }

    /// Folds and clamps a result, as far as its `ENDING` says.
    #[inline(always)]
    pub(super) fn ended<S: Simd, const ENDING: u8>(
        &self,
        s: S,
        result: S::V,
        fold: &mut Fold<S>,
    ) -> S::V {
        if ENDING >= Ending::LowKnown as u8 {
            fold.push_for::<false, true>(s, result);
        } else if ENDING != Ending::Unfolded as u8 {
            fold.push(s, result);
        }
        if ENDING <= Ending::Plain as u8 {
            result
        } else if ENDING == Ending::LowKnownOnly as u8 {
            s.max(s.splat(self.clamp.low), result)
        } else {
            self.clamp.apply(s, result)
        }
    }

    /// The sums of one block.
    ///
    /// # Safety
    /// As for [`Strip::run`], with `MR` rows.
    #[inline(always)]
    unsafe fn sum_block<S: Simd, const MR: usize, const NV: usize, const LAST: u8>(
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
                let rows =
                    pointers.add(segment * self.pointer_stride).cast::<[*const f32; MR]>().read();
                add_run::<S, MR, NV, LAST>(
                    s,
                    &mut sums,
                    &rows,
                    self.segment_len,
                    &mut panel,
                    &mut next,
                    self.next.step,
                );
            }
            sums
        }
    }

    /// The sums of all blocks.
    ///
    /// # Safety
    /// As for [`Strip::run`], with `MR` rows.
    #[inline(always)]
    unsafe fn sum_blocks<S: Simd, const MR: usize, const NV: usize, const LAST: u8>(
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
                let mut rows =
                    pointers.add(segment * self.pointer_stride).cast::<[*const f32; MR]>().read();
                let mut left = self.segment_len;
                while left > 0 {
                    let run = left.min(left_in_block);
                    add_run::<S, MR, NV, LAST>(
                        s,
                        &mut sums,
                        &rows,
                        run,
                        &mut panel,
                        &mut next,
                        self.next.step,
                    );
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

/// Adds the products of `len` elements of every row and rows of the panel to the sums, and goes on in the
/// panel and in what is fetched.
///
/// # Safety
/// Each of `rows` must be readable for `len` elements, `panel` for as many times `NV` vectors.
#[inline(always)]
unsafe fn add_run<S: Simd, const MR: usize, const NV: usize, const LAST: u8>(
    s: S,
    sums: &mut [[S::V; NV]; MR],
    rows: &[*const f32; MR],
    len: usize,
    panel: &mut *const f32,
    next: &mut *const f32,
    next_step: usize,
) {
    /// Terms of a round: counting takes the ports that multiply.
    const UNROLL: usize = 4;
    // SAFETY: as for this function.
    unsafe {
        let whole = len - len % UNROLL;
        for k in (0..whole).step_by(UNROLL) {
            for i in 0..UNROLL {
                let panel = panel.add(i * NV * LANES);
                add_products::<S, MR, NV, LAST>(s, sums, rows, k + i, panel);
                s.prefetch(next.wrapping_add(i * next_step));
            }
            *panel = panel.add(UNROLL * NV * LANES);
            *next = next.wrapping_add(UNROLL * next_step);
        }
        for k in whole..len {
            add_products::<S, MR, NV, LAST>(s, sums, rows, k, *panel);
            *panel = panel.add(NV * LANES);
            s.prefetch(*next);
            *next = next.wrapping_add(next_step);
        }
    }
}

/// Adds the products of element `k` of every row and a row of the panel to the sums.
///
/// # Safety
/// Each of `rows` must be readable at `k`, `panel` for `NV` vectors.
#[inline(always)]
unsafe fn add_products<S: Simd, const MR: usize, const NV: usize, const LAST: u8>(
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
                sums[r][j] = if LAST == last::HALF && j == NV - 1 {
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
pub(super) fn add_to<S: Simd, const MR: usize, const NV: usize>(
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Rows(usize);

    impl Task for Rows {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, _: S) {
            let Self(all) = self;
            for vectors in 1..=S::MOST_VECTORS {
                let (most, mut left, mut tiles) = (tile_rows::<S>(vectors), all, 0);
                while left > 0 {
                    let rows = next_rows::<S>(vectors, left);
                    assert!((1..=most).contains(&rows) && rows <= left, "{all}: {rows} of {left}");
                    let is_whole = all.is_multiple_of(most) || all < most;
                    assert!(!is_whole || rows == most.min(all), "{all} of {most}");
                    (left, tiles) = (left - rows, tiles + 1);
                }
                assert_eq!(tiles, all.div_ceil(most), "no more tiles than without");
            }
        }
    }

    #[test]
    fn rows_that_are_left_share_with_the_tile_before() {
        for isa in Isa::supported() {
            for all in 1..40 {
                isa.dispatch(Rows(all));
            }
        }
        if let Some(isa) = Isa::supported().into_iter().find(|isa| isa.tile() == (7, 2)) {
            struct Eight;
            impl Task for Eight {
                type Output = [usize; 4];

                #[inline(always)]
                fn run<S: Simd>(self, _: S) -> [usize; 4] {
                    [8, 10, 11, 15].map(|left| next_rows::<S>(2, left))
                }
            }
            assert_eq!(isa.dispatch(Eight), [4, 5, 7, 7]);
        }
    }
}
