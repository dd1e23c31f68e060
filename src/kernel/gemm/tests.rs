use super::*;
use crate::kernel::testing::{assert_same_bits, kinds, ramp, sum_of_products};
use crate::observation::LOWEST;

/// One product: `m` rows of `segments` segments, every other segment of the first row zeros.
struct Case {
    m: usize,
    n: usize,
    segments: usize,
    segment_len: usize,
}

impl Case {
    fn offset(&self, row: usize, segment: usize) -> usize {
        if row == 0 && segment % 2 == 1 {
            return ZEROS;
        }
        // Overlapping rows, as a convolution has them.
        row * self.segment_len + segment * 3
    }

    fn input_len(&self) -> usize {
        (self.m + 1) * self.segment_len + self.segments * 3
    }

    fn expected(
        &self,
        arithmetic: Arithmetic,
        (input, weights, bias): (&[f32], &[f32], &[f32]),
        clamp: Clamp,
    ) -> Vec<f32> {
        let mut out = Vec::new();
        for row in 0..self.m {
            for column in 0..self.n {
                let mut terms = Vec::new();
                for segment in 0..self.segments {
                    for i in 0..self.segment_len {
                        let offset = self.offset(row, segment);
                        let x = if offset == ZEROS { 0.0 } else { input[offset + i] };
                        let k = segment * self.segment_len + i;
                        terms.push((x, weights[column * self.segments * self.segment_len + k]));
                    }
                }
                let sum = sum_of_products(arithmetic, &terms, bias[column]);
                let raised = if clamp.low > sum { clamp.low } else { sum };
                out.push(if clamp.high < raised { clamp.high } else { raised });
            }
        }
        out
    }

    /// Every row asked for alone, and those together that lie evenly.
    fn check(&self, kind: (Isa, Arithmetic), clamp: Clamp, poison: Option<f32>) {
        self.check_stepping(kind, clamp, poison, None);
        self.check_stepping(kind, clamp, poison, Some(self.segment_len));
    }

    fn check_stepping(
        &self,
        (isa, arithmetic): (Isa, Arithmetic),
        clamp: Clamp,
        poison: Option<f32>,
        step: Option<usize>,
    ) {
        let Self { m, n, segments, segment_len } = *self;
        let k = segments * segment_len;
        let mut input = ramp(self.input_len(), 1);
        if let Some(value) = poison {
            let middle = input.len() / 2;
            input[middle] = value;
        }
        let (weights, bias) = (ramp(n * k, 2), ramp(n, 3));
        let layout = WeightLayout { n, segments, segment_len, column_stride: k, k_stride: 1 };
        let packed = PackedWeights::new(isa, arithmetic, layout, &weights, Some(&bias));
        // Two columns of room on the left and one on the right must stay untouched.
        let row_stride = n + 3;
        let mut out = vec![77.0; m * row_stride];
        let row_bytes = segment_len * 4;
        let mut scratch = AlignedBuffer::zeroed(packed.scratch_len(m, row_bytes));
        let mut observed = vec![Observation::EMPTY];
        multiply(
            &packed,
            Rows {
                images: &[&input],
                edges: &[],
                lines: (1, m),
                row_bytes,
                offsets: |(_, row): (usize, usize), offsets: &mut [usize]| {
                    for (segment, offset) in offsets.iter_mut().enumerate() {
                        *offset = self.offset(row, segment);
                    }
                    // The first row has zeros; some fewer than there are must do as well.
                    if row == 0 || step.is_none() { 1 } else { 30 }
                },
                step: step.unwrap_or(0),
            },
            clamp,
            Target { values: &mut out, row_stride, column: 2 },
            &mut observed,
            None,
            scratch.bytes_mut(),
        );
        let expected = self.expected(arithmetic, (&input, &weights, &bias), clamp);
        let mut results = Vec::new();
        for row in out.chunks(row_stride) {
            assert_eq!([row[0], row[1], row[n + 2]], [77.0; 3]);
            results.extend_from_slice(&row[2..n + 2]);
        }
        let what = format!("{isa} {arithmetic} m={m} n={n} k={segments}x{segment_len}");
        assert_same_bits(&results, &expected, &what);
        let scanned = Observation::scan(&expected);
        assert!(observed[0].same_bits(scanned), "{isa} {observed:?}");
    }
}

#[test]
fn simplest_case() {
    let case = Case { m: 1, n: 1, segments: 1, segment_len: 1 };
    case.check((Isa::detect(), Arithmetic::Fast), Clamp::NONE, None);
}

#[test]
fn every_tile_shape_on_every_instruction_set() {
    let relu6 = Clamp { low: 0.0, high: 6.0 };
    for kind in kinds() {
        for m in [1, 2, 3, 5, 6, 7, 8, 13, 14, 49] {
            for n in [1, 8, 15, 16, 17, 24, 31, 32, 33, 40, 48, 70] {
                for (segments, segment_len) in [(1, 1), (1, 19), (9, 5), (3, 16)] {
                    let case = Case { m, n, segments, segment_len };
                    case.check(kind, if n % 2 == 0 { Clamp::NONE } else { relu6 }, None);
                }
            }
        }
    }
}

#[test]
fn many_tiles_with_every_activation() {
    let clamps = [
        Clamp::NONE,
        Clamp { low: 0.0, high: f32::INFINITY },
        Clamp { low: 0.0, high: 6.0 },
        // Bounds that no result reaches.
        Clamp { low: -1.0e9, high: f32::INFINITY },
        Clamp { low: f32::NEG_INFINITY, high: 1.0 },
    ];
    for kind in kinds() {
        for (m, n) in [(14, 32), (29, 40), (36, 32)] {
            // Of few terms, of one block, of several, and of some that begin with few terms of a segment.
            for (segments, segment_len) in
                [(1, 16), (3, 9), (2, 35), (1, 64), (1, 330), (3, 250), (1, 323)]
            {
                for clamp in clamps {
                    Case { m, n, segments, segment_len }.check(kind, clamp, None);
                }
            }
        }
        let relu = Clamp { low: 0.0, high: f32::INFINITY };
        let case = |n| Case { m: 60, n, segments: 1, segment_len: 65 };
        case(64).check(kind, relu, Some(f32::NAN));
        // The upper bound is reached in some of the later tiles only.
        for n in [16, 21, 24, 32, 64] {
            let high = Clamp { low: 0.0, high: 1000.0 };
            case(n).check(kind, high, Some(10_000.0));
            case(n).check(kind, high, Some(f32::INFINITY));
        }
    }
}

#[test]
fn more_rows_than_a_block() {
    for kind in kinds() {
        Case { m: 150, n: 40, segments: 2, segment_len: 700 }.check(kind, Clamp::NONE, None);
        Case { m: 3, n: 3, segments: 70, segment_len: 2 }.check(kind, Clamp::NONE, None);
    }
}

#[test]
fn nan_and_infinity_pass_through_the_clamp() {
    for kind in kinds() {
        for poison in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let case = Case { m: 9, n: 20, segments: 1, segment_len: 8 };
            case.check(kind, Clamp::NONE, Some(poison));
            case.check(kind, Clamp { low: 0.0, high: f32::INFINITY }, Some(poison));
        }
    }
}

#[test]
fn images_together_are_as_images_alone() {
    let (n, k) = (37, 21);
    let (weights, bias) = (ramp(n * k, 2), ramp(n, 3));
    let layout = WeightLayout::of_rows(n, k);
    for (isa, arithmetic) in kinds() {
        let packed = PackedWeights::new(isa, arithmetic, layout, &weights, Some(&bias));
        let clamps = [Clamp::NONE, Clamp { low: -1.0, high: 4.0 }];
        let shapes =
            [((1, 1), 20), ((1, 2), 5), ((1, 5), 4), ((7, 1), 3), ((7, 7), 2), ((20, 5), 2)];
        let cases = shapes.into_iter().flat_map(|shape| clamps.map(|clamp| (shape, clamp)));
        for ((lines, images), clamp) in cases {
            let count = lines.0 * lines.1;
            let images: Vec<_> = (0..images).map(|i| ramp(count * k, 10 + i)).collect();
            let images: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
            // With something that follows, and whether that folds.
            let run = |images: &[&[f32]], after: Option<bool>| {
                let mut next = 0;
                let mut double = |start: usize, values: &mut [f32], extremes: Observation| {
                    assert_eq!(start, next, "one block after the other");
                    let seen = Observation::scan(values);
                    let is_left = after == Some(true) && clamp == Clamp::NONE;
                    let known = if is_left { Observation::ANY } else { seen };
                    assert_eq!(extremes, known, "{isa} {arithmetic}");
                    next += values.len();
                    for v in values {
                        *v += *v;
                    }
                    seen
                };
                let mut out = vec![0.0; images.len() * count * n];
                let mut observed = vec![Observation::EMPTY; images.len()];
                let row_bytes = 5000;
                let len = packed.scratch_len(images.len() * count, row_bytes);
                let mut scratch = AlignedBuffer::zeroed(len);
                let offsets = |(y, x): (usize, usize), offsets: &mut [usize]| {
                    offsets[0] = (y * lines.1 + x) * k;
                    usize::MAX
                };
                let rows = Rows { images, edges: &[], lines, row_bytes, offsets, step: k };
                let target = Target { values: &mut out, row_stride: n, column: 0 };
                let scratch = scratch.bytes_mut();
                let after = after.map(|folds| After::new(folds, &mut double));
                multiply(&packed, rows, clamp, target, &mut observed, after, scratch);
                (out, observed)
            };
            let (together, observed) = run(&images, None);
            for folds in [false, true] {
                let (doubled, doubled_observed) = run(&images, Some(folds));
                assert!(doubled.iter().zip(&together).all(|(d, t)| *d == t + t));
                assert_eq!(doubled_observed, observed, "of what comes before");
            }
            for (i, image) in images.iter().enumerate() {
                let (alone, alone_observed) = run(&[image], None);
                let seen = alone_observed[0];
                let what = format!("{isa} {arithmetic} {count} rows, image {i}");
                assert_same_bits(&together[i * count * n..][..count * n], &alone, &what);
                assert!(observed[i].same_bits(seen), "{what}");
                assert!(seen.same_bits(Observation::scan(&alone)), "{what}");
            }
        }
    }
}

#[test]
fn the_lowest_float_is_ignored_before_what_follows() {
    let layout = WeightLayout { n: 1, segments: 1, segment_len: 1, column_stride: 1, k_stride: 1 };
    for isa in Isa::supported() {
        let packed = PackedWeights::new(isa, Arithmetic::Fast, layout, &[1.0], None);
        let mut image = ramp(3000, 1);
        image[1234] = LOWEST;
        let row_bytes = 1000;
        let mut scratch = AlignedBuffer::zeroed(packed.scratch_len(image.len(), row_bytes));
        let offsets = |(_, x): (usize, usize), offsets: &mut [usize]| {
            offsets[0] = x;
            1
        };
        let lines = (1, image.len());
        for folds in [false, true] {
            let mut out = vec![0.0; image.len()];
            let mut observed = [Observation::EMPTY];
            let rows = Rows { images: &[&image], edges: &[], lines, row_bytes, offsets, step: 0 };
            let target = Target { values: &mut out, row_stride: 1, column: 0 };
            let mut blocks = Vec::new();
            let mut zero = |at: usize, values: &mut [f32], extremes: Observation| {
                blocks.push(at);
                assert_same_bits(values, &image[at..][..values.len()], "as computed");
                let is_lowest = values.contains(&LOWEST);
                let is_known = !(folds || is_lowest);
                let expected = if is_known { Observation::scan(values) } else { Observation::ANY };
                assert_eq!(extremes, expected);
                let min = values.iter().copied().fold(f32::INFINITY, f32::min);
                let max = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                values.fill(0.0);
                Observation { min, max }
            };
            let after = Some(After::new(folds, &mut zero));
            multiply(&packed, rows, Clamp::NONE, target, &mut observed, after, scratch.bytes_mut());
            assert!(observed[0].same_bits(Observation::scan(&image)), "{isa} {observed:?}");
            assert!(out.iter().all(|&v| v == 0.0));
            let all = blocks.len();
            blocks.dedup();
            assert_eq!(all - blocks.len(), usize::from(folds), "one block is computed again");
        }
    }
}

#[test]
fn packing_into_used_memory_of_either_layout() {
    for (isa, arithmetic) in kinds() {
        for (m, n, k) in [(5, 33, 70), (2, 16, 1), (7, 3, 129), (3, 5, 0)] {
            let (input, weights) = (ramp(m * k, 1), ramp(n * k, 2));
            let layout = WeightLayout::of_rows(n, k);
            // The same matrix with the columns side by side.
            let turned: Vec<f32> = (0..n * k).map(|i| weights[i % n * k + i / n]).collect();
            let sideways = WeightLayout { column_stride: 1, k_stride: n, ..layout };
            let mut used = AlignedBuffer::copy_of(&vec![0xff_u8; layout.byte_len()]);
            let mut scratch = AlignedBuffer::zeroed(layout.scratch_len(isa, m, k * 4));
            let mut product = |packed: Packed<'_>| {
                let images = [&input[..]];
                let rows = matrix_rows(&images, m, k);
                let mut values = vec![0.0; m * n];
                let target = Target { values: &mut values, row_stride: n, column: 0 };
                let mut observed = [Observation::EMPTY];
                let scratch = scratch.bytes_mut();
                multiply(packed, rows, Clamp::NONE, target, &mut observed, None, scratch);
                values
            };
            let held = PackedWeights::new(isa, arithmetic, layout, &weights, None);
            let expected = product((&held).into());
            for (layout, weights) in [(layout, &weights), (sideways, &turned)] {
                let memory = used.bytes_mut();
                let packed = Packed::pack(isa, arithmetic, layout, weights, None, memory);
                assert_same_bits(&product(packed), &expected, &format!("{isa} {m}x{k}x{n}"));
            }
        }
    }
}
