//! Tiles of two whole vectors of columns whose sums have few terms, all in one loop.

use super::pair::wide_pairs;
use super::strip::{Strip, Tile, last};
use crate::kernel::minmax::Fold;
use crate::kernel::simd::tiles::{Ending, Extremes, ROWS, Tiles};
use crate::kernel::simd::{LANES, Simd};

impl Strip<'_> {
    /// Whether [`Strip::tiles`] can be asked for, and nothing is better.
    #[inline(always)]
    pub(super) fn few_terms<S: Simd, const NV: usize, const LAST: u8, const MANY: bool>(
        &self,
    ) -> bool {
        let is_whole = NV == 2 && LAST == last::WHOLE && self.used == 2 * LANES;
        let terms = self.segments * self.segment_len;
        S::TILES
            && S::TILE_ROWS == ROWS
            && is_whole
            && !MANY
            && terms > 0
            && !wide_pairs::<S>(NV, terms)
    }

    /// So many whole tiles; as [`Strip::tile`].
    ///
    /// # Safety
    /// As for [`Strip::run`], with at least one tile of rows of an image.
    #[inline(always)]
    pub(super) unsafe fn tiles<S: Simd>(
        &self,
        s: S,
        Tile { pointers, next, to }: Tile,
        (count, ending): (usize, Ending),
        [left, right]: [Fold<S>; 2],
    ) -> [Fold<S>; 2] {
        let tiles = Tiles {
            pointers,
            segments: self.segments,
            segment_len: self.segment_len,
            panel: self.panel,
            bias: self.bias,
            bounds: [self.clamp.low, self.clamp.high],
            to,
            row_stride: self.row_stride,
            count,
            next,
            share: self.next.share,
        };
        let ([left_min, left_max], [right_min, right_max]) = (left.extremes(), right.extremes());
        let folds = Extremes { min: [left_min, right_min], max: [left_max, right_max] };
        macro_rules! end {
            ($($ending:ident),*) => {
                match ending {
                    $(Ending::$ending => s.tiles::<{ Ending::$ending as u8 }>(tiles, folds),)*
                }
            };
        }
        // SAFETY: as for this function.
        let Extremes { min, max } = unsafe { end!(Plain, Clamped, LowKnown, LowKnownOnly) };
        [Fold::of_extremes([min[0], max[0]]), Fold::of_extremes([min[1], max[1]])]
    }
}
