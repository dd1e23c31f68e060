//! `FULLY_CONNECTED`: `[.., k]` by weights `[n, k]` gives `[rows, n]`.
//!
//! Semantics: TFLite's `fully_connected.cc` for float32; of quantized weights see `weights.rs`.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::activation::Activation;
use super::attributes::attributes;
use super::weights::Weights;
use crate::error::{Error, Result};
use crate::graph::{Constant, Node};
use crate::kernel::gemm::{
    After, Packed, PackedWeights, Target, WeightLayout, matrix_rows, multiply,
};
use crate::observation::Observation;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{BuiltinOptionsT, FullyConnectedOptionsWeightsFormat};
use crate::tensor::{DType, TensorType, num_elements};

#[derive(Clone, Copy)]
pub(super) struct FullyConnected {
    activation: Activation,
    keep_num_dims: bool,
    order: Order,
}

/// How weights lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Rows,
    /// Blocks of rows, each column by column (circle's `SHUFFLED16x1FLOAT32`).
    Blocks,
}

/// Rows in a block.
const BLOCK: usize = 16;

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
        let order = match options.weights_format {
            FullyConnectedOptionsWeightsFormat::DEFAULT => Order::Rows,
            FullyConnectedOptionsWeightsFormat::SHUFFLED16x1FLOAT32 => Order::Blocks,
            other => {
                return Err(Error::model(format!("weights format {other:?} is not supported")));
            }
        };
        let activation = Activation::new(options.fused_activation_function)?;
        Ok(Box::new(Self { activation, keep_num_dims: options.keep_num_dims, order }))
    }

    fn sizes(&self, inputs: &Inputs) -> Result<Sizes> {
        inputs.expect_dtype(0, DType::F32)?;
        Weights::check(inputs, 1)?;
        let [n, k] = inputs.shape_of_rank(1)?;
        if self.order == Order::Blocks {
            inputs.expect_dtype(1, DType::F32)?;
            inputs.constant(1)?;
            if !n.is_multiple_of(BLOCK) {
                return Err(Error::model(format!("{n} rows are not blocks of {BLOCK}")));
            }
        }
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

    /// Constant weights as floats, row by row.
    fn rows<'a>(&self, weights: &'a Weights, Sizes { k, n, .. }: Sizes) -> Cow<'a, [f32]> {
        let values = weights.values();
        if self.order == Order::Rows {
            return values;
        }
        let mut rows = vec![0.0; n * k];
        for (i, &value) in values.iter().enumerate() {
            let (block, column, row) = (i / (BLOCK * k), i / BLOCK % k, i % BLOCK);
            rows[(block * BLOCK + row) * k + column] = value;
        }
        Cow::Owned(rows)
    }
}

impl Operator for FullyConnected {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let Sizes { rows, k, n } = self.sizes(inputs)?;
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
        let sizes = self.sizes(inputs)?;
        let Sizes { k, n, .. } = sizes;
        let layout = WeightLayout::of_rows(n, k);
        let scratch =
            move |records| layout.scratch_len(isa, records * sizes.rows, k * size_of::<f32>());
        let multiply_adds = sizes.rows * k * n;
        let weights = Weights::of(inputs, 1)?;
        let bias = inputs.optional(2).map(|info| info.constant.as_ref());
        let (Some(weights), None | Some(Some(_))) = (weights.clone(), bias) else {
            let has_bias = bias.is_some();
            let packed_len = layout.byte_len();
            // Constant weights all the same, if only the bias is late, and the model has others than these.
            let known = weights.filter(|it| !it.are_floats() || self.order == Order::Blocks);
            let known = known.map(|weights| self.rows(&weights, sizes).into_owned());
            let held = known.as_ref().map_or(0, |rows| size_of_val(rows.as_slice()));
            let prepared = Prepared::eval(Observe::Fused, move |context| {
                let (isa, input) = (context.isa(), context.images(0, sizes.rows * k));
                let weights = known.as_deref().unwrap_or_else(|| context.input(1));
                let bias = has_bias.then(|| context.input(2));
                let after = activation.only_clamp().and_then(|_| context.take_after(n));
                let (output, scratch) = context.output_and_scratch();
                let (memory, scratch) = scratch.split_at_mut(packed_len);
                let packed = Packed::pack(isa, arithmetic, layout, weights, bias, memory);
                let observed = product(packed, sizes, activation, &input, output, after, scratch);
                context.observe_images(&observed);
                Ok(())
            });
            let scratch = packed_len.saturating_add(scratch(1));
            let prepared = prepared.with_scratch(scratch).holding(held);
            return Ok(prepared.multiplying(multiply_adds));
        };
        let (operator, bias) = (*self, bias.flatten().cloned());
        let packs = context.packs.clone();
        let prepared = Prepared::later(Observe::Fused, move || {
            let purpose = (layout, operator.order);
            let packed = weights.packed(&packs, &purpose, bias.as_ref(), || {
                let bias = bias.as_ref().map(Constant::as_slice);
                PackedWeights::new(isa, arithmetic, layout, &operator.rows(&weights, sizes), bias)
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
        let prepared = prepared.holding(layout.byte_len());
        if activation.only_clamp().is_none() {
            return Ok(prepared);
        }
        let block =
            move |records| layout.block_len(isa, records * sizes.rows, k * size_of::<f32>());
        Ok(prepared.in_blocks(n, block))
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
    use crate::graph::Quantization;
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, FullyConnectedOptionsT};
    use crate::tensor::AlignedBuffer;
    use FullyConnectedOptionsWeightsFormat as Format;

    #[test]
    fn weights_that_are_refused() {
        let refused = |weights: Operand, format| {
            let options = FullyConnectedOptionsT { weights_format: format, ..Default::default() };
            let options = BuiltinOptionsT::FullyConnectedOptions(Box::new(options));
            let operands = [Some(Operand::input(&[2, 3], &[1.0; 6])), Some(weights)];
            run(BuiltinOperator::FULLY_CONNECTED, options, &operands).unwrap_err().to_string()
        };
        let floats = |shape: &[usize]| Operand::constant(shape, &vec![1.0; shape.iter().product()]);
        let bytes = AlignedBuffer::copy_of(&[1_i8; 6]);
        let quantized = |scale: Vec<f32>| {
            let scales = Quantization { scale, ..Quantization::default() };
            Operand::typed(DType::I8, &[2, 3], bytes.clone(), Some(scales))
        };
        let halves = AlignedBuffer::copy_of(&[0_u16; 6]);
        for (weights, format, message) in [
            (floats(&[2, 3]), Format::SHUFFLED4x16INT8, "format SHUFFLED4x16INT8 is not supported"),
            (floats(&[2, 3]), Format::SHUFFLED16x1FLOAT32, "2 rows are not blocks of 16"),
            (quantized(vec![]), Format::DEFAULT, "has no scale"),
            (quantized(vec![1.0; 3]), Format::DEFAULT, "3 scales do not fit axis 0"),
            (quantized(vec![1.0]).recorded(), Format::DEFAULT, "must be a constant"),
            (quantized(vec![1.0]), Format::SHUFFLED4x16INT8, "is not supported"),
            (Operand::typed(DType::F16, &[2, 3], halves, None), Format::DEFAULT, "is FLOAT16"),
        ] {
            let error = refused(weights, format);
            assert!(error.contains(message), "{error}");
        }
    }

    #[test]
    fn no_rows_are_nothing_to_observe() {
        let operands =
            [Operand::constant(&[0, 3], &[]), Operand::constant(&[2, 3], &[1.0; 6])].map(Some);
        let options = BuiltinOptionsT::NONE;
        let error = run(BuiltinOperator::FULLY_CONNECTED, options, &operands).unwrap_err();
        assert!(error.to_string().contains("nothing to observe"), "{error}");
    }
}
