#!/usr/bin/env python3
"""Makes the goldens of testdata/conformance: see suite.py.

Set up: python3 -m venv .venv && .venv/bin/pip install ai-edge-litert==2.3.0 circle-schema==0.10.1 h5py numpy
Run:    .venv/bin/python tests/reference/conformance/make.py [FAMILY ...]
"""
import importlib
import sys
from pathlib import Path

import suite

HERE = Path(__file__).parent
OUT = HERE.parents[2] / "testdata" / "conformance"
NOT_FAMILIES = {"make", "suite"}


def main():
    families = sys.argv[1:] or sorted(p.stem for p in HERE.glob("*.py") if p.stem not in NOT_FAMILIES)
    for family in families:
        suite.write(OUT / f"{family}.h5", importlib.import_module(family).cases())


main()
