//! `FULLY_CONNECTED`: `[.., k]` by weights `[n, k]` gives `[rows, n]`.
//!
//! Semantics: TFLite's `fully_connected.cc` for float32.

use smallvec::SmallVec;

use super::activation::Activation;
use super::attributes::attributes;
use crate::error::{Error, Result};
use crate::graph::{Constant, Node};
use crate::kernel::gemm::{
    After, Packed, PackedWeights, Target, WeightLayout, matrix_rows, multiply,
};
use crate::observation::Observation;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{BuiltinOptionsT, FullyConnectedOptionsWeightsFormat};
use crate::tensor::{DType, TensorType, num_elements};

pub(super) struct FullyConnected {
    activation: Activation,
    keep_num_dims: bool,
}

/// Rows, inner length and columns of the product.
#[derive(Clone, Copy)]
struct Sizes {
    rows: usize,
    k: usize,
    n: usize,
}

impl FullyConnected {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, FullyConnectedOptions);
        if options.weights_format != FullyConnectedOptionsWeightsFormat::DEFAULT {
            let format = options.weights_format;
            return Err(Error::model(format!("weights format {format:?} is not supported")));
        }
        let activation = Activation::new(options.fused_activation_function)?;
        Ok(Box::new(Self { activation, keep_num_dims: options.keep_num_dims }))
    }

    fn sizes(inputs: &Inputs) -> Result<Sizes> {
        inputs.expect_dtype(0, DType::F32)?;
        inputs.expect_dtype(1, DType::F32)?;
        let [n, k] = inputs.shape_of_rank(1)?;
        let shape = inputs.shape(0)?;
        let elements = num_elements(shape).unwrap_or(0);
        if k == 0 || !elements.is_multiple_of(k) {
            return Err(Error::model(format!(
                "an input of shape {shape:?} cannot be split into rows of {k}"
            )));
        }
        if inputs.optional(2).is_some() {
            inputs.expect_dtype(2, DType::F32)?;
            let bias = inputs.shape(2)?;
            if num_elements(bias) != Some(n) {
                return Err(Error::model(format!(
                    "bias has shape {bias:?}, but there are {n} rows"
                )));
            }
        }
        Ok(Sizes { rows: elements / k, k, n })
    }
}

impl Operator for FullyConnected {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let Sizes { rows, k, n } = Self::sizes(inputs)?;
        let mut shape = inputs.shape(0)?.to_vec();
        if self.keep_num_dims {
            match shape.last_mut() {
                Some(last) if *last == k => *last = n,
                _ => {
                    return Err(Error::model(format!(
                        "the last of dimensions {shape:?} is not {k}, so they cannot be kept"
                    )));
                }
            }
        } else {
            shape = vec![rows, n];
        }
        Ok(vec![TensorType::new(DType::F32, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let PrepareContext { isa, arithmetic, inputs, .. } = *context;
        let activation = self.activation;
        let sizes = Self::sizes(inputs)?;
        let Sizes { k, n, .. } = sizes;
        let layout = WeightLayout { n, segments: 1, segment_len: k, column_stride: k, k_stride: 1 };
        let scratch =
            move |records| layout.scratch_len(isa, records * sizes.rows, k * size_of::<f32>());
        let multiply_adds = sizes.rows * k * n;
        let weights = inputs.required(1)?.constant.as_ref();
        let bias = inputs.optional(2).map(|info| info.constant.as_ref());
        let (Some(weights), None | Some(Some(_))) = (weights, bias) else {
            let has_bias = bias.is_some();
            let packed_len = layout.byte_len();
            let prepared = Prepared::eval(Observe::Fused, move |context| {
                let (isa, input) = (context.isa(), context.images(0, sizes.rows * k));
                let (weights, bias) = (context.input(1), has_bias.then(|| context.input(2)));
                let after = activation.only_clamp().and_then(|_| context.take_after(n));
                let (output, scratch) = context.output_and_scratch();
                let (memory, scratch) = scratch.split_at_mut(packed_len);
                let packed = Packed::pack(isa, arithmetic, layout, weights, bias, memory);
                let observed = product(packed, sizes, activation, &input, output, after, scratch);
                context.observe_images(&observed);
                Ok(())
            });
            let scratch = packed_len.saturating_add(scratch(1));
            return Ok(prepared.with_scratch(scratch).multiplying(multiply_adds));
        };
        let (weights, bias) = (weights.clone(), bias.flatten().cloned());
        let packs = context.packs.clone();
        let prepared = Prepared::later(Observe::Fused, move || {
            let packed = packs.get(&layout, &[Some(&weights), bias.as_ref()], || {
                let bias = bias.as_ref().map(Constant::as_slice);
                PackedWeights::new(isa, arithmetic, layout, weights.as_slice(), bias)
            });
            move |context: &mut EvalContext<'_>| {
                let input = context.images(0, sizes.rows * k);
                let after = activation.only_clamp().and_then(|_| context.take_after(n));
                let (output, scratch) = context.output_and_scratch();
                let packed = Packed::from(&*packed);
                let observed = product(packed, sizes, activation, &input, output, after, scratch);
                context.observe_images(&observed);
                Ok(())
            }
        });
        let prepared = prepared.in_groups(scratch).multiplying(multiply_adds);
        Ok(prepared.holding(layout.byte_len()))
    }
}

/// Returns what is observed of each image.
fn product(
    packed: Packed<'_>,
    Sizes { rows, k, n }: Sizes,
    activation: Activation,
    images: &[&[f32]],
    output: &mut [f32],
    after: Option<After<'_>>,
    scratch: &mut [u8],
) -> SmallVec<[Observation; 64]> {
    let mut observed = SmallVec::from_elem(Observation::EMPTY, images.len());
    let target = Target { values: &mut *output, row_stride: n, column: 0 };
    let rows = matrix_rows(images, rows, k);
    multiply(packed, rows, activation.clamp, target, &mut observed, after, scratch);
    activation.finish_images(packed.isa(), &mut observed, output);
    observed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Operand, run};
    use crate::schema::BuiltinOperator;

    #[test]
    fn no_rows_are_nothing_to_observe() {
        let operands =
            [Operand::constant(&[0, 3], &[]), Operand::constant(&[2, 3], &[1.0; 6])].map(Some);
        let options = BuiltinOptionsT::NONE;
        let error = run(BuiltinOperator::FULLY_CONNECTED, options, &operands).unwrap_err();
        assert!(error.to_string().contains("nothing to observe"), "{error}");
    }
}
