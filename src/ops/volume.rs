//! `CONV_3D`: a filter that slides over `[n, d, h, w, c]`.
//!
//! The filter is `[taps z, taps y, taps x, channels, output channels]`. Semantics: TFLite's `conv3d.cc` for
//! float32, which has no groups.

use smallvec::SmallVec;

use super::activation::Activation;
use super::attributes::{attributes, window_axis};
use crate::error::{Error, Result};
use crate::graph::{Constant, Node};
use crate::kernel::conv::{Convolution, Geometry, Input, taps_first};
use crate::kernel::window::{Axis, Ring, Window};
use crate::observation::Observation;
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::{BuiltinOptionsT, Padding};
use crate::tensor::{DType, TensorType, num_elements};

pub(super) struct Conv3d {
    padding: Padding,
    /// Outermost axis first.
    strides: [i32; 3],
    dilations: [i32; 3],
    activation: Activation,
}

/// What is known once the shapes are.
#[derive(Clone, Copy)]
struct Shapes {
    batch: usize,
    axes: [Axis; 3],
    channels: usize,
    output_channels: usize,
}

impl Shapes {
    fn input_len(&self) -> usize {
        self.axes.iter().map(|axis| axis.input).product::<usize>() * self.channels
    }

    fn output_len(&self) -> usize {
        self.axes.iter().map(|axis| axis.output).product::<usize>() * self.output_channels
    }

    /// Terms of an output element.
    fn terms(&self) -> usize {
        self.axes.iter().map(|axis| axis.taps).product::<usize>() * self.channels
    }

    fn geometry(&self) -> Geometry {
        let [z, y, x] = self.axes;
        Geometry::of_volume(z, Window { y, x }, (self.channels, self.output_channels, 1))
    }
}

impl Conv3d {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, Conv3DOptions);
        Ok(Box::new(Self {
            padding: options.padding,
            strides: [options.stride_d, options.stride_h, options.stride_w],
            dilations: [
                options.dilation_d_factor,
                options.dilation_h_factor,
                options.dilation_w_factor,
            ],
            activation: Activation::new(options.fused_activation_function)?,
        }))
    }

    fn shapes(&self, inputs: &Inputs) -> Result<Shapes> {
        inputs.expect_dtype(0, DType::F32)?;
        inputs.expect_dtype(1, DType::F32)?;
        let [batch, d, h, w, channels] = inputs.shape_of_rank(0)?;
        let [taps_z, taps_y, taps_x, filter_channels, output_channels] = inputs.shape_of_rank(1)?;
        if filter_channels != channels || channels == 0 {
            return Err(Error::model(format!(
                "the input has {channels} channels, the filter {filter_channels}"
            )));
        }
        if inputs.optional(2).is_some() {
            inputs.expect_dtype(2, DType::F32)?;
            let bias = inputs.shape(2)?;
            if num_elements(bias) != Some(output_channels) {
                return Err(Error::model(format!(
                    "bias has shape {bias:?}, but there are {output_channels} output channels"
                )));
            }
        }
        let axis = |i: usize, input, taps| {
            window_axis(self.padding, input, taps, self.strides[i], self.dilations[i])
        };
        let axes = [axis(0, d, taps_z)?, axis(1, h, taps_y)?, axis(2, w, taps_x)?];
        let [z, y, x] = axes.map(|axis| axis.output);
        if num_elements(&[d, h, w, channels]).is_none()
            || num_elements(&[z, y, x, output_channels]).is_none()
        {
            return Err(Error::model("a volume is too large"));
        }
        Ok(Shapes { batch, axes, channels, output_channels })
    }
}

impl Operator for Conv3d {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let Shapes { batch, axes: [z, y, x], output_channels, .. } = self.shapes(inputs)?;
        let shape = [batch, z.output, y.output, x.output, output_channels];
        Ok(vec![TensorType::new(DType::F32, shape)])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let PrepareContext { isa, arithmetic, inputs, .. } = *context;
        let (shapes, activation) = (self.shapes(inputs)?, self.activation);
        let geometry = shapes.geometry();
        let scratch =
            move |records: usize| geometry.scratch_len(isa, records.saturating_mul(shapes.batch));
        let products = shapes.output_len().saturating_mul(shapes.terms());
        let multiply_adds = shapes.batch.saturating_mul(products);
        let pack = move |weights: &[f32], bias: Option<&[f32]>| {
            // Output channels are last in the filter, and first for the kernel.
            let turned = taps_first(weights, shapes.terms(), shapes.output_channels);
            Convolution::new(isa, arithmetic, geometry, turned.as_slice(), bias)
        };
        let weights = inputs.required(1)?.constant.clone();
        let bias = inputs.optional(2).map(|info| info.constant.as_ref());
        let (Some(weights), None | Some(Some(_))) = (weights, bias) else {
            // The filter is computed from the record: packed in every evaluation.
            let has_bias = bias.is_some();
            let prepared = Prepared::eval(Observe::Fused, move |context| {
                let bias = has_bias.then(|| context.input::<f32>(2));
                convolve(&pack(context.input(1), bias), &shapes, activation, context);
                Ok(())
            });
            return Ok(prepared.with_scratch(scratch(1)).multiplying(multiply_adds));
        };
        let bias = bias.flatten().cloned();
        let prepared = Prepared::later(Observe::Fused, move || {
            let convolution = pack(weights.as_slice(), bias.as_ref().map(Constant::as_slice));
            move |context: &mut EvalContext<'_>| {
                convolve(&convolution, &shapes, activation, context);
                Ok(())
            }
        });
        Ok(prepared.in_groups(scratch).multiplying(multiply_adds).holding(geometry.byte_len()))
    }
}

/// Convolves every volume of the records.
fn convolve(
    convolution: &Convolution,
    shapes: &Shapes,
    activation: Activation,
    context: &mut EvalContext<'_>,
) {
    let (isa, images) = (context.isa(), context.images(0, shapes.input_len()));
    let after = activation.only_clamp().and_then(|_| context.take_after(shapes.output_channels));
    let (output, scratch) = context.output_and_scratch::<f32>();
    let mut observed = SmallVec::<[_; 64]>::from_elem(Observation::EMPTY, images.len());
    let rows = shapes.axes[1];
    let input = Input { images: &images, rows, ring: Ring::whole(rows.input) };
    convolution.run(input, activation.clamp, output, &mut observed, after, scratch);
    activation.finish_images(isa, &mut observed, output);
    context.observe_images(&observed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Operand, run};
    use crate::schema::{BuiltinOperator, Conv3DOptionsT};

    #[test]
    fn misfits_are_errors() {
        let error = |filter: &[usize], bias: usize, stride_d: i32| {
            let options = Conv3DOptionsT {
                padding: Padding::VALID,
                stride_d,
                stride_h: 1,
                stride_w: 1,
                ..Default::default()
            };
            let ones = |shape: &[usize]| Operand::input(shape, &vec![1.0; shape.iter().product()]);
            let operands = [ones(&[1, 4, 4, 4, 3]), ones(filter), ones(&[bias])].map(Some);
            let options = BuiltinOptionsT::Conv3DOptions(Box::new(options));
            run(BuiltinOperator::CONV_3D, options, &operands).unwrap_err().to_string()
        };
        assert!(error(&[2, 2, 2, 1, 5], 5, 1).contains("has 3 channels, the filter 1"));
        assert!(error(&[2, 2, 3, 5], 5, 1).contains("5 dimensions are needed"));
        assert!(error(&[2, 2, 2, 3, 5], 4, 1).contains("there are 5 output channels"));
        assert!(error(&[2, 2, 2, 3, 5], 5, 0).contains("a stride is 0"));
        assert!(error(&[5, 2, 2, 3, 5], 5, 1).contains("does not fit an input of 4"));
    }
}
