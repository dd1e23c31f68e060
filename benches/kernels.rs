//! GEMM throughput for the shapes of real networks, as a share of the FMA limit measured beside it.
//!
//! `cargo bench --bench kernels [-- ISA]`
#![allow(clippy::print_stdout, missing_docs)]

use std::time::Instant;

use record_minmax::arithmetic::Arithmetic;
use record_minmax::kernel::gemm::{Clamp, PackedWeights, Rows, Target, WeightLayout, multiply};
use record_minmax::kernel::{Isa, peak};
use record_minmax::tensor::AlignedBuffer;

/// Best rate of several runs of at least 50 ms, in GFLOP/s.
fn rate(mut work: impl FnMut() -> u64) -> f64 {
    let mut best = 0.0_f64;
    for _ in 0..5 {
        let (start, mut flops) = (Instant::now(), 0);
        while start.elapsed().as_millis() < 50 {
            flops += work();
        }
        best = best.max(flops as f64 / start.elapsed().as_secs_f64() / 1.0e9);
    }
    best
}

fn main() {
    let names: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    for isa in Isa::supported() {
        if !names.is_empty() && !names.iter().any(|n| n == isa.name()) {
            continue;
        }
        let limit = rate(|| peak::multiply_add(isa, 100_000));
        println!("{isa}: FMA limit {limit:.1} GFLOP/s");
        println!("{:>6} {:>9} {:>6} {:>9} {:>7}", "m", "k", "n", "GFLOP/s", "limit");
        let shapes = [
            (3136, 1, 64, 64),
            (3136, 1, 64, 256),
            (3136, 1, 256, 64),
            (784, 1, 512, 128),
            (196, 1, 1024, 256),
            (196, 1, 256, 1024),
            (49, 1, 2048, 512),
            (49, 1, 512, 2048),
            (3136, 9, 64, 64),
            (196, 9, 256, 256),
            (49, 9, 512, 512),
            (12544, 7, 21, 64),
            (1, 1, 2048, 1000),
        ];
        for (m, segments, segment_len, n) in shapes {
            let k = segments * segment_len;
            let input = vec![0.5_f32; m * segment_len + segments * segment_len];
            let weights = vec![0.25_f32; n * k];
            let layout = WeightLayout { n, segments, segment_len, column_stride: k, k_stride: 1 };
            let packed = PackedWeights::new(isa, Arithmetic::Direct, layout, &weights, None);
            let row_bytes = segment_len * 4;
            let mut scratch = AlignedBuffer::zeroed(packed.scratch_len(m, row_bytes));
            let mut output = vec![0.0; m * n];
            let reached = rate(|| {
                multiply(
                    &packed,
                    Rows {
                        input: &input,
                        count: m,
                        row_bytes,
                        offsets: |row: usize, offsets: &mut [usize]| {
                            for (segment, offset) in offsets.iter_mut().enumerate() {
                                *offset = (row + segment) * segment_len;
                            }
                        },
                    },
                    Clamp { low: 0.0, high: 6.0 },
                    Target { values: &mut output, row_stride: n, column: 0 },
                    scratch.bytes_mut(),
                );
                (2 * m * k * n) as u64
            });
            let share = 100.0 * reached / limit;
            println!("{m:>6} {segments:>3}x{segment_len:<5} {n:>6} {reached:>9.1} {share:>6.1}%");
        }
    }
}
