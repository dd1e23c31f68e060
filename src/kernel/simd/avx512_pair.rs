//! Two GEMM tiles at once, in up to 28 of the 32 registers.
//!
//! In assembly, since the compiler would load all elements of a term before it uses the first, has no
//! registers left for them, and makes shuffles of loads into half a register.

use std::arch::asm;
use std::arch::x86_64::__m512;

use super::pair::{Fetch, NarrowSums, PairRun, PairSums, RESULT_TERMS};

/// Terms of a round: counting takes the ports that multiply.
const UNROLL: usize = 4;

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
            "prefetcht0 [{next}]\n",
            "prefetcht0 [{next} + 64]\n",
            "add {next}, {step}\n",
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

/// What is counted after `$terms` terms whose weights take `$bytes` each.
macro_rules! advance {
    ($terms:literal, $bytes:literal) => {
        concat!(
            concat!("add {first}, 4 * ", $terms, "\n"),
            concat!("add {second}, 4 * ", $terms, "\n"),
            concat!("add {panel}, ", $bytes, " * ", $terms, "\n"),
            "dec {rounds}\n",
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
    const _: () = assert!(RESULT_TERMS == 4 * UNROLL, "as in the loop");
    let next = run.next;
    let (first, later) = match run.results {
        Some(results) => (results, next),
        None => (next, Fetch { at: next.at.wrapping_add(RESULT_TERMS * next.step), ..next }),
    };
    // One piece of assembly: between two, the compiler would store all sums. What is fetched later waits in
    // mask registers, since no others are left.
    // SAFETY: reads `len` elements of every row, and as many times two vectors of the panel, for which the
    // caller vouches; fetching is a hint, and no address faults.
    unsafe {
        asm!(
            "test {rounds}, {rounds}",
            "jz 5f",
            "2:",
            term!(0), term!(1), term!(2), term!(3),
            advance!(4, 128),
            "jz 5f",
            "cmp {first}, 4 * 16",
            "jb 2b",
            "kmovq {next}, {later}",
            "kmovq {step}, {later_step}",
            "3:",
            term!(0), term!(1), term!(2), term!(3),
            advance!(4, 128),
            "jnz 3b",
            "5:",
            "kmovq {rounds}, {rest}",
            "test {rounds}, {rounds}",
            "jz 7f",
            "6:",
            term!(0),
            advance!(1, 128),
            "jnz 6b",
            "7:",
            rounds = inout(reg) run.len / UNROLL => _,
            rest = in(kreg) (run.len % UNROLL) as u64,
            panel = inout(reg) run.panel => _,
            next = inout(reg) first.at => _,
            step = inout(reg) first.step * size_of::<f32>() => _,
            later = in(kreg) later.at as u64,
            later_step = in(kreg) (later.step * size_of::<f32>()) as u64,
            first = inout(reg) 0_usize => _,
            second = inout(reg) run.apart => _,
            r0 = in(reg) run.rows[0],
            r1 = in(reg) run.rows[1],
            r2 = in(reg) run.rows[2],
            r3 = in(reg) run.rows[3],
            r4 = in(reg) run.rows[4],
            r5 = in(reg) run.rows[5],
            r6 = in(reg) run.rows[6],
            out("zmm0") _,
            out("zmm1") _,
            out("zmm2") _,
            out("zmm3") _,
            inout("zmm4") sums[0][0],
            inout("zmm5") sums[0][1],
            inout("zmm6") sums[1][0],
            inout("zmm7") sums[1][1],
            inout("zmm8") sums[2][0],
            inout("zmm9") sums[2][1],
            inout("zmm10") sums[3][0],
            inout("zmm11") sums[3][1],
            inout("zmm12") sums[4][0],
            inout("zmm13") sums[4][1],
            inout("zmm14") sums[5][0],
            inout("zmm15") sums[5][1],
            inout("zmm16") sums[6][0],
            inout("zmm17") sums[6][1],
            inout("zmm18") sums[7][0],
            inout("zmm19") sums[7][1],
            inout("zmm20") sums[8][0],
            inout("zmm21") sums[8][1],
            inout("zmm22") sums[9][0],
            inout("zmm23") sums[9][1],
            inout("zmm24") sums[10][0],
            inout("zmm25") sums[10][1],
            inout("zmm26") sums[11][0],
            inout("zmm27") sums[11][1],
            inout("zmm28") sums[12][0],
            inout("zmm29") sums[12][1],
            inout("zmm30") sums[13][0],
            inout("zmm31") sums[13][1],
            options(nostack, readonly),
        );
    }
    sums
}

/// The multiply-adds of one row of both tiles with up to 24 weights, those of whole vectors and those of
/// halves: its element of the first tile is broadcast, and that of the second to the upper half.
macro_rules! narrow_row {
    ($row:literal, $at:literal, $x:literal, $left:literal, $right:literal, $half:literal) => {
        concat!(
            narrow_row!(@load $row, $at, $x),
            concat!("vfmadd231ps zmm", $left, ", zmm", $x, ", zmm0\n"),
            narrow_row!(@half $row, $at, $x, $half),
            concat!("vfmadd231ps zmm", $right, ", zmm0, dword ptr [", $row, " + {second} + 4 * ", $at, "]{{1to16}}\n"),
        )
    };
    ($row:literal, $at:literal, $x:literal, $half:literal) => {
        concat!(narrow_row!(@load $row, $at, $x), narrow_row!(@half $row, $at, $x, $half))
    };
    (@load $row:literal, $at:literal, $x:literal) => {
        concat!("vbroadcastss zmm", $x, ", [", $row, " + {first} + 4 * ", $at, "]\n")
    };
    (@half $row:literal, $at:literal, $x:literal, $half:literal) => {
        concat!(
            concat!("vbroadcastss zmm", $x, "{{{upper}}}, [", $row, " + {second} + 4 * ", $at, "]\n"),
            concat!("vfmadd231ps zmm", $half, ", zmm", $x, ", zmm1\n"),
        )
    };
}

/// Those of one term, `$at` terms behind the pointers, with 24 weights.
macro_rules! narrow_term {
    ($at:literal) => {
        concat!(
            concat!("vmovups zmm0, [{panel} + 128 * ", $at, "]\n"),
            concat!("vbroadcastf64x4 zmm1, [{panel} + 128 * ", $at, " + 64]\n"),
            "prefetcht0 [{next}]\n",
            "prefetcht0 [{next} + 64]\n",
            "add {next}, {step}\n",
            narrow_row!("{r0}", $at, 2, 4, 11, 18),
            narrow_row!("{r1}", $at, 3, 5, 12, 19),
            narrow_row!("{r2}", $at, 25, 6, 13, 20),
            narrow_row!("{r3}", $at, 26, 7, 14, 21),
            narrow_row!("{r4}", $at, 27, 8, 15, 22),
            narrow_row!("{r5}", $at, 28, 9, 16, 23),
            narrow_row!("{r6}", $at, 29, 10, 17, 24),
        )
    };
}

/// With eight.
macro_rules! half_term {
    ($at:literal) => {
        concat!(
            concat!("vbroadcastf64x4 zmm1, [{panel} + 64 * ", $at, "]\n"),
            "prefetcht0 [{next}]\n",
            "prefetcht0 [{next} + 64]\n",
            "add {next}, {step}\n",
            narrow_row!("{r0}", $at, 2, 18),
            narrow_row!("{r1}", $at, 3, 19),
            narrow_row!("{r2}", $at, 25, 20),
            narrow_row!("{r3}", $at, 26, 21),
            narrow_row!("{r4}", $at, 27, 22),
            narrow_row!("{r5}", $at, 28, 23),
            narrow_row!("{r6}", $at, 29, 24),
        )
    };
}

/// All terms of a run; `$sums` are operands.
macro_rules! narrow {
    ($run:ident, $halves:expr, $term:ident, $bytes:literal, $($sums:tt)*) => {
        asm!(
            "test {rounds}, {rounds}",
            "jz 5f",
            "2:",
            $term!(0), $term!(1), $term!(2), $term!(3),
            advance!(4, $bytes),
            "jnz 2b",
            "5:",
            "kmovq {rounds}, {rest}",
            "test {rounds}, {rounds}",
            "jz 7f",
            "6:",
            $term!(0),
            advance!(1, $bytes),
            "jnz 6b",
            "7:",
            upper = in(kreg) 0xff00_u64,
            rounds = inout(reg) $run.len / UNROLL => _,
            rest = in(kreg) ($run.len % UNROLL) as u64,
            panel = inout(reg) $run.panel => _,
            next = inout(reg) $run.next.at => _,
            step = in(reg) $run.next.step * size_of::<f32>(),
            first = inout(reg) 0_usize => _,
            second = inout(reg) $run.apart => _,
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
            out("zmm25") _,
            out("zmm26") _,
            out("zmm27") _,
            out("zmm28") _,
            out("zmm29") _,
            inout("zmm18") $halves[0],
            inout("zmm19") $halves[1],
            inout("zmm20") $halves[2],
            inout("zmm21") $halves[3],
            inout("zmm22") $halves[4],
            inout("zmm23") $halves[5],
            inout("zmm24") $halves[6],
            $($sums)*
            options(nostack, readonly),
        )
    };
}

/// [`Simd::add_narrow_pair`](super::Simd::add_narrow_pair) where the last eight columns are halves; `ROWS`
/// says whether there are sixteen before them.
///
/// # Safety
/// As for that.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
pub(super) unsafe fn add_narrow<const ROWS: bool>(
    mut sums: NarrowSums<__m512>,
    run: PairRun,
) -> NarrowSums<__m512> {
    let NarrowSums { rows, halves } = &mut sums;
    // SAFETY: reads `len` elements of every row, and as many times the vectors of the panel, for which the
    // caller vouches; fetching is a hint, and no address faults.
    unsafe {
        if ROWS {
            narrow!(
                run, halves, narrow_term, 128,
                inout("zmm4") rows[0],
                inout("zmm5") rows[1],
                inout("zmm6") rows[2],
                inout("zmm7") rows[3],
                inout("zmm8") rows[4],
                inout("zmm9") rows[5],
                inout("zmm10") rows[6],
                inout("zmm11") rows[7],
                inout("zmm12") rows[8],
                inout("zmm13") rows[9],
                inout("zmm14") rows[10],
                inout("zmm15") rows[11],
                inout("zmm16") rows[12],
                inout("zmm17") rows[13],
            );
        } else {
            narrow!(run, halves, half_term, 64,);
        }
    }
    sums
}
