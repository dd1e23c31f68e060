#!/usr/bin/env python3
"""Compares per-record ranges of every float activation with LiteRT's.

Set up:  python3 -m venv .venv && .venv/bin/pip install ai-edge-litert==2.3.0 h5py numpy
Models:  .venv/bin/python tests/reference/compare_litert.py --program target/release/record-minmax \
             MODEL.tflite [MODEL.tflite ...] [--records 16]
Golden:  .venv/bin/python tests/reference/compare_litert.py --golden OUT.json MODEL.tflite --data D.h5

LiteRT runs without delegates and keeps all tensors. Its ranges follow the recorder's definition: NaN
and the lowest float are ignored. A difference is allowed up to 1e-4 of the tensor's range plus 1e-6.
With --records, both get the same uniform random records; with --data, those of a dataset.
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
                if detail["dtype"] == np.float32:
                    data = rng.random(detail["shape"], dtype=np.float32)
                else:
                    data = rng.integers(0, 100, detail["shape"]).astype(detail["dtype"])
                group.create_dataset(str(position), data=data)


def read_records(path):
    with h5py.File(path, "r") as file:
        value = file["value"]
        for record in range(len(value)):
            group = value[str(record)]
            yield [group[str(position)][()] for position in range(len(group))]


def litert_ranges(model, data):
    """One list a record: {tensor: (min, max)} of every float tensor that is not a constant."""
    interpreter = Interpreter(
        model_path=str(model),
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
        num_threads=1,
    )
    interpreter.allocate_tensors()
    details = interpreter.get_tensor_details()
    names = {detail["index"]: detail["name"] for detail in details}
    floats = [detail["index"] for detail in details if detail["dtype"] == np.float32]
    records = []
    for values in read_records(data):
        for detail, value in zip(interpreter.get_input_details(), values):
            interpreter.set_tensor(detail["index"], value)
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
    return names, records


def recorded_ranges(program, model, data, folder):
    recording = pathlib.Path(folder) / "recording.rmm"
    subprocess.run(
        [program, "record", "--input-model", model, "--input-data", data, "--checkpoint", recording,
         "--overwrite", "--progress", "none"],
        check=True, stderr=subprocess.DEVNULL,
    )
    listing = subprocess.run([program, "inspect", recording, "--observations"], check=True,
                             capture_output=True, text=True).stdout
    records = {}
    for line in listing.splitlines()[1:]:
        _, record, _, tensor, low, high = line.split("\t")
        records.setdefault(int(record), {})[int(tensor)] = (float(low), float(high))
    return [records[record] for record in sorted(records)]


def compare(program, model, data, folder):
    names, expected = litert_ranges(model, data)
    found = recorded_ranges(program, model, data, folder)
    assert len(found) == len(expected), "as many records"
    worst, where, compared, beyond = 0.0, None, 0, 0
    for record, (ours, theirs) in enumerate(zip(found, expected)):
        for tensor, (low, high) in ours.items():
            low_litert, high_litert = theirs[tensor]
            tolerance = 1e-4 * (high_litert - low_litert) + 1e-6
            share = max(abs(low - low_litert), abs(high - high_litert)) / tolerance
            compared += 1
            beyond += share > 1
            if share > worst:
                worst, where = share, (record, tensor, names[tensor])
    print(f"{model.name}: {compared} ranges of {len(found)} records, {beyond} beyond the tolerance; "
          f"worst {worst:.3f} of it, record {where[0]}, tensor {where[1]} {where[2]}")
    return beyond == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--program", default="target/release/record-minmax")
    parser.add_argument("--records", type=int, default=16)
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("--golden", type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.golden:
        _, records = litert_ranges(arguments.models[0], arguments.data)
        lines = [json.dumps(record) for record in records]
        arguments.golden.write_text("[\n" + ",\n".join(lines) + "\n]\n")
        return 0
    passed = True
    with tempfile.TemporaryDirectory() as folder:
        for model in arguments.models:
            data = arguments.data
            if data is None:
                data = pathlib.Path(folder) / "random.h5"
                inputs = Interpreter(model_path=str(model)).get_input_details()
                random_dataset(data, inputs, arguments.records)
            passed &= compare(arguments.program, model, data, folder)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
