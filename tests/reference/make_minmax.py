#!/usr/bin/env python3
"""Makes the files in testdata/minmax: what onert would record of testdata/sample on a device.

    python3 tests/reference/make_minmax.py      (needs h5py, NumPy and ai-edge-litert)

The values are those of LiteRT for the first records of the sample. `runs.h5` and `older.h5` are laid out as
runtime/onert/core/src/dumper/h5/MinMaxDumper.cc of ONE does it, now and at first, `runs.minmax` as
runtime/onert/core/src/exec/MinMaxData.cc.
"""

import struct
from pathlib import Path

import h5py
import numpy as np
from ai_edge_litert.interpreter import Interpreter

ROOT = Path(__file__).resolve().parents[2] / "testdata"
OUT = ROOT / "minmax"
RUNS = 6


def runs():
    """For every run the pairs of inputs and operators by position."""
    interpreter = Interpreter(
        str(ROOT / "sample" / "sample.tflite"),
        experimental_preserve_all_tensors=True,
        experimental_default_delegate_latest_features=False,
    )
    interpreter.allocate_tensors()
    entry = interpreter.get_input_details()[0]
    operators = interpreter._get_ops_details()
    with h5py.File(ROOT / "sample" / "sample.h5") as file:
        for run in range(RUNS):
            record = file[f"value/{run}/0"][...]
            interpreter.set_tensor(entry["index"], record)
            interpreter.invoke()
            pair = lambda tensor: (tensor.min(), tensor.max())
            results = {}
            for operator in operators:
                outputs = list(operator["outputs"])
                if len(outputs) == 1 and operator["op_name"] != "DELEGATE":
                    value = interpreter.get_tensor(outputs[0])
                    if value.dtype == np.float32:
                        results[operator["index"]] = pair(value)
            yield {0: pair(record)}, results


def write_h5(runs):
    with h5py.File(OUT / "runs.h5", "w", libver="earliest") as file:
        for number, (inputs, operators) in enumerate(runs):
            group = file.create_group(f"value/run_{number}/model_0/subg_0")
            for name, pairs in (("input", inputs), ("op", operators)):
                for index, pair in pairs.items():
                    data = np.array(pair, ">f4")
                    group.create_dataset(f"{name}_{index}", data=data, track_times=False)


def write_older(runs):
    with h5py.File(OUT / "older.h5", "w", libver=("v110", "v110")) as file:
        for number, (_, operators) in enumerate(runs[:2]):
            for index, pair in operators.items():
                name = f"value/{number}/0/0/{index}"
                file.create_dataset(name, data=np.array(pair, ">f4"), track_times=False)


def write_raw(runs):
    data = struct.pack("<III", 0x4F4D4D44, 1, len(runs))
    for inputs, operators in runs:
        data += struct.pack("<II", len(operators), len(inputs))
        for pairs in (operators, inputs):
            for index, (low, high) in pairs.items():
                data += struct.pack("<IIIff", 0, 0, index, low, high)
    (OUT / "runs.minmax").write_bytes(data)


def main():
    OUT.mkdir(exist_ok=True)
    all_runs = list(runs())
    write_h5(all_runs)
    write_older(all_runs)
    write_raw(all_runs)


if __name__ == "__main__":
    main()
