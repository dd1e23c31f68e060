//! GEMM and Winograd throughput for the shapes of real networks, as a share of the FMA limit measured
//! beside it.
//!
//! `cargo bench --bench kernels [-- ISA]`
#![allow(clippy::print_stdout, missing_docs)]

use std::time::Instant;

use record_minmax::arithmetic::Arithmetic;
use record_minmax::kernel::gemm::{Clamp, PackedWeights, Rows, Target, WeightLayout, multiply};
use record_minmax::kernel::window::{Axis, Window};
use record_minmax::kernel::winograd::{Geometry, Winograd};
use record_minmax::kernel::{Isa, peak};
use record_minmax::observation::Observation;
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
        products(isa, limit);
        winograd(isa, limit);
    }
}

fn products(isa: Isa, limit: f64) {
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
        let mut observed = [Observation::EMPTY];
        let reached = rate(|| {
            multiply(
                &packed,
                Rows {
                    images: &[&input],
                    lines: (1, m),
                    row_bytes,
                    offsets: |(_, row): (usize, usize), offsets: &mut [usize]| {
                        for (segment, offset) in offsets.iter_mut().enumerate() {
                            *offset = (row + segment) * segment_len;
                        }
                    },
                },
                Clamp { low: 0.0, high: 6.0 },
                Target { values: &mut output, row_stride: n, column: 0 },
                &mut observed,
                scratch.bytes_mut(),
            );
            (2 * m * k * n) as u64
        });
        let share = 100.0 * reached / limit;
        println!("{m:>6} {segments:>3}x{segment_len:<5} {n:>6} {reached:>9.1} {share:>6.1}%");
    }
}

/// 3x3 convolutions, counted as if every product were computed: what exceeds the limit is won.
fn winograd(isa: Isa, limit: f64) {
    println!("{:>6} {:>6} {:>6} {:>6} {:>9} {:>7}", "images", "size", "c", "n", "GFLOP/s", "limit");
    for (size, c, n) in [(56, 64, 64), (28, 128, 128), (14, 256, 256), (7, 512, 512), (147, 32, 64)]
    {
        for images in [1, 4, 8, 16] {
            let axis =
                Axis { input: size, output: size, taps: 3, stride: 1, dilation: 1, before: 1 };
            let geometry = Geometry::new(Window { y: axis, x: axis }, c, n).expect("it pays");
            let winograd = Winograd::new(isa, geometry, &vec![0.25; n * 9 * c], None);
            let inputs = vec![vec![0.5; size * size * c]; images];
            let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
            let mut output = vec![0.0; images * size * size * n];
            let mut observed = vec![Observation::EMPTY; images];
            let mut scratch = AlignedBuffer::zeroed(geometry.scratch_len(isa, images));
            let reached = rate(|| {
                let scratch = scratch.bytes_mut();
                winograd.run(&inputs, Clamp::NONE, &mut output, &mut observed, scratch);
                (2 * images * size * size * 9 * c * n) as u64
            });
            let share = 100.0 * reached / limit;
            println!("{images:>6} {size:>6} {c:>6} {n:>6} {reached:>9.1} {share:>6.1}%");
        }
    }
}
