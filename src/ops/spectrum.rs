//! `RFFT2D`: transforms of the two innermost axes, `[.., h, w]` to `[.., fft h, fft w / 2 + 1]`.
//!
//! The input is cut, or padded with zeros, to lengths that are powers of two. Semantics: TFLite's `rfft2d.cc`,
//! in double precision as there, but also for a width of one, where TFLite leaves out the second value.

use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::fft::{Complex, Fft, RealFft};
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType, num_elements};

pub(super) struct Rfft2d;

/// Sizes of one plane.
#[derive(Clone, Copy)]
struct Plane {
    /// Height and width of the input.
    input: (usize, usize),
    /// Lengths of the transform.
    fft: (usize, usize),
}

impl Plane {
    /// Values of a row of the output.
    fn row(self) -> usize {
        self.fft.1 / 2 + 1
    }

    /// Values of the output and of a column.
    fn scratch_len(self) -> usize {
        (self.fft.0 * self.row() + self.fft.0) * size_of::<Complex>()
    }
}

impl Rfft2d {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }

    fn plane(inputs: &Inputs) -> Result<(Plane, Vec<usize>)> {
        inputs.expect_dtype(0, DType::F32)?;
        let shape = inputs.shape(0)?;
        let [outer @ .., h, w] = shape else {
            return Err(Error::model(format!("an input of shape {shape:?} has no planes")));
        };
        let lengths = inputs.constant_indices(1)?;
        let length = |n: i64| usize::try_from(n).ok().filter(|n| n.is_power_of_two());
        let [Some(fft_h), Some(fft_w)] = *lengths.iter().map(|&n| length(n)).collect::<Vec<_>>()
        else {
            return Err(Error::model(format!("lengths {lengths:?} are not two powers of two")));
        };
        let plane = Plane { input: (*h, *w), fft: (fft_h, fft_w) };
        // Planes are transformed even if there are none of them.
        if num_elements(&[fft_h, fft_w, 4 * size_of::<Complex>()]).is_none() {
            return Err(Error::model("a plane is too large"));
        }
        Ok((plane, [outer, &[fft_h, plane.row()]].concat()))
    }
}

impl Operator for Rfft2d {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::new(DType::Complex64, Self::plane(inputs)?.1)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (plane, shape) = Self::plane(context.inputs)?;
        if num_elements(&shape) == Some(0) {
            return Ok(Prepared::eval(Observe::Scan, |_| Ok(())));
        }
        let prepared = Prepared::later(Observe::Scan, move || {
            let (rows, columns) = (RealFft::new(plane.fft.1), Fft::new(plane.fft.0));
            move |context: &mut EvalContext<'_>| {
                transform(plane, &rows, &columns, context);
                Ok(())
            }
        });
        let held = (plane.fft.0 / 2 + plane.fft.1) * size_of::<Complex>();
        Ok(prepared.with_scratch(plane.scratch_len()).holding(held))
    }
}

fn transform(plane: Plane, rows: &RealFft, columns: &Fft, context: &mut EvalContext<'_>) {
    let (row, (h, w)) = (plane.row(), plane.input);
    let input: &[f32] = context.input(0);
    let (output, scratch) = context.output_and_scratch::<[f32; 2]>();
    let scratch: &mut [Complex] = bytemuck::cast_slice_mut(&mut scratch[..plane.scratch_len()]);
    let (values, column) = scratch.split_at_mut(plane.fft.0 * row);
    for (i, output) in output.chunks_exact_mut(values.len()).enumerate() {
        let input = &input[i * h * w..][..h * w];
        for (y, values) in values.chunks_exact_mut(row).enumerate() {
            let input = if y < h { &input[y * w..][..w] } else { &[] };
            rows.run(input.iter().map(|&x| f64::from(x)), values);
        }
        for x in 0..row {
            for (to, values) in column.iter_mut().zip(values.chunks_exact(row)) {
                *to = values[x];
            }
            columns.run(column);
            for (value, output) in column.iter().zip(output.chunks_exact_mut(row)) {
                output[x] = value.map(|v| v as f32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Operand, run_to};
    use crate::schema::{BuiltinOperator, BuiltinOptionsT};

    fn rfft2d(shape: &[usize], values: &[f32], lengths: &[i32]) -> Result<Vec<f32>> {
        let lengths = Operand::indices(&[lengths.len()], lengths);
        let operands = [Operand::input(shape, values), lengths].map(Some);
        let options = BuiltinOptionsT::NONE;
        let output = run_to(DType::Complex64, BuiltinOperator::RFFT2D, options, &operands)?;
        Ok(output.as_slice().to_vec())
    }

    #[test]
    fn a_width_of_one_is_summed_too() {
        let values = rfft2d(&[2, 1], &[3.0, 5.0], &[2, 1]).unwrap();
        assert_eq!(values, [8.0, 0.0, -2.0, 0.0]);
    }

    #[test]
    fn misfits_are_errors() {
        let error = |shape: &[usize], lengths: &[i32]| {
            let n = shape.iter().product();
            rfft2d(shape, &vec![1.0; n], lengths).unwrap_err().to_string()
        };
        for lengths in [&[3, 4][..], &[4, 0], &[-2, 4], &[4], &[2, 2, 2]] {
            assert!(error(&[4, 4], lengths).contains("are not two powers of two"), "{lengths:?}");
        }
        assert!(error(&[4], &[4, 4]).contains("has no planes"));
    }
}
