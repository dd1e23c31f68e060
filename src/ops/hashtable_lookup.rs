//! `HASHTABLE_LOOKUP`: rows of a tensor by their keys, and which keys were there; a row that is not is
//! zeros.
//!
//! Semantics: TFLite's `hashtable_lookup.cc`, any element type of whole bytes.

use super::attributes::element_len;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::tensor::{DType, TensorType, num_elements};

pub(super) struct HashtableLookup;

impl HashtableLookup {
    pub(super) fn from_node(_: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self))
    }
}

impl Operator for HashtableLookup {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        inputs.expect_dtype(0, DType::I32)?;
        inputs.expect_dtype(1, DType::I32)?;
        let ([wanted], [keys]) = (inputs.shape_of_rank(0)?, inputs.shape_of_rank(1)?);
        let TensorType { dtype, shape } = &inputs.required(2)?.tensor_type;
        element_len(*dtype)?;
        if shape.first() != Some(&keys) {
            return Err(Error::model(format!("{keys} keys do not fit values of {shape:?}")));
        }
        let rows = [&[wanted], &shape[1..]].concat();
        Ok(vec![TensorType::new(*dtype, rows), TensorType::new(DType::U8, [wanted])])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let TensorType { dtype, shape } = &context.outputs[0];
        let len = num_elements(&shape[1..])
            .and_then(|n| n.checked_mul(dtype.byte_len()?))
            .ok_or_else(|| Error::model("a row is too large"))?;
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let (wanted, keys) = (context.input::<i32>(0), context.input::<i32>(1));
            let values = context.input::<u8>(2);
            if len > 0 {
                let rows = context.output::<u8>(0).chunks_exact_mut(len);
                for (to, &key) in rows.zip(wanted) {
                    match search(keys, key) {
                        Some(row) => to.copy_from_slice(&values[row * len..][..len]),
                        None => to.fill(0),
                    }
                }
            }
            for (to, &key) in context.output::<u8>(1).iter_mut().zip(wanted) {
                *to = search(keys, key).is_some().into();
            }
            Ok(())
        }))
    }
}

/// The position of a key among ascending ones: that of C's `bsearch`, if there are several.
fn search(keys: &[i32], key: i32) -> Option<usize> {
    let (mut low, mut high) = (0, keys.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        match key.cmp(&keys[middle]) {
            std::cmp::Ordering::Less => high = middle,
            std::cmp::Ordering::Equal => return Some(middle),
            std::cmp::Ordering::Greater => low = middle + 1,
        }
    }
    None
}
