//! Reading attributes.

use crate::error::{Error, Result};
use crate::kernel::window::Axis;
use crate::operator::Inputs;
use crate::schema::Padding;
use crate::tensor::{DType, num_elements};

/// The attributes of a node as the named options table. A node without options has the defaults, as
/// converters leave out tables of defaults.
///
/// Returns from the calling function with an error if the node has another table.
macro_rules! attributes {
    ($node:expr, $options:ident) => {
        attributes!($node.options, BuiltinOptionsT::$options, BuiltinOptionsT::NONE, $options)
    };
    ($member:expr, $some:path, $none:path, $options:ident) => {
        match &$member {
            $some(options) => (**options).clone(),
            $none => Default::default(),
            _ => {
                let wanted = stringify!($options);
                return Err(Error::model(format!("its attributes are not {wanted}")));
            }
        }
    };
}
pub(super) use attributes;

/// As [`attributes`], for tables of the second union, which operators that came late have.
macro_rules! attributes_2 {
    ($node:expr, $options:ident) => {
        $crate::ops::attributes::attributes!(
            $node.options_2,
            BuiltinOptions2T::$options,
            BuiltinOptions2T::NONE,
            $options
        )
    };
}
pub(super) use attributes_2;

/// `value`, if it is positive.
///
/// # Errors
/// If it is not.
pub(super) fn positive(name: &str, value: i32) -> Result<usize> {
    usize::try_from(value)
        .ok()
        .filter(|&v| v > 0)
        .ok_or_else(|| Error::model(format!("{name} is {value}, but must be positive")))
}

/// One axis of a sliding window over `input` positions; sizes and padding as TFLite defines them.
///
/// # Errors
/// If a stride or dilation is not positive, there are no taps, or no output position exists.
pub(super) fn window_axis(
    padding: Padding,
    input: usize,
    taps: usize,
    stride: i32,
    dilation: i32,
) -> Result<Axis> {
    let (stride, dilation) = (positive("a stride", stride)?, positive("a dilation", dilation)?);
    let reach = taps
        .checked_sub(1)
        .and_then(|t| t.checked_mul(dilation)?.checked_add(1))
        .ok_or_else(|| Error::model(format!("a window of {taps} taps has no extent")))?;
    let output = match padding {
        Padding::SAME => input.div_ceil(stride),
        Padding::VALID => (input + 1).saturating_sub(reach).div_ceil(stride),
        other => return Err(Error::model(format!("padding {other:?} is not known"))),
    };
    if output == 0 {
        return Err(Error::model(format!(
            "a window over {reach} positions does not fit an input of {input}"
        )));
    }
    let needed = (output - 1)
        .checked_mul(stride)
        .and_then(|n| n.checked_add(reach))
        .ok_or_else(|| Error::model("a window is too large"))?;
    let before = match padding {
        Padding::SAME => needed.saturating_sub(input) / 2,
        _ => 0,
    };
    Ok(Axis { input, output, taps, stride, dilation, before })
}

/// `axis` as a position in `0..rank`; negative ones count from the end.
///
/// # Errors
/// If there is no such axis.
pub(super) fn axis_in(axis: i64, rank: usize) -> Result<usize> {
    let from_start = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    from_start
        .and_then(|axis| usize::try_from(axis).ok())
        .filter(|&axis| axis < rank)
        .ok_or_else(|| Error::model(format!("there is no axis {axis} among {rank} dimensions")))
}

/// The axis that input `i` names: a constant of one element.
///
/// # Errors
/// If it is not, or there is no such axis.
pub(super) fn constant_axis(inputs: &Inputs, i: usize, rank: usize) -> Result<usize> {
    match inputs.constant_indices(i)?[..] {
        [axis] => axis_in(axis, rank),
        ref axes => Err(Error::model(format!("input {i} names {} axes, not one", axes.len()))),
    }
}

/// Numbers of elements before, along and behind an axis.
///
/// # Errors
/// If there are too many to count.
pub(super) fn around(shape: &[usize], axis: usize) -> Result<[usize; 3]> {
    let count = |dims: &[usize]| {
        num_elements(dims).ok_or_else(|| Error::model(format!("{shape:?} is too large")))
    };
    Ok([count(&shape[..axis])?, shape[axis], count(&shape[axis + 1..])?])
}

/// Bytes of an element that is moved as it is.
///
/// # Errors
/// If elements of this type have no whole bytes.
pub(super) fn element_len(dtype: DType) -> Result<usize> {
    dtype.byte_len().ok_or_else(|| Error::model(format!("{dtype} elements have no whole bytes")))
}

/// The bytes that make up the zeros of output 0: those of its zero point, if it is quantized to bytes.
///
/// # Errors
/// If there is no such output.
pub(super) fn zero_byte(inputs: &Inputs) -> Result<u8> {
    let output = inputs.declared(0)?;
    let zero_point = output.quantization.as_ref().and_then(|it| it.zero_point.first());
    Ok(match output.dtype {
        DType::I8 | DType::U8 => zero_point.copied().unwrap_or(0) as u8,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_padding() {
        let axis = |padding, input, taps, stride, dilation| {
            let axis = window_axis(padding, input, taps, stride, dilation)?;
            Ok::<_, Error>((axis.output, axis.before))
        };
        assert_eq!(axis(Padding::SAME, 224, 3, 2, 1).unwrap(), (112, 0));
        assert_eq!(axis(Padding::SAME, 225, 3, 2, 1).unwrap(), (113, 1));
        assert_eq!(axis(Padding::SAME, 10, 3, 1, 2).unwrap(), (10, 2));
        assert_eq!(axis(Padding::VALID, 230, 7, 2, 1).unwrap(), (112, 0));
        assert_eq!(axis(Padding::VALID, 10, 3, 1, 3).unwrap(), (4, 0));
        for (padding, input, taps, stride, dilation) in [
            (Padding::VALID, 2, 3, 1, 1),
            (Padding::SAME, 2, 3, 0, 1),
            (Padding::SAME, 2, 3, 1, -1),
            (Padding::SAME, 2, 0, 1, 1),
            (Padding::SAME, 0, 1, 1, 1),
            (Padding(7), 2, 1, 1, 1),
        ] {
            assert!(axis(padding, input, taps, stride, dilation).is_err());
        }
    }
}
