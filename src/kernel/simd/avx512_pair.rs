//! Two GEMM tiles at once, in up to 28 of the 32 registers.
//!
//! In assembly, since the compiler would load all elements of a term before it uses the first, and has no
//! registers left for them.

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
            ".p2align 6",
            "2:",
            term!(0), term!(1), term!(2), term!(3),
            advance!(4, 128),
            "jz 5f",
            "cmp {first}, 4 * 16",
            "jb 2b",
            "kmovq {next}, {later}",
            "kmovq {step}, {later_step}",
            ".p2align 6",
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

/// The multiply-adds of one row of both tiles with 16 weights (`@whole`), eight (`@half`), or both.
///
/// Elements are broadcast by the multiply-adds themselves where they can be: Zen 4 writes to few registers at a
/// time. Of rows with 24 weights every other is loaded once for both, for machines that load as slowly. Halves
/// take half the time on one, and the same elsewhere as shuffling two into one would.
macro_rules! narrow_row {
    (@whole $row:literal, $at:literal, $first:literal, $second:literal) => {
        concat!(
            concat!(
                "vfmadd231ps zmm",
                $first,
                ", zmm0, dword ptr [",
                $row,
                " + {first} + 4 * ",
                $at,
                "]{{1to16}}\n"
            ),
            concat!(
                "vfmadd231ps zmm",
                $second,
                ", zmm0, dword ptr [",
                $row,
                " + {second} + 4 * ",
                $at,
                "]{{1to16}}\n"
            ),
        )
    };
    (@half $row:literal, $at:literal, $first:literal, $second:literal) => {
        concat!(
            concat!(
                "vfmadd231ps ymm",
                $first,
                ", ymm1, dword ptr [",
                $row,
                " + {first} + 4 * ",
                $at,
                "]{{1to8}}\n"
            ),
            concat!(
                "vfmadd231ps ymm",
                $second,
                ", ymm1, dword ptr [",
                $row,
                " + {second} + 4 * ",
                $at,
                "]{{1to8}}\n"
            ),
        )
    };
    (
        $row:literal, $at:literal, $x:literal, $first:literal, $second:literal,
        $first_half:literal, $second_half:literal
    ) => {
        concat!(
            concat!("vbroadcastss zmm", $x, ", [", $row, " + {first} + 4 * ", $at, "]\n"),
            concat!("vfmadd231ps zmm", $first, ", zmm", $x, ", zmm0\n"),
            concat!("vfmadd231ps ymm", $first_half, ", ymm", $x, ", ymm1\n"),
            concat!(
                "vfmadd231ps zmm",
                $second,
                ", zmm0, dword ptr [",
                $row,
                " + {second} + 4 * ",
                $at,
                "]{{1to16}}\n"
            ),
            concat!(
                "vfmadd231ps ymm",
                $second_half,
                ", ymm1, dword ptr [",
                $row,
                " + {second} + 4 * ",
                $at,
                "]{{1to8}}\n"
            ),
        )
    };
}

/// Those of one term, `$at` terms behind the pointers, with 24 weights.
macro_rules! narrow_term {
    ($at:literal) => {
        concat!(
            concat!("vmovups zmm0, [{panel} + 128 * ", $at, "]\n"),
            concat!("vmovups ymm1, [{panel} + 128 * ", $at, " + 64]\n"),
            "prefetcht0 [{next}]\n",
            "prefetcht0 [{next} + 64]\n",
            "add {next}, {step}\n",
            narrow_row!("{r0}", $at, 2, 4, 11, 18, 25),
            narrow_row!("{r1}", $at, 3, 5, 12, 19, 26),
            narrow_row!("{r2}", $at, 2, 6, 13, 20, 27),
            narrow_row!("{r3}", $at, 3, 7, 14, 21, 28),
            narrow_row!("{r4}", $at, 2, 8, 15, 22, 29),
            narrow_row!("{r5}", $at, 3, 9, 16, 23, 30),
            narrow_row!("{r6}", $at, 2, 10, 17, 24, 31),
        )
    };
}

/// With 16.
macro_rules! whole_term {
    ($at:literal) => {
        concat!(
            concat!("vmovups zmm0, [{panel} + 64 * ", $at, "]\n"),
            "prefetcht0 [{next}]\n",
            "prefetcht0 [{next} + 64]\n",
            "add {next}, {step}\n",
            narrow_row!(@whole "{r0}", $at, 4, 11),
            narrow_row!(@whole "{r1}", $at, 5, 12),
            narrow_row!(@whole "{r2}", $at, 6, 13),
            narrow_row!(@whole "{r3}", $at, 7, 14),
            narrow_row!(@whole "{r4}", $at, 8, 15),
            narrow_row!(@whole "{r5}", $at, 9, 16),
            narrow_row!(@whole "{r6}", $at, 10, 17),
        )
    };
}

/// With eight.
macro_rules! half_term {
    ($at:literal) => {
        concat!(
            concat!("vmovups ymm1, [{panel} + 64 * ", $at, "]\n"),
            "prefetcht0 [{next}]\n",
            "prefetcht0 [{next} + 64]\n",
            "add {next}, {step}\n",
            narrow_row!(@half "{r0}", $at, 18, 25),
            narrow_row!(@half "{r1}", $at, 19, 26),
            narrow_row!(@half "{r2}", $at, 20, 27),
            narrow_row!(@half "{r3}", $at, 21, 28),
            narrow_row!(@half "{r4}", $at, 22, 29),
            narrow_row!(@half "{r5}", $at, 23, 30),
            narrow_row!(@half "{r6}", $at, 24, 31),
        )
    };
}

/// All terms of a run; `$sums` are operands.
macro_rules! narrow {
    ($run:ident, $term:ident, $bytes:literal, $($sums:tt)*) => {
        asm!(
            "test {rounds}, {rounds}",
            "jz 5f",
            ".p2align 6",
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
            $($sums)*
            options(nostack, readonly),
        )
    };
    // With the operands of all sums before `$sums`.
    (@rows $rows:ident, $run:ident, $term:ident, $bytes:literal, $($sums:tt)*) => {
        narrow!(
            $run, $term, $bytes,
            inout("zmm4") $rows[0],
            inout("zmm5") $rows[1],
            inout("zmm6") $rows[2],
            inout("zmm7") $rows[3],
            inout("zmm8") $rows[4],
            inout("zmm9") $rows[5],
            inout("zmm10") $rows[6],
            inout("zmm11") $rows[7],
            inout("zmm12") $rows[8],
            inout("zmm13") $rows[9],
            inout("zmm14") $rows[10],
            inout("zmm15") $rows[11],
            inout("zmm16") $rows[12],
            inout("zmm17") $rows[13],
            $($sums)*
        )
    };
    (@halves $halves:ident, $($before:tt)*) => {
        narrow!(
            $($before)*
            inout("zmm18") $halves[0],
            inout("zmm19") $halves[1],
            inout("zmm20") $halves[2],
            inout("zmm21") $halves[3],
            inout("zmm22") $halves[4],
            inout("zmm23") $halves[5],
            inout("zmm24") $halves[6],
            inout("zmm25") $halves[7],
            inout("zmm26") $halves[8],
            inout("zmm27") $halves[9],
            inout("zmm28") $halves[10],
            inout("zmm29") $halves[11],
            inout("zmm30") $halves[12],
            inout("zmm31") $halves[13],
        )
    };
}

/// [`Simd::add_narrow_pair`](super::Simd::add_narrow_pair).
///
/// # Safety
/// As for that.
#[inline]
#[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
pub(super) unsafe fn add_narrow<const ROWS: bool, const HALVES: bool>(
    mut sums: NarrowSums<__m512>,
    run: PairRun,
) -> NarrowSums<__m512> {
    let NarrowSums { rows, halves } = &mut sums;
    // SAFETY: reads `len` elements of every row, and as many times the vectors of the panel, for which the
    // caller vouches; fetching is a hint, and no address faults.
    unsafe {
        match (ROWS, HALVES) {
            (true, true) => narrow!(@halves halves, @rows rows, run, narrow_term, 128,),
            (true, false) => narrow!(@rows rows, run, whole_term, 64,),
            (false, true) => narrow!(@halves halves, run, half_term, 64,),
            (false, false) => {}
        }
    }
    sums
}
