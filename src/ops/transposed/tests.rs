use super::*;
use crate::ops::testing::{Operand, run};
use crate::schema::{BuiltinOperator, Conv3DOptionsT, TransposeConvOptionsT};

fn ones(shape: &[usize]) -> Operand {
    Operand::input(shape, &vec![1.0; shape.iter().product()])
}

fn plane(shape: &[i32], filter: &[usize], input: &[usize], stride: i32) -> Result<Vec<f32>> {
    let options = BuiltinOptionsT::TransposeConvOptions(Box::new(TransposeConvOptionsT {
        padding: Padding::SAME,
        stride_h: stride,
        stride_w: stride,
        ..Default::default()
    }));
    let operands = [Operand::indices(&[shape.len()], shape), ones(filter), ones(input)].map(Some);
    let output = run(BuiltinOperator::TRANSPOSE_CONV, options, &operands)?;
    Ok(output.as_slice().to_vec())
}

#[test]
fn misfits_are_errors() {
    let error = |shape: &[i32], filter: &[usize], input: &[usize], stride| {
        plane(shape, filter, input, stride).unwrap_err().to_string()
    };
    let (filter, input) = ([2, 3, 3, 4], [1, 5, 5, 4]);
    assert!(error(&[1, 10, 10, 3], &filter, &input, 2).contains("does not make an output"));
    assert!(error(&[2, 10, 10, 2], &filter, &input, 2).contains("does not make an output"));
    assert!(error(&[1, 10, 10, 2], &filter, &[1, 5, 5, 3], 2).contains("from 4 channels to 2"));
    assert!(error(&[1, 10, 10], &filter, &input, 2).contains("is not a shape of 4 dimensions"));
    assert!(error(&[1, -1, 10, 2], &filter, &input, 2).contains("is not a shape"));
    assert!(error(&[1, 0, 10, 2], &filter, &input, 2).contains("cannot spread 5 positions"));
    assert!(error(&[1, 10, 10, 2], &filter, &input, 0).contains("a stride is 0"));
    assert!(error(&[1, 10, 10, 2], &[2, 0, 3, 4], &input, 2).contains("0 taps"));
}

#[test]
fn any_shape_of_output_is_filled() {
    // More outputs than the input reaches are zeros, with one tap each third.
    let output = plane(&[1, 1, 8, 1], &[1, 1, 1, 1], &[1, 1, 2, 1], 3).unwrap();
    assert_eq!(output, [1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    let output = plane(&[1, 1, 2, 1], &[1, 1, 3, 1], &[1, 1, 4, 1], 1).unwrap();
    assert_eq!(output, [2.0, 3.0]);
}

#[test]
fn volumes_have_five_dimensions() {
    let options = Conv3DOptionsT { stride_d: 1, stride_h: 1, stride_w: 1, ..Default::default() };
    let options = BuiltinOptionsT::Conv3DOptions(Box::new(options));
    let shape = Operand::indices(&[5], &[1, 2, 2, 2, 1]);
    let operands = [shape, ones(&[1, 1, 1, 1, 3]), ones(&[1, 2, 2, 2])].map(Some);
    let error = run(BuiltinOperator::CONV_3D_TRANSPOSE, options, &operands).unwrap_err();
    assert!(error.to_string().contains("5 dimensions are needed"), "{error}");
}
