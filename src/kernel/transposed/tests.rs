use super::*;
use crate::kernel::testing::{kinds, ramp, sum_of_products};

/// The definition.
fn expected(
    [z, y, x]: [Axis; 3],
    (c, n): (usize, usize),
    arithmetic: Arithmetic,
    (input, weights, bias): (&[f32], &[f32], &[f32]),
) -> Vec<f32> {
    let mut sums = vec![0.0; z.input * y.input * x.input * n];
    for (position, input) in input.chunks_exact(c).enumerate() {
        let (iz, iy) = (position / x.output / y.output, position / x.output % y.output);
        for tap in 0..z.taps * y.taps * x.taps {
            let (tz, ty) = (tap / x.taps / y.taps, tap / x.taps % y.taps);
            let at =
                (z.source(iz, tz), y.source(iy, ty), x.source(position % x.output, tap % x.taps));
            let (Some(oz), Some(oy), Some(ox)) = at else { continue };
            for column in 0..n {
                let weights = &weights[(tap * n + column) * c..][..c];
                let terms: Vec<_> = input.iter().copied().zip(weights.iter().copied()).collect();
                sums[((oz * y.input + oy) * x.input + ox) * n + column] +=
                    sum_of_products(arithmetic, &terms, 0.0);
            }
        }
    }
    sums.iter().enumerate().map(|(i, sum)| (sum + bias[i % n]).clamp(-1.0, 1.5)).collect()
}

#[test]
fn equals_the_definition() {
    let one = Axis { input: 1, output: 1, taps: 1, stride: 1, dilation: 1, before: 0 };
    let axis = |output, taps, stride, dilation, before, input| Axis {
        input,
        output,
        taps,
        stride,
        dilation,
        before,
    };
    let some = [
        axis(5, 2, 2, 1, 0, 10),
        axis(5, 3, 2, 1, 0, 10),
        axis(5, 3, 2, 1, 1, 9),
        axis(4, 4, 2, 1, 1, 8),
        axis(4, 3, 1, 1, 1, 4),
        axis(3, 2, 3, 1, 0, 10),
        axis(3, 3, 1, 2, 0, 7),
        axis(1, 5, 2, 1, 4, 1),
    ];
    let volumes = [[some[0]; 3], [some[2]; 3], [one, some[0], one], [some[4], some[1], some[0]]];
    let planes = some.iter().flat_map(|&y| some.map(|x| [one, y, x]));
    for axes in planes.chain(volumes) {
        for (c, n) in [(3, 1), (5, 16), (17, 20)] {
            let geometry = Geometry::new(axes, c, n);
            let weights = ramp(geometry.taps() * n * c, 1);
            let bias = ramp(n, 2);
            let images = [ramp(geometry.input_len(), 3), ramp(geometry.input_len(), 4)];
            let images = [&images[0][..], &images[1]];
            for (isa, arithmetic) in kinds() {
                let transposed = Transposed::new(isa, arithmetic, geometry, &weights, Some(&bias));
                let mut output = vec![f32::NAN; 2 * geometry.output_len()];
                let mut scratch = AlignedBuffer::zeroed(geometry.scratch_len(isa, 2));
                // Scratch memory comes dirty.
                scratch.bytes_mut().fill(0xff);
                let mut observed = [Observation::EMPTY; 2];
                let mut followed = 0;
                let mut after = |at: usize, values: &mut [f32], extremes: Observation| {
                    assert_eq!(at, followed, "in order");
                    followed += values.len();
                    extremes
                };
                transposed.run(
                    isa,
                    &images,
                    Clamp { low: -1.0, high: 1.5 },
                    &mut output,
                    &mut observed,
                    Some(After::new(false, &mut after)),
                    scratch.bytes_mut(),
                );
                assert_eq!(followed, output.len());
                for (i, output) in output.chunks_exact(geometry.output_len()).enumerate() {
                    let operands = (images[i], &weights[..], &bias[..]);
                    let expected = expected(axes, (c, n), arithmetic, operands);
                    assert_eq!(output, expected, "{isa} {arithmetic} {axes:?} {c} {n}");
                    assert!(observed[i].same_bits(Observation::scan(output)));
                }
            }
        }
    }
}

#[test]
fn bands_are_parts_of_images() {
    // Lines of so many products that each is a band, and so few that all images are one.
    for (width, n) in [(40, 300), (3, 2)] {
        let y = Axis { input: 11, output: 6, taps: 3, stride: 2, dilation: 1, before: 1 };
        let x = Axis { input: width, output: width, taps: 3, stride: 1, dilation: 1, before: 1 };
        let one = Axis { input: 1, output: 1, taps: 1, stride: 1, dilation: 1, before: 0 };
        let geometry = Geometry::new([one, y, x], 2, n);
        assert_eq!(geometry.band_lines() < geometry.lines(), width == 40);
        let (weights, bias) = (ramp(9 * n * 2, 1), vec![0.0; n]);
        let images: Vec<_> = (0..5).map(|i| ramp(geometry.input_len(), i)).collect();
        let images: Vec<_> = images.iter().map(Vec::as_slice).collect();
        let isa = Isa::detect();
        let transposed = Transposed::new(isa, Arithmetic::Fast, geometry, &weights, None);
        let mut output = vec![f32::NAN; 5 * geometry.output_len()];
        let mut scratch = AlignedBuffer::zeroed(geometry.scratch_len(isa, 5));
        let mut observed = [Observation::EMPTY; 5];
        let scratch = scratch.bytes_mut();
        let clamp = Clamp { low: -1.0, high: 1.5 };
        transposed.run(isa, &images, clamp, &mut output, &mut observed, None, scratch);
        for (image, output) in images.iter().zip(output.chunks_exact(geometry.output_len())) {
            let operands = (*image, &weights[..], &bias[..]);
            assert_eq!(output, expected([one, y, x], (2, n), Arithmetic::Fast, operands));
        }
    }
}
