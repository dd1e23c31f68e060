//! GEMM tiles of 16, 24 or 40 columns, in one loop.
//!
//! For CPUs that load two registers a cycle and do other things beside two multiply-adds. Eight columns are half a
//! register: there, two rows share a sum, whose elements are put together from those that the rows' other columns are
//! multiplied with. Sixteen columns load an element for each multiply-add and weights, which is more than two a cycle: of
//! four rows, four elements at once are loaded, and each is spread over a register.
//!
//! With 16 and 24 columns there are too few sums in seven rows to keep the units busy: two tiles are computed at once.

use std::arch::asm;
use std::arch::x86_64::{__m512, _mm512_set1_ps};
use std::mem::offset_of;

use super::LANES;
use super::avx512_walk::{
    Walk, by_ending, bytes, first_piece, fold, fold_max, fold_min, next_tile, piece, walk, zero,
};
use super::rounds::rounds;
use super::tiles::{Ending, Extremes, ROWS, Tiles};

/// What has no registers of its own; lengths in bytes.
#[repr(C, align(64))]
struct Memory {
    /// Eight columns twice, where these are the last.
    bias: [f32; 3 * LANES],
    walk: Walk,
    apart: usize,
    tile: usize,
    fetch_of_round: usize,
}

/// Lanes of the second of two rows that share a register.
const UPPER_HALF: u32 = 0xff00;

/// The multiply-adds of four terms.
macro_rules! round {
    (sixteen) => {
        concat!(
            "vbroadcastf32x4 zmm18, [{r0} + {index} - 16]
             vbroadcastf32x4 zmm19, [{r3} + {index} - 16]
             vbroadcastf32x4 zmm20, [{r0} + {second}]
             vbroadcastf32x4 zmm21, [{r3} + {second}]\n",
            term!(sixteen, 0, 16, 0x00),
            term!(sixteen, 1, 16, 0x55),
            term!(sixteen, 2, 16, 0xaa),
            term!(sixteen, 3, 16, 0xff),
        )
    };
    ($shape:ident) => {
        concat!(
            term!($shape, 0, 16),
            term!($shape, 1, 16),
            term!($shape, 2, 16),
            term!($shape, 3, 16),
        )
    };
}

/// Those of one term: `$at` terms behind the panel's place, its elements `$index` bytes behind the rows' pointers.
macro_rules! term {
    // With one of four elements that were loaded of rows 0, 3, 7 and 10.
    (sixteen, $at:literal, $index:literal, $which:literal) => {
        sixteen_rows!(
            $at,
            $index,
            spread!($which, 18, 1, 4),
            spread!($which, 19, 2, 7),
            spread!($which, 20, 3, 11),
            spread!($which, 21, 1, 14)
        )
    };
    (sixteen, $at:literal, $index:literal) => {
        sixteen_rows!(
            $at,
            $index,
            product!(first!("{r0}", $at, $index), 4),
            product!(first!("{r3}", $at, $index), 7),
            product!(second!("{r0}", $at), 11),
            product!(second!("{r3}", $at), 14)
        )
    };
    (twenty_four, $at:literal, $index:literal) => {
        concat!(
            weights!("vmovups", 128, $at, 0),
            weights!("vbroadcastf32x8", 128, $at, 1),
            rows!(
                element!(first!("{r0}", $at, $index), 23), element!(first!("{r1}", $at, $index), 24),
                23 24, 1 16, [0: 2, 3]
            ),
            rows!(
                element!(first!("{r2}", $at, $index), 25), element!(first!("{r3}", $at, $index), 26),
                25 26, 1 17, [0: 4, 5]
            ),
            rows!(
                element!(first!("{r4}", $at, $index), 27), element!(first!("{r5}", $at, $index), 28),
                27 28, 1 18, [0: 6, 7]
            ),
            rows!(
                element!(first!("{r6}", $at, $index), 23), element!(second!("{r0}", $at), 24),
                23 24, 1 19, [0: 8, 9]
            ),
            rows!(
                element!(second!("{r1}", $at), 25), element!(second!("{r2}", $at), 26),
                25 26, 1 20, [0: 10, 11]
            ),
            rows!(
                element!(second!("{r3}", $at), 27), element!(second!("{r4}", $at), 28),
                27 28, 1 21, [0: 12, 13]
            ),
            rows!(
                element!(second!("{r5}", $at), 23), element!(second!("{r6}", $at), 24),
                23 24, 1 22, [0: 14, 15]
            ),
        )
    };
    (forty, $at:literal, $index:literal) => {
        concat!(
            weights!("vmovups", 192, $at, 0),
            weights!("vmovups", 192, $at, 1),
            weights!("vbroadcastf32x8", 192, $at, 2),
            rows!(
                element!(first!("{r0}", $at, $index), 22), element!(first!("{r1}", $at, $index), 23),
                22 23, 2 18, [0: 4, 6][1: 5, 7]
            ),
            rows!(
                element!(first!("{r2}", $at, $index), 24), element!(first!("{r3}", $at, $index), 25),
                24 25, 2 19, [0: 8, 10][1: 9, 11]
            ),
            rows!(
                element!(first!("{r4}", $at, $index), 26), element!(first!("{r5}", $at, $index), 27),
                26 27, 2 20, [0: 12, 14][1: 13, 15]
            ),
            // The last row has a register for itself, and is in both halves of it.
            element!(first!("{r6}", $at, $index), 28),
            multiply!(16, 28, 0),
            multiply!(17, 28, 1),
            multiply!(21, 28, 2),
        )
    };
}

/// A term of 16 columns, and what becomes of rows 0, 3, 7 and 10.
macro_rules! sixteen_rows {
    ($at:literal, $index:literal, $row0:expr, $row3:expr, $row7:expr, $row10:expr) => {
        concat!(
            weights!("vmovups", 64, $at, 0),
            $row0,
            product!(first!("{r1}", $at, $index), 5),
            product!(first!("{r2}", $at, $index), 6),
            $row3,
            product!(first!("{r4}", $at, $index), 8),
            product!(first!("{r5}", $at, $index), 9),
            product!(first!("{r6}", $at, $index), 10),
            $row7,
            product!(second!("{r1}", $at), 12),
            product!(second!("{r2}", $at), 13),
            $row10,
            product!(second!("{r4}", $at), 15),
            product!(second!("{r5}", $at), 16),
            product!(second!("{r6}", $at), 17),
        )
    };
}

/// Loads the vector of weights with the register's number, `$bytes` a term.
macro_rules! weights {
    ($load:literal, $bytes:literal, $at:literal, $vector:literal) => {
        concat!(
            concat!($load, " zmm", $vector),
            concat!(", [{panel} + ", $bytes, " * ", $at, " + 64 * ", $vector, "]\n"),
        )
    };
}

/// Where the element of a row of the first tile is.
macro_rules! first {
    ($row:literal, $at:literal, $index:literal) => {
        concat!("[", $row, " + {index} + 4 * ", $at, " - ", $index, "]")
    };
}
/// The same of the second.
macro_rules! second {
    ($row:literal, $at:literal) => {
        concat!("[", $row, " + {second} + 4 * ", $at, "]")
    };
}

/// An element in all lanes.
macro_rules! element {
    ($place:expr, $to:literal) => {
        concat!("vbroadcastss zmm", $to, ", ", $place, "\n")
    };
}

/// Adds an element and the only weights.
macro_rules! product {
    ($place:expr, $sum:literal) => {
        concat!("vfmadd231ps zmm", $sum, ", zmm0, dword ptr ", $place, "{{1to16}}\n")
    };
}

/// The same of an element among four.
macro_rules! spread {
    ($which:literal, $four:literal, $x:literal, $sum:literal) => {
        concat!(
            concat!("vpermilps zmm", $x, ", zmm", $four, ", ", $which, "\n"),
            multiply!($sum, $x, 0),
        )
    };
}

macro_rules! multiply {
    ($sum:literal, $x:literal, $weights:literal) => {
        concat!("vfmadd231ps zmm", $sum, ", zmm", $x, ", zmm", $weights, "\n")
    };
}

/// Two rows with each vector of weights, and both with a half.
macro_rules! rows {
    (
        $load_a:expr, $load_b:expr, $a:literal $b:literal, $half_weights:literal $half:literal,
        $([$weights:literal: $sum_a:literal, $sum_b:literal])*
    ) => {
        concat!(
            $load_a,
            $load_b,
            $(multiply!($sum_a, $a, $weights), multiply!($sum_b, $b, $weights),)*
            concat!("vblendmps zmm", $a, " {{k1}}, zmm", $a, ", zmm", $b, "\n"),
            multiply!($half, $a, $half_weights),
        )
    };
}

/// How far the panel is after so many terms.
macro_rules! advance {
    (sixteen, $terms:literal) => {
        concat!("add {panel}, 64 * ", $terms, "\n", "add {second}, 4 * ", $terms, "\n")
    };
    (twenty_four, $terms:literal) => {
        concat!("add {panel}, 128 * ", $terms, "\n", "add {second}, 4 * ", $terms, "\n")
    };
    (forty, $terms:literal) => {
        concat!("add {panel}, 192 * ", $terms, "\n")
    };
}

macro_rules! start {
    (sixteen) => {
        zero!(4 5 6 7 8 9 10 11 12 13 14 15 16 17)
    };
    (twenty_four) => {
        zero!(2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22)
    };
    (forty) => {
        zero!(4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21)
    };
}

macro_rules! next {
    (forty) => {
        next_tile!(7)
    };
    ($two_tiles:ident) => {
        next_tile!(14)
    };
}

/// The ends of all sums.
macro_rules! ends {
    (sixteen, $place:ident $end:ident) => {
        concat!(
            row!($place $end, 4), row!($place $end, 5), row!($place $end, 6), row!($place $end, 7),
            row!($place $end, 8), row!($place $end, 9), row!($place $end, 10),
            row!($place $end, 11), row!($place $end, 12), row!($place $end, 13),
            row!($place $end, 14), row!($place $end, 15), row!($place $end, 16),
            row!($place $end, 17),
        )
    };
    (twenty_four, $place:ident $end:ident) => {
        concat!(
            two_rows!($place $end, 1 16, (2), (3)),
            two_rows!($place $end, 1 17, (4), (5)),
            two_rows!($place $end, 1 18, (6), (7)),
            two_rows!($place $end, 1 19, (8), (9)),
            two_rows!($place $end, 1 20, (10), (11)),
            two_rows!($place $end, 1 21, (12), (13)),
            two_rows!($place $end, 1 22, (14), (15)),
        )
    };
    (forty, $place:ident $end:ident) => {
        concat!(
            two_rows!($place $end, 2 18, (4 5), (6 7)),
            two_rows!($place $end, 2 19, (8 9), (10 11)),
            two_rows!($place $end, 2 20, (12 13), (14 15)),
            $place!(@one 21, 2),
            $end!(21, 2),
            whole!($place $end, (16 17)),
            store_half!(@lower 2 21),
            next_row!(),
        )
    };
}

macro_rules! row {
    ($place:ident $end:ident, $sum:literal) => {
        concat!(whole!($place $end, ($sum)), "prefetcht0 [{to} + {r1}]\n", "add {to}, {r0}\n")
    };
}

/// Two rows that share a register for half of vector `$column`.
macro_rules! two_rows {
    ($place:ident $end:ident, $column:literal $half:literal, $a:tt, $b:tt) => {
        concat!(
            $place!(@two $half, $column),
            $end!($half, $column),
            whole!($place $end, $a),
            store_half!(@lower $column $half),
            next_row!(),
            whole!($place $end, $b),
            store_half!(@upper $column $half),
            next_row!(),
        )
    };
}

/// The whole vectors of a row.
macro_rules! whole {
    ($place:ident $end:ident, ($sum:literal)) => {
        whole!(@ $place $end, $sum, 0)
    };
    ($place:ident $end:ident, ($left:literal $right:literal)) => {
        concat!(whole!(@ $place $end, $left, 0), whole!(@ $place $end, $right, 1))
    };
    (@ $place:ident $end:ident, $sum:literal, $column:literal) => {
        concat!(
            $place!(@whole $sum, $column),
            $end!($sum, $column),
            concat!("vmovups [{to} + 64 * ", $column, "], zmm", $sum, "\n"),
        )
    };
}

macro_rules! store_half {
    (@lower $column:literal $half:literal) => {
        concat!("vmovups [{to} + 64 * ", $column, "], ymm", $half, "\n")
    };
    (@upper $column:literal $half:literal) => {
        concat!("vextractf32x8 [{to} + 64 * ", $column, "], zmm", $half, ", 1\n")
    };
}

/// Lines of the next tile's results are fetched.
macro_rules! next_row {
    () => {
        "prefetcht0 [{to} + {r1}]
         prefetcht0 [{to} + {r1} + 64]
         add {to}, {r0}\n"
    };
}

/// Sums are whole.
macro_rules! alone {
    ($kind:tt $any:tt $sum:literal, $column:literal) => {
        ""
    };
}
/// What is in their place belongs to them: registers of weights are free.
macro_rules! added {
    (@whole $sum:literal, $column:literal) => {
        concat!("vaddps zmm", $sum, ", zmm", $sum, ", [{to} + 64 * ", $column, "]\n")
    };
    (@two $sum:literal, $column:literal) => {
        concat!(
            concat!("vmovups ymm0, [{to} + 64 * ", $column, "]\n"),
            concat!("vinsertf32x8 zmm0, zmm0, [{to} + {r0} + 64 * ", $column, "], 1\n"),
            concat!("vaddps zmm", $sum, ", zmm", $sum, ", zmm0\n"),
        )
    };
    (@one $sum:literal, $column:literal) => {
        concat!(
            concat!("vbroadcastf32x8 zmm0, [{to} + 64 * ", $column, "]\n"),
            concat!("vaddps zmm", $sum, ", zmm", $sum, ", zmm0\n"),
        )
    };
}

/// [`Ending::Partial`].
macro_rules! partial {
    ($sum:literal, $column:literal) => {
        ""
    };
}
/// [`Ending::Unfolded`].
macro_rules! unfolded {
    ($sum:literal, $column:literal) => {
        add_bias!($sum, $column)
    };
}
/// [`Ending::Plain`].
macro_rules! plain {
    ($sum:literal, $column:literal) => {
        concat!(add_bias!($sum, $column), fold_max!($sum, 29), fold_min!($sum, 30))
    };
}
/// [`Ending::LowKnown`]; the second operand wins when either is NaN.
macro_rules! low_known {
    ($sum:literal, $column:literal) => {
        concat!(
            low_known_only!($sum, $column),
            concat!("vminps zmm", $sum, ", zmm31, zmm", $sum, "\n"),
        )
    };
}
/// [`Ending::LowKnownOnly`].
macro_rules! low_known_only {
    ($sum:literal, $column:literal) => {
        concat!(
            add_bias!($sum, $column),
            fold_max!($sum, 29),
            concat!("vmaxps zmm", $sum, ", zmm30, zmm", $sum, "\n"),
        )
    };
}
macro_rules! add_bias {
    ($sum:literal, $column:literal) => {
        concat!("vaddps zmm", $sum, ", zmm", $sum, ", [{memory} + 64 * ", $column, "]\n")
    };
}

/// All tiles of `$shape`; `$second` is the operand with the fold of minima, or the lower bound.
macro_rules! tiles {
    (
        $shape:ident, $place:ident $end:ident,
        $tiles:ident, $memory:ident, $max:expr, ($($second:tt)*), $high:ident
    ) => {
        walk!(
            $memory,
            $tiles,
            [
                "mov {index:e}, {UPPER_HALF}",
                "kmovw k1, {index:e}",
                "20:",
                start!($shape),
                first_piece!(),
                "30:",
                piece!(),
                "mov {second}, [{memory} + {APART}]",
                "add {second}, {index}",
                rounds!(
                    [
                        "prefetcht0 [{next}]
                         prefetcht0 [{next} + 64]
                         prefetcht0 [{next} + 128]
                         prefetcht0 [{next} + 192]
                         add {next}, [{memory} + {FETCH_OF_ROUND}]\n",
                        round!($shape),
                        advance!($shape, 4)
                    ],
                    [term!($shape, 0, 0), advance!($shape, 1)]
                ),
                "dec qword ptr [{memory} + {PIECES_LEFT}]",
                "jnz 30b",
                next!($shape),
                "mov {r0}, [{memory} + {ROW}]",
                "mov {r1}, [{memory} + {TILE}]",
                ends!($shape, $place $end),
                "dec qword ptr [{memory} + {TILES_LEFT}]",
                "jnz 20b",
            ],
            UPPER_HALF = const UPPER_HALF,
            APART = const offset_of!(Memory, apart),
            TILE = const offset_of!(Memory, tile),
            FETCH_OF_ROUND = const offset_of!(Memory, fetch_of_round),
            second = out(reg) _,
            out("k1") _,
            out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _, out("zmm5") _,
            out("zmm6") _, out("zmm7") _, out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _,
            out("zmm12") _, out("zmm13") _, out("zmm14") _, out("zmm15") _, out("zmm16") _, out("zmm17") _,
            out("zmm18") _, out("zmm19") _, out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm23") _,
            out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _, out("zmm28") _,
            inout("zmm29") $max,
            $($second)*,
            in("zmm31") $high,
        )
    };
}

/// [`Simd::block_tiles`](super::Simd::block_tiles) of 40 columns with three `VECTORS`; with two or one,
/// [`Simd::narrow_tiles`](super::Simd::narrow_tiles) of 24 or 16.
///
/// # Safety
/// As for these.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
pub(super) unsafe fn tiles<const VECTORS: usize, const ENDING: u8, const ADD: bool>(
    tiles: Tiles<'_>,
    mut folds: Extremes<__m512>,
) -> Extremes<__m512> {
    let rows = if VECTORS == 3 { ROWS } else { 2 * ROWS };
    let mut memory = Memory {
        bias: [0.0; 3 * LANES],
        walk: Walk::new(&tiles),
        apart: tiles.apart,
        tile: rows * bytes(tiles.row_stride),
        fetch_of_round: 4 * tiles.fetch_of_term(),
    };
    let [low, high] = tiles.bounds.map(|bound| _mm512_set1_ps(bound));
    let (mut min, mut max) = (folds.min[0], folds.max[0]);
    // SAFETY: the caller vouches for so many vectors of the bias; reads the elements of all pieces of all rows and
    // as many times the vectors of the panel, and writes the columns of the results of each row, for all of which the
    // caller vouches; fetching is a hint, and no address faults. `memory` is only used here.
    unsafe {
        tiles.bias.copy_to_nonoverlapping(memory.bias.as_mut_ptr(), VECTORS * LANES);
        if VECTORS > 1 {
            let half = (VECTORS - 1) * LANES;
            memory.bias.copy_within(half..half + LANES / 2, half + LANES / 2);
        }
        macro_rules! ending {
            ($place:ident $end:ident, folded) => {
                ending!(@ $place $end, (inout("zmm30") min))
            };
            ($place:ident $end:ident, known) => {
                ending!(@ $place $end, (in("zmm30") low))
            };
            (@ $place:ident $end:ident, $second:tt) => {
                match VECTORS {
                    1 => tiles!(sixteen, $place $end, tiles, memory, max, $second, high),
                    2 => tiles!(twenty_four, $place $end, tiles, memory, max, $second, high),
                    _ => tiles!(forty, $place $end, tiles, memory, max, $second, high),
                }
            };
        }
        by_ending!(ending);
    }
    (folds.min[0], folds.max[0]) = (min, max);
    folds
}
