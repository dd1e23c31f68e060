"""Reductions over axes, and positions of extremes."""
import itertools

import numpy as np

from suite import Case, Const, options

rng = np.random.default_rng(11)

INTEGERS = ["i4", "i8"]
# As they are, without a scale, LiteRT multiplies them only and takes their extremes.
SMALL = ["i1", "u1", "i2"]

# Several numbers and NaN: each rows' result is known from the order of its elements.
ROWS = np.array([[np.nan, 1, 2], [1, np.nan, 2], [np.nan] * 3, [-np.inf] * 3, [np.inf] * 3,
                 [np.finfo("f4").min] * 3, [1, 2, np.nan], [-0.0, 0, -0.0], [1e-40, 2e-40, -1e-40],
                 [np.inf, 0, 1], [7, np.nan, -np.inf]], "f4")


def keeping(keep):
    return options("ReducerOptions", keepDims=keep)


def axes(*values):
    return Const(np.array(values, "i4"))


def reduced(name, x, over, keep, what):
    return Case(name, [x, over], [x.dtype.name], keeping(keep), name=f"{x.dtype} {x.shape} {what} {keep}")


def numbers():
    for name in ["SUM", "MEAN", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN"]:
        for rank in range(7):
            x = rng.uniform(0.5, 1.5, [2, 3, 1, 4, 2, 3][:rank]).astype("f4")
            sets = itertools.chain.from_iterable(
                itertools.combinations(range(rank), n) for n in range(rank + 1))
            for number, some in enumerate(sets):
                if rank == 6 and number % 5:
                    continue
                signed = [a - rank if a % 2 else a for a in some]
                yield reduced(name, x, axes(*signed), number % 2 == 1, f"over {signed}")
        x = rng.uniform(0.5, 1.5, [3, 5]).astype("f4")
        yield reduced(name, x, axes(1, 1, -1), False, "repeated")
        yield reduced(name, x, Const(np.array(1, "i4")), True, "scalar axis")
        yield reduced(name, x, np.array([0], "i4"), True, "axis of the record")
        yield reduced(name, np.array(4, "f4"), axes(0), True, "scalar")
        for keep in [False, True]:
            # A float tensor without elements cannot be observed.
            for dtype in INTEGERS:
                yield reduced(name, np.zeros([2, 0], dtype), axes(1), keep, "nothing reduced")
                yield reduced(name, np.zeros([0, 2], dtype), axes(1), keep, "no rows")
                yield reduced(name, np.zeros([0, 2], dtype), axes(), keep, "no rows, no axes")
        # Long rows, and rows that are not whole vectors.
        for shape in [(2, 100), (100, 2), (3, 67, 5), (5, 1, 131)]:
            x = rng.uniform(0.9, 1.1, shape).astype("f4")
            for axis in range(len(shape)):
                yield reduced(name, x, axes(axis), False, f"over {axis}")
        yield reduced(name, ROWS, axes(1), False, "special")
        yield reduced(name, np.ascontiguousarray(ROWS.T), axes(0), False, "special")
        if name in ["REDUCE_MAX", "REDUCE_MIN"]:
            yield reduced(name, ROWS, axes(0, 1), False, "special")
        for dtype in INTEGERS:
            x = rng.integers(-50, 50, [3, 4, 5]).astype(dtype)
            for over in [(0,), (1,), (2,), (0, 2), (0, 1, 2), ()]:
                yield reduced(name, x, axes(*over), False, f"over {over}")
            extremes = np.array([[np.iinfo(dtype).min, 1], [np.iinfo(dtype).max, -1]], dtype)
            if name != "SUM":
                yield reduced(name, extremes, axes(1), False, "extremes")
        if name in ["REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN"]:
            for dtype in SMALL:
                low = 0 if dtype == "u1" else -9
                x = rng.integers(low, 10, [3, 4, 5]).astype(dtype)
                for over in [(0,), (1, 2), (0, 1, 2)]:
                    yield reduced(name, x, axes(*over), True, f"over {over}")


def long_nan_rows():
    """A NaN somewhere in rows of more than a vector."""
    x = rng.uniform(-5, 5, [4, 50]).astype("f4")
    x[0, 0], x[1, 49], x[2, 20], x[2, 33] = [np.nan] * 4
    for name in ["REDUCE_MAX", "REDUCE_MIN"]:
        yield reduced(name, x, axes(1), False, "NaN")
        yield reduced(name, x, axes(0), False, "NaN")
        yield reduced(name, x, axes(0, 1), False, "NaN")
        yield reduced(name, x.reshape(2, 2, 50), axes(0, 2), False, "NaN")


def truths():
    for name in ["REDUCE_ANY", "REDUCE_ALL"]:
        x = rng.integers(0, 2, [2, 3, 2, 2]) == 1
        x[0, 0], x[1, 2] = True, False
        for over in [(0,), (1, 3), (-1,), (0, 1, 2, 3), (2, -2), ()]:
            for keep in [False, True]:
                yield reduced(name, x, axes(*over), keep, f"over {over}")
        yield reduced(name, np.zeros([2, 0], "bool"), axes(1), False, "nothing reduced")
        yield reduced(name, np.array(True), axes(0), False, "scalar")


def positions():
    number = {"i4": 2, "i8": 4}
    for name, table in [("ARG_MAX", "ArgMaxOptions"), ("ARG_MIN", "ArgMinOptions")]:
        def case(x, axis, out, what):
            return Case(name, [x, axis], [out], options(table, outputType=number[out]),
                        name=f"{x.dtype} {x.shape} {what} {out}")
        for out in ["i4", "i8"]:
            for dtype in ["f4", "i4", "i1", "u1"]:
                x = rng.integers(0, 20, [3, 1, 4, 5]).astype(dtype)
                for axis in [0, 1, 2, 3, -1, -4]:
                    yield case(x, Const(np.array(axis, "i4")), out, f"axis {axis}")
            yield case(rng.integers(0, 2, [3, 4]) == 1, Const(np.array(1, "i4")), out, "axis 1")
            yield case(ROWS, Const(np.array([1], "i8")), out, "special")
            yield case(np.ascontiguousarray(ROWS.T), Const(np.array(0, "i4")), out, "special")
        yield case(rng.normal(size=[2, 100]).astype("f4"), Const(np.array(1, "i4")), "i4", "long")
        yield case(rng.normal(size=[40]).astype("f4"), Const(np.array(0, "i4")), "i4", "one row")
        yield case(rng.normal(size=[1, 2, 3, 2, 2, 1]).astype("f4"), Const(np.array(-3, "i4")), "i4", "")
        yield case(np.full([3, 33], 2, "f4"), Const(np.array(1, "i4")), "i4", "equal")
        yield case(np.zeros([0, 2], "i4"), Const(np.array(1, "i4")), "i4", "no rows")
        yield case(rng.normal(size=[4, 3]).astype("f4"), np.array(0, "i4"), "i8", "axis of the record")


def cases():
    yield from numbers()
    yield from long_nan_rows()
    yield from truths()
    yield from positions()
