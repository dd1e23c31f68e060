"""Boxes that do not overlap."""
import numpy as np

from suite import Case, Const, options

rng = np.random.default_rng(15)


def selected(boxes, scores, most, iou, score, sigma=None, what=""):
    version = 4 if sigma is None else 5
    numbers = [Const(np.array(v, "f4")) for v in [iou, score] + ([] if sigma is None else [sigma])]
    inputs = [np.array(boxes, "f4"), np.array(scores, "f4"), most, *numbers]
    outputs = ["i4", "i4"] if sigma is None else ["i4", "f4", "i4"]
    return Case(f"NON_MAX_SUPPRESSION_V{version}", inputs, outputs,
                options(f"NonMaxSuppressionV{version}Options"), name=f"{iou} {score} {sigma} {what}")


def const(value):
    return Const(np.array(value, "i4"))


def cases():
    overlapping = [[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, -0.1, 1, 0.9], [0, 10, 1, 11], [0, 10.1, 1, 11.1],
                   [0, 100, 1, 101]]
    flipped = [box[2:] + box[:2] for box in overlapping]
    scores = [0.9, 0.75, 0.6, 0.95, 0.5, 0.3]
    apart = [[i * 2, 0, i * 2 + 1, 1] for i in range(12)]
    random = rng.uniform(0, 1, [60, 2])
    random = np.concatenate([random, random + rng.uniform(0.05, 0.4, [60, 2])], 1)
    for sigma in [None, 0.0, 0.5, 1.0]:
        for iou in [0.5, 0.9, 1.0]:
            for score in [0.0, 0.4, -np.inf]:
                yield selected(overlapping, scores, const(6), iou, score, sigma)
                yield selected(random, rng.uniform(0, 1, 60), const(25), iou, score, sigma, "random")
        yield selected(flipped, scores, const(3), 0.5, 0.0, sigma, "flipped")
        yield selected(overlapping, scores, np.array(4, "i4"), 0.5, 0.0, sigma, "count of the record")
        if sigma is None:
            # A float tensor without elements cannot be observed.
            yield selected(overlapping, scores, const(0), 0.5, 0.0, sigma, "none")
        yield selected([[0, 0, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]], [0.5, 0.7, 0.6], const(3), 0.5, 0.0, sigma,
                       "no area")
        # The order of equal scores is that of a heap.
        for number, equal in enumerate([[0.5] * 12, [0.5] * 3 + [0.7] * 3 + [0.5] * 3 + [0.9] * 3,
                                        [0.1, 0.9] * 6, [0.5] * 11 + [0.6]]):
            yield selected(apart, equal, const(20), 0.5, 0.0, sigma, f"equal {number}")
            yield selected(apart[:11], equal[:11], const(5), 0.5, 0.0, sigma, f"equal {number}")
        many = np.repeat(rng.integers(0, 5, 40), 1) / 8
        yield selected(random[:40], many, const(40), 0.3, 0.1, sigma, "often equal")
        yield selected(overlapping, [np.nan, 0.75, 0.6, np.inf, -np.inf, 0.3], const(6), 0.5, -np.inf, sigma,
                       "special scores")
