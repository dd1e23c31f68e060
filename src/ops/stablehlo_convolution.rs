//! StableHLO's `convolution`, as `CONV_2D` with its axes in order.
//!
//! Over one or two spatial axes, in groups of features or not; neither flipped windows nor groups of batches
//! are supported.

use super::attributes::attributes_2;
use super::convolution::Conv2d;
use super::edges::Edges;
use super::stablehlo::{to_shape, turned, with_options};
use super::stablehlo_gather::{are_axes, list};
use super::stages::{Operand, Stage, Stages};
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::operator::{InputInfo, Inputs, Operator};
use crate::schema::{
    ActivationFunctionType, BuiltinOptions2T, BuiltinOptionsT, Conv2DOptionsT, Padding,
    StablehloConvolutionOptionsT,
};
use crate::tensor::{AlignedBuffer, DType, TensorType};

pub(super) fn convolution(node: &Node) -> Result<Box<dyn Operator>> {
    let options = attributes_2!(node, StablehloConvolutionOptions);
    let spatial = Spatial::new(&options)?;
    let axes = Axes::new(&options, spatial.len())?;
    let groups = options.feature_group_count.max(1);
    let node = node.clone();
    Stages::boxed(move |inputs| stages(&node, &spatial, &axes, groups, inputs))
}

/// What attributes say of each spatial axis.
struct Spatial {
    strides: Vec<i32>,
    /// Before and behind.
    borders: Vec<[i64; 2]>,
    /// Distances of elements.
    steps: Vec<i64>,
    dilations: Vec<i32>,
}

impl Spatial {
    fn new(options: &StablehloConvolutionOptionsT) -> Result<Self> {
        let rank = options.input_spatial_dimensions.as_ref().map_or(0, Vec::len);
        if !(1..=2).contains(&rank) {
            return Err(Error::model(format!("{rank} spatial dimensions are not supported")));
        }
        if options.window_reversal.iter().flatten().any(|&is_reversed| is_reversed) {
            return Err(Error::model("a reversed window is not supported"));
        }
        if options.batch_group_count > 1 {
            return Err(Error::model("groups of batches are not supported"));
        }
        // Lists of ones and zeros may be left out.
        let ones = |list: &Option<Vec<i64>>| list.clone().unwrap_or_else(|| vec![1; rank]);
        let strides = ones(&options.window_strides);
        let dilations = ones(&options.rhs_dilation);
        let steps = ones(&options.lhs_dilation);
        let borders = options.padding.clone().unwrap_or_else(|| vec![0; rank * 2]);
        let (borders, rest) = borders.as_chunks::<2>();
        let lens = [strides.len(), dilations.len(), steps.len(), borders.len()];
        if lens != [rank; 4] || !rest.is_empty() {
            return Err(Error::model(format!("attributes do not fit {rank} spatial dimensions")));
        }
        let narrow = |list: Vec<i64>| -> Result<Vec<i32>> {
            let narrow = |v: i64| i32::try_from(v).ok();
            let list: Option<_> = list.into_iter().map(narrow).collect();
            list.ok_or_else(|| Error::model("a stride or dilation is too large"))
        };
        let (strides, dilations) = (narrow(strides)?, narrow(dilations)?);
        Ok(Self { strides, borders: borders.to_vec(), steps, dilations })
    }

    fn len(&self) -> usize {
        self.strides.len()
    }

    /// Whether borders are those that `CONV_2D` calls SAME.
    fn is_same(&self, input: &[usize], taps: &[usize]) -> bool {
        (0..self.len()).all(|i| {
            let (n, taps) = (input[i] as i64, taps[i] as i64);
            let (stride, dilation) = (i64::from(self.strides[i]), i64::from(self.dilations[i]));
            if stride < 1 || dilation < 1 {
                return false;
            }
            let output = n.saturating_add(stride - 1) / stride;
            let reach = (taps - 1).saturating_mul(dilation).saturating_add(1);
            let needed = (output - 1).saturating_mul(stride).saturating_add(reach);
            let border = needed.saturating_sub(n).max(0);
            self.steps[i] == 1 && self.borders[i] == [border / 2, border - border / 2]
        })
    }
}

/// The axes of each tensor in the order of `CONV_2D`: `[batch, spatial, features]`, and
/// `[outputs, spatial, inputs]` of the filter.
struct Axes {
    input: Vec<usize>,
    filter: Vec<usize>,
    /// Where in the result of `CONV_2D` each axis of the output is.
    output: Vec<i64>,
}

impl Axes {
    fn new(options: &StablehloConvolutionOptionsT, spatial: usize) -> Result<Self> {
        let order = |first: i64, middle: &Option<Vec<i64>>, last: i64| {
            let middle = middle.clone().unwrap_or_default();
            let axes = list(Some([vec![first], middle, vec![last]].concat()))?;
            if axes.len() == spatial + 2 && are_axes(&axes, spatial + 2) {
                return Ok(axes);
            }
            Err(Error::model(format!("{axes:?} are not the axes of a convolution")))
        };
        let output = order(
            options.output_batch_dimension,
            &options.output_spatial_dimensions,
            options.output_feature_dimension,
        )?;
        let mut back = vec![0; output.len()];
        output.iter().zip(0..).for_each(|(&axis, position)| back[axis] = position);
        Ok(Self {
            input: order(
                options.input_batch_dimension,
                &options.input_spatial_dimensions,
                options.input_feature_dimension,
            )?,
            filter: order(
                options.kernel_output_feature_dimension,
                &options.kernel_spatial_dimensions,
                options.kernel_input_feature_dimension,
            )?,
            output: back,
        })
    }
}

fn stages(
    node: &Node,
    spatial: &Spatial,
    axes: &Axes,
    groups: i64,
    inputs: &Inputs,
) -> Result<Vec<Stage>> {
    let rank = spatial.len() + 2;
    let dims = |i: usize, order: &[usize]| -> Result<Vec<usize>> {
        let shape = inputs.shape(i)?;
        if shape.len() != rank {
            return Err(Error::model(format!(
                "input {i} has shape {shape:?}, not {rank} dimensions"
            )));
        }
        Ok(order.iter().map(|&axis| shape[axis]).collect())
    };
    let (image, filter) = (dims(0, &axes.input)?, dims(1, &axes.filter)?);
    let (channels, group) = (image[rank - 1] as i64, filter[rank - 1] as i64);
    if group.checked_mul(groups) != Some(channels) {
        return Err(Error::model(format!(
            "{channels} features are not {groups} groups of {group}"
        )));
    }
    let order = |axes: &[usize]| axes.iter().map(|&axis| axis as i64).collect::<Vec<_>>();
    let is_same = spatial.is_same(&image[1..], &filter[1..]);
    let mut stages = vec![
        turned(node, Operand::Input(0), &order(&axes.input))?,
        border(spatial, is_same)?,
        turned(node, Operand::Input(1), &order(&axes.filter))?,
    ];
    let (mut image_stage, mut filter_stage) = (1, 2);
    if rank == 3 {
        // One row.
        let padded = stages[1].operator.infer(&Inputs {
            inputs: vec![Some(float(&image)), Some(zero())],
            outputs: Vec::new(),
        })?;
        let row = |shape: &[usize]| order(&[&shape[..1], &[1], &shape[1..]].concat());
        stages.push(to_shape(node, Operand::Stage(1), &row(&padded[0].shape))?);
        stages.push(to_shape(node, Operand::Stage(2), &row(&filter))?);
        (image_stage, filter_stage) = (3, 4);
    }
    let last = spatial.len() - 1;
    let first = |list: &[i32]| if rank == 3 { 1 } else { list[0] };
    let options = Conv2DOptionsT {
        padding: if is_same { Padding::SAME } else { Padding::VALID },
        stride_h: first(&spatial.strides),
        stride_w: spatial.strides[last],
        dilation_h_factor: first(&spatial.dilations),
        dilation_w_factor: spatial.dilations[last],
        fused_activation_function: ActivationFunctionType::NONE,
        ..Conv2DOptionsT::default()
    };
    let node = with_options(node, BuiltinOptionsT::Conv2DOptions(Box::new(options)));
    let operands = vec![Operand::Stage(image_stage), Operand::Stage(filter_stage)];
    stages.push(Stage::new(Conv2d::from_node(&node)?, operands));
    let node = with_options(&node, BuiltinOptionsT::NONE);
    if rank == 3 {
        stages.push(to_shape(&node, Operand::Last, &[image[0] as i64, -1, filter[0] as i64])?);
    }
    stages.push(turned(&node, Operand::Last, &axes.output)?);
    Ok(stages)
}

/// Puts zeros around and between the elements, unless `CONV_2D` does.
fn border(spatial: &Spatial, is_same: bool) -> Result<Stage> {
    let around = |inner: Vec<i64>| [vec![0], inner, vec![0]].concat();
    let side = |i: usize| {
        let sides = spatial.borders.iter().map(|border| if is_same { 0 } else { border[i] });
        around(sides.collect())
    };
    let between = spatial.steps.iter().map(|step| step.saturating_sub(1)).collect();
    let edges = Edges::Pad { low: side(0), high: side(1), interior: around(between) };
    Ok(Stage::new(Box::new(edges), vec![Operand::Last, Operand::Constant(zero())]))
}

fn float(shape: &[usize]) -> InputInfo {
    let tensor_type = TensorType::new(DType::F32, shape);
    InputInfo { tensor_type, constant: None, quantization: None }
}

fn zero() -> InputInfo {
    InputInfo { constant: Some(AlignedBuffer::zeroed(size_of::<f32>()).into()), ..float(&[]) }
}
