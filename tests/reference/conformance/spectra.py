"""Fourier transforms and parts of complex numbers.

Left out: RFFT2D of a width of one, of which LiteRT leaves out all values but the first.
"""
import numpy as np

from suite import SPECIAL, Case, Const

rng = np.random.default_rng(13)


def values(*shape):
    """Few bits, so that the file is small."""
    return (rng.integers(-16, 17, shape) / 8).astype("f4")


def complex_values(*shape):
    return (values(*shape) + 1j * values(*shape)).astype("c8")


def cases():
    out = []
    for shape, lengths in [((4, 4), (4, 4)), ((3, 5), (4, 8)), ((5, 9), (4, 8)), ((1, 16), (1, 16)),
                           ((7, 2), (8, 2)), ((2, 3, 6), (2, 4)), ((2, 1, 2, 5, 3), (4, 4)), ((8, 1), (8, 2)),
                           ((1, 40), (1, 64)), ((2, 2), (1, 2))]:
        out.append(Case("RFFT2D", [values(*shape), Const(np.array(lengths, "i4"))], ["complex64"],
                        name=f"{shape} to {lengths}"))
    out.append(Case("RFFT2D", [values(6, 6), np.array([4, 8], "i4")], ["complex64"], name="record: lengths"))
    special = np.array([[complex(a, b) for b in SPECIAL] for a in SPECIAL], "c8")
    for name in ["REAL", "IMAG", "COMPLEX_ABS"]:
        for shape in [(), (1,), (7,), (2, 3), (2, 1, 3, 2, 2)]:
            out.append(Case(name, [complex_values(*shape)], ["f4"], name=f"{shape}"))
            wide = complex_values(*shape).astype("c16")
            out.append(Case(name, [wide], ["float64"], name=f"{shape} complex128"))
        out.append(Case(name, [special], ["f4"], name="special"))
    return out
