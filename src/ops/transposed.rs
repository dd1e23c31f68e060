//! `TRANSPOSE_CONV`, `CONV_3D_TRANSPOSE` and MediaPipe's custom operator `Convolution2DTransposeBias`.
//!
//! Images are `[n, h, w, c]` and `[n, d, h, w, c]`. The shape of the output is an operand, or follows from the
//! input's; where padding of a convolution from there to the input would be, nothing is written. Semantics:
//! TFLite's `transpose_conv.cc` and `conv3d_transpose.cc` for float32, MediaPipe's `transpose_conv_bias.cc`.

use smallvec::SmallVec;

use super::activation::Activation;
use super::attributes::{attributes, positive};
use super::unpooling::{padding_of, words};
use crate::error::{Error, Result};
use crate::graph::{Constant, Node};
use crate::kernel::transposed::{Geometry, Transposed, taps_outermost};
use crate::kernel::window::Axis;
use crate::observation::Observation;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{BuiltinOptionsT, Padding};
use crate::tensor::{DType, TensorType, num_elements};

/// The position of the shape, if it is an operand.
const SHAPE: usize = 0;

/// Positions of the other operands.
#[derive(Clone, Copy)]
struct Positions {
    input: usize,
    filter: usize,
    bias: usize,
}

const BEHIND_SHAPE: Positions = Positions { input: 2, filter: 1, bias: 3 };

/// The axis of planes, if there is one plane.
const FLAT: Axis = Axis { input: 1, output: 1, taps: 1, stride: 1, dilation: 1, before: 0 };

/// Strides, dilations and padding, outermost axis first.
#[derive(Clone, Copy, Debug)]
struct Spreading<const N: usize> {
    padding: Padding,
    strides: [i32; N],
    dilations: [i32; N],
}

impl<const N: usize> Spreading<N> {
    /// The axes of the convolution from the output to the input.
    fn axes(&self, input: [usize; N], output: [usize; N], taps: [usize; N]) -> Result<[Axis; N]> {
        let mut axes =
            [Axis { input: 1, output: 1, taps: 1, stride: 1, dilation: 1, before: 0 }; N];
        for (i, axis) in axes.iter_mut().enumerate() {
            let stride = positive("a stride", self.strides[i])?;
            let dilation = positive("a dilation", self.dilations[i])?;
            let sizes = (input[i], output[i], taps[i]);
            *axis = spread_axis(self.padding, sizes, stride, dilation)?;
        }
        Ok(axes)
    }
}

/// One axis of a convolution from `output` positions to `input` positions.
fn spread_axis(
    padding: Padding,
    (input, output, taps): (usize, usize, usize),
    stride: usize,
    dilation: usize,
) -> Result<Axis> {
    if input == 0 || output == 0 || taps == 0 {
        return Err(Error::model(format!(
            "{taps} taps cannot spread {input} positions over {output}"
        )));
    }
    let reach = (taps - 1).checked_mul(dilation);
    let end =
        (input - 1).checked_mul(stride).zip(reach).and_then(|(at, reach)| at.checked_add(reach));
    if end.is_none_or(|end| end > i32::MAX as usize) {
        return Err(Error::model("a window is too large"));
    }
    let reach = reach.unwrap_or(0) + 1;
    let before = match padding {
        Padding::SAME => {
            let last = (output.div_ceil(stride) - 1).saturating_mul(stride);
            last.saturating_add(reach).saturating_sub(output) / 2
        }
        Padding::VALID => 0,
        other => return Err(Error::model(format!("padding {other:?} is not known"))),
    };
    // Seen from the convolution, this output is the input.
    Ok(Axis { input: output, output: input, taps, stride, dilation, before })
}

/// What both operators share once their shapes are known.
#[derive(Clone, Copy)]
struct Shapes {
    batch: usize,
    geometry: Geometry,
    taps: usize,
    channels: usize,
    output_channels: usize,
    order: FilterOrder,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FilterOrder {
    /// `[output channels, taps, channels]`
    ChannelsFirst,
    /// `[taps, output channels, channels]`
    TapsFirst,
}

/// Checks types, channels and the bias, which all have alike.
fn check_operands<const N: usize>(
    inputs: &Inputs,
    at: Positions,
    shape: [usize; N],
    input: [usize; N],
    (output_channels, channels): (usize, usize),
) -> Result<()> {
    inputs.expect_dtype(at.input, DType::F32)?;
    inputs.expect_dtype(at.filter, DType::F32)?;
    if shape[0] != input[0] || shape[N - 1] != output_channels || input[N - 1] != channels {
        return Err(Error::model(format!(
            "a filter from {channels} channels to {output_channels} does not make an output of shape \
             {shape:?} of an input of shape {input:?}"
        )));
    }
    if channels == 0 || output_channels == 0 {
        return Err(Error::model("the filter has no channels"));
    }
    if num_elements(&shape[1..]).is_none() || num_elements(&input[1..]).is_none() {
        return Err(Error::model("an image is too large"));
    }
    if inputs.optional(at.bias).is_some() {
        inputs.expect_dtype(at.bias, DType::F32)?;
        let bias = inputs.shape(at.bias)?;
        if bias.iter().product::<usize>() != output_channels {
            return Err(Error::model(format!(
                "bias has shape {bias:?}, but there are {output_channels} output channels"
            )));
        }
    }
    Ok(())
}

/// The shape of the output.
fn wanted<const N: usize>(inputs: &Inputs) -> Result<[usize; N]> {
    let shape = inputs.constant_indices(SHAPE)?;
    let dims: Option<Vec<_>> = shape.iter().map(|&d| usize::try_from(d).ok()).collect();
    dims.and_then(|dims| dims.try_into().ok())
        .ok_or_else(|| Error::model(format!("{shape:?} is not a shape of {N} dimensions")))
}

/// `TRANSPOSE_CONV`
pub(super) struct TransposeConv {
    spreading: Spreading<2>,
    activation: Activation,
}

impl TransposeConv {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, TransposeConvOptions);
        let spreading = Spreading {
            padding: options.padding,
            strides: [options.stride_h, options.stride_w],
            dilations: [1, 1],
        };
        let activation = Activation::new(options.fused_activation_function)?;
        Ok(Box::new(Self { spreading, activation }))
    }

    fn shapes(&self, inputs: &Inputs) -> Result<([usize; 4], Shapes)> {
        let output = wanted(inputs)?;
        let input = inputs.shape_of_rank(BEHIND_SHAPE.input)?;
        let [output_channels, taps_y, taps_x, channels] =
            inputs.shape_of_rank(BEHIND_SHAPE.filter)?;
        check_operands(inputs, BEHIND_SHAPE, output, input, (output_channels, channels))?;
        let ([batch, h, w, _], [_, out_h, out_w, _]) = (input, output);
        let [y, x] = self.spreading.axes([h, w], [out_h, out_w], [taps_y, taps_x])?;
        let geometry = Geometry::new([FLAT, y, x], channels, output_channels);
        let (taps, order) = (taps_y * taps_x, FilterOrder::ChannelsFirst);
        Ok((output, Shapes { batch, geometry, taps, channels, output_channels, order }))
    }
}

impl Operator for TransposeConv {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::new(DType::F32, self.shapes(inputs)?.0)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        prepare(self.shapes(context.inputs)?.1, BEHIND_SHAPE, self.activation, context)
    }
}

/// `CONV_3D_TRANSPOSE`
pub(super) struct Conv3dTranspose {
    spreading: Spreading<3>,
    activation: Activation,
}

impl Conv3dTranspose {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, Conv3DOptions);
        let spreading = Spreading {
            padding: options.padding,
            strides: [options.stride_d, options.stride_h, options.stride_w],
            dilations: [
                options.dilation_d_factor,
                options.dilation_h_factor,
                options.dilation_w_factor,
            ],
        };
        let activation = Activation::new(options.fused_activation_function)?;
        Ok(Box::new(Self { spreading, activation }))
    }

    fn shapes(&self, inputs: &Inputs) -> Result<([usize; 5], Shapes)> {
        let output = wanted(inputs)?;
        let input = inputs.shape_of_rank(BEHIND_SHAPE.input)?;
        let [taps_z, taps_y, taps_x, output_channels, channels] =
            inputs.shape_of_rank(BEHIND_SHAPE.filter)?;
        check_operands(inputs, BEHIND_SHAPE, output, input, (output_channels, channels))?;
        let ([batch, d, h, w, _], [_, out_d, out_h, out_w, _]) = (input, output);
        let taps = [taps_z, taps_y, taps_x];
        let axes = self.spreading.axes([d, h, w], [out_d, out_h, out_w], taps)?;
        let geometry = Geometry::new(axes, channels, output_channels);
        let (taps, order) = (taps.iter().product(), FilterOrder::TapsFirst);
        Ok((output, Shapes { batch, geometry, taps, channels, output_channels, order }))
    }
}

impl Operator for Conv3dTranspose {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::new(DType::F32, self.shapes(inputs)?.0)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        prepare(self.shapes(context.inputs)?.1, BEHIND_SHAPE, self.activation, context)
    }
}

/// MediaPipe's `Convolution2DTransposeBias`
pub(super) struct TransposeConvBias {
    padding: Padding,
    strides: [usize; 2],
}

impl TransposeConvBias {
    const AT: Positions = Positions { input: 0, filter: 1, bias: 2 };

    /// Attributes are the start of TFLite's `TfLiteTransposeConvParams`, as it lies in memory.
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let [padding, stride_w, stride_h] = words(&node.custom_options)?;
        let strides = [positive("a stride", stride_h)?, positive("a stride", stride_w)?];
        Ok(Box::new(Self { padding: padding_of(padding)?, strides }))
    }

    fn shapes(&self, inputs: &Inputs) -> Result<([usize; 4], Shapes)> {
        let input @ [batch, h, w, _] = inputs.shape_of_rank::<4>(Self::AT.input)?;
        let [output_channels, taps_y, taps_x, channels] = inputs.shape_of_rank(Self::AT.filter)?;
        let axis = |i: usize, input: usize, taps: usize| {
            // With padding, the smallest output from which a convolution gives the input.
            let stride = self.strides[i];
            let last = input.checked_sub(1).and_then(|n| n.checked_mul(stride)?.checked_add(taps));
            let all = last.filter(|&n| i32::try_from(n).is_ok() && taps > 0).ok_or_else(|| {
                Error::model(format!("{taps} taps cannot be spread over {input} positions"))
            })?;
            let cut = match self.padding {
                Padding::SAME => taps.saturating_sub((input - 1) % stride + 1),
                _ => 0,
            };
            let (output, before) = (all - cut, cut / 2);
            Ok(Axis { input: output, output: input, taps, stride, dilation: 1, before })
        };
        let (y, x) = (axis(0, h, taps_y)?, axis(1, w, taps_x)?);
        let output = [batch, y.input, x.input, output_channels];
        check_operands(inputs, Self::AT, output, input, (output_channels, channels))?;
        let geometry = Geometry::new([FLAT, y, x], channels, output_channels);
        let (taps, order) = (taps_y * taps_x, FilterOrder::ChannelsFirst);
        Ok((output, Shapes { batch, geometry, taps, channels, output_channels, order }))
    }
}

impl Operator for TransposeConvBias {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::new(DType::F32, self.shapes(inputs)?.0)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        prepare(self.shapes(context.inputs)?.1, Self::AT, Activation::NONE, context)
    }
}

fn prepare(
    shapes: Shapes,
    at: Positions,
    activation: Activation,
    context: &PrepareContext<'_>,
) -> Result<Prepared> {
    let PrepareContext { isa, arithmetic, inputs, .. } = *context;
    let Shapes { batch, geometry, taps, channels: k, output_channels: n, order } = shapes;
    let pack = move |weights: &[f32], bias: Option<&[f32]>| match order {
        FilterOrder::TapsFirst => Transposed::new(isa, arithmetic, geometry, weights, bias),
        FilterOrder::ChannelsFirst => {
            let turned = taps_outermost(weights, n, taps, k);
            Transposed::new(isa, arithmetic, geometry, turned.as_slice(), bias)
        }
    };
    let scratch = move |records: usize| geometry.scratch_len(isa, records.saturating_mul(batch));
    let multiply_adds = batch.saturating_mul(geometry.multiply_adds());
    let weights = inputs.required(at.filter)?.constant.clone();
    let bias = inputs.optional(at.bias).map(|info| info.constant.as_ref());
    let (Some(weights), None | Some(Some(_))) = (weights, bias) else {
        // The filter is computed from the record: packed in every evaluation.
        let has_bias = bias.is_some();
        let prepared = Prepared::eval(Observe::Fused, move |context| {
            let bias = has_bias.then(|| context.input::<f32>(at.bias));
            let images = context.images(at.input, geometry.input_len());
            spread(&pack(context.input(at.filter), bias), geometry, &images, activation, context);
            Ok(())
        });
        return Ok(prepared.with_scratch(scratch(1)).multiplying(multiply_adds));
    };
    let bias = bias.flatten().cloned();
    let prepared = Prepared::later(Observe::Fused, move || {
        let transposed = pack(weights.as_slice(), bias.as_ref().map(Constant::as_slice));
        move |context: &mut EvalContext<'_>| {
            let images = context.images(at.input, geometry.input_len());
            spread(&transposed, geometry, &images, activation, context);
            Ok(())
        }
    });
    Ok(prepared.in_groups(scratch).multiplying(multiply_adds).holding(geometry.byte_len()))
}

/// Spreads every image of the records.
fn spread(
    transposed: &Transposed,
    geometry: Geometry,
    images: &[&[f32]],
    activation: Activation,
    context: &mut EvalContext<'_>,
) {
    let isa = context.isa();
    let row = geometry.output_row();
    let after = activation.only_clamp().and_then(|_| context.take_after(row));
    let (output, scratch) = context.output_and_scratch::<f32>();
    let mut observed = SmallVec::<[_; 64]>::from_elem(Observation::EMPTY, images.len());
    transposed.run(isa, images, activation.clamp, output, &mut observed, after, scratch);
    activation.finish_images(isa, &mut observed, output);
    context.observe_images(&observed);
}

#[cfg(test)]
mod tests;
