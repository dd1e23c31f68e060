//! `CONV_2D` and `DEPTHWISE_CONV_2D`.
//!
//! Images are `[n, h, w, c]`. Semantics: TFLite's `conv.cc` and `depthwise_conv.cc` for float32;
//! groups are the ratio of the input's channels to the filter's. Of quantized filters see `weights.rs`.

use std::sync::Arc;

use smallvec::SmallVec;

use super::activation::Activation;
use super::attributes::{attributes, window_axis};
use super::weights::Weights;
use crate::arithmetic::Arithmetic;
use crate::error::{Error, Result};
use crate::graph::{Constant, Node};
use crate::kernel::Isa;
use crate::kernel::conv::{Convolution, Geometry, Input, taps_first};
use crate::kernel::depthwise::Depthwise;
use crate::kernel::window::{Axis, Ring, Window};
use crate::kernel::winograd::{self, Winograd};
use crate::observation::Observation;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{BuiltinOptionsT, Padding};
use crate::tensor::{AlignedBuffer, DType, TensorType};

/// Strides, dilations and padding of a sliding filter, vertical first.
#[derive(Clone, Copy, Debug)]
struct Sliding {
    padding: Padding,
    strides: (i32, i32),
    dilations: (i32, i32),
}

/// The strides, dilations and padding of either operator's options, whose fields have the same names.
macro_rules! sliding {
    ($options:expr) => {
        Sliding {
            padding: $options.padding,
            strides: ($options.stride_h, $options.stride_w),
            dilations: ($options.dilation_h_factor, $options.dilation_w_factor),
        }
    };
}

impl Sliding {
    fn window(&self, input: (usize, usize), taps: (usize, usize)) -> Result<Window> {
        let y = window_axis(self.padding, input.0, taps.0, self.strides.0, self.dilations.0)?;
        let x = window_axis(self.padding, input.1, taps.1, self.strides.1, self.dilations.1)?;
        Ok(Window { y, x })
    }
}

/// What both operators share once their shapes are known.
#[derive(Clone, Copy)]
struct Shapes {
    batch: usize,
    window: Window,
    channels: usize,
    output_channels: usize,
    groups: usize,
}

impl Shapes {
    fn output(&self) -> Vec<usize> {
        vec![self.batch, self.window.y.output, self.window.x.output, self.output_channels]
    }

    /// The same over the rows that are asked for, and where the input has its rows.
    fn part(&self, context: &EvalContext<'_>) -> (Self, Ring) {
        let (y, ring) = context.part(self.window.y);
        (Self { window: Window { y, ..self.window }, ..*self }, ring)
    }

    /// How rows of one image read rows of one image.
    fn rows(&self) -> Option<Axis> {
        (self.batch == 1).then_some(self.window.y)
    }

    fn input_row(&self) -> usize {
        self.window.x.input * self.channels
    }

    fn input_len(&self) -> usize {
        self.window.y.input * self.input_row()
    }

    fn output_len(&self) -> usize {
        self.window.y.output * self.window.x.output * self.output_channels
    }

    fn taps(&self) -> usize {
        self.window.y.taps * self.window.x.taps
    }

    fn multiply_adds(&self) -> usize {
        self.batch * self.output_len() * self.taps() * (self.channels / self.groups)
    }

    /// The geometry for fewer multiplications, if that pays.
    fn winograd(&self) -> Option<winograd::Geometry> {
        let geometry = winograd::Geometry::new(self.window, self.channels, self.output_channels);
        geometry.filter(|_| self.groups == 1)
    }
}

/// Checks types and the bias, which both operators have alike.
fn check_operands(inputs: &Inputs, output_channels: usize) -> Result<()> {
    inputs.expect_dtype(0, DType::F32)?;
    Weights::check(inputs, 1)?;
    if inputs.optional(2).is_some() {
        inputs.expect_dtype(2, DType::F32)?;
        let bias = inputs.shape(2)?;
        if bias.iter().product::<usize>() != output_channels {
            return Err(Error::model(format!(
                "bias has shape {bias:?}, but there are {output_channels} output channels"
            )));
        }
    }
    Ok(())
}

/// `CONV_2D`
pub(super) struct Conv2d {
    sliding: Sliding,
    activation: Activation,
}

impl Conv2d {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, Conv2DOptions);
        Ok(Box::new(Self {
            sliding: sliding!(options),
            activation: Activation::new(options.fused_activation_function)?,
        }))
    }

    fn shapes(&self, inputs: &Inputs) -> Result<Shapes> {
        let [batch, h, w, channels] = inputs.shape_of_rank(0)?;
        let [output_channels, taps_y, taps_x, group_channels] = inputs.shape_of_rank(1)?;
        if group_channels == 0 || channels % group_channels != 0 {
            return Err(Error::model(format!(
                "the input's {channels} channels are not a multiple of the filter's {group_channels}"
            )));
        }
        let groups = channels / group_channels;
        if groups == 0 || output_channels % groups != 0 {
            return Err(Error::model(format!(
                "{output_channels} output channels cannot be split into {groups} groups"
            )));
        }
        check_operands(inputs, output_channels)?;
        let window = self.sliding.window((h, w), (taps_y, taps_x))?;
        Ok(Shapes { batch, window, channels, output_channels, groups })
    }
}

impl Operator for Conv2d {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::new(DType::F32, self.shapes(inputs)?.output())])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let PrepareContext { isa, arithmetic, inputs, .. } = *context;
        let (shapes, activation) = (self.shapes(inputs)?, self.activation);
        if shapes.groups == shapes.channels && shapes.channels > 1 {
            // One channel a group: a depthwise convolution with its filter the other way round.
            return prepare_depthwise(shapes, activation, context, FilterOrder::TapsLast);
        }
        let channels = (shapes.channels, shapes.output_channels, shapes.groups);
        let geometry = Geometry::new(shapes.window, channels);
        let scratch = move |records| geometry.scratch_len(isa, records * shapes.batch);
        let pack = move |weights: &[f32], bias: Option<&[f32]>| {
            Convolution::pack(isa, arithmetic, geometry, weights, bias)
        };
        let weights = Weights::of(inputs, 1)?;
        let bias = inputs.optional(2).map(|info| info.constant.as_ref());
        let (Some(weights), None | Some(Some(_))) = (weights.clone(), bias) else {
            // The filter or the bias is computed from the record: packed in every evaluation.
            let has_bias = inputs.optional(2).is_some();
            let prepared = Prepared::eval(Observe::Fused, move |context| {
                let bias = has_bias.then(|| context.input::<f32>(2));
                let packed = Arc::new(match &weights {
                    Some(weights) => pack(&weights.values(), bias),
                    None => pack(context.input(1), bias),
                });
                let convolution = Convolution::with(geometry, packed);
                convolve(&convolution, &shapes, activation, context);
                Ok(())
            });
            return Ok(prepared.with_scratch(scratch(1)).multiplying(shapes.multiply_adds()));
        };
        let bias = bias.flatten().cloned();
        if let (Arithmetic::Fast, Some(geometry)) = (arithmetic, shapes.winograd()) {
            let packs = context.packs.clone();
            let make = move || {
                let filters = weights.packed(&packs, &"winograd", bias.as_ref(), || {
                    let bias = bias.as_ref().map(Constant::as_slice);
                    winograd::Filters::new(isa, geometry, &weights.values(), bias)
                });
                Winograd::with(isa, geometry, filters)
            };
            return Ok(prepare_winograd(isa, geometry, make, shapes, activation));
        }
        let packs = context.packs.clone();
        let prepared = Prepared::later(Observe::Fused, move || {
            let packed = weights.packed(&packs, &geometry.packing(), bias.as_ref(), || {
                pack(&weights.values(), bias.as_ref().map(Constant::as_slice))
            });
            let convolution = Convolution::with(geometry, packed);
            move |context: &mut EvalContext<'_>| {
                convolve(&convolution, &shapes, activation, context);
                Ok(())
            }
        });
        let prepared = prepared.in_groups(scratch).multiplying(shapes.multiply_adds());
        let prepared = Prepared { rows: shapes.rows(), ..prepared.holding(geometry.byte_len()) };
        let block = move |records| geometry.block_len(isa, records * shapes.batch);
        if activation.only_clamp().is_none() || block(1).is_none() {
            return Ok(prepared);
        }
        Ok(prepared.in_blocks(shapes.output_channels, move |records| block(records).unwrap_or(0)))
    }
}

/// Convolves every image of the records.
fn convolve(
    convolution: &Convolution,
    shapes: &Shapes,
    activation: Activation,
    context: &mut EvalContext<'_>,
) {
    let (shapes, ring) = shapes.part(context);
    let image = ring.places * shapes.input_row();
    let (isa, images) = (context.isa(), context.images(0, image));
    let in_blocks = shapes.groups == 1 && activation.only_clamp().is_some();
    let after = if in_blocks { context.take_after(shapes.output_channels) } else { None };
    let (output, scratch) = context.output_and_scratch::<f32>();
    let mut observed = unobserved(images.len());
    convolution.run(
        Input { images: &images, rows: shapes.window.y, ring },
        activation.clamp,
        output,
        &mut observed,
        after,
        scratch,
    );
    activation.finish_images(isa, &mut observed, output);
    context.observe_images(&observed);
}

/// An observation for each image, of nothing.
fn unobserved(images: usize) -> SmallVec<[Observation; 64]> {
    SmallVec::from_elem(Observation::EMPTY, images)
}

fn prepare_winograd(
    isa: Isa,
    geometry: winograd::Geometry,
    make: impl FnOnce() -> Winograd + Send + 'static,
    shapes: Shapes,
    activation: Activation,
) -> Prepared {
    let prepared = Prepared::later(Observe::Fused, move || {
        let winograd = make();
        move |context: &mut EvalContext<'_>| {
            let images = context.images(0, shapes.input_len());
            let (output, scratch) = context.output_and_scratch::<f32>();
            let mut observed = unobserved(images.len());
            winograd.run(&images, activation.clamp, output, &mut observed, scratch);
            activation.finish_images(isa, &mut observed, output);
            context.observe_images(&observed);
            Ok(())
        }
    });
    let scratch = move |records| geometry.scratch_len(isa, records * shapes.batch);
    let multiply_adds = shapes.batch * geometry.multiply_adds();
    prepared.in_groups(scratch).multiplying(multiply_adds).holding(geometry.byte_len())
}

/// `DEPTHWISE_CONV_2D`
pub(super) struct DepthwiseConv2d {
    sliding: Sliding,
    activation: Activation,
}

impl DepthwiseConv2d {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, DepthwiseConv2DOptions);
        Ok(Box::new(Self {
            sliding: sliding!(options),
            activation: Activation::new(options.fused_activation_function)?,
        }))
    }

    fn shapes(&self, inputs: &Inputs) -> Result<Shapes> {
        let [batch, h, w, channels] = inputs.shape_of_rank(0)?;
        let [one, taps_y, taps_x, output_channels] = inputs.shape_of_rank(1)?;
        // The multiplier follows from the shapes, as in TFLite; the attribute is not read.
        if one != 1 || channels == 0 || output_channels % channels != 0 {
            return Err(Error::model(format!(
                "a filter of shape {:?} does not fit an input of {channels} channels",
                inputs.shape(1)?
            )));
        }
        check_operands(inputs, output_channels)?;
        let window = self.sliding.window((h, w), (taps_y, taps_x))?;
        Ok(Shapes { batch, window, channels, output_channels, groups: channels })
    }
}

impl Operator for DepthwiseConv2d {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Ok(vec![TensorType::new(DType::F32, self.shapes(inputs)?.output())])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let shapes = self.shapes(context.inputs)?;
        prepare_depthwise(shapes, self.activation, context, FilterOrder::TapsFirst)
    }
}

/// Whether a depthwise filter is `[taps, channels]` or `[channels, taps]`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FilterOrder {
    TapsFirst,
    TapsLast,
}

fn prepare_depthwise(
    shapes: Shapes,
    activation: Activation,
    context: &PrepareContext<'_>,
    order: FilterOrder,
) -> Result<Prepared> {
    let PrepareContext { arithmetic, inputs, .. } = *context;
    let multiplier = shapes.output_channels / shapes.channels;
    // With a multiplier, input channels are first repeated, so that lanes match the outputs'.
    let repeated = if multiplier == 1 { 0 } else { shapes.input_len() * multiplier };
    let (n, taps) = (shapes.output_channels, shapes.taps());
    let has_bias = inputs.optional(2).is_some();
    let zeros = vec![0.0; if has_bias { 0 } else { n }];
    // The filter as the kernel reads it, unless that is how the model has it.
    let known = match (Weights::of(inputs, 1)?, order) {
        (Some(filter), FilterOrder::TapsLast) => Some(taps_first(&filter.values(), n, taps)),
        (Some(filter), FilterOrder::TapsFirst) if !filter.are_floats() => {
            Some(AlignedBuffer::copy_of(&filter.values()))
        }
        _ => None,
    };
    let held = known.as_ref().map_or(0, AlignedBuffer::len);
    let prepared = Prepared::eval(Observe::Fused, move |context| {
        let late;
        let weights: &[f32] = match (&known, order) {
            (Some(known), _) => known.as_slice(),
            (None, FilterOrder::TapsFirst) => context.input(1),
            (None, FilterOrder::TapsLast) => {
                late = taps_first(context.input(1), n, taps);
                late.as_slice()
            }
        };
        let bias: &[f32] = if has_bias { context.input(2) } else { &zeros };
        let (shapes, ring) = shapes.part(context);
        let depthwise = Depthwise {
            window: shapes.window,
            ring,
            channels: shapes.output_channels,
            weights,
            bias,
            clamp: activation.clamp,
            arithmetic,
        };
        depthwise_images(&depthwise, &shapes, activation, context);
        Ok(())
    });
    let multiply_adds = shapes.multiply_adds();
    let prepared = prepared.with_scratch(repeated * size_of::<f32>()).holding(held);
    Ok(Prepared { rows: shapes.rows(), ..prepared.multiplying(multiply_adds) })
}

fn depthwise_images(
    depthwise: &Depthwise<'_>,
    shapes: &Shapes,
    activation: Activation,
    context: &mut EvalContext<'_>,
) {
    let multiplier = shapes.output_channels / shapes.channels;
    let (isa, input): (Isa, &[f32]) = (context.isa(), context.input(0));
    let row = shapes.window.x.output * shapes.output_channels;
    let mut after = activation.only_clamp().and_then(|_| context.take_after(row));
    let (output, scratch) = context.output_and_scratch::<f32>();
    let mut observed = Observation::EMPTY;
    let len = depthwise.ring.places * shapes.input_row();
    for image in 0..shapes.batch {
        let from = &input[image * len..][..len];
        let to = &mut output[image * shapes.output_len()..][..shapes.output_len()];
        let after = after.as_mut().map(|after| after.part(image * shapes.output_len()));
        let folded = if multiplier == 1 {
            depthwise.run(isa, from, to, after)
        } else {
            let bytes = &mut scratch[..from.len() * multiplier * size_of::<f32>()];
            let repeated: &mut [f32] = bytemuck::cast_slice_mut(bytes);
            for (to, &value) in repeated.chunks_exact_mut(multiplier).zip(from) {
                to.fill(value);
            }
            depthwise.run(isa, repeated, to, after)
        };
        observed = observed.union(folded);
    }
    let observed = activation.finish(isa, observed, output);
    context.observe(0, observed);
}

#[cfg(test)]
mod tests;
