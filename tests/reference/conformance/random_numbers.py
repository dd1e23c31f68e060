"""Random numbers from seeds: the first evaluation of LiteRT."""
import numpy as np

from suite import Case, Const, options

rng = np.random.default_rng(16)


def cases():
    for seeds in [(1, 2), (1, 0), (0, 1), (-1, 5), (123456789012345, -987654321098765)]:
        chosen = options("RandomOptions", seed=seeds[0], seed2=seeds[1])
        for shape in [[1], [4], [7], [2, 3, 5], []]:
            for given in [Const(np.array(shape, "i4")), np.array(shape, "i4")]:
                for name in ["RANDOM_UNIFORM", "RANDOM_STANDARD_NORMAL"]:
                    # LiteRT takes the sine of an angle of several digits before the point.
                    tolerance = (1e-5, 2e-6)
                    yield Case(name, [given], ["f4"], chosen, f"{seeds} {shape}", tolerance=tolerance)
        for output in ["i4", "i8"]:
            for batch, classes, samples in [(1, 3, 8), (3, 5, 7), (2, 40, 33), (1, 1, 2)]:
                logits = rng.normal(size=[batch, classes]).astype("f4") * 3
                for count in [Const(np.array(samples, "i4")), np.array(samples, "i4")]:
                    yield Case("MULTINOMIAL", [logits, count], [output], chosen,
                               f"{seeds} {batch} {classes} {samples} {output}")
            special = np.array([[np.nan, 1, -np.inf, 2], [np.inf, -1e30, 0.5, 0], [88, -88, 87, 88]], "f4")
            yield Case("MULTINOMIAL", [special, Const(np.array(9, "i4"))], [output], chosen,
                       f"{seeds} special {output}")
