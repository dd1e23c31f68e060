//! Tiles of whole and half vectors of columns, all in one loop.

use super::pair::wide_pairs;
use super::strip::{Place, Strip, Tile};
use super::{SUM_BLOCK, WeightLayout};
use crate::kernel::minmax::Fold;
use crate::kernel::simd::tiles::{Ending, Extremes, Panels, Piece, ROWS, Tiles, last};
use crate::kernel::simd::{LANES, Simd, tile_rows};

impl WeightLayout {
    /// The terms of a row, cut where a segment ends or a block of [`SUM_BLOCK`]; see [`Piece::new`].
    pub(super) fn pieces(&self, pointer_stride: usize) -> impl Iterator<Item = Piece> {
        let len = self.segment_len;
        (0..self.segments).flat_map(move |segment| {
            let first = segment * len;
            let mut at = first;
            std::iter::from_fn(move || {
                let end = (at / SUM_BLOCK + 1) * SUM_BLOCK;
                let end = end.min(first + len);
                let piece =
                    (at < end).then(|| Piece::new(segment, pointer_stride, at - first, end - at));
                at = end;
                piece
            })
        })
    }

    /// At least as many as there are [pieces](Self::pieces).
    pub(super) fn most_pieces(&self) -> usize {
        self.segments + self.k() / SUM_BLOCK
    }
}

/// The pieces of the first `most` terms, whole blocks, and all others.
fn first_terms(pieces: &[Piece], most: usize) -> (&[Piece], &[Piece]) {
    let mut terms = 0;
    let end = pieces.iter().position(|piece| {
        let is_behind = terms == most;
        terms += piece.len();
        is_behind
    });
    pieces.split_at(end.unwrap_or(pieces.len()))
}

/// Whether every block begins with a piece that is long enough for two vectors of [`Simd::block_tiles`].
pub(super) fn may_overlap(mut pieces: &[Piece]) -> bool {
    while let Some(piece) = pieces.first() {
        if piece.len() < ROWS {
            return false;
        }
        pieces = first_terms(pieces, SUM_BLOCK).1;
    }
    true
}

/// Columns of a panel of so many vectors, if half of the last or all of it exists.
const fn columns(vectors: usize, last: u8) -> usize {
    vectors * LANES - if last == last::HALF { LANES / 2 } else { 0 }
}

impl Strip<'_> {
    fn is_whole<S: Simd, const NV: usize, const LAST: u8>(&self) -> bool {
        let is_whole = NV == 2 && LAST == last::WHOLE && self.used == 2 * LANES;
        is_whole && S::TILES && S::TILE_ROWS == ROWS && !self.pieces.is_empty()
    }

    /// Whether [`Strip::tiles`] can be asked for, and nothing is better.
    #[inline(always)]
    pub(super) fn few_terms<S: Simd, const NV: usize, const LAST: u8, const MANY: bool>(
        &self,
    ) -> bool {
        let terms = self.segments * self.segment_len;
        self.is_whole::<S, NV, LAST>() && !MANY && !wide_pairs::<S>(NV, terms)
    }

    /// Whether [`Strip::by_blocks`] can be asked for, and nothing is better.
    #[inline(always)]
    pub(super) fn has_blocks<S: Simd, const NV: usize, const LAST: u8>(&self, s: S) -> bool {
        let columns = const { columns(NV, LAST) };
        let has_tiles = self.used == columns && S::BLOCK_TILES.contains(&columns);
        let is_better = columns != 2 * LANES || (self.may_overlap && s.overlaps());
        has_tiles && is_better && !self.pieces.is_empty()
    }

    /// Whether [`Strip::by_narrow_blocks`] can be asked for, and nothing is better.
    #[inline(always)]
    pub(super) fn has_narrow_tiles<S: Simd, const NV: usize, const LAST: u8>(&self) -> bool {
        let columns = const { columns(NV, LAST) };
        let is_narrow = S::NARROW_TILES.contains(&columns) && self.used == columns;
        is_narrow && !self.pieces.is_empty() && S::panels() == Panels::Two
    }

    /// So many whole tiles; as [`Strip::tile`].
    ///
    /// # Safety
    /// As for [`Strip::run`], with at least one tile of rows of an image.
    #[inline(always)]
    pub(super) unsafe fn tiles<S: Simd>(
        &self,
        s: S,
        tile: Tile,
        (count, ending): (usize, Ending),
        folds: [Fold<S>; 2],
    ) -> [Fold<S>; 2] {
        let (tiles, folds) = (self.all(tile, count), extremes(folds));
        macro_rules! end {
            ($($ending:ident),*) => {
                match ending {
                    $(Ending::$ending => s.tiles::<{ Ending::$ending as u8 }>(tiles, folds),)*
                    Ending::Partial => unreachable!("all terms are here"),
                }
            };
        }
        // SAFETY: as for this function.
        unsafe { united(end!(Unfolded, Plain, Clamped, LowKnown, LowKnownOnly)) }
    }

    /// So many tiles of `NV` vectors, block by block, with any ending but [`Ending::Clamped`].
    ///
    /// # Safety
    /// As for [`Strip::tiles`].
    #[inline(always)]
    pub(super) unsafe fn by_blocks<S: Simd, const NV: usize, const LAST: u8>(
        &self,
        s: S,
        at: &mut Place<S, NV>,
        count: usize,
    ) {
        // SAFETY: as for this function.
        unsafe { self.blocks::<S, NV, LAST, false>(s, at, self.all(at.tile, count)) };
        self.advance_place(at, count * tile_rows::<S>(NV));
    }

    /// The same of so many pairs, the second of which has rows that lie `apart` bytes behind those of the first.
    ///
    /// # Safety
    /// As for [`Strip::tiles`].
    #[inline(always)]
    pub(super) unsafe fn by_narrow_blocks<S: Simd, const NV: usize, const LAST: u8>(
        &self,
        s: S,
        at: &mut Place<S, NV>,
        (apart, pairs): (usize, usize),
    ) {
        let tiles = Tiles { apart, share: 2 * self.next.share, ..self.all(at.tile, pairs) };
        // SAFETY: as for this function.
        unsafe { self.blocks::<S, NV, LAST, true>(s, at, tiles) };
        self.advance_place(at, 2 * pairs * ROWS);
    }

    /// # Safety
    /// As for [`Strip::tiles`].
    #[inline(always)]
    unsafe fn blocks<'a, S: Simd, const NV: usize, const LAST: u8, const NARROW: bool>(
        &'a self,
        s: S,
        at: &mut Place<S, NV>,
        mut tiles: Tiles<'a>,
    ) {
        let mut folds = extremes([at.folds[0], at.folds[NV - 1]]);
        let (mut pieces, all) = (self.pieces, self.pieces.len());
        let (share, all_terms) = (tiles.share, self.segments * self.segment_len);
        let most = if all_terms <= S::TERMS_AT_ONCE { all_terms } else { SUM_BLOCK };
        macro_rules! end {
            ($ending:expr, $add:expr, $(($name:ident, $is_added:literal)),*) => {
                match ($ending, $add) {
                    $((Ending::$name, $is_added) => if NARROW {
                        s.narrow_tiles::<NV, { Ending::$name as u8 }, $is_added>(tiles, folds)
                    } else {
                        s.block_tiles::<NV, LAST, { Ending::$name as u8 }, $is_added>(tiles, folds)
                    })*
                    (Ending::Clamped, _) => unreachable!("has another loop"),
                }
            };
        }
        while !pieces.is_empty() {
            let is_first = pieces.len() == all;
            let (first, behind) = first_terms(pieces, most);
            let terms: usize = first.iter().map(Piece::len).sum();
            tiles.pieces = first;
            // Every round fetches its part.
            tiles.share = (share * terms).div_ceil(all_terms);
            let ending = if behind.is_empty() { at.ending } else { Ending::Partial };
            // SAFETY: as for this function.
            folds = unsafe {
                end!(
                    ending,
                    !is_first,
                    (Partial, false),
                    (Unfolded, false),
                    (Plain, false),
                    (LowKnown, false),
                    (LowKnownOnly, false),
                    (Partial, true),
                    (Unfolded, true),
                    (Plain, true),
                    (LowKnown, true),
                    (LowKnownOnly, true)
                )
            };
            tiles.panel = tiles.panel.wrapping_add(terms * NV * LANES);
            tiles.next = tiles.next.wrapping_add(tiles.share * tiles.count);
            pieces = behind;
        }
        let [first, last] = united(folds);
        // They may be one and the same: all is in the first then.
        at.folds[NV - 1] = last;
        at.folds[0] = first;
    }

    fn all(&self, Tile { pointers, next, to }: Tile, count: usize) -> Tiles<'_> {
        Tiles {
            pointers,
            apart: 0,
            pieces: self.pieces,
            block: SUM_BLOCK,
            panel: self.panel,
            bias: self.bias,
            bounds: [self.clamp.low, self.clamp.high],
            to,
            row_stride: self.row_stride,
            count,
            next,
            share: self.next.share,
        }
    }
}

#[inline(always)]
fn extremes<S: Simd>([left, right]: [Fold<S>; 2]) -> Extremes<S::V> {
    let ([left_min, left_max], [right_min, right_max]) = (left.extremes(), right.extremes());
    Extremes { min: [left_min, right_min], max: [left_max, right_max] }
}

#[inline(always)]
fn united<S: Simd>(Extremes { min, max }: Extremes<S::V>) -> [Fold<S>; 2] {
    [Fold::of_extremes([min[0], max[0]]), Fold::of_extremes([min[1], max[1]])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_with_segments_and_blocks() {
        let layout = |segments, segment_len| WeightLayout {
            n: 1,
            segments,
            segment_len,
            column_stride: 1,
            k_stride: 1,
        };
        let lens = |segments, segment_len| {
            let pieces: Vec<_> = layout(segments, segment_len).pieces(7).collect();
            assert!(pieces.len() <= layout(segments, segment_len).most_pieces().max(1));
            pieces.iter().map(Piece::len).collect::<Vec<_>>()
        };
        assert_eq!(lens(1, 16), [16]);
        assert_eq!(lens(3, 9), [9; 3]);
        assert_eq!(lens(1, 700), [320, 320, 60]);
        assert_eq!(lens(1, 640), [320, 320]);
        assert_eq!(lens(4, 100), [100, 100, 100, 20, 80]);
        assert!(lens(2, 0).is_empty());
        let may = |segments, segment_len| {
            may_overlap(&layout(segments, segment_len).pieces(7).collect::<Vec<_>>())
        };
        assert!(may(1, 700) && may(3, 9) && may(4, 100) && may(9, 64));
        // The second block begins with the last of a segment's terms.
        assert!(!may(3, 3) && !may(4, 107) && may(4, 113));
    }
}
