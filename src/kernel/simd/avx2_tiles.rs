//! GEMM tiles of six rows and 16 columns, or of four rows and 24, in one loop.
//!
//! Twelve sums, a term's weights and an element are all that 16 registers hold. Terms are added in assembly, since the
//! compiler keeps rows' addresses in memory, or sums.

use std::arch::asm;
use std::arch::x86_64::{
    __m256, _MM_HINT_T0, _mm_prefetch, _mm256_add_ps, _mm256_loadu_ps, _mm256_max_ps,
    _mm256_min_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps,
};

use super::LANES;
use super::avx2::Pair;
use super::rounds::rounds;
use super::tiles::{Ending, Extremes, Tiles};

/// Sums of a tile, row by row.
const SUMS: usize = 12;
/// Lanes of a register.
const WIDTH: usize = 8;

/// The multiply-adds of one term: `$at` terms behind the panel's place, its elements `$index` bytes behind the
/// rows' pointers; and a line that is fetched.
macro_rules! term {
    (six, $at:literal, $index:literal, $fetch:literal) => {
        concat!(
            weights!(64, $at, 0 12),
            weights!(64, $at, 32 13),
            row!(six, "{r0}", $at, $index, 0 1),
            row!(six, "{r1}", $at, $index, 2 3),
            row!(six, "{r2}", $at, $index, 4 5),
            $fetch,
            row!(six, "{r3}", $at, $index, 6 7),
            row!(six, "{r4}", $at, $index, 8 9),
            row!(six, "{r5}", $at, $index, 10 11),
        )
    };
    (four, $at:literal, $index:literal, $fetch:literal) => {
        concat!(
            weights!(128, $at, 0 12),
            weights!(128, $at, 32 13),
            weights!(128, $at, 64 14),
            row!(four, "{r0}", $at, $index, 0 1 2),
            row!(four, "{r1}", $at, $index, 3 4 5),
            $fetch,
            row!(four, "{r2}", $at, $index, 6 7 8),
            row!(four, "{r3}", $at, $index, 9 10 11),
        )
    };
}

macro_rules! weights {
    ($bytes:literal, $at:literal, $offset:literal $register:literal) => {
        concat!(
            "vmovups ymm",
            $register,
            ", [{panel} + ",
            $bytes,
            " * ",
            $at,
            " + ",
            $offset,
            "]\n"
        )
    };
}

/// Those of one row.
macro_rules! row {
    (six, $row:literal, $at:literal, $index:literal, $left:literal $right:literal) => {
        concat!(element!(14, $row, $at, $index), product!($left, 14, 12), product!($right, 14, 13),)
    };
    (
        four, $row:literal, $at:literal, $index:literal, $left:literal $middle:literal $right:literal
    ) => {
        concat!(
            element!(15, $row, $at, $index),
            product!($left, 15, 12),
            product!($middle, 15, 13),
            product!($right, 15, 14),
        )
    };
}
macro_rules! element {
    ($x:literal, $row:literal, $at:literal, $index:literal) => {
        concat!("vbroadcastss ymm", $x, ", [", $row, " + {index} + 4 * ", $at, " - ", $index, "]\n")
    };
}
macro_rules! product {
    ($sum:literal, $x:literal, $weights:literal) => {
        concat!("vfmadd231ps ymm", $sum, ", ymm", $x, ", ymm", $weights, "\n")
    };
}

/// Adds the terms of a piece to the sums: rows are counted from their ends, and one register is index and count.
macro_rules! add {
    (
        $shape:ident $width:literal,
        $sums:ident, $panel:ident, $line:ident, [$index:expr, $step:expr], $($rows:tt)*
    ) => {
        asm!(
            rounds!(
                [
                    term!($shape, 0, 16, "prefetcht0 [{next}]\n"),
                    term!($shape, 1, 16, ""),
                    term!($shape, 2, 16, "prefetcht0 [{next} + {step}]\n"),
                    term!($shape, 3, 16, ""),
                    "add {panel}, 4 * ", $width, "\n",
                    "lea {next}, [{next} + 2 * {step}]\n"
                ],
                [term!($shape, 0, 0, ""), "add {panel}, ", $width, "\n"]
            ),
            index = inout(reg) $index => _,
            panel = inout(reg) $panel,
            next = inout(reg) $line,
            step = in(reg) $step,
            $($rows)*
            inout("ymm0") $sums[0],
            inout("ymm1") $sums[1],
            inout("ymm2") $sums[2],
            inout("ymm3") $sums[3],
            inout("ymm4") $sums[4],
            inout("ymm5") $sums[5],
            inout("ymm6") $sums[6],
            inout("ymm7") $sums[7],
            inout("ymm8") $sums[8],
            inout("ymm9") $sums[9],
            inout("ymm10") $sums[10],
            inout("ymm11") $sums[11],
            out("ymm12") _,
            out("ymm13") _,
            out("ymm14") _,
            out("ymm15") _,
            options(nostack, readonly),
        )
    };
}

/// Adds sums to the totals of the blocks before.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_totals(sums: &mut [__m256; SUMS], totals: &[__m256; SUMS]) {
    for (sum, &total) in sums.iter_mut().zip(totals) {
        *sum = _mm256_add_ps(total, *sum);
    }
}

/// [`Simd::block_tiles`](super::Simd::block_tiles) of 16 columns, or of 24 with two `VECTORS`.
///
/// # Safety
/// As for that.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn tiles<const VECTORS: usize, const ENDING: u8, const ADD: bool>(
    tiles: Tiles<'_>,
    folds: Extremes<Pair>,
) -> Extremes<Pair> {
    // SAFETY: as for this function.
    unsafe {
        match VECTORS {
            1 => all::<6, 2, ENDING, ADD>(tiles, folds),
            _ => all::<4, 3, ENDING, ADD>(tiles, folds),
        }
    }
}

/// The same of so many rows and registers across.
///
/// # Safety
/// As for [`tiles`].
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn all<const ROWS: usize, const ACROSS: usize, const ENDING: u8, const ADD: bool>(
    tiles: Tiles<'_>,
    mut folds: Extremes<Pair>,
) -> Extremes<Pair> {
    let is = |ending: Ending| ENDING == ending as u8;
    let ([low, high], row_stride) = (tiles.bounds.map(|it| _mm256_set1_ps(it)), tiles.row_stride);
    // Two terms share a fetch.
    let step = 2 * tiles.fetch_of_term();
    let (mut min, mut max) = (folds.min[0].halves(), folds.max[0].halves());
    let (mut to, mut pointers, mut next) = (tiles.to, tiles.pointers, tiles.next);
    for _ in 0..tiles.count {
        for row in 0..ROWS {
            // Stores that miss the cache hold up those behind them.
            let behind = to.wrapping_add((ROWS + row) * row_stride);
            for line in 0..ACROSS.div_ceil(LANES / WIDTH) {
                _mm_prefetch::<_MM_HINT_T0>(behind.wrapping_add(line * LANES).cast());
            }
        }
        let mut sums = [_mm256_setzero_ps(); SUMS];
        let (mut panel, mut line) = (tiles.panel, next);
        let (mut totals, mut has_totals, mut left) = (sums, false, tiles.block);
        for piece in tiles.pieces {
            if left == 0 {
                if has_totals {
                    add_totals(&mut sums, &totals);
                }
                (totals, has_totals, left) = (sums, true, tiles.block);
                sums = [_mm256_setzero_ps(); SUMS];
            }
            left -= piece.len();
            // SAFETY: the caller vouches for the pointers of a tile's rows for each piece, for their elements,
            // and for as many rows of the panel; fetching is a hint, and no address faults.
            unsafe {
                let pointers = pointers.byte_add(piece.pointers);
                let row = |r: usize| pointers.add(r).read().byte_add(piece.end);
                let index = piece.negative_len;
                if ACROSS == 2 {
                    add!(
                        six 64, sums, panel, line, [index, step],
                        r0 = in(reg) row(0),
                        r1 = in(reg) row(1),
                        r2 = in(reg) row(2),
                        r3 = in(reg) row(3),
                        r4 = in(reg) row(4),
                        r5 = in(reg) row(5),
                    );
                } else {
                    add!(
                        four 128, sums, panel, line, [index, step],
                        r0 = in(reg) row(0),
                        r1 = in(reg) row(1),
                        r2 = in(reg) row(2),
                        r3 = in(reg) row(3),
                    );
                }
            }
        }
        if has_totals {
            add_totals(&mut sums, &totals);
        }
        for row in 0..ROWS {
            for i in 0..ACROSS {
                // SAFETY: the caller vouches for the bias and the results.
                unsafe {
                    let to = to.add(row * row_stride + i * WIDTH);
                    let mut sum = sums[row * ACROSS + i];
                    if ADD {
                        sum = _mm256_add_ps(_mm256_loadu_ps(to), sum);
                    }
                    if !is(Ending::Partial) {
                        sum = _mm256_add_ps(sum, _mm256_loadu_ps(tiles.bias.add(i * WIDTH)));
                        // The second operand wins when either is NaN.
                        if !(cfg!(feature = "unobserved") || is(Ending::Unfolded)) {
                            max[i % 2] = _mm256_max_ps(sum, max[i % 2]);
                            if is(Ending::Plain) {
                                min[i % 2] = _mm256_min_ps(sum, min[i % 2]);
                            }
                        }
                    }
                    if is(Ending::LowKnown) || is(Ending::LowKnownOnly) {
                        sum = _mm256_max_ps(low, sum);
                    }
                    if is(Ending::LowKnown) {
                        sum = _mm256_min_ps(high, sum);
                    }
                    _mm256_storeu_ps(to, sum);
                }
            }
        }
        to = to.wrapping_add(ROWS * row_stride);
        pointers = pointers.wrapping_add(ROWS);
        next = next.wrapping_add(tiles.share);
    }
    folds.min[0] = Pair::of_halves(min);
    folds.max[0] = Pair::of_halves(max);
    folds
}
