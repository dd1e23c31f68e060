//! What the numbers of quantized tensors stand for.

use crate::error::{Error, Result};
use crate::graph::{Quantization, QuantizationDetails};
use crate::operator::InputInfo;
use crate::tensor::{DType, num_elements};

/// Scale and zero point of every slice along an axis: `scale * (value - zero point)`.
#[derive(Clone, Debug)]
pub(super) struct Scales {
    slices: Vec<(f32, i64)>,
    /// Elements of one slice that lie side by side.
    run: usize,
}

impl Scales {
    /// Those of a tensor of this shape.
    ///
    /// # Errors
    /// If there are none, or they do not fit the shape.
    pub(super) fn new(quantization: Option<&Quantization>, shape: &[usize]) -> Result<Self> {
        let missing = || Error::model("a quantized tensor has no scale");
        let parameters = quantization.ok_or_else(missing)?;
        if parameters.details != QuantizationDetails::None {
            return Err(Error::model(format!(
                "a tensor is quantized by a scheme that is not known: {}",
                parameters.details
            )));
        }
        let Quantization { scale, zero_point, axis, .. } = parameters;
        let run = match scale.len() {
            0 => return Err(missing()),
            1 => num_elements(shape).unwrap_or(0),
            n if shape.get(*axis) == Some(&n) => shape[axis + 1..].iter().product(),
            n => {
                return Err(Error::model(format!(
                    "{n} scales do not fit axis {axis} of shape {shape:?}"
                )));
            }
        };
        let zero_point = match zero_point.len() {
            0 => vec![0; scale.len()],
            1 => vec![zero_point[0]; scale.len()],
            n if n == scale.len() => zero_point.clone(),
            n => {
                return Err(Error::model(format!(
                    "there are {} scales and {n} zero points",
                    scale.len()
                )));
            }
        };
        if let Some(far) = zero_point.iter().find(|&&it| i32::try_from(it).is_err()) {
            return Err(Error::model(format!("zero point {far} is too far away")));
        }
        Ok(Self { slices: scale.iter().copied().zip(zero_point).collect(), run: run.max(1) })
    }

    /// Those of an input.
    pub(super) fn of(info: &InputInfo) -> Result<Self> {
        Self::new(info.quantization.as_ref(), &info.tensor_type.shape)
    }

    /// Scale and zero point, if they are the same for all.
    pub(super) fn single(&self) -> Option<(f32, i64)> {
        if let [slice] = self.slices[..] { Some(slice) } else { None }
    }

    /// The type of weights of type `dtype`: old converters wrote signed ones as UINT8 without a zero point,
    /// which TFLite knows.
    pub(super) fn stored(&self, dtype: DType) -> DType {
        let is_symmetric = self.slices.iter().all(|slice| slice.1 == 0);
        if dtype == DType::U8 && is_symmetric { DType::I8 } else { dtype }
    }

    /// Whether one can divide by them.
    pub(super) fn are_positive(&self) -> bool {
        self.slices.iter().all(|slice| slice.0.is_normal() && slice.0 > 0.0)
    }

    /// Calls `each` with the scale and zero point of every part of `len` elements from element `first` on
    /// that has them in common, and where the part is.
    pub(super) fn for_each(
        &self,
        first: usize,
        len: usize,
        mut each: impl FnMut(f32, i64, std::ops::Range<usize>),
    ) {
        if let Some((scale, zero_point)) = self.single() {
            each(scale, zero_point, 0..len);
            return;
        }
        let mut done = 0;
        while done < len {
            let at = first + done;
            let part = (self.run - at % self.run).min(len - done);
            let (scale, zero_point) = self.slices[at / self.run % self.slices.len()];
            each(scale, zero_point, done..done + part);
            done += part;
        }
    }

    /// What `values` stand for, of which the first is element `first` of the tensor.
    pub(super) fn dequantize<T: Copy + Into<i64>>(
        &self,
        first: usize,
        values: &[T],
        output: &mut [f32],
    ) {
        self.for_each(first, values.len(), |scale, zero_point, part| {
            for (to, &value) in output[part.clone()].iter_mut().zip(&values[part]) {
                *to = scale * (value.into() - zero_point) as f32;
            }
        });
    }

    /// What elements `first..` of a tensor of this type stand for, as many as there is room for.
    ///
    /// # Panics
    /// If the tensor does not have so many elements, or a type that does not [fit](is_quantized).
    pub(super) fn dequantize_bytes(
        &self,
        dtype: DType,
        bytes: &[u8],
        first: usize,
        output: &mut [f32],
    ) {
        let part = first..first + output.len();
        match dtype {
            DType::I8 => {
                self.dequantize(first, &bytemuck::cast_slice::<_, i8>(bytes)[part], output);
            }
            DType::U8 => self.dequantize(first, &bytes[part], output),
            DType::I16 => {
                self.dequantize(first, &bytemuck::cast_slice::<_, i16>(bytes)[part], output);
            }
            DType::I32 => {
                self.dequantize(first, &bytemuck::cast_slice::<_, i32>(bytes)[part], output);
            }
            DType::I4 | DType::U4 => {
                self.dequantize(first, &unpacked(dtype, bytes, part), output);
            }
            other => unreachable!("{other} is not quantized"),
        }
    }
}

/// Whether tensors of this type can be quantized ones.
pub(super) fn is_quantized(dtype: DType) -> bool {
    use DType as D;
    matches!(dtype, D::I4 | D::U4 | D::I8 | D::U8 | D::I16 | D::I32)
}

/// Elements of four bits, two in a byte; the first is in the low bits.
pub(super) fn unpacked(dtype: DType, bytes: &[u8], part: std::ops::Range<usize>) -> Vec<i8> {
    let nibble = |i: usize| {
        let high = if i.is_multiple_of(2) { bytes[i / 2] << 4 } else { bytes[i / 2] & 0xf0 };
        if dtype == DType::I4 { high as i8 >> 4 } else { (high >> 4) as i8 }
    };
    part.map(nibble).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scales(scale: &[f32], zero_point: &[i64], axis: usize) -> Result<Scales> {
        let (scale, zero_point) = (scale.to_vec(), zero_point.to_vec());
        let quantization = Quantization { scale, zero_point, axis, ..Quantization::default() };
        Scales::new(Some(&quantization), &[2, 3])
    }

    #[test]
    fn parts_have_their_slices() {
        let mut output = [0.0; 4];
        let rows = scales(&[1.0, 10.0], &[], 0).unwrap();
        rows.dequantize(1, &[1_i8, 2, 3, 4], &mut output);
        assert_eq!(output, [1.0, 2.0, 30.0, 40.0]);
        let columns = scales(&[1.0, 10.0, 100.0], &[1], 1).unwrap();
        columns.dequantize(2, &[1_u8, 2, 3, 4], &mut output);
        assert_eq!(output, [0.0, 1.0, 20.0, 300.0]);
    }

    #[test]
    fn nibbles() {
        let bytes = [0x8f, 0x71];
        assert_eq!(unpacked(DType::I4, &bytes, 0..4), [-1, -8, 1, 7]);
        assert_eq!(unpacked(DType::U4, &bytes, 1..3), [8, 1]);
    }

    #[test]
    fn misfits() {
        for (scale, zero_point, axis, message) in [
            (&[][..], &[][..], 0, "no scale"),
            (&[1.0, 2.0], &[], 1, "2 scales do not fit axis 1 of shape [2, 3]"),
            (&[1.0, 2.0], &[], 9, "2 scales do not fit axis 9"),
            (&[1.0, 2.0], &[0, 0, 0], 0, "2 scales and 3 zero points"),
            (&[1.0], &[i64::MIN], 0, "too far away"),
        ] {
            let error = scales(scale, zero_point, axis).unwrap_err();
            assert!(error.to_string().contains(message), "{error}");
        }
        let blocks = QuantizationDetails::Blockwise { scales: 1, zero_points: 0, block_size: 32 };
        let blocks = Quantization { details: blocks, ..Quantization::default() };
        let error = Scales::new(Some(&blocks), &[2, 3]).unwrap_err();
        assert!(error.to_string().contains("blockwise"), "{error}");
    }
}
