"""Functions of one element."""
import numpy as np

from suite import SPECIAL, Case, options

rng = np.random.default_rng(1)


def values(*shape, low=-6.0, high=6.0):
    return rng.uniform(low, high, shape).astype("f4")


def cases():
    out = []
    plain = ["RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "HARD_SWISH", "LOGISTIC", "TANH", "EXP", "NEG",
             "ABS", "SQUARE"]
    for name in plain:
        for shape in [(), (1,), (7,), (2, 3), (1, 4, 5, 3), (2, 1, 3, 2, 2)]:
            out.append(Case(name, [values(*shape)], ["f4"], name=f"{shape}"))
        special = SPECIAL
        if name == "HARD_SWISH":
            # Of infinities, LiteRT makes NaN or not depending on the order of factors.
            special = special[np.isfinite(special) & (np.abs(special) < 1e30)]
        out.append(Case(name, [np.concatenate([special, values(20)])], ["f4"], name="special"))
    for name in ["SQRT", "RSQRT"]:
        for shape in [(), (5,), (2, 3, 4)]:
            out.append(Case(name, [values(*shape, low=1e-3, high=50.0)], ["f4"], name=f"{shape}"))
        special = SPECIAL[(SPECIAL >= 0) & (SPECIAL > 1e-38) | (SPECIAL == 0)]
        out.append(Case(name, [np.concatenate([special, values(9, low=0.1)])], ["f4"], name="special"))
    for alpha in [0.0, 0.3, 1.5, -0.5]:
        leaky = options("LeakyReluOptions", alpha=alpha)
        out.append(Case("LEAKY_RELU", [values(3, 7)], ["f4"], leaky, name=f"alpha {alpha}"))
    for approximate in [False, True]:
        gelu = options("GeluOptions", approximate=approximate)
        x = np.concatenate([values(50), np.array([0, -0.0, 20, -20], "f4")])
        out.append(Case("GELU", [x], ["f4"], gelu, name=f"approximate {approximate}"))
    return out
