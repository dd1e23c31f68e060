//! Constant operands of operators on floats: weights that are floats, or quantized ones that stand for
//! floats.
//!
//! Where weights only are quantized, TFLite quantizes the other operand for each record ("hybrid" kernels).
//! Ranges are wanted of the model before that, so products are those of the floats that the weights stand
//! for.

use std::any::Any;
use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::Arc;

use super::scales::{Scales, is_quantized};
use crate::error::{Error, Result};
use crate::graph::Constant;
use crate::operator::{Inputs, Packs};
use crate::tensor::{DType, num_elements};

/// The value of a constant operand.
#[derive(Clone)]
pub(super) struct Weights {
    constant: Constant,
    dtype: DType,
    /// Those of quantized ones.
    scales: Option<Scales>,
    elements: usize,
}

impl Weights {
    /// Checks that input `i` consists of floats, or that it is constant and stands for floats.
    pub(super) fn check(inputs: &Inputs, i: usize) -> Result<()> {
        Self::of(inputs, i).map(|_| ())
    }

    /// Those of input `i`; `None` if they are floats that are computed from the record.
    pub(super) fn of(inputs: &Inputs, i: usize) -> Result<Option<Self>> {
        let info = inputs.required(i)?;
        let dtype = info.tensor_type.dtype;
        if !is_quantized(dtype) {
            inputs.expect_dtype(i, DType::F32)?;
        }
        let elements = num_elements(&info.tensor_type.shape).unwrap_or(0);
        let Some(constant) = info.constant.clone() else {
            if dtype == DType::F32 {
                return Ok(None);
            }
            return Err(Error::model(format!(
                "input {i} is quantized as {dtype} and computed from the record, but must be a constant"
            )));
        };
        if dtype == DType::F32 {
            return Ok(Some(Self { constant, dtype, scales: None, elements }));
        }
        let scales = Scales::of(info)?;
        let dtype = scales.stored(dtype);
        Ok(Some(Self { constant, dtype, scales: Some(scales), elements }))
    }

    /// Whether they are stored as floats.
    pub(super) fn are_floats(&self) -> bool {
        self.scales.is_none()
    }

    /// What is packed of them, with a bias, unless another plan has done so; `purpose` says how.
    pub(super) fn packed<T: Any + Send + Sync>(
        &self,
        packs: &Packs,
        purpose: &dyn Debug,
        bias: Option<&Constant>,
        make: impl FnOnce() -> T,
    ) -> Arc<T> {
        let purpose = (purpose, self.dtype, &self.scales);
        packs.get(&purpose, &[Some(&self.constant), bias], make)
    }

    /// What they stand for.
    pub(super) fn values(&self) -> Cow<'_, [f32]> {
        let Some(scales) = &self.scales else {
            return Cow::Borrowed(self.constant.as_slice());
        };
        let mut values = vec![0.0; self.elements];
        scales.dequantize_bytes(self.dtype, self.constant.bytes(), 0, &mut values);
        Cow::Owned(values)
    }
}
