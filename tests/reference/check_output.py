#!/usr/bin/env python3
"""Holds a model with recorded ranges against the model it was made from.

Needs: pip install circle-schema==0.10.1
Run:   python check_output.py IN OUT [--ranges RANGES.json]

Reads both with the published circle classes and checks that
* exactly the float activations have a range: a minimum and a maximum of length 1, in order. These
  are the FLOAT32 tensors that are an input of subgraph 0 or the output of an operator in it, without
  a constant value, and not variables. In other subgraphs, which a run need not enter, such tensors
  may have a range.
* everything else is equal, field by field and buffer by buffer. Positions of buffers that stand
  behind the FlatBuffer may differ, their bytes may not.
IN may be a TFLite model: then OUT is compared with its meaning in circle.
With --ranges, a list of [subgraph, tensor, min, max], the ranges are compared to the bit.
"""
import argparse
import json
import struct
import sys

import numpy as np
from circle_schema.v0_10.circle.BlockwiseQuantization import BlockwiseQuantizationT
from circle_schema.v0_10.circle.Model import Model, ModelT
from circle_schema.v0_10.circle.QuantizationDetails import QuantizationDetails
from circle_schema.v0_10.circle.TensorType import TensorType

# What is compared on its own.
APART = {"quantization", "buffers", "offset", "largeCustomOptionsOffset"}
# TFLite's numbers where they differ from circle's.
TFLITE_BLOCKWISE = 2
TFLITE_DEBUG_METADATA_INDEX = 4 + 2 * 5


class File:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.data = file.read()
        self.identifier = self.data[4:8]
        self.model = ModelT.InitFromPackedBuf(self.data)
        if self.identifier == b"TFL3":
            self.as_circle()

    def as_circle(self):
        """Gives fields the meaning that they have in TFLite."""
        self.model.version = 0
        root = Model.GetRootAs(self.data)
        for i, subgraph in enumerate(self.model.subgraphs):
            table = root.Subgraphs(i)._tab
            if at := table.Offset(TFLITE_DEBUG_METADATA_INDEX):
                (subgraph.debugMetadataIndex,) = struct.unpack_from("<i", self.data, at + table.Pos)
            for t, tensor in enumerate(subgraph.tensors or []):
                parameters = tensor.quantization
                if parameters is not None and parameters.detailsType == TFLITE_BLOCKWISE:
                    table = root.Subgraphs(i).Tensors(t).Quantization().Details()
                    parameters.detailsType = QuantizationDetails.BlockwiseQuantization
                    parameters.details = BlockwiseQuantizationT.InitFromBuf(table.Bytes, table.Pos)

    def part(self, inside, offset, size):
        """Bytes that are in the FlatBuffer or behind it."""
        if inside is not None and len(inside) > 0:
            return bytes(bytearray(inside))
        if offset <= 1:
            return b""
        assert offset + size <= len(self.data), "a buffer behind the end of the file"
        return self.data[offset : offset + size]

    def buffer(self, i):
        buffer = self.model.buffers[i]
        return self.part(buffer.data, buffer.offset, buffer.size)


def observed(file):
    """(subgraph, tensor) of all float activations."""
    found = set()
    for s, subgraph in enumerate(file.model.subgraphs):
        produced = set(listed(subgraph.inputs))
        for operator in listed(subgraph.operators):
            produced |= set(listed(operator.outputs))
        for t in sorted(produced):
            tensor = subgraph.tensors[t]
            is_constant = file.model.buffers and file.buffer(tensor.buffer)
            if tensor.type == TensorType.FLOAT32 and not is_constant and not tensor.isVariable:
                found.add((s, int(t)))
    return found


def listed(vector):
    return [] if vector is None else list(vector)


def differences(a, b, path):
    """Where two unpacked objects differ, but for what is compared apart."""
    if isinstance(a, (np.ndarray, list)) or isinstance(b, (np.ndarray, list)):
        if a is None or b is None or len(a) != len(b):
            yield f"{path}: {a} became {b}"
        elif isinstance(a, np.ndarray):
            if a.tobytes() != np.asarray(b).tobytes():
                yield f"{path}: {a} became {b}"
        else:
            for i, pair in enumerate(zip(a, b)):
                yield from differences(*pair, f"{path}[{i}]")
    elif hasattr(a, "__dict__"):
        if type(a) is not type(b):
            yield f"{path}: {type(a).__name__} became {type(b).__name__}"
            return
        for name in a.__dict__:
            if name not in APART:
                yield from differences(getattr(a, name), getattr(b, name), f"{path}.{name}")
    elif isinstance(a, float) and isinstance(b, float):
        if struct.pack("<d", a) != struct.pack("<d", b):
            yield f"{path}: {a} became {b}"
    elif a != b:
        yield f"{path}: {a} became {b}"


def quantization_differences(before, after, has_range, path):
    """The same but for the range; parameters may be new if they hold nothing else."""
    if not has_range:
        if (before is None) != (after is None):
            yield f"{path}: quantization parameters came or went"
        elif before is not None:
            yield from differences(before, after, path)
        return
    if after is None or any(len(listed(it)) != 1 for it in (after.min, after.max)):
        yield f"{path}: no range"
        return
    if not after.min[0] <= after.max[0]:
        yield f"{path}: {after.min[0]} to {after.max[0]} is no range"
    blank = type(after)() if before is None else before
    for name in after.__dict__:
        if name not in ("min", "max"):
            yield from differences(getattr(blank, name), getattr(after, name), f"{path}.{name}")


def check(before, after):
    if after.identifier != b"CIR0":
        yield f"the identifier is {after.identifier}"
    yield from differences(before.model, after.model, "model")
    buffers = len(before.model.buffers or [])
    if buffers != len(after.model.buffers or []):
        yield "the number of buffers changed"
        return
    for i in range(buffers):
        if before.buffer(i) != after.buffer(i):
            yield f"buffer {i} changed"
    activations = observed(before)
    for s, (old, new) in enumerate(zip(before.model.subgraphs, after.model.subgraphs)):
        for o, pair in enumerate(zip(listed(old.operators), listed(new.operators))):
            options = [
                file.part(it.customOptions, it.largeCustomOptionsOffset, it.largeCustomOptionsSize)
                for file, it in zip((before, after), pair)
            ]
            if options[0] != options[1]:
                yield f"the custom options of operator {o} of subgraph {s} changed"
        for t, (a, b) in enumerate(zip(old.tensors, new.tensors)):
            has_range = (s, t) in activations
            if s > 0 and has_range and (b.quantization is None or b.quantization.min is None):
                has_range = False
            name = (b.name or b"").decode(errors="replace")
            path = f"tensor {t} `{name}` of subgraph {s}"
            yield from quantization_differences(a.quantization, b.quantization, has_range, path)


def range_differences(after, path):
    with open(path) as file:
        expected = json.load(file)
    for s, t, low, high in expected:
        parameters = after.model.subgraphs[s].tensors[t].quantization
        found = (float(parameters.min[0]), float(parameters.max[0]))
        wanted = tuple(float(np.float32(it)) for it in (low, high))
        if struct.pack("<2d", *found) != struct.pack("<2d", *wanted):
            yield f"tensor {t} of subgraph {s}: {found} instead of {wanted}"


def main():
    parser = argparse.ArgumentParser(description="compares a model with ranges to its original")
    parser.add_argument("before", metavar="IN")
    parser.add_argument("after", metavar="OUT")
    parser.add_argument("--ranges", metavar="RANGES.json")
    args = parser.parse_args()
    before, after = File(args.before), File(args.after)
    found = list(check(before, after))
    if args.ranges:
        found += range_differences(after, args.ranges)
    for difference in found:
        print(difference)
    print(f"{args.after}: {len(observed(before))} float activations, {len(found)} differences")
    sys.exit(bool(found))


main()
