//! GEMM tiles of few terms, one after the other.

/// Rows of a tile.
pub(crate) const ROWS: usize = 7;

/// Whole tiles of [`ROWS`] rows and two vectors of columns, sums and ends in one loop. Where sums have few
/// terms, everything that is done once a tile shows.
#[derive(Clone, Copy)]
pub(crate) struct Tiles {
    /// Per tile and segment, the rows' first elements.
    pub(crate) pointers: *const *const f32,
    /// Segments of a row, at least one.
    pub(crate) segments: usize,
    /// Elements of a segment.
    pub(crate) segment_len: usize,
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
}
