"""Models of one operator, what LiteRT computes with them, and the files that keep both.

A case is a model, its inputs, and the outputs of LiteRT (default delegates off). The cases of a family of
operators are one HDF5 file in testdata/conformance: `bytes`, compressed, and `index`, JSON that says where
everything is in it. `cargo test --test conformance` runs them.
"""
import importlib
import json
from dataclasses import dataclass, field

import flatbuffers
import h5py
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

TYPES = {
    "float32": "FLOAT32", "float16": "FLOAT16", "float64": "FLOAT64", "int32": "INT32", "uint32": "UINT32",
    "int64": "INT64", "uint64": "UINT64", "int16": "INT16", "uint16": "UINT16", "int8": "INT8",
    "uint8": "UINT8", "bool": "BOOL", "complex64": "COMPLEX64", "complex128": "COMPLEX128",
    "resource": "RESOURCE",
}

# Operators and options tables that only circle has: codes, members of the union, and its package's tables.
CIRCLE = {"ATTENTION": -9, "GRU": -5, "INSTANCE_NORM": -2, "RMS_NORM": -6, "ROPE": -7}
CIRCLE_OPTIONS = {
    "RoPEOptions": 249, "RmsNormOptions": 250, "GRUOptions": 251, "InstanceNormOptions": 254,
}

# Special values that every function of floats meets.
SPECIAL = np.array(
    [np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40, np.finfo("f4").min, np.finfo("f4").max,
     np.finfo("f4").tiny], "f4")


@dataclass
class Const:
    """An operand that is part of the model, not of the record."""
    value: np.ndarray
    # INT4 if it is that: two in a byte, the first in the low bits.
    packed: str = ""

    def data(self):
        """The value as the model keeps it."""
        if not self.packed:
            return np.asarray(self.value)
        values = np.asarray(self.value).ravel() & 15
        values = np.pad(values, (0, len(values) % 2)).reshape(-1, 2)
        return (values[:, 0] | values[:, 1] << 4).astype("u1")


@dataclass
class Scales:
    """How a tensor is quantized: one scale for all, or one for each slice along an axis."""
    scale: list
    zero_point: list = None
    axis: int = 0


@dataclass
class Case:
    operator: str
    # Arrays come with the record; `Const` is part of the model; None is left out.
    inputs: list
    # Element types of the outputs.
    outputs: list
    options: object = None
    name: str = ""
    version: int = 1
    # Relative and absolute; integers must be equal.
    tolerance: tuple = (1e-5, 1e-6)
    # Reference outputs where LiteRT has no such operator: a function of the arrays of all inputs.
    reference: object = None
    custom_code: str = ""
    custom_options: bytes = b""
    variables: list = field(default_factory=list)
    # `Scales` by position: those of inputs from 0 on, those of outputs from -1 on downwards.
    scales: dict = field(default_factory=dict)


@dataclass
class Whole:
    """A case whose model has several operators or subgraphs; made with `Graph`."""
    operator: str
    model: bytes
    inputs: list
    name: str = ""
    tolerance: tuple = (1e-5, 1e-6)
    custom_code: str = ""
    # Arrays, where LiteRT has no such operator.
    results: list = None


class Graph:
    """A subgraph in the making; tensors are positions. The first one of a model is its main one."""

    def __init__(self, model, name="main"):
        self.model, self.graph = model, schema.SubGraphT()
        self.graph.name, self.graph.tensors, self.graph.operators = name, [], []
        self.graph.inputs, self.graph.outputs = [], []
        self.index = len(model.subgraphs)
        model.subgraphs.append(self.graph)

    def tensor(self, dtype, shape, data=None):
        """A tensor; dimensions of -1 are not known."""
        number = len(self.graph.tensors)
        known = [max(d, 1) for d in shape]
        tensor = new_tensor(self.model, f"{self.graph.name}_{number}", dtype, known, data)
        if -1 in shape:
            tensor.shapeSignature = list(shape)
        self.graph.tensors.append(tensor)
        return number

    def input(self, dtype, shape):
        self.graph.inputs.append(self.tensor(dtype, shape))
        return self.graph.inputs[-1]

    def const(self, value):
        value = np.asarray(value)
        return self.tensor(value.dtype, value.shape, value)

    def op(self, name, inputs, outputs, options=None):
        """Adds an operator; `outputs` are (type, shape). Gives its outputs, or the only one."""
        operator = schema.OperatorT()
        operator.opcodeIndex = operator_code(self.model, name)
        operator.inputs = [-1 if i is None else i for i in inputs]
        operator.outputs = [self.tensor(dtype, shape) for dtype, shape in outputs]
        set_options(operator, options)
        self.graph.operators.append(operator)
        return operator.outputs[0] if len(operator.outputs) == 1 else operator.outputs

    def results(self, *tensors):
        self.graph.outputs = list(tensors)


def tensor_type(dtype):
    """The number of a type by the name of NumPy or of the schema."""
    if dtype == "INT4":
        return schema.TensorType.INT4
    return getattr(schema.TensorType, TYPES[dtype if dtype in TYPES else np.dtype(dtype).name])


def parameters(scales):
    """What the schema has for `Scales`."""
    if scales is None:
        return None
    result = schema.QuantizationParametersT()
    result.scale = [float(v) for v in np.atleast_1d(scales.scale)]
    zero_point = scales.zero_point if scales.zero_point is not None else [0] * len(result.scale)
    result.zeroPoint = [int(v) for v in np.atleast_1d(zero_point)]
    result.quantizedDimension = scales.axis
    return result


def new_tensor(model, name, dtype, shape, data=None):
    buffer = schema.BufferT()
    if data is not None:
        buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), "u1")
    model.buffers.append(buffer)
    tensor = schema.TensorT()
    tensor.name, tensor.type, tensor.shape = name, tensor_type(dtype), list(shape)
    tensor.buffer, tensor.hasRank = len(model.buffers) - 1, True
    return tensor


def set_options(operator, options):
    """Puts options, an object of the schema, where the schema wants them."""
    if options is None:
        return
    name = type(options).__name__.removesuffix("T")
    if name in CIRCLE_OPTIONS:
        operator.builtinOptionsType = CIRCLE_OPTIONS[name]
        operator.builtinOptions = options
    elif hasattr(schema.BuiltinOptions, name):
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        operator.builtinOptions = options
    else:
        operator.builtinOptions2Type = getattr(schema.BuiltinOptions2, name)
        operator.builtinOptions2 = options


def new_model():
    model = schema.ModelT()
    model.version, model.description = 3, ""
    model.buffers, model.operatorCodes, model.subgraphs = [schema.BufferT()], [], []
    return model


def operator_code(model, name, version=1, custom_code=""):
    """The position of the code in the model, which gets it."""
    code = schema.OperatorCodeT()
    code.builtinCode = CIRCLE.get(name) or getattr(schema.BuiltinOperator, name)
    code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), version
    if custom_code:
        code.customCode = custom_code
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1


def model_of(case, shapes):
    """The model's bytes, with outputs of these shapes."""
    model, graph, operator = new_model(), schema.SubGraphT(), schema.OperatorT()
    graph.name, graph.tensors, graph.inputs, graph.outputs = "main", [], [], []
    operator.opcodeIndex = operator_code(model, case.operator, case.version, case.custom_code)
    operator.inputs, operator.outputs = [], []
    for i, value in enumerate(case.inputs):
        if value is None:
            operator.inputs.append(-1)
            continue
        packed = value.packed if isinstance(value, Const) else ""
        data = value.data() if isinstance(value, Const) else None
        array = np.asarray(value.value if isinstance(value, Const) else value)
        operator.inputs.append(len(graph.tensors))
        if data is None:
            graph.inputs.append(len(graph.tensors))
        tensor = new_tensor(model, f"in{i}", packed or array.dtype, array.shape, data)
        tensor.quantization = parameters(case.scales.get(i))
        tensor.isVariable = i in case.variables
        if tensor.isVariable:
            graph.inputs.remove(len(graph.tensors))
        graph.tensors.append(tensor)
    for i, (dtype, shape) in enumerate(zip(case.outputs, shapes)):
        operator.outputs.append(len(graph.tensors))
        graph.outputs.append(len(graph.tensors))
        graph.tensors.append(new_tensor(model, f"out{i}", dtype, shape))
        graph.tensors[-1].quantization = parameters(case.scales.get(-1 - i))
    set_options(operator, case.options)
    if case.custom_options:
        operator.customOptions = np.frombuffer(case.custom_options, "u1")
    graph.operators = [operator]
    model.subgraphs.append(graph)
    return pack(model)


def pack(model):
    is_circle = any(code.builtinCode < 0 for code in model.operatorCodes)
    model.version = 0 if is_circle else 3
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"CIR0" if is_circle else b"TFL3")
    return bytes(builder.Output())


def given(case):
    """The inputs that come with the record."""
    if isinstance(case, Whole):
        return case.inputs
    kept = [i for i in range(len(case.inputs)) if i not in case.variables]
    return [np.asarray(case.inputs[i]) for i in kept
            if case.inputs[i] is not None and not isinstance(case.inputs[i], Const)]


def litert(model, inputs):
    """LiteRT's outputs."""
    interpreter = Interpreter(
        model_content=model, num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    interpreter.allocate_tensors()
    for detail, value in zip(interpreter.get_input_details(), inputs):
        interpreter.set_tensor(detail["index"], value)
    interpreter.invoke()
    # Where an output is empty, there may be no memory to get.
    return [np.zeros(detail["shape"], detail["dtype"]) if 0 in detail["shape"]
            else interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def evaluate(case):
    """The model of a case, and its outputs."""
    if isinstance(case, Whole):
        return case.model, case.results or litert(case.model, case.inputs)
    if case.reference is not None:
        plain = [v.value if isinstance(v, Const) else v for v in case.inputs]
        results = [np.asarray(r, d) for r, d in zip(case.reference(*plain), case.outputs)]
    else:
        results = litert(model_of(case, [[]] * len(case.outputs)), given(case))
    return model_of(case, [result.shape for result in results]), results


def write(path, cases):
    """Evaluates cases and writes the file of a family."""
    blob, index = bytearray(), []
    cases = list(cases)

    def put(data):
        blob.extend(data)
        return [len(blob) - len(data), len(data)]

    for number, case in enumerate(cases):
        name = f"{case.operator} {case.name or number}"
        try:
            model, outputs = evaluate(case)
        except Exception as error:
            raise SystemExit(f"{path}: {name}: {error}") from error
        computed = case.results if isinstance(case, Whole) else case.reference
        index.append({
            "name": name,
            "reference": "LiteRT" if computed is None else "NumPy",
            "operator": case.custom_code or case.operator,
            "tolerance": list(case.tolerance),
            "model": put(model),
            "inputs": [put(np.ascontiguousarray(value).tobytes()) for value in given(case)],
            "outputs": [
                {"dtype": TYPES[out.dtype.name], "shape": list(out.shape),
                 "bytes": put(np.ascontiguousarray(out).tobytes())}
                for out in outputs],
        })
    text = json.dumps(index, separators=(",", ":")).encode()
    with h5py.File(path, "w") as file:
        for key, data in [("bytes", bytes(blob)), ("index", text)]:
            array = np.frombuffer(data, "u1")
            file.create_dataset(key, data=array, chunks=array.shape, compression="gzip",
                                compression_opts=9)
    print(f"{path}: {len(cases)} cases")


def options(table, **values):
    """Options of the schema by name, with fields set."""
    tables = schema
    if table in CIRCLE_OPTIONS:
        tables = importlib.import_module(f"circle_schema.v0_10.circle.{table}")
    result = getattr(tables, f"{table}T")()
    for key, value in values.items():
        if not hasattr(result, key):
            raise AttributeError(f"{table} has no {key}")
        setattr(result, key, value)
    return result
