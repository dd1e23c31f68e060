//! Casts of stored values to the types that a model expects, where they were asked for.

use bytemuck::AnyBitPattern;
use half::{bf16, f16};

use crate::tensor::{AlignedBuffer, DType};

/// Whether values can be cast: any number or bool to FLOAT32, by rounding to the nearest, and integers to
/// INT32 and INT64, where every value has to fit.
pub(super) fn can_cast(from: DType, to: DType) -> bool {
    let is_integer = matches!(
        from,
        DType::I8
            | DType::U8
            | DType::I16
            | DType::U16
            | DType::I32
            | DType::U32
            | DType::I64
            | DType::U64
            | DType::Bool
    );
    let is_float = matches!(from, DType::F16 | DType::BF16 | DType::F32 | DType::F64);
    match to {
        DType::F32 => is_integer || is_float,
        DType::I32 | DType::I64 => is_integer,
        _ => false,
    }
}

/// What is wrong with values of another type.
pub(super) fn not_cast(found: &str, expected: DType, castable: bool) -> String {
    let advice = if castable { "give --cast, or convert them" } else { "convert them" };
    format!(
        "has type {found}, the model expects {expected}; values are not cast silently: {advice}"
    )
}

/// Casts the elements in `bytes`, in the host's order, to those of `into`, of which there are as many.
///
/// # Errors
/// Which value does not fit, to be put after the input's name.
pub(super) fn cast(
    from: DType,
    bytes: &[u8],
    to: DType,
    into: &mut AlignedBuffer,
) -> Result<(), String> {
    match from {
        DType::F16 => floats(bytes, to, into, |x: u16| f16::from_bits(x).to_f32()),
        DType::BF16 => floats(bytes, to, into, |x: u16| bf16::from_bits(x).to_f32()),
        DType::F32 => floats(bytes, to, into, |x: f32| x),
        DType::F64 => floats(bytes, to, into, |x: f64| x as f32),
        DType::I8 => integers(bytes, to, into, |x: i8| f32::from(x)),
        DType::U8 | DType::Bool => integers(bytes, to, into, |x: u8| f32::from(x)),
        DType::I16 => integers(bytes, to, into, |x: i16| f32::from(x)),
        DType::U16 => integers(bytes, to, into, |x: u16| f32::from(x)),
        DType::I32 => integers(bytes, to, into, |x: i32| x as f32),
        DType::U32 => integers(bytes, to, into, |x: u32| x as f32),
        DType::I64 => integers(bytes, to, into, |x: i64| x as f32),
        DType::U64 => integers(bytes, to, into, |x: u64| x as f32),
        _ => Err(format!("has type {from}, which cannot be cast")),
    }
}

/// The elements in bytes of any alignment.
fn elements<T: AnyBitPattern>(bytes: &[u8]) -> impl Iterator<Item = T> {
    bytes.chunks_exact(size_of::<T>()).map(bytemuck::pod_read_unaligned)
}

fn floats<T: AnyBitPattern>(
    bytes: &[u8],
    to: DType,
    into: &mut AlignedBuffer,
    convert: impl Fn(T) -> f32,
) -> Result<(), String> {
    if to != DType::F32 {
        return Err(format!("has numbers with fractions, which are not cast to {to}"));
    }
    for (to, from) in into.as_mut_slice::<f32>().iter_mut().zip(elements::<T>(bytes)) {
        *to = convert(from);
    }
    Ok(())
}

fn integers<T: AnyBitPattern + Into<i128>>(
    bytes: &[u8],
    to: DType,
    into: &mut AlignedBuffer,
    convert: impl Fn(T) -> f32,
) -> Result<(), String> {
    match to {
        DType::I32 => fitting::<T, i32>(bytes, into.as_mut_slice(), to),
        DType::I64 => fitting::<T, i64>(bytes, into.as_mut_slice(), to),
        _ => floats(bytes, to, into, convert),
    }
}

fn fitting<T: AnyBitPattern + Into<i128>, U: TryFrom<i128>>(
    bytes: &[u8],
    into: &mut [U],
    to: DType,
) -> Result<(), String> {
    for (into, from) in into.iter_mut().zip(elements::<T>(bytes)) {
        let value: i128 = from.into();
        *into = U::try_from(value).map_err(|_| format!("holds {value}, which is no {to}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytemuck::NoUninit;

    use super::*;

    fn cast_to<T: bytemuck::Pod>(from: DType, values: &[impl NoUninit], to: DType) -> Vec<T> {
        let mut into = AlignedBuffer::zeroed(values.len() * size_of::<T>());
        cast(from, bytemuck::cast_slice(values), to, &mut into).unwrap();
        into.as_slice::<T>().to_vec()
    }

    #[test]
    fn numbers_keep_their_values_or_are_rounded() {
        let to = DType::F32;
        let doubles = [1.5, 0.1, -1.0e300, f64::NAN, 16_777_217.0];
        let expected = [1.5, 0.1, f32::NEG_INFINITY, f32::NAN, 16_777_216.0_f32];
        let found = cast_to::<f32>(DType::F64, &doubles, to);
        assert!(found.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{found:?}");
        let halves = [f16::from_f32(-2.5), f16::INFINITY];
        assert_eq!(
            cast_to::<f32>(DType::F16, &halves.map(f16::to_bits), to),
            [-2.5, f32::INFINITY]
        );
        assert_eq!(cast_to::<f32>(DType::BF16, &[bf16::from_f32(3.0).to_bits()], to), [3.0]);
        assert_eq!(cast_to::<f32>(DType::U8, &[0_u8, 255], to), [0.0, 255.0]);
        assert_eq!(cast_to::<f32>(DType::I64, &[i64::MIN, 7], to), [-9.223_372e18, 7.0]);
        assert_eq!(cast_to::<i32>(DType::I64, &[-5_i64, 7], DType::I32), [-5, 7]);
        assert_eq!(cast_to::<i64>(DType::U32, &[u32::MAX], DType::I64), [0xffff_ffff]);
        assert_eq!(cast_to::<i32>(DType::Bool, &[0_u8, 1], DType::I32), [0, 1]);
    }

    #[test]
    fn nothing_is_cut_off() {
        let mut into = AlignedBuffer::zeroed(8);
        let big = [1_i64 << 40, 1];
        let failed = cast(DType::I64, bytemuck::cast_slice(&big), DType::I32, &mut into);
        assert_eq!(failed, Err("holds 1099511627776, which is no INT32".to_owned()));
        assert!(!can_cast(DType::F32, DType::I32) && !can_cast(DType::Complex64, DType::F32));
        assert!(!can_cast(DType::F32, DType::Bool) && can_cast(DType::U8, DType::I64));
    }
}
