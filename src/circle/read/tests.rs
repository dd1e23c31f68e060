use crate::circle::testing::{
    as_tflite, circle, floats, model, open, tensor, tflite, with_external_buffer,
};
use crate::error::ErrorKind;
use crate::graph::{Model, OperatorCode, QuantizationDetails, Subgraph};
use crate::schema::{
    BufferT, BuiltinOperator, BuiltinOptionsT, ModelT, OperatorCodeT, OperatorT, SubGraphT,
    TensorT, TensorType,
};

fn graph(model: &ModelT) -> Model {
    open(&circle(model)).graph().unwrap_or_else(|e| panic!("{e}"))
}

/// The one error that a model gives.
fn refusal(model: &ModelT) -> String {
    let error = open(&circle(model)).graph().expect_err("a contradiction");
    assert_eq!(error.kind(), ErrorKind::Model);
    error.to_string()
}

fn main(model: &mut ModelT) -> &mut SubGraphT {
    &mut model.subgraphs.as_mut().unwrap()[0]
}

fn tensor_of(model: &mut ModelT, t: usize) -> &mut TensorT {
    &mut main(model).tensors.as_mut().unwrap()[t]
}

fn operator_of(model: &mut ModelT, o: usize) -> &mut OperatorT {
    &mut main(model).operators.as_mut().unwrap()[o]
}

/// Reads a model after one change.
fn changed(change: impl Fn(&mut ModelT)) -> Subgraph {
    let mut model = model();
    change(&mut model);
    graph(&model).subgraphs.remove(0)
}

/// The error after one change.
fn refused(change: impl Fn(&mut ModelT)) -> String {
    let mut model = model();
    change(&mut model);
    refusal(&model)
}

#[test]
fn everything_is_read() {
    let read = graph(&model());
    assert_eq!(read.description, "a test");
    let [main] = &read.subgraphs[..] else { panic!("one subgraph") };
    assert_eq!(
        (main.name.as_str(), &main.inputs[..], &main.outputs[..]),
        ("main", &[0][..], &[3][..])
    );
    let names: Vec<_> = main.tensors.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["in", "w", "sum", "out", "unused"]);
    let weights = main.tensors[1].data.as_ref().expect("a constant");
    assert_eq!(weights.as_slice::<f32>(), [1.0, -2.0, 3.0, -4.0]);
    assert!(main.tensors.iter().enumerate().all(|(t, it)| it.data.is_some() == (t == 1)));
    assert!(main.tensors[0].quantization.is_none());
    let parameters = main.tensors[3].quantization.as_ref().expect("parameters");
    assert_eq!((parameters.axis, &parameters.zero_point[..]), (1, &[3, -4][..]));
    assert_eq!((&parameters.min[..], &parameters.max[..]), (&[-1.0, -2.0][..], &[1.0, 2.0][..]));
    assert!(main.tensors[4].is_variable && main.tensors[4].sparsity.is_some());
    assert_eq!(main.tensors[4].shape, [None, Some(4)]);
    let [add, relu] = &main.nodes[..] else { panic!("two operators") };
    assert_eq!((&add.inputs[..], &add.outputs[..]), (&[Some(0), Some(1)][..], &[2][..]));
    assert!(matches!(add.options, BuiltinOptionsT::AddOptions(_)));
    assert_eq!((add.code.to_string(), relu.code.to_string()), ("ADD".into(), "RELU".into()));
}

#[test]
fn tflite_is_read_with_the_same_code() {
    let (circle, tflite) = (graph(&model()), open(&as_tflite(&model())).graph().unwrap());
    assert_eq!(format!("{circle:?}"), format!("{tflite:?}"));
}

#[test]
fn operator_codes_in_both_fields() {
    let cases = [
        // (old byte, new field, meaning)
        (19, BuiltinOperator::ADD, "RELU"),
        (127, BuiltinOperator::RELU, "RELU"),
        (127, BuiltinOperator(205), "REDUCE_WINDOW"),
        (0, BuiltinOperator::RELU, "RELU"),
        (0, BuiltinOperator::ADD, "ADD"),
        (-6, BuiltinOperator::ADD, "RMS_NORM"),
        (-6, BuiltinOperator::RMS_NORM, "RMS_NORM"),
        (127, BuiltinOperator(9999), "BUILTIN(9999)"),
        (-100, BuiltinOperator(-100), "BUILTIN(-100)"),
        (32, BuiltinOperator::CUSTOM, "CUSTOM(Own)"),
    ];
    for (deprecated_builtin_code, builtin_code, meaning) in cases {
        let main = changed(|model| {
            model.operator_codes.as_mut().unwrap()[0] = OperatorCodeT {
                deprecated_builtin_code,
                builtin_code,
                version: 7,
                custom_code: Some("Own".to_owned()),
            };
        });
        assert_eq!(main.nodes[0].code.to_string(), meaning);
        assert_eq!(main.nodes[0].version, 7);
        assert_eq!(main.nodes[1].code, OperatorCode::Builtin(BuiltinOperator::RELU));
    }
}

#[test]
fn buffers_behind_the_flatbuffer() {
    let model = model();
    let bytes = with_external_buffer(&model, &floats(&[5.0, 6.0, 7.0, 8.0]));
    let read = open(&bytes).graph().expect("a graph");
    let weights = read.subgraphs[0].tensors[1].data.as_ref().expect("a constant");
    assert_eq!(weights.as_slice::<f32>(), [5.0, 6.0, 7.0, 8.0]);
    let error = open(&bytes[..bytes.len() - 1]).graph().expect_err("a cut file").to_string();
    assert!(error.contains("`w`") && error.contains("16 bytes"), "{error}");
    for (offset, size) in [(u64::MAX, 16), (16, u64::MAX), (u64::MAX, u64::MAX)] {
        let error = refused(|model| {
            model.buffers.as_mut().unwrap()[1] = BufferT { data: None, offset, size };
        });
        assert!(error.contains("`w`"), "{error}");
    }
    // 0 and 1 mean that there are no bytes.
    for offset in [0, 1] {
        let main = changed(|model| {
            model.buffers.as_mut().unwrap()[1] = BufferT { data: None, offset, size: 16 };
        });
        assert!(main.tensors[1].data.is_none());
    }
}

#[test]
fn misaligned_constants_are_read() {
    for len in 0..16 {
        let mut model = model();
        model.description = Some("x".repeat(len));
        let bytes = with_external_buffer(&model, &floats(&[1.0; 4]));
        let read = open(&bytes).graph().expect("a graph");
        let weights = read.subgraphs[0].tensors[1].data.as_ref().expect("a constant");
        assert_eq!(weights.as_slice::<f32>(), [1.0; 4]);
    }
}

#[test]
fn unknown_dimensions_and_ranks() {
    let shape = |shape: &[i32], signature: Option<&[i32]>, has_rank| {
        let main = changed(|model| {
            let tensor = tensor_of(model, 2);
            tensor.shape = Some(shape.to_vec());
            tensor.shape_signature = signature.map(<[i32]>::to_vec);
            tensor.has_rank = has_rank;
        });
        (main.tensors[2].shape.clone(), main.tensors[2].has_rank)
    };
    assert_eq!(shape(&[2, 3], None, true), (vec![Some(2), Some(3)], true));
    assert_eq!(shape(&[2, 3], Some(&[-1, 3]), true), (vec![None, Some(3)], true));
    assert_eq!(shape(&[-1, 3], None, false), (vec![None, Some(3)], true));
    assert_eq!(shape(&[], None, true), (vec![], true));
    assert_eq!(shape(&[], None, false), (vec![], false));
}

#[test]
fn a_constant_without_elements_is_one() {
    let main = changed(|model| {
        let tensors = main(model).tensors.as_mut().unwrap();
        tensors.push(TensorT {
            shape: Some(vec![0]),
            type_: TensorType::INT32,
            ..tensor("empty", 0)
        });
        // This one is computed, and happens to be empty.
        tensors[2].shape = Some(vec![0, 4]);
    });
    let empty = main.tensors[5].data.as_ref().expect("a constant");
    assert!(empty.as_slice::<i32>().is_empty());
    assert!(main.tensors[2].data.is_none());
}

#[test]
fn sizes_of_constants() {
    let with = |type_: TensorType, shape: &[i32], len: usize| {
        let mut model = model();
        let weights = tensor_of(&mut model, 1);
        (weights.type_, weights.shape) = (type_, Some(shape.to_vec()));
        model.buffers.as_mut().unwrap()[1].data = Some(vec![0; len]);
        open(&circle(&model)).graph().map(|_| ()).map_err(|e| e.to_string())
    };
    assert_eq!(with(TensorType::FLOAT32, &[2, 3], 24), Ok(()));
    assert_eq!(with(TensorType::FLOAT32, &[], 4), Ok(()));
    assert_eq!(with(TensorType::BOOL, &[3], 3), Ok(()));
    assert_eq!(with(TensorType::INT4, &[3], 2), Ok(()));
    assert_eq!(with(TensorType::UINT4, &[4], 2), Ok(()));
    // How long texts and blocks are, their shape does not say.
    assert_eq!(with(TensorType::STRING, &[3], 77), Ok(()));
    assert_eq!(with(TensorType::GGML_Q4_0, &[32], 18), Ok(()));
    for (type_, shape, len) in [
        (TensorType::FLOAT32, &[2, 3][..], 23),
        (TensorType::FLOAT32, &[2, 3], 28),
        (TensorType::FLOAT64, &[], 4),
        (TensorType::INT4, &[3], 1),
        (TensorType::UINT8, &[0], 1),
        (TensorType::FLOAT32, &[i32::MAX; 8], 16),
    ] {
        let error = with(type_, shape, len).expect_err("a wrong size");
        assert!(error.contains(&format!("has a value of {len} bytes")), "{error}");
    }
}

#[test]
fn contradictions_name_the_place() {
    type Case<'a> = (&'a str, &'a dyn Fn(&mut ModelT));
    let cases: [Case<'_>; 14] = [
        ("there is no subgraph", &|m| m.subgraphs = None),
        ("an input of subgraph 0 is tensor 5", &|m| main(m).inputs = Some(vec![5])),
        ("an output of subgraph 0 is tensor -1", &|m| main(m).outputs = Some(vec![-1])),
        ("operator code 2, but there are 2", &|m| operator_of(m, 1).opcode_index = 2),
        ("an input of operator 0 ADD in subgraph 0 is tensor 77", &|m| {
            operator_of(m, 0).inputs = Some(vec![0, 77]);
        }),
        ("an input of operator 0 ADD in subgraph 0 is tensor -2", &|m| {
            operator_of(m, 0).inputs = Some(vec![-2, 1]);
        }),
        ("an output of operator 0 ADD in subgraph 0 is left out", &|m| {
            operator_of(m, 0).outputs = Some(vec![-1]);
        }),
        ("computed by operator 0 ADD and also computed by operator 1 RELU", &|m| {
            operator_of(m, 1).outputs = Some(vec![2]);
        }),
        ("`in` of subgraph 0 is an input and also computed by operator 0", &|m| {
            operator_of(m, 0).outputs = Some(vec![0]);
        }),
        ("`w` of subgraph 0 is a constant and also an input", &|m| {
            main(m).inputs = Some(vec![1]);
        }),
        ("`in` of subgraph 0 has buffer 9, but there are 2", &|m| tensor_of(m, 0).buffer = 9),
        ("`sum` of subgraph 0 has shape [-2]", &|m| tensor_of(m, 2).shape = Some(vec![-2])),
        ("has 33 dimensions", &|m| tensor_of(m, 2).shape = Some(vec![1; 33])),
        ("is a variable, but has a constant value", &|m| tensor_of(m, 1).is_variable = true),
    ];
    for (expected, change) in cases {
        let error = refused(change);
        assert!(error.contains(expected), "`{expected}` is not in: {error}");
        assert!(error.starts_with("test: "), "{error}");
    }
}

#[test]
fn all_problems_are_listed_up_to_a_limit() {
    let error = refused(|model| {
        tensor_of(model, 0).buffer = 9;
        operator_of(model, 1).opcode_index = 2;
    });
    assert!(error.contains("buffer 9") && error.contains("operator code 2"), "{error}");
    let error = refused(|model| main(model).inputs = Some(vec![99; 1000]));
    assert!(error.lines().count() < 30 && error.contains("and 980 more"), "{error}");
}

#[test]
fn details_by_the_numbers_of_the_format() {
    let details = |bytes: &[u8]| {
        let graph = open(bytes).graph().unwrap_or_else(|e| panic!("{e}"));
        graph.subgraphs[0].tensors[3].quantization.clone().expect("parameters").details
    };
    let blockwise = QuantizationDetails::Blockwise { scales: 1, zero_points: 2, block_size: 32 };
    assert_eq!(details(&circle(&model())), blockwise);
    assert_eq!(details(&as_tflite(&model())), blockwise);
    // What is 3 in circle is another table in TFLite.
    assert_eq!(details(&tflite(&model())), QuantizationDetails::Unknown(3));
}
