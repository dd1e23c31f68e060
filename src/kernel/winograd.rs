//! 3x3 convolution of stride 1 with fewer multiplications: Winograd's F(4x4, 3x3).
//!
//! An output tile of 4x4 positions comes from an input tile of 6x6. Both the input tile `d` and the
//! filter `g` are evaluated at six points in each direction; a product of matrices over the channels
//! at each of the 36 pairs of points, and interpolation, give the outputs: 36 multiplications in place
//! of 144 (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016):
//!
//! `y = at [ (g_points filter g_points') * (bt d bt') ] at'`
//!
//! The points are 0, +-3/4, +-3/2 and infinity. All coefficients of `bt` and `at` are exact in `f32`,
//! and the error is about a quarter of that with the usual points 0, +-1, +-2 (compare Barabasz et
//! al., "Error Analysis and Improving the Accuracy of Winograd Convolution", 2020). The order of
//! all operations is fixed; tiles do not influence each other, so neither the number of images nor
//! cache blocks change a bit.

use std::sync::Arc;

pub use self::filters::Filters;
use super::gemm::{Clamp, Target, WeightLayout, matrix_rows, multiply};
use super::isa::{Isa, Task};
use super::minmax::Fold;
use super::simd::tiles::Panels;
use super::simd::{LANES, Simd};
use super::window::Window;
use crate::observation::Observation;

/// Output positions of a tile, each way.
const TILE: usize = 4;

/// Input positions and points of a tile, each way.
const POINTS: usize = 6;

/// Pairs of points.
const PAIRS: usize = POINTS * POINTS;

/// The points that are neither zero nor infinity are plus and minus these.
const A: f32 = 0.75;
const B: f32 = 1.5;

/// What both transforms of a tile take per channel, in multiply-adds: measured.
const TRANSFORM_COST: usize = 300;

/// Bytes of transformed inputs and products that a block of tiles should occupy.
const BLOCK_BYTES: usize = 768 * 1024;

/// Fewest tiles of a block: what it takes to read the weights no more often than they can be read.
const FEWEST_TILES: usize = 42;

/// The same where products take half the time.
const FEWEST_TILES_WIDE: usize = 84;

/// A convolution with transformed weights.
#[derive(Debug)]
pub struct Winograd {
    geometry: Geometry,
    isa: Isa,
    filters: Arc<Filters>,
}

/// What a convolution's memory depends on: everything but its weights.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    window: Window,
    channels: usize,
    output_channels: usize,
}

impl Geometry {
    /// A window over images of `channels`, if this algorithm computes it, and in less time than a
    /// direct convolution. That depends on nothing but shapes, so that the result is the same everywhere.
    pub fn new(window: Window, channels: usize, output_channels: usize) -> Option<Self> {
        let Window { y, x } = window;
        let is_3x3 = [y, x].iter().all(|it| (it.taps, it.stride, it.dilation) == (3, 1, 1));
        let whole = channels.is_multiple_of(LANES) && output_channels.is_multiple_of(LANES);
        let geometry = Self { window, channels, output_channels };
        if !is_3x3 || !whole || channels == 0 || output_channels == 0 {
            return None;
        }
        let direct = y.output * x.output * 9 * channels * output_channels;
        (geometry.multiply_adds() * 5 < direct * 4).then_some(geometry)
    }

    /// Multiply-adds for one image, and what the transforms take, in the same unit.
    pub fn multiply_adds(&self) -> usize {
        let Self { channels, output_channels, .. } = *self;
        let transforms = TRANSFORM_COST * (channels + output_channels);
        self.tiles() * (PAIRS * channels * output_channels + transforms)
    }

    /// Tiles of an image.
    fn tiles(&self) -> usize {
        self.window.y.output.div_ceil(TILE) * self.tiles_across()
    }

    fn tiles_across(&self) -> usize {
        self.window.x.output.div_ceil(TILE)
    }

    fn input_len(&self) -> usize {
        self.window.y.input * self.window.x.input * self.channels
    }

    fn output_len(&self) -> usize {
        self.window.y.output * self.window.x.output * self.output_channels
    }

    /// Tiles of a block at most, when there are `tiles` in all.
    fn most_tiles(&self, isa: Isa, tiles: usize) -> usize {
        let bytes = PAIRS * (self.channels + self.output_channels) * size_of::<f32>();
        let fewest = if matches!(isa.panels(), Panels::Wide | Panels::Two) {
            FEWEST_TILES_WIDE
        } else {
            FEWEST_TILES
        };
        (BLOCK_BYTES / bytes).max(fewest).min(tiles)
    }

    /// Tiles of a block: as few blocks as can be, of one size.
    fn block_tiles(&self, isa: Isa, tiles: usize) -> usize {
        let blocks = tiles.div_ceil(self.most_tiles(isa, tiles).max(1));
        tiles.div_ceil(blocks.max(1))
    }

    /// Elements from one pair of points to the next; a line more than needed, since powers of two
    /// would put all of them into the same few places of a cache.
    fn pair_stride(tiles: usize, channels: usize) -> usize {
        tiles * channels + LANES
    }

    fn points_len(&self, block: usize) -> usize {
        PAIRS * Self::pair_stride(block, self.channels)
    }

    fn products_len(&self, block: usize) -> usize {
        PAIRS * Self::pair_stride(block, self.output_channels)
    }

    fn weight_layout(&self) -> WeightLayout {
        WeightLayout {
            n: self.output_channels,
            segments: 1,
            segment_len: self.channels,
            column_stride: 1,
            k_stride: self.output_channels,
        }
    }

    fn row_bytes(&self) -> usize {
        self.channels * size_of::<f32>()
    }

    /// Bytes of scratch memory that [`Winograd::run`] needs for `images` images with weights packed for
    /// `isa`.
    pub fn scratch_len(&self, isa: Isa, images: usize) -> usize {
        // Fewer images never need more.
        let block = self.most_tiles(isa, images * self.tiles());
        let floats = self.points_len(block) + self.products_len(block);
        let pointers = self.weight_layout().scratch_len(isa, block, self.row_bytes());
        (floats * size_of::<f32>()).next_multiple_of(64) + pointers
    }

    /// Bytes of memory that a convolution holds.
    pub fn byte_len(&self) -> usize {
        let vectors = self.channels + self.output_channels;
        PAIRS * self.weight_layout().byte_len() + vectors * size_of::<f32>()
    }
}

impl Winograd {
    /// Transforms and packs `weights` `[output channels, 3, 3, channels]`.
    ///
    /// # Panics
    /// If the buffers are shorter than the shapes say.
    pub fn new(isa: Isa, geometry: Geometry, weights: &[f32], bias: Option<&[f32]>) -> Self {
        Self::with(isa, geometry, Arc::new(Filters::new(isa, geometry, weights, bias)))
    }

    /// With weights that have been transformed for as many channels.
    pub fn with(isa: Isa, geometry: Geometry, filters: Arc<Filters>) -> Self {
        Self { geometry, isa, filters }
    }

    /// Convolves images `[h, w, channels]` into `output`, one `[h, w, output channels]` after
    /// another, and unites each image's extremes, as [`multiply`] folds them, with `observed`.
    ///
    /// # Panics
    /// If a buffer's length is not what the shapes say, or the scratch memory is too small or not
    /// aligned to 8 bytes.
    pub fn run(
        &self,
        inputs: &[&[f32]],
        clamp: Clamp,
        output: &mut [f32],
        observed: &mut [Observation],
        scratch: &mut [u8],
    ) {
        let geometry = &self.geometry;
        let tiles = geometry.tiles();
        assert!(inputs.iter().all(|input| input.len() == geometry.input_len()), "input lengths");
        assert_eq!(output.len(), inputs.len() * geometry.output_len(), "output length");
        assert_eq!(observed.len(), inputs.len(), "one observation an image");
        let all = inputs.len() * tiles;
        let block = geometry.block_tiles(self.isa, all);
        let (points_len, products_len) = (geometry.points_len(block), geometry.products_len(block));
        let bytes = ((points_len + products_len) * size_of::<f32>()).next_multiple_of(64);
        let (floats, pointers) = scratch.split_at_mut(bytes);
        let floats: &mut [f32] = bytemuck::cast_slice_mut(floats);
        let (points, products) = floats.split_at_mut(points_len);
        let products = &mut products[..products_len];
        for first in (0..all).step_by(block.max(1)) {
            let block = Block { first, len: block.min(all - first), stride: block };
            self.isa.dispatch(Evaluate { winograd: self, inputs, block, points });
            self.multiply_points(block, points, products, pointers);
            let (output, observed) = (&mut *output, &mut *observed);
            let products = &*products;
            self.isa.dispatch(Interpolate {
                winograd: self,
                block,
                products,
                clamp,
                output,
                observed,
            });
        }
    }

    fn multiply_points(
        &self,
        block: Block,
        points: &[f32],
        products: &mut [f32],
        pointers: &mut [u8],
    ) {
        let Geometry { channels, output_channels, .. } = self.geometry;
        let input = points.chunks_exact(Geometry::pair_stride(block.stride, channels));
        let output =
            products.chunks_exact_mut(Geometry::pair_stride(block.stride, output_channels));
        for (i, (input, values)) in input.zip(output).take(PAIRS).enumerate() {
            let following = self.filters.weights.get((i + 1) % PAIRS);
            let weights = self.filters.weights.get(i).followed_by(following);
            let images = [input];
            let rows = matrix_rows(&images, block.len, channels);
            let target = Target { values, row_stride: output_channels, column: 0 };
            // Products are no elements of a tensor: what is folded of them says nothing.
            let mut unused = [Observation::EMPTY];
            multiply(weights, rows, Clamp::NONE, target, &mut unused, None, pointers);
        }
    }
}

/// Tiles that are computed together, counted through all images.
#[derive(Clone, Copy)]
struct Block {
    first: usize,
    len: usize,
    /// Tiles that there is room for.
    stride: usize,
}

/// Where a tile is.
struct Place {
    image: usize,
    /// First output row and column.
    y: usize,
    x: usize,
}

impl Geometry {
    fn place(&self, tile: usize) -> Place {
        let (image, tile) = (tile / self.tiles(), tile % self.tiles());
        let across = self.tiles_across();
        Place { image, y: tile / across * TILE, x: tile % across * TILE }
    }
}

/// What an expression is for each of the [`POINTS`]; loops would be compiled to loops over memory.
macro_rules! each {
    ($i:ident => $value:expr) => {
        each!(@ $i $value, 0 1 2 3 4 5)
    };
    (@ $i:ident $value:expr, $($at:literal)*) => {
        [$({
            let $i: usize = $at;
            $value
        }),*]
    };
}

/// Evaluates input tiles at the points.
struct Evaluate<'a> {
    winograd: &'a Winograd,
    inputs: &'a [&'a [f32]],
    block: Block,
    points: &'a mut [f32],
}

impl Task for Evaluate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let geometry = &self.winograd.geometry;
        let Geometry { window: Window { y, x }, channels, .. } = *geometry;
        let zeros: &[f32] = self.winograd.filters.zeros.as_slice();
        let pair_stride = Geometry::pair_stride(self.block.stride, channels);
        assert!(self.points.len() >= PAIRS * pair_stride && zeros.len() >= channels);
        for tile in 0..self.block.len {
            let place = geometry.place(self.block.first + tile);
            let input = self.inputs[place.image];
            let mut from = [[zeros.as_ptr(); POINTS]; POINTS];
            for (i, row) in from.iter_mut().enumerate() {
                let Some(iy) = y.source(place.y, i) else { continue };
                for (j, from) in row.iter_mut().enumerate() {
                    if let Some(ix) = x.source(place.x, j) {
                        *from = input[(iy * x.input + ix) * channels..][..channels].as_ptr();
                    }
                }
            }
            let to = self.points[tile * channels..].as_mut_ptr();
            for channel in (0..channels).step_by(LANES) {
                // SAFETY: every pointer of `from` is to `channels` values, whole vectors; `to` is
                // inside the first pair's tiles, and there is room for all pairs.
                unsafe { evaluate_tile(s, &from, channel, to.add(channel), pair_stride) };
            }
        }
    }
}

/// Sixteen channels of one tile.
///
/// # Safety
/// All of `from` must be readable for 16 values from `channel` on; `to` must be writable for 16 values
/// at each of the first 36 multiples of `pair_stride`.
#[inline(always)]
unsafe fn evaluate_tile<S: Simd>(
    s: S,
    from: &[[*const f32; POINTS]; POINTS],
    channel: usize,
    to: *mut f32,
    pair_stride: usize,
) {
    // SAFETY: as for this function.
    unsafe {
        let half = each!(j => evaluate(s, each!(i => s.load_ptr(from[i][j].add(channel)))));
        each!(i => {
            let row = evaluate(s, each!(j => half[j][i]));
            let to = to.add(i * POINTS * pair_stride);
            each!(j => s.store_ptr(row[j], to.add(j * pair_stride)))
        });
    }
}

/// `bt d`: the polynomials that vanish at all points but one, in even and odd parts.
#[inline(always)]
fn evaluate<S: Simd>(s: S, d: [S::V; POINTS]) -> [S::V; POINTS] {
    const AA: f32 = A * A;
    const BB: f32 = B * B;
    let (minus_aa, minus_bb) = (s.splat(-AA), s.splat(-BB));
    let (product, minus_sum) = (s.splat(AA * BB), s.splat(-(AA + BB)));
    let even_a = s.fma(minus_bb, d[2], d[4]);
    let odd_a = s.fma(minus_bb, d[1], d[3]);
    let even_b = s.fma(minus_aa, d[2], d[4]);
    let odd_b = s.fma(minus_aa, d[1], d[3]);
    [
        s.fma(product, d[0], s.fma(minus_sum, d[2], d[4])),
        s.fma(s.splat(A), odd_a, even_a),
        s.fma(s.splat(-A), odd_a, even_a),
        s.fma(s.splat(B), odd_b, even_b),
        s.fma(s.splat(-B), odd_b, even_b),
        s.fma(product, d[1], s.fma(minus_sum, d[3], d[5])),
    ]
}

/// Interpolates products to output tiles.
struct Interpolate<'a> {
    winograd: &'a Winograd,
    block: Block,
    products: &'a [f32],
    clamp: Clamp,
    output: &'a mut [f32],
    observed: &'a mut [Observation],
}

impl Task for Interpolate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let geometry = &self.winograd.geometry;
        let Geometry { window: Window { y, x }, output_channels: n, .. } = *geometry;
        let bias: &[f32] = self.winograd.filters.bias.as_slice();
        let pair_stride = Geometry::pair_stride(self.block.stride, n);
        assert!(self.products.len() >= PAIRS * pair_stride && bias.len() >= n);
        let mut fold = Fold::new(s);
        let mut image = self.block.first / geometry.tiles();
        for tile in 0..self.block.len {
            let place = geometry.place(self.block.first + tile);
            if place.image != image {
                self.observed[image] = self.observed[image].union(fold.finish(s));
                (fold, image) = (Fold::new(s), place.image);
            }
            let (rows, columns) = ((y.output - place.y).min(TILE), (x.output - place.x).min(TILE));
            let start = image * geometry.output_len() + (place.y * x.output + place.x) * n;
            let last = start + ((rows - 1) * x.output + columns) * n;
            let to = self.output[start..last].as_mut_ptr();
            let from = self.products[tile * n..].as_ptr();
            for channel in (0..n).step_by(LANES) {
                // SAFETY: `from` is inside the first pair's tiles, and all pairs are there; bias and
                // channels are whole vectors; the slice above ends with the last position.
                unsafe {
                    let bias = s.load_ptr(bias.as_ptr().add(channel));
                    let tile = interpolate_tile(s, from.add(channel), pair_stride);
                    let to = to.add(channel);
                    if (rows, columns) == (TILE, TILE) {
                        each!(@ i {
                            let to = to.add(i * x.output * n);
                            each!(@ j {
                                let v = self.clamp.apply(s, s.add(tile[i][j], bias));
                                fold.push(s, v);
                                s.store_ptr(v, to.add(j * n));
                            }, 0 1 2 3)
                        }, 0 1 2 3);
                        continue;
                    }
                    for (i, row) in tile.into_iter().enumerate().take(rows) {
                        for (j, v) in row.into_iter().enumerate().take(columns) {
                            let v = self.clamp.apply(s, s.add(v, bias));
                            fold.push(s, v);
                            s.store_ptr(v, to.add((i * x.output + j) * n));
                        }
                    }
                }
            }
        }
        self.observed[image] = self.observed[image].union(fold.finish(s));
    }
}

/// Sixteen channels of one tile.
///
/// # Safety
/// `from` must be readable for 16 values at each of the first 36 multiples of `pair_stride`.
#[inline(always)]
unsafe fn interpolate_tile<S: Simd>(
    s: S,
    from: *const f32,
    pair_stride: usize,
) -> [[S::V; TILE]; TILE] {
    // SAFETY: as for this function.
    let half = unsafe {
        each!(j => interpolate(
            s,
            each!(i => s.load_ptr(from.add((i * POINTS + j) * pair_stride))),
        ))
    };
    each!(@ i interpolate(s, each!(j => half[j][i])), 0 1 2 3)
}

/// `at m`: sums over the points, weighted by their powers.
#[inline(always)]
fn interpolate<S: Simd>(s: S, m: [S::V; POINTS]) -> [S::V; TILE] {
    let (even_a, odd_a) = (s.add(m[1], m[2]), s.sub(m[1], m[2]));
    let (even_b, odd_b) = (s.add(m[3], m[4]), s.sub(m[3], m[4]));
    [
        s.add(m[0], s.add(even_a, even_b)),
        s.fma(s.splat(A), odd_a, s.mul(s.splat(B), odd_b)),
        s.fma(s.splat(A * A), even_a, s.mul(s.splat(B * B), even_b)),
        s.fma(s.splat(A * A * A), odd_a, s.fma(s.splat(B * B * B), odd_b, m[5])),
    ]
}

mod filters;
#[cfg(test)]
mod tests;
