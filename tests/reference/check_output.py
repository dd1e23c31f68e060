"""Holds a model with ranges against the model it was made from: `check_output.py IN OUT`.

In OUT, exactly the float activations - FLOAT32 tensors that are an input of their subgraph or a result of
an operator - have one minimum and one maximum. Everything else is as in IN, field by field and buffer by
buffer; if IN is a TFLite file, but for what circle has elsewhere. Needs `circle-schema` and `numpy`.
"""

import sys

import numpy

from circle_file import buffer_bytes, class_of, load, scalar_at

TENSOR_TYPE = class_of("TensorType")
DETAILS = class_of("QuantizationDetails")

# Positions behind the FlatBuffer change with its length; the bytes there are compared instead.
MOVED = {"offset", "largeCustomOptionsOffset"}

differences = []


def differ(place, text):
    differences.append(f"{place}: {text}")


def compare(place, before, after):
    """Compares plain objects, lists, arrays, strings and numbers."""
    if before is None or after is None:
        if before is not after:
            differ(place, f"{before} became {after}")
    elif isinstance(before, numpy.ndarray):
        if before.tobytes() != numpy.asarray(after, before.dtype).tobytes():
            differ(place, f"values {before[:4]} became {after[:4]}")
    elif isinstance(before, list):
        if len(before) != len(after):
            differ(place, f"{len(before)} elements became {len(after)}")
        for i, pair in enumerate(zip(before, after)):
            compare(f"{place}[{i}]", *pair)
    elif hasattr(before, "__dict__"):
        if type(before) is not type(after):
            differ(place, f"{type(before).__name__} became {type(after).__name__}")
            return
        for name, value in vars(before).items():
            if name not in MOVED:
                compare(f"{place}.{name}", value, getattr(after, name))
    elif before != after and not (before != before and after != after):
        differ(place, f"{before} became {after}")


def activations(subgraph):
    """Positions of the float tensors that have a value only while the model runs."""
    found = set(subgraph.inputs if subgraph.inputs is not None else [])
    for operator in subgraph.operators or []:
        found.update(operator.outputs if operator.outputs is not None else [])
    tensors = subgraph.tensors or []
    return {int(t) for t in found if t >= 0 and tensors[t].type == TENSOR_TYPE.FLOAT32}


def length(values):
    return 0 if values is None else len(values)


def take_ranges(place, before, after, is_activation):
    """Checks whether a tensor has a range, and removes it on both sides for the comparison."""
    old, new = before.quantization, after.quantization
    if not is_activation:
        return
    if new is None or length(new.min) != 1 or length(new.max) != 1:
        differ(place, "an activation without one minimum and one maximum")
        return
    if not new.min[0] <= new.max[0]:
        differ(place, f"the range {new.min[0]} to {new.max[0]}")
    new.min = new.max = None
    if old is None:
        # Parameters that were made for the range have nothing else.
        empty = length(new.scale) == length(new.zeroPoint) == 0
        if not empty or new.quantizedDimension != 0 or new.detailsType != DETAILS.NONE:
            differ(place, "new parameters with more than a range")
        after.quantization = None
    else:
        old.min = old.max = None


def as_circle(data, model):
    """Changes what TFLite has elsewhere than circle; `model` was read as circle."""
    model.version = 0
    root = class_of("Model").GetRootAs(data, 0)
    for i, subgraph in enumerate(model.subgraphs or []):
        table = root.Subgraphs(i)
        index = scalar_at(data, table._tab.Pos, 5, "<i")
        subgraph.debugMetadataIndex = -1 if index is None else index
        for t, tensor in enumerate(subgraph.tensors or []):
            parameters = tensor.quantization
            if parameters is not None and parameters.detailsType == 2:
                # Blockwise in TFLite, read as MXQuantization; circle has it at 3.
                details = table.Tensors(t).Quantization().Details()
                blockwise = class_of("BlockwiseQuantization")()
                blockwise.Init(details.Bytes, details.Pos)
                object_class = sys.modules[class_of("BlockwiseQuantization").__module__]
                parameters.detailsType = DETAILS.BlockwiseQuantization
                parameters.details = object_class.BlockwiseQuantizationT.InitFromObj(blockwise)


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    (old_data, old), (new_data, new) = load(sys.argv[1]), load(sys.argv[2])
    if new_data[4:8] != b"CIR0":
        differ("file", "the output is not circle")
    if old_data[4:8] == b"TFL3":
        as_circle(old_data, old)
    ranges = 0
    for i, (before, after) in enumerate(zip(old.subgraphs or [], new.subgraphs or [])):
        floats = activations(before)
        ranges += len(floats)
        for t, pair in enumerate(zip(before.tensors or [], after.tensors or [])):
            name = (pair[0].name or b"").decode()
            take_ranges(f"subgraph {i} tensor {t} {name}", *pair, t in floats)
        for o, pair in enumerate(zip(before.operators or [], after.operators or [])):
            large = [
                data[operator.largeCustomOptionsOffset :][: operator.largeCustomOptionsSize]
                for data, operator in zip((old_data, new_data), pair)
            ]
            if pair[0].largeCustomOptionsOffset > 1 and large[0] != large[1]:
                differ(f"subgraph {i} operator {o}", "other options behind the FlatBuffer")
    for i, pair in enumerate(zip(old.buffers or [], new.buffers or [])):
        contents = [buffer_bytes(*it) for it in zip((old_data, new_data), pair)]
        if contents[0] != contents[1]:
            differ(f"buffer {i}", "other bytes")
    compare("model", old, new)
    for difference in differences[:50]:
        print(difference)
    if differences:
        raise SystemExit(f"{len(differences)} differences")
    print(f"{ranges} ranges, {length(old.buffers)} buffers, no difference")


main()
