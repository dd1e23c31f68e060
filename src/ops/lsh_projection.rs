//! `LSH_PROJECTION`: bits of an input, each the sign of a weighted sum of hashes of its rows with a seed.
//!
//! Semantics: TFLite's `lsh_projection.cc`, any element type of whole bytes.

mod fingerprint;

use super::attributes::{attributes, element_len};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{BuiltinOptionsT, LSHProjectionType};
use crate::tensor::{DType, TensorType, num_elements};
use fingerprint::fingerprint;

pub(super) struct LshProjection {
    /// Whether the bits of a row of seeds are one number.
    is_sparse: bool,
}

impl LshProjection {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        match attributes!(node, LSHProjectionOptions).type_ {
            LSHProjectionType::SPARSE => Ok(Box::new(Self { is_sparse: true })),
            LSHProjectionType::DENSE => Ok(Box::new(Self { is_sparse: false })),
            other => Err(Error::model(format!("type {other:?} is not known"))),
        }
    }
}

impl Operator for LshProjection {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        inputs.expect_dtype(0, DType::F32)?;
        let ([functions, bits], input) = (inputs.shape_of_rank(0)?, inputs.required(1)?);
        let TensorType { dtype, shape } = &input.tensor_type;
        element_len(*dtype)?;
        if bits > 32 {
            return Err(Error::model(format!("{bits} bits are more than 32")));
        }
        let Some(&rows) = shape.first() else {
            return Err(Error::model("a scalar has no rows"));
        };
        if inputs.optional(2).is_some() {
            inputs.expect_dtype(2, DType::F32)?;
            let [weights] = inputs.shape_of_rank(2)?;
            if weights != rows {
                return Err(Error::model(format!("{weights} weights do not fit {rows} rows")));
            }
        }
        let bits = if self.is_sparse { Some(functions) } else { functions.checked_mul(bits) };
        let bits = bits.ok_or_else(|| Error::model("there are too many bits"))?;
        Ok(vec![TensorType::new(DType::I32, [bits])])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let [_, bits] = context.inputs.shape_of_rank(0)?;
        let TensorType { dtype, shape } = &context.inputs.required(1)?.tensor_type;
        let len = num_elements(&shape[1..])
            .and_then(|n| n.checked_mul(element_len(*dtype).ok()?))
            .ok_or_else(|| Error::model(format!("shape {shape:?} is too large")))?;
        let (rows, has_weights) = (shape[0], context.inputs.optional(2).is_some());
        let is_sparse = self.is_sparse;
        let prepared = Prepared::eval(Observe::Scan, move |context| {
            let (seeds, input) = (context.input::<f32>(0), context.input::<u8>(1));
            let weights = if has_weights { context.input::<f32>(2) } else { &[] };
            let (output, key) = context.output_and_scratch::<i32>();
            let key = &mut key[..len + 4];
            let mut bit = |seed: f32| {
                key[..4].copy_from_slice(&seed.to_le_bytes());
                let mut score = 0.0;
                for row in 0..rows {
                    key[4..].copy_from_slice(&input[row * len..][..len]);
                    let hash = fingerprint(key).cast_signed() as f64;
                    score += weights.get(row).map_or(hash, |&weight| f64::from(weight) * hash);
                }
                i32::from(score > 0.0)
            };
            if !is_sparse {
                output.iter_mut().zip(seeds).for_each(|(to, &seed)| *to = bit(seed));
                return Ok(());
            }
            // Numbers of different functions differ.
            let step = 1_i32.checked_shl(bits as u32).unwrap_or(0);
            for (i, to) in output.iter_mut().enumerate() {
                let seeds = &seeds[i * bits..][..bits];
                let number = seeds.iter().fold(0, |number, &seed| number << 1 | bit(seed));
                *to = step.wrapping_mul(i as i32).wrapping_add(number);
            }
            Ok(())
        });
        let key = len.checked_add(4).ok_or_else(|| Error::model("a row is too large"))?;
        Ok(prepared.with_scratch(key))
    }
}
