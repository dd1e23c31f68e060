//! Throughput of products and convolutions for the shapes of real networks, as a share of the FMA limit
//! measured beside it, and of kernels that memory limits in GB/s.
//!
//! `cargo bench --bench kernels [-- ISA... SECTION...]`; the sections are `products`, `winograd`,
//! `transposed`, `depthwise`, `pooling` and `elementwise`.
#![allow(clippy::print_stdout, missing_docs)]

use std::time::Instant;

use record_minmax::arithmetic::Arithmetic;
use record_minmax::histogram::{BinLimit, Histogram};
use record_minmax::kernel::broadcast::Broadcast;
use record_minmax::kernel::depthwise::Depthwise;
use record_minmax::kernel::elementwise::{Binary, Unary, binary, gate_in_place, unary};
use record_minmax::kernel::gemm::{Clamp, PackedWeights, Rows, Target, WeightLayout, multiply};
use record_minmax::kernel::histogram::Counter;
use record_minmax::kernel::pool::{Pool, Pooling};
use record_minmax::kernel::reduce::{ReducePlan, Reduction, reduce};
use record_minmax::kernel::softmax::Softmax;
use record_minmax::kernel::transposed::{self, Transposed};
use record_minmax::kernel::window::{Axis, Ring, Window};
use record_minmax::kernel::winograd::{Geometry, Winograd};
use record_minmax::kernel::{Isa, peak};
use record_minmax::observation::Observation;
use record_minmax::tensor::AlignedBuffer;

/// Best rate of many short runs, in what `work` counts (operations or bytes) a nanosecond. Other
/// programs interrupt long runs.
fn rate(mut work: impl FnMut() -> u64) -> f64 {
    let mut best = 0.0_f64;
    for _ in 0..100 {
        let (start, mut count) = (Instant::now(), 0);
        while start.elapsed().as_micros() < 2000 {
            count += work();
        }
        best = best.max(count as f64 / start.elapsed().as_secs_f64() / 1.0e9);
    }
    best
}

/// A section's name and its table for an instruction set and its limit.
type Section = (&'static str, fn(Isa, f64));

const SECTIONS: [Section; 7] = [
    ("products", products),
    ("winograd", winograd),
    ("transposed", transposed),
    ("depthwise", depthwise),
    ("pooling", pooling),
    ("elementwise", elementwise),
    ("histograms", histograms),
];

fn main() {
    let names: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let is_named = |name: &str| names.iter().any(|n| n == name);
    // Without a name of its kind, all are shown.
    let some_isa = Isa::supported().iter().any(|isa| is_named(isa.name()));
    let some_section = SECTIONS.iter().any(|(name, _)| is_named(name));
    for isa in Isa::supported() {
        if some_isa && !is_named(isa.name()) {
            continue;
        }
        let limit = rate(|| peak::multiply_add(isa, 100_000));
        println!("{isa}: FMA limit {limit:.1} GFLOP/s");
        for (name, section) in SECTIONS {
            if !some_section || is_named(name) {
                section(isa, limit);
            }
        }
    }
}

fn products(isa: Isa, limit: f64) {
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
        (12544, 3, 9, 32),
        (12544, 1, 27, 32),
        (12544, 1, 16, 96),
        (12544, 1, 32, 16),
        (12544, 3, 9, 16),
        (3136, 1, 16, 72),
        (3136, 1, 24, 144),
        (3136, 1, 144, 24),
        (784, 1, 32, 192),
        (784, 1, 192, 32),
        (784, 1, 24, 88),
        (784, 1, 88, 24),
        (196, 1, 40, 240),
        (196, 1, 240, 40),
        (196, 1, 96, 576),
        (196, 1, 576, 96),
        (49, 1, 160, 960),
        (49, 1, 960, 160),
        (49, 1, 320, 1280),
        (128, 1, 384, 1536),
        (128, 1, 1536, 384),
        (1, 1, 2048, 1000),
        (8, 1, 1280, 1000),
        (16, 1, 1024, 1000),
    ];
    for (m, segments, segment_len, n) in shapes {
        // So few rows are those of as many records.
        let images = if m <= 16 { m } else { 1 };
        let k = segments * segment_len;
        // Of both signs, as where an activation follows: its lower bound is soon met.
        let input = varied(m * segment_len + segments * segment_len);
        let weights = varied(n * k);
        let layout = WeightLayout { n, segments, segment_len, column_stride: k, k_stride: 1 };
        let packed = PackedWeights::new(isa, Arithmetic::Direct, layout, &weights, None);
        let row_bytes = segment_len * 4;
        let mut scratch = AlignedBuffer::zeroed(packed.scratch_len(m, row_bytes));
        let mut output = AlignedBuffer::zeroed(m * n * size_of::<f32>());
        let mut observed = vec![Observation::EMPTY; images];
        let each = if images == 1 { input.len() } else { segment_len };
        let images: Vec<&[f32]> = input.chunks_exact(each).take(images).collect();
        let reached = rate(|| {
            multiply(
                &packed,
                Rows {
                    images: &images,
                    edges: &[],
                    lines: (1, m / images.len()),
                    row_bytes,
                    offsets: |(_, row): (usize, usize), offsets: &mut [usize]| {
                        for (segment, offset) in offsets.iter_mut().enumerate() {
                            *offset = (row + segment) * segment_len;
                        }
                        usize::MAX
                    },
                    step: segment_len,
                },
                Clamp { low: 0.0, high: 6.0 },
                Target { values: output.as_mut_slice(), row_stride: n, column: 0 },
                &mut observed,
                None,
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

/// Values from -1 to 2.
fn varied(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i % 13) as f32 * 0.25 - 1.0).collect()
}

/// Values where activations lie: at the start of a cache line.
fn aligned(len: usize) -> AlignedBuffer {
    let mut buffer = AlignedBuffer::zeroed(len * size_of::<f32>());
    buffer.as_mut_slice::<f32>().copy_from_slice(&varied(len));
    buffer
}

/// An axis padded so that every output exists, as TFLite's `SAME` does.
fn same(input: usize, taps: usize, stride: usize) -> Axis {
    let output = input.div_ceil(stride);
    let padding = ((output - 1) * stride + taps).saturating_sub(input);
    Axis { input, output, taps, stride, dilation: 1, before: padding / 2 }
}

/// Transposed convolutions as decoders have them: size of the input, channels, taps, stride.
fn transposed(isa: Isa, limit: f64) {
    println!("{:>6} {:>6} {:>6} {:>6} {:>9} {:>7}", "size", "c", "n", "taps", "GFLOP/s", "limit");
    for (size, c, n, taps, stride) in [
        (16, 512, 256, 2, 2),
        (64, 128, 64, 2, 2),
        (128, 64, 16, 2, 2),
        (16, 256, 128, 4, 2),
        (64, 64, 32, 4, 2),
        (32, 128, 64, 3, 2),
        (128, 16, 1, 3, 2),
        (28, 64, 64, 3, 1),
    ] {
        let before = usize::from(taps != stride);
        let axis = |input| Axis { input, output: size, taps, stride, dilation: 1, before };
        let flat = Axis { input: 1, output: 1, taps: 1, stride: 1, dilation: 1, before: 0 };
        let axes = [flat, axis(size * stride), axis(size * stride)];
        let geometry = transposed::Geometry::new(axes, c, n);
        let weights = vec![0.25; taps * taps * n * c];
        let transposed = Transposed::new(isa, Arithmetic::Direct, geometry, &weights, None);
        let input = vec![0.5; geometry.input_len()];
        let mut output = vec![0.0; geometry.output_len()];
        let mut scratch = AlignedBuffer::zeroed(geometry.scratch_len(isa, 1));
        let mut observed = [Observation::EMPTY];
        let reached = rate(|| {
            let scratch = scratch.bytes_mut();
            let (clamp, images) = (Clamp::NONE, [&input[..]]);
            transposed.run(isa, &images, clamp, &mut output, &mut observed, None, scratch);
            2 * geometry.multiply_adds() as u64
        });
        let share = 100.0 * reached / limit;
        println!("{size:>6} {c:>6} {n:>6} {taps:>4}/{stride} {reached:>9.1} {share:>6.1}%");
    }
}

fn depthwise(isa: Isa, limit: f64) {
    println!("depthwise: {:>4} {:>6} {:>9} {:>7}", "size", "c", "GFLOP/s", "limit");
    for (size, channels, taps, stride) in [
        (112, 32, 3, 1),
        (112, 96, 3, 2),
        (56, 144, 3, 1),
        (14, 384, 3, 1),
        (7, 960, 3, 1),
        (7, 1024, 3, 1),
        (28, 240, 5, 2),
        (14, 672, 5, 1),
        (28, 72, 3, 1),
        (7, 1152, 5, 1),
    ] {
        let axis = same(size, taps, stride);
        let weights = aligned(taps * taps * channels);
        let bias = vec![0.5; channels];
        let depthwise = Depthwise {
            window: Window { y: axis, x: axis },
            ring: Ring::whole(axis.input),
            channels,
            weights: weights.as_slice(),
            bias: &bias,
            clamp: Clamp { low: 0.0, high: 6.0 },
            arithmetic: Arithmetic::Direct,
        };
        let input = aligned(size * size * channels);
        let input: &[f32] = input.as_slice();
        let mut output = aligned(axis.output * axis.output * channels);
        let output: &mut [f32] = output.as_mut_slice();
        let operations = 2 * (taps * taps * output.len()) as u64;
        let reached = rate(|| {
            depthwise.run(isa, input, output, None);
            operations
        });
        let share = 100.0 * reached / limit;
        println!("{taps}x{taps} s{stride} {size:>8} {channels:>6} {reached:>9.1} {share:>6.1}%");
    }
}

/// Bytes of values.
fn bytes(values: &[f32]) -> u64 {
    size_of_val(values) as u64
}

fn pooling(isa: Isa, _: f64) {
    println!("pooling: {:>11} {:>6} {:>7}", "size", "c", "GB/s");
    for (pooling, size, channels, taps, stride) in [
        (Pooling::Max, 147, 64, 3, 2),
        (Pooling::Max, 71, 192, 3, 2),
        (Pooling::Max, 17, 768, 3, 2),
        (Pooling::Average, 35, 288, 3, 1),
        (Pooling::Average, 17, 768, 3, 1),
        (Pooling::Average, 8, 2048, 3, 1),
    ] {
        let axis = same(size, taps, stride);
        let window = Window { y: axis, x: axis };
        let ring = Ring::whole(window.y.input);
        let pool = Pool { pooling, window, ring, channels, clamp: Clamp::NONE };
        let input = aligned(size * size * channels);
        let input: &[f32] = input.as_slice();
        let mut output = aligned(axis.output * axis.output * channels);
        let output: &mut [f32] = output.as_mut_slice();
        let reached = rate(|| {
            pool.run(isa, input, output);
            bytes(input) + bytes(output)
        });
        let name = format!("{pooling:?}");
        println!("{name:<7} {taps}x{taps} s{stride} {size:>4} {channels:>6} {reached:>7.1}");
    }
}

/// Kernels that do little with each element: 14x14 fits the L2 cache, 112x112 does not.
fn elementwise(isa: Isa, _: f64) {
    println!("elementwise: {:>18} {:>7} {:>11}", "shape", "GB/s", "ns/element");
    let show = |name: &str, shape: &[usize], bytes: u64, work: &mut dyn FnMut()| {
        let reached = rate(|| {
            work();
            bytes
        });
        let elements: usize = shape.iter().product();
        let nanoseconds = bytes as f64 / reached / elements as f64;
        println!("{name:<14} {:>16} {reached:>7.1} {nanoseconds:>11.3}", format!("{shape:?}"));
    };
    for [size, channels] in [[14, 240], [112, 96]] {
        let shape = [1, size, size, channels];
        let a = aligned(shape.iter().product());
        let a: &[f32] = a.as_slice();
        let mut output = aligned(a.len());
        let output: &mut [f32] = output.as_mut_slice();
        for (name, function, other) in [
            ("ADD", Binary::Add, shape),
            ("MUL", Binary::Mul, shape),
            ("MUL by [c]", Binary::Mul, [1, 1, 1, channels]),
            ("MUL by [1]", Binary::Mul, [1, 1, 1, 1]),
        ] {
            let b = vec![0.5; other.iter().product()];
            let (broadcast, _) = Broadcast::new([&shape, &other]).expect("shapes that fit");
            let bytes = bytes(a) + bytes(&b) + bytes(output);
            show(name, &shape, bytes, &mut || {
                binary(isa, function, &broadcast, (a, &b), Clamp::NONE, output);
            });
        }
        let relu = Unary::Clamp(Clamp { low: 0.0, high: f32::INFINITY });
        for (name, function) in [
            ("RELU", relu),
            ("HARD_SWISH", Unary::HardSwish),
            ("LOGISTIC", Unary::Logistic),
            ("TANH", Unary::Tanh),
            ("EXP", Unary::Exp),
        ] {
            let bytes = bytes(a) + bytes(output);
            show(name, &shape, bytes, &mut || {
                unary(isa, function, a, output);
            });
        }
        // Of any values, and such of which the extremes are known and the least product was seen.
        let known = Observation::scan(a);
        let least = Observation { min: -1.0, max: 0.0 };
        for (name, elements, seen) in [
            ("x * LOGISTIC", Observation::ANY, Observation::EMPTY),
            ("likewise, known", known, least),
        ] {
            show(name, &shape, bytes(a) + bytes(output), &mut || {
                // As blocks of a chain that a step has just written.
                for (from, block) in a.chunks(8192).zip(output.chunks_mut(8192)) {
                    block.copy_from_slice(from);
                    gate_in_place(isa, Clamp::NONE, block, elements, seen);
                }
            });
        }
        let plan = ReducePlan::new(&shape, |axis| axis == 1 || axis == 2).unwrap();
        let mut means = vec![0.0; channels];
        show("MEAN h, w", &shape, bytes(a), &mut || {
            reduce(isa, Arithmetic::Fast, Reduction::Mean, &plan, a, &mut means);
        });
        show("SOFTMAX", &shape, bytes(a) + bytes(output), &mut || {
            Softmax::Share { beta: 1.0 }.run(isa, channels, a, output);
        });
    }
}

fn histograms(isa: Isa, _: f64) {
    println!("{:>8} {:>20} {:>6} {:>10}", "elements", "", "bins", "ns each");
    for len in [1_000, 10_000, 100_000, 1_000_000] {
        // Sums of four numbers are roughly normal.
        let uniform = |i: usize| (i as f32 * 0.618_034).fract() - 0.5;
        let bell = |i: usize| (0..4).map(|k| uniform(i * (k + 3) + k)).sum::<f32>();
        let relu = |i: usize| if bell(i) > 0.0 { bell(i) } else { 0.0 };
        let kinds: [(&str, &dyn Fn(usize) -> f32); 3] =
            [("normal", &bell), ("half of them 0", &relu), ("all the same", &|_| 1.0)];
        for (name, element) in kinds {
            let values: Vec<f32> = (0..len).map(element).collect();
            let observed = Observation::scan(&values);
            for bins in [2048, 16384] {
                let mut counter = Counter::new(isa, BinLimit::new(bins).expect("a power of two"));
                let mut into = Histogram::default();
                let rate = rate(|| {
                    into.clear();
                    counter.count(&values, observed, &mut into);
                    len as u64
                });
                println!("{len:>8} {name:>20} {bins:>6} {:>10.2}", 1.0 / rate);
            }
        }
    }
}
