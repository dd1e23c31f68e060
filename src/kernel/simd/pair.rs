//! Two GEMM tiles at once, for machines with registers for all their sums.

use super::{LANES, Simd};

/// Rows of one of the tiles.
pub(crate) const PAIR_ROWS: usize = 7;

/// Sums of two tiles of two vectors, a row after the other.
pub(crate) type PairSums<V> = [[V; 2]; 2 * PAIR_ROWS];

/// Sums of two tiles of up to 24 columns.
#[derive(Clone, Copy)]
pub(crate) struct NarrowSums<V> {
    /// Sixteen columns of a row, those of the second tile behind those of the first.
    pub(crate) rows: [V; 2 * PAIR_ROWS],
    /// Eight columns of a row, in the lower half; the same order. What is in the upper half does not matter.
    pub(crate) halves: [V; 2 * PAIR_ROWS],
}

/// Terms during which lines of results are fetched: a row of both tiles with each, in whole rounds.
pub(crate) const RESULT_TERMS: usize = 16;

/// Lines to fetch into the first-level cache, two side by side with each term.
#[derive(Clone, Copy)]
pub(crate) struct Fetch {
    /// The first.
    pub(crate) at: *const f32,
    /// Elements from those of a term to those of the next.
    pub(crate) step: usize,
}

/// Terms to add to the sums of two tiles.
#[derive(Clone, Copy)]
pub(crate) struct PairRun {
    /// The first element of each row of the first tile.
    pub(crate) rows: [*const f32; PAIR_ROWS],
    /// By how many bytes the rows of the second tile lie behind those of the first.
    pub(crate) apart: usize,
    /// Terms.
    pub(crate) len: usize,
    /// The vectors of weights of each term.
    pub(crate) panel: *const f32,
    /// What to fetch with the first [`RESULT_TERMS`] terms, roughly: the results' places, when these are the
    /// first terms.
    pub(crate) results: Option<Fetch>,
    /// What to fetch with the others.
    pub(crate) next: Fetch,
}

/// [`Simd::add_pair`] by the other operations.
///
/// # Safety
/// As for that.
#[inline(always)]
pub(super) unsafe fn add_plainly<S: Simd>(
    s: S,
    mut sums: PairSums<S::V>,
    run: PairRun,
) -> PairSums<S::V> {
    let results = if run.results.is_some() { RESULT_TERMS.min(run.len) } else { 0 };
    for k in 0..run.len {
        // SAFETY: the caller vouches for `len` elements of all rows and of the panel.
        unsafe {
            let panel = run.panel.add(k * 2 * LANES);
            let (fetch, at) = match run.results {
                Some(fetch) if k < results => (fetch, k),
                _ => (run.next, k - results),
            };
            let line = fetch.at.wrapping_add(at * fetch.step);
            s.prefetch(line);
            s.prefetch(line.wrapping_add(LANES));
            let columns = [s.load_ptr(panel), s.load_ptr(panel.add(LANES))];
            for (r, sums) in sums.iter_mut().enumerate() {
                let apart = r / PAIR_ROWS * run.apart;
                let x = s.splat(*run.rows[r % PAIR_ROWS].wrapping_byte_add(apart).add(k));
                for (sum, columns) in sums.iter_mut().zip(columns) {
                    *sum = s.fma(x, columns, *sum);
                }
            }
        }
    }
    sums
}

/// [`Simd::add_narrow_pair`] by the other operations.
///
/// # Safety
/// As for that.
#[inline(always)]
pub(super) unsafe fn add_narrow_plainly<S: Simd, const ROWS: bool, const HALVES: bool>(
    s: S,
    mut sums: NarrowSums<S::V>,
    run: PairRun,
) -> NarrowSums<S::V> {
    let vectors = usize::from(ROWS) + usize::from(HALVES);
    for k in 0..run.len {
        // SAFETY: the caller vouches for `len` elements of all rows and of the panel.
        unsafe {
            let panel = run.panel.add(k * vectors * LANES);
            let line = run.next.at.wrapping_add(k * run.next.step);
            s.prefetch(line);
            s.prefetch(line.wrapping_add(LANES));
            let (mut columns, mut eight) = (s.splat(0.0), s.splat(0.0));
            if ROWS {
                columns = s.load_ptr(panel);
            }
            if HALVES {
                eight = s.load_twice(panel.add((vectors - 1) * LANES));
            }
            for r in 0..2 * PAIR_ROWS {
                let apart = r / PAIR_ROWS * run.apart;
                let x = s.splat(*run.rows[r % PAIR_ROWS].wrapping_byte_add(apart).add(k));
                if ROWS {
                    sums.rows[r] = s.fma(x, columns, sums.rows[r]);
                }
                if HALVES {
                    sums.halves[r] = s.fma(x, eight, sums.halves[r]);
                }
            }
        }
    }
    sums
}
