//! Matrix products whose left rows are read in place, segment by segment.
//!
//! `c[m][n] = clamp(bias[n] + sum over k of a[m][k] * w[n][k])`, where row `m` of `a` is a sequence
//! of equally long segments somewhere in the input: one segment for a plain matrix, one per filter
//! tap for a convolution. No im2col buffer is ever made.
//!
//! Every element is summed in one fixed order: [`SUM_BLOCK`] terms at a time from zero, in ascending
//! `k`, one fused multiply-add each (but see [`Arithmetic::Reference`]); the blocks' sums are added in
//! order, the bias last. Columns run across lanes. The result therefore does not depend on tiles, cache blocks or the instruction set.
//! Summing by blocks keeps the rounding error of long sums down (Higham, "The Accuracy of Floating
//! Point Summation", 1993).

use std::ops::Range;

use smallvec::SmallVec;

use self::pack::Pack;
use self::panels::Panel;
pub(super) use self::set::PackedSet;
use self::strip::{Next, Strip};
use super::isa::Isa;
use super::minmax;
use super::simd::tiles::{Ending, Piece};
use super::simd::{LANES, Simd};
use crate::arithmetic::Arithmetic;
use crate::observation::Observation;
use crate::tensor::AlignedBuffer;

/// Bytes of left rows that a block of rows should occupy: a share of a small second-level cache,
/// beside a panel of weights.
const ROW_BLOCK_BYTES: usize = 192 * 1024;

/// Terms that are summed from zero before they are added to the total.
pub const SUM_BLOCK: usize = 320;

/// A row offset that stands for a segment of zeros.
pub const ZEROS: usize = usize::MAX;

/// Added to an offset in [`Rows::edges`].
pub const EDGES: usize = 1 << (usize::BITS - 1);

/// Lower and upper bound of a fused activation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clamp {
    /// Results below are raised to this.
    pub low: f32,
    /// Results above are lowered to this.
    pub high: f32,
}

impl Clamp {
    /// Leaves every value as it is.
    pub const NONE: Self = Self { low: f32::NEG_INFINITY, high: f32::INFINITY };

    /// The value within the bounds; NaN stays.
    #[inline(always)]
    pub(crate) fn apply<S: Simd>(self, s: S, v: S::V) -> S::V {
        // The second operand wins when it is NaN.
        s.min(s.splat(self.high), s.max(s.splat(self.low), v))
    }

    /// Lowers results to the upper bound; NaN stays.
    #[inline(always)]
    pub(super) fn lower<S: Simd>(self, s: S, results: &mut [f32]) {
        let high = s.splat(self.high);
        for few in results.chunks_mut(LANES) {
            s.store_up_to(s.min(high, s.load_up_to(few)), few);
        }
    }

    /// What has to be done to results of a tensor of which `observed` is known.
    #[inline(always)]
    pub(super) fn ending(self, observed: Observation) -> Ending {
        let Self { low, high } = self;
        // Without observations, what is known costs nothing.
        let is_low_known = cfg!(feature = "unobserved") || observed.min <= low;
        let is_high_seen = cfg!(feature = "unobserved") || observed.max >= high;
        match self {
            Self::NONE => Ending::Plain,
            _ if low == f32::NEG_INFINITY || !is_low_known => Ending::Clamped,
            _ if high < f32::INFINITY && is_high_seen => Ending::LowKnown,
            // Most often no result is above the bound. The largest is folded, and says so afterwards.
            _ => Ending::LowKnownOnly,
        }
    }
}

/// The right matrix, packed into panels of a tile's width in memory of its own.
#[derive(Debug)]
pub struct PackedWeights {
    isa: Isa,
    arithmetic: Arithmetic,
    layout: WeightLayout,
    memory: AlignedBuffer,
}

/// The right matrix, packed into memory that somebody else holds.
#[derive(Clone, Copy, Debug)]
pub struct Packed<'a> {
    isa: Isa,
    arithmetic: Arithmetic,
    layout: WeightLayout,
    /// Panel after panel; in a panel, row `k` has the columns' weights side by side, padded by
    /// zeros to whole vectors.
    panels: &'a [f32],
    /// One value a padded column.
    bias: &'a [f32],
    /// One segment of zeros.
    zeros: &'a [f32],
    /// What will be read after the last panel.
    next: &'a [f32],
}

/// Where the elements of the right matrix stand in an unpacked buffer.
#[derive(Clone, Copy, Debug)]
pub struct WeightLayout {
    /// Number of columns of the result.
    pub n: usize,
    /// Number of segments of a left row.
    pub segments: usize,
    /// Elements in a segment.
    pub segment_len: usize,
    /// Distance of two columns.
    pub column_stride: usize,
    /// Distance of two successive `k`.
    pub k_stride: usize,
}

impl WeightLayout {
    /// Of a matrix `[n, k]` whose rows are the columns' weights, as fully connected layers have it.
    pub fn of_rows(n: usize, k: usize) -> Self {
        Self { n, segments: 1, segment_len: k, column_stride: k, k_stride: 1 }
    }

    /// Elements of a left row.
    fn k(&self) -> usize {
        self.segments * self.segment_len
    }

    /// Bytes of memory that weights packed so hold, in whole cache lines; `usize::MAX` if they are too
    /// many to count.
    pub fn byte_len(&self) -> usize {
        let elements = self.parts().into_iter().fold(0, usize::saturating_add);
        elements.saturating_mul(size_of::<f32>()).checked_next_multiple_of(64).unwrap_or(usize::MAX)
    }

    /// Elements of the panels, the bias and the segment of zeros.
    fn parts(&self) -> [usize; 3] {
        let padded = self.n.next_multiple_of(LANES);
        [self.k().saturating_mul(padded), padded, self.segment_len]
    }

    /// Bytes of scratch memory that [`multiply`] needs for `rows` rows with weights packed so.
    pub fn scratch_len(&self, isa: Isa, rows: usize, row_bytes: usize) -> usize {
        // Room for the row pointers of a block, and the pieces of a row.
        let rows = PackedWeights::block_rows(isa, rows, row_bytes);
        rows * self.segments * size_of::<*const f32>() + self.most_pieces() * size_of::<Piece>()
    }

    /// Bytes of results of a block when [`multiply`] is called with something that follows.
    pub fn block_len(&self, isa: Isa, rows: usize, row_bytes: usize) -> usize {
        let row = self.n * size_of::<f32>();
        PackedWeights::block_rows(isa, rows, row_bytes + row) * row
    }
}

impl PackedWeights {
    /// Packs `weights` for `isa`. Without `bias` it is zero.
    ///
    /// # Panics
    /// If `weights` or `bias` are shorter than the layout says.
    pub fn new(
        isa: Isa,
        arithmetic: Arithmetic,
        layout: WeightLayout,
        weights: &[f32],
        bias: Option<&[f32]>,
    ) -> Self {
        let mut memory = AlignedBuffer::zeroed(layout.byte_len());
        Packed::pack(isa, arithmetic, layout, weights, bias, memory.bytes_mut());
        Self { isa, arithmetic, layout, memory }
    }

    /// Number of columns of the result.
    pub fn columns(&self) -> usize {
        self.layout.n
    }

    /// Rows of a block, whole tiles, when a row brings `row_bytes` new bytes into the cache.
    fn block_rows(isa: Isa, rows: usize, row_bytes: usize) -> usize {
        let (tile_rows, _) = isa.tile();
        let fitting = (ROW_BLOCK_BYTES / row_bytes.max(1)).max(8 * tile_rows);
        // The widest tiles have another number of rows.
        let whole = tile_rows * isa.widest_tile_rows().unwrap_or(1);
        fitting.min(rows.max(1)).div_ceil(whole) * whole
    }

    /// Bytes of scratch memory that [`multiply`] needs for `rows` rows.
    pub fn scratch_len(&self, rows: usize, row_bytes: usize) -> usize {
        self.layout.scratch_len(self.isa, rows, row_bytes)
    }
}

impl<'a> From<&'a PackedWeights> for Packed<'a> {
    fn from(weights: &'a PackedWeights) -> Self {
        let PackedWeights { isa, arithmetic, layout, ref memory } = *weights;
        Self::view(isa, arithmetic, layout, memory.as_slice())
    }
}

impl<'a> Packed<'a> {
    /// As [`PackedWeights::new`], into memory of at least [`WeightLayout::byte_len`] bytes.
    ///
    /// # Panics
    /// If `weights`, `bias` or `memory` are shorter than the layout says, or `memory` does not start on a
    /// boundary of 4 bytes.
    pub fn pack(
        isa: Isa,
        arithmetic: Arithmetic,
        layout: WeightLayout,
        weights: &[f32],
        bias: Option<&[f32]>,
        memory: &'a mut [u8],
    ) -> Self {
        let memory = bytemuck::cast_slice_mut(&mut memory[..layout.byte_len()]);
        let (panels, rest) = memory.split_at_mut(layout.parts()[0]);
        isa.dispatch(Pack { isa, layout, weights, panels });
        rest.fill(0.0);
        if let Some(bias) = bias {
            rest[..layout.n].copy_from_slice(&bias[..layout.n]);
        }
        Self::view(isa, arithmetic, layout, memory)
    }

    /// The same, when a product with `other` comes next: its first panel is fetched meanwhile.
    #[must_use]
    pub fn followed_by(self, other: Packed<'a>) -> Self {
        Self { next: other.first_panel(), ..self }
    }

    fn first_panel(&self) -> &'a [f32] {
        let width = self.layout.panels(self.isa).next().map_or(0, |panel| panel.width());
        &self.panels[..width * self.layout.k()]
    }

    /// The instructions that it is packed for.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// The parts of packed memory.
    fn view(isa: Isa, arithmetic: Arithmetic, layout: WeightLayout, memory: &'a [f32]) -> Self {
        let [panels, bias, zeros] = layout.parts();
        let (panels, rest) = memory.split_at(panels);
        let (bias, rest) = rest.split_at(bias);
        Self { isa, arithmetic, layout, panels, bias, zeros: &rest[..zeros], next: &[] }
    }
}

/// Where results go: the rows of one image after those of another.
#[derive(Debug)]
pub struct Target<'a> {
    /// The whole output; with something that follows, a [block](WeightLayout::block_len) suffices, in
    /// which there is one block after another.
    pub values: &'a mut [f32],
    /// Elements between two rows.
    pub row_stride: usize,
    /// First column.
    pub column: usize,
}

/// The left matrix: rows that lie, segment by segment, somewhere in images that are alike.
#[derive(Clone, Copy)]
pub struct Rows<'a, F> {
    /// What the segments lie in.
    pub images: &'a [&'a [f32]],
    /// What further segments lie in.
    pub edges: &'a [f32],
    /// Number of rows of an image: so many lines, each of so many.
    pub lines: (usize, usize),
    /// How many bytes a further row brings into the cache: a hint for blocking.
    pub row_bytes: usize,
    /// `offsets((y, x), segments)` stores where each segment of row `x` of line `y` starts, or
    /// [`ZEROS`], or [`EDGES`] and an offset in the edges, and returns for how many rows of the line, this one included, [`step`](Self::step)
    /// holds; more than there are is the line's end.
    pub offsets: F,
    /// By how much every offset but [`ZEROS`] grows from one row of a line to the next; only the first
    /// of such rows is asked for.
    pub step: usize,
}

/// Rows of matrices `[rows, k]`, one segment each.
pub fn matrix_rows<'a>(
    images: &'a [&'a [f32]],
    rows: usize,
    k: usize,
) -> Rows<'a, impl Fn((usize, usize), &mut [usize]) -> usize> {
    let offsets = move |(_, row): (usize, usize), offsets: &mut [usize]| {
        offsets[0] = row * k;
        usize::MAX
    };
    let row_bytes = k * size_of::<f32>();
    Rows { images, edges: &[], lines: (1, rows), row_bytes, offsets, step: k }
}

impl<F> Rows<'_, F> {
    /// Rows of an image.
    fn count(&self) -> usize {
        self.lines.0 * self.lines.1
    }

    fn total(&self) -> usize {
        self.images.len() * self.count()
    }

    /// What an offset that is not [`ZEROS`] counts in, and from where.
    fn source(&self, image: usize, offset: usize) -> (&[f32], usize) {
        if offset >= EDGES { (self.edges, offset - EDGES) } else { (self.images[image], offset) }
    }
}

/// What follows on finished results while they are in the cache.
pub struct After<'a> {
    run: &'a mut (dyn FnMut(usize, &mut [f32], Observation) -> Observation + 'a),
    start: usize,
    folds: bool,
}

impl<'a> After<'a> {
    /// `run` takes the position of the first result in the output, the results, which it may change, and their extremes,
    /// NaN aside, or [`Observation::ANY`] where these are not known, as when a result is the lowest float. If it `folds`
    /// results whose extremes are not known, it gives what they were, the lowest float counted: whoever calls it
    /// need not have folded them.
    pub fn new(
        folds: bool,
        run: &'a mut (dyn FnMut(usize, &mut [f32], Observation) -> Observation + 'a),
    ) -> Self {
        Self { run, start: 0, folds }
    }

    /// The same for a part of the output that starts at `start` in it.
    pub fn part(&mut self, start: usize) -> After<'_> {
        After { run: &mut *self.run, start: self.start + start, folds: self.folds }
    }

    pub(crate) fn call(
        &mut self,
        at: usize,
        results: &mut [f32],
        extremes: Observation,
    ) -> Observation {
        (self.run)(self.start + at, results, extremes)
    }
}

/// Multiplies rows with the packed weights, clamps, and unites the extremes of each image's results
/// with its entry of `observed`.
///
/// `scratch` has at least [`PackedWeights::scratch_len`] bytes for all rows together and starts on a
/// boundary of 8 bytes. The results have not been looked at for the lowest float: see
/// [`Observation::needs_rescan`]. With `after`, which needs rows without gaps between them, they have:
/// it is called for one image's part of a block of rows after the other, in order.
///
/// # Panics
/// If a segment or a result row lies outside its buffer, or the scratch memory is too small.
#[expect(clippy::needless_pass_by_value, reason = "a caller makes them for this call")]
pub fn multiply<'w, F: Fn((usize, usize), &mut [usize]) -> usize>(
    weights: impl Into<Packed<'w>>,
    rows: Rows<'_, F>,
    clamp: Clamp,
    mut target: Target<'_>,
    observed: &mut [Observation],
    mut after: Option<After<'_>>,
    scratch: &mut [u8],
) {
    let (weights, total) = (weights.into(), rows.total());
    let n = weights.layout.n;
    if total == 0 || n == 0 {
        return;
    }
    assert_eq!(observed.len(), rows.images.len(), "one observation an image");
    let is_apart = target.column + n <= target.row_stride || total == 1;
    assert!(is_apart, "rows do not overlap");
    let needed = weights.layout.scratch_len(weights.isa, total, rows.row_bytes);
    assert!(scratch.len() >= needed, "scratch memory suffices");
    let (pieces, pointers) =
        scratch.split_at_mut(weights.layout.most_pieces() * size_of::<Piece>());
    #[expect(clippy::cast_ptr_alignment, reason = "checked in the next line")]
    let pointers = pointers.as_mut_ptr().cast::<*const f32>();
    assert!(pointers.is_aligned(), "scratch memory is aligned");
    let mut row_bytes = rows.row_bytes;
    if after.is_some() {
        assert_eq!((target.column, target.row_stride), (0, n), "rows without gaps");
        // Results have to stay in the cache too.
        row_bytes += n * size_of::<f32>();
    }
    let block_rows = PackedWeights::block_rows(weights.isa, total, row_bytes);
    let pieces = collect_pieces(weights.layout, block_rows, bytemuck::cast_slice_mut(pieces));
    let image_rows = rows.count();
    let is_whole = after.is_none() || target.values.len() >= total * n;
    let at_once = if is_whole { total } else { block_rows.min(total) };
    let end = (at_once - 1) * target.row_stride + target.column + n;
    assert!(target.values.len() >= end, "the output holds every row");
    for first in (0..total).step_by(block_rows) {
        let block = first..(first + block_rows).min(total);
        // The row that the output begins with.
        let base = if is_whole { 0 } else { first };
        let images = first / image_rows..(block.end - 1) / image_rows + 1;
        let mut before = SmallVec::<[Observation; 64]>::new();
        if after.is_some() {
            before.extend_from_slice(&observed[images.clone()]);
            observed[images.clone()].fill(Observation::EMPTY);
        }
        fill_pointers(weights, &rows, block.clone(), (pointers, block_rows));
        let mut folds = clamp != Clamp::NONE || after.as_ref().is_none_or(|after| !after.folds);
        loop {
            let Target { values, row_stride, column } = &mut target;
            let to = Target { values, row_stride: *row_stride, column: *column };
            let product = Product {
                weights,
                next: if block.end == total { weights.next } else { weights.first_panel() },
                rows: block.clone(),
                base,
                image_rows,
                clamp,
                folds,
                target: to,
                observed,
                pieces,
                pointers,
                pointer_stride: block_rows,
            };
            product.run();
            let Some(after) = &mut after else { break };
            let is_known = images.clone().zip(&before).all(|(image, before)| {
                let rows = first.max(image * image_rows)..block.end.min((image + 1) * image_rows);
                let results = &mut target.values[(rows.start - base) * n..(rows.end - base) * n];
                let seen = if folds {
                    let folded = observed[image];
                    let seen = minmax::settle(weights.isa, folded, results);
                    after.call(rows.start * n, results, folded.bounds());
                    seen
                } else {
                    after.call(rows.start * n, results, Observation::ANY)
                };
                observed[image] = before.union(seen);
                folds || !seen.needs_rescan()
            });
            if is_known {
                break;
            }
            // The lowest float, which is not counted, may be among results that nobody has any more.
            folds = true;
            observed[images.clone()].fill(Observation::EMPTY);
        }
    }
}

/// Writes the pointers of a block's rows, per segment one a row, `stride` behind those of the segment before;
/// every one checked. `pointers` has room for `stride` times segments, and the block has no more rows.
fn fill_pointers<F: Fn((usize, usize), &mut [usize]) -> usize>(
    weights: Packed<'_>,
    rows: &Rows<'_, F>,
    block: Range<usize>,
    (pointers, stride): (*mut *const f32, usize),
) {
    const CHUNK: usize = 64;
    let Packed { layout, zeros, .. } = weights;
    let WeightLayout { segments, segment_len: len, .. } = layout;
    let mut few = [0; CHUNK];
    let mut many = Vec::new();
    let offsets: &mut [usize] = if segments <= CHUNK {
        &mut few[..segments]
    } else {
        many.resize(segments, 0);
        &mut many
    };
    let (lines, width) = rows.lines;
    let (mut image, row) = (block.start / (lines * width), block.start % (lines * width));
    let (mut y, mut x) = (row / width, row % width);
    let mut filled = 0;
    while filled < block.len() {
        // Rows that lie evenly are asked for and checked together: for short rows this is a good part
        // of the work.
        let count = (rows.offsets)((y, x), offsets).clamp(1, width - x).min(block.len() - filled);
        for (segment, &offset) in offsets.iter().enumerate() {
            let (first, step) = if offset == ZEROS {
                (zeros.as_ptr(), 0)
            } else {
                let (input, offset) = rows.source(image, offset);
                let last = rows.step.saturating_mul(count - 1).saturating_add(offset);
                let is_inside = last <= input.len() && len <= input.len() - last;
                assert!(is_inside, "segments inside the image");
                (input[offset..].as_ptr(), rows.step)
            };
            // SAFETY: the scratch memory has room for `stride` pointers a segment, as many as the block has rows
            // or more, and so many rows are left.
            unsafe { write_evenly(pointers.add(segment * stride + filled), first, step, count) };
        }
        (filled, x) = (filled + count, x + count);
        if x == width {
            (x, y) = (0, y + 1);
        }
        if y == lines {
            (y, image) = (0, image + 1);
        }
    }
}

/// Writes `count` pointers, each `step` elements behind the one before.
///
/// A function of its own, so that the compiler knows `count` and computes several at once.
///
/// # Safety
/// `to` must be valid for writes of `count` pointers.
#[inline(never)]
unsafe fn write_evenly(to: *mut *const f32, first: *const f32, step: usize, count: usize) {
    for i in 0..count {
        // SAFETY: as for this function.
        unsafe { to.add(i).write(first.wrapping_add(i * step)) };
    }
}

/// Writes the pieces of a row.
fn collect_pieces(layout: WeightLayout, pointer_stride: usize, to: &mut [Piece]) -> &[Piece] {
    let mut count = 0;
    for (piece, to) in layout.pieces(pointer_stride).zip(&mut *to) {
        *to = piece;
        count += 1;
    }
    &to[..count]
}

/// A block of rows against all columns.
struct Product<'a> {
    weights: Packed<'a>,
    /// Weights that will be read next.
    next: &'a [f32],
    /// Counted through all images.
    rows: Range<usize>,
    /// The one that the output begins with.
    base: usize,
    image_rows: usize,
    clamp: Clamp,
    /// Whether results are folded.
    folds: bool,
    target: Target<'a>,
    observed: &'a mut [Observation],
    pieces: &'a [Piece],
    /// Those of the block's rows, as [`fill_pointers`] writes them.
    pointers: *const *const f32,
    pointer_stride: usize,
}

impl Product<'_> {
    /// The rows behind those of two tiles, if rows lie side by side.
    fn rows_ahead(&self) -> Option<*const f32> {
        let WeightLayout { segments, segment_len, .. } = self.weights.layout;
        let ahead = 2 * self.weights.isa.tile().0;
        if segments != 1 || self.rows.len() <= ahead {
            return None;
        }
        // SAFETY: pointers of rows, of which there is more than one, as `fill_pointers` writes them.
        let [first, second] = unsafe { self.pointers.cast::<[*const f32; 2]>().read() };
        let is_beside = second.addr().wrapping_sub(first.addr()) == segment_len * size_of::<f32>();
        is_beside.then(|| first.wrapping_add(ahead * segment_len))
    }

    fn run(self) {
        let Packed { isa, layout, panels, bias, .. } = self.weights;
        let WeightLayout { n, segments, segment_len, .. } = layout;
        let k = layout.k();
        let rows_ahead = self.rows_ahead();
        let may_overlap = tiles::may_overlap(self.pieces);
        let mut panels_left = layout.panels(isa).peekable();
        while let Some(Panel { column, vectors }) = panels_left.next() {
            let used = (n - column).min(vectors * LANES);
            let tile_rows = isa.tile_rows(vectors);
            let tiles = self.rows.len().div_ceil(tile_rows);
            let panel = panels[column * k..].as_ptr();
            let next = match panels_left.peek() {
                Some(next) => &panels[next.column * k..][..next.width() * k],
                None => self.next,
            };
            let next = match rows_ahead {
                // The first panel meets rows that are not yet in the cache.
                Some(rows) if column == 0 => Next::shares(rows, tile_rows * k, k),
                // A single tile reads its own panel as fast as it comes.
                _ if tiles == 1 || next.is_empty() => Next::nothing(panel),
                _ => Next::shares(next.as_ptr(), next.len().div_ceil(tiles), k),
            };
            let row = self.rows.start - self.base;
            let start = row * self.target.row_stride + self.target.column + column;
            let strip = Strip {
                panel,
                next,
                bias: bias[column..].as_ptr(),
                used,
                segments,
                segment_len,
                pieces: self.pieces,
                may_overlap,
                clamp: self.clamp,
                folds: self.folds,
                row_stride: self.target.row_stride,
                image_rows: self.image_rows,
                pointers: self.pointers,
                pointer_stride: self.pointer_stride,
                rows: self.rows.clone(),
                to: self.target.values[start..].as_mut_ptr(),
                observed: &mut *self.observed,
            };
            // SAFETY: `fill_pointers` has written a pointer to a readable segment for each row
            // of the block and each segment; `multiply` checked that all rows of the output are
            // inside `values`, which this borrows mutably; panels and bias are padded to whole
            // vectors, and hold `k` rows from `column` on.
            unsafe { strip.run(isa, self.weights.arithmetic) };
        }
    }
}

mod pack;
mod pair;
mod panels;
mod set;
mod strip;
#[cfg(test)]
mod tests;
mod tiles;
