//! GEMM tiles, many in one loop.

use bytemuck::{Pod, Zeroable};

/// Rows of a tile of two vectors.
pub(crate) const ROWS: usize = 7;

/// How many columns are packed, and multiplied, together.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "others are only fastest on x86-64")
)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Panels {
    /// As many vectors as a tile has.
    Tile,
    /// The same, and a vector and a half at the end.
    OneAndHalf,
    /// Two vectors, and at the end one, three, one and a half, or two and a half.
    Two,
    /// Three or four.
    Wide,
}

/// How much of a panel's last vector exists.
pub(crate) mod last {
    /// All of it.
    pub(crate) const WHOLE: u8 = 0;
    /// No more than the first half.
    pub(crate) const HALF: u8 = 1;
    /// More than half.
    pub(crate) const PART: u8 = 2;
}

/// Terms that lie side by side in every row of a tile.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct Piece {
    /// Bytes from the pointers to a tile's first segments to those to the terms' segments.
    pub(super) pointers: usize,
    /// Bytes from what these point to, to behind the last term.
    pub(super) end: usize,
    /// Bytes of all terms, below zero.
    pub(super) negative_len: usize,
}

impl Piece {
    /// `len` terms from `start` on of segment `segment` of each row; the pointers to a segment are `pointer_stride`
    /// behind those to the one before.
    pub(crate) fn new(segment: usize, pointer_stride: usize, start: usize, len: usize) -> Self {
        let bytes = |elements: usize| elements * size_of::<f32>();
        Self {
            pointers: segment * pointer_stride * size_of::<*const f32>(),
            end: bytes(start + len),
            negative_len: bytes(len).wrapping_neg(),
        }
    }

    /// Number of terms.
    pub(crate) fn len(&self) -> usize {
        self.negative_len.wrapping_neg() / size_of::<f32>()
    }
}

/// Whole tiles: sums of the same terms, and what becomes of them.
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "only loops for x86-64 read all of them")
)]
#[derive(Clone, Copy)]
pub(crate) struct Tiles<'a> {
    /// The first elements of the rows' first segments.
    pub(crate) pointers: *const *const f32,
    /// Of two tiles at once, by how many bytes the rows of the second lie behind those of the first.
    pub(crate) apart: usize,
    /// The terms, at least one piece.
    pub(crate) pieces: &'a [Piece],
    /// Terms that are summed from zero; a block ends with a piece.
    pub(crate) block: usize,
    /// The vectors of weights of each term.
    pub(crate) panel: *const f32,
    /// As many vectors, added to the sums.
    pub(crate) bias: *const f32,
    /// Lower and upper bound of the results.
    pub(crate) bounds: [f32; 2],
    /// The first result.
    pub(crate) to: *mut f32,
    /// Elements from the results of a row to those of the next.
    pub(crate) row_stride: usize,
    /// Number of tiles, at least one.
    pub(crate) count: usize,
    /// What to fetch with the first tile.
    pub(crate) next: *const f32,
    /// Elements to fetch with each tile.
    pub(crate) share: usize,
}

#[cfg(target_arch = "x86_64")]
impl Tiles<'_> {
    /// Bytes to fetch with each term.
    pub(crate) fn fetch_of_term(&self) -> usize {
        let terms: usize = self.pieces.iter().map(Piece::len).sum();
        (self.share * size_of::<f32>()).div_ceil(terms.max(1))
    }
}

/// What columns are folded to.
#[derive(Clone, Copy)]
pub(crate) struct Extremes<V> {
    pub(crate) min: [V; 2],
    pub(crate) max: [V; 2],
}

/// What becomes of sums: all of it takes ports that multiply, or waits beside those that do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// Nothing else: who reads them next folds them.
    Unfolded,
    /// They are folded.
    Plain,
    /// They are folded and clamped.
    Clamped,
    /// The least of them is known to be the lower bound: only the largest is folded.
    LowKnown,
    /// The same without an upper bound, or with one that is seen to afterwards.
    LowKnownOnly,
    /// They are stored as they are, without the bias: more terms follow.
    Partial,
}

impl Ending {
    pub(crate) fn is_low_known(self) -> bool {
        matches!(self, Self::LowKnown | Self::LowKnownOnly)
    }
}
