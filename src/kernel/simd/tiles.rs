//! GEMM tiles of two whole vectors of columns, many in one loop.

use bytemuck::{Pod, Zeroable};

/// Rows of a tile.
pub(crate) const ROWS: usize = 7;

/// Terms that lie side by side in every row of a tile.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub(crate) struct Piece {
    /// Bytes from a tile's pointers to those of the rows.
    pointers: usize,
    /// Bytes from what these point to, to behind the last term.
    end: usize,
    /// Bytes of all terms, below zero.
    negative_len: usize,
}

impl Piece {
    /// `len` terms from `start` on of segment `segment` of each row.
    pub(crate) fn new(segment: usize, start: usize, len: usize) -> Self {
        let bytes = |elements: usize| elements * size_of::<f32>();
        Self {
            pointers: segment * ROWS * size_of::<*const f32>(),
            end: bytes(start + len),
            negative_len: bytes(len).wrapping_neg(),
        }
    }

    /// Number of terms.
    pub(crate) fn len(&self) -> usize {
        self.negative_len.wrapping_neg() / size_of::<f32>()
    }
}

/// Whole tiles of [`ROWS`] rows: sums of the same terms, and what becomes of them.
#[derive(Clone, Copy)]
pub(crate) struct Tiles<'a> {
    /// Per tile and segment, the rows' first elements.
    pub(crate) pointers: *const *const f32,
    /// Segments of a row.
    pub(crate) segments: usize,
    /// The terms, at least one piece.
    pub(crate) pieces: &'a [Piece],
    /// The two vectors of weights of each term.
    pub(crate) panel: *const f32,
    /// Two vectors, added to the sums.
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

/// What both vectors of columns are folded to.
#[derive(Clone, Copy)]
pub(crate) struct Extremes<V> {
    pub(crate) min: [V; 2],
    pub(crate) max: [V; 2],
}

/// What becomes of sums: all of it takes ports that multiply, or waits beside those that do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// They are folded.
    Plain,
    /// They are folded and clamped.
    Clamped,
    /// The least of them is known to be the lower bound: only the largest is folded.
    LowKnown,
    /// The same without an upper bound.
    LowKnownOnly,
    /// They are stored as they are, without the bias: more terms follow.
    Partial,
}
