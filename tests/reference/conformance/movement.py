"""Tensors taken apart, put together, repeated and made: PACK, UNPACK, SPLIT, SPLIT_V, TILE, BROADCAST_TO,
BROADCAST_ARGS, FILL, ZEROS_LIKE, SHAPE, RANK, RANGE."""
import itertools

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from suite import SPECIAL, Case, Const, options

F, I = np.float32, np.int32
rng = np.random.default_rng(5)


def values(dtype, *shape):
    """Values of both signs; of floats also special ones."""
    n = int(np.prod(shape, dtype=int))
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    x = rng.integers(-100 if np.dtype(dtype).kind in "if" else 0, 100, n).astype(dtype)
    if dtype == "float32":
        x = x / np.float32(8)
        if n >= 12:
            x[:: n // 12][:10] = SPECIAL[: len(x[:: n // 12][:10])]
    return x.reshape(shape)


def kind(shape):
    """Floats, unless there are no elements: without one, nothing would be observed, which is an error."""
    return "int32" if 0 in shape else "float32"


def axes(rank):
    return range(-rank, rank)


def packs():
    def case(arrays, axis, name):
        kinds = options("PackOptions", axis=axis, valuesCount=len(arrays))
        dtype = np.asarray(getattr(arrays[0], "value", arrays[0])).dtype.name
        return Case("PACK", arrays, [dtype], kinds, name=name)

    for shape in [(), (1,), (3,), (2, 3), (2, 1, 3), (1, 2, 2, 3), (2, 1, 2, 1, 3)]:
        for axis in axes(len(shape) + 1):
            yield case([values("float32", *shape) for _ in range(2)], axis, f"{shape} {axis}")
    for dtype in ["int8", "uint8", "int16", "int32", "int64", "uint32"]:
        yield case([values(dtype, 2, 3) for _ in range(3)], 1, dtype)
    x = values("float32", 2, 3)
    yield case([x], 0, "one")
    yield case([x], 2, "one, last axis")
    yield case([x, Const(values("float32", 2, 3)), x + 1, x * 2, x - 5], -1, "five, one constant")
    yield case([values("int32", 2, 0, 3)] * 2, 1, "empty")
    yield case([np.array([v, 1], "f4") for v in SPECIAL], 0, "special")


def unpacks():
    def case(x, axis, name):
        kinds = options("UnpackOptions", axis=axis, num=x.shape[axis])
        return Case("UNPACK", [x], [x.dtype.name] * x.shape[axis], kinds, name=name)

    for shape in [(1,), (3,), (2, 3), (2, 1, 3), (3, 2, 2, 1), (2, 1, 2, 1, 3), (1, 2, 1, 2, 1, 3)]:
        for axis in axes(len(shape)):
            yield case(values("float32", *shape), axis, f"{shape} {axis}")
    for dtype in ["int8", "uint8", "int16", "int32", "bool"]:
        yield case(values(dtype, 2, 3), 1, dtype)


def splits():
    def case(x, axis, count, name):
        kinds = options("SplitOptions", numSplits=count)
        dtype = np.asarray(getattr(x, "value", x)).dtype.name
        return Case("SPLIT", [axis, x], [dtype] * count, kinds, name=name)

    for shape, count in [((4,), 2), ((6, 2), 3), ((2, 4, 6), 2), ((2, 2, 4, 2), 2), ((2, 2, 2, 4, 2), 2),
                         ((2, 2, 2, 2, 2, 4), 2), ((3, 5), 1)]:
        for axis in axes(len(shape)):
            if shape[axis] % count == 0:
                yield case(values("float32", *shape), Const(I(axis)), count, f"{shape} {axis}")
    for dtype in ["int8", "uint8", "int16", "int32", "int64"]:
        yield case(values(dtype, 2, 6), Const(I(1)), 3, dtype)
    x = values("float32", 4, 6)
    yield case(x, np.array(1, I), 2, "axis from the record")
    yield case(x, np.array([-2], I), 4, "axis from the record, one dimension")
    yield case(values("int32", 2, 0), Const(I(1)), 2, "empty")


def splits_v():
    def case(x, lengths, axis, name):
        count = len(getattr(lengths, "value", lengths))
        kinds = options("SplitVOptions", numSplits=count)
        return Case("SPLIT_V", [x, lengths, axis], [x.dtype.name] * count, kinds, name=name)

    for shape, axis, lengths in [
            ((5,), 0, [2, 3]), ((5,), -1, [-1, 3]), ((5,), 0, [5]), ((5, 2), 0, [1, 3, 1]),
            ((5, 2), -2, [2, -1, 2]), ((2, 7), 1, [7, -1]), ((2, 7), 1, [0, 4, 3]), ((2, 3, 4), 1, [1, -1]),
            ((2, 3, 4), -1, [1, 1, 1, 1]), ((2, 1, 5, 2), 2, [2, -1, 1]), ((2, 1, 2, 5, 2), 3, [1, 4]),
            ((2, 1, 2, 1, 5, 2), 4, [1, 4])]:
        for dtype in [I, np.int64]:
            if dtype == np.int64 and len(shape) > 2:
                continue
            is_empty = 0 in lengths or sum(lengths) - min(lengths) == shape[axis]
            x = values("int32" if is_empty else "float32", *shape)
            yield case(x, Const(np.array(lengths, dtype)), Const(I(axis)), f"{shape} {axis} {lengths} {np.dtype(dtype).name}")
    for dtype in ["int8", "uint8", "int16", "int32", "int64"]:
        yield case(values(dtype, 2, 6), Const(I([1, -1, 2])), Const(I(1)), dtype)
    x = values("float32", 4, 6)
    yield case(x, np.array([1, 2, -1], I), Const(I(1)), "lengths from the record")
    yield case(x, Const(I([1, 3])), np.array(0, I), "axis from the record")
    yield case(x, np.array([4, 2], np.int64), np.array([-1], I), "both from the record")


def tiles():
    def case(x, times, name, dtype=I, given=False):
        times = np.array(times, dtype)
        return Case("TILE", [x, times if given else Const(times)], [x.dtype.name], options("TileOptions"),
                    name=name)

    for shape, times in [
            ((1,), [3]), ((3,), [1]), ((3,), [4]), ((2, 3), [1, 2]), ((2, 3), [2, 1]), ((2, 3), [3, 2]),
            ((2, 1), [1, 5]), ((1, 2, 3), [2, 1, 2]), ((2, 1, 3), [1, 4, 1]), ((1, 1, 1), [2, 3, 4]),
            ((2, 1, 2, 3), [1, 2, 1, 2]), ((1, 2, 2, 1, 3), [2, 1, 2, 2, 1]), ((2, 1, 1, 2, 1, 2), [1, 2, 3, 1, 2, 1]),
            ((2, 3), [0, 2]), ((2, 3), [2, 0]), ((0, 3), [2, 2])]:
        x = values(kind([*shape, *times]), *shape)
        yield case(x, times, f"{shape} {times}")
        yield case(x, times, f"{shape} {times} int64", np.int64)
        yield case(x, times, f"{shape} {times} from the record", given=True)
    for dtype in ["int8", "uint8", "int32", "int64", "bool"]:
        yield case(values(dtype, 2, 3), [2, 3], dtype)
    yield case(SPECIAL.reshape(2, 5), [2, 2], "special")


def broadcasts_to():
    def case(x, shape, name, dtype=I, given=False):
        shape = np.array(shape, dtype)
        return Case("BROADCAST_TO", [x, shape if given else Const(shape)], [x.dtype.name],
                    options("BroadcastToOptions"), name=name, version=2)

    for shape, to in [
            ((), [3]), ((), [2, 3]), ((1,), [4]), ((3,), [3]), ((3,), [2, 3]), ((2, 1), [2, 4]), ((1, 3), [2, 3]),
            ((2, 1), [3, 2, 2]), ((1, 2, 1), [3, 2, 4]), ((2, 1, 3), [2, 4, 3]), ((3, 1, 1), [2, 3, 2, 4]),
            ((1, 2, 1, 3), [2, 2, 2, 3]), ((2, 1, 2, 1), [2, 2, 3, 2, 2]), ((1, 1, 1, 1, 1), [2, 1, 2, 1, 2]),
            ((2, 1, 1, 2, 1, 2), [2, 3, 1, 2, 2, 2]), ((1, 2, 1, 1, 2), [2, 1, 1, 2, 2, 1, 1, 2])]:
        yield case(values("float32", *shape), to, f"{shape} {to}")
        yield case(values("float32", *shape), to, f"{shape} {to} int64", np.int64)
        yield case(values("float32", *shape), to, f"{shape} {to} from the record", given=True)
    for dtype in ["int8", "uint8", "int16", "int32", "int64", "bool", "uint32"]:
        yield case(values(dtype, 2, 1), [2, 2, 3], dtype)
    yield case(SPECIAL.reshape(10, 1), [10, 2], "special")


def broadcast_args():
    for a, b in [([2, 3], [2, 3]), ([1], [4]), ([3, 1], [1, 5]), ([2, 1, 4], [3, 1]), ([4], [2, 3, 1]),
                 ([], [2, 3]), ([2], []), ([], []), ([1, 1], [1]), ([0], [1]), ([2, 0], [1, 1]),
                 ([1, 2, 1, 4, 1], [3, 1, 5]), ([7, 1, 2, 1, 4, 1], [2, 3, 4, 5])]:
        for dtype in [I, np.int64]:
            a, b = np.array(a, dtype), np.array(b, dtype)
            name = f"{a} {b} {a.dtype.name}"
            yield Case("BROADCAST_ARGS", [a, b], [a.dtype.name], name=name)
            yield Case("BROADCAST_ARGS", [Const(a), b], [a.dtype.name], name=name + ", a constant")


def fills():
    def case(dims, value, name, dtype=I, given=(False, True)):
        operands = [x if kept else Const(x) for x, kept in zip([np.array(dims, dtype), value], given)]
        return Case("FILL", operands, [value.dtype.name], options("FillOptions"), name=name)

    for dims in [[], [1], [5], [2, 3], [0], [2, 0, 3], [1, 2, 3, 2], [2, 1, 2, 1, 2, 3]]:
        for dtype in [I, np.int64]:
            for given in itertools.product([False, True], repeat=2):
                yield case(dims, np.array(2.5).astype(kind(dims)), f"{dims} {np.dtype(dtype).name} {given}", dtype, given)
    for dtype in ["int8", "int16", "int32", "int64", "bool"]:
        yield case([2, 3], values(dtype, 1)[0:1].reshape(()), dtype)
    # Alone, NaN and the lowest float are not observed.
    for value in SPECIAL[(SPECIAL == SPECIAL) & (SPECIAL != np.finfo("f4").min)]:
        yield case([3], np.array(value, "f4"), f"{value}")


def of_shapes():
    shapes = [(), (1,), (5,), (0,), (2, 3), (2, 0, 3), (1, 2, 3, 4), (2, 1, 3, 1, 2), (1, 2, 1, 2, 1, 2)]
    for shape in shapes:
        for dtype in [kind(shape), "int8", "bool", "int64"]:
            x = values(dtype, *shape)
            for given in [True, False]:
                operand = x if given else Const(x)
                for out in ["int32", "int64"]:
                    kinds = options("ShapeOptions", outType=getattr(schema.TensorType, out.upper()))
                    if dtype == kind(shape) or out == "int32":
                        yield Case("SHAPE", [operand], [out], kinds, name=f"{shape} {dtype} {out} {given}")
                yield Case("RANK", [operand], ["int32"], options("RankOptions"), name=f"{shape} {dtype} {given}")
        for dtype in [kind(shape), "int32", "int64"]:
            x = values(dtype, *shape)
            yield Case("ZEROS_LIKE", [x], [dtype], options("ZerosLikeOptions"), name=f"{shape} {dtype}")


def ranges():
    def case(bounds, dtype, given):
        operands = [np.array(v, dtype) for v in bounds]
        operands = [x if kept else Const(x) for x, kept in zip(operands, given)]
        return Case("RANGE", operands, [dtype], options("RangeOptions"), name=f"{bounds} {dtype} {given}")

    all_given, none = (True,) * 3, (False,) * 3
    for bounds in [(0, 5, 1), (0, 5, 2), (0, 6, 2), (5, 0, -1), (5, 0, -2), (-3, 4, 3), (3, 3, 1), (3, 3, -1),
                   (0, 1, 100), (100, -100, -99), (2**31 - 3, 2**31 - 1, 1), (0, 40, 1)]:
        for dtype in ["int32", "int64", "float32"]:
            if dtype == "float32" and F(bounds[0]) == F(bounds[1]):
                continue
            yield case(bounds, dtype, all_given)
            if bounds[0] != bounds[1]:
                yield case(bounds, dtype, none)
            yield case(bounds, dtype, (False, True, False))
    for bounds in [(0.0, 1.0, 0.1), (0.5, 3.0, 0.3), (1.0, -1.0, -0.25), (-0.1, 0.1, 0.05), (0.0, 1e3, 33.3),
                   (0.0, 0.05, 0.1), (1e-3, 2e-3, 1e-5), (16777214.0, 16777226.0, 3.0)]:
        yield case(bounds, "float32", all_given)
        yield case(bounds, "float32", (False, False, True))
    yield case((2**40, 2**40 + 7, 3), "int64", all_given)


def cases():
    yield from packs()
    yield from unpacks()
    yield from splits()
    yield from splits_v()
    yield from tiles()
    yield from broadcasts_to()
    yield from broadcast_args()
    yield from fills()
    yield from of_shapes()
    yield from ranges()
