#!/usr/bin/env python3
"""What the benchmark needs to know about a TFLite model: inputs, activations, FLOPs.

Run: python tflite_model.py MODEL.tflite     prints its inputs and FLOPs as JSON
"""
import argparse
import json
from math import prod
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

OPERATOR = schema.BuiltinOperator


def main_graph(path: Path) -> tuple[schema.ModelT, schema.SubGraphT]:
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    return model, model.subgraphs[0]


def inputs(graph: schema.SubGraphT) -> list[list[int]]:
    """Shapes of the model's inputs, which have to be floats."""
    tensors = [graph.tensors[index] for index in graph.inputs]
    for tensor in tensors:
        if tensor.type != schema.TensorType.FLOAT32:
            raise SystemExit(f"error: input {tensor.name.decode()} is not float32")
    return [tensor.shape.tolist() for tensor in tensors]


def activations(path: Path) -> dict[int, str]:
    """Index and name of every float tensor that an operator computes."""
    _, graph = main_graph(path)
    return {
        index: graph.tensors[index].name.decode()
        for operator in graph.operators
        for index in operator.outputs
        if graph.tensors[index].type == schema.TensorType.FLOAT32
    }


def multiply_adds(code: int, operator: schema.OperatorT, shapes: list[list[int]]) -> int:
    """Multiply-adds of one operator; those of elementwise operators are not counted."""
    outputs = prod(shapes[operator.outputs[0]])
    first, second = (shapes[index] for index in operator.inputs[:2])
    if code == OPERATOR.CONV_2D:
        return outputs * prod(second[1:])
    if code == OPERATOR.DEPTHWISE_CONV_2D:
        return outputs * prod(second[1:3])
    if code == OPERATOR.FULLY_CONNECTED:
        return outputs * second[-1]
    return outputs * first[-2 if operator.builtinOptions.adjX else -1]


def flops(model: schema.ModelT, graph: schema.SubGraphT) -> int:
    """Two for every multiply-add of convolutions and matrix products."""
    counted = {
        OPERATOR.CONV_2D,
        OPERATOR.DEPTHWISE_CONV_2D,
        OPERATOR.FULLY_CONNECTED,
        OPERATOR.BATCH_MATMUL,
    }
    # As Python's integers: NumPy's are of 32 bits here and overflow.
    shapes = [[] if tensor.shape is None else tensor.shape.tolist() for tensor in graph.tensors]
    total = 0
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if code in counted:
            total += 2 * multiply_adds(code, operator, shapes)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    model, graph = main_graph(parser.parse_args().model)
    print(json.dumps({"inputs": inputs(graph), "flops": flops(model, graph)}))


if __name__ == "__main__":
    main()
