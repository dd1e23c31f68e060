//! Elements over a norm: `L2_NORMALIZATION` and `RMS_NORM` of rows of the last axis,
//! `LOCAL_RESPONSE_NORMALIZATION` of neighbours in them, `INSTANCE_NORM` of channels of images.
//!
//! Semantics: TFLite's `l2norm.cc` and `local_response_norm.cc` for float32, of any rank from 1. The other
//! two are circle's, as ONE's interpreter computes them: an instance's channels are last in
//! `[n, h, w, c]` and in the middle of `[n, c, positions]`.

use super::activation::Activation;
use super::attributes::attributes;
use crate::error::{Error, Result};
use crate::graph::Node;
use crate::kernel::instance_norm::InstanceNorm as Instances;
use crate::kernel::normalize::{LocalResponse, RowNorm};
use crate::operator::{EvalContext, Inputs, Observe, Operator, PrepareContext, Prepared};
use crate::schema::BuiltinOptionsT;
use crate::tensor::{DType, TensorType};

/// The divisor is at least this, as in TFLite.
const LEAST_NORM: f32 = 1.0e-6;

/// The type of input 0, float32 of some rank, and the length of its rows.
fn rows(inputs: &Inputs) -> Result<(TensorType, usize)> {
    inputs.expect_dtype(0, DType::F32)?;
    let tensor_type = inputs.required(0)?.tensor_type.clone();
    let depth = tensor_type.shape.last().copied();
    depth
        .map(|depth| (tensor_type, depth))
        .ok_or_else(|| Error::model("a scalar has no axis to normalise along"))
}

/// Checks an optional input of float32 with one value or with `count`.
fn check_values(inputs: &Inputs, i: usize, count: usize) -> Result<()> {
    if inputs.optional(i).is_none() {
        return Ok(());
    }
    inputs.expect_dtype(i, DType::F32)?;
    match inputs.shape(i)? {
        &[len] if len == 1 || len == count => Ok(()),
        shape => Err(Error::model(format!(
            "input {i} has shape {shape:?}, but one value or {count} are needed"
        ))),
    }
}

/// Elements of input `i`, or the one that stands for it.
fn values<'a>(context: &EvalContext<'a>, i: usize, is_given: bool, other: &'a [f32]) -> &'a [f32] {
    if is_given { context.input(i) } else { other }
}

pub(super) struct L2Norm(Activation);

impl L2Norm {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let activation = attributes!(node, L2NormOptions).fused_activation_function;
        Ok(Box::new(Self(Activation::new(activation)?)))
    }
}

impl Operator for L2Norm {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Ok(vec![rows(inputs)?.0])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let activation = self.0;
        let (_, depth) = rows(context.inputs)?;
        Ok(Prepared::eval(Observe::Fused, move |context| {
            let (isa, input) = (context.isa(), context.input::<f32>(0));
            let norm = RowNorm::Euclidean { least: LEAST_NORM, clamp: activation.clamp };
            let output = context.output::<f32>(0);
            let folded = norm.run(isa, depth, input, output);
            let observed = activation.finish(isa, folded, output);
            context.observe(0, observed);
            Ok(())
        }))
    }
}

pub(super) struct RmsNorm {
    epsilon: f32,
}

impl RmsNorm {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Self { epsilon: attributes!(node, RmsNormOptions).epsilon }))
    }
}

impl Operator for RmsNorm {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (tensor_type, depth) = rows(inputs)?;
        inputs.required(1)?;
        check_values(inputs, 1, depth)?;
        // Models of some versions have summands too.
        check_values(inputs, 2, depth)?;
        Ok(vec![tensor_type])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let epsilon = self.epsilon;
        let (_, depth) = rows(context.inputs)?;
        let has_beta = context.inputs.optional(2).is_some();
        Ok(Prepared::eval(Observe::Fused, move |context| {
            let (isa, input) = (context.isa(), context.input::<f32>(0));
            let (gamma, beta) = (context.input(1), values(context, 2, has_beta, &[0.0]));
            let norm = RowNorm::RootMeanSquare { epsilon, gamma, beta };
            let observed = norm.run(isa, depth, input, context.output(0));
            context.observe(0, observed);
            Ok(())
        }))
    }
}

pub(super) struct LocalResponseNorm(LocalResponse);

impl LocalResponseNorm {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, LocalResponseNormalizationOptions);
        let radius = usize::try_from(options.radius).map_err(|_| {
            Error::model(format!("there are no neighbours within a radius of {}", options.radius))
        })?;
        let (bias, alpha, beta) = (options.bias, options.alpha, options.beta);
        Ok(Box::new(Self(LocalResponse { radius, bias, alpha, beta })))
    }
}

impl Operator for LocalResponseNorm {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        Ok(vec![rows(inputs)?.0])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let response = self.0;
        let (_, depth) = rows(context.inputs)?;
        let scratch = response.scratch_len(depth) * size_of::<f32>();
        let prepared = Prepared::eval(Observe::Fused, move |context| {
            let (isa, input) = (context.isa(), context.input::<f32>(0));
            let (output, scratch) = context.output_and_scratch::<f32>();
            let scratch = bytemuck::cast_slice_mut(scratch);
            let observed = response.run(isa, depth, input, output, scratch);
            context.observe(0, observed);
            Ok(())
        });
        Ok(prepared.with_scratch(scratch))
    }
}

pub(super) struct InstanceNorm {
    epsilon: f32,
    activation: Activation,
}

impl InstanceNorm {
    pub(super) fn from_node(node: &Node) -> Result<Box<dyn Operator>> {
        let options = attributes!(node, InstanceNormOptions);
        let activation = Activation::new(options.fused_activation_function)?;
        Ok(Box::new(Self { epsilon: options.epsilon, activation }))
    }
}

/// Channels and positions of an image, and whether channels are last.
fn image(inputs: &Inputs) -> Result<(usize, usize, bool)> {
    inputs.expect_dtype(0, DType::F32)?;
    match *inputs.shape(0)? {
        [_, h, w, channels] => Ok((channels, h.saturating_mul(w), true)),
        [_, channels, positions] => Ok((channels, positions, false)),
        ref shape => Err(Error::model(format!(
            "input 0 has shape {shape:?}, but 3 or 4 dimensions are needed"
        ))),
    }
}

impl Operator for InstanceNorm {
    fn infer(&self, inputs: &Inputs) -> Result<Vec<TensorType>> {
        let (channels, ..) = image(inputs)?;
        check_values(inputs, 1, channels)?;
        check_values(inputs, 2, channels)?;
        Ok(vec![inputs.required(0)?.tensor_type.clone()])
    }

    fn prepare(&self, context: &PrepareContext<'_>) -> Result<Prepared> {
        let (epsilon, activation) = (self.epsilon, self.activation);
        let (channels, positions, channels_last) = image(context.inputs)?;
        let given = [1, 2].map(|i| context.inputs.optional(i).is_some());
        Ok(Prepared::eval(Observe::Fused, move |context| {
            let (isa, input) = (context.isa(), context.input::<f32>(0));
            let norm = Instances {
                channels,
                positions,
                channels_last,
                epsilon,
                gamma: values(context, 1, given[0], &[1.0]),
                beta: values(context, 2, given[1], &[0.0]),
                clamp: activation.clamp,
            };
            let output = context.output::<f32>(0);
            let folded = norm.run(isa, input, output);
            let observed = activation.finish(isa, folded, output);
            context.observe(0, observed);
            Ok(())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{Operand, run};
    use crate::schema::{
        BuiltinOperator as Code, InstanceNormOptionsT, LocalResponseNormalizationOptionsT,
    };

    #[test]
    fn operands_that_do_not_fit() {
        let check = |code, operands: &[Operand]| {
            let operands: Vec<_> = operands.iter().cloned().map(Some).collect();
            run(code, BuiltinOptionsT::NONE, &operands).map(|_| ())
        };
        let ones = |shape: &[usize]| Operand::input(shape, &vec![1.0; shape.iter().product()]);
        let image =
            Operand::input(&[1, 2, 2, 3], &[0, 1, 2, 3, 5, 7, 9, 4, 8, 6, 2, 1].map(|v| v as f32));
        let (three, two, one) = (ones(&[3]), ones(&[2]), ones(&[1]));
        let integers = Operand::indices(&[3], &[1, 1, 1]);
        let normalizing = [
            Code::L2_NORMALIZATION,
            Code::LOCAL_RESPONSE_NORMALIZATION,
            Code::RMS_NORM,
            Code::INSTANCE_NORM,
        ];
        for code in normalizing {
            assert!(check(code, &[ones(&[]), one.clone(), one.clone()]).is_err(), "{code:?}");
            assert!(check(code, &[integers.clone(), one.clone(), one.clone()]).is_err());
        }
        check(Code::RMS_NORM, &[image.clone(), one.clone()]).unwrap();
        check(Code::INSTANCE_NORM, &[image.clone(), three.clone(), one.clone()]).unwrap();
        assert!(check(Code::RMS_NORM, std::slice::from_ref(&image)).is_err());
        for code in [Code::RMS_NORM, Code::INSTANCE_NORM] {
            for wrong in [&two, &ones(&[1, 3]), &integers] {
                assert!(check(code, &[image.clone(), wrong.clone(), one.clone()]).is_err());
                assert!(check(code, &[image.clone(), one.clone(), wrong.clone()]).is_err());
            }
        }
        assert!(check(Code::INSTANCE_NORM, &[ones(&[2, 3]), three, one]).is_err());
    }

    #[test]
    fn attributes_that_cannot_be() {
        let local = LocalResponseNormalizationOptionsT { radius: -1, ..Default::default() };
        let options = BuiltinOptionsT::LocalResponseNormalizationOptions(Box::new(local));
        let operands = [Some(Operand::input(&[1, 2], &[1.0, 2.0]))];
        assert!(run(Code::LOCAL_RESPONSE_NORMALIZATION, options, &operands).is_err());
        let options = BuiltinOptionsT::InstanceNormOptions(Box::<InstanceNormOptionsT>::default());
        assert!(run(Code::L2_NORMALIZATION, options, &operands).is_err());
    }

    #[test]
    fn a_radius_beyond_all_rows() {
        let local = LocalResponseNormalizationOptionsT {
            radius: i32::MAX,
            bias: 1.0,
            alpha: 1.0,
            beta: 0.5,
        };
        let options = BuiltinOptionsT::LocalResponseNormalizationOptions(Box::new(local));
        let operands = [Some(Operand::input(&[1, 2], &[1.0, 1.0]))];
        let output = run(Code::LOCAL_RESPONSE_NORMALIZATION, options, &operands).unwrap();
        for &y in output.as_slice::<f32>() {
            assert!((y - 1.0 / 3.0_f32.sqrt()).abs() < 1.0e-6);
        }
    }
}
