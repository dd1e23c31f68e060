"""Sums up to each position, and sequences turned around."""
import numpy as np

from suite import Case, Const, options

rng = np.random.default_rng(12)


def sums(x, axis, exclusive, reverse, what=""):
    chosen = options("CumsumOptions", exclusive=exclusive, reverse=reverse)
    return Case("CUMSUM", [x, axis], [x.dtype.name], chosen,
                name=f"{x.dtype} {x.shape} {what} {exclusive} {reverse}")


def turned(x, lengths, sequence, batch, what=""):
    chosen = options("ReverseSequenceOptions", seqDim=sequence, batchDim=batch)
    return Case("REVERSE_SEQUENCE", [x, lengths], [x.dtype.name], chosen,
                name=f"{x.dtype} {x.shape} {sequence} {batch} {what}")


def cases():
    for exclusive in [False, True]:
        for reverse in [False, True]:
            for dtype in ["f4", "i4", "i8"]:
                x = rng.integers(-9, 10, [2, 3, 4]).astype(dtype)
                for axis in [0, 1, 2, -1]:
                    yield sums(x, Const(np.array(axis, "i4")), exclusive, reverse, f"axis {axis}")
            x = rng.uniform(0, 1, [7]).astype("f4")
            yield sums(x, Const(np.array([0], "i4")), exclusive, reverse)
            x = rng.uniform(0, 1, [1, 2, 1, 3, 2]).astype("f4")
            yield sums(x, Const(np.array(3, "i4")), exclusive, reverse)
            x = np.array([[1, np.inf, 2, -np.inf, 3], [1, np.nan, 2, 3, 0], [1e38, 3e38, 3e38, -0.0, 1]], "f4")
            yield sums(x, Const(np.array(1, "i4")), exclusive, reverse, "special")
            yield sums(np.zeros([2, 0], "i4"), Const(np.array(0, "i4")), exclusive, reverse, "empty")
            yield sums(np.zeros([2, 0], "i4"), Const(np.array(1, "i4")), exclusive, reverse, "empty")
            yield sums(rng.integers(0, 9, [3, 2]).astype("f4"), np.array(1, "i4"), exclusive, reverse,
                       "axis of the record")
    for dtype in ["f4", "i4", "i8", "i2", "u1"]:
        x = np.arange(2 * 3 * 2).reshape(2, 3, 2).astype(dtype)
        yield turned(x, Const(np.array([2, 3], "i4")), 1, 0)
        yield turned(x, np.array([1, 2, 0], "i8"), 0, 1)
        yield turned(x, Const(np.array([2, 1], "i4")), 1, 2)
        yield turned(x, np.array([2, 0], "i4"), 2, 0)
    x = np.arange(2 * 3 * 2 * 3 * 2).reshape(2, 3, 2, 3, 2).astype("f4")
    yield turned(x, np.array([2, 3, 1], "i8"), 3, 1)
    yield turned(x, np.array([2, 0, 1], "i4"), 0, 3)
    yield turned(np.arange(6).reshape(2, 3).astype("f4"), np.array([-1, 2], "i4"), 1, 0, "negative")
    yield turned(np.zeros([2, 0], "i4"), np.array([0, 0], "i4"), 1, 0)
    # LiteRT crashes without sequences.
