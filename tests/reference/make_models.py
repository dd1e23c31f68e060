#!/usr/bin/env python3
"""Makes testdata/models: small files that show how models differ as files.

Needs: pip install circle-schema==0.10.1
Run:   python make_models.py [DIR]

  conv.circle           convolution, relu6, mean, fully connected, softmax; new operator codes
  conv-external.circle  the same, its buffers behind the FlatBuffer
  old.tflite            the same as an old TFLite file: codes in the old byte, no parameters at all
  extensions.circle     circle's own operators and element types, sparsity, a custom operator,
                        parameters of every kind
  branches.circle       IF with two subgraphs, one of them not entered; unknown dimensions
"""
import random
import struct
import subprocess
import sys
from pathlib import Path

import flatbuffers
from circle_schema.v0_10 import circle as schema

HERE = Path(__file__).resolve().parent


def make(table, **fields):
    """An unpacked table by name, with these fields."""
    module = __import__(f"{schema.__name__}.{table}", fromlist=[table])
    made = getattr(module, f"{table}T")()
    for name, value in fields.items():
        assert hasattr(made, name), (table, name)
        setattr(made, name, value)
    return made


def value(enum, name):
    module = __import__(f"{schema.__name__}.{enum}", fromlist=[enum])
    return getattr(getattr(module, enum), name)


class Builder:
    """A model under construction; buffer 0 is the empty one."""

    def __init__(self, description):
        self.random = random.Random(1)
        self.model = make(
            "Model",
            version=0,
            description=description,
            operatorCodes=[],
            subgraphs=[],
            buffers=[make("Buffer")],
        )

    def buffer(self, data):
        self.model.buffers.append(make("Buffer", data=list(data)))
        return len(self.model.buffers) - 1

    def weights(self, count, scale=0.5):
        values = [self.random.uniform(-scale, scale) for _ in range(count)]
        return self.buffer(struct.pack(f"<{count}f", *values))

    def integers(self, *values):
        return self.buffer(struct.pack(f"<{len(values)}i", *values))

    def subgraph(self, name):
        graph = make("SubGraph", name=name, tensors=[], operators=[], inputs=[], outputs=[])
        self.model.subgraphs.append(graph)
        return graph

    def tensor(self, graph, name, shape, kind="FLOAT32", buffer=0, **fields):
        tensor = make(
            "Tensor",
            name=name,
            shape=shape,
            type=value("TensorType", kind),
            buffer=buffer,
            hasRank=True,
            **fields,
        )
        graph.tensors.append(tensor)
        return len(graph.tensors) - 1

    def code(self, builtin, version=1, custom=None):
        number = value("BuiltinOperator", builtin)
        code = make(
            "OperatorCode",
            deprecatedBuiltinCode=min(number, 127),
            builtinCode=number,
            version=version,
            customCode=custom,
        )
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1

    def operator(self, graph, builtin, inputs, outputs, options=None, custom=None, **fields):
        kind = type(options).__name__[:-1] if options else "NONE"
        operator = make(
            "Operator",
            opcodeIndex=self.code(builtin, custom=custom),
            inputs=inputs,
            outputs=outputs,
            builtinOptionsType=value("BuiltinOptions", kind),
            builtinOptions=options,
            **fields,
        )
        graph.operators.append(operator)

    def write(self, path, identifier=b"CIR0"):
        builder = flatbuffers.Builder(1 << 14)
        builder.Finish(self.model.Pack(builder), file_identifier=identifier)
        path.write_bytes(builder.Output())


def convolutional():
    b = Builder("a small convolutional network")
    g = b.subgraph("main")
    image = b.tensor(g, "image", [1, 8, 8, 3])
    kernel = b.tensor(g, "kernel", [4, 3, 3, 3], buffer=b.weights(108))
    bias = b.tensor(g, "bias", [4], buffer=b.weights(4))
    features = b.tensor(g, "features", [1, 4, 4, 4])
    axes = b.tensor(g, "axes", [2], "INT32", b.integers(1, 2))
    pooled = b.tensor(g, "pooled", [1, 4])
    matrix = b.tensor(g, "matrix", [5, 4], buffer=b.weights(20, 2.0))
    logits = b.tensor(g, "logits", [1, 5], quantization=make("QuantizationParameters"))
    probabilities = b.tensor(g, "probabilities", [1, 5])
    b.operator(
        g,
        "CONV_2D",
        [image, kernel, bias],
        [features],
        make(
            "Conv2DOptions",
            padding=value("Padding", "SAME"),
            strideW=2,
            strideH=2,
            fusedActivationFunction=value("ActivationFunctionType", "RELU6"),
        ),
    )
    b.operator(g, "MEAN", [features, axes], [pooled], make("ReducerOptions", keepDims=False))
    b.operator(
        g, "FULLY_CONNECTED", [pooled, matrix, -1], [logits], make("FullyConnectedOptions")
    )
    b.operator(g, "SOFTMAX", [logits], [probabilities], make("SoftmaxOptions", beta=1.0))
    g.inputs, g.outputs = [image], [probabilities]
    b.model.metadata = [make("Metadata", name="notes", buffer=b.buffer(b"made by hand"))]
    b.model.signatureDefs = [
        make(
            "SignatureDef",
            signatureKey="serve",
            inputs=[make("TensorMap", name="x", tensorIndex=image)],
            outputs=[make("TensorMap", name="y", tensorIndex=probabilities)],
        )
    ]
    return b


def old():
    b = convolutional()
    b.model.version = 3
    b.model.metadata = b.model.signatureDefs = None
    for code in b.model.operatorCodes:
        code.builtinCode, code.version = 0, 1
    for tensor in b.model.subgraphs[0].tensors:
        tensor.hasRank, tensor.quantization = False, None
    return b


def extensions():
    b = Builder("")
    g = b.subgraph("")
    x = b.tensor(g, "x", [1, 2, 2, 2], shapeSignature=[1, 2, 2, 2])
    gamma = b.tensor(g, "gamma", [2], buffer=b.weights(2))
    beta = b.tensor(g, "beta", [2], buffer=b.weights(2))
    ranged = make("QuantizationParameters", min=[-9.0], max=[9.0])
    normed = b.tensor(g, "normed", [1, 2, 2, 2], quantization=ranged)
    scaled = make(
        "QuantizationParameters",
        scale=[0.5, 0.25],
        zeroPoint=[0, 8],
        quantizedDimension=3,
        detailsType=value("QuantizationDetails", "MXQuantization"),
        details=make("MXQuantization", axis=3),
    )
    rooted = b.tensor(g, "rooted", [1, 2, 2, 2], quantization=scaled)
    nibbles = b.tensor(g, "nibbles", [3], "UINT4", b.buffer([0x21, 0x03]))
    blocks = b.tensor(g, "blocks", [32], "GGML_Q4_0", b.buffer(range(18)))
    segments, indices = (make("Uint8Vector", values=it) for it in ([0, 1], [2]))
    sparse = make(
        "SparsityParameters",
        traversalOrder=[0, 1],
        dimMetadata=[
            make("DimensionMetadata", denseSize=1),
            make(
                "DimensionMetadata",
                format=value("DimensionType", "SPARSE_CSR"),
                arraySegmentsType=value("SparseIndexVector", "Uint8Vector"),
                arraySegments=segments,
                arrayIndicesType=value("SparseIndexVector", "Uint8Vector"),
                arrayIndices=indices,
            ),
        ],
    )
    weights = b.tensor(g, "weights", [1, 4], buffer=b.weights(1), sparsity=sparse)
    state = b.tensor(g, "state", [1, 2], isVariable=True)
    out = b.tensor(g, "out", [1, 2])
    b.operator(
        g, "INSTANCE_NORM", [x, gamma, beta], [normed], make("InstanceNormOptions", epsilon=1e-5)
    )
    b.operator(g, "RMS_NORM", [normed, gamma], [rooted], make("RmsNormOptions", epsilon=1e-6))
    b.operator(
        g,
        "CUSTOM",
        [rooted, nibbles, blocks, weights, state],
        [out],
        custom="Own",
        customOptions=list(b"options"),
    )
    g.inputs, g.outputs = [x], [out]
    return b


def branches():
    b = Builder("IF")
    main = b.subgraph("main")
    condition = b.tensor(main, "condition", [], "BOOL")
    x = b.tensor(main, "x", [1, 3], shapeSignature=[-1, 3])
    y = b.tensor(main, "y", [1, 3], shapeSignature=[-1, 3])
    options = make("IfOptions", thenSubgraphIndex=1, elseSubgraphIndex=2)
    b.operator(main, "IF", [condition, x], [y], options)
    main.inputs, main.outputs = [condition, x], [y]
    for name, builtin in (("then", "TANH"), ("else", "NEG")):
        g = b.subgraph(name)
        source, target = (b.tensor(g, it, [1, 3], shapeSignature=[-1, 3]) for it in "ab")
        b.operator(g, builtin, [source], [target])
        g.inputs, g.outputs = [source], [target]
    return b


def main():
    folder = HERE.parents[1] / "testdata" / "models"
    folder = Path(sys.argv[1]) if sys.argv[1:] else folder
    convolutional().write(folder / "conv.circle")
    command = [HERE / "make_external_buffers.py", folder / "conv.circle"]
    subprocess.run([sys.executable, *command, folder / "conv-external.circle"], check=True)
    old().write(folder / "old.tflite", b"TFL3")
    extensions().write(folder / "extensions.circle")
    branches().write(folder / "branches.circle")


main()
