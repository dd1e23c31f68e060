//! Weights of a convolution by Winograd's algorithm, evaluated at the points.

use super::{A, B, Geometry, PAIRS, POINTS};
use crate::arithmetic::Arithmetic;
use crate::kernel::gemm::PackedSet;
use crate::kernel::isa::{Isa, Task};
use crate::kernel::simd::{LANES, Simd};
use crate::tensor::AlignedBuffer;

/// Transformed weights; they do not depend on the size of the image.
#[derive(Debug)]
pub struct Filters {
    /// One matrix a pair of points.
    pub(super) weights: PackedSet,
    pub(super) bias: AlignedBuffer,
    /// Channels of a position outside the image.
    pub(super) zeros: AlignedBuffer,
}

impl Filters {
    /// Transforms and packs `weights` `[output channels, 3, 3, channels]`.
    ///
    /// # Panics
    /// If the buffers are shorter than the shapes say.
    pub fn new(isa: Isa, geometry: Geometry, weights: &[f32], bias: Option<&[f32]>) -> Self {
        let Geometry { channels, output_channels, .. } = geometry;
        let layout = geometry.weight_layout();
        let mut packed = PackedSet::zeroed(isa, Arithmetic::Fast, layout, PAIRS);
        isa.dispatch(Transform { geometry, weights, packed: &mut packed });
        let mut padded = AlignedBuffer::zeroed(output_channels * size_of::<f32>());
        if let Some(bias) = bias {
            padded.as_mut_slice::<f32>().copy_from_slice(&bias[..output_channels]);
        }
        let zeros = AlignedBuffer::zeroed(channels * size_of::<f32>());
        Self { weights: packed, bias: padded, zeros }
    }
}

/// Evaluates all filters at the points.
struct Transform<'a> {
    geometry: Geometry,
    weights: &'a [f32],
    packed: &'a mut PackedSet,
}

impl Task for Transform<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Geometry { channels, output_channels, .. } = self.geometry;
        let values = filter_points();
        // One filter after the other.
        let mut block = vec![[[0.0; LANES]; PAIRS]; LANES];
        for column in (0..output_channels).step_by(LANES) {
            for k in (0..channels).step_by(LANES) {
                for (j, points) in block.iter_mut().enumerate() {
                    let filter = &self.weights[(column + j) * 9 * channels..][..9 * channels];
                    transform(&values, filter, channels, k, points);
                }
                let from: &[u32] = bytemuck::cast_slice(block.as_flattened().as_flattened());
                for pair in 0..PAIRS {
                    let from = &from[pair * LANES..];
                    self.packed.turn_block(s, pair, (k, column), from, PAIRS * LANES);
                }
            }
        }
    }
}

/// The matrix that evaluates a filter at the points: powers of each point, divided by the product
/// of its distances from the others, which `bt` leaves out.
fn filter_points() -> [[f64; 3]; POINTS] {
    let (a, b) = (f64::from(A), f64::from(B));
    let finite = [0.0, a, -a, b, -b];
    let mut rows = [[0.0, 0.0, 1.0]; POINTS];
    for (i, &point) in finite.iter().enumerate() {
        let others = finite.iter().enumerate().filter(|&(j, _)| j != i);
        let distances: f64 = others.map(|(_, other)| point - other).product();
        rows[i] = [1.0, point, point * point].map(|power| power / distances);
    }
    rows
}

/// A filter at all pairs of points, for sixteen channels.
type Points = [[f32; LANES]; PAIRS];

/// `filter` `[3, 3, channels]` at all pairs of points, from channel `k` on: vertical first, in double
/// precision, rounded once.
#[inline(always)]
fn transform(
    values: &[[f64; 3]; POINTS],
    filter: &[f32],
    channels: usize,
    k: usize,
    points: &mut Points,
) {
    let mut taps = [[0.0; LANES]; 9];
    for (tap, lanes) in taps.iter_mut().enumerate() {
        for (lane, &weight) in lanes.iter_mut().zip(&filter[tap * channels + k..][..LANES]) {
            *lane = f64::from(weight);
        }
    }
    for (i, vertical) in values.iter().enumerate() {
        let mut half = [[0.0; LANES]; 3];
        for (x, half) in half.iter_mut().enumerate() {
            weigh(vertical, &taps[x], &taps[3 + x], &taps[6 + x], half);
        }
        for (j, horizontal) in values.iter().enumerate() {
            let mut exact = [0.0; LANES];
            weigh(horizontal, &half[0], &half[1], &half[2], &mut exact);
            points[i * POINTS + j] = exact.map(|value| value as f32);
        }
    }
}

/// `to = weights[0] a + weights[1] b + weights[2] c`
#[inline(always)]
fn weigh(
    weights: &[f64; 3],
    a: &[f64; LANES],
    b: &[f64; LANES],
    c: &[f64; LANES],
    to: &mut [f64; LANES],
) {
    for i in 0..LANES {
        to[i] = weights[0] * a[i] + weights[1] * b[i] + weights[2] * c[i];
    }
}
