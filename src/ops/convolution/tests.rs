use super::*;
use crate::ops::testing::{Operand, run};
use crate::schema::{
    ActivationFunctionType, BuiltinOperator, Conv2DOptionsT, DepthwiseConv2DOptionsT,
};

fn values(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 37 + seed * 101) % 199) as f32 / 100.0 - 1.0).collect()
}

/// A convolution written as its definition, in double.
struct Reference<'a> {
    input: (&'a [f32], [usize; 4]),
    /// `[output channels, taps y, taps x, channels of a group]`
    filter: (&'a [f32], [usize; 4]),
    bias: Option<&'a [f32]>,
    strides: [usize; 2],
    dilations: [usize; 2],
    padding: Padding,
}

impl Reference<'_> {
    fn output(&self, activation: fn(f64) -> f64) -> Vec<f64> {
        let [batch, h, w, c] = self.input.1;
        let [oc, kh, kw, gc] = self.filter.1;
        let extent = |n: usize, k: usize, axis: usize| {
            let (stride, reach) = (self.strides[axis], (k - 1) * self.dilations[axis] + 1);
            if self.padding == Padding::SAME {
                let out = n.div_ceil(stride);
                (out, (((out - 1) * stride + reach).saturating_sub(n)) / 2)
            } else {
                ((n - reach) / stride + 1, 0)
            }
        };
        let ((oh, top), (ow, left)) = (extent(h, kh, 0), extent(w, kw, 1));
        let per_group = oc / (c / gc);
        let mut out = Vec::new();
        for (b, y, x, o) in (0..batch).flat_map(|b| {
            (0..oh).flat_map(move |y| (0..ow).flat_map(move |x| (0..oc).map(move |o| (b, y, x, o))))
        }) {
            let mut sum = self.bias.map_or(0.0, |bias| f64::from(bias[o]));
            for (ky, kx, ch) in (0..kh)
                .flat_map(|ky| (0..kw).flat_map(move |kx| (0..gc).map(move |ch| (ky, kx, ch))))
            {
                let iy = (y * self.strides[0] + ky * self.dilations[0]).wrapping_sub(top);
                let ix = (x * self.strides[1] + kx * self.dilations[1]).wrapping_sub(left);
                if iy < h && ix < w {
                    let channel = o / per_group * gc + ch;
                    let value = self.input.0[((b * h + iy) * w + ix) * c + channel];
                    let weight = self.filter.0[((o * kh + ky) * kw + kx) * gc + ch];
                    sum += f64::from(value) * f64::from(weight);
                }
            }
            out.push(activation(sum));
        }
        out
    }
}

fn assert_close(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (&found, &expected) in found.iter().zip(expected) {
        assert!((f64::from(found) - expected).abs() < 1.0e-4, "{what}: {found} {expected}");
    }
}

type Function = fn(f64) -> f64;

const ACTIVATIONS: [(ActivationFunctionType, Function); 5] = [
    (ActivationFunctionType::NONE, |x| x),
    (ActivationFunctionType::RELU, |x| x.max(0.0)),
    (ActivationFunctionType::RELU6, |x| x.clamp(0.0, 6.0)),
    (ActivationFunctionType::RELU_N1_TO_1, |x| x.clamp(-1.0, 1.0)),
    (ActivationFunctionType::TANH, f64::tanh),
];

#[test]
fn conv_2d_with_every_attribute() {
    // Channels, output channels, channels of a group.
    let channels = [(3, 17, 3), (16, 32, 16), (8, 12, 2), (6, 12, 1), (1, 4, 1)];
    let mut case = 0;
    for (c, oc, gc) in channels {
        for padding in [Padding::SAME, Padding::VALID] {
            for (stride, dilation) in [([1, 1], [1, 1]), ([2, 1], [1, 1]), ([1, 1], [2, 1])] {
                for (kh, kw) in [(1, 1), (3, 3), (2, 5)] {
                    case += 1;
                    let (function, activation) = ACTIVATIONS[case % ACTIVATIONS.len()];
                    let input_shape = [2, 7, 9, c];
                    let filter_shape = [oc, kh, kw, gc];
                    let input = values(input_shape.iter().product(), 1);
                    let filter = values(filter_shape.iter().product(), 2);
                    let bias = (case % 3 > 0).then(|| values(oc, 3));
                    let expected = Reference {
                        input: (&input, input_shape),
                        filter: (&filter, filter_shape),
                        bias: bias.as_deref(),
                        strides: stride,
                        dilations: dilation,
                        padding,
                    }
                    .output(activation);
                    let options = || {
                        BuiltinOptionsT::Conv2DOptions(Box::new(Conv2DOptionsT {
                            padding,
                            stride_h: stride[0] as i32,
                            stride_w: stride[1] as i32,
                            dilation_h_factor: dilation[0] as i32,
                            dilation_w_factor: dilation[1] as i32,
                            fused_activation_function: function,
                            ..Default::default()
                        }))
                    };
                    let x = Some(Operand::input(&input_shape, &input));
                    let b = bias.as_ref().map(|bias| Operand::constant(&[oc], bias));
                    let constant = Some(Operand::constant(&filter_shape, &filter));
                    let late = Some(Operand::input(&filter_shape, &filter));
                    for filter in [constant, late] {
                        let code = BuiltinOperator::CONV_2D;
                        let found = run(code, options(), &[x.clone(), filter, b.clone()]).unwrap();
                        let what =
                            format!("{c} {oc} {gc} {kh}x{kw} {padding:?} {stride:?} {dilation:?}");
                        assert_close(found.as_slice(), &expected, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn depthwise_conv_2d_with_every_attribute() {
    let mut case = 0;
    for (c, multiplier) in [(1, 1), (20, 1), (4, 3), (1, 8)] {
        for padding in [Padding::SAME, Padding::VALID] {
            for (stride, dilation) in [([1, 1], [1, 1]), ([2, 2], [1, 1]), ([1, 1], [1, 2])] {
                case += 1;
                let (function, activation) = ACTIVATIONS[case % ACTIVATIONS.len()];
                let (oc, kh, kw) = (c * multiplier, 3, 2);
                let input_shape = [2, 8, 6, c];
                let input = values(input_shape.iter().product(), 4);
                // The operator's filter is [1, taps y, taps x, output channels].
                let filter = values(oc * kh * kw, 5);
                let mut turned = vec![0.0; filter.len()];
                for (i, &w) in filter.iter().enumerate() {
                    turned[(i % oc) * kh * kw + i / oc] = w;
                }
                let bias = values(oc, 6);
                let expected = Reference {
                    input: (&input, input_shape),
                    filter: (&turned, [oc, kh, kw, 1]),
                    bias: Some(&bias),
                    strides: stride,
                    dilations: dilation,
                    padding,
                }
                .output(activation);
                let options =
                    BuiltinOptionsT::DepthwiseConv2DOptions(Box::new(DepthwiseConv2DOptionsT {
                        padding,
                        stride_h: stride[0] as i32,
                        stride_w: stride[1] as i32,
                        dilation_h_factor: dilation[0] as i32,
                        dilation_w_factor: dilation[1] as i32,
                        depth_multiplier: multiplier as i32,
                        fused_activation_function: function,
                    }));
                let operands = [
                    Some(Operand::input(&input_shape, &input)),
                    Some(Operand::constant(&[1, kh, kw, oc], &filter)),
                    Some(Operand::constant(&[oc], &bias)),
                ];
                let found = run(BuiltinOperator::DEPTHWISE_CONV_2D, options, &operands).unwrap();
                let what = format!("{c}x{multiplier} {padding:?} {stride:?} {dilation:?}");
                assert_close(found.as_slice(), &expected, &what);
            }
        }
    }
}

#[test]
fn misfits_are_errors() {
    let conv = |filter: &[usize], stride: i32| {
        let options = BuiltinOptionsT::Conv2DOptions(Box::new(Conv2DOptionsT {
            padding: Padding::VALID,
            stride_h: stride,
            stride_w: 1,
            ..Default::default()
        }));
        let n = filter.iter().product();
        let operands = [
            Some(Operand::input(&[1, 4, 4, 6], &values(96, 0))),
            Some(Operand::constant(filter, &values(n, 0))),
            None,
        ];
        run(BuiltinOperator::CONV_2D, options, &operands).map(|_| ()).unwrap_err().to_string()
    };
    assert!(conv(&[8, 3, 3, 4], 1).contains("not a multiple of the filter's 4"));
    assert!(conv(&[8, 3, 3, 2], 1).contains("cannot be split into 3 groups"));
    assert!(conv(&[8, 5, 3, 6], 1).contains("does not fit an input of 4"));
    assert!(conv(&[8, 3, 6], 1).contains("4 dimensions are needed"));
    assert!(conv(&[8, 3, 3, 6], 0).contains("a stride is 0"));
    assert!(conv(&[8, 3, 3, 6], 0).starts_with("operator 0 CONV_2D (output `out0`): "));
}
