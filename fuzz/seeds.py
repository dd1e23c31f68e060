#!/usr/bin/env python3
"""Writes the models of the conformance suite into a corpus, for fuzzing to start from.

Set up: python3 -m venv .venv && .venv/bin/pip install h5py
Run:    .venv/bin/python fuzz/seeds.py fuzz/corpus/run
"""
import hashlib
import json
import sys
from pathlib import Path

import h5py

corpus = Path(sys.argv[1])
corpus.mkdir(parents=True, exist_ok=True)
for family in Path(__file__).parents[1].joinpath("testdata/conformance").glob("*.h5"):
    with h5py.File(family) as file:
        blob, index = file["bytes"][()].tobytes(), json.loads(file["index"][()].tobytes())
    for case in index:
        start, size = case["model"]
        model = blob[start:start + size]
        corpus.joinpath(hashlib.sha1(model).hexdigest()).write_bytes(model)
