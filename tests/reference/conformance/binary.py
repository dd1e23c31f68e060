"""Arithmetic, comparison and choice of floats that meet in all ways; softmax."""
import numpy as np

from suite import SPECIAL, Case, Const, options

rng = np.random.default_rng(5)
NONE, RELU, RELU_N1_TO_1, RELU6 = range(4)
# LiteRT leaves out a fused TANH here, and makes the largest floats of infinities: neither has a case.
ARITHMETIC = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "DIV": "DivOptions"}
PLAIN = {"MINIMUM": "MaximumMinimumOptions", "MAXIMUM": "MaximumMinimumOptions",
         "SQUARED_DIFFERENCE": "SquaredDifferenceOptions"}
COMPARISONS = {"EQUAL": "EqualOptions", "NOT_EQUAL": "NotEqualOptions", "LESS": "LessOptions",
               "LESS_EQUAL": "LessEqualOptions", "GREATER": "GreaterOptions",
               "GREATER_EQUAL": "GreaterEqualOptions"}
PAIRS = [
    ((), ()), ((1,), (1,)), ((5,), ()), ((), (5,)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 1), (1, 3)),
    ((2, 3, 4), (2, 1, 4)), ((1, 4, 5, 3), (4, 1, 3)), ((2, 3, 4, 17), (2, 3, 4, 17)), ((2, 0, 3), (1, 3)),
    ((0,), (1,)),
]
LARGE_PAIRS = [((2, 1, 3, 1, 2), (1, 4, 3, 2, 2)), ((2, 3, 1, 2, 5), (2, 3, 1, 2, 5)), ((2, 2, 2, 2, 3), (3,)),
               ((1, 2, 1, 2, 1, 3), (2, 2, 1, 1, 2, 3))]
# The widest broadcast of each kernel of LiteRT.
RANKS = {"ADD": 6, "SUB": 6, "MUL": 6, "DIV": 5, "MINIMUM": 5, "MAXIMUM": 5, "SQUARED_DIFFERENCE": 4,
         "SELECT_V2": 4}


def values(*shape, low=-6.0, high=6.0):
    return rng.uniform(low, high, shape).astype("f4")


def pairs(name):
    for a, b in PAIRS + LARGE_PAIRS:
        rank = max(len(a), len(b))
        if a == b or rank <= RANKS.get(name, 4):
            yield a, b


def arithmetic():
    for name, table in (ARITHMETIC | PLAIN).items():
        for number, (a, b) in enumerate(pairs(name)):
            x, y = values(*a), values(*b)
            operands = [[x, y], [x, Const(y)], [Const(x), y]][number % 3]
            yield Case(name, operands, ["f4"], options(table), name=f"{a} {b}")
        x, y = values(3, 4, 5), values(4, 1)
        for activation in [RELU, RELU_N1_TO_1, RELU6]:
            if name in ARITHMETIC:
                yield Case(name, [x, Const(y)], ["f4"], options(table, fusedActivationFunction=activation),
                           name=f"activation {activation}")
        special = SPECIAL
        if name in ARITHMETIC or name == "SQUARED_DIFFERENCE":
            special = special[np.isfinite(special) & (np.abs(special) < 1e30) | np.isnan(special)]
        other = np.roll(special, 3)
        if name == "DIV":
            other = np.where(other == 0, np.float32(2), other)
            keep = np.abs(other) > 1e-10
            special, other = special[keep], other[keep]
        if name in ["MINIMUM", "MAXIMUM"]:
            # Which of NaN and a number is kept depends on the path that LiteRT takes.
            special, other = special[1:], other[1:]
            keep = ~np.isnan(other)
            special, other = special[keep], other[keep]
        yield Case(name, [special, other], ["f4"], options(table), name="special")


def comparisons():
    for name, table in COMPARISONS.items():
        for a, b in pairs(name):
            # Equal ones among them.
            x, y = np.round(values(*a)).astype("f4"), np.round(values(*b)).astype("f4")
            yield Case(name, [x, Const(y)], ["bool"], options(table), name=f"{a} {b}")
        x, y = np.meshgrid(SPECIAL, SPECIAL)
        yield Case(name, [x.ravel(), y.ravel()], ["bool"], options(table), name="special")


def choices():
    # LiteRT makes a scalar of (1,).
    for shape in [(), (7,), (2, 3), (1, 4, 5, 3), (2, 1, 3, 2, 2), (2, 0)]:
        for condition in sorted({shape, shape[:1], ()}, key=str):
            flags = rng.random(condition) < 0.5
            x, y = values(*shape), values(*shape)
            yield Case("SELECT", [np.asarray(flags), x, y], ["f4"], options("SelectOptions"), name=f"{shape} by {condition}")
    for c, a, b in [
        ((), (), ()), ((3,), (2, 3), (1,)), ((2, 1), (1, 3), (3,)), ((2, 3, 4), (4,), (3, 1)), ((), (2, 3), (2, 3)),
        ((1, 4, 1, 3), (1, 4, 5, 3), ()), ((4, 1), (2, 1, 5), (2, 4, 5)), ((2, 0, 1), (1, 3), (2, 1, 3)),
        ((2, 1, 3, 2, 2), (2, 1, 3, 2, 2), (2, 1, 3, 2, 2)),
    ]:
        flags = rng.random(c) < 0.5
        yield Case("SELECT_V2", [np.asarray(flags), values(*a), Const(values(*b))], ["f4"],
                   options("SelectV2Options"), name=f"{c} {a} {b}")
    flags = np.arange(len(SPECIAL)) % 2 == 0
    yield Case("SELECT_V2", [flags, SPECIAL, SPECIAL[::-1].copy()], ["f4"], options("SelectV2Options"), name="special")


def softmax():
    for shape in [(1,), (7,), (2, 3), (3, 1), (2, 5, 33), (1, 4, 5, 3)]:
        for beta in [1.0, 0.5, 3.0]:
            yield Case("SOFTMAX", [values(*shape, low=-20, high=20)], ["f4"], options("SoftmaxOptions", beta=beta),
                       name=f"{shape} {beta}")
    wide = np.array([[0, 1e30, 5], [-1e30, 0, 1], [90, 91, -200], [-1e-40, 0, 1e-40]], "f4")
    yield Case("SOFTMAX", [wide], ["f4"], options("SoftmaxOptions", beta=1.0), name="wide")


def cases():
    yield from arithmetic()
    yield from comparisons()
    yield from choices()
    yield from softmax()
