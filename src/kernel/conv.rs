//! Convolution of one `[h, w, channels]` image, or a `[d, h, w, channels]` volume, as a matrix product that
//! reads its input in place.
//!
//! A left row of the product is one output position. Its segments are the filter taps, each a run of
//! input channels; taps that lie side by side in memory are one segment. In images with few channels
//! that is a whole filter row; what those windows read that reach into the horizontal padding is copied
//! first, with zeros beside it.

use std::sync::Arc;

use super::gemm::{
    After, Clamp, EDGES, PackedWeights, Rows, Target, WeightLayout, ZEROS, multiply,
};
use super::isa::Isa;
use super::window::{Axis, Ring, Window};
use crate::arithmetic::Arithmetic;
use crate::observation::Observation;
use crate::tensor::AlignedBuffer;

/// Below this many channels an image is read by whole filter rows, not tap by tap.
const FEW_CHANNELS: usize = 16;

/// What a convolution's memory depends on: everything but its weights.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// The axis of planes; one plane of an image.
    depth: Axis,
    window: Window,
    /// Input channels of the image.
    channels: usize,
    /// Output channels of the image.
    output_channels: usize,
    groups: usize,
    layout: Layout,
}

/// A convolution with packed weights.
#[derive(Debug)]
pub struct Convolution {
    geometry: Geometry,
    /// One product a group.
    groups: Arc<Vec<PackedWeights>>,
}

/// What a convolution reads.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Images `[places, w, channels]`, volumes `[d, places, w, channels]`.
    pub images: &'a [&'a [f32]],
    /// The window's rows: those of the geometry, or a [part](Axis::part) of them.
    pub rows: Axis,
    /// Where the images have their rows.
    pub ring: Ring,
}

/// The same for products.
#[derive(Clone, Copy)]
struct Lines<'a> {
    images: &'a [&'a [f32]],
    /// See [`Geometry::copy_edges`].
    edges: &'a [f32],
    geometry: Geometry,
    ring: Ring,
}

/// How a row of the product reads the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// A segment is one tap.
    Taps,
    /// A segment is one filter row; no output position needs horizontal padding.
    Rows,
    /// A segment is one filter row; where a position needs horizontal padding it is that of a copy.
    EdgedRows,
}

impl Geometry {
    /// A window over images of `channels`, split into `groups`.
    ///
    /// # Panics
    /// If the groups do not divide the channels.
    pub fn new(window: Window, channels: (usize, usize, usize)) -> Self {
        let flat = Axis { input: 1, output: 1, taps: 1, stride: 1, dilation: 1, before: 0 };
        Self::of_volume(flat, window, channels)
    }

    /// A window over volumes, `depth` being the axis of planes.
    ///
    /// # Panics
    /// If the groups do not divide the channels.
    pub fn of_volume(
        depth: Axis,
        window: Window,
        (channels, output_channels, groups): (usize, usize, usize),
    ) -> Self {
        assert_eq!((channels % groups, output_channels % groups), (0, 0), "whole groups");
        let x = window.x;
        let adjacent = x.dilation == 1 && groups == 1;
        let layout = if !adjacent || x.taps == 1 {
            Layout::Taps
        } else if x.interior() == (0..x.output) {
            Layout::Rows
        } else if channels < FEW_CHANNELS {
            Layout::EdgedRows
        } else {
            Layout::Taps
        };
        Self { depth, window, channels, output_channels, groups, layout }
    }

    /// Where the weights `[output channels / groups, taps z, taps y, taps x, channels / groups]` of a
    /// group stand.
    fn weight_layout(&self) -> WeightLayout {
        let Window { y, x } = self.window;
        let lines = self.depth.taps * y.taps;
        let (segments, segment_len) = match self.layout {
            Layout::Taps => (lines * x.taps, self.channels / self.groups),
            Layout::Rows | Layout::EdgedRows => (lines, x.taps * self.channels),
        };
        WeightLayout {
            n: self.output_channels / self.groups,
            segments,
            segment_len,
            column_stride: segments * segment_len,
            k_stride: 1,
        }
    }

    /// The same with other rows.
    fn over(&self, y: Axis) -> Self {
        Self { window: Window { y, ..self.window }, ..*self }
    }

    fn rows(&self) -> usize {
        self.depth.output * self.window.y.output * self.window.x.output
    }

    /// Bytes that one more output position brings into the cache.
    fn row_bytes(&self) -> usize {
        let Window { y, x } = self.window;
        // A position reads a new column of the filter's rows; the rows above have been read before.
        let new: usize = [self.depth, y, x].map(|axis| axis.stride.min(axis.taps)).iter().product();
        new * self.channels * size_of::<f32>()
    }

    /// Output columns that need horizontal padding.
    fn edge_columns(&self) -> impl Iterator<Item = usize> {
        let (x, interior) = (self.window.x, self.window.x.interior());
        (0..interior.start).chain(interior.end..x.output)
    }

    /// Floats that a filter row reads.
    fn filter_row(&self) -> usize {
        self.window.x.taps * self.channels
    }

    /// Where in [copies](Self::copy_edges) the filter row is that is read at a line of the input for output
    /// column `ox`, which needs padding.
    fn edge(&self, ox: usize, line: usize) -> usize {
        let interior = self.window.x.interior();
        let column = if ox < interior.start { ox } else { ox - interior.len() };
        (column * self.depth.input * self.window.y.input + line) * self.filter_row()
    }

    fn edges_len(&self) -> usize {
        if self.layout != Layout::EdgedRows {
            return 0;
        }
        let lines = self.depth.input * self.window.y.input;
        let rows = self.edge_columns().count() * lines;
        (rows * self.filter_row() * size_of::<f32>()).next_multiple_of(64)
    }

    /// Copies what windows read that need horizontal padding: for each of their columns, a filter row at
    /// every line of the input, with zeros for the padding.
    fn copy_edges(&self, input: &[f32], ring: Ring, to: &mut [f32]) {
        let (x, lines) = (self.window.x, self.window.y.input);
        let mut to = to.chunks_exact_mut(self.filter_row());
        for ox in self.edge_columns() {
            let taps = x.valid_taps(ox);
            let (first, len) = (taps.start * self.channels, taps.len() * self.channels);
            let ix = (ox * x.stride + taps.start).saturating_sub(x.before);
            for (line, to) in (0..self.depth.input * lines).zip(&mut to) {
                let place = line / lines * ring.places + ring.place(line % lines);
                to.fill(0.0);
                to[first..first + len]
                    .copy_from_slice(&input[(place * x.input + ix) * self.channels..][..len]);
            }
        }
    }

    /// What packed weights depend on.
    pub fn packing(&self) -> (usize, WeightLayout) {
        (self.groups, self.weight_layout())
    }

    /// Bytes of memory that a convolution holds.
    pub fn byte_len(&self) -> usize {
        self.groups * self.weight_layout().byte_len()
    }

    /// Bytes of results that [`Convolution::run`] needs at least when something follows, for `images`
    /// images; `None` if that is all of them.
    pub fn block_len(&self, isa: Isa, images: usize) -> Option<usize> {
        let has_edges = self.layout == Layout::EdgedRows;
        let block = || self.weight_layout().block_len(isa, images * self.rows(), self.row_bytes());
        (self.groups == 1 && !has_edges).then(block)
    }

    /// Bytes of scratch memory that [`Convolution::run`] needs for `images` images with weights packed
    /// for `isa`.
    pub fn scratch_len(&self, isa: Isa, images: usize) -> usize {
        let rows = images * self.rows();
        self.edges_len() + self.weight_layout().scratch_len(isa, rows, self.row_bytes())
    }
}

impl Convolution {
    /// Packs `weights` `[output channels, taps z, taps y, taps x, channels / groups]`.
    ///
    /// # Panics
    /// If the buffers are shorter than the shapes say.
    pub fn new(
        isa: Isa,
        arithmetic: Arithmetic,
        geometry: Geometry,
        weights: &[f32],
        bias: Option<&[f32]>,
    ) -> Self {
        Self::with(geometry, Arc::new(Self::pack(isa, arithmetic, geometry, weights, bias)))
    }

    /// With weights that have been packed for the same filter.
    pub fn with(geometry: Geometry, groups: Arc<Vec<PackedWeights>>) -> Self {
        Self { geometry, groups }
    }

    /// Weights as [`new`](Self::new) packs them; they depend on [`Geometry::packing`], and not on the
    /// size of the image.
    ///
    /// # Panics
    /// If the buffers are shorter than the shapes say.
    pub fn pack(
        isa: Isa,
        arithmetic: Arithmetic,
        geometry: Geometry,
        weights: &[f32],
        bias: Option<&[f32]>,
    ) -> Vec<PackedWeights> {
        let layout = geometry.weight_layout();
        let (n, k) = (layout.n, layout.column_stride);
        let pack = |group: usize| {
            let bias = bias.map(|bias| &bias[group * n..][..n]);
            let weights = &weights[group * n * k..][..n * k];
            PackedWeights::new(isa, arithmetic, layout, weights, bias)
        };
        (0..geometry.groups).map(pack).collect()
    }

    /// Convolves images `[d, h, w, channels]` into `output`, one `[d, h, w, output channels]` after
    /// another, and unites each image's extremes, as [`multiply`] folds them, with `observed`. Calls
    /// `after`, which needs a convolution of one group, as [`multiply`] does; the output may be as short
    /// as [`Geometry::block_len`] then.
    ///
    /// # Panics
    /// If a buffer's length is not what the shapes say, or the scratch memory is too small or not
    /// aligned to 8 bytes.
    pub fn run(
        &self,
        Input { images, rows, ring }: Input<'_>,
        clamp: Clamp,
        output: &mut [f32],
        observed: &mut [Observation],
        mut after: Option<After<'_>>,
        scratch: &mut [u8],
    ) {
        let geometry = self.geometry.over(rows);
        let Geometry { depth, window: Window { y, x }, channels, output_channels, layout, .. } =
            geometry;
        let input_len = depth.input * ring.places * x.input * channels;
        let output_len = geometry.rows() * output_channels;
        assert!(ring.places >= y.input, "places for all rows");
        assert!(images.iter().all(|image| image.len() == input_len), "input lengths");
        let is_block = after.is_some() && layout != Layout::EdgedRows;
        assert!(is_block || output.len() == images.len() * output_len, "output length");
        assert_eq!(observed.len(), images.len(), "one observation an image");
        let (edges, pointers) = scratch.split_at_mut(geometry.edges_len());
        if layout != Layout::EdgedRows {
            let lines = Lines { images, edges: &[], geometry, ring };
            return self.multiply(lines, clamp, output, observed, after, pointers);
        }
        let edges: &mut [f32] = bytemuck::cast_slice_mut(edges);
        for (i, &image) in images.iter().enumerate() {
            geometry.copy_edges(image, ring, edges);
            let output = &mut output[i * output_len..][..output_len];
            let observed = &mut observed[i..=i];
            let after = after.as_mut().map(|after| after.part(i * output_len));
            let lines = Lines { images: &[image], edges, geometry, ring };
            self.multiply(lines, clamp, output, observed, after, pointers);
        }
    }

    fn multiply(
        &self,
        Lines { images, edges, geometry, ring }: Lines<'_>,
        clamp: Clamp,
        output: &mut [f32],
        observed: &mut [Observation],
        mut after: Option<After<'_>>,
        pointers: &mut [u8],
    ) {
        let Geometry { depth, window: Window { y, x }, channels, output_channels, layout, .. } =
            geometry;
        let group_channels = channels / geometry.groups;
        // Rows that need no horizontal padding lie evenly.
        let even = x.interior();
        for (group, weights) in self.groups.iter().enumerate() {
            let channel = group * group_channels;
            let offsets = |(line, ox): (usize, usize), offsets: &mut [usize]| {
                let (oz, oy) = (line / y.output, line % y.output);
                let source = |tz, ty| Some((depth.source(oz, tz)?, y.source(oy, ty)?));
                let row = |tz, ty| {
                    let (iz, iy) = source(tz, ty)?;
                    Some((iz * ring.places + ring.place(iy)) * x.input)
                };
                let per_plane = offsets.len() / depth.taps;
                for (tz, offsets) in offsets.chunks_exact_mut(per_plane).enumerate() {
                    if layout == Layout::Taps {
                        for (ty, offsets) in offsets.chunks_exact_mut(x.taps).enumerate() {
                            let row = row(tz, ty);
                            for (tx, offset) in offsets.iter_mut().enumerate() {
                                *offset = row
                                    .zip(x.source(ox, tx))
                                    .map_or(ZEROS, |(row, ix)| (row + ix) * channels + channel);
                            }
                        }
                    } else if even.contains(&ox) {
                        let ix = ox * x.stride - x.before;
                        for (ty, offset) in offsets.iter_mut().enumerate() {
                            *offset = row(tz, ty).map_or(ZEROS, |row| (row + ix) * channels);
                        }
                    } else {
                        for (ty, offset) in offsets.iter_mut().enumerate() {
                            *offset = source(tz, ty).map_or(ZEROS, |(iz, iy)| {
                                EDGES + geometry.edge(ox, iz * y.input + iy)
                            });
                        }
                    }
                }
                if even.contains(&ox) { even.end - ox } else { 1 }
            };
            let target = Target {
                values: &mut *output,
                row_stride: output_channels,
                column: group * weights.columns(),
            };
            let lines = (depth.output * y.output, x.output);
            let row_bytes = geometry.row_bytes();
            let step = x.stride * channels;
            let rows = Rows { images, edges, lines, row_bytes, offsets, step };
            multiply(weights, rows, clamp, target, observed, after.take(), pointers);
        }
    }
}

/// `weights` `[n, taps, 1]` as `[taps, n]`, as a depthwise convolution reads them.
pub fn taps_first(weights: &[f32], n: usize, taps: usize) -> AlignedBuffer {
    let mut buffer = AlignedBuffer::zeroed(size_of_val(weights));
    let transposed: &mut [f32] = buffer.as_mut_slice();
    for column in 0..n {
        for tap in 0..taps {
            transposed[tap * n + column] = weights[column * taps + tap];
        }
    }
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::{in_ring, kinds, ramp, sum_of_products};

    #[test]
    fn equals_the_formula_in_every_layout() {
        let axes = [
            Axis { input: 6, output: 6, taps: 3, stride: 1, dilation: 1, before: 1 },
            Axis { input: 9, output: 4, taps: 3, stride: 2, dilation: 1, before: 0 },
            Axis { input: 8, output: 4, taps: 4, stride: 2, dilation: 1, before: 1 },
            Axis { input: 7, output: 7, taps: 3, stride: 1, dilation: 2, before: 2 },
            Axis { input: 5, output: 5, taps: 1, stride: 1, dilation: 1, before: 0 },
            Axis { input: 2, output: 2, taps: 5, stride: 1, dilation: 1, before: 2 },
        ];
        let channels = [(3, 8, 1), (16, 5, 1), (20, 33, 1), (8, 12, 4), (6, 6, 6)];
        for (isa, arithmetic) in kinds() {
            for (y, x) in axes.into_iter().flat_map(|y| axes.map(|x| (y, x))) {
                for (c, n, groups) in channels {
                    let group_c = c / groups;
                    let weights = ramp(n * y.taps * x.taps * group_c, 1);
                    let (bias, input) = (ramp(n, 2), ramp(y.input * x.input * c, 3));
                    let window = Window { y, x };
                    let geometry = Geometry::new(window, (c, n, groups));
                    let convolution =
                        Convolution::new(isa, arithmetic, geometry, &weights, Some(&bias));
                    let mut output = vec![0.0; y.output * x.output * n];
                    let mut scratch = AlignedBuffer::zeroed(geometry.scratch_len(isa, 1));
                    // Scratch memory comes dirty.
                    scratch.bytes_mut().fill(0xff);
                    let scratch = scratch.bytes_mut();
                    let ring = Ring::whole(y.input);
                    let mut run = |ring, input: &[f32], output: &mut [f32]| {
                        let mut observed = [Observation::EMPTY];
                        convolution.run(
                            Input { images: &[input], rows: y, ring },
                            Clamp::NONE,
                            output,
                            &mut observed,
                            None,
                            scratch,
                        );
                        assert!(observed[0].same_bits(Observation::scan(output)));
                    };
                    run(ring, &input, &mut output);
                    // Rows in a ring, and a place that is not theirs.
                    let ring = Ring { first: y.input / 2 + 1, places: y.input + 1 };
                    let turned = in_ring(&input, x.input * c, ring);
                    let mut again = vec![0.0; output.len()];
                    run(ring, &turned, &mut again);
                    assert_eq!(again, output, "{isa} {ring:?} {y:?} {x:?} {c} {n} {groups}");
                    for (at, &result) in output.iter().enumerate() {
                        let (column, position) = (at % n, at / n);
                        let (oy, ox) = (position / x.output, position % x.output);
                        let mut terms = Vec::new();
                        for ty in 0..y.taps {
                            for tx in 0..x.taps {
                                let source = y.source(oy, ty).zip(x.source(ox, tx));
                                for ch in 0..group_c {
                                    let channel = column / (n / groups) * group_c + ch;
                                    let value = source.map_or(0.0, |(iy, ix)| {
                                        input[(iy * x.input + ix) * c + channel]
                                    });
                                    let w = ((column * y.taps + ty) * x.taps + tx) * group_c + ch;
                                    terms.push((value, weights[w]));
                                }
                            }
                        }
                        let sum = sum_of_products(arithmetic, &terms, bias[column]);
                        assert_eq!(result, sum, "{isa} {arithmetic} {y:?} {x:?} {c} {n} {groups}");
                    }
                }
            }
        }
    }
}
