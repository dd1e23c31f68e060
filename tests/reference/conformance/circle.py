"""Operators that only circle has, against NumPy.

ATTENTION, BCQ_FULLY_CONNECTED, BCQ_GATHER and RUN_MODEL are not supported; those of other families are there.
"""
import numpy as np

from suite import Case, Const, options

rng = np.random.default_rng(15)


def values(*shape):
    """Few bits, so that the file is small."""
    return (rng.integers(-16, 17, shape) / 8).astype("f4")


def rope(x, sin, cos):
    half = x.shape[-1] // 2
    turned = np.concatenate([-x[..., half:], x[..., :half]], -1)
    return [x * cos + turned * sin]


def cases():
    out = []
    for shape, table in [((1, 1, 1, 8), (1, 1, 1, 8)), ((1, 4, 3, 64), (1, 1, 3, 64)), ((2, 3, 5, 6), (1, 1, 1, 6)),
                         ((2, 3, 4, 34), (2, 1, 4, 34)), ((3, 2), (2,)), ((4,), (4,)), ((2, 3, 1, 2, 10), (3, 1, 1, 10))]:
        for late in [False, True]:
            tables = [values(*table), values(*table)]
            inputs = [values(*shape), *(tables if late else map(Const, tables))]
            out.append(Case("ROPE", inputs, ["f4"], options("RoPEOptions"), name=f"{shape} {table} {late}",
                            reference=rope))
    return out
