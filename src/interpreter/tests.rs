mod columns;
mod control;
mod histograms;
mod residuals;

use std::sync::Arc;

use super::strips::Strips;
use super::{Feed, Groups, Interpreter, Plan, PlanOptions, Profile, RecordInputs};
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Constant, Model, Node, OperatorCode, Place, Subgraph, Tensor};
use crate::kernel::Isa;
use crate::observation::{Observation, RecordObservations};
use crate::ops::testing::node_of;
use crate::schema::{
    BuiltinOperator as Code, BuiltinOptionsT, Conv2DOptionsT, DepthwiseConv2DOptionsT, Padding,
    Pool2DOptionsT,
};
use crate::tensor::{AlignedBuffer, DType};

fn float(name: &str, shape: &[Option<usize>]) -> Tensor {
    Tensor {
        place: Place::default(),
        name: name.to_owned(),
        dtype: DType::F32,
        shape: shape.to_vec(),
        has_rank: true,
        data: None,
        is_variable: false,
        quantization: None,
        sparsity: None,
    }
}

fn constant(name: &str, values: &[f32]) -> Tensor {
    let data = Some(Constant::from(AlignedBuffer::copy_of(values)));
    Tensor { data, ..float(name, &[Some(values.len())]) }
}

fn node(code: Code, inputs: &[usize], output: usize) -> Node {
    let inputs = inputs.iter().map(|&i| Some(i)).collect();
    Node { inputs, outputs: vec![output], ..node_of(code) }
}

/// Gives operators and tensors their places in the subgraph.
fn placed(
    subgraph: u32,
    (mut tensors, mut nodes): (Vec<Tensor>, Vec<Node>),
) -> (Vec<Tensor>, Vec<Node>) {
    let places = || (0..).map(|index| Place { subgraph, index });
    tensors.iter_mut().zip(places()).for_each(|(tensor, place)| tensor.place = place);
    nodes.iter_mut().zip(places()).for_each(|(node, place)| node.place = place);
    (tensors, nodes)
}

fn model(tensors: Vec<Tensor>, nodes: Vec<Node>) -> Model {
    let (tensors, nodes) = placed(0, (tensors, nodes));
    let subgraph = Subgraph {
        name: String::new(),
        outputs: vec![tensors.len() - 1],
        inputs: vec![0],
        tensors,
        nodes,
    };
    Model { description: String::new(), subgraphs: vec![subgraph] }
}

/// `out = (x + 1) * -(1 + 2)`, the operators in an order that has to be mended, the constants' part
/// folded.
fn sample() -> Model {
    let row = &[None, Some(2)];
    let tensors = vec![
        float("x", row),
        constant("one", &[1.0, 1.0]),
        constant("two", &[2.0, 2.0]),
        float("three", &[Some(2)]),
        float("negative", &[Some(2)]),
        float("sum", row),
        float("out", row),
    ];
    let nodes = vec![
        node(Code::MUL, &[5, 4], 6),
        node(Code::NEG, &[3], 4),
        node(Code::ADD, &[0, 1], 5),
        node(Code::ADD, &[1, 2], 3),
    ];
    model(tensors, nodes)
}

fn plan(model: &Model, shapes: &[(&str, &[usize])]) -> Result<Plan> {
    let input_shapes = shapes
        .iter()
        .map(|&(name, shape)| (name.to_owned(), shape.iter().copied().map(Some).collect()));
    Plan::new(model, &PlanOptions { input_shapes: input_shapes.collect(), ..PlanOptions::new() })
}

fn message(result: Result<Plan>) -> (ErrorKind, String) {
    let error = result.unwrap_err();
    (error.kind(), error.to_string())
}

#[test]
fn runs_in_order_folds_constants_and_observes_all_activations() {
    let plan = Arc::new(plan(&sample(), &[]).unwrap());
    assert_eq!(
        plan.inputs()[0].input_type.shape,
        [Some(1), Some(2)],
        "an unknown batch is one record"
    );
    let names: Vec<_> = plan.observed().iter().map(|t| t.name.as_str()).collect();
    assert_eq!(names, ["x", "three", "negative", "sum", "out"]);
    let mut interpreter = Interpreter::new(plan);
    let mut observed = RecordObservations::default();
    for x in [[1.0_f32, -3.0], [0.5, 8.0]] {
        let inputs = [bytemuck::cast_slice(&x)];
        interpreter.run(&inputs, &mut observed).unwrap();
        let [a, b] = x.map(|x| (x + 1.0) * -3.0);
        let output: &[f32] = bytemuck::cast_slice(interpreter.output(0, &inputs).unwrap());
        assert_eq!(output, [a, b]);
        let same = |value| Observation { min: value, max: value };
        let expected = [
            Observation::scan(&x),
            same(3.0),
            same(-3.0),
            Observation::scan(&x.map(|x| x + 1.0)),
            Observation::scan(&[a, b]),
        ];
        assert_eq!(observed.single, expected);
        assert!(observed.repeated.is_empty());
    }
}

#[test]
fn input_shapes_can_be_chosen_within_the_declared_rank() {
    let model = sample();
    let chosen = plan(&model, &[("x", &[3, 2])]).unwrap();
    assert_eq!(chosen.inputs()[0].input_type.shape, [Some(3), Some(2)]);
    let (kind, text) = message(plan(&model, &[("y", &[3, 2])]));
    assert_eq!((kind, text.as_str()), (ErrorKind::Usage, "the model has no input `y`"));
    let (kind, text) = message(plan(&model, &[("x", &[2])]));
    assert_eq!(kind, ErrorKind::Usage);
    assert_eq!(text, "shape [2] does not fit input `x`, which is declared as [?, 2]");
    let (_, text) = message(plan(&model, &[("x", &[1, 5])]));
    assert_eq!(text, "operator 2 ADD (output `sum`): shapes [1, 5] and [2] do not broadcast");

    let open = model_with_input(&[None, None, Some(3)]);
    assert!(plan(&open, &[]).unwrap().has_open_inputs());
    assert!(!plan(&open, &[("x", &[1, 7, 3])]).unwrap().has_open_inputs());
}

#[test]
fn records_may_have_shapes_of_their_own() {
    let open = model_with_input(&[None, None]);
    let mut interpreter = Interpreter::new(Arc::new(plan(&open, &[]).unwrap()));
    let mut observed = RecordObservations::default();
    for values in [vec![1.0_f32, -2.0, 3.0], vec![5.0], vec![-1.0, 0.5]] {
        let inputs = [bytemuck::cast_slice(&values)];
        interpreter.run_shaped(&inputs, &[vec![1, values.len()]]).unwrap();
        interpreter.finish(0, &mut observed).unwrap();
        let negative: Vec<f32> = values.iter().map(|x| -x).collect();
        assert_eq!(observed.single, [Observation::scan(&values), Observation::scan(&negative)]);
        assert_eq!(interpreter.output_type(0).unwrap().shape, [1, values.len()]);
    }
    for shape in [vec![2, 1], vec![1, 1], vec![1], vec![]] {
        interpreter.run_shaped(&[&[0; 8]], &[shape]).unwrap();
        let error = interpreter.finish(0, &mut observed).unwrap_err();
        let text = "input `x` has 8 bytes, but FLOAT32 [1, ?] is needed";
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Record, text));
    }
}

fn model_with_input(shape: &[Option<usize>]) -> Model {
    model(vec![float("x", shape), float("out", shape)], vec![node(Code::NEG, &[0], 1)])
}

#[test]
fn all_unsupported_operators_are_listed() {
    let row = &[Some(1)];
    let tensors = vec![float("x", row), float("a", row), float("b", row), float("out", row)];
    let custom =
        Node { code: OperatorCode::Custom("Odd".to_owned()), ..node(Code::CUSTOM, &[2], 3) };
    let nodes = vec![node(Code::DELEGATE, &[0], 1), node(Code::SKIP_GRAM, &[1], 2), custom];
    let (kind, text) = message(plan(&model(tensors, nodes), &[]));
    assert_eq!(kind, ErrorKind::Model);
    assert_eq!(
        text,
        "the model cannot be run:\n  DELEGATE is not supported (operator 0)\n  SKIP_GRAM is not \
         supported (operator 1)\n  CUSTOM(Odd) is not supported (operator 2)"
    );
}

#[test]
fn contradictions_are_errors() {
    let row = &[Some(1)];
    let tensors = || vec![float("x", row), float("a", row), float("b", row)];
    let circle = vec![node(Code::ADD, &[0, 2], 1), node(Code::NEG, &[1], 2)];
    let (_, text) = message(plan(&model(tensors(), circle), &[]));
    assert_eq!(text, "operators read each other in a circle: operator 0 ADD, operator 1 NEG");

    let (_, text) = message(plan(&model(tensors(), vec![node(Code::NEG, &[1], 2)]), &[]));
    assert!(text.contains("it reads tensor `a`, which is neither an input"), "{text}");

    let mut wrong_type = tensors();
    wrong_type[2].dtype = DType::I32;
    let (_, text) = message(plan(&model(wrong_type, vec![node(Code::NEG, &[0], 2)]), &[]));
    assert!(text.ends_with("output `b` is declared as INT32, but is FLOAT32"), "{text}");

    let huge = model_with_input(&[Some(1 << 40), Some(1 << 40)]);
    assert!(message(plan(&huge, &[])).1.contains("cannot be held in memory"));
    let options = PlanOptions { memory_limit: 100, ..PlanOptions::new() };
    let (_, text) = message(Plan::new(&model_with_input(&[Some(1), Some(26)]), &options));
    assert_eq!(text, "input `x`: FLOAT32 [1, 26] takes 104 bytes, more than the limit of 100");
}

#[test]
fn inputs_of_the_wrong_size_are_errors_of_the_record() {
    let plan = Arc::new(plan(&sample(), &[]).unwrap());
    let mut interpreter = Interpreter::new(plan);
    let mut observed = RecordObservations::default();
    let error = interpreter.run(&[&[0; 4]], &mut observed).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Record);
    assert_eq!(error.to_string(), "input `x` has 4 bytes, but FLOAT32 [1, 2] is needed");
    assert_eq!(interpreter.run(&[], &mut observed).unwrap_err().kind(), ErrorKind::Record);
}

#[test]
fn a_record_that_fails_does_not_touch_its_group() {
    for tail in 0..=2 {
        let groups = Groups::Fixed { records: 4, tail };
        let options = PlanOptions { groups, ..PlanOptions::new() };
        let plan = Arc::new(Plan::new(&sample(), &options).unwrap());
        let mut interpreter = Interpreter::new(plan);
        let records = [[1.0_f32, -3.0], [f32::NAN; 2], [0.5, 8.0]];
        let inputs = [&[0; 4], bytemuck::bytes_of(&records[0])];
        let inputs = [&inputs[..], &[bytemuck::bytes_of(&records[1])]].concat();
        let inputs = [&inputs[..], &[bytemuck::bytes_of(&records[2])]].concat();
        interpreter.run_group(&inputs).unwrap();
        let mut observed = RecordObservations::default();
        for (i, text) in [(0, "has 4 bytes"), (2, "tensor `x` has only elements that are NaN")] {
            let error = interpreter.finish(i, &mut observed).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Record);
            assert!(error.to_string().contains(text), "{error}");
        }
        for (i, record) in [(1, records[0]), (3, records[2])] {
            interpreter.finish(i, &mut observed).unwrap();
            assert_eq!(observed.single[4], Observation::scan(&record.map(|x| (x + 1.0) * -3.0)));
        }
        assert_eq!(interpreter.run_group(&[&[][..]; 5]).unwrap_err().kind(), ErrorKind::Internal);
    }
}

/// Gives records one by one from the same memory; those without one fail.
struct OneByOne<'a> {
    records: &'a [Option<[f32; 2]>],
    memory: [f32; 2],
}

impl Feed for OneByOne<'_> {
    fn inputs(&mut self, record: usize) -> Result<RecordInputs<'_>> {
        self.memory = self.records[record].ok_or_else(|| Error::record("it is lost"))?;
        Ok(RecordInputs::from_slice(&[bytemuck::bytes_of(&self.memory)]))
    }
}

#[test]
fn fed_groups_are_those_of_all_inputs() {
    let mut fed = Vec::new();
    for tail in 0..=2 {
        let groups = Groups::Fixed { records: 4, tail };
        let options = PlanOptions { groups, ..PlanOptions::new() };
        let mut interpreter = Interpreter::new(Arc::new(Plan::new(&sample(), &options).unwrap()));
        let records = [Some([1.0, -3.0]), None, Some([0.5, 8.0]), Some([f32::NAN; 2])];
        let mut feed = OneByOne { records: &records, memory: [0.0; 2] };
        fed.push(interpreter.can_be_fed());
        if !interpreter.can_be_fed() {
            let error = interpreter.run_fed(4, &mut feed).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Internal);
            continue;
        }
        let mut profile = Profile::new(interpreter.plan().steps().count());
        interpreter.run_fed_timed(4, &mut feed, &mut profile).unwrap();
        assert_eq!(profile.records(), 4);
        let mut observed = RecordObservations::default();
        for (i, record) in [(0, [1.0_f32, -3.0]), (2, [0.5, 8.0])] {
            interpreter.finish(i, &mut observed).unwrap();
            assert_eq!(observed.single[4], Observation::scan(&record.map(|x| (x + 1.0) * -3.0)));
        }
        assert_eq!(interpreter.finish(1, &mut observed).unwrap_err().to_string(), "it is lost");
        assert!(interpreter.finish(3, &mut observed).is_err());
        assert_eq!(interpreter.run_fed(5, &mut feed).unwrap_err().kind(), ErrorKind::Internal);
    }
    // The first step reads the input.
    assert_eq!(fed, [false, true, true]);
}

/// Two convolutions and a depthwise one between them, with gates behind, and a factor for each channel, a border
/// and a maximum before them, over images that are too large for the cache.
fn images() -> Model {
    let dims = |shape: &[usize]| shape.iter().map(|&d| Some(d)).collect::<Vec<_>>();
    let filter = |name: &str, shape: &[usize]| {
        let n = shape.iter().product();
        let values: Vec<f32> = (0..n).map(|i| (i * 7919 % 31) as f32 / 31.0 - 0.4).collect();
        Tensor { shape: dims(shape), ..constant(name, &values) }
    };
    // Either operator's options have fields of the same names.
    macro_rules! options {
        ($variant:ident, $type:ident, $stride:expr) => {
            BuiltinOptionsT::$variant(Box::new($type {
                stride_h: $stride,
                stride_w: $stride,
                dilation_h_factor: 1,
                dilation_w_factor: 1,
                ..$type::default()
            }))
        };
    }
    let conv = options!(Conv2DOptions, Conv2DOptionsT, 1);
    let depthwise = options!(DepthwiseConv2DOptions, DepthwiseConv2DOptionsT, 2);
    let largest = BuiltinOptionsT::Pool2DOptions(Box::new(Pool2DOptionsT {
        padding: Padding::VALID,
        stride_h: 1,
        stride_w: 1,
        filter_height: 4,
        filter_width: 3,
        ..Pool2DOptionsT::default()
    }));
    let borders = AlignedBuffer::copy_of(&[0_i32, 0, 1, 2, 1, 1, 0, 0]);
    let borders = Some(Constant::from(borders));
    let (wide, half) = (dims(&[1, 90, 90, 20]), dims(&[1, 45, 45, 20]));
    let tensors = vec![
        float("x", &dims(&[1, 90, 90, 16])),
        filter("stem", &[20, 3, 3, 16]),
        filter("window", &[1, 3, 3, 20]),
        filter("project", &[12, 1, 1, 20]),
        float("expanded", &wide),
        float("logistic", &wide),
        float("gated", &wide),
        float("moved", &half),
        float("negative", &half),
        filter("factors", &[1, 1, 1, 16]),
        float("scaled", &dims(&[1, 90, 90, 16])),
        float("shifted", &dims(&[1, 90, 90, 16])),
        Tensor { dtype: DType::I32, shape: dims(&[4, 2]), data: borders, ..float("borders", &[]) },
        float("padded", &dims(&[1, 93, 92, 16])),
        float("largest", &dims(&[1, 90, 90, 16])),
        float("out", &dims(&[1, 45, 45, 12])),
    ];
    let nodes = vec![
        node(Code::MUL, &[0, 9], 10),
        node(Code::ADD, &[10, 9], 11),
        node(Code::PAD, &[11, 12], 13),
        Node { options: largest, ..node(Code::MAX_POOL_2D, &[13], 14) },
        Node { options: conv.clone(), ..node(Code::CONV_2D, &[14, 1], 4) },
        node(Code::LOGISTIC, &[4], 5),
        node(Code::MUL, &[4, 5], 6),
        Node { options: depthwise, ..node(Code::DEPTHWISE_CONV_2D, &[6, 2], 7) },
        node(Code::NEG, &[7], 8),
        Node { options: conv, ..node(Code::CONV_2D, &[8, 3], 15) },
    ];
    model(tensors, nodes)
}

#[test]
fn strips_have_the_bits_of_whole_tensors() {
    let model = images();
    let x: Vec<f32> = (0..90 * 90 * 16).map(|i| (i * 31 % 97) as f32 / 97.0).collect();
    for isa in Isa::supported() {
        let run = |scan_only| {
            let options = PlanOptions { isa, scan_only, ..PlanOptions::new() };
            let plan = Arc::new(Plan::new(&model, &options).unwrap());
            let ranges = plan.strips.iter().map(Strips::range);
            let steps: Vec<_> = ranges.map(|range| (range.start, range.end)).collect();
            assert_eq!(steps, if scan_only { vec![] } else { vec![(0, 5)] });
            let mut interpreter = Interpreter::new(plan);
            let mut observed = RecordObservations::default();
            let inputs = [bytemuck::cast_slice(&x)];
            // Twice: nothing may be left from the record before.
            interpreter.run(&inputs, &mut observed).unwrap();
            interpreter.run(&inputs, &mut observed).unwrap();
            (observed.single.clone(), interpreter.output(0, &inputs).unwrap().to_vec())
        };
        assert_eq!(run(false), run(true), "{isa}");
    }
}
