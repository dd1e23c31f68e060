//! Weights, biases and states as operands.

use super::sizes::Sequences;
use crate::error::{Error, Result};
use crate::graph::Constant;
use crate::operator::{EvalContext, Inputs};
use crate::tensor::{AlignedBuffer, DType, num_elements};

/// The sequences of input `i`, and how many values a step of them has.
///
/// # Errors
/// If it has other than three dimensions, or is not of floats.
pub(super) fn sequences(inputs: &Inputs, i: usize, time_major: bool) -> Result<(Sequences, usize)> {
    inputs.expect_dtype(i, DType::F32)?;
    let [a, b, len] = inputs.shape_of_rank(i)?;
    let (time, batch) = if time_major { (a, b) } else { (b, a) };
    Ok((Sequences { batch, time, time_major }, len))
}

/// Input `i` as a single step of each of its rows, and how many values a step has.
///
/// # Errors
/// If it has other than two dimensions, or is not of floats.
pub(super) fn steps(inputs: &Inputs, i: usize) -> Result<(Sequences, usize)> {
    inputs.expect_dtype(i, DType::F32)?;
    let [batch, len] = inputs.shape_of_rank(i)?;
    Ok((Sequences { batch, time: 1, time_major: true }, len))
}

/// Checks that input `i` is floats, or a constant quantized to 8 bits, of a shape.
///
/// # Errors
/// If it is not, or left out.
pub(super) fn expect_weights(inputs: &Inputs, i: usize, shape: &[usize]) -> Result<()> {
    let found = inputs.shape(i)?;
    if found != shape {
        return Err(Error::model(format!(
            "input {i} has shape {found:?}, but {shape:?} is needed"
        )));
    }
    match inputs.required(i)?.tensor_type.dtype {
        DType::I8 => scale(inputs, i).map(|_| ()),
        _ => inputs.expect_dtype(i, DType::F32),
    }
}

/// Checks that input `i` is floats, so many.
///
/// # Errors
/// If it is not, or left out.
pub(super) fn expect_values(inputs: &Inputs, i: usize, n: usize) -> Result<()> {
    inputs.expect_dtype(i, DType::F32)?;
    let shape = inputs.shape(i)?;
    if num_elements(shape) == Some(n) {
        return Ok(());
    }
    Err(Error::model(format!("input {i} has shape {shape:?}, but {n} values are needed")))
}

/// Scale and zero point of weights that are a quantized constant.
fn scale(inputs: &Inputs, i: usize) -> Result<(f32, i64)> {
    inputs.constant(i)?;
    let quantization = inputs.required(i)?.quantization.as_ref();
    match quantization.map(|it| (&it.scale[..], &it.zero_point[..])) {
        Some((&[scale], zero)) => Ok((scale, zero.first().copied().unwrap_or(0))),
        _ => Err(Error::model(format!("input {i} is quantized, but has no single scale"))),
    }
}

/// Operands that the layers are made of: constants, as floats, and those that come with the record.
pub(super) struct Operands {
    constants: Vec<Option<Constant>>,
    are_constant: bool,
}

impl Operands {
    /// All operands but the `others`, which are no weights.
    ///
    /// # Errors
    /// If one is quantized without a scale.
    pub(super) fn new(inputs: &Inputs, others: &[usize]) -> Result<Self> {
        let (mut constants, mut are_constant) = (Vec::with_capacity(inputs.len()), true);
        for i in 0..inputs.len() {
            let info = inputs.optional(i).filter(|_| !others.contains(&i));
            let mut constant = info.and_then(|info| info.constant.clone());
            if let (Some(values), Some(DType::I8)) =
                (&constant, info.map(|info| info.tensor_type.dtype))
            {
                let (scale, zero) = scale(inputs, i)?;
                let values = values.as_slice::<i8>().iter();
                let floats: Vec<f32> =
                    values.map(|&v| scale * (i64::from(v) - zero) as f32).collect();
                constant = Some(AlignedBuffer::copy_of(&floats).into());
            }
            are_constant &= info.is_none() || constant.is_some();
            constants.push(constant);
        }
        Ok(Self { constants, are_constant })
    }

    /// Whether none comes with the record.
    pub(super) fn are_constant(&self) -> bool {
        self.are_constant
    }

    /// All of them that are constants.
    pub(super) fn constants(&self) -> Vec<Option<&Constant>> {
        self.constants.iter().map(Option::as_ref).collect()
    }

    /// Operand `i`; one that comes with the record only if there is one.
    ///
    /// # Panics
    /// If there is no such operand.
    pub(super) fn get<'s, 'a: 's>(
        &'s self,
        context: Option<&EvalContext<'a>>,
        i: usize,
    ) -> &'s [f32] {
        match (&self.constants[i], context) {
            (Some(constant), _) => constant.as_slice(),
            (None, Some(context)) => context.input(i),
            (None, None) => unreachable!("operands that are not constant come with a record"),
        }
    }
}
