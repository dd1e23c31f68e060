//! GEMM tiles of seven rows and three vectors, or six rows and four, in one loop.
//!
//! For CPUs that multiply and add two vectors a cycle, but load little more than one: with two vectors, elements
//! are loaded as often as they are multiplied with half a row of weights, and loads are what the loop waits for. In
//! assembly, since the compiler reloads what it has no registers left for with every tile.

use std::arch::asm;
use std::arch::x86_64::{__m512, _mm512_loadu_ps, _mm512_storeu_ps};
use std::mem::offset_of;

use super::LANES;
use super::avx512_walk::{
    Walk, by_ending, bytes, first_piece, fold, fold_max, fold_min, next_tile, piece, walk, zero,
};
use super::rounds::rounds;
use super::tiles::{Ending, Extremes, Tiles};

/// What has no registers of its own; lengths in bytes.
#[repr(C, align(64))]
struct Memory {
    bias: [f32; 4 * LANES],
    /// The fold of the minima of every other row, and the bounds.
    min: [f32; LANES],
    bounds: [f32; 2],
    walk: Walk,
    tile: usize,
    fetch_of_round: usize,
}

/// The multiply-adds of one term: `$at` terms behind the panel's place, its elements `$index` bytes behind the
/// rows' pointers.
macro_rules! term {
    (three, $at:literal, $index:literal) => {
        concat!(
            weights!(192, $at, 0 1 2),
            row!("{r0}", $at, $index, 8 9 10),
            row!("{r1}", $at, $index, 11 12 13),
            row!("{r2}", $at, $index, 14 15 16),
            row!("{r3}", $at, $index, 17 18 19),
            row!("{r4}", $at, $index, 20 21 22),
            row!("{r5}", $at, $index, 23 24 25),
            row!("{r6}", $at, $index, 26 27 28),
        )
    };
    (four, $at:literal, $index:literal) => {
        concat!(
            weights!(256, $at, 0 1 2 3),
            row!("{r0}", $at, $index, 8 9 10 11),
            row!("{r1}", $at, $index, 12 13 14 15),
            row!("{r2}", $at, $index, 16 17 18 19),
            row!("{r3}", $at, $index, 20 21 22 23),
            row!("{r4}", $at, $index, 24 25 26 27),
            row!("{r5}", $at, $index, 28 29 30 31),
        )
    };
}

macro_rules! weights {
    ($bytes:literal, $at:literal, $($vector:literal)*) => {
        concat!($(concat!(
            "vmovups zmm", $vector, ", [{panel} + ", $bytes, " * ", $at, " + 64 * ", $vector, "]\n"
        )),*)
    };
}

/// Those of one row.
macro_rules! row {
    ($row:literal, $at:literal, $index:literal, $($sum:literal)*) => {
        concat!(
            concat!("vbroadcastss zmm4, [", $row, " + {index} + 4 * ", $at, " - ", $index, "]\n"),
            products!($($sum)*),
        )
    };
}
macro_rules! products {
    ($s0:literal $s1:literal $s2:literal) => {
        concat!(product!($s0, 0), product!($s1, 1), product!($s2, 2))
    };
    ($s0:literal $s1:literal $s2:literal $s3:literal) => {
        concat!(products!($s0 $s1 $s2), product!($s3, 3))
    };
}
macro_rules! product {
    ($sum:literal, $weights:literal) => {
        concat!("vfmadd231ps zmm", $sum, ", zmm4, zmm", $weights, "\n")
    };
}

macro_rules! rows {
    (three) => {
        piece!()
    };
    (four) => {
        piece!(6)
    };
}
macro_rules! next {
    (three) => {
        next_tile!(7)
    };
    (four) => {
        next_tile!(6)
    };
}

/// Bytes of the weights of so many terms.
macro_rules! advance {
    (three, $terms:literal) => {
        concat!("add {panel}, 192 * ", $terms, "\n")
    };
    (four, $terms:literal) => {
        concat!("add {panel}, 256 * ", $terms, "\n")
    };
}

/// The ends of all sums, column by column: rows of results are found like rows of elements before.
macro_rules! ends {
    (three, $place:ident $end:ident) => {
        concat!(
            column!(0, $place $end, 8 11 14 17 20 23 26),
            column!(1, $place $end, 9 12 15 18 21 24 27),
            column!(2, $place $end, 10 13 16 19 22 25 28),
            "lea {to}, [{r6} + {panel}]\n",
        )
    };
    (four, $place:ident $end:ident) => {
        concat!(
            column!(0, $place $end, 8 12 16 20 24 28),
            column!(1, $place $end, 9 13 17 21 25 29),
            column!(2, $place $end, 10 14 18 22 26 30),
            column!(3, $place $end, 11 15 19 23 27 31),
            "lea {to}, [{r5} + {panel}]\n",
        )
    };
}
macro_rules! column {
    (
        $column:literal, $place:ident $end:ident,
        $s0:literal $s1:literal $s2:literal $s3:literal $s4:literal $s5:literal $($s6:literal)?
    ) => {
        concat!(
            concat!("vmovups zmm2, [{memory} + {BIAS} + 64 * ", $column, "]\n"),
            end!("{r0}", $s0, $column, $place $end, 5, 7),
            end!("{r1}", $s1, $column, $place $end, 6, 3),
            end!("{r2}", $s2, $column, $place $end, 5, 7),
            end!("{r3}", $s3, $column, $place $end, 6, 3),
            end!("{r4}", $s4, $column, $place $end, 5, 7),
            end!("{r5}", $s5, $column, $place $end, 6, 3),
            $(end!("{r6}", $s6, $column, $place $end, 5, 7),)?
        )
    };
}

/// The end of a sum; the line of the next tile's result is fetched.
macro_rules! end {
    (
        $row:literal, $sum:literal, $column:literal, $place:ident $end:ident, $max:literal, $min:literal
    ) => {
        concat!(
            $place!($row, $sum, $column),
            $end!($sum, $max, $min),
            concat!("vmovups [", $row, " + 64 * ", $column, "], zmm", $sum, "\n"),
            concat!("prefetcht0 [", $row, " + {index} + 64 * ", $column, "]\n"),
        )
    };
}

/// The sum is whole.
macro_rules! alone {
    ($row:literal, $sum:literal, $column:literal) => {
        ""
    };
}
/// What is in the sum's place belongs to it.
macro_rules! added {
    ($row:literal, $sum:literal, $column:literal) => {
        concat!("vaddps zmm", $sum, ", zmm", $sum, ", [", $row, " + 64 * ", $column, "]\n")
    };
}

/// [`Ending::Partial`].
macro_rules! partial {
    ($sum:literal, $max:literal, $min:literal) => {
        ""
    };
}
/// [`Ending::Unfolded`].
macro_rules! unfolded {
    ($sum:literal, $max:literal, $min:literal) => {
        add_bias!($sum)
    };
}
/// [`Ending::Plain`].
macro_rules! plain {
    ($sum:literal, $max:literal, $min:literal) => {
        concat!(add_bias!($sum), fold_max!($sum, $max), fold_min!($sum, $min))
    };
}
/// [`Ending::LowKnown`]; the second operand wins when either is NaN.
macro_rules! low_known {
    ($sum:literal, $max:literal, $min:literal) => {
        concat!(
            low_known_only!($sum, $max, $min),
            concat!("vminps zmm", $sum, ", zmm1, zmm", $sum, "\n"),
        )
    };
}
/// [`Ending::LowKnownOnly`].
macro_rules! low_known_only {
    ($sum:literal, $max:literal, $min:literal) => {
        concat!(
            add_bias!($sum),
            fold_max!($sum, $max),
            concat!("vmaxps zmm", $sum, ", zmm0, zmm", $sum, "\n"),
        )
    };
}
macro_rules! add_bias {
    ($sum:literal) => {
        concat!("vaddps zmm", $sum, ", zmm", $sum, ", zmm2\n")
    };
}

/// All tiles of `$shape`.
macro_rules! tiles {
    ($shape:ident, $place:ident $end:ident, $tiles:ident, $memory:ident, $folds:ident) => {
        walk!(
            $memory,
            $tiles,
            [
                "20:",
                zero!(8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31),
                first_piece!(),
                "30:",
                rows!($shape),
                rounds!(
                    [
                        "prefetcht0 [{next}]\n",
                        term!($shape, 0, 16),
                        "prefetcht0 [{next} + 64]\n",
                        term!($shape, 1, 16),
                        "prefetcht0 [{next} + 128]\n",
                        term!($shape, 2, 16),
                        "prefetcht0 [{next} + 192]\n",
                        term!($shape, 3, 16),
                        "add {next}, [{memory} + {FETCH_OF_ROUND}]\n",
                        advance!($shape, 4)
                    ],
                    [term!($shape, 0, 0), advance!($shape, 1)]
                ),
                "dec qword ptr [{memory} + {PIECES_LEFT}]",
                "jnz 30b",
                next!($shape),
                "mov {panel}, [{memory} + {ROW}]",
                "mov {index}, [{memory} + {TILE}]",
                "mov {r0}, {to}",
                "lea {r1}, [{to} + {panel}]",
                "lea {r2}, [{to} + 2 * {panel}]",
                "lea {r3}, [{r1} + 2 * {panel}]",
                "lea {r4}, [{to} + 4 * {panel}]",
                "lea {r5}, [{r1} + 4 * {panel}]",
                "lea {r6}, [{r2} + 4 * {panel}]",
                // The registers of weights are free.
                "vbroadcastss zmm0, [{memory} + {BOUNDS}]",
                "vbroadcastss zmm1, [{memory} + {BOUNDS} + 4]",
                "vmovups zmm3, [{memory} + {MIN}]",
                ends!($shape, $place $end),
                "vmovups [{memory} + {MIN}], zmm3",
                "dec qword ptr [{memory} + {TILES_LEFT}]",
                "jnz 20b",
            ],
            BIAS = const offset_of!(Memory, bias),
            MIN = const offset_of!(Memory, min),
            BOUNDS = const offset_of!(Memory, bounds),
            TILE = const offset_of!(Memory, tile),
            FETCH_OF_ROUND = const offset_of!(Memory, fetch_of_round),
            out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _,
            inout("zmm5") $folds.max[0],
            inout("zmm6") $folds.max[1],
            inout("zmm7") $folds.min[0],
            out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _, out("zmm12") _, out("zmm13") _,
            out("zmm14") _, out("zmm15") _, out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _,
            out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm23") _, out("zmm24") _, out("zmm25") _,
            out("zmm26") _, out("zmm27") _, out("zmm28") _, out("zmm29") _, out("zmm30") _, out("zmm31") _,
        )
    };
}

/// [`Simd::block_tiles`](super::Simd::block_tiles) of 48 and 64 columns.
///
/// # Safety
/// As for that.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
pub(super) unsafe fn tiles<const VECTORS: usize, const ENDING: u8, const ADD: bool>(
    tiles: Tiles<'_>,
    mut folds: Extremes<__m512>,
) -> Extremes<__m512> {
    let (fetch, rows) = (tiles.fetch_of_term(), if VECTORS == 3 { 7 } else { 6 });
    let mut memory = Memory {
        bias: [0.0; 4 * LANES],
        min: [0.0; LANES],
        bounds: tiles.bounds,
        walk: Walk::new(&tiles),
        tile: rows * bytes(tiles.row_stride),
        fetch_of_round: 4 * fetch,
    };
    // SAFETY: the caller vouches for so many vectors of the bias; reads the elements of all pieces of all rows and
    // as many times the vectors of the panel, and writes the vectors of results of each row, for all of which the
    // caller vouches; fetching is a hint, and no address faults. `memory` is only used here.
    unsafe {
        tiles.bias.copy_to_nonoverlapping(memory.bias.as_mut_ptr(), VECTORS * LANES);
        _mm512_storeu_ps(memory.min.as_mut_ptr(), folds.min[1]);
        macro_rules! ending {
            ($place:ident $end:ident, $bound:ident) => {
                if VECTORS == 3 {
                    tiles!(three, $place $end, tiles, memory, folds)
                } else {
                    tiles!(four, $place $end, tiles, memory, folds)
                }
            };
        }
        by_ending!(ending);
        folds.min[1] = _mm512_loadu_ps(memory.min.as_ptr());
    }
    folds
}
