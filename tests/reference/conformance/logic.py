"""Functions of booleans, and comparisons, whose results are booleans."""
import numpy as np

from suite import SPECIAL, Case, Const, options

rng = np.random.default_rng(11)

SHAPES = [
    ((), ()), ((), (3,)), ((1,), (1,)), ((7,), (7,)), ((2, 3), ()), ((2, 3), (3,)), ((2, 1), (3,)),
    ((1, 4, 1), (2, 1, 3)), ((2, 3, 4), (2, 3, 4)), ((2, 1, 3, 1), (1, 4, 1, 2)), ((4, 1), (1, 3, 1, 5)),
    ((2, 0, 3), (1, 3)), ((0,), (1,)),
]
# Broadcasting of more than four dimensions is not in LiteRT's comparisons.
SAME = [((1, 2, 1, 3, 2), (1, 2, 1, 3, 2))]
COMPARISONS = {
    "EQUAL": "Equal", "NOT_EQUAL": "NotEqual", "LESS": "Less", "LESS_EQUAL": "LessEqual",
    "GREATER": "Greater", "GREATER_EQUAL": "GreaterEqual",
}


def flags(shape):
    return rng.integers(0, 2, shape).astype(bool)


def numbers(dtype, shape):
    """Few different ones, so that many are equal, and the ends of integers."""
    if np.dtype(dtype).kind == "f":
        return rng.integers(-3, 4, shape).astype(dtype) / 2
    ends = np.iinfo(dtype)
    return rng.choice(np.array([ends.min, 0, 1, 5, 7, ends.max], dtype), shape)


def logic():
    for name in ["LOGICAL_AND", "LOGICAL_OR"]:
        for a, b in SHAPES:
            yield Case(name, [flags(a), flags(b)], ["bool"], name=f"{a} {b}")
        yield Case(name, [flags((2, 5)), Const(flags(5))], ["bool"], name="constant")
    for shape in [(), (1,), (9,), (2, 3), (0, 3), (2, 1, 3, 2, 2)]:
        yield Case("LOGICAL_NOT", [flags(shape)], ["bool"], name=f"{shape}")


def comparisons():
    for name, table in COMPARISONS.items():
        attributes = options(f"{table}Options")

        def case(a, b, title):
            return Case(name, [a, b], ["bool"], attributes, name=title)

        for a, b in SHAPES + SAME:
            yield case(numbers("f4", a), numbers("f4", b), f"{a} {b}")
        grid = np.array(np.meshgrid(SPECIAL, SPECIAL)).reshape(2, -1)
        yield case(grid[0], grid[1], "special")
        yield case(numbers("f4", (2, 3)), Const(numbers("f4", (3,))), "constant")
        # LiteRT's NOT_EQUAL of INT16 is wrong.
        for dtype in ["i2", "i4", "i8"] if name != "NOT_EQUAL" else ["i4", "i8"]:
            yield case(numbers(dtype, (40,)), numbers(dtype, (40,)), dtype)
            yield case(numbers(dtype, (2, 1, 9)), Const(numbers(dtype, (5, 1))), f"{dtype} constant")
        if name in ["EQUAL", "NOT_EQUAL"]:
            yield case(flags((3, 4)), flags((4,)), "booleans")


def cases():
    yield from logic()
    yield from comparisons()
