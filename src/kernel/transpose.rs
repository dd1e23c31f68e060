//! Transposition: elements of any size, moved and not computed with.
//!
//! Axes that stay neighbours are merged. Where the innermost axis stays innermost, what is left moves in
//! contiguous runs; otherwise in square tiles, so that both sides are used by whole cache lines.

use std::ops::Range;

use bytemuck::Pod;

use super::isa::{Isa, Task};
use super::odometer::{Loop, Odometer};
use super::simd::Simd;

/// The loops of one transposition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransposePlan {
    /// Loops around the innermost, in the order of the output: count, strides of input and output.
    outer: Vec<Loop<2>>,
    inner: Inner,
    byte_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inner {
    /// A run of this many bytes; all strides are in bytes.
    Run(usize),
    /// A matrix turned, all strides are in its elements.
    Matrix {
        /// Bytes of an element: a power of two up to 16.
        element: usize,
        /// Contiguous in the output.
        rows: usize,
        /// Contiguous in the input.
        columns: usize,
        /// Distance of two rows in the input.
        from_stride: usize,
        /// Distance of two columns in the output.
        to_stride: usize,
    },
}

/// Part of an axis or several: length, strides of input and output.
#[derive(Clone, Copy)]
struct Axis {
    n: usize,
    from: usize,
    to: usize,
}

impl TransposePlan {
    /// The loops for a tensor of `shape` with elements of `element` bytes; axis `i` of the output is
    /// axis `permutation[i]` of the input.
    ///
    /// # Panics
    /// If `permutation` is none, or `element` is not a power of two up to 16.
    pub fn new(shape: &[usize], permutation: &[usize], mut element: usize) -> Self {
        assert!(element.is_power_of_two() && element <= 16, "elements of {element} bytes");
        assert_eq!(shape.len(), permutation.len(), "one axis for each");
        let byte_len = shape.iter().product::<usize>() * element;
        if byte_len == 0 {
            return Self { outer: Vec::new(), inner: Inner::Run(0), byte_len };
        }
        let mut axes = merged_axes(shape, permutation);
        let last = axes.pop().unwrap_or(Axis { n: 1, from: 1, to: 1 });
        // A short run is an element of its own.
        let run = last.n * element;
        let is_run = last.from == 1;
        let is_short = is_run && !axes.is_empty() && run.is_power_of_two() && run <= 16;
        if is_run && !is_short {
            let outer = axes.iter().map(|a| (a.n, [a.from * element, a.to * element])).collect();
            return Self { outer, inner: Inner::Run(run), byte_len };
        }
        let mut rows = last;
        if is_short {
            element = run;
            for axis in &mut axes {
                axis.from /= last.n;
                axis.to /= last.n;
            }
            rows = axes.pop().expect("an axis beside a short run");
        }
        let innermost = axes.iter().position(|a| a.from == 1);
        let columns = axes.remove(innermost.expect("an axis that is contiguous in the input"));
        let inner = Inner::Matrix {
            element,
            rows: rows.n,
            columns: columns.n,
            from_stride: rows.from,
            to_stride: columns.to,
        };
        let outer = axes.iter().map(|a| (a.n, [a.from, a.to])).collect();
        Self { outer, inner, byte_len }
    }

    /// Whether every element stays where it is.
    pub fn is_identity(&self) -> bool {
        self.inner == Inner::Run(self.byte_len)
    }
}

/// The axes of the output without those of length 1; neighbours in both tensors are one axis.
fn merged_axes(shape: &[usize], permutation: &[usize]) -> Vec<Axis> {
    let stride = |axis: usize| shape[axis + 1..].iter().product::<usize>();
    let mut axes: Vec<Axis> = Vec::new();
    for &axis in permutation {
        let (n, from) = (shape[axis], stride(axis));
        match axes.last_mut() {
            _ if n == 1 => {}
            Some(last) if last.from == n * from => (last.n, last.from) = (last.n * n, from),
            _ => axes.push(Axis { n, from, to: 1 }),
        }
    }
    let mut to = 1;
    for axis in axes.iter_mut().rev() {
        axis.to = to;
        to *= axis.n;
    }
    axes
}

/// Moves every element of `input` to its place in `output`.
///
/// # Panics
/// If the lengths are not those of the plan, or a buffer is not aligned for its elements (to at most 8
/// bytes).
pub fn transpose(isa: Isa, plan: &TransposePlan, input: &[u8], output: &mut [u8]) {
    assert_eq!((input.len(), output.len()), (plan.byte_len, plan.byte_len), "lengths");
    if input.is_empty() {
        return;
    }
    match plan.inner {
        Inner::Run(len) => {
            let mut odometer = Odometer::new(&plan.outer);
            for to in output.chunks_exact_mut(len) {
                to.copy_from_slice(&input[odometer.at[0]..][..len]);
                odometer.advance();
            }
        }
        Inner::Matrix { element: 1, .. } => turn::<u8>(isa, plan, input, output),
        Inner::Matrix { element: 2, .. } => turn::<u16>(isa, plan, input, output),
        Inner::Matrix { element: 4, .. } => turn::<u32>(isa, plan, input, output),
        Inner::Matrix { element: 8, .. } => turn::<u64>(isa, plan, input, output),
        Inner::Matrix { .. } => turn::<[u64; 2]>(isa, plan, input, output),
    }
}

fn turn<T: Element>(isa: Isa, plan: &TransposePlan, input: &[u8], output: &mut [u8]) {
    let (input, output) = (bytemuck::cast_slice(input), bytemuck::cast_slice_mut(output));
    isa.dispatch(Turn::<T> { plan, input, output });
}

struct Turn<'a, T> {
    plan: &'a TransposePlan,
    input: &'a [T],
    output: &'a mut [T],
}

impl<T: Element> Task for Turn<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { plan, input, output } = self;
        let Inner::Matrix { rows, columns, from_stride, to_stride, .. } = plan.inner else {
            return;
        };
        let mut odometer = Odometer::new(&plan.outer);
        for _ in 0..plan.outer.iter().map(|o| o.0).product() {
            let [from, to] = odometer.at;
            let (from, to) = (&input[from..], &mut output[to..]);
            Matrix { from, from_stride, to, to_stride }.turn(s, rows, columns);
            odometer.advance();
        }
    }
}

/// Rows and columns that are moved in registers.
const TILE: usize = 8;

/// What may be moved: tiles of it, by the instructions at hand.
trait Element: Pod {
    /// `to[column][row] = from[row][column]` for a tile.
    #[inline(always)]
    fn turn_tile<S: Simd>(
        _: S,
        from: &[Self],
        from_stride: usize,
        to: &mut [Self],
        to_stride: usize,
    ) {
        turn_plainly(from, from_stride, to, to_stride);
    }
}

impl Element for u8 {}
impl Element for u16 {}
impl Element for u32 {
    #[inline(always)]
    fn turn_tile<S: Simd>(
        s: S,
        from: &[u32],
        from_stride: usize,
        to: &mut [u32],
        to_stride: usize,
    ) {
        s.turn_words(from, from_stride, to, to_stride);
    }
}
impl Element for u64 {}
impl Element for [u64; 2] {}

/// A tile through an array.
#[inline(always)]
pub(super) fn turn_plainly<T: Pod>(from: &[T], from_stride: usize, to: &mut [T], to_stride: usize) {
    let mut tile = [[T::zeroed(); TILE]; TILE];
    for (row, tile) in tile.iter_mut().enumerate() {
        tile.copy_from_slice(&from[row * from_stride..][..TILE]);
    }
    for column in 0..TILE {
        for (to, tile) in to[column * to_stride..][..TILE].iter_mut().zip(&tile) {
            *to = tile[column];
        }
    }
}

/// A matrix and where it goes.
struct Matrix<'a, T> {
    from: &'a [T],
    from_stride: usize,
    to: &'a mut [T],
    to_stride: usize,
}

impl<T: Element> Matrix<'_, T> {
    /// `to[column][row] = from[row][column]`
    #[inline(always)]
    fn turn<S: Simd>(mut self, s: S, rows: usize, columns: usize) {
        /// Rows and columns whose cache lines are used up before others come.
        const BLOCK: usize = 64;
        for first_row in (0..rows).step_by(BLOCK) {
            let rows = first_row..rows.min(first_row + BLOCK);
            let tiled_rows = rows.start..rows.end - rows.len() % TILE;
            for first_column in (0..columns).step_by(BLOCK) {
                let columns = first_column..columns.min(first_column + BLOCK);
                let tiled_columns = columns.start..columns.end - columns.len() % TILE;
                for row in tiled_rows.clone().step_by(TILE) {
                    for column in tiled_columns.clone().step_by(TILE) {
                        let from = &self.from[row * self.from_stride + column..];
                        let to = &mut self.to[column * self.to_stride + row..];
                        T::turn_tile(s, from, self.from_stride, to, self.to_stride);
                    }
                }
                self.turn_edge(tiled_rows.end..rows.end, tiled_columns.clone());
                self.turn_edge(rows.clone(), tiled_columns.end..columns.end);
            }
        }
    }

    /// Element by element, along the longer side.
    #[inline(always)]
    fn turn_edge(&mut self, rows: Range<usize>, columns: Range<usize>) {
        let Self { from_stride, to_stride, .. } = *self;
        if rows.len() < columns.len() {
            for row in rows {
                let from = &self.from[row * from_stride..][columns.clone()];
                let to = self.to[columns.start * to_stride + row..].iter_mut().step_by(to_stride);
                for (to, &value) in to.zip(from) {
                    *to = value;
                }
            }
            return;
        }
        for column in columns {
            let from = self.from[rows.start * from_stride + column..].iter().step_by(from_stride);
            let to = &mut self.to[column * to_stride..][rows.clone()];
            for (to, &value) in to.iter_mut().zip(from) {
                *to = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tensor::AlignedBuffer;

    /// The definition, element by element.
    fn expected(shape: &[usize], permutation: &[usize], element: usize, input: &[u8]) -> Vec<u8> {
        let turned: Vec<usize> = permutation.iter().map(|&axis| shape[axis]).collect();
        let mut output = Vec::new();
        for mut at in 0..turned.iter().product() {
            let mut index = vec![0; shape.len()];
            for (&axis, &n) in permutation.iter().zip(&turned).rev() {
                index[axis] = at % n;
                at /= n;
            }
            let from = index.iter().zip(shape).fold(0, |from, (i, n)| from * n + i);
            output.extend_from_slice(&input[from * element..][..element]);
        }
        output
    }

    fn check(shape: &[usize], permutation: &[usize]) {
        for element in [1, 2, 4, 8, 16] {
            let plan = TransposePlan::new(shape, permutation, element);
            let mut input = AlignedBuffer::zeroed(shape.iter().product::<usize>() * element);
            for (i, byte) in input.bytes_mut().iter_mut().enumerate() {
                *byte = (i * 31 + i / 251) as u8;
            }
            let expected = expected(shape, permutation, element, input.bytes());
            for isa in Isa::supported() {
                let mut output = AlignedBuffer::zeroed(input.len());
                transpose(isa, &plan, input.bytes(), output.bytes_mut());
                assert!(output.bytes() == expected, "{isa} {shape:?} {permutation:?} {element}");
            }
        }
    }

    proptest! {
        #[test]
        fn equals_the_definition(
            (shape, permutation) in prop::collection::vec(
                prop_oneof![6 => 1..6_usize, 1 => Just(17), 1 => Just(0)], 0..=6,
            ).prop_flat_map(|shape| {
                let axes: Vec<usize> = (0..shape.len()).collect();
                (Just(shape), Just(axes).prop_shuffle())
            })
        ) {
            check(&shape, &permutation);
        }
    }

    #[test]
    fn matrices_with_whole_blocks_and_borders() {
        for rows in [1, 7, 8, 64, 75] {
            for columns in [3, 8, 16, 64, 130] {
                check(&[rows, columns], &[1, 0]);
            }
        }
        check(&[1, 2, 1, 2, 3, 2, 1, 3], &[7, 0, 5, 1, 3, 2, 6, 4]);
        check(&[], &[]);
    }

    #[test]
    fn loops_are_few() {
        let plan = |shape: &[usize], permutation: &[usize], element| {
            let plan = TransposePlan::new(shape, permutation, element);
            (plan.outer.len(), plan.inner)
        };
        let turned = |element, rows, columns, from_stride, to_stride| Inner::Matrix {
            element,
            rows,
            columns,
            from_stride,
            to_stride,
        };
        // Heads of an attention: runs, and a matrix for each head.
        assert_eq!(plan(&[1, 128, 12, 32], &[0, 2, 1, 3], 4), (2, Inner::Run(128)));
        assert_eq!(plan(&[1, 128, 12, 32], &[0, 2, 3, 1], 4), (0, turned(4, 128, 384, 384, 128)));
        // Channels first and channels last.
        assert_eq!(plan(&[1, 9, 7, 5], &[0, 3, 1, 2], 4), (0, turned(4, 63, 5, 5, 63)));
        assert_eq!(plan(&[2, 5, 9, 7], &[0, 2, 3, 1], 4), (1, turned(4, 5, 63, 63, 5)));
        // Pairs of floats move as one.
        assert_eq!(plan(&[6, 5, 2], &[1, 0, 2], 4), (0, turned(8, 6, 5, 5, 6)));
        for (shape, permutation) in [(&[3, 1, 4][..], &[1, 0, 2][..]), (&[], &[]), (&[1], &[0])] {
            assert!(TransposePlan::new(shape, permutation, 4).is_identity());
        }
        assert!(!TransposePlan::new(&[3, 4], &[1, 0], 4).is_identity());
    }
}
