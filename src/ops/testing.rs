//! Runs one operator as a model of its own, on every instruction set, and holds what it declares of
//! its observation against a scan.

use std::sync::Arc;

use crate::error::Result;
use crate::graph::{Constant, Model, Node, OperatorCode, Place, Quantization, Subgraph, Tensor};
use crate::interpreter::{Interpreter, Plan, PlanOptions};
use crate::kernel::Isa;
use crate::observation::RecordObservations;
use crate::operator::{InputInfo, Inputs};
use crate::schema::{BuiltinOperator, BuiltinOptions2T, BuiltinOptionsT};
use crate::tensor::{AlignedBuffer, DType, TensorType};

/// An input of the operator under test.
#[derive(Clone)]
pub(crate) struct Operand {
    tensor_type: TensorType,
    data: AlignedBuffer,
    is_constant: bool,
    quantization: Option<Quantization>,
}

impl Operand {
    /// A value that comes with the record.
    pub(crate) fn input(shape: &[usize], values: &[f32]) -> Self {
        let data = AlignedBuffer::copy_of(values);
        let tensor_type = TensorType::new(DType::F32, shape);
        Self { tensor_type, data, is_constant: false, quantization: None }
    }

    /// A float constant of the model.
    pub(crate) fn constant(shape: &[usize], values: &[f32]) -> Self {
        Self { is_constant: true, ..Self::input(shape, values) }
    }

    /// An INT32 constant of the model.
    pub(crate) fn indices(shape: &[usize], values: &[i32]) -> Self {
        let tensor_type = TensorType::new(DType::I32, shape);
        Self { tensor_type, data: AlignedBuffer::copy_of(values), ..Self::constant(&[0], &[]) }
    }

    /// A constant of any type.
    pub(crate) fn typed(
        dtype: DType,
        shape: &[usize],
        data: AlignedBuffer,
        quantization: Option<Quantization>,
    ) -> Self {
        let tensor_type = TensorType::new(dtype, shape);
        Self { tensor_type, data, is_constant: true, quantization }
    }

    /// The same, but it comes with the record.
    pub(crate) fn recorded(self) -> Self {
        Self { is_constant: false, ..self }
    }
}

/// A tensor of FLOAT32 with this value.
pub(crate) fn constant_tensor(value: Constant) -> Tensor {
    let shape = [value.bytes().len() / size_of::<f32>()];
    let tensor = tensor("constant".to_owned(), &TensorType::new(DType::F32, shape));
    Tensor { data: Some(value), ..tensor }
}

fn tensor(name: String, tensor_type: &TensorType) -> Tensor {
    Tensor {
        place: Place::default(),
        name,
        dtype: tensor_type.dtype,
        shape: tensor_type.shape.iter().map(|&d| Some(d)).collect(),
        has_rank: true,
        data: None,
        is_variable: false,
        quantization: None,
        sparsity: None,
    }
}

/// A node without options and operands.
pub(crate) fn node_of(code: BuiltinOperator) -> Node {
    Node {
        place: Place::default(),
        code: OperatorCode::Builtin(code),
        version: 1,
        inputs: Vec::new(),
        outputs: Vec::new(),
        intermediates: Vec::new(),
        options: BuiltinOptionsT::NONE,
        options_2: BuiltinOptions2T::NONE,
        custom_options: Vec::new(),
        decomposition: None,
        body: None,
    }
}

/// A model of one operator; operands that are `None` are left out.
pub(crate) fn model_of(
    code: BuiltinOperator,
    options: BuiltinOptionsT,
    operands: &[Option<Operand>],
    outputs: &[DType],
) -> Model {
    let mut tensors = Vec::new();
    let (mut graph_inputs, mut node_inputs) = (Vec::new(), Vec::new());
    for (i, operand) in operands.iter().enumerate() {
        let Some(operand) = operand else {
            node_inputs.push(None);
            continue;
        };
        let mut t = tensor(format!("in{i}"), &operand.tensor_type);
        t.quantization.clone_from(&operand.quantization);
        if operand.is_constant {
            t.data = Some(Constant::from(operand.data.clone()));
        } else {
            graph_inputs.push(tensors.len());
        }
        node_inputs.push(Some(tensors.len()));
        tensors.push(t);
    }
    let first = tensors.len();
    for (i, &dtype) in outputs.iter().enumerate() {
        tensors.push(tensor(format!("out{i}"), &TensorType::new(dtype, [])));
    }
    let outputs: Vec<usize> = (first..tensors.len()).collect();
    let node = Node { inputs: node_inputs, outputs: outputs.clone(), options, ..node_of(code) };
    let subgraph = Subgraph {
        name: "main".to_owned(),
        tensors,
        inputs: graph_inputs,
        outputs,
        nodes: vec![node],
    };
    Model { description: String::new(), subgraphs: vec![subgraph] }
}

/// A node of a custom operator with these attributes and nothing else.
pub(crate) fn custom_node(name: &str, custom_options: Vec<u8>) -> Node {
    let model = model_of(BuiltinOperator::CUSTOM, BuiltinOptionsT::NONE, &[], &[]);
    let [node] = model.subgraphs[0].nodes.as_slice() else { unreachable!("there is one node") };
    let code = OperatorCode::Custom(name.to_owned());
    Node { code, custom_options, ..node.clone() }
}

/// Inputs of these types, known only with the record.
pub(crate) fn inputs_of(types: &[(DType, &[usize])]) -> Inputs {
    let info = |&(dtype, shape): &(DType, &[usize])| {
        let tensor_type = TensorType::new(dtype, shape);
        Some(InputInfo { tensor_type, constant: None, quantization: None })
    };
    Inputs { inputs: types.iter().map(info).collect(), outputs: Vec::new() }
}

/// Runs the operator on every instruction set, as declared and observed by scans only; all must agree
/// to the bit. Returns the bytes of output 0.
pub(crate) fn run(
    code: BuiltinOperator,
    options: BuiltinOptionsT,
    operands: &[Option<Operand>],
) -> Result<AlignedBuffer> {
    run_to(DType::F32, code, options, operands)
}

/// As [`run`], for an operator whose output is of this type.
pub(crate) fn run_to(
    dtype: DType,
    code: BuiltinOperator,
    options: BuiltinOptionsT,
    operands: &[Option<Operand>],
) -> Result<AlignedBuffer> {
    let model = model_of(code, options, operands, &[dtype]);
    let inputs: Vec<&[u8]> = operands
        .iter()
        .flatten()
        .filter(|operand| !operand.is_constant)
        .map(|operand| operand.data.bytes())
        .collect();
    let mut reference: Option<(AlignedBuffer, RecordObservations)> = None;
    for isa in Isa::supported() {
        for scan_only in [true, false] {
            let options = PlanOptions { isa, scan_only, ..PlanOptions::new() };
            let plan = Arc::new(Plan::new(&model, &options)?);
            let mut interpreter = Interpreter::new(plan);
            let mut observed = RecordObservations::default();
            interpreter.run(&inputs, &mut observed)?;
            let output = interpreter.output(0, &inputs).expect("the operator has an output");
            let Some((expected, expected_observed)) = &reference else {
                reference = Some((AlignedBuffer::copy_of(output), observed));
                continue;
            };
            let is_same = match dtype {
                DType::F32 => same_floats(output, expected.bytes()),
                _ => output == expected.bytes(),
            };
            assert!(is_same, "{code:?} {isa} computes other bits");
            let pairs = observed.single.iter().zip(&expected_observed.single);
            for (found, scanned) in pairs {
                assert!(found.same_bits(*scanned), "{code:?} {isa}: {found:?}, scan: {scanned:?}");
            }
        }
    }
    Ok(reference.expect("there is a portable instruction set").0)
}

/// Equal bits, but for the payload of NaN.
fn same_floats(a: &[u8], b: &[u8]) -> bool {
    let (a, b): (&[f32], &[f32]) = (bytemuck::cast_slice(a), bytemuck::cast_slice(b));
    let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    a.len() == b.len() && a.iter().zip(b).all(same)
}
