//! Transposed convolutions: every input position adds its products to a window of output positions.
//!
//! All products are one matrix product, `[positions, channels]` by `[channels, taps * output channels]`,
//! made for a band of lines at a time. What a position gives to neighbouring taps lies side by side there
//! as in the output, so that it is added in runs (col2im). An output element is the sum over the input
//! positions in ascending order, each of their terms as [`gemm`](super::gemm) sums them, and the bias last.

use std::ops::Range;

use smallvec::SmallVec;

use super::gemm::{After, Clamp, PackedWeights, Target, WeightLayout, matrix_rows, multiply};
use super::isa::{Isa, Task};
use super::minmax::{self, Fold};
use super::simd::{LANES, Simd};
use super::window::Axis;
use crate::arithmetic::Arithmetic;
use crate::observation::Observation;
use crate::tensor::AlignedBuffer;

/// Bytes of products that a band of lines should have: a share of a small second-level cache.
const BAND_BYTES: usize = 256 * 1024;

/// Rows of a product below which reading the weights takes longer than multiplying.
const FEW_ROWS: usize = 64;

/// What a transposed convolution's memory depends on: everything but its weights.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    axes: [Axis; 3],
    channels: usize,
    output_channels: usize,
}

/// A transposed convolution with packed weights.
#[derive(Debug)]
pub struct Transposed {
    geometry: Geometry,
    weights: PackedWeights,
    /// The bias, repeated to whole vectors.
    bias: Vec<f32>,
}

impl Geometry {
    /// From `[depth, height, width]` axes of the convolution that is transposed, whose inputs are this
    /// one's outputs.
    pub fn new(axes: [Axis; 3], channels: usize, output_channels: usize) -> Self {
        Self { axes, channels, output_channels }
    }

    fn taps(&self) -> usize {
        self.axes.iter().map(|axis| axis.taps).product()
    }

    /// Products of an input position.
    fn columns(&self) -> usize {
        self.taps() * self.output_channels
    }

    /// Elements of an input image.
    pub fn input_len(&self) -> usize {
        self.axes.iter().map(|axis| axis.output).product::<usize>() * self.channels
    }

    /// Elements of an output image.
    pub fn output_len(&self) -> usize {
        self.axes.iter().map(|axis| axis.input).product::<usize>() * self.output_channels
    }

    /// Elements of an output row.
    pub fn output_row(&self) -> usize {
        self.axes[2].input * self.output_channels
    }

    /// Multiply-adds of an image.
    pub fn multiply_adds(&self) -> usize {
        self.input_len().saturating_mul(self.columns())
    }

    /// Whether each output position belongs to one input position and one tap.
    fn is_tiling(&self) -> bool {
        self.axes.iter().all(|axis| {
            let Axis { input, output, taps, stride, dilation, before } = *axis;
            let is_dense = taps == stride && (dilation == 1 || taps == 1);
            is_dense && before == 0 && output.checked_mul(stride) == Some(input)
        })
    }

    /// Lines of an input image.
    fn lines(&self) -> usize {
        self.axes[0].output * self.axes[1].output
    }

    /// Lines of a band.
    fn band_lines(&self) -> usize {
        let width = self.axes[2].output;
        let line = width.saturating_mul(self.columns() * size_of::<f32>());
        (BAND_BYTES / line).max(FEW_ROWS.div_ceil(width))
    }

    fn weight_layout(&self) -> WeightLayout {
        let k = self.channels;
        WeightLayout {
            n: self.columns(),
            segments: 1,
            segment_len: k,
            column_stride: k,
            k_stride: 1,
        }
    }

    /// Bytes of memory that a transposed convolution holds.
    pub fn byte_len(&self) -> usize {
        self.weight_layout().byte_len()
    }

    /// Bytes of products of a band.
    fn products_len(&self, images: usize) -> usize {
        let lines = self.band_lines().min(images.saturating_mul(self.lines()));
        let line = self.axes[2].output.saturating_mul(self.columns() * size_of::<f32>());
        lines.saturating_mul(line).checked_next_multiple_of(64).unwrap_or(usize::MAX)
    }

    /// Bytes of scratch memory that [`Transposed::run`] needs for `images` images with weights packed for
    /// `isa`.
    pub fn scratch_len(&self, isa: Isa, images: usize) -> usize {
        let lines = self.band_lines().min(images.saturating_mul(self.lines()));
        let (rows, row_bytes) = (lines * self.axes[2].output, self.channels * size_of::<f32>());
        let pointers = self.weight_layout().scratch_len(isa, rows, row_bytes);
        self.products_len(images).saturating_add(pointers)
    }

    /// The outermost axis that is not trivial, lines of each of its input positions, and elements of each
    /// of its output positions: outputs become final along it.
    fn progress(&self) -> (Axis, usize, usize) {
        let [z, y, x] = self.axes;
        let row = x.input * self.output_channels;
        if (z.input, z.taps) == (1, 1) { (y, 1, row) } else { (z, y.output, y.input * row) }
    }

    /// How many output elements the first `lines` lines reach.
    fn reached(&self, lines: usize) -> usize {
        let (axis, per_position, unit) = self.progress();
        let Some(last) = lines.checked_sub(1).map(|line| line / per_position) else { return 0 };
        let end = last * axis.stride + (axis.taps - 1) * axis.dilation + 1;
        let end = end.saturating_sub(axis.before).min(axis.input) * unit;
        end.max(self.finished(lines))
    }

    /// How many output elements are final when the first `lines` lines have been added.
    fn finished(&self, lines: usize) -> usize {
        let (axis, per_position, unit) = self.progress();
        let positions = lines / per_position;
        let end = if positions == axis.output {
            axis.input
        } else {
            (positions * axis.stride).saturating_sub(axis.before).min(axis.input)
        };
        end * unit
    }

    /// Every output row that a line reaches, and which products of each position go there.
    fn rows_of(&self, line: usize) -> impl Iterator<Item = (Range<usize>, Range<usize>)> {
        let [z, y, x] = self.axes;
        let (row, run) = (x.input * self.output_channels, x.taps * self.output_channels);
        (0..z.taps * y.taps).filter_map(move |tap| {
            let oz = z.source(line / y.output, tap / y.taps)?;
            let oy = y.source(line % y.output, tap % y.taps)?;
            let (to, from) = ((oz * y.input + oy) * row, tap * run);
            Some((to..to + row, from..from + run))
        })
    }
}

impl Transposed {
    /// Packs `weights` `[taps, output channels, channels]`. Without `bias` it is zero.
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
        let n = geometry.output_channels;
        let bias = bias.map_or_else(|| vec![0.0; n], |bias| bias[..n].to_vec());
        // Where tiles do not overlap, the product does everything.
        let tiles = geometry.is_tiling().then(|| bias.repeat(geometry.taps()));
        let layout = geometry.weight_layout();
        let weights = PackedWeights::new(isa, arithmetic, layout, weights, tiles.as_deref());
        let mut repeated = n;
        while !repeated.is_multiple_of(LANES) {
            repeated += n;
        }
        Self { geometry, weights, bias: bias.repeat(repeated / n) }
    }

    /// Spreads images `[d, h, w, channels]` into `output`, one `[d, h, w, output channels]` after another,
    /// and unites each image's extremes with its entry of `observed`. Calls `after` as
    /// [`multiply`] does, with blocks of whole rows.
    ///
    /// # Panics
    /// If a buffer's length is not what the shapes say, or the scratch memory is too small or not
    /// aligned to 8 bytes.
    #[allow(clippy::too_many_arguments)]
    pub fn run(
        &self,
        isa: Isa,
        images: &[&[f32]],
        clamp: Clamp,
        output: &mut [f32],
        observed: &mut [Observation],
        mut after: Option<After<'_>>,
        scratch: &mut [u8],
    ) {
        let Self { geometry, weights, .. } = self;
        let (input_len, output_len) = (geometry.input_len(), geometry.output_len());
        assert!(images.iter().all(|image| image.len() == input_len), "input lengths");
        assert_eq!(output.len(), images.len() * output_len, "output length");
        assert_eq!(observed.len(), images.len(), "one observation an image");
        let (products, pointers) = scratch.split_at_mut(geometry.products_len(images.len()));
        let products: &mut [f32] = bytemuck::cast_slice_mut(products);
        let (lines, band_lines) = (geometry.lines(), geometry.band_lines());
        let row = geometry.axes[2].output;
        let is_tiling = geometry.is_tiling();
        let product_clamp = if is_tiling { clamp } else { Clamp::NONE };
        // Several whole images, or some lines of one.
        let at_once = (band_lines / lines).max(1);
        for (group, images) in images.chunks(at_once).enumerate() {
            for first in (0..lines).step_by(band_lines) {
                let band = first..lines.min(first + band_lines);
                let (rows, k) = (band.len() * row, geometry.channels);
                let parts: SmallVec<[&[f32]; 64]> =
                    images.iter().map(|image| &image[first * row * k..][..rows * k]).collect();
                let products = &mut products[..parts.len() * rows * geometry.columns()];
                let mut seen = SmallVec::<[_; 64]>::from_elem(Observation::EMPTY, parts.len());
                multiply(
                    weights,
                    matrix_rows(&parts, rows, k),
                    product_clamp,
                    Target { values: products, row_stride: geometry.columns(), column: 0 },
                    &mut seen,
                    None,
                    pointers,
                );
                let products = products.chunks_exact(rows * geometry.columns());
                for (i, (products, seen)) in products.zip(seen).enumerate() {
                    let image = group * at_once + i;
                    let start = image * output_len;
                    let output = &mut output[start..][..output_len];
                    let finished = geometry.finished(band.start)..geometry.finished(band.end);
                    let seen = if is_tiling {
                        geometry.lay(band.clone(), products, output);
                        let is_rare = seen.needs_rescan();
                        if is_rare { minmax::scan(isa, products) } else { seen }
                    } else {
                        let reached = geometry.reached(band.start)..geometry.reached(band.end);
                        output[reached].fill(0.0);
                        isa.dispatch(Add { geometry, band: band.clone(), products, output });
                        let values = &mut output[finished.clone()];
                        let seen = isa.dispatch(Finish { bias: &self.bias, clamp, values });
                        if seen.needs_rescan() { minmax::scan(isa, values) } else { seen }
                    };
                    observed[image] = observed[image].union(seen);
                    if let Some(after) = &mut after {
                        // What is finished need not be what this band's extremes are of.
                        let at = start + finished.start;
                        after.call(at, &mut output[finished], Observation::ANY);
                    }
                }
            }
        }
    }
}

impl Geometry {
    /// Copies finished products of the lines of a band to where they belong.
    fn lay(&self, band: Range<usize>, products: &[f32], output: &mut [f32]) {
        let columns = self.columns();
        let lines = products.chunks_exact(self.axes[2].output * columns);
        for (line, products) in band.zip(lines) {
            for (to, from) in self.rows_of(line) {
                let to = output[to].chunks_exact_mut(from.len());
                for (to, position) in to.zip(products.chunks_exact(columns)) {
                    to.copy_from_slice(&position[from.clone()]);
                }
            }
        }
    }
}

/// Adds the products of the lines of a band to the output.
struct Add<'a> {
    geometry: &'a Geometry,
    band: Range<usize>,
    products: &'a [f32],
    output: &'a mut [f32],
}

impl Task for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { geometry, band, products, output } = self;
        let (x, n, columns) = (geometry.axes[2], geometry.output_channels, geometry.columns());
        // Taps side by side are one run.
        let (runs, run) = if x.dilation == 1 { (1, x.taps * n) } else { (x.taps, n) };
        let before = x.before * n;
        for (line, products) in band.zip(products.chunks_exact(x.output * columns)) {
            for (to, from) in geometry.rows_of(line) {
                let row = &mut output[to];
                for (ix, position) in products.chunks_exact(columns).enumerate() {
                    let taps = position[from.clone()].chunks_exact(run);
                    for (tap, from) in (0..runs).zip(taps) {
                        let at = (ix * x.stride + tap * x.dilation) * n;
                        let cut = before.saturating_sub(at).min(run);
                        let to = row.get_mut((at + cut).saturating_sub(before)..);
                        for (to, &product) in to.unwrap_or_default().iter_mut().zip(&from[cut..]) {
                            *to += product;
                        }
                    }
                }
            }
        }
    }
}

/// Adds the bias, clamps, folds the extremes.
struct Finish<'a> {
    bias: &'a [f32],
    clamp: Clamp,
    values: &'a mut [f32],
}

impl Task for Finish<'_> {
    type Output = Observation;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Observation {
        let mut folds = [Fold::new(s); 2];
        let bias = self.bias.as_chunks::<LANES>().0;
        for values in self.values.chunks_mut(self.bias.len()) {
            for (i, (values, bias)) in values.chunks_mut(LANES).zip(bias).enumerate() {
                let v = self.clamp.apply(s, s.add(s.load_up_to(values), s.load(bias)));
                folds[i % 2].push_first(s, v, values.len());
                s.store_up_to(v, values);
            }
        }
        folds[0].join(s, folds[1]);
        folds[0].finish(s)
    }
}

/// `weights` `[n, taps, k]` as `[taps, n, k]`.
pub fn taps_outermost(weights: &[f32], n: usize, taps: usize, k: usize) -> AlignedBuffer {
    let mut buffer = AlignedBuffer::zeroed(size_of_val(weights));
    for (i, to) in buffer.as_mut_slice::<f32>().chunks_exact_mut(k.max(1)).enumerate() {
        let (tap, column) = (i / n, i % n);
        to.copy_from_slice(&weights[(column * taps + tap) * k..][..k]);
    }
    buffer
}

#[cfg(test)]
mod tests;
