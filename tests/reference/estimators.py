"""Reference results of the estimators, computed with NumPy step by step in single and double precision.

    python tests/reference/estimators.py testdata/golden

writes `estimators.f32`, three sequences of 1000 observations (little-endian single precision, minimum
and maximum in turn), and `estimators.csv`, results of the first `count` observations of a sequence as
bits of single-precision numbers in hexadecimal:

    moving_average,sequence,count,batch,constant,min,max
    percentile,sequence,count,percentile,,of the minima,of the maxima
    mean,sequence,count,,,of the minima,of the maxima
    trimmed_mean,sequence,count,share,,of the minima,of the maxima
    mean_std,sequence,count,sigmas,,below the mean of the minima,above that of the maxima

Written from the definition of the estimators, not from the program: observations are kept in lists,
batches are cut out of them, and percentiles sort. Sums are those of `math.fsum`, rounded once; means and
deviations are also compared with the exact fractions of `statistics`.
"""

import math
import pathlib
import statistics
import sys

import numpy as np

f32 = np.float32
f64 = np.float64

COUNTS = [1, 2, 15, 16, 17, 31, 32, 33, 1000]
BATCHES = [1, 3, 16, 255, 1000]
CONSTANTS = [0.0, 0.01, 0.1, 0.5, 1.0]
PERCENTILES = [0.0, 1.0, 2.5, 50.0, 99.0, 99.9, 100.0]
TRIMS = [0.0, 0.01, 0.1, 0.29, 0.499]
SIGMAS = [0.0, 1.0, 2.5, 3.0]


def sequences():
    """Three kinds of observations: [sequence, record, (minimum, maximum)]."""
    rng = np.random.default_rng(20261124)
    n = 1000
    # After a rectifier: the minimum is zero but for a few records, the maximum has a long tail.
    relu = np.stack([np.where(rng.random(n) < 0.1, rng.random(n), 0.0), 1.0 + rng.lognormal(0, 1, n)], 1)
    # Both signs, magnitudes over many decades.
    wide = np.stack([-(10.0 ** rng.uniform(-6, 6, n)), 10.0 ** rng.uniform(-6, 6, n)], 1)
    # A drift, with repeated values.
    drift = np.stack([np.round(rng.normal(-3, 1, n), 1), np.round(rng.normal(3, 1, n), 1)], 1)
    drift += np.linspace(0, 2, n)[:, None].round(1)
    drift.sort(axis=1)
    return np.stack([relu, wide, drift]).astype(f32)


def moving_average(values, extreme, batch, constant):
    keep = f32(f32(1.0) - f32(constant))
    gain = f64(1.0) - f64(keep)
    average = None
    for start in range(0, len(values), batch):
        m = extreme(values[start : start + batch])
        if average is None:
            average = f32(m)
        else:
            kept = f32(average * keep)
            average = f32(f64(kept) + f64(m) * gain)
    return average


def percentile(values, p):
    v = sorted(values)
    n = len(v)
    p = f32(p)
    if n == 1 or p == 0:
        return v[0]
    if p == 100:
        return v[n - 1]
    product = f32(f32(n - 1) * p)
    i = int(math.floor(f64(product) / f64(100.0)))
    q = f32(f32(i) / f32(n - 1))
    above = f64(i + 1.0) / f64(n - 1.0)
    fraction = f32((f64(p) / f64(100.0) - f64(q)) / (above - f64(q)))
    step = f32(v[i + 1] - v[i])
    return f32(v[i] + f32(fraction * step))


def precise_mean(values):
    """The mean in double precision: the exact sum, rounded, divided."""
    mean = f64(math.fsum(values)) / f64(len(values))
    exact = statistics.mean([float(v) for v in values])
    assert abs(mean - exact) <= 2.3e-16 * abs(exact), (mean, exact)
    return mean


def trimmed_mean(values, trim):
    v = sorted(values)
    cut = int(len(v) * trim)
    return f32(precise_mean(v[cut : len(v) - cut]))


def beside_mean(values, sigmas):
    mean = precise_mean(values)
    differences = np.array(values, dtype=f64) - mean
    deviation = np.sqrt(f64(math.fsum(differences * differences)) / f64(len(values)))
    exact = statistics.pstdev([float(v) for v in values])
    assert abs(deviation - exact) <= 1e-15 * exact, (deviation, exact)
    assert abs(deviation - np.std(np.array(values, dtype=f64))) <= 1e-13 * exact
    return f32(mean + f64(sigmas) * deviation)


def bits(value):
    assert type(value) is f32
    return f"{int(np.frombuffer(value.tobytes(), dtype='<u4')[0]):08x}"


def main():
    folder = pathlib.Path(sys.argv[1])
    data = sequences()
    data.astype("<f4").tofile(folder / "estimators.f32")
    lines = []
    for sequence, observations in enumerate(data):
        for count in COUNTS:
            minima = list(observations[:count, 0])
            maxima = list(observations[:count, 1])
            for batch in BATCHES:
                for constant in CONSTANTS:
                    low = moving_average(minima, min, batch, constant)
                    high = moving_average(maxima, max, batch, constant)
                    lines.append(
                        f"moving_average,{sequence},{count},{batch},{constant},{bits(low)},{bits(high)}"
                    )
            for p in PERCENTILES:
                low, high = percentile(minima, p), percentile(maxima, p)
                lines.append(f"percentile,{sequence},{count},{p},,{bits(low)},{bits(high)}")
            low, high = f32(precise_mean(minima)), f32(precise_mean(maxima))
            lines.append(f"mean,{sequence},{count},,,{bits(low)},{bits(high)}")
            for trim in TRIMS:
                low, high = trimmed_mean(minima, trim), trimmed_mean(maxima, trim)
                lines.append(f"trimmed_mean,{sequence},{count},{trim},,{bits(low)},{bits(high)}")
            for sigmas in SIGMAS:
                low, high = beside_mean(minima, -sigmas), beside_mean(maxima, sigmas)
                lines.append(f"mean_std,{sequence},{count},{sigmas},,{bits(low)},{bits(high)}")
    (folder / "estimators.csv").write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
