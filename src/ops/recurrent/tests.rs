//! What LiteRT cannot tell: errors, groups of records, weights of 8 bits. Values are held against LiteRT
//! by the conformance tests.

use std::sync::Arc;

use crate::error::Error;
use crate::graph::Quantization;
use crate::interpreter::{Groups, Interpreter, Plan, PlanOptions};
use crate::observation::RecordObservations;
use crate::ops::testing::{Operand, model_of, run};
use crate::schema::*;
use crate::tensor::{AlignedBuffer, DType};

const BATCH: usize = 2;
const TIME: usize = 3;
const INPUT: usize = 4;
const UNITS: usize = 19;

/// Multiples of 1/32, up to 1.
fn values(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 37 + seed * 11) % 65) as f32 / 32.0 - 1.0).collect()
}

fn constant(shape: &[usize], seed: usize) -> Option<Operand> {
    Some(Operand::constant(shape, &values(shape.iter().product(), seed)))
}

/// Weights from the input and the previous output, no peephole, biases, no projection.
fn weights(seed: usize) -> Vec<Option<Operand>> {
    let mut operands = Vec::new();
    for k in [INPUT, UNITS] {
        operands.extend((0..4).map(|gate| constant(&[UNITS, k], seed + gate + k)));
    }
    operands.extend([const { None }; 3]);
    operands.extend((0..4).map(|gate| constant(&[UNITS], seed + gate)));
    operands.extend([None, None]);
    operands
}

fn input(seed: usize) -> Option<Operand> {
    Some(Operand::input(&[BATCH, TIME, INPUT], &values(BATCH * TIME * INPUT, seed)))
}

/// The operands of `UNIDIRECTIONAL_SEQUENCE_LSTM`.
fn lstm() -> Vec<Option<Operand>> {
    let mut operands = vec![input(0)];
    operands.extend(weights(1));
    operands.extend([constant(&[BATCH, UNITS], 2), constant(&[BATCH, UNITS], 3)]);
    operands
}

fn options(cell_clip: f32) -> BuiltinOptionsT {
    BuiltinOptionsT::UnidirectionalSequenceLSTMOptions(Box::new(
        UnidirectionalSequenceLSTMOptionsT {
            fused_activation_function: ActivationFunctionType::TANH,
            cell_clip,
            ..Default::default()
        },
    ))
}

fn run_lstm(operands: &[Option<Operand>]) -> Result<AlignedBuffer, Error> {
    run(BuiltinOperator::UNIDIRECTIONAL_SEQUENCE_LSTM, options(0.0), operands)
}

#[test]
fn operands_that_do_not_fit_are_errors() {
    run_lstm(&lstm()).unwrap();
    let cases: [(usize, Option<Operand>, &str); 12] = [
        (0, constant(&[BATCH, INPUT], 0), "3 dimensions are needed"),
        (0, constant(&[BATCH, TIME, 5], 0), "[19, 4], but [19, 5] is needed"),
        (1, None, "weights of an input gate"),
        (3, None, "input 3 is missing"),
        (4, constant(&[0, INPUT], 0), "no units"),
        (6, constant(&[UNITS], 0), "[19], but [19, 19] is needed"),
        (8, constant(&[UNITS, 3], 0), "do not fit 19 units"),
        (8, constant(&[UNITS, 3, 1], 0), "do not fit 19 units"),
        (14, constant(&[3], 0), "19 values are needed"),
        (16, constant(&[UNITS, UNITS], 0), ""),
        (18, constant(&[UNITS], 0), "38 values are needed"),
        (19, Some(Operand::indices(&[BATCH, UNITS], &[0; BATCH * UNITS])), "FLOAT32 is needed"),
    ];
    for (position, operand, text) in cases {
        let mut operands = lstm();
        operands[position] = operand;
        let error = run_lstm(&operands);
        if text.is_empty() {
            error.unwrap();
            continue;
        }
        let error = error.unwrap_err().to_string();
        assert!(error.contains(text), "{position}: {error}");
    }
    let code = BuiltinOperator::UNIDIRECTIONAL_SEQUENCE_LSTM;
    for clip in [-1.0, f32::NAN] {
        let error = run(code, options(clip), &lstm()).unwrap_err();
        assert!(error.to_string().contains("must not be negative"), "{error}");
    }
}

#[test]
fn weights_of_8_bits_are_the_floats_that_they_stand_for() {
    let (mut floats, mut bytes) = (lstm(), lstm());
    for position in 1..9 {
        let k = if position < 5 { INPUT } else { UNITS };
        let quantized: Vec<i8> = (0..UNITS * k).map(|i| (i * 29 % 200) as i8).collect();
        let plain: Vec<f32> = quantized.iter().map(|&v| f32::from(v) * 0.0625).collect();
        let shape = [UNITS, k];
        let quantization = |scale: &[f32]| {
            Some(Quantization { scale: scale.to_vec(), zero_point: vec![0], ..Default::default() })
        };
        let typed = |scale: &[f32]| {
            let data = AlignedBuffer::copy_of(&quantized);
            Some(Operand::typed(DType::I8, &shape, data, quantization(scale)))
        };
        floats[position] = Some(Operand::constant(&shape, &plain));
        bytes[position] = typed(&[0.0625]);
        let mut unscaled = lstm();
        unscaled[position] = typed(&[]);
        let error = run_lstm(&unscaled).unwrap_err();
        assert!(error.to_string().contains("has no single scale"), "{error}");
    }
    assert_eq!(run_lstm(&floats).unwrap().bytes(), run_lstm(&bytes).unwrap().bytes());
}

#[test]
fn records_of_a_group_do_not_touch_each_other() {
    let mut operands = vec![input(0)];
    operands.extend(weights(1));
    operands.extend(weights(7));
    operands.extend((0..4).map(|seed| constant(&[BATCH, UNITS], seed)));
    operands.extend([const { None }; 9]);
    let code = BuiltinOperator::BIDIRECTIONAL_SEQUENCE_LSTM;
    for time_major in [false, true] {
        let options = BuiltinOptionsT::BidirectionalSequenceLSTMOptions(Box::new(
            BidirectionalSequenceLSTMOptionsT {
                fused_activation_function: ActivationFunctionType::TANH,
                time_major,
                ..Default::default()
            },
        ));
        let mut operands = operands.clone();
        if time_major {
            let sequences = values(BATCH * TIME * INPUT, 0);
            operands[0] = Some(Operand::input(&[TIME, BATCH, INPUT], &sequences));
        }
        let model = model_of(code, options, &operands, &[DType::F32; 2]);
        let records: Vec<_> = (0..3).map(|seed| values(BATCH * TIME * INPUT, seed)).collect();
        let inputs: Vec<&[u8]> = records.iter().map(|it| bytemuck::cast_slice(it)).collect();
        let groups = Groups::Fixed { records: 3, tail: 0 };
        let plan = |options| Interpreter::new(Arc::new(Plan::new(&model, &options).unwrap()));
        let mut alone = plan(PlanOptions::new());
        let mut together = plan(PlanOptions { groups, ..PlanOptions::new() });
        together.run_group(&inputs).unwrap();
        let (mut expected, mut found) =
            (RecordObservations::default(), RecordObservations::default());
        for (i, input) in inputs.iter().enumerate() {
            alone.run(&[input], &mut expected).unwrap();
            together.finish(i, &mut found).unwrap();
            assert_eq!(found.single, expected.single, "record {i}");
        }
    }
}
