"""Arithmetic of integers, and selection of elements of any type."""
import numpy as np

from suite import Case, Const, options

rng = np.random.default_rng(12)

SHAPES = [
    ((), ()), ((), (3,)), ((1,), (1,)), ((7,), (7,)), ((2, 3), ()), ((2, 3), (3,)), ((2, 1), (3,)),
    ((1, 4, 1), (2, 1, 3)), ((2, 1, 3, 1), (1, 4, 1, 2)), ((2, 0, 3), (1, 3)),
]
LARGE = [((1, 2, 1, 3, 2), (2, 1, 2, 1, 1))]
# Types without a scale. LiteRT takes INT8, UINT8 and most of INT16 for quantized, and INT16 has no
# fused activation.
BINARY = {
    "ADD": (["i2", "i4", "i8"], "Add"),
    "SUB": (["i4", "i8"], "Sub"),
    "MUL": (["i2", "i4", "u4", "i8"], "Mul"),
    "DIV": (["i4"], "Div"),
    "MINIMUM": (["i1", "u1", "i2", "i4", "i8"], "MaximumMinimum"),
    "MAXIMUM": (["i1", "u1", "i2", "i4", "i8"], "MaximumMinimum"),
    "SQUARED_DIFFERENCE": (["i4"], "SquaredDifference"),
    "POW": (["i4"], "Pow"),
    "FLOOR_DIV": (["i1", "i2", "i4"], "FloorDiv"),
    "FLOOR_MOD": (["i1", "i2", "i4", "i8"], "FloorMod"),
    "BITWISE_XOR": (["i1", "u1", "i2", "u2", "i4", "u4"], "BitwiseXor"),
    "RIGHT_SHIFT": (["i1", "u1", "i2", "u2", "i4", "u4"], "RightShift"),
}
# Those whose results stay within the type for any operands, or wrap in LiteRT as well.
ANY = {"ADD", "SUB", "MUL", "MINIMUM", "MAXIMUM", "BITWISE_XOR"}
FUSED = ["ADD", "SUB", "MUL", "DIV"]


def small(name, dtype, shape):
    """First and second operands with results that every type has."""
    low = 0 if np.dtype(dtype).kind == "u" else -11
    a = rng.integers(low, 12, shape[0]).astype(dtype)
    b = rng.integers(low, 12, shape[1])
    if name in ["DIV", "FLOOR_DIV", "FLOOR_MOD"]:
        b = np.where(b == 0, 3, b)
    elif name == "POW":
        b = np.abs(b) % 9
    elif name == "RIGHT_SHIFT":
        b = rng.integers(low, 40, shape[1])
    return a, b.astype(dtype)


def binary():
    for name, (types, table) in BINARY.items():
        attributes = options(f"{table}Options")
        for shape in SHAPES + (LARGE if name in ["ADD", "SUB", "MUL", "DIV", "MINIMUM"] else []):
            yield Case(name, [*small(name, "i4", shape)], ["i4"], attributes, name=f"{shape}")
        for dtype in types:
            a, b = small(name, dtype, ((3, 13), (13,)))
            yield Case(name, [a, b], [dtype], attributes, name=dtype)
            yield Case(name, [a, Const(b)], [dtype], attributes, name=f"{dtype} constant")
            if name in ANY:
                ends = np.iinfo(dtype)
                a, b = rng.integers(ends.min, ends.max, (2, 40), dtype, endpoint=True)
                a[:4], b[:4] = [ends.min, ends.max, ends.min, ends.max], [ends.max, ends.max, 1, 1]
                yield Case(name, [a, b], [dtype], attributes, name=f"{dtype} ends")
    ends = np.iinfo("i4")
    for name in ["DIV", "FLOOR_DIV", "FLOOR_MOD"]:
        a = np.array([ends.min, ends.max, ends.min, ends.max, 0, -1], "i4")
        b = np.array([ends.max, ends.min, 1, -1, ends.min, ends.max], "i4")
        yield Case(name, [a, b], ["i4"], options(f"{BINARY[name][1]}Options"), name="ends")
    a, b = np.array([ends.min, ends.max, -1, 1], "i4"), np.array([-1, 31, 32, 100], "i4")
    yield Case("RIGHT_SHIFT", [a, b], ["i4"], options("RightShiftOptions"), name="ends")
    # Powers that do not fit are undefined in LiteRT; they wrap.
    a, b = np.array([0, 0, 1, -1, -2, 2, 46340, -46340], "i4"), np.array([0, 7, 99, 99, 31, 30, 2, 2], "i4")
    yield Case("POW", [a, b], ["i4"], options("PowOptions"), name="ends")


def fused():
    for name in FUSED:
        for dtype in ["i4", "i8"] if name != "DIV" else ["i4"]:
            for activation, title in [(1, "relu"), (2, "relu_n1_to_1"), (3, "relu6")]:
                attributes = options(f"{BINARY[name][1]}Options", fusedActivationFunction=activation)
                a, b = small(name, dtype, ((2, 9), (9,)))
                yield Case(name, [a, b], [dtype], attributes, name=f"{dtype} {title}")


def unary():
    for name, types in [("NEG", ["i1", "i2", "i4", "i8"]), ("ABS", ["i2", "i4"]), ("SIGN", ["i4"])]:
        for dtype in types:
            ends = np.iinfo(dtype)
            values = np.array([0, 1, -1, 5, -7, ends.max, ends.min + 1, ends.min], dtype)
            yield Case(name, [values], [dtype], options(f"{name.capitalize()}Options"), name=dtype)
        for shape in [(), (1,), (2, 3), (0, 3), (2, 1, 3, 1, 2)]:
            x = rng.integers(-9, 10, shape).astype("i4")
            yield Case(name, [x], ["i4"], options(f"{name.capitalize()}Options"), name=f"{shape}")


def elements(dtype, shape):
    count = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if dtype == "?":
        return rng.integers(0, 2, shape).astype(dtype)
    if np.dtype(dtype).kind in "fc":
        return rng.integers(-50, 50, shape).astype(dtype)
    return np.frombuffer(rng.bytes(count), dtype).reshape(shape)


def selection():
    types = ["f4", "f8", "f2", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "?", "c8"]

    def case(name, condition, a, b, dtype, title):
        attributes = options("SelectOptions" if name == "SELECT" else "SelectV2Options")
        flags = rng.integers(0, 2, condition).astype(bool)
        operands = [flags, elements(dtype, a), elements(dtype, b)]
        return Case(name, operands, [np.dtype(dtype).name], attributes, name=title)

    for name in ["SELECT", "SELECT_V2"]:
        for dtype in types:
            yield case(name, (2, 7), (2, 7), (2, 7), dtype, dtype)
        # LiteRT makes a scalar of (1,).
        for shape in [(), (5,), (0, 2), (2, 3, 4), (1, 2, 3, 2), (2, 1, 3, 1, 2)]:
            yield case(name, shape, shape, shape, "f4", f"{shape}")
        flags = rng.integers(0, 2, (2, 3)).astype(bool)
        operands = [flags, Const(elements("f4", (2, 3))), Const(elements("f4", (2, 3)))]
        attributes = options("SelectOptions" if name == "SELECT" else "SelectV2Options")
        yield Case(name, operands, ["f4"], attributes, name="constants")
    for shape in [(3,), (3, 4), (3, 2, 2, 2)]:
        yield case("SELECT", (3,), shape, shape, "f4", f"rows of {shape}")
        yield case("SELECT", (), shape, shape, "f4", f"one for {shape}")
    for shapes in [((), (3,), (3,)), ((3,), (), ()), ((2, 1), (3,), ()), ((2, 3), (1, 3), (2, 1)),
                   ((1, 4, 1), (2, 1, 3), (3,)), ((2, 1, 1, 3), (1, 4, 1, 1), (1, 1, 2, 1)),
                   ((1,), (2, 3, 2), (2, 3, 2)), ((2, 1), (2, 0), (1, 1)),
                   ((2, 1, 3, 1, 2), (1, 2, 1, 1, 2), (2,))]:
        for dtype in ["f4", "i8"]:
            yield case("SELECT_V2", *shapes, dtype, f"{dtype} {shapes}")


def cases():
    yield from binary()
    yield from fused()
    yield from unary()
    yield from selection()
