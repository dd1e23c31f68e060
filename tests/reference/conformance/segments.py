"""Reductions of slices of the same number, and numbers of intervals."""
import numpy as np

from suite import SPECIAL, Case, Const, options

rng = np.random.default_rng(14)


def sorted_sum(values, numbers):
    array = numbers.value if isinstance(numbers, Const) else numbers
    return Case("SEGMENT_SUM", [values, numbers], [values.dtype.name],
                name=f"{values.dtype} {values.shape} {list(array)} {type(numbers).__name__}")


def unsorted(name, values, numbers, count, what=""):
    array = np.asarray(numbers)
    count = count if isinstance(count, Const) else np.array(count, "i4")
    return Case(f"UNSORTED_SEGMENT_{name}", [values, array.astype("i4"), count], [values.dtype.name],
                name=f"{values.dtype} {values.shape} {array.shape} {what}")


def bucketized(values, boundaries):
    return Case("BUCKETIZE", [values], ["i4"], options("BucketizeOptions", boundaries=boundaries),
                name=f"{values.dtype} {values.shape} {boundaries}")


def cases():
    for dtype in ["f4", "i4"]:
        for shape in [(4,), (4, 3), (4, 1, 2, 3), (4, 2, 1, 1, 2)]:
            values = rng.integers(-9, 9, shape).astype(dtype)
            for numbers in [[0, 1, 1, 2], [0, 0, 0, 0], [0, 1, 2, 3]]:
                yield sorted_sum(values, Const(np.array(numbers, "i4")))
                yield sorted_sum(values, np.array(numbers, "i4"))
    for name in ["SUM", "PROD", "MAX", "MIN"]:
        for dtype in ["f4", "i4"]:
            values = rng.integers(-9, 9, [4, 3, 2]).astype(dtype)
            yield unsorted(name, values, [2, 0, 2, 0], Const(np.array(4, "i4")))
            yield unsorted(name, values, [2, -1, 2, 0], Const(np.array([3], "i4")))
            yield unsorted(name, values, rng.integers(-1, 5, [4, 3]), 5)
            yield unsorted(name, values, rng.integers(-1, 5, [4, 3, 2]), Const(np.array(5, "i4")))
            yield unsorted(name, np.array(7, dtype), 1, 3)
            yield unsorted(name, rng.integers(1, 5, [3, 1, 2, 1, 2]).astype(dtype), [0, 1, 0], 2)
        special = np.array([1, np.nan, 2, np.nan, -np.inf, np.inf, -0.0, 0.0, 1e-40], "f4")
        yield unsorted(name, special, [0, 0, 0, 1, 2, 3, 4, 4, 5], 7, "special")
    for dtype in ["f4", "f8", "i4", "i8"]:
        values = np.array([[1, 2], [3, 4], [5, 90]]).astype(dtype)
        for boundaries in [[2.0, 3.5, 5.0], [3.0], [], [2.0, 2.0, 4.0]]:
            yield bucketized(values, boundaries)
    yield bucketized(SPECIAL, [-1e-40, 0.0, 3.5])
    yield bucketized(np.array(3, "f4"), [3.0])
    yield bucketized(np.array([2 ** 24 + 1, -2 ** 31], "i4"), [2.0 ** 24])
    yield bucketized(np.array([2 ** 53 + 1, 2 ** 53, 2 ** 24 + 1], "i8"), [2.0 ** 24, 2.0 ** 53])
    yield bucketized(np.array([0.1, 0.1 + 1e-12, 0.0999], "f8"), [0.1])
