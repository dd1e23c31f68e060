//! Two GEMM tiles at once, for machines with registers for all their sums.

use super::{LANES, Simd};

/// Rows of one of the tiles.
pub(crate) const PAIR_ROWS: usize = 7;

/// Sums of two tiles of two vectors, a row after the other.
pub(crate) type PairSums<V> = [[V; 2]; 2 * PAIR_ROWS];

/// Terms to add to the sums of two tiles.
#[derive(Clone, Copy)]
pub(crate) struct PairRun {
    /// The first element of each row of the first tile.
    pub(crate) rows: [*const f32; PAIR_ROWS],
    /// By how many bytes the rows of the second tile lie behind those of the first.
    pub(crate) apart: usize,
    /// Terms.
    pub(crate) len: usize,
    /// Two vectors of weights a term.
    pub(crate) panel: *const f32,
    /// What to fetch meanwhile: twice a term.
    pub(crate) next: *const f32,
    /// Elements from one fetch to the next.
    pub(crate) next_step: usize,
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
    for k in 0..run.len {
        // SAFETY: the caller vouches for `len` elements of all rows and of the panel.
        unsafe {
            let panel = run.panel.add(k * 2 * LANES);
            s.prefetch(run.next.wrapping_add(2 * k * run.next_step));
            s.prefetch(run.next.wrapping_add((2 * k + 1) * run.next_step));
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
