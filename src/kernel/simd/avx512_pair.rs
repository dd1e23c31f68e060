//! Two GEMM tiles in 28 of the 32 registers.
//!
//! In assembly, since the compiler would load all elements of a term before it uses the first, and has no
//! registers left for them.

use std::arch::asm;
use std::arch::x86_64::__m512;

use super::LANES;
use super::pair::{PairRun, PairSums};

/// The multiply-adds of one term: `$at` terms behind the pointers.
macro_rules! term {
    ($at:literal) => {
        concat!(
            "vmovups zmm0, [{panel} + 128 * ",
            $at,
            "]\n",
            "vmovups zmm1, [{panel} + 128 * ",
            $at,
            " + 64]\n",
            "prefetcht1 [{next}]\n",
            "prefetcht1 [{next} + {step}]\n",
            "lea {next}, [{next} + 2 * {step}]\n",
            row!("{r0} + {first}", $at, 2, 4, 5),
            row!("{r1} + {first}", $at, 3, 6, 7),
            row!("{r2} + {first}", $at, 2, 8, 9),
            row!("{r3} + {first}", $at, 3, 10, 11),
            row!("{r4} + {first}", $at, 2, 12, 13),
            row!("{r5} + {first}", $at, 3, 14, 15),
            row!("{r6} + {first}", $at, 2, 16, 17),
            row!("{r0} + {second}", $at, 3, 18, 19),
            row!("{r1} + {second}", $at, 2, 20, 21),
            row!("{r2} + {second}", $at, 3, 22, 23),
            row!("{r3} + {second}", $at, 2, 24, 25),
            row!("{r4} + {second}", $at, 3, 26, 27),
            row!("{r5} + {second}", $at, 2, 28, 29),
            row!("{r6} + {second}", $at, 3, 30, 31),
        )
    };
}

/// Those of one row: its element is broadcast and multiplied with both vectors of weights.
macro_rules! row {
    ($row:literal, $at:literal, $x:literal, $left:literal, $right:literal) => {
        concat!(
            "vbroadcastss zmm",
            $x,
            ", [",
            $row,
            " + 4 * ",
            $at,
            "]\n",
            "vfmadd231ps zmm",
            $left,
            ", zmm",
            $x,
            ", zmm0\n",
            "vfmadd231ps zmm",
            $right,
            ", zmm",
            $x,
            ", zmm1\n",
        )
    };
}

/// A loop of `$terms` terms a round, `$rounds` times, at least once; `$done` terms are done.
macro_rules! rounds {
    ($sums:ident, $run:ident, $done:expr, $rounds:expr, $terms:literal, $($term:expr),*) => {
        asm!(
            "2:",
            $($term,)*
            concat!("add {first}, 4 * ", $terms),
            concat!("add {second}, 4 * ", $terms),
            concat!("add {panel}, 128 * ", $terms),
            "dec {rounds}",
            "jnz 2b",
            rounds = inout(reg) $rounds => _,
            panel = inout(reg) $run.panel.wrapping_add(2 * LANES * ($done)) => _,
            next = inout(reg) $run.next.wrapping_add(2 * ($done) * $run.next_step) => _,
            step = in(reg) $run.next_step * size_of::<f32>(),
            first = inout(reg) size_of::<f32>() * ($done) => _,
            second = inout(reg) $run.apart.wrapping_add(size_of::<f32>() * ($done)) => _,
            r0 = in(reg) $run.rows[0],
            r1 = in(reg) $run.rows[1],
            r2 = in(reg) $run.rows[2],
            r3 = in(reg) $run.rows[3],
            r4 = in(reg) $run.rows[4],
            r5 = in(reg) $run.rows[5],
            r6 = in(reg) $run.rows[6],
            out("zmm0") _,
            out("zmm1") _,
            out("zmm2") _,
            out("zmm3") _,
            inout("zmm4") $sums[0][0],
            inout("zmm5") $sums[0][1],
            inout("zmm6") $sums[1][0],
            inout("zmm7") $sums[1][1],
            inout("zmm8") $sums[2][0],
            inout("zmm9") $sums[2][1],
            inout("zmm10") $sums[3][0],
            inout("zmm11") $sums[3][1],
            inout("zmm12") $sums[4][0],
            inout("zmm13") $sums[4][1],
            inout("zmm14") $sums[5][0],
            inout("zmm15") $sums[5][1],
            inout("zmm16") $sums[6][0],
            inout("zmm17") $sums[6][1],
            inout("zmm18") $sums[7][0],
            inout("zmm19") $sums[7][1],
            inout("zmm20") $sums[8][0],
            inout("zmm21") $sums[8][1],
            inout("zmm22") $sums[9][0],
            inout("zmm23") $sums[9][1],
            inout("zmm24") $sums[10][0],
            inout("zmm25") $sums[10][1],
            inout("zmm26") $sums[11][0],
            inout("zmm27") $sums[11][1],
            inout("zmm28") $sums[12][0],
            inout("zmm29") $sums[12][1],
            inout("zmm30") $sums[13][0],
            inout("zmm31") $sums[13][1],
            options(nostack, readonly),
        )
    };
}

/// [`Simd::add_pair`](super::Simd::add_pair).
///
/// # Safety
/// As for that.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
pub(super) unsafe fn add(mut sums: PairSums<__m512>, run: PairRun) -> PairSums<__m512> {
    /// Terms of a round: counting takes the ports that multiply.
    const UNROLL: usize = 4;
    let (rounds, rest) = (run.len / UNROLL, run.len % UNROLL);
    // SAFETY: reads `len` elements of every row, and as many times two vectors of the panel, for which the
    // caller vouches; fetching is a hint, and no address faults.
    unsafe {
        if rounds > 0 {
            rounds!(sums, run, 0, rounds, 4, term!(0), term!(1), term!(2), term!(3));
        }
        if rest > 0 {
            rounds!(sums, run, run.len - rest, rest, 1, term!(0));
        }
    }
    sums
}
