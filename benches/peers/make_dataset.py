#!/usr/bin/env python3
"""Makes a dataset of uniform float32 records, or changes how many records it has.

Run: python make_dataset.py FILE.h5 --inputs '[[1, 224, 224, 3]]' --records 1000

There are 64 different records, in the group /distinct. Those of /value are links to them, so that a
long run needs no large file: every record is looked up, read and decoded as in any other dataset.
"""
import argparse
import json
from pathlib import Path

import h5py
import numpy as np

DISTINCT = 64


def write_distinct(file: h5py.File, shapes: list[list[int]]) -> None:
    rng = np.random.default_rng(1)
    for record in range(DISTINCT):
        group = file.create_group(f"distinct/{record}")
        for position, shape in enumerate(shapes):
            group[str(position)] = rng.random(shape, dtype=np.float32)
    file.create_group("value")


def set_count(file: h5py.File, records: int) -> None:
    value, present = file["value"], len(file["value"])
    for record in range(present, records):
        value[str(record)] = file[f"distinct/{record % DISTINCT}"]
    for record in range(records, present):
        del value[str(record)]


def read_distinct(path: Path) -> list[list[np.ndarray]]:
    """The different records: an array for every input of the model."""
    with h5py.File(path, "r") as file:
        groups = [file[f"distinct/{record}"] for record in range(DISTINCT)]
        return [[group[str(position)][()] for position in range(len(group))] for group in groups]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--inputs", type=json.loads, required=True, help="shapes as JSON")
    parser.add_argument("--records", type=int, required=True)
    arguments = parser.parse_args()
    with h5py.File(arguments.file, "a") as file:
        if "value" not in file:
            write_distinct(file, arguments.inputs)
        set_count(file, arguments.records)


if __name__ == "__main__":
    main()
