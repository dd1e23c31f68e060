//! GEMM tiles, of which each ends while the next one is summed.
//!
//! For Zen 4, which takes two steps for 512 bits and can write one and a half registers a cycle: broadcasts are
//! left to the multiply-adds, and the ends of a tile (bias, folds, bounds, stores) stand between the first
//! multiply-adds of the next, since they wait for each other where they follow those of their own tile. It
//! loads each element twice, more than other machines do at their full rate.

use std::arch::asm;
use std::arch::x86_64::{__m512, _mm512_set1_ps};
use std::mem::offset_of;

use super::avx512_walk::{
    Walk, by_ending, bytes, first_piece, fold, fold_max, fold_min, next_tile, piece, walk, zero,
};
use super::rounds::rounds;
use super::tiles::{Ending, Extremes, ROWS, Tiles};

/// What has no registers of its own; lengths in bytes.
#[repr(C, align(64))]
struct Memory {
    bias: [f32; 32],
    walk: Walk,
    next: *const f32,
    share: usize,
    fetch: usize,
    fetch_of_round: usize,
}

/// The multiply-adds of one term with the sums of the first or the second set of registers: `$at` terms behind the
/// panel's place, its elements `$index` bytes behind the rows' pointers.
macro_rules! term {
    (first, $at:literal, $index:literal) => {
        concat!(
            column!($at, $index, 0, 4, 6, 8, 10, 12, 14, 16),
            column!($at, $index, 64, 5, 7, 9, 11, 13, 15, 17),
        )
    };
    (second, $at:literal, $index:literal) => {
        concat!(
            column!($at, $index, 0, 18, 20, 22, 24, 26, 28, 30),
            column!($at, $index, 64, 19, 21, 23, 25, 27, 29, 31),
        )
    };
}

/// Those with one vector of weights, `$weights` bytes behind the term's.
macro_rules! column {
    (
        $at:literal, $index:literal, $weights:literal,
        $s0:literal, $s1:literal, $s2:literal, $s3:literal, $s4:literal, $s5:literal, $s6:literal
    ) => {
        concat!(
            concat!("vmovups zmm0, [{panel} + 128 * ", $at, " + ", $weights, "]\n"),
            product!($at, $index, "{r0}", $s0),
            product!($at, $index, "{r1}", $s1),
            product!($at, $index, "{r2}", $s2),
            product!($at, $index, "{r3}", $s3),
            product!($at, $index, "{r4}", $s4),
            product!($at, $index, "{r5}", $s5),
            product!($at, $index, "{r6}", $s6),
        )
    };
}

macro_rules! product {
    ($at:literal, $index:literal, $row:literal, $sum:literal) => {
        concat!(
            "vfmadd231ps zmm",
            $sum,
            ", zmm0, dword ptr [",
            $row,
            " + {index} + 4 * ",
            $at,
            " - ",
            $index,
            "]{{1to16}}\n"
        )
    };
}

/// The sums of a tile before the first term.
macro_rules! start {
    (first) => {
        concat!(zero!(4 5 6 7 8 9 10 11 12 13 14 15 16 17), start!())
    };
    (second) => {
        concat!(zero!(18 19 20 21 22 23 24 25 26 27 28 29 30 31), start!())
    };
    () => {
        concat!(
            first_piece!(),
            "mov {next}, [{memory} + {NEXT}]
             mov {index}, [{memory} + {SHARE}]
             add [{memory} + {NEXT}], {index}\n",
        )
    };
}

/// The terms of a piece that are left.
macro_rules! terms {
    ($set:ident) => {
        rounds!(
            [
                "prefetcht0 [{next}]\n",
                term!($set, 0, 16),
                "prefetcht0 [{next} + 64]\n",
                term!($set, 1, 16),
                "prefetcht0 [{next} + 128]\n",
                term!($set, 2, 16),
                "prefetcht0 [{next} + 192]\n",
                term!($set, 3, 16),
                "add {next}, [{memory} + {FETCH_OF_ROUND}]\n",
                "add {panel}, 4 * 128\n"
            ],
            [term!($set, 0, 0), "add {panel}, 128\n"]
        )
    };
}

/// The sums of the first tile.
macro_rules! sums {
    ($set:ident) => {
        concat!(
            start!($set),
            "30:\n",
            piece!(),
            terms!($set),
            "dec qword ptr [{memory} + {PIECES_LEFT}]
             jnz 30b\n",
            next_tile!(7),
        )
    };
}

/// The sums of a tile, and the ends of the one before.
macro_rules! sums_and_ends {
    ($set:ident, $before:ident, $place:ident $end:ident) => {
        concat!(
            start!($set),
            piece!(),
            term!($set, 0, 0),
            end!($before, 0, $place $end),
            term!($set, 1, 0),
            end!($before, 1, $place $end),
            term!($set, 2, 0),
            end!($before, 2, $place $end),
            term!($set, 3, 0),
            end!($before, 3, $place $end),
            term!($set, 4, 0),
            end!($before, 4, $place $end),
            term!($set, 5, 0),
            end!($before, 5, $place $end),
            term!($set, 6, 0),
            end!($before, 6, $place $end),
            "add {panel}, 7 * 128
             add {index}, 7 * 4
             jmp 35f
             30:\n",
            piece!(),
            "35:\n",
            terms!($set),
            "dec qword ptr [{memory} + {PIECES_LEFT}]
             jnz 30b\n",
            next_tile!(7),
        )
    };
}

/// The ends of the last tile.
macro_rules! ends {
    ($set:ident, $place:ident $end:ident) => {
        concat!(
            end!($set, 0, $place $end),
            end!($set, 1, $place $end),
            end!($set, 2, $place $end),
            end!($set, 3, $place $end),
            end!($set, 4, $place $end),
            end!($set, 5, $place $end),
            end!($set, 6, $place $end),
        )
    };
}

/// The end of a row's sums; lines of the next tile's results, and of what comes next, are fetched.
macro_rules! end {
    (first, 0, $place:ident $end:ident) => {
        end!(4, 5, $place $end)
    };
    (first, 1, $place:ident $end:ident) => {
        end!(6, 7, $place $end)
    };
    (first, 2, $place:ident $end:ident) => {
        end!(8, 9, $place $end)
    };
    (first, 3, $place:ident $end:ident) => {
        end!(10, 11, $place $end)
    };
    (first, 4, $place:ident $end:ident) => {
        end!(12, 13, $place $end)
    };
    (first, 5, $place:ident $end:ident) => {
        end!(14, 15, $place $end)
    };
    (first, 6, $place:ident $end:ident) => {
        end!(16, 17, $place $end)
    };
    (second, 0, $place:ident $end:ident) => {
        end!(18, 19, $place $end)
    };
    (second, 1, $place:ident $end:ident) => {
        end!(20, 21, $place $end)
    };
    (second, 2, $place:ident $end:ident) => {
        end!(22, 23, $place $end)
    };
    (second, 3, $place:ident $end:ident) => {
        end!(24, 25, $place $end)
    };
    (second, 4, $place:ident $end:ident) => {
        end!(26, 27, $place $end)
    };
    (second, 5, $place:ident $end:ident) => {
        end!(28, 29, $place $end)
    };
    (second, 6, $place:ident $end:ident) => {
        end!(30, 31, $place $end)
    };
    ($left:literal, $right:literal, $place:ident $end:ident) => {
        concat!(
            $place!($left, 0),
            $place!($right, 64),
            $end!($left, 0),
            $end!($right, 64),
            concat!("vmovups [{to}], zmm", $left, "\n"),
            concat!("vmovups [{to} + 64], zmm", $right, "\n"),
            "prefetcht0 [{ahead}]
             prefetcht0 [{ahead} + 64]
             prefetcht0 [{next}]
             prefetcht0 [{next} + 64]
             add {to}, [{memory} + {ROW}]
             add {ahead}, [{memory} + {ROW}]
             add {next}, [{memory} + {FETCH}]\n",
        )
    };
}

/// What becomes of a sum whose result is `$at` bytes behind the row's first: [`Ending::Partial`].
macro_rules! partial {
    ($sum:literal, $at:literal) => {
        ""
    };
}
/// [`Ending::Unfolded`].
macro_rules! unfolded {
    ($sum:literal, $at:literal) => {
        add_bias!($sum, $at)
    };
}
/// [`Ending::Plain`].
macro_rules! plain {
    ($sum:literal, $at:literal) => {
        concat!(add_bias!($sum, $at), fold_max!($sum, 1), fold_min!($sum, 2))
    };
}
/// [`Ending::LowKnown`]; the second operand wins when either is NaN.
macro_rules! low_known {
    ($sum:literal, $at:literal) => {
        concat!(low_known_only!($sum, $at), concat!("vminps zmm", $sum, ", zmm3, zmm", $sum, "\n"),)
    };
}
/// [`Ending::LowKnownOnly`].
macro_rules! low_known_only {
    ($sum:literal, $at:literal) => {
        concat!(
            add_bias!($sum, $at),
            fold_max!($sum, 1),
            concat!("vmaxps zmm", $sum, ", zmm2, zmm", $sum, "\n"),
        )
    };
}
macro_rules! add_bias {
    ($sum:literal, $at:literal) => {
        concat!("vaddps zmm", $sum, ", zmm", $sum, ", [{memory} + ", $at, "]\n")
    };
}
/// The sum is whole.
macro_rules! alone {
    ($sum:literal, $at:literal) => {
        ""
    };
}
/// What is in the sum's place belongs to it.
macro_rules! added {
    ($sum:literal, $at:literal) => {
        concat!("vaddps zmm", $sum, ", zmm", $sum, ", [{to} + ", $at, "]\n")
    };
}

/// All tiles; `$second` is the operand with the fold of minima, or the lower bound.
macro_rules! tiles {
    ($place:ident $end:ident, $tiles:ident, $memory:ident, $max:expr, ($($second:tt)*), $high:ident) => {
        walk!(
            $memory,
            $tiles,
            [
                sums!(first),
                "20:",
                "dec qword ptr [{memory} + {TILES_LEFT}]",
                "jz 80f",
                sums_and_ends!(second, first, $place $end),
                "dec qword ptr [{memory} + {TILES_LEFT}]",
                "jz 90f",
                sums_and_ends!(first, second, $place $end),
                "jmp 20b",
                "80:",
                ends!(first, $place $end),
                "jmp 99f",
                "90:",
                ends!(second, $place $end),
                "99:",
            ],
            FETCH_OF_ROUND = const offset_of!(Memory, fetch_of_round),
            NEXT = const offset_of!(Memory, next),
            SHARE = const offset_of!(Memory, share),
            FETCH = const offset_of!(Memory, fetch),
            ahead = inout(reg) $tiles.to.wrapping_add(ROWS * $tiles.row_stride) => _,
            out("zmm0") _,
            inout("zmm1") $max,
            $($second)*,
            in("zmm3") $high,
            out("zmm4") _, out("zmm5") _, out("zmm6") _, out("zmm7") _, out("zmm8") _, out("zmm9") _,
            out("zmm10") _, out("zmm11") _, out("zmm12") _, out("zmm13") _, out("zmm14") _, out("zmm15") _,
            out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _, out("zmm20") _, out("zmm21") _,
            out("zmm22") _, out("zmm23") _, out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _,
            out("zmm28") _, out("zmm29") _, out("zmm30") _, out("zmm31") _,
        )
    };
}

/// [`Simd::block_tiles`](super::Simd::block_tiles) of 32 columns.
///
/// # Safety
/// As for that.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
pub(super) unsafe fn tiles<const ENDING: u8, const ADD: bool>(
    tiles: Tiles<'_>,
    mut folds: Extremes<__m512>,
) -> Extremes<__m512> {
    let fetch = tiles.fetch_of_term();
    let mut memory = Memory {
        // SAFETY: the caller vouches for two vectors.
        bias: unsafe { tiles.bias.cast::<[f32; 32]>().read_unaligned() },
        walk: Walk::new(&tiles),
        next: tiles.next,
        share: bytes(tiles.share),
        fetch,
        fetch_of_round: 4 * fetch,
    };
    let [low, high] = tiles.bounds.map(|bound| _mm512_set1_ps(bound));
    let (mut min, mut max) = (folds.min[0], folds.max[0]);
    // SAFETY: reads the elements of all pieces of all rows and as many times two vectors of the panel, and writes
    // two vectors of results a row, for all of which the caller vouches; fetching is a hint, and no address
    // faults. `memory` is only used here.
    unsafe {
        macro_rules! ending {
            ($place:ident $end:ident, folded) => {
                tiles!($place $end, tiles, memory, max, (inout("zmm2") min), high)
            };
            ($place:ident $end:ident, known) => {
                tiles!($place $end, tiles, memory, max, (in("zmm2") low), high)
            };
        }
        by_ending!(ending);
    }
    (folds.min[0], folds.max[0]) = (min, max);
    folds
}
