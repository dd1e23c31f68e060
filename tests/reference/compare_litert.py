#!/usr/bin/env python3
"""Compares per-record ranges of every float activation with LiteRT's.

Set up:  python3 -m venv .venv && .venv/bin/pip install ai-edge-litert==2.3.0 h5py numpy
Models:  .venv/bin/python tests/reference/compare_litert.py --program target/release/record-minmax \
             MODEL.tflite [MODEL.tflite ...] [--records 16] [--arithmetic reference]
Golden:  .venv/bin/python tests/reference/compare_litert.py --golden OUT.json MODEL.tflite --data D.h5

LiteRT runs without delegates and keeps all tensors. Its ranges follow the recorder's definition: NaN
and the lowest float are ignored. A difference is allowed up to 1e-4 of the tensor's range plus 1e-6, or
1e-6 of the larger bound: a tensor of one element has no width, and floats that large are 1e-7 of it apart.
With `--arithmetic reference` (the default here), every range must be within it. With the others the
recorder rounds less often than LiteRT does on x86; in a deep network of random weights LiteRT's own
kernels differ by more than the tolerance, so they are compared with each other too, and the comparison
fails only where the recorder is beyond the tolerance of all of them.
With --records, both get the same uniform random records; with --data, those of a dataset (that of
NAME.h5 beside NAME.tflite with --data beside). What is in branches and loops is not compared, what comes
out of them is.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import h5py
import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

LOWEST = np.finfo(np.float32).min


def random_dataset(path, inputs, records):
    rng = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        value = file.create_group("value")
        for record in range(records):
            group = value.create_group(str(record))
            for position, detail in enumerate(inputs):
                signature = detail["shape_signature"]
                shape = [rng.integers(5, 40) if d < 0 else d for d in signature[1:]]
                shape = [*np.abs(signature[:1]), *shape]
                if detail["dtype"] == np.float32:
                    data = rng.random(shape, dtype=np.float32)
                else:
                    # Fits the tables of all models.
                    data = rng.integers(0, 20, shape).astype(detail["dtype"])
                group.create_dataset(str(position), data=data)


def read_records(path):
    with h5py.File(path, "r") as file:
        value = file["value"]
        for record in range(len(value)):
            group = value[str(record)]
            yield [group[str(position)][()] for position in range(len(group))]


def unwritten_tensors(interpreter):
    """Outputs of loops that nobody reads: LiteRT leaves them as they were."""
    operators = interpreter._get_ops_details()
    read = {int(i) for operator in operators for i in operator["inputs"]}
    read |= {detail["index"] for detail in interpreter.get_output_details()}
    return {int(i) for operator in operators if operator["op_name"] == "WHILE"
            for i in operator["outputs"]} - read


def litert_ranges(model, data, resolver=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, threads=1):
    """Tensor names, and per record {tensor: (min, max)} of every float tensor."""
    interpreter = Interpreter(
        model_path=str(model),
        experimental_op_resolver_type=resolver,
        experimental_preserve_all_tensors=True,
        num_threads=threads,
    )
    # Before memory is planned, which takes such tensors out of the graph.
    unwritten = unwritten_tensors(interpreter)
    interpreter.allocate_tensors()
    details = interpreter.get_tensor_details()
    names = {detail["index"]: detail["name"] for detail in details}
    floats = [detail["index"] for detail in details
              if detail["dtype"] == np.float32 and detail["index"] not in unwritten]
    records = []
    for values in read_records(data):
        details = interpreter.get_input_details()
        for detail, value in zip(details, values):
            if tuple(detail["shape"]) != value.shape:
                interpreter.resize_tensor_input(detail["index"], value.shape)
        interpreter.allocate_tensors()
        for detail, value in zip(details, values):
            interpreter.set_tensor(detail["index"], value)
        # Every record finds the states of recurrent layers as the first one does.
        interpreter.reset_all_variables()
        interpreter.invoke()
        ranges = {}
        for index in floats:
            try:
                tensor = interpreter.get_tensor(index)
            except ValueError:
                continue  # scratch memory of an operator
            counted = tensor[~np.isnan(tensor) & (tensor != LOWEST)]
            if counted.size:
                ranges[index] = (float(counted.min()), float(counted.max()))
        records.append(ranges)
    return names, records, unwritten


def recorded_ranges(program, model, data, folder, arithmetic):
    recording = pathlib.Path(folder) / "recording.rmm"
    subprocess.run(
        [program, "record", "--input-model", model, "--input-data", data, "--checkpoint", recording,
         "--overwrite", "--progress", "none", "--arithmetic", arithmetic],
        check=True, stderr=subprocess.DEVNULL,
    )
    listing = subprocess.run([program, "inspect", recording, "--observations"], check=True,
                             capture_output=True, text=True).stdout
    records = {}
    for line in listing.splitlines()[1:]:
        _, record, subgraph, tensor, low, high = line.split("\t")
        if subgraph == "0":
            records.setdefault(int(record), {})[int(tensor)] = (float(low), float(high))
    return [records[record] for record in sorted(records)]


def share_of_tolerance(found, expected):
    """The larger difference of the two bounds, as a share of what is allowed."""
    tolerance = 1e-4 * (expected[1] - expected[0]) + 1e-6 * max(1.0, *map(abs, expected))
    return max(abs(found[0] - expected[0]), abs(found[1] - expected[1])) / tolerance


def compare(program, model, data, folder, arithmetic):
    names, expected, unwritten = litert_ranges(model, data)
    others = [
        litert_ranges(model, data, threads=2)[1],
        litert_ranges(model, data, resolver=OpResolverType.AUTO)[1],
    ]
    found = recorded_ranges(program, model, data, folder, arithmetic)
    assert len(found) == len(expected), "as many records"
    worst, where, compared, beyond, beyond_all, beyond_own = 0.0, None, 0, 0, 0, 0
    for record, (ours, theirs) in enumerate(zip(found, expected)):
        for tensor, bounds in ours.items():
            if tensor in unwritten:
                continue
            if tensor not in theirs:
                # Without elements, or nothing but NaN.
                if np.isfinite(bounds).all() and bounds[0] <= bounds[1]:
                    raise SystemExit(f"{model.name}: {names[tensor]} is observed, but not by LiteRT")
                continue
            share = share_of_tolerance(bounds, theirs[tensor])
            # A delegate keeps the tensors that it has merged away to itself.
            own = [other[record][tensor] for other in others if tensor in other[record]]
            compared += 1
            beyond += share > 1
            beyond_own += any(share_of_tolerance(it, theirs[tensor]) > 1 for it in own)
            beyond_all += share > 1 and all(share_of_tolerance(bounds, it) > 1 for it in own)
            if share > worst:
                worst, where = share, (record, tensor, names[tensor])
    print(f"{model.name}, {arithmetic}: {compared} ranges of {len(found)} records, "
          f"{beyond} beyond the tolerance, "
          f"{beyond_all} beyond that of all of LiteRT's kernels ({beyond_own} of LiteRT's own are); "
          f"worst {worst:.3f} of it, record {where[0]}, tensor {where[1]} {where[2]}")
    return (beyond if arithmetic == "reference" else beyond_all) == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--program", default="target/release/record-minmax")
    parser.add_argument("--records", type=int, default=16)
    parser.add_argument("--data", type=pathlib.Path, help="a dataset, or 'beside'")
    parser.add_argument("--arithmetic", choices=["fast", "direct", "reference"], default="reference")
    parser.add_argument("--golden", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.golden:
        _, records, _ = litert_ranges(arguments.models[0], arguments.data)
        lines = [json.dumps(record) for record in records]
        arguments.golden.write_text("[\n" + ",\n".join(lines) + "\n]\n")
        return 0
    passed = True
    with tempfile.TemporaryDirectory() as folder:
        for model in arguments.models:
            data = arguments.data
            if str(data) == "beside":
                data = model.with_suffix(".h5")
            if data is None:
                data = pathlib.Path(folder) / "random.h5"
                inputs = Interpreter(model_path=str(model)).get_input_details()
                random_dataset(data, inputs, arguments.records)
            passed &= compare(arguments.program, model, data, folder, arguments.arithmetic)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
