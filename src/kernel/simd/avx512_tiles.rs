//! GEMM tiles of few terms, in one loop.
//!
//! In assembly, since the compiler reloads what it has no registers left for with every tile, which takes as
//! long as the ends of the sums.

use std::arch::asm;
use std::arch::x86_64::__m512;
use std::mem::offset_of;

use super::avx512_walk::{
    Walk, bytes, first_piece, fold, fold_max, fold_min, next_tile, piece, walk, zero,
};
use super::rounds::rounds;
use super::tiles::{Ending, Extremes, ROWS, Tiles};

/// What has no registers of its own either.
#[repr(C)]
struct Memory {
    walk: Walk,
    tile: usize,
    fetch: usize,
    fetched: usize,
}

/// The multiply-adds of one term: `$at` terms behind the panel's place, its elements `$index` bytes behind
/// the rows' pointers.
macro_rules! term {
    ($at:literal, $index:literal) => {
        concat!(
            concat!("vmovups zmm0, [{panel} + 128 * ", $at, "]\n"),
            concat!("vmovups zmm1, [{panel} + 128 * ", $at, " + 64]\n"),
            multiply!("{r0}", $at, $index, 2, 4, 5),
            multiply!("{r1}", $at, $index, 3, 6, 7),
            multiply!("{r2}", $at, $index, 2, 8, 9),
            multiply!("{r3}", $at, $index, 3, 10, 11),
            multiply!("{r4}", $at, $index, 2, 12, 13),
            multiply!("{r5}", $at, $index, 3, 14, 15),
            multiply!("{r6}", $at, $index, 2, 16, 17),
        )
    };
}

/// Those of one row.
macro_rules! multiply {
    ($row:literal, $at:literal, $index:literal, $x:literal, $left:literal, $right:literal) => {
        concat!(
            concat!(
                "vbroadcastss zmm",
                $x,
                ", [",
                $row,
                " + {index} + 4 * ",
                $at,
                " - ",
                $index,
                "]\n"
            ),
            concat!("vfmadd231ps zmm", $left, ", zmm", $x, ", zmm0\n"),
            concat!("vfmadd231ps zmm", $right, ", zmm", $x, ", zmm1\n"),
        )
    };
}

/// The end of a row's sums; lines of the next tile's results, and of what comes next, are fetched.
macro_rules! end {
    ($left:literal, $right:literal, $end:ident) => {
        concat!(
            concat!("vaddps zmm", $left, ", zmm", $left, ", zmm18\n"),
            concat!("vaddps zmm", $right, ", zmm", $right, ", zmm19\n"),
            $end!($left, 22, 20),
            $end!($right, 23, 21),
            concat!("vmovups [{to}], zmm", $left, "\n"),
            concat!("vmovups [{to} + 64], zmm", $right, "\n"),
            "prefetcht0 [{to} + {r1}]\n",
            "prefetcht0 [{to} + {r1} + 64]\n",
            "prefetcht0 [{next}]\n",
            "prefetcht0 [{next} + 64]\n",
            "add {to}, {r0}\n",
            "add {next}, {r2}\n",
        )
    };
}

// The second operand wins when either is NaN.
macro_rules! raise {
    ($sum:literal) => {
        concat!("vmaxps zmm", $sum, ", zmm24, zmm", $sum, "\n")
    };
}
macro_rules! lower {
    ($sum:literal) => {
        concat!("vminps zmm", $sum, ", zmm25, zmm", $sum, "\n")
    };
}

/// [`Ending::Unfolded`].
macro_rules! unfolded {
    ($sum:literal, $min:literal, $max:literal) => {
        ""
    };
}
/// [`Ending::Plain`].
macro_rules! plain {
    ($sum:literal, $min:literal, $max:literal) => {
        concat!(fold_min!($sum, $min), fold_max!($sum, $max))
    };
}
/// [`Ending::Clamped`].
macro_rules! clamped {
    ($sum:literal, $min:literal, $max:literal) => {
        concat!(fold_min!($sum, $min), fold_max!($sum, $max), raise!($sum), lower!($sum))
    };
}
/// [`Ending::LowKnown`].
macro_rules! low_known {
    ($sum:literal, $min:literal, $max:literal) => {
        concat!(fold_max!($sum, $max), raise!($sum), lower!($sum))
    };
}
/// [`Ending::LowKnownOnly`].
macro_rules! low_known_only {
    ($sum:literal, $min:literal, $max:literal) => {
        concat!(fold_max!($sum, $max), raise!($sum))
    };
}

/// All tiles.
macro_rules! tiles {
    ($end:ident, $tiles:ident, $memory:ident, $folds:ident, $bias:ident, $bounds:ident) => {
        walk!(
            $memory,
            $tiles,
            [
                "20:",
                zero!(4 5 6 7 8 9 10 11 12 13 14 15 16 17),
                first_piece!(),
                "30:",
                piece!(),
                rounds!(
                    [
                        term!(0, 16), term!(1, 16), term!(2, 16), term!(3, 16),
                        "add {panel}, 4 * 128\n"
                    ],
                    [term!(0, 0), "add {panel}, 128\n"]
                ),
                "dec qword ptr [{memory} + {PIECES_LEFT}]",
                "jnz 30b",
                next_tile!(7),
                "mov {r0}, [{memory} + {ROW}]",
                "mov {r1}, [{memory} + {TILE}]",
                "mov {r2}, [{memory} + {FETCH}]",
                end!(4, 5, $end),
                end!(6, 7, $end),
                end!(8, 9, $end),
                end!(10, 11, $end),
                end!(12, 13, $end),
                end!(14, 15, $end),
                end!(16, 17, $end),
                "add {next}, [{memory} + {FETCHED}]",
                "dec qword ptr [{memory} + {TILES_LEFT}]",
                "jnz 20b",
            ],
            TILE = const offset_of!(Memory, tile),
            FETCH = const offset_of!(Memory, fetch),
            FETCHED = const offset_of!(Memory, fetched),
            out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _, out("zmm5") _,
            out("zmm6") _, out("zmm7") _, out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _,
            out("zmm12") _, out("zmm13") _, out("zmm14") _, out("zmm15") _, out("zmm16") _, out("zmm17") _,
            in("zmm18") $bias[0],
            in("zmm19") $bias[1],
            inout("zmm20") $folds.max[0],
            inout("zmm21") $folds.max[1],
            inout("zmm22") $folds.min[0],
            inout("zmm23") $folds.min[1],
            in("zmm24") $bounds[0],
            in("zmm25") $bounds[1],
        )
    };
}

/// [`Simd::tiles`](super::Simd::tiles).
///
/// # Safety
/// As for that.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
pub(super) unsafe fn tiles<const ENDING: u8>(
    tiles: Tiles<'_>,
    mut folds: Extremes<__m512>,
) -> Extremes<__m512> {
    use std::arch::x86_64::{_mm512_loadu_ps, _mm512_set1_ps};
    // Two lines side by side with each row.
    let fetch = bytes(tiles.share.div_ceil(ROWS));
    let mut memory = Memory {
        walk: Walk::new(&tiles),
        tile: bytes(tiles.row_stride * ROWS),
        fetch,
        fetched: bytes(tiles.share).wrapping_sub(ROWS * fetch),
    };
    let bounds = tiles.bounds.map(|bound| _mm512_set1_ps(bound));
    // SAFETY: reads the elements of all segments of all rows, as many times two vectors of the panel, and
    // two of the bias, and writes two vectors of results a row, for all of which the caller vouches; fetching
    // is a hint, and no address faults. `memory` is only used here.
    unsafe {
        let bias = [_mm512_loadu_ps(tiles.bias), _mm512_loadu_ps(tiles.bias.add(16))];
        let is = |ending: Ending| ENDING == ending as u8;
        if is(Ending::Unfolded) {
            tiles!(unfolded, tiles, memory, folds, bias, bounds);
        } else if is(Ending::Plain) {
            tiles!(plain, tiles, memory, folds, bias, bounds);
        } else if is(Ending::Clamped) {
            tiles!(clamped, tiles, memory, folds, bias, bounds);
        } else if is(Ending::LowKnown) {
            tiles!(low_known, tiles, memory, folds, bias, bounds);
        } else {
            tiles!(low_known_only, tiles, memory, folds, bias, bounds);
        }
    }
    folds
}
