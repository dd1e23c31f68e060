"""Functions of one, two or several elements that networks use less, and logarithms of softmax."""
import numpy as np

from suite import SPECIAL, Case, Const, options

rng = np.random.default_rng(7)
SHAPES = [(), (1,), (7,), (2, 3), (1, 4, 5, 3), (2, 1, 3, 2, 2), (1, 2, 1, 2, 1, 3), (0,), (2, 0, 3)]
# Operands that meet in all ways; LiteRT's kernels of these broadcast four dimensions.
PAIRS = [
    ((), ()), ((1,), (1,)), ((5,), ()), ((), (5,)), ((2, 3), (3,)), ((3,), (2, 3)), ((2, 1), (1, 3)),
    ((2, 3, 4), (2, 1, 4)), ((1, 4, 5, 3), (4, 1, 3)), ((2, 3, 4, 17), (2, 3, 4, 17)), ((2, 0, 3), (1, 3)),
]


def values(*shape, low=-6.0, high=6.0):
    return rng.uniform(low, high, shape).astype("f4")


def unary():
    for name in ["LOG", "SIN", "COS", "CEIL", "FLOOR", "ROUND", "SIGN", "ELU", "SQRT", "RSQRT", "EXP", "TANH",
                 "LOGISTIC"]:
        positive = name in ["LOG", "SQRT", "RSQRT"]
        for shape in SHAPES:
            x = values(*shape, low=1e-3) if positive else values(*shape)
            yield Case(name, [x], ["f4"], name=f"{shape}")
    big = np.exp(rng.uniform(-80, 80, 60)).astype("f4")
    signed = (big * rng.choice([-1, 1], 60)).astype("f4")
    halves = np.arange(-9, 10, dtype="f4") / 2
    edges = np.array([2**22 + 0.5, 2**23 - 0.5, 2**23 + 1, -(2**23) + 0.5, 2**24 + 2, 0.49999997], "f4")
    for name in ["CEIL", "FLOOR", "ROUND", "SIGN"]:
        yield Case(name, [np.concatenate([SPECIAL, halves, edges, -edges, signed])], ["f4"], name="special")
    yield Case("LOG", [np.concatenate([SPECIAL, big, 1 + values(20, low=-1e-3, high=1e-3)])], ["f4"],
               name="special")
    yield Case("ELU", [np.concatenate([SPECIAL, signed, values(20, low=-90, high=0)])], ["f4"], name="special")
    for name in ["SIN", "COS"]:
        large = rng.uniform(-1e5, 1e5, 100).astype("f4")
        yield Case(name, [np.concatenate([SPECIAL, signed, large])], ["f4"], name="special")
        yield Case(name, [np.arange(40, dtype="f4") * np.float32(np.pi / 4)], ["f4"], name="multiples")
    yield Case("RSQRT", [np.concatenate([big, [np.inf, np.nan]]).astype("f4")], ["f4"], name="large")
    yield Case("SQRT", [np.concatenate([big, [np.inf, np.nan, -1.0, -0.0, 1e-42]]).astype("f4")], ["f4"],
               name="large")


def binary(name, x, y, label, opts=None):
    yield Case(name, [x, y], ["f4"], opts, name=label)
    yield Case(name, [x, Const(y)], ["f4"], opts, name=f"{label} constant")
    yield Case(name, [Const(x), y], ["f4"], opts, name=f"constant {label}")


def special_pairs():
    some = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, 1, -1, 2.5, -3, 0.5, 3e38], "f4")
    x, y = np.meshgrid(some, some)
    return x.ravel(), y.ravel()


def pairs():
    for name in ["POW", "FLOOR_DIV", "FLOOR_MOD", "ATAN2", "PRELU"]:
        for a, b in PAIRS:
            if name == "ATAN2" and a != b:
                # LiteRT does not broadcast here.
                continue
            x = values(*a, low=0.1) if name == "POW" else values(*a)
            y = values(*b)
            opts = options("PowOptions") if name == "POW" else None
            if name == "PRELU" and np.broadcast_shapes(a, b) != a:
                # LiteRT wants the slopes to be repeated, not the input.
                continue
            yield from binary(name, x, y, f"{a} {b}", opts)
    x, y = special_pairs()
    yield Case("POW", [x, y], ["f4"], options("PowOptions"), name="special")
    yield Case("ATAN2", [x, y], ["f4"], name="special")
    yield Case("FLOOR_MOD", [x, y], ["f4"], name="special")
    yield Case("PRELU", [x, y], ["f4"], name="special")
    some = np.isfinite(y) & (y != 0)
    yield Case("FLOOR_DIV", [x[some], y[some]], ["f4"], name="special")


def sums():
    for shape in SHAPES:
        for count in [1, 2, 3, 7]:
            if count == 1:
                # LiteRT wants two.
                continue
            xs = [values(*shape) for _ in range(count)]
            xs[-1] = Const(xs[-1])
            yield Case("ADD_N", xs, ["f4"], options("AddNOptions"), name=f"{count} {shape}")
    integers = [rng.integers(-2**31, 2**31, (3, 5)).astype("i4") for _ in range(4)]
    yield Case("ADD_N", integers, ["i4"], options("AddNOptions"), name="integers")
    # LiteRT makes the largest floats of infinities.
    finite = SPECIAL[~np.isinf(SPECIAL)]
    yield Case("ADD_N", [finite, finite / -4, np.ones_like(finite)], ["f4"], options("AddNOptions"), name="special")


def softmax():
    for shape in [(1,), (7,), (2, 3), (3, 1), (2, 5, 33), (1, 4, 5, 3), (2, 1, 3, 2, 17)]:
        yield Case("LOG_SOFTMAX", [values(*shape, low=-20, high=20)], ["f4"], options("LogSoftmaxOptions"),
                   name=f"{shape}")
    wide = np.array([[0, 1e30, 5], [-1e30, 0, 1], [90, 91, -200], [-1e-40, 0, 1e-40]], "f4")
    yield Case("LOG_SOFTMAX", [wide], ["f4"], options("LogSoftmaxOptions"), name="wide")


def cases():
    yield from unary()
    yield from pairs()
    yield from sums()
    yield from softmax()
