//! `UNIQUE`: the different elements of a list, in the order in which they come, and which one each is.
//!
//! Semantics: TFLite's `unique.cc`; zeros of either sign are the same, and so are NaN of the same bits.

use std::collections::HashMap;

use super::attributes::attributes;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{self, BuiltinOptionsT};
use crate::tensor::{DType, TensorType};

pub(super) struct Unique {
    /// Type of the positions.
    positions: DType,
}

impl Unique {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let positions = match attributes!(node, UniqueOptions).idx_out_type {
            schema::TensorType::INT32 => DType::I32,
            schema::TensorType::INT64 => DType::I64,
            other => return Err(Error::model(format!("positions cannot be {other:?}"))),
        };
        Ok(Box::new(Self { positions }))
    }
}

/// Numbers that are equal if the elements of `bytes` are.
fn keys(dtype: DType, bytes: &[u8]) -> Result<Vec<u64>> {
    Ok(match dtype {
        DType::I8 | DType::U8 => bytes.iter().map(|&x| x.into()).collect(),
        DType::I16 => bytemuck::cast_slice::<_, u16>(bytes).iter().map(|&x| x.into()).collect(),
        DType::I32 => bytemuck::cast_slice::<_, u32>(bytes).iter().map(|&x| x.into()).collect(),
        DType::I64 => bytemuck::cast_slice(bytes).to_vec(),
        DType::F32 => bytemuck::cast_slice::<_, f32>(bytes)
            .iter()
            .map(|&x| if x == 0.0 { 0 } else { x.to_bits().into() })
            .collect(),
        other => return Err(Error::model(format!("{other} elements are not supported"))),
    })
}

/// For each key which of the different ones it is, and where these come first.
fn group(keys: &[u64]) -> (Vec<usize>, Vec<usize>) {
    let (mut known, mut first) = (HashMap::new(), Vec::new());
    let groups = keys.iter().enumerate().map(|(at, key)| {
        *known.entry(*key).or_insert_with(|| {
            first.push(at);
            first.len() - 1
        })
    });
    (groups.collect(), first)
}

impl Operator for Unique {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let [len] = inputs.shape_of_rank(0)?;
        let dtype = inputs.required(0)?.tensor_type.dtype;
        let (_, first) = group(&keys(dtype, inputs.constant(0)?.bytes())?);
        Ok(vec![TensorType::new(dtype, [first.len()]), TensorType::new(self.positions, [len])])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (dtype, is_wide) =
            (context.inputs.required(0)?.tensor_type.dtype, self.positions == DType::I64);
        Ok(Prepared::eval(Observe::Scan, move |context| {
            let input = context.input::<u8>(0);
            let (groups, first) = group(&keys(dtype, input)?);
            let element = dtype.byte_len().unwrap_or(1);
            for (to, at) in context.output::<u8>(0).chunks_exact_mut(element).zip(first) {
                to.copy_from_slice(&input[at * element..][..element]);
            }
            store(&groups, is_wide, context);
            Ok(())
        }))
    }
}

fn store(groups: &[usize], is_wide: bool, context: &mut EvalContext<'_>) {
    if is_wide {
        let to = context.output::<i64>(1).iter_mut();
        to.zip(groups).for_each(|(to, &group)| *to = group as i64);
    } else {
        let to = context.output::<i32>(1).iter_mut();
        to.zip(groups).for_each(|(to, &group)| *to = group as i32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_are_the_same() {
        let values = [0.0, f32::NAN, -0.0, 1.0, f32::NAN];
        let keys = keys(DType::F32, bytemuck::cast_slice(&values)).unwrap();
        assert_eq!(group(&keys), (vec![0, 1, 0, 2, 1], vec![0, 1, 3]));
    }
}
