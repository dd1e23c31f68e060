//! `RESIZE_BILINEAR` and `RESIZE_NEAREST_NEIGHBOR` of images `[n, h, w, c]`.
//!
//! Input 1 is the new height and width. Semantics, to the rounding of positions: TFLite's
//! `resize_bilinear.h` and `resize_nearest_neighbor.h`. Positions are computed in float, but for INT8 and
//! INT16 in units of 1/1024.

use bytemuck::Pod;

use super::attributes::{attributes, element_len};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::resize::{Between, bilinear, scratch_len};
use crate::observation::Observation;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

/// Where positions of the result are in the input.
#[derive(Clone, Copy)]
struct Grid {
    /// First and last positions are the same in both.
    align_corners: bool,
    /// Positions are of the middles of pixels.
    half_pixel_centers: bool,
}

pub(super) struct Bilinear(Grid);

pub(super) struct NearestNeighbor(Grid);

/// Height and width, before and after.
#[derive(Clone, Copy)]
struct Sizes {
    input: [usize; 2],
    output: [usize; 2],
    channels: usize,
}

impl Sizes {
    fn new(inputs: &Inputs) -> Result<Self> {
        let [_, height, width, channels] = inputs.shape_of_rank(0)?;
        let wanted = inputs.constant_indices(1)?;
        let size = |v: i64| i32::try_from(v).ok().filter(|&n| n > 0).map(|n| n as usize);
        let sizes: Option<Vec<usize>> = wanted.iter().map(|&v| size(v)).collect();
        match sizes.as_deref() {
            Some(&[to_height, to_width]) if height > 0 && width > 0 => {
                Ok(Self { input: [height, width], output: [to_height, to_width], channels })
            }
            _ => Err(Error::model(format!(
                "an image of {height} rows and {width} columns cannot have the size {wanted:?}"
            ))),
        }
    }

    fn infer(inputs: &Inputs) -> Result<Vec<TensorType>> {
        let [to_height, to_width] = Self::new(inputs)?.output;
        let mut resized = inputs.required(0)?.tensor_type.clone();
        (resized.shape[1], resized.shape[2]) = (to_height, to_width);
        Ok(vec![resized])
    }

    /// Elements of one image.
    fn input_len(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }

    fn output_len(&self) -> usize {
        self.output[0] * self.output[1] * self.channels
    }
}

impl Grid {
    /// How many positions of the input one of the output is.
    fn scale(self, n: usize, count: usize) -> f32 {
        if self.align_corners && count > 1 {
            (n - 1) as f32 / (count - 1) as f32
        } else {
            n as f32 / count as f32
        }
    }

    fn between(self, n: usize, count: usize) -> Vec<Between> {
        let scale = self.scale(n, count);
        let position = |i: usize| {
            let at = if self.half_pixel_centers {
                (i as f32 + 0.5) * scale - 0.5
            } else {
                i as f32 * scale
            };
            // A position before the first is between it and itself.
            let low = (at.floor().max(0.0) as usize).min(n - 1);
            let high = (at.ceil().max(0.0) as usize).min(n - 1);
            Between { low, high, weight: at - low as f32 }
        };
        (0..count).map(position).collect()
    }

    fn nearest(self, n: usize, count: usize) -> Vec<usize> {
        let scale = self.scale(n, count);
        let offset = if self.half_pixel_centers { 0.5 } else { 0.0 };
        let position = |i: usize| {
            let at = (i as f32 + offset) * scale;
            let at = if self.align_corners { at.round() } else { at.floor() };
            (at as usize).min(n - 1)
        };
        (0..count).map(position).collect()
    }
}

/// Where a position of the result lies between two of the input, in units of 1/1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fixed {
    low: usize,
    high: usize,
    weight: i64,
}

const ONE: i64 = 1 << 10;

impl Grid {
    fn fixed(self, n: usize, count: usize) -> Vec<Fixed> {
        let (n, count) = (n as i64, count as i64);
        let rounded = |n: i64, count: i64| (ONE * n + count / 2) / count;
        let scale = if self.align_corners && count > 1 {
            rounded(n - 1, count - 1)
        } else {
            rounded(n, count)
        };
        let position = |i: i64| {
            let at =
                if self.half_pixel_centers { i * scale + scale / 2 - ONE / 2 } else { i * scale };
            let low = (at / ONE).clamp(0, n - 1);
            let high = ((at + ONE - 1) / ONE).clamp(0, n - 1);
            Fixed { low: low as usize, high: high as usize, weight: at - ONE * low }
        };
        (0..count).map(position).collect()
    }
}

impl Bilinear {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, ResizeBilinearOptions);
        let (align_corners, half_pixel_centers) =
            (options.align_corners, options.half_pixel_centers);
        if align_corners && half_pixel_centers {
            return Err(Error::model("corners cannot be aligned at the centers of pixels"));
        }
        Ok(Box::new(Self(Grid { align_corners, half_pixel_centers })))
    }
}

impl Operator for Bilinear {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        match inputs.required(0)?.tensor_type.dtype {
            DType::F32 | DType::U8 | DType::I8 | DType::I16 => Sizes::infer(inputs),
            other => Err(Error::model(format!("{other} elements cannot be interpolated"))),
        }
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let sizes = Sizes::new(context.inputs)?;
        let dtype = context.inputs.required(0)?.tensor_type.dtype;
        let ([height, width], [to_height, to_width]) = (sizes.input, sizes.output);
        let (input_len, output_len) = (sizes.input_len(), sizes.output_len());
        if context.outputs[0].num_elements() == Some(0) {
            return Ok(nothing());
        }
        if matches!(dtype, DType::I8 | DType::I16) {
            let rows = self.0.fixed(height, to_height);
            let columns = self.0.fixed(width, to_width);
            return Ok(Prepared::eval(Observe::Scan, move |context| {
                if dtype == DType::I8 {
                    interpolate::<i8, _>(sizes, context, (&rows, &columns), mix_fixed);
                } else {
                    interpolate::<i16, _>(sizes, context, (&rows, &columns), mix_fixed);
                }
                Ok(())
            }));
        }
        let rows = self.0.between(height, to_height);
        let columns = self.0.between(width, to_width);
        if dtype == DType::U8 {
            return Ok(Prepared::eval(Observe::Scan, move |context| {
                interpolate::<u8, _>(sizes, context, (&rows, &columns), mix_bytes);
                Ok(())
            }));
        }
        let channels = sizes.channels;
        let prepared = Prepared::eval(Observe::Fused, move |context| {
            let (isa, input) = (context.isa(), context.input::<f32>(0));
            let (output, scratch) = context.output_and_scratch::<f32>();
            let scratch = bytemuck::cast_slice_mut(scratch);
            let (places, size) = ((&rows[..], &columns[..]), (width, channels));
            let images = input.chunks_exact(input_len).zip(output.chunks_exact_mut(output_len));
            let mut observed = Observation::EMPTY;
            for (from, to) in images {
                observed = observed.union(bilinear(isa, places, size, from, scratch, to));
            }
            context.observe(0, observed);
            Ok(())
        });
        Ok(prepared.with_scratch(scratch_len(width, channels) * size_of::<f32>()))
    }
}

/// There are no pixels, or no channels: sizes without limit take no memory.
fn nothing() -> Prepared {
    Prepared::eval(Observe::Scan, |_| Ok(()))
}

/// A position between two, for [`interpolate`].
trait Place: Copy {
    fn ends(self) -> (usize, usize);
}

impl Place for Fixed {
    fn ends(self) -> (usize, usize) {
        (self.low, self.high)
    }
}

impl Place for Between {
    fn ends(self) -> (usize, usize) {
        (self.low, self.high)
    }
}

/// Mixes the four values around each position: those of the upper row, then those of the lower.
fn interpolate<T: Pod + Into<i64> + TryFrom<i64>, P: Place>(
    sizes: Sizes,
    context: &mut EvalContext<'_>,
    (rows, columns): (&[P], &[P]),
    mix: impl Fn(P, P, [i64; 4]) -> i64,
) {
    let Sizes { input: [_, width], channels, .. } = sizes;
    let input = context.input::<T>(0).chunks_exact(sizes.input_len());
    let output = context.output::<T>(0);
    for (from, to) in input.zip(output.chunks_exact_mut(sizes.output_len())) {
        let places = rows.iter().flat_map(|&y| columns.iter().map(move |&x| (y, x)));
        for (to, (y, x)) in to.chunks_exact_mut(channels).zip(places) {
            let ((top, bottom), (left, right)) = (y.ends(), x.ends());
            let pixel = |y: usize, x: usize| &from[(y * width + x) * channels..][..channels];
            let corners =
                [pixel(top, left), pixel(top, right), pixel(bottom, left), pixel(bottom, right)];
            for (c, to) in to.iter_mut().enumerate() {
                // A mean of values is one of the type.
                if let Ok(value) = T::try_from(mix(y, x, corners.map(|corner| corner[c].into()))) {
                    *to = value;
                }
            }
        }
    }
}

/// Rounded to the nearest, halves away from zero.
fn mix_fixed(y: Fixed, x: Fixed, [a, b, c, d]: [i64; 4]) -> i64 {
    let (y_rest, x_rest) = (ONE - y.weight, ONE - x.weight);
    let sum = a * y_rest * x_rest
        + c * y.weight * x_rest
        + b * y_rest * x.weight
        + d * y.weight * x.weight;
    let half = if sum > 0 { ONE * ONE / 2 } else { -(ONE * ONE / 2) };
    (sum + half) / (ONE * ONE)
}

/// In float, in the order of TFLite's optimized kernel, as halves are rounded up.
fn mix_bytes(y: Between, x: Between, corners: [i64; 4]) -> i64 {
    let [a, b, c, d] = corners.map(|v| v as f32);
    let (y_rest, x_rest) = (1.0 - y.weight, 1.0 - x.weight);
    let sum = a * (y_rest * x_rest)
        + b * (y_rest * x.weight)
        + c * (y.weight * x_rest)
        + d * (y.weight * x.weight);
    (sum + 0.5).floor() as i64
}

impl NearestNeighbor {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, ResizeNearestNeighborOptions);
        let (align_corners, half_pixel_centers) =
            (options.align_corners, options.half_pixel_centers);
        Ok(Box::new(Self(Grid { align_corners, half_pixel_centers })))
    }
}

impl Operator for NearestNeighbor {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Sizes::infer(inputs)
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let sizes = Sizes::new(context.inputs)?;
        let element = element_len(context.inputs.required(0)?.tensor_type.dtype)?;
        if context.outputs[0].num_elements() == Some(0) {
            return Ok(nothing());
        }
        let ([height, width], [to_height, to_width]) = (sizes.input, sizes.output);
        let rows = self.0.nearest(height, to_height);
        let columns = self.0.nearest(width, to_width);
        // With all rows and columns, all elements are there.
        let shows_all =
            |places: &[usize], n: usize| (0..n).all(|i| places.binary_search(&i).is_ok());
        let observe = if shows_all(&rows, height) && shows_all(&columns, width) {
            Observe::SameAs(0)
        } else {
            Observe::Scan
        };
        let pixel = sizes.channels * element;
        Ok(Prepared::eval(observe, move |context| {
            let input = context.input::<u8>(0);
            let output = context.output::<u8>(0);
            let (row, to_row) = (width * pixel, to_width * pixel);
            let images = input.chunks_exact(height * row);
            for (from, to) in images.zip(output.chunks_exact_mut(to_height * to_row)) {
                for (i, &y) in rows.iter().enumerate() {
                    if i > 0 && rows[i - 1] == y {
                        to.copy_within((i - 1) * to_row..i * to_row, i * to_row);
                        continue;
                    }
                    let from = &from[y * row..][..row];
                    let to = to[i * to_row..][..to_row].chunks_exact_mut(pixel);
                    for (to, &x) in to.zip(&columns) {
                        to.copy_from_slice(&from[x * pixel..][..pixel]);
                    }
                }
            }
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    #[test]
    fn sizes_that_are_none() {
        for code in [BuiltinOperator::RESIZE_BILINEAR, BuiltinOperator::RESIZE_NEAREST_NEIGHBOR] {
            for (shape, size) in [
                (&[1, 2, 2, 1][..], &[0, 2][..]),
                (&[1, 2, 2, 1], &[2, -1]),
                (&[1, 2, 2, 1], &[2]),
                (&[1, 2, 2, 1], &[2, 2, 1]),
                (&[2, 2, 1], &[2, 2]),
                (&[1, 0, 2, 1], &[2, 2]),
                (&[1, 2, 2, 1], &[i32::MAX, i32::MAX]),
            ] {
                let operands = [
                    Some(Operand::input(shape, &vec![1.0; shape.iter().product()])),
                    Some(Operand::indices(&[size.len()], size)),
                ];
                run(code, BuiltinOptionsT::NONE, &operands).unwrap_err();
            }
        }
    }
}
