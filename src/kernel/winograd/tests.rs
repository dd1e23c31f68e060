use super::*;
use crate::kernel::testing::{assert_same_bits, ramp};
use crate::kernel::window::Axis;
use crate::tensor::AlignedBuffer;

fn axis(input: usize, before: usize, after: usize) -> Axis {
    Axis { input, output: input + before + after - 2, taps: 3, stride: 1, dilation: 1, before }
}

/// Some images through one convolution, and what comes out.
struct Case {
    geometry: Geometry,
    weights: Vec<f32>,
    bias: Vec<f32>,
    images: Vec<Vec<f32>>,
}

impl Case {
    fn new(window: Window, (channels, output_channels): (usize, usize), images: u32) -> Self {
        let geometry = Geometry { window, channels, output_channels };
        Self {
            geometry,
            weights: ramp(output_channels * 9 * channels, 1),
            bias: ramp(output_channels, 2),
            images: (0..images).map(|i| ramp(geometry.input_len(), 3 + i)).collect(),
        }
    }

    fn run(&self, isa: Isa, clamp: Clamp, images: std::ops::Range<usize>) -> Vec<f32> {
        let winograd = Winograd::new(isa, self.geometry, &self.weights, Some(&self.bias));
        let images: Vec<&[f32]> = self.images[images].iter().map(Vec::as_slice).collect();
        let mut output = vec![f32::NAN; images.len() * self.geometry.output_len()];
        let mut scratch = AlignedBuffer::zeroed(self.geometry.scratch_len(isa, images.len()));
        // Scratch memory comes dirty.
        scratch.bytes_mut().fill(0xff);
        let mut observed = vec![Observation::EMPTY; images.len()];
        winograd.run(&images, clamp, &mut output, &mut observed, scratch.bytes_mut());
        for (observed, output) in observed.iter().zip(output.chunks(self.geometry.output_len())) {
            assert!(observed.same_bits(Observation::scan(output)), "{isa} {observed:?}");
        }
        output
    }

    /// An element of the first image's output, in double precision.
    fn exact(&self, oy: usize, ox: usize, column: usize) -> f64 {
        let Geometry { window: Window { y, x }, channels, .. } = self.geometry;
        let mut sum = f64::from(self.bias[column]);
        for (ty, tx) in (0..3).flat_map(|ty| (0..3).map(move |tx| (ty, tx))) {
            let Some((iy, ix)) = y.source(oy, ty).zip(x.source(ox, tx)) else { continue };
            for k in 0..channels {
                let value = self.images[0][(iy * x.input + ix) * channels + k];
                let weight = self.weights[((column * 3 + ty) * 3 + tx) * channels + k];
                sum += f64::from(value) * f64::from(weight);
            }
        }
        sum
    }
}

#[test]
fn equals_a_convolution_in_double_precision() {
    let windows = [
        (axis(8, 1, 1), axis(8, 1, 1)),
        (axis(7, 1, 1), axis(9, 0, 0)),
        (axis(3, 1, 1), axis(16, 1, 1)),
        (axis(5, 0, 0), axis(4, 1, 1)),
    ];
    for (y, x) in windows {
        for channels in [(16, 16), (32, 48), (80, 32)] {
            let case = Case::new(Window { y, x }, channels, 1);
            let n = channels.1;
            let output = case.run(Isa::detect(), Clamp::NONE, 0..1);
            let Observation { min, max } = Observation::scan(&output);
            for (at, &value) in output.iter().enumerate() {
                let (column, position) = (at % n, at / n);
                let exact = case.exact(position / x.output, position % x.output, column);
                let error = (f64::from(value) - exact).abs();
                assert!(
                    error < 1.0e-5 * f64::from(max - min),
                    "{y:?} {x:?} {channels:?}: {value} {exact}"
                );
            }
        }
    }
}

#[test]
fn same_bits_on_every_instruction_set_and_in_every_group() {
    // More tiles than a block, whose ends fall inside images.
    let window = Window { y: axis(21, 1, 1), x: axis(30, 1, 1) };
    let relu6 = Clamp { low: 0.0, high: 6.0 };
    let case = Case::new(window, (64, 48), 4);
    let scratch = |images| case.geometry.scratch_len(Isa::detect(), images);
    assert!((1..40).all(|images| scratch(images) <= scratch(images + 1)), "fewer need no more");
    let expected = case.run(Isa::detect(), relu6, 0..4);
    for isa in Isa::supported() {
        assert_same_bits(&case.run(isa, relu6, 0..4), &expected, isa.name());
        let mut one_by_one = Vec::new();
        for image in 0..4 {
            one_by_one.extend(case.run(isa, relu6, image..image + 1));
        }
        assert_same_bits(&one_by_one, &expected, isa.name());
    }
}

#[test]
fn only_where_it_pays() {
    let same = |n| Window { y: axis(n, 1, 1), x: axis(n, 1, 1) };
    for (size, channels, n) in [(56, 64, 64), (28, 128, 128), (14, 256, 256), (7, 512, 512)] {
        assert!(Geometry::new(same(size), channels, n).is_some(), "{size} {channels} {n}");
    }
    for (size, channels, n) in [(56, 3, 64), (56, 64, 20), (2, 512, 512), (56, 0, 16)] {
        assert!(Geometry::new(same(size), channels, n).is_none(), "{size} {channels} {n}");
    }
    let mut strided = same(56);
    strided.x = Axis { stride: 2, output: 28, ..strided.x };
    assert!(Geometry::new(strided, 64, 64).is_none());
}
