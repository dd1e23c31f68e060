"""Reference results of the estimators of elements, computed with NumPy from the elements themselves.

    python tests/reference/histogram.py testdata/golden

writes `histogram.csv`:

    bins,case,limit,exponent,first,below,above,count/count/...
    element_percentile,case,limit,min percentile,max percentile,min,max
    kl,case,limit,bits,,min,max
    mse,case,limit,bits,,min,max

with the bits of single-precision numbers in hexadecimal. The elements of a case are made by `elements` with a
generator that the program's test has too.

Written from the definitions in docs/estimators.md, not from the program: distributions are arrays as long as
their bins, and divergences and errors are sums over these. NumPy adds in another order than the program, so
candidates whose results differ by less than rounding could come out differently: the script fails if there
are any.
"""

import pathlib
import sys

import numpy as np

f32 = np.float32
f64 = np.float64

LOWEST = -np.finfo(f32).max

LIMITS = [256, 2048]
PERCENTILES = [(0.0, 100.0), (0.01, 99.99), (1.0, 99.0), (40.0, 60.0)]
KL_BITS = {256: [4, 6], 2048: [4, 8]}
MSE_BITS = {256: [2, 8], 2048: [4, 8, 16]}


def uniform(seed, count):
    """Numbers from 0 to less than 1, of 24 bits: SplitMix64."""
    state = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return ((state ^ (state >> np.uint64(31))) >> np.uint64(40)).astype(f32) / f32(1 << 24)


def elements(case):
    """The elements of a case, in single precision. Every operation is exact or rounded once."""
    count = 20000
    u = [uniform(case * 16 + part, count) for part in range(6)]
    bell = u[0] + u[1] + u[2] - u[3] - u[4] - u[5]
    match case:
        case 0:  # both signs
            return bell
        case 1:  # behind a rectifier
            return np.maximum(bell, f32(0))
        case 2:  # with a long tail above
            return bell / (u[0] + f32(1 / 64))
        case 3:  # below 0 only
            return np.minimum(bell, f32(0)) - u[1] * u[2]
        case 4:  # far from 0
            return bell + f32(37)
        case 5:  # a tail on both sides, of another length each, and what is not counted
            x = bell / (u[3] + f32(1 / 32)) - u[2] / (u[1] + f32(1 / 256))
            x[5], x[77], x[1234], x[9999] = np.nan, LOWEST, np.inf, np.inf
            x[4321] = -np.inf
            return x
        case 6:  # subnormal
            return bell * f32(2.0**-130)
        case 7:  # a few values only
            return np.floor(bell * f32(2)) / f32(2)
    raise ValueError(case)


CASES = 8


def histogram(x, limit):
    """Exponent, position of the first bin, counts, elements below and above."""
    x = x[~np.isnan(x) & (x != LOWEST)]
    below, above = int(np.sum(x == -np.inf)), int(np.sum(x == np.inf))
    x = x[np.isfinite(x)].astype(f64)
    largest = np.max(np.abs(x))
    for exponent in range(-149, 128):
        k = np.floor(x / 2.0**exponent)
        if np.max(k) - np.min(k) + 1 <= limit and 2.0 ** (exponent + 24) > largest:
            break
    first = int(np.min(k))
    return exponent, first, np.bincount((k - first).astype(int)), below, above


def percentile(h, p):
    exponent, first, counts, below, above = h
    ends = below + np.cumsum(counts)
    rank = p / 100 * (below + counts.sum() + above)
    if below > 0 and rank <= below:
        return -np.inf
    if rank > ends[-1]:
        return np.inf
    bin = int(np.flatnonzero((ends >= rank) & (counts > 0))[0])
    before = ends[bin] - counts[bin]
    return (first + bin + (rank - before) / counts[bin]) * 2.0**exponent


def least(candidates, wider):
    """The candidate of the least value, and of equal ones the first in the order of `wider`."""
    values = np.array([value for value, _ in candidates])
    order = np.argsort(values)
    best = candidates[order[0]]
    close = [it for it in candidates if it[0] <= best[0] * (1 + 1e-11) + 1e-15]
    if len({it[1] for it in close}) > 1 and any(it[0] != best[0] for it in close):
        raise ArithmeticError(f"too close to tell: {close}")
    return max(close, key=lambda it: wider(it[1]))[1]


def kl(h, bits):
    exponent, first, counts, below, above = h
    levels = 2**bits
    end = first + len(counts)
    positions = np.arange(min(first, 0), max(end, 0))
    c = np.zeros(len(positions))
    c[first - positions[0] :][: len(counts)] = counts
    total = below + counts.sum() + above
    reach = max(end, -first)
    candidates = []
    for t in range(1, reach + 1):
        start, stop = max(-t, min(first, 0)), min(t, max(end, 0))
        a, b = start - positions[0], stop - positions[0]
        bins = b - a
        if (bins < levels and t < reach) or c[a:b].sum() == 0:
            continue
        p = c[a:b].copy()
        p[0] += c[:a].sum() + below
        p[-1] += c[b:].sum() + above
        level = np.arange(bins) * min(levels, bins) // bins
        filled = np.bincount(level, p > 0)
        inside = np.bincount(level, c[a:b])
        if np.any((filled > 0) & (inside == 0)):
            continue
        q = np.where(p > 0, inside[level] / np.maximum(filled, 1)[level], 0)
        some = p > 0
        divergence = np.sum(p[some] / total * np.log((p[some] / total) / (q[some] / q.sum())))
        # Without any loss only rounding is left.
        candidates.append((max(divergence, 1e-13), (start, stop)))
    start, stop = least(candidates, lambda it: it[1] - it[0])
    return start * 2.0**exponent, stop * 2.0**exponent


def mse(h, bits, lowest, highest):
    exponent, first, counts, _, _ = h
    width = 2.0**exponent
    end = first + len(counts)
    edges = (first + np.arange(len(counts) + 1)) * width

    def ends(below, above):
        return max(below * width, min(lowest, 0.0)), min(above * width, max(highest, 0.0))

    def error(below, above):
        low, high = ends(below, above)
        step = (high - low) / (2**bits - 1)
        if step == 0:
            return np.inf
        zero = np.floor(-low / step + 0.5)
        # The integral of the squared distance to the nearest level, from 0 on: 1/12 for each level on the
        # way, and from the last one a third of the cube of the distance.
        u = edges / step
        level = np.clip(np.rint(u), -zero, 2**bits - 1 - zero)
        integral = level / 12 + (u - level) ** 3 / 3
        return np.sum(counts * np.diff(integral)) * step**3 / width

    def scan(candidates, best, of):
        """Moves an end along candidates, from the widest range on."""
        least_error = of(best)
        step = -(-len(candidates) // 128)
        at = candidates.index(best)
        for i in range(0, len(candidates), step):
            e = of(candidates[i])
            if e < least_error:
                least_error, at = e, i
        if step > 1:
            for i in range(max(at - step + 1, 0), min(at + step, len(candidates))):
                e = of(candidates[i])
                if e < least_error:
                    least_error, at = e, i
        return candidates[at]

    below = list(range(first, min(end - 1, 0) + 1)) if first < 0 else [0]
    nearest = 0 if first < 0 else first + 1
    above = list(range(end, nearest - 1, -1)) if end > 0 else [0]
    best = (below[0], above[0])
    while True:
        before = best
        best = (scan(below, best[0], lambda it: error(it, best[1])), best[1])
        best = (best[0], scan(above, best[1], lambda it: error(best[0], it)))
        if best == before:
            return ends(*best)


def hex32(x):
    return f"{f32(x).view(np.uint32):08x}"


def main(folder):
    lines = []
    for case in range(CASES):
        x = elements(case)
        counted = x[~np.isnan(x) & (x != LOWEST)]
        observed = f32(np.min(counted)), f32(np.max(counted))
        cut = lambda it: np.clip(f32(it), *observed) + f32(0)
        for limit in LIMITS:
            h = histogram(x, limit)
            exponent, first, counts, below, above = h
            assert counts.sum() + below + above == len(counted)
            lines.append(
                f"bins,{case},{limit},{exponent},{first},{below},{above},{'/'.join(map(str, counts))}"
            )
            for low, high in PERCENTILES:
                ends = cut(percentile(h, low)), cut(percentile(h, high))
                lines.append(f"element_percentile,{case},{limit},{low},{high},{','.join(map(hex32, ends))}")
            for bits in KL_BITS[limit]:
                ends = map(cut, kl(h, bits))
                lines.append(f"kl,{case},{limit},{bits},,{','.join(map(hex32, ends))}")
            edge = lambda bound, bin: f64(bound) if np.isfinite(bound) else (first + bin) * 2.0**exponent
            finite = edge(observed[0], 0), edge(observed[1], len(counts))
            for bits in MSE_BITS[limit]:
                ends = map(cut, mse(h, bits, *finite))
                lines.append(f"mse,{case},{limit},{bits},,{','.join(map(hex32, ends))}")
    (pathlib.Path(folder) / "histogram.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
